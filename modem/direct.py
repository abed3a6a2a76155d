"""A line without modems: connected as soon as the port is open.

For a serial server that joins two ports over a network, a leased line with its own
devices, or a cable. Nothing is set up, dialled or hung up. The side that calls begins
at once; the side that answers cannot be told that it is called, so the first byte that
comes is the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.events import CallEvent, Connected, WaitingForCall

if TYPE_CHECKING:
    from modem.errors import ModemError

__all__ = ["DirectLine"]


class DirectLine:
    """See `modem.hayes.Connector`, whose place it takes."""

    is_modem = False
    dtr = True

    def __init__(self, *, baud: int, calls: bool) -> None:
        """Begin; ``calls`` on the side that begins the call."""
        self._baud = baud
        self._rest = b""
        self._events: list[CallEvent] = []
        self.rate_bps: int | None = None
        self.error: ModemError | None = None
        if calls:
            self._connect()
        else:
            self._events.append(WaitingForCall())

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """The first bytes are the call, and belong to it."""
        del now_ms
        self._rest += data
        if data and self.rate_bps is None:
            self._connect()

    def on_timer(self, now_ms: int) -> None:
        """Nothing is timed here."""

    def data_to_send(self, now_ms: int) -> bytes:
        """Nothing is said before the call."""
        del now_ms
        return b""

    def deadline_ms(self) -> int | None:
        """A line that is connected is taken over at once."""
        return None if self.rate_bps is None else 0

    def next_event(self) -> CallEvent | None:
        """The oldest event not yet taken, or None."""
        return self._events.pop(0) if self._events else None

    def take_rest(self) -> bytes:
        """The first bytes of the other side."""
        rest, self._rest = self._rest, b""
        return rest

    def abort(self) -> bytes:
        """There is nothing to be given up."""
        return b""

    def _connect(self) -> None:
        self.rate_bps = self._baud
        self._events.append(Connected(rate_bps=self._baud))
