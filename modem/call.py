"""Calls on a real serial port: dial or answer, then messages both ways.

The thin shell around `modem.call_machine`. A `modem.line_loop.LineLoop` runs the
machine; the thread that called `dial` or `answer` waits until it is secured, and tells
what happens until then. A host gives all its calls one loop.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Self

from modem.call_machine import CallMachine
from modem.dial_plan import AnswerPlan
from modem.direct import DirectLine
from modem.driver import Driver
from modem.errors import (
    CallClosedError,
    CallLostError,
    CallStoppedError,
    CallTimeoutError,
)
from modem.hayes import Answerer, Dialer
from modem.line_loop import LineLoop, now_ms
from modem.link import Link
from modem.serial_port import SerialPort
from modem.session import SecureSession
from modem.tls import MESSAGE_BYTES_MAX, TLSSession

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Callable
    from types import TracebackType

    from modem.certificates import Admit, CertificateTrouble
    from modem.dial_plan import DialPlan
    from modem.events import CallEvent
    from modem.hayes import Connector
    from modem.link_state import LinkStatistics

__all__ = ["Call", "answer", "bring_up", "dial", "try_out"]

_UNSENT_BYTES_MAX: Final = 2 * MESSAGE_BYTES_MAX
"""`Call.send` waits while more than this is unsent: over two minutes at 9600 bit/s."""


class Call:
    """A secured call: whole messages, in order, each delivered once.

    `send` and `receive` may be used from two threads. Always `close` it (or use it
    in a ``with``): that is what hangs the modem up and frees the port.
    """

    def __init__(self, driver: Driver, loop: LineLoop, *, own_loop: bool) -> None:
        """Take over a driver whose machine is secured; `dial` and `answer` do."""
        self._driver = driver
        self._machine = driver.machine
        self._changed = driver.changed
        self._loop = loop
        self._own_loop = own_loop
        self._over_because: CallLostError | None = None
        self._peer_name = driver.machine.peer_name

    @property
    def peer_name(self) -> str:
        """Common name of the other side's certificate."""
        return self._peer_name

    @property
    def unsent_bytes(self) -> int:
        """Message bytes that have not been on the line yet, for a progress bar."""
        with self._changed:
            return self._machine.unsent_bytes

    @property
    def statistics(self) -> LinkStatistics:
        """What has gone over the line so far."""
        with self._changed:
            statistics = self._machine.statistics
        assert statistics is not None
        return statistics

    def send(self, message: bytes) -> None:
        """Queue one message of 1 to 65535 bytes; waits while much is unsent.

        Raises:
            CallLostError: the call is over; earlier messages may not have arrived.
            ValueError: the message is empty or too long.
        """
        with self._changed:
            self._driver.senders_waiting += 1
            try:
                self._changed.wait_for(self._may_send)
            finally:
                self._driver.senders_waiting -= 1
            if (over := self._over()) is not None:
                raise over
            self._machine.send(message)
        self._driver.wake()

    def receive(self, timeout_ms: int) -> bytes:
        """Wait for the next message, up to ``timeout_ms`` in which nothing moves.

        What is still on its way, either way, moves: on a slow line a message takes
        minutes, and to say it again would take as long. A line on which nothing gets
        through any more is told as lost by the link.

        Args:
            timeout_ms: above 0; see `fetch` for what has come already.

        Raises:
            CallTimeoutError: none came in time; the call is still up.
            CallClosedError: the other side ended the call in order.
            CallLostError: the call broke off, or was ended on this side.
        """
        assert timeout_ms > 0, "it would ask again and again while anything moves"
        driver = self._driver
        with self._changed:
            moving = self._machine.under_way
            while not self._changed.wait_for(self._may_receive, timeout_ms / 1000):
                before, moving = moving, self._machine.under_way
                if moving == before and not moving[0]:
                    break
            if driver.messages:
                return self._next_message()
            if (over := self._over()) is not None:
                raise over
        raise CallTimeoutError(timeout_ms)

    def fetch(self) -> bytes | None:
        """The next message when it has come already, else None; waits for nothing."""
        with self._changed:
            return self._next_message() if self._driver.messages else None

    def end(self) -> None:
        """Ask for the end and wait for nothing; `receive` and `send` tell it.

        For another thread than the one that uses the call, which still has to `close`
        it. Messages that have come can still be received.
        """
        with self._changed:
            self._driver.end("it was ended on this side")
        self._driver.wake()

    def let_go(self) -> None:
        """Leave the line as it stands and wait for nothing; `close` then returns soon.

        For another thread, when there is no time for an end in order. The other side
        finds the call cut.
        """
        self._loop.let_go(self._driver)

    def close(self) -> None:
        """Send what is queued, end the call in order, hang up, free the port.

        Takes about two seconds on a port without control lines, where the modem
        must be called back with the escape sequence, and as long as the line needs
        for what is queued. Twice is once. Not from inside ``on_event``.
        """
        self.end()
        with self._changed:
            self._changed.wait_for(lambda: self._driver.finished)
        _free(self._driver, self._loop, own_loop=self._own_loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # All that follows runs while `_changed` is held.

    def _next_message(self) -> bytes:
        message = self._driver.messages.popleft()
        self._driver.received_bytes -= len(message)
        return message

    def _may_send(self) -> bool:
        return self._over() is not None or (
            self._machine.unsent_bytes < _UNSENT_BYTES_MAX
        )

    def _may_receive(self) -> bool:
        return bool(self._driver.messages) or self._over() is not None

    def _over(self) -> CallLostError | None:
        """Why nothing can be sent or will come any more; the first reason counts."""
        if self._over_because is None:
            driver = self._driver
            if driver.ended is not None:
                self._over_because = CallLostError(driver.ended)
            elif self._machine.error is not None:
                self._over_because = _as_lost(self._machine.error)
            elif driver.finished:
                if driver.failure is not None:
                    raise driver.failure
                self._over_because = CallLostError("the line was let go")
        return None if self._over_because is None else _again(self._over_because)


def dial(
    port: str,
    plan: DialPlan,
    tls_context: ssl.SSLContext,
    server_name: str,
    on_event: Callable[[CallEvent], None],
    stop: threading.Event | None = None,
) -> Call:
    """Dial the bank and return the secured call.

    Args:
        port: path or URL of the serial port; opened here, closed by `Call.close`.
        plan: numbers and modem settings.
        tls_context: of `modem.tls.client_context`.
        server_name: DNS name that the host's certificate must carry.
        on_event: told what happens, from this thread and, once the call is up, from
            the thread that runs the line; it must return soon.
        stop: set by another thread to give up dialling.

    Raises:
        ModemError: no call; the port is closed again and the modem has hung up.
    """
    serial = SerialPort(port, plan.baud)
    connector = _caller(plan, serial)
    machine = _make_machine(connector, tls_context, server_name, serial)
    return bring_up(Driver(serial, machine, stop=stop), on_event, None)


def try_out(
    port: str,
    plan: DialPlan,
    on_event: Callable[[CallEvent], None],
    *,
    dials: bool = True,
) -> None:
    """Set the modem up, dial, and hang up at CONNECT; nothing is sent to anybody.

    Args:
        port: path or URL of the serial port.
        plan: numbers and modem settings.
        on_event: told what happens, with every line between computer and modem.
        dials: False to end after the set-up.

    Raises:
        ModemError: no connection came about; the modem has hung up.
    """
    serial = SerialPort(port, plan.baud)
    connector = _caller(plan, serial, told=True, dials=dials)
    machine = CallMachine(connector, None, has_dtr=serial.has_control_lines)
    driver = Driver(serial, machine)
    with LineLoop() as loop:
        try:
            loop.add(driver)
            _wait_until_secured(driver, on_event)
        finally:
            loop.remove(driver)
            driver.close()
    if driver.failure is not None:
        raise driver.failure
    stopped_by_order = not dials and isinstance(machine.error, CallStoppedError)
    if machine.error is not None and not stopped_by_order:
        raise machine.error


def answer(  # noqa: PLR0913 - a line, its owner's wishes, and what lines share
    port: str,
    tls_context: ssl.SSLContext,
    *,
    stop: threading.Event,
    on_event: Callable[[CallEvent], None],
    plan: AnswerPlan | None = None,
    loop: LineLoop | None = None,
    admit: Admit | None = None,
) -> Call | None:
    """Wait for one call, take it and return it secured; None once ``stop`` is set.

    Args:
        port: path or URL of the serial port; opened here, closed by `Call.close`.
        tls_context: of `modem.tls.server_context`.
        stop: set by another thread to wait no longer.
        on_event: as for `dial`.
        plan: modem settings.
        loop: runs the call together with others, where the port allows it; without
            one the call gets a thread of its own.
        admit: asked in this thread about every terminal whose certificate TLS has
            proved and whose dates are right, before either side says a word; it may
            take its time. None lets in every such terminal.

    Raises:
        ModemError: the modem fails, or a call came that could not be secured; the
            port is closed again. Call `answer` again for the next one.
    """
    settings = plan or AnswerPlan()
    serial = SerialPort(port, settings.baud)
    connector: Connector = (
        Answerer(settings, now_ms=now_ms(), has_dtr=serial.has_control_lines)
        if settings.profile.is_modem
        else DirectLine(baud=settings.baud, calls=False)
    )
    machine = _make_machine(
        connector, tls_context, None, serial, asks_admission=admit is not None
    )
    try:
        return bring_up(Driver(serial, machine, stop=stop), on_event, loop, admit)
    except CallStoppedError:
        return None


def _caller(
    plan: DialPlan, port: SerialPort, *, told: bool = False, dials: bool = True
) -> Connector:
    if not plan.profile.is_modem:
        return DirectLine(baud=plan.baud, calls=True)
    return Dialer(
        plan,
        now_ms=now_ms(),
        has_dtr=port.has_control_lines,
        jitter=lambda most: secrets.randbelow(most + 1),
        told=told,
        dials=dials,
    )


def _make_machine(
    connector: Connector,
    tls_context: ssl.SSLContext,
    server_name: str | None,
    port: SerialPort,
    *,
    asks_admission: bool = False,
) -> CallMachine:
    def make_session(rate_bps: int, now_ms: int) -> SecureSession:
        nonce = secrets.randbits(32)
        link = Link(nonce=nonce, line_rate_bps=rate_bps, now_ms=now_ms)
        tls = TLSSession(
            tls_context, server_name=server_name, asks_admission=asks_admission
        )
        return SecureSession(link, tls)

    return CallMachine(connector, make_session, has_dtr=port.has_control_lines)


def bring_up(
    driver: Driver,
    on_event: Callable[[CallEvent], None],
    shared: LineLoop | None,
    admit: Admit | None = None,
) -> Call:
    """The call of ``driver``, once it is secured; waits in this thread.

    Args:
        driver: fresh; its port is open, and is closed when no call comes about.
        on_event: as for `dial`.
        shared: the loop that runs it together with others; None for its own.
        admit: as for `answer`.

    Raises:
        ModemError: no call came about.
    """
    # A port that waits when it writes would hold up all other lines of the loop.
    own_loop = shared is None or driver.port.descriptor is None
    loop = LineLoop() if shared is None or own_loop else shared
    try:
        loop.add(driver)
        if _wait_until_secured(driver, on_event, admit):
            return Call(driver, loop, own_loop=own_loop)
    except BaseException:
        loop.remove(driver)
        _free(driver, loop, own_loop=own_loop)
        raise
    _free(driver, loop, own_loop=own_loop)
    if driver.failure is not None:
        raise driver.failure
    raise driver.machine.error or CallStoppedError()


def _wait_until_secured(
    driver: Driver,
    on_event: Callable[[CallEvent], None],
    admit: Admit | None = None,
) -> bool:
    """Tell what happens; whether the call came up. From then on the loop tells."""
    machine = driver.machine

    def news() -> bool:
        asked = driver.asked is not None
        return bool(driver.events) or asked or machine.secured or driver.finished

    while True:
        with driver.changed:
            driver.changed.wait_for(news)
            events = [*driver.events]
            driver.events.clear()
            asked, driver.asked = driver.asked, None
            if not events and asked is None:
                if machine.secured:
                    driver.on_event = on_event
                return machine.secured
        for event in events:
            on_event(event)
        if asked is not None:
            assert admit is not None
            _let_in(driver, admit(asked))


def _let_in(driver: Driver, trouble: CertificateTrouble | None) -> None:
    with driver.changed:
        driver.machine.admit(trouble)
    # The line may be gone by now, and the loop have let go of it.
    driver.wake()


def _free(driver: Driver, loop: LineLoop, *, own_loop: bool) -> None:
    driver.close()
    if own_loop:
        loop.close()


def _as_lost(error: Exception) -> CallLostError:
    if isinstance(error, CallLostError):
        return error
    return CallLostError(str(getattr(error, "what", error)).rstrip("."))


def _again(error: CallLostError) -> CallLostError:
    """A fresh error of the same kind: one object must not be raised twice."""
    return (
        CallClosedError()
        if type(error) is CallClosedError
        else CallLostError(error.reason)
    )
