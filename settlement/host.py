"""The bank's end of the telephone line: answers calls and lets terminals upload.

One thread for each serial port, each doing the same for ever: wait for a call, secure
it, feed what the terminal sends to an intake machine, send back what that answers,
until the terminal ends the call. Everything the bank answers is durable before it is
sent, so a call that breaks off at any point loses nothing: the terminal repeats, and
the bank gives the same answers again.

A failed call is logged and the next one is awaited. A modem that stops answering is
tried again after `MODEM_RETRY_S`; only a port that does not even work at the start ends
the program, because then the command line is wrong.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modem.call import answer
from modem.errors import (
    CallClosedError,
    CallLostError,
    CallTimeoutError,
    ModemError,
    ModemRefusedError,
    ModemSilentError,
    PortError,
)
from modem.events import WaitingForCall
from settlement.errors import MessageError
from settlement.intake import GROUP_MAX, IntakeMachine

if TYPE_CHECKING:
    import datetime as dt
    import ssl
    import threading
    from collections.abc import Callable, Sequence

    from modem.call import Call
    from modem.dial_plan import AnswerPlan
    from modem.events import CallEvent
    from settlement.audit_head import AuditHead
    from settlement.intake import (
        BatchAnswer,
        BatchHeader,
        BatchTotals,
        IntakeBank,
        LogonAnswer,
        OpenAnswer,
        ReconcileAnswer,
        RecordAnswer,
        TerminalVersions,
    )
    from settlement.payment import OpenItem, PaymentRecord

__all__ = [
    "Answered",
    "BatchEnded",
    "BatchOpened",
    "CallEnded",
    "Host",
    "HostEvent",
    "LoggedOn",
    "ModemTrouble",
    "PaymentsTaken",
]

SILENCE_MS: Final = 120_000
"""A terminal that says nothing for so long is gone; the line is for the next one."""
MODEM_RETRY_S: Final = 10
"""Rest before a modem that failed is tried again."""
_POLL_MS: Final = 500
"""How soon a call under way notices that the host is to stop."""
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
    """A call did not come about, or the modem failed; waiting goes on."""

    reason: str


Answered = LoggedOn | BatchOpened | PaymentsTaken | BatchEnded
HostEvent = Answered | CallEnded | ModemTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Serves terminals on any number of ports.

    Attributes:
        bank: what the intake machines ask; used by all port threads.
        tls_context: of `modem.tls.server_context`.
        clock: the time, with its zone.
        random_bytes: source of session keys.
        on_event: told the port and what happens there, from that port's thread.
    """

    bank: IntakeBank
    tls_context: ssl.SSLContext
    clock: Callable[[], dt.datetime]
    random_bytes: Callable[[int], bytes]
    on_event: Callable[[str, HostEvent | CallEvent], None]
    plan: AnswerPlan | None = None

    def serve(
        self, ports: Sequence[str], stop: threading.Event, *, once: bool = False
    ) -> None:
        """Serve every port in a thread of its own until ``stop`` is set.

        Args:
            ports: paths or URLs of serial ports.
            stop: set by another thread or a signal handler to end the service; a call
                under way is ended.
            once: stop after the first call that got as far as messages.

        Raises:
            PortError: a port cannot be used at the start; all ports are let go.
        """
        with ThreadPoolExecutor(len(ports), thread_name_prefix="port") as pool:
            work = [pool.submit(self._serve_port, port, stop, once) for port in ports]
            try:
                # One port that ends, by order or by a bug, ends the whole service:
                # half a host that looks alive would hide it.
                done, _ = wait(work, return_when=FIRST_COMPLETED)
            finally:
                stop.set()
        for future in done:
            future.result()

    def _serve_port(self, port: str, stop: threading.Event, once: bool) -> None:
        waited_before = False

        def on_call_event(event: CallEvent) -> None:
            nonlocal waited_before
            waited_before |= isinstance(event, WaitingForCall)
            self.on_event(port, event)

        while not stop.is_set():
            try:
                call = answer(
                    port,
                    self.tls_context,
                    stop=stop,
                    on_event=on_call_event,
                    plan=self.plan,
                )
            except ModemError as error:
                if isinstance(error, PortError) and not waited_before:
                    raise
                self._modem_trouble(port, error, stop)
                continue
            if call is None:
                return
            with call:
                self._converse(port, call, stop)
            if once:
                return

    def _modem_trouble(
        self, port: str, error: ModemError, stop: threading.Event
    ) -> None:
        self.on_event(port, ModemTrouble(reason=error.what))
        if isinstance(error, PortError | ModemSilentError | ModemRefusedError):
            stop.wait(MODEM_RETRY_S)

    def _converse(self, port: str, call: Call, stop: threading.Event) -> None:
        terminal_id = call.peer_name
        machine = IntakeMachine(
            terminal_id,
            _WatchedBank(self.bank, lambda event: self.on_event(port, event)),
            self.random_bytes(_SESSION_KEY_BYTES),
        )
        messages = 0
        trouble: str | None = None
        try:
            while arrived := _next_messages(call, stop):
                messages += len(arrived)
                for reply in machine.receive_group(arrived, self.clock()):
                    call.send(reply)
            trouble = "the host is being stopped"
        except CallClosedError:
            pass
        except CallTimeoutError:
            trouble = "the terminal has been silent too long"
        except ModemError as error:
            trouble = error.what
        except MessageError as error:
            trouble = str(error)
        self.on_event(
            port,
            CallEnded(terminal_id=terminal_id, messages=messages, trouble=trouble),
        )


def _next_messages(call: Call, stop: threading.Event) -> list[bytes]:
    """The terminal's next message and all that came with it, in their order.

    What has arrived together is posted together, in one transaction. Empty when the
    host is to stop.

    Raises:
        CallTimeoutError: nothing came for `SILENCE_MS`.
        CallLostError: the call is over.
    """
    for _ in range(SILENCE_MS // _POLL_MS):
        if stop.is_set():
            return []
        try:
            arrived = [call.receive(_POLL_MS)]
        except CallTimeoutError:
            continue
        # A call that is lost by now is told by the next receive that has to wait.
        with suppress(CallTimeoutError, CallLostError):
            while len(arrived) < GROUP_MAX:
                arrived.append(call.receive(0))
        return arrived
    raise CallTimeoutError(SILENCE_MS)


class _WatchedBank:
    """The bank, with every answer it gives told to the log."""

    def __init__(self, bank: IntakeBank, on_event: Callable[[Answered], None]) -> None:
        self._bank = bank
        self._on_event = on_event

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        answer = self._bank.logon(terminal_id, versions, now)
        self._on_event(LoggedOn(terminal_id=terminal_id, answer=answer))
        return answer

    def begin_batch(
        self,
        header: BatchHeader,
        now: dt.datetime,
        audit_head: AuditHead | None = None,
    ) -> BatchAnswer:
        answer = self._bank.begin_batch(header, now, audit_head)
        self._on_event(BatchOpened(header=header, answer=answer))
        return answer

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: dt.datetime
    ) -> Sequence[RecordAnswer]:
        answers = self._bank.take_payments(header, payments, now)
        self._on_event(PaymentsTaken(header=header, answers=answers))
        return answers

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: dt.datetime
    ) -> OpenAnswer:
        return self._bank.take_open(header, item, now)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: dt.datetime
    ) -> ReconcileAnswer:
        answer = self._bank.reconcile(header, totals, now)
        self._on_event(BatchEnded(header=header, answer=answer))
        return answer
