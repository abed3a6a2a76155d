"""The bank's end of the telephone line: answers calls and lets terminals upload.

One loop moves the bytes of all lines (`modem.line_loop`). One thread for each serial
port does the same for ever: wait for a call, ask the books whether its terminal may
come in, feed what it sends to an intake machine, send back what that answers, until the
terminal ends the call; it sleeps until a whole message has come. Only these threads
wait for the books: a database that is locked for seconds holds up no line.

No word is said to a terminal before the books know that its certificate is in use.
Everything the bank answers is durable before it is sent, so a call that breaks off at
any point loses nothing: the terminal repeats, and the bank gives the same answers
again.

A failed call is logged and the next one is awaited. A port or modem that fails is tried
again after a pause, which doubles from `MODEM_RETRY_S` up to `MODEM_RETRY_S_MAX` until
it works; the other ports go on meanwhile. Only when no port works at the start does the
program end, because then the command line is wrong.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from modem.call import answer
from modem.errors import (
    CallClosedError,
    CallTimeoutError,
    ModemError,
    ModemRefusedError,
    ModemSilentError,
    PortError,
)
from modem.events import WaitingForCall
from modem.line_loop import LineLoop
from settlement.errors import MessageError
from settlement.intake import GROUP_MAX, IntakeMachine

if TYPE_CHECKING:
    import datetime as dt
    import ssl
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from modem.call import Call
    from modem.certificates import CertificateTrouble, PeerCertificate
    from modem.dial_plan import AnswerPlan
    from modem.events import CallEvent
    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery, Offer
    from settlement.intake import (
        BatchAnswer,
        BatchHeader,
        BatchTotals,
        IntakeBank,
        LogonAnswer,
        OpenAnswer,
        ReconcileAnswer,
        RecordAnswer,
        RefusedMessage,
        TerminalVersions,
    )
    from settlement.payment import OpenItem, PaymentRecord

__all__ = [
    "Answered",
    "BatchEnded",
    "BatchOpened",
    "CallEnded",
    "Doorkeeper",
    "Host",
    "HostEvent",
    "LoggedOn",
    "ModemTrouble",
    "PaymentsTaken",
]

SILENCE_MS: Final = 120_000
"""A terminal that says nothing for so long is gone; the line is for the next one."""
MODEM_RETRY_S: Final = 10
"""Rest before a modem that failed is tried again, at first."""
MODEM_RETRY_S_MAX: Final = 300
"""The longest rest: who has put a cable back waits no longer for the line."""
_STOP_CHECK_S: Final = 0.5
"""How soon calls under way are ended when the host is to stop."""
_SESSION_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOn:
    """A terminal has named itself; the answer says whether the bank knows it."""

    terminal_id: str
    answer: LogonAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOpened:
    """A terminal begins to upload a batch, or begins it again."""

    header: BatchHeader
    answer: BatchAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsTaken:
    """A group of payments was posted, or suspended, each as its answer says."""

    header: BatchHeader
    answers: Sequence[RecordAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """A batch was reconciled, or what differs was told to the terminal."""

    header: BatchHeader
    answer: ReconcileAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """A call is over.

    Attributes:
        terminal_id: of the terminal's certificate.
        messages: how many it sent.
        trouble: why it ended early, or None when the terminal ended it.
    """

    terminal_id: str
    messages: int
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemTrouble:
    """A call did not come about, or the modem failed; waiting goes on.

    Attributes:
        reason: what happened, one sentence.
        retry_in_s: the rest before the port is tried again.
    """

    reason: str
    retry_in_s: int = 0


Answered = LoggedOn | BatchOpened | PaymentsTaken | BatchEnded
HostEvent = Answered | CallEnded | ModemTrouble


class Doorkeeper(Protocol):
    """The books, asked who may come in; `settlement.admission` has the bank's own."""

    def admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        """Why a terminal whose certificate TLS has proved may not, or None."""

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> CertificateTrouble | None:
        """Note that it is in use, in its turn; why it may not come in, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Serves terminals on any number of ports.

    Attributes:
        bank: what the intake machines ask; used by all port threads.
        admission: who may come in; asked by each port's own thread.
        tls_context: of `modem.tls.server_context`.
        clock: the time, with its zone.
        random_bytes: source of session keys.
        on_event: told the port and what happens there, from that port's thread.
    """

    bank: IntakeBank
    admission: Doorkeeper
    tls_context: ssl.SSLContext
    clock: Callable[[], dt.datetime]
    random_bytes: Callable[[int], bytes]
    on_event: Callable[[str, HostEvent | CallEvent], None]
    plan: AnswerPlan | None = None

    def serve(
        self, ports: Sequence[str], stop: threading.Event, *, once: bool = False
    ) -> None:
        """Serve every port until ``stop`` is set.

        Args:
            ports: paths or URLs of serial ports.
            stop: set by another thread or a signal handler to end the service; a call
                under way is ended.
            once: stop after the first call that got as far as messages.

        Raises:
            PortError: no port can be used at the start; all ports are let go.
        """
        with LineLoop() as loop:
            service = _Service(host=self, loop=loop, stop=stop, ports=len(ports))
            with ThreadPoolExecutor(len(ports), thread_name_prefix="port") as pool:
                work = [pool.submit(service.serve_port, port, once) for port in ports]
                try:
                    # One port that ends, by order or by a bug, ends the whole service:
                    # half a host that looks alive would hide it.
                    _wait_for_first(work, stop)
                finally:
                    stop.set()
                    service.end_calls()
        for future in work:
            future.result()


class _Service:
    """What the threads of all ports of one `Host.serve` share."""

    def __init__(
        self, *, host: Host, loop: LineLoop, stop: threading.Event, ports: int
    ) -> None:
        self._host = host
        self._loop = loop
        self._stop = stop
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._calls: set[Call] = set()
        self._ports = ports
        self._tried: set[str] = set()
        self._any_worked = False

    def serve_port(self, port: str, once: bool) -> None:
        """Take one call after the other on ``port``."""
        rest = _Rest()

        def on_call_event(event: CallEvent) -> None:
            if isinstance(event, WaitingForCall):
                rest.begin_anew()
                self._port_worked(port)
            self._host.on_event(port, event)

        while not self._stop.is_set():
            try:
                call = answer(
                    port,
                    self._host.tls_context,
                    stop=self._stop,
                    on_event=on_call_event,
                    plan=self._host.plan,
                    loop=self._loop,
                    admit=self._admit,
                )
            except ModemError as error:
                self._modem_trouble(port, error, rest)
                continue
            if call is None:
                return
            with call, self._noted(call):
                self._converse(port, call)
            if once:
                return

    def end_calls(self) -> None:
        """Have all threads that wait for a message wake up and hang up."""
        with self._lock:
            for call in self._calls:
                call.end()

    @contextmanager
    def _noted(self, call: Call) -> Iterator[None]:
        with self._lock:
            self._calls.add(call)
            # Whoever set the flag before may have ended all calls before this one.
            if self._stop.is_set():
                call.end()
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)

    def _admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        trouble = self._host.admission.admit(terminal)
        if trouble is None:
            trouble = self._host.admission.note_use(terminal, self._turn)
        return trouble

    def _port_worked(self, port: str) -> None:
        with self._lock:
            self._any_worked = True
            self._tried.add(port)

    def _modem_trouble(self, port: str, error: ModemError, rest: _Rest) -> None:
        if isinstance(error, PortError):
            with self._lock:
                self._tried.add(port)
                hopeless = not self._any_worked and len(self._tried) == self._ports
            if hopeless:
                raise error
        seconds = 0
        if isinstance(error, PortError | ModemSilentError | ModemRefusedError):
            seconds = rest.next_s()
        self._host.on_event(port, ModemTrouble(reason=error.what, retry_in_s=seconds))
        self._stop.wait(seconds)

    def _converse(self, port: str, call: Call) -> None:
        host = self._host
        terminal_id = call.peer_name
        machine = IntakeMachine(
            terminal_id,
            _Turns(host.bank, self._turn, lambda event: host.on_event(port, event)),
            host.random_bytes(_SESSION_KEY_BYTES),
        )
        messages = 0
        trouble: str | None = None
        try:
            while not self._stop.is_set():
                arrived = _next_messages(call)
                messages += len(arrived)
                for reply in machine.receive_group(arrived, host.clock()):
                    call.send(reply)
        except CallClosedError:
            pass
        except CallTimeoutError:
            trouble = "the terminal has been silent too long"
        except ModemError as error:
            trouble = error.what
        except MessageError as error:
            trouble = str(error)
        if self._stop.is_set():
            trouble = "the host is being stopped"
        host.on_event(
            port,
            CallEnded(terminal_id=terminal_id, messages=messages, trouble=trouble),
        )


class _Rest:
    """How long a port that failed is left alone: longer each time, until it works."""

    def __init__(self) -> None:
        self._seconds = MODEM_RETRY_S

    def begin_anew(self) -> None:
        """The port works."""
        self._seconds = MODEM_RETRY_S

    def next_s(self) -> int:
        """The rest after one more failure, in seconds."""
        seconds = self._seconds
        self._seconds = min(2 * seconds, MODEM_RETRY_S_MAX)
        return seconds


def _wait_for_first(work: Sequence[Future[None]], stop: threading.Event) -> None:
    """Wait until ``stop`` is set or one of the ports has ended."""
    ended: set[Future[None]] = set()
    while not ended and not stop.is_set():
        ended, _ = wait(work, timeout=_STOP_CHECK_S, return_when=FIRST_COMPLETED)


def _next_messages(call: Call) -> list[bytes]:
    """The terminal's next message and all that came with it, in their order.

    What has arrived together is posted together, in as few transactions as the intake
    machine allows; more messages than one of them takes payments are never collected,
    so that the first answers do not wait for a terminal that sends without end.

    Raises:
        CallTimeoutError: nothing came for `SILENCE_MS`.
        CallLostError: the call is over.
    """
    arrived = [call.receive(SILENCE_MS)]
    while len(arrived) < GROUP_MAX and (message := call.fetch()) is not None:
        arrived.append(message)
    return arrived


class _Turns:
    """The bank asked by one line after the other, and its answers told to the log.

    The books take one writer at a time. Lines that wait here wait for each other in
    this process; in the database each would look again and again whether it is free,
    and of two hundred some would find it taken until they gave up.
    """

    def __init__(
        self,
        bank: IntakeBank,
        turn: threading.Lock,
        on_event: Callable[[Answered], None],
    ) -> None:
        self._bank = bank
        self._turn = turn
        self._on_event = on_event

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        with self._turn:
            answer = self._bank.logon(terminal_id, versions, now)
        self._on_event(LoggedOn(terminal_id=terminal_id, answer=answer))
        return answer

    def begin_batch(
        self,
        header: BatchHeader,
        now: dt.datetime,
        audit_head: AuditHead | None = None,
    ) -> BatchAnswer:
        with self._turn:
            answer = self._bank.begin_batch(header, now, audit_head)
        self._on_event(BatchOpened(header=header, answer=answer))
        return answer

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: dt.datetime
    ) -> Sequence[RecordAnswer]:
        # Not in turn: groups that wait for the books are posted together.
        answers = self._bank.take_payments(header, payments, now)
        self._on_event(PaymentsTaken(header=header, answers=answers))
        return answers

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: dt.datetime
    ) -> OpenAnswer:
        with self._turn:
            return self._bank.take_open(header, item, now)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: dt.datetime
    ) -> ReconcileAnswer:
        with self._turn:
            answer = self._bank.reconcile(header, totals, now)
        self._on_event(BatchEnded(header=header, answer=answer))
        return answer

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        return self._bank.download(query, terminal_id)

    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: dt.datetime
    ) -> RecordAnswer:
        with self._turn:
            return self._bank.take_decline(terminal_id, report, now)

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: dt.datetime
    ) -> None:
        with self._turn:
            self._bank.note_refused(terminal_id, refused, now)
