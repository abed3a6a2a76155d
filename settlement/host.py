"""The bank's end of all lines: answers calls and lets terminals upload.

One loop moves the bytes of all lines (`modem.line_loop`). One thread for each serial
port does the same for ever: wait for a call, ask the books whether its terminal may
come in, feed what it sends to an intake machine, send back what that answers, until the
terminal ends the call; it sleeps until a whole message has come
(`settlement.host_calls`). Connections over a network come in by
`settlement.host_network`, each with a thread of its own. Only these threads wait for
the books: a database that is locked for seconds holds up no line.

No word is said to a terminal before the books know that its certificate is in use.
Everything the bank answers is durable before it is sent, so a call that breaks off at
any point loses nothing: the terminal repeats, and the bank gives the same answers
again.

A failed call is logged and the next one is awaited. A port or modem that fails is tried
again after a pause, which doubles from `MODEM_RETRY_S` up to `MODEM_RETRY_S_MAX` until
it works; the other ports go on meanwhile. Only when no line works at the start does the
program end, because then the command line is wrong.

Told to stop, a host takes no more calls, answers what it has begun, and ends each call
in order; what is left after `Host.stop_seconds` is cut.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modem.call import answer
from modem.errors import ModemError, ModemRefusedError, ModemSilentError, PortError
from modem.events import WaitingForCall
from modem.line_loop import LineLoop
from settlement.host_calls import SILENCE_MS, Calls, Doorkeeper
from settlement.host_events import (
    BatchEnded,
    BatchOpened,
    CallEnded,
    CallOutcome,
    HostEvent,
    LoggedOn,
    ModemTrouble,
    PaymentsTaken,
)
from settlement.host_network import NetworkDoor, NetworkLimits

if TYPE_CHECKING:
    import datetime as dt
    import ssl
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from modem.dial_plan import AnswerPlan
    from modem.events import CallEvent
    from modem.network import Listener
    from settlement.intake import IntakeBank

__all__ = [
    "SILENCE_MS",
    "BatchEnded",
    "BatchOpened",
    "CallEnded",
    "CallOutcome",
    "Doorkeeper",
    "Host",
    "HostEvent",
    "LoggedOn",
    "ModemTrouble",
    "PaymentsTaken",
]

MODEM_RETRY_S: Final = 10
"""Rest before a modem that failed is tried again, at first."""
MODEM_RETRY_S_MAX: Final = 300
"""The longest rest: who has put a cable back waits no longer for the line."""
STOP_S_DEFAULT: Final = 30
"""A group takes a second at most, the last answers on a slow line some ten, and a modem
without control lines two to hang up."""
_STOP_CHECK_S: Final = 0.5
"""How soon calls under way are ended when the host is to stop."""


def _nothing() -> None:
    """Nothing is to be done from time to time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Serves terminals on any number of lines.

    Attributes:
        bank: what the intake machines ask; used by all threads.
        admission: who may come in; asked by each line's own thread.
        tls_context: of `modem.tls.server_context`.
        clock: the time, with its zone.
        random_bytes: source of session keys.
        on_event: told the line and what happens there, from that line's thread.
        plan: how modems are set up.
        note_call: keeps the end of a call in the books, which it has to itself then;
            None to keep none.
        on_tick: called about twice a second from the thread of `serve`.
        limits: how many connections over a network.
        stop_seconds: how long calls may take to end when the host is to stop.
    """

    bank: IntakeBank
    admission: Doorkeeper
    tls_context: ssl.SSLContext
    clock: Callable[[], dt.datetime]
    random_bytes: Callable[[int], bytes]
    on_event: Callable[[str, HostEvent | CallEvent], None]
    plan: AnswerPlan | None = None
    note_call: Callable[[str, CallEnded], None] | None = None
    on_tick: Callable[[], None] = _nothing
    limits: NetworkLimits = field(default_factory=NetworkLimits)
    stop_seconds: int = STOP_S_DEFAULT

    def serve(
        self,
        ports: Sequence[str],
        stop: threading.Event,
        *,
        once: bool = False,
        listeners: Sequence[Listener] = (),
    ) -> int:
        """Serve every line until ``stop`` is set.

        Args:
            ports: paths or URLs of serial ports.
            stop: set by another thread or a signal handler to end the service; calls
                under way end in order.
            once: stop after the first call that got as far as messages.
            listeners: where connections over a network come in; closed here.

        Returns:
            How many calls had to be cut because they did not end in time.

        Raises:
            PortError: no line can be used at the start; all are let go.
        """
        calls = Calls(self, stop)
        doors = [
            NetworkDoor(
                listener,
                calls,
                tls_context=self.tls_context,
                limits=self.limits,
                on_event=self.on_event,
            )
            for listener in listeners
        ]
        with LineLoop() as loop:
            service = _Ports(
                host=self,
                calls=calls,
                loop=loop,
                stop=stop,
                # As long as there is another way in, no port is hopeless.
                ports=None if doors else len(ports),
            )
            with ThreadPoolExecutor(
                len(ports) + len(doors), thread_name_prefix="line"
            ) as pool:
                work = [pool.submit(service.serve_port, port, once) for port in ports]
                work += [pool.submit(one.serve, loop, stop, once=once) for one in doors]
                try:
                    # One line that ends, by order or by a bug, ends the whole service:
                    # half a host that looks alive would hide it.
                    _wait_for_first(work, stop, self.on_tick)
                finally:
                    stop.set()
                    calls.end_all()
                    wait(work, timeout=self.stop_seconds)
                    cut = calls.cut_all()
        for future in work:
            future.result()
        return cut


class _Ports:
    """What the threads of all serial ports of one `Host.serve` share."""

    def __init__(
        self,
        *,
        host: Host,
        calls: Calls,
        loop: LineLoop,
        stop: threading.Event,
        ports: int | None,
    ) -> None:
        self._host = host
        self._calls = calls
        self._loop = loop
        self._stop = stop
        self._lock = threading.Lock()
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
                    admit=self._calls.admit,
                )
            except ModemError as error:
                self._modem_trouble(port, error, rest)
                continue
            if call is None:
                return
            self._calls.converse(port, call)
            if once:
                return

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


def _wait_for_first(
    work: Sequence[Future[None]], stop: threading.Event, on_tick: Callable[[], None]
) -> None:
    """Wait until ``stop`` is set or one of the lines has ended."""
    ended: set[Future[None]] = set()
    while not ended and not stop.is_set():
        on_tick()
        ended, _ = wait(work, timeout=_STOP_CHECK_S, return_when=FIRST_COMPLETED)
    on_tick()
