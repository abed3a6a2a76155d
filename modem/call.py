"""Calls on a real serial port: dial or answer, then messages both ways.

The thin shell around `modem.call_machine`. While a call comes up it runs in the
thread that called `dial` or `answer`; once secured, in a thread of its own, which
ends when the modem has hung up.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from modem.call_machine import CallMachine
from modem.dial_plan import AnswerPlan
from modem.driver import Driver
from modem.errors import (
    CallClosedError,
    CallLostError,
    CallStoppedError,
    CallTimeoutError,
)
from modem.hayes import Answerer, Dialer
from modem.link import Link
from modem.serial_port import SerialPort
from modem.session import SecureSession
from modem.tls import MESSAGE_BYTES_MAX, TLSSession

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from modem.dial_plan import DialPlan
    from modem.events import CallEvent
    from modem.hayes import Connector
    from modem.link_state import LinkStatistics

__all__ = ["Call", "answer", "dial"]

_STOP_CHECK_MS: Final = 200
"""How often the stop flag is looked at while a call comes up: it cannot wake us."""
_CARRIER_CHECK_MS: Final = 500
"""How often DCD is looked at on a line where nothing else happens."""
_UNSENT_BYTES_MAX: Final = 2 * MESSAGE_BYTES_MAX
"""`Call.send` waits while more than this is unsent: over two minutes at 9600 bit/s."""
_RECEIVED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Unfetched messages that end the call: the line needs hours for as much."""


class Call:
    """A secured call: whole messages, in order, each delivered once.

    `send` and `receive` may be used from two threads. Always `close` it (or use it
    in a ``with``): that is what hangs the modem up.
    """

    def __init__(self, driver: Driver, on_event: Callable[[CallEvent], None]) -> None:
        """Take over a driver whose machine is secured; `dial` and `answer` do."""
        self._driver = driver
        self._machine = driver.machine
        self._on_event = on_event
        self._changed = threading.Condition()
        self._messages: deque[bytes] = deque()
        self._received_bytes = 0
        self._over: CallLostError | None = None
        self._peer_name = driver.machine.peer_name
        self._collect()
        self._thread = threading.Thread(
            target=self._run, name="modem-call", daemon=True
        )
        self._thread.start()

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
            self._changed.wait_for(self._may_send)
            if self._over is not None:
                raise _again(self._over)
            self._machine.send(message)
        self._driver.wake()

    def receive(self, timeout_ms: int) -> bytes:
        """Wait up to ``timeout_ms`` for the next message.

        Raises:
            CallTimeoutError: none came in time; the call is still up.
            CallClosedError: the other side ended the call in order.
            CallLostError: the call broke off.
        """
        with self._changed:
            self._changed.wait_for(self._may_receive, timeout_ms / 1000)
            if self._messages:
                message = self._messages.popleft()
                self._received_bytes -= len(message)
                return message
            if self._over is not None:
                raise _again(self._over)
        raise CallTimeoutError(timeout_ms)

    def close(self) -> None:
        """Send what is queued, end the call in order, hang up, free the port.

        Takes about two seconds on a port without control lines, where the modem
        must be called back with the escape sequence, and as long as the line needs
        for what is queued. Twice is once. Not from inside ``on_event``.
        """
        with self._changed:
            self._machine.close()
            self._finish(CallLostError("it was ended on this side"))
        self._driver.wake()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _may_send(self) -> bool:
        return self._over is not None or self._machine.unsent_bytes < _UNSENT_BYTES_MAX

    def _may_receive(self) -> bool:
        return self._over is not None or bool(self._messages)

    # The call's own thread.

    def _run(self) -> None:
        try:
            while not self._machine.done:
                happened = self._driver.wait(_CARRIER_CHECK_MS)
                with self._changed:
                    data = self._driver.step(happened)
                self._driver.write(data)
                self._collect()
        finally:
            self._driver.close()
            with self._changed:
                self._finish(CallLostError("the call's thread has ended"))

    def _collect(self) -> None:
        """Hand on what the machine has told."""
        with self._changed:
            events, messages = self._driver.take_events()
            self._messages.extend(messages)
            self._received_bytes += sum(map(len, messages))
            if self._received_bytes > _RECEIVED_BYTES_MAX:
                self._machine.close()
                self._finish(CallLostError("too much came that nobody fetched"))
            if self._machine.error is not None:
                self._finish(_as_lost(self._machine.error))
            self._changed.notify_all()
        for event in events:
            self._on_event(event)

    def _finish(self, error: CallLostError) -> None:
        """Remember how the call ended; the first reason is the true one."""
        if self._over is None:
            self._over = error
        self._changed.notify_all()


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
            the call's own thread; it must return soon.
        stop: set by another thread to give up dialling.

    Raises:
        ModemError: no call; the port is closed again and the modem has hung up.
    """

    def make_machine(now_ms: int, has_dtr: bool) -> CallMachine:
        dialer = Dialer(plan, now_ms=now_ms)
        return _make_machine(dialer, tls_context, server_name, has_dtr=has_dtr)

    return _bring_up(
        Driver(partial(SerialPort, port, plan.baud), make_machine), on_event, stop
    )


def answer(
    port: str,
    tls_context: ssl.SSLContext,
    *,
    stop: threading.Event,
    on_event: Callable[[CallEvent], None],
    plan: AnswerPlan | None = None,
) -> Call | None:
    """Wait for one call, take it and return it secured; None once ``stop`` is set.

    Args:
        port: path or URL of the serial port; opened here, closed by `Call.close`.
        tls_context: of `modem.tls.server_context`.
        stop: set by another thread to wait no longer.
        on_event: as for `dial`.
        plan: modem settings.

    Raises:
        ModemError: the modem fails, or a call came that could not be secured; the
            port is closed again. Call `answer` again for the next one.
    """
    settings = plan or AnswerPlan()

    def make_machine(now_ms: int, has_dtr: bool) -> CallMachine:
        answerer = Answerer(settings, now_ms=now_ms)
        return _make_machine(answerer, tls_context, None, has_dtr=has_dtr)

    try:
        open_port = partial(SerialPort, port, settings.baud)
        return _bring_up(Driver(open_port, make_machine), on_event, stop)
    except CallStoppedError:
        return None


def _make_machine(
    connector: Connector,
    tls_context: ssl.SSLContext,
    server_name: str | None,
    *,
    has_dtr: bool,
) -> CallMachine:
    def make_session(rate_bps: int, now_ms: int) -> SecureSession:
        nonce = secrets.randbits(32)
        link = Link(nonce=nonce, line_rate_bps=rate_bps, now_ms=now_ms)
        return SecureSession(link, TLSSession(tls_context, server_name=server_name))

    return CallMachine(connector, make_session, has_dtr=has_dtr)


def _bring_up(
    driver: Driver,
    on_event: Callable[[CallEvent], None],
    stop: threading.Event | None,
) -> Call:
    """Run the machine in this thread until it is secured, or until it is done."""
    machine = driver.machine
    try:
        while not machine.secured and not machine.done:
            happened = driver.wait(_STOP_CHECK_MS)
            if stop is not None and stop.is_set():
                machine.stop()
            driver.write(driver.step(happened))
            if not machine.secured:
                for event in driver.take_events()[0]:
                    on_event(event)
        if machine.secured:
            return Call(driver, on_event)
    except BaseException:
        driver.close()
        raise
    driver.close()
    assert machine.error is not None
    raise machine.error


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
