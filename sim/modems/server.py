"""Simulated modems in real time, each behind a port that programs can open.

One thread waits in a selector for bytes from the ports and for the time that the
exchange asks for; it never polls. Where a computer does not read, bytes are lost, as on
a serial port without handshake; where the line is busy, the port is not read, as with
RTS/CTS.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from sim.modems.exchange import LineStatistics, TelephoneExchange
    from sim.modems.modem import SimulatedModem
    from sim.modems.served_port import ServedPort

__all__ = ["ModemServer"]

_READ_BYTES: Final = 256
_HELD_BACK_MS: Final = 20
"""How soon a port that was not read because the line is busy is looked at again."""


class ModemServer:
    """Serves the modems of an exchange for as long as it is open."""

    def __init__(
        self,
        exchange: TelephoneExchange,
        makers: Sequence[Callable[[SimulatedModem], ServedPort]],
    ) -> None:
        """Prepare; nothing is open before ``with`` or `open`.

        Args:
            exchange: the modems and their network; the server's alone from now on.
            makers: one for each of ``exchange.modems``: opens its port, or raises
                OSError.
        """
        self._exchange = exchange
        self._makers = makers
        self._ports: list[ServedPort] = []
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._wake_read = self._wake_write = -1

    @property
    def caller_ports(self) -> list[str]:
        """Paths or URLs of the calling side's ports."""
        return [port.name for port in self._ports[: len(self._exchange.callers)]]

    @property
    def answerer_ports(self) -> list[str]:
        """Paths or URLs of the answering side's ports."""
        return [port.name for port in self._ports[len(self._exchange.callers) :]]

    @property
    def statistics(self) -> LineStatistics:
        """What has happened on the line so far."""
        with self._lock:
            return self._exchange.statistics

    @property
    def calls_connected(self) -> int:
        """Connections that have come about."""
        return self.statistics.calls_connected

    def open(self) -> None:
        """Make the ports and start the thread.

        Raises:
            OSError: a port cannot be had; none is there then.
        """
        try:
            for make, modem in zip(self._makers, self._exchange.modems, strict=True):
                self._ports.append(make(modem))
        except OSError:
            self._free()
            raise
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="modems")
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and take the ports away; twice is once."""
        if self._thread is None:
            return
        self._stopping = True
        self._wake()
        self._thread.join()
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._free()

    def drop_call(self) -> None:
        """Cut every connection, as an excavator does; modems tell NO CARRIER."""
        self.change(lambda exchange, now_ms: exchange.drop(now_ms))

    def change(self, change: Callable[[TelephoneExchange, int], None]) -> None:
        """Do something to the exchange at the present time, from any thread."""
        with self._lock:
            change(self._exchange, _now_ms())
        self._wake()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The thread.

    def _wake(self) -> None:
        os.write(self._wake_write, b".")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping:
                with self._lock:
                    timeout_s = self._step(selector)
                for key, _ in selector.select(timeout_s):
                    if key.fd == self._wake_read:
                        os.read(self._wake_read, _READ_BYTES)

    def _step(self, selector: selectors.BaseSelector) -> float | None:
        """Move all bytes that can move now; seconds until something is due."""
        now_ms = _now_ms()
        held_back = False
        for port in self._ports:
            room_bytes = self._exchange.room_bytes(port.modem, now_ms)
            port.take(room_bytes, now_ms)
            held_back |= not room_bytes
        self._exchange.on_timer(now_ms)
        wanted = {self._wake_read: selectors.EVENT_READ}
        for port in self._ports:
            port.give(now_ms)
            wanted |= port.wanted(self._exchange.room_bytes(port.modem, now_ms))
        _watch(selector, wanted)
        deadline_ms = self._exchange.deadline_ms()
        if held_back:
            soon_ms = now_ms + _HELD_BACK_MS
            deadline_ms = min(soon_ms, deadline_ms or soon_ms)
        return None if deadline_ms is None else max(0, deadline_ms - _now_ms()) / 1000

    def _free(self) -> None:
        for port in self._ports:
            port.close()


def _watch(selector: selectors.BaseSelector, wanted: dict[int, int]) -> None:
    """Wait for ``wanted`` and nothing else.

    A descriptor that was closed may have come back as another's within one step, so
    what is watched is compared with the selector's own books only after a fresh start.
    """
    for fd in list(selector.get_map()):
        selector.unregister(fd)
    for fd, events in wanted.items():
        selector.register(fd, events)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
