"""Runs a call's machine over a real serial port: one inbox, one waiting place.

Bytes from the port's reader thread, its failure, and requests of other threads all
arrive in the inbox. Whoever runs the call waits there, at most until the machine's
next deadline, so nothing is polled and nothing waits longer than it must.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Protocol

from modem.errors import PortError
from modem.tls import MessageReceived

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.call_machine import CallMachine
    from modem.events import CallEvent
    from modem.serial_port import SerialPort

__all__ = ["Driver", "OpenPort"]


class OpenPort(Protocol):
    """Opens the serial port; the driver itself knows no device."""

    def __call__(
        self,
        *,
        on_data: Callable[[bytes], None],
        on_failure: Callable[[PortError], None],
    ) -> SerialPort:
        """See `modem.serial_port.SerialPort`."""


class Driver:
    """A serial port and the machine of the call on it."""

    def __init__(
        self, open_port: OpenPort, make_machine: Callable[[int, bool], CallMachine]
    ) -> None:
        """Open the port and make the machine.

        Args:
            open_port: opens the port.
            make_machine: makes the machine from the time in ms and whether the port
                has control lines.

        Raises:
            PortError: the port cannot be opened.
        """
        self._inbox: queue.SimpleQueue[bytes | PortError | None] = queue.SimpleQueue()
        self._port = open_port(on_data=self._inbox.put, on_failure=self._inbox.put)
        self._dtr = True
        self.machine = make_machine(_now_ms(), self._port.has_control_lines)

    def wake(self) -> None:
        """Have the running thread look again; from any thread."""
        self._inbox.put(None)

    def wait(self, at_most_ms: int) -> bytes | PortError | None:
        """The next thing that happened; None when only time has passed."""
        now_ms = _now_ms()
        deadline_ms = self.machine.deadline_ms(now_ms)
        wait_ms = at_most_ms
        if deadline_ms is not None:
            wait_ms = min(wait_ms, max(0, deadline_ms - now_ms))
        try:
            return self._inbox.get(timeout=wait_ms / 1000)
        except queue.Empty:
            return None

    def step(self, happened: bytes | PortError | None) -> bytes:
        """Tell the machine what happened; bytes that `write` shall send."""
        now_ms = _now_ms()
        if isinstance(happened, PortError):
            self.machine.port_failed(happened, now_ms)
        elif happened:
            self.machine.receive_data(happened, now_ms)
        if self._port.carrier_dropped():
            self.machine.carrier_lost("the modem has lost the carrier", now_ms)
        self.machine.on_timer(now_ms)
        return self.machine.data_to_send(now_ms)

    def write(self, data: bytes) -> None:
        """Send ``data`` and set DTR as the machine wants it; not under a lock."""
        if data:
            try:
                self._port.write(data)
            except PortError as error:
                self._inbox.put(error)
        if self.machine.dtr != self._dtr:
            self._dtr = self.machine.dtr
            self._port.set_dtr(high=self._dtr)

    def take_events(self) -> tuple[list[CallEvent], list[bytes]]:
        """What the machine has told, and the messages that have come."""
        events: list[CallEvent] = []
        messages: list[bytes] = []
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, MessageReceived):
                messages.append(event.message)
            else:
                events.append(event)
        return events, messages

    def close(self) -> None:
        """Free the port."""
        self._port.close()


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
