"""A serial port and the machine of the call on it, as `modem.line_loop` runs them.

The loop's thread alone moves bytes and steps the machine; any thread may ask the
machine something while it holds `Driver.changed`, and then has to `Driver.wake` the
loop. What the machine tells is kept for whoever waits for the call to come up, and is
told from the loop's thread after that. Who waits is also who asks whether a terminal
may come in: the books may be slow, and the loop has the bytes of other lines to move.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from modem.call_machine import CallPhase
from modem.errors import PortError
from modem.tls import AdmissionAsked, MessageReceived

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.call_machine import CallMachine
    from modem.certificates import PeerCertificate
    from modem.events import CallEvent

__all__ = ["Driver", "Port"]

_STUCK_MS: Final = 10_000
"""A port that takes nothing for so long has failed: its modem holds CTS back."""
_RECEIVED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Unfetched messages that end the call: the line needs hours for as much."""
_ONLINE: Final = frozenset({CallPhase.TALKING, CallPhase.HANGING_UP})


class Port(Protocol):
    """Where bytes go: `modem.serial_port.SerialPort` or `modem.network.SocketPort`."""

    name: str
    descriptor: int | None
    has_control_lines: bool

    def start_reading(
        self,
        on_data: Callable[[bytes], None],
        on_failure: Callable[[PortError], None],
    ) -> None:
        """Read in a thread of its own, where there is no descriptor."""

    def read(self) -> bytes:
        """What is there now, where there is a descriptor."""

    def write(self, data: bytes) -> int:
        """Send ``data``; how many bytes of it were taken."""

    def set_dtr(self, *, high: bool) -> None:
        """Set the DTR line, where there is one."""

    def carrier_dropped(self) -> bool:
        """Whether DCD was on and is off now."""

    def close(self) -> None:
        """Free the port."""


class Driver:
    """One call on one port."""

    def __init__(
        self,
        port: Port,
        machine: CallMachine,
        *,
        stop: threading.Event | None = None,
        received_bytes_max: int | None = None,
    ) -> None:
        """Join the two; `modem.line_loop.LineLoop.add` starts them.

        Args:
            port: open; whoever calls `close` frees it.
            machine: at its beginning.
            stop: set by another thread to give up a call that is not secured yet.
            received_bytes_max: unfetched messages that end the call; None for what
                fits a telephone line.
        """
        self.port = port
        self.machine = machine
        self.changed = threading.Condition()
        self.on_event: Callable[[CallEvent], None] | None = None
        self.events: deque[CallEvent] = deque()
        self.messages: deque[bytes] = deque()
        self.received_bytes = 0
        self.asked: PeerCertificate | None = None
        self.ended: str | None = None
        self.senders_waiting = 0
        self.due_ms: int | None = None
        self.finished = False
        self.failure: Exception | None = None
        self._stop = stop
        self._received_bytes_max = received_bytes_max or _RECEIVED_BYTES_MAX
        self._wake: Callable[[Driver], None] | None = None
        self._arrived: deque[bytes | PortError] = deque()
        self._unsent = b""
        self._stuck_until_ms = 0
        self._dtr = True

    # For any thread.

    def wake(self) -> None:
        """Have the loop step the machine soon; from any thread."""
        assert self._wake is not None
        self._wake(self)

    def end(self, reason: str) -> None:
        """End the call in order, while `changed` is held; the first reason counts."""
        self.machine.close()
        if self.machine.error is None:
            self.ended = self.ended or reason
        self.changed.notify_all()

    def drop(self) -> None:
        """Give up a call that is not secured yet; from any thread, waits for nothing.

        One that the loop does not run yet is given up as soon as it does.
        """
        with self.changed:
            if self.machine.secured:
                return
            self.machine.stop()
        if self._wake is not None:
            self._wake(self)

    def close(self) -> None:
        """Free the port; the loop must have let go of it before."""
        self.port.close()

    # For the loop's thread.

    @property
    def is_ready(self) -> bool:
        """Whether everything is done and nothing has to leave any more."""
        return self.machine.done and not self._unsent

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait until the port has room."""
        return bool(self._unsent)

    @property
    def may_be_stopped(self) -> bool:
        """Whether somebody may set the flag that was given to `__init__`."""
        return self._stop is not None and not self.machine.secured

    @property
    def watches_carrier(self) -> bool:
        """Whether DCD has to be looked at now and then."""
        return self.port.has_control_lines and self.machine.phase in _ONLINE

    def start(self, wake: Callable[[Driver], None]) -> None:
        """Begin; ``wake`` has the loop step this driver, from any thread."""
        self._wake = wake
        if self.port.descriptor is None:
            self.port.start_reading(self._hand_over, self._hand_over)

    def read(self) -> None:
        """Take what has arrived at a port with a descriptor."""
        try:
            data = self.port.read()
        except PortError as error:
            self._arrived.append(error)
        else:
            self._arrived.append(data)

    def look_around(self, now_ms: int) -> bool:
        """Look at the carrier and at the stop flag, which wake nobody.

        Returns:
            Whether there is something new for `step`.
        """
        with self.changed:
            if self.watches_carrier and self.port.carrier_dropped():
                self.machine.carrier_lost("the modem has lost the carrier", now_ms)
                return True
            if self._stop is not None and self._stop.is_set() and self.may_be_stopped:
                self._stop = None
                self.machine.stop()
                return True
        return False

    def step(self, now_ms: int) -> None:
        """Feed the machine, send what it says, tell what it tells."""
        with self.changed:
            self._feed(now_ms)
            self.machine.on_timer(now_ms)
            if not self._unsent:
                self._unsent = self.machine.data_to_send(now_ms)
                self._stuck_until_ms = now_ms + _STUCK_MS
        self._write(now_ms)
        if self.machine.dtr != self._dtr:
            self._dtr = self.machine.dtr
            self.port.set_dtr(high=self._dtr)
        with self.changed:
            told = self._collect()
            self.due_ms = self._next_ms(now_ms)
        for event in told:
            assert self.on_event is not None
            self.on_event(event)

    def finish(self, failure: Exception | None = None) -> None:
        """The loop has let go; ``failure`` is a mistake of this program."""
        with self.changed:
            self.finished = True
            self.failure = self.failure or failure
            self.changed.notify_all()

    def _hand_over(self, item: bytes | PortError) -> None:
        self._arrived.append(item)
        self.wake()

    def _feed(self, now_ms: int) -> None:
        while self._arrived:
            item = self._arrived.popleft()
            if isinstance(item, PortError):
                self._unsent = b""
                self.machine.port_failed(item, now_ms)
            elif item:
                self.machine.receive_data(item, now_ms)

    def _write(self, now_ms: int) -> None:
        if not self._unsent:
            return
        try:
            taken = self.port.write(self._unsent)
            if taken:
                self._unsent = self._unsent[taken:]
                self._stuck_until_ms = now_ms + _STUCK_MS
            elif now_ms >= self._stuck_until_ms:
                raise PortError(self.port.name, "it takes no bytes")
        except PortError as error:
            self._arrived.append(error)

    def _collect(self) -> list[CallEvent]:
        """Keep what the machine has told; the events to be told from this thread."""
        told: list[CallEvent] = []
        news = self.machine.done or self.machine.error is not None
        while (event := self.machine.next_event()) is not None:
            news = True
            if isinstance(event, MessageReceived):
                self.messages.append(event.message)
                self.received_bytes += len(event.message)
            elif isinstance(event, AdmissionAsked):
                self.asked = event.terminal
            elif self.on_event is None:
                self.events.append(event)
            else:
                told.append(event)
        if self.received_bytes > self._received_bytes_max:
            self.end("too much came that nobody fetched")
        # Nobody is woken in vain: most steps of a busy line bring no message.
        if news or self.senders_waiting:
            self.changed.notify_all()
        return told

    def _next_ms(self, now_ms: int) -> int | None:
        if self._arrived:
            return now_ms
        if self._unsent:
            return self._stuck_until_ms
        return self.machine.deadline_ms(now_ms)
