"""How a link ends in order: DISC, asked for until it is confirmed, and DISC ACK.

DISC says that nothing more comes and that all this side sent has arrived; it also tells
what has arrived here, so the other side knows how much of its own was in vain. It is
repeated a few times with growing rests and then taken as confirmed: nothing but the
confirmation can be missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.link_frames import Disconnect

if TYPE_CHECKING:
    from modem.link_pace import HandedOut

__all__ = ["Closing"]


class Closing:
    """What is to be said about the end, and how often it was."""

    def __init__(self, *, tries: int) -> None:
        """Nothing is to be said yet."""
        self._tries = tries
        self._said = 0
        self.disconnect_due = False
        self.confirm_due = False
        self.repeat_ms = 0

    @property
    def in_vain(self) -> bool:
        """Whether DISC was said as often as it is worth."""
        return self._said >= self._tries

    def next_frame(self, next_offset: int) -> Disconnect:
        """The DISC ACK or DISC that is due."""
        confirms = self.confirm_due
        if confirms:
            self.confirm_due = False
        else:
            self.disconnect_due = False
        return Disconnect(next_offset=next_offset, confirms=confirms)

    def handed_out(self, frame: Disconnect, out: HandedOut, timeout_ms: int) -> None:
        """A frame of `next_frame` went to the line."""
        if not frame.confirms:
            self.repeat_ms = out.free_ms + (timeout_ms << self._said)
            self._said += 1
