"""The receiving side of a link: puts pieces in order, holds early ones, acknowledges.

Pieces may overlap in any way, since what was lost is cut anew before it goes again.
Memory is bounded: what lies further ahead than `RECEIVE_BYTES_MAX` is not taken, nor is
anything while more than `_UNFETCHED_BYTES_MAX` wait for this side's own program.

Every ACK tells all that is held, so a lost one is made up for by the next. It goes out
at once when this side has nothing else to say or when something is missing, else with
every second frame: a short frame still costs a line that is busy both ways.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from modem.link_frames import HELD_PIECES_MAX, OFFSET_MODULUS, Ack
from modem.link_ranges import Ranges

if TYPE_CHECKING:
    from modem.link_frames import Data, Ping

__all__ = ["RECEIVE_BYTES_MAX", "Receiver", "Reorderer"]

RECEIVE_BYTES_MAX: Final = OFFSET_MODULUS // 2
"""How far ahead a piece may lie: half the numbers, or new ones would look old."""
_UNFETCHED_BYTES_MAX: Final = 65_536
"""Bytes in order that wait to be fetched; whoever drives a link fetches at once."""
_FRAMES_TO_ACK_MAX: Final = 2
"""Frames of the other side that go unacknowledged while this side is busy."""
_BUSY_MS: Final = 3_000
"""The other side counts as busy for this long after each frame of its own."""


class Reorderer:
    """What has come of one incoming byte stream, and what is missing."""

    def __init__(self) -> None:
        self._next = 0
        self._held = Ranges()
        self._bytes = bytearray()
        """From position ``_next`` on; only what is in ``_held`` has come."""

    @property
    def next_offset(self) -> int:
        """Offset of the byte expected next, modulo 32768."""
        return self._next % OFFSET_MODULUS

    def held(self) -> tuple[tuple[int, int], ...]:
        """The first pieces held, as (bytes missing before it, its bytes)."""
        pieces = []
        end = self._next
        for held_start, held_end in islice(self._held, HELD_PIECES_MAX):
            pieces.append((held_start - end, held_end - held_start))
            end = held_end
        return tuple(pieces)

    def receive(self, offset: int, payload: bytes) -> bytes:
        """Take a piece; the bytes that are now in order, often ``payload`` itself.

        A piece that came before, or that lies too far ahead, gives nothing.
        """
        ahead = (offset - self._next) % OFFSET_MODULUS
        if ahead >= RECEIVE_BYTES_MAX:
            # It begins before the byte expected next: only its end can be new.
            seen = OFFSET_MODULUS - ahead
            payload, ahead = payload[seen:], 0
        if not payload or ahead + len(payload) > RECEIVE_BYTES_MAX:
            return b""
        if ahead == 0 and not self._held:
            self._next += len(payload)
            return payload
        return self._hold(ahead, payload)

    def _hold(self, ahead: int, payload: bytes) -> bytes:
        end = ahead + len(payload)
        if end > len(self._bytes):
            self._bytes.extend(bytes(end - len(self._bytes)))
        self._bytes[ahead:end] = payload
        self._held.add(self._next + ahead, self._next + end)
        first_start, first_end = next(iter(self._held))
        if first_start != self._next:
            return b""
        count = first_end - self._next
        in_order = bytes(self._bytes[:count])
        del self._bytes[:count]
        self._next = first_end
        self._held.drop_below(first_end)
        return in_order


class Receiver:
    """The incoming stream, and when to acknowledge it."""

    def __init__(self) -> None:
        self._reorderer = Reorderer()
        self._unfetched = 0
        self._ping_heard = 0
        self._frames_to_ack = 0
        self._ack_urgent = False
        self._held_back = False
        self._frame_bytes = 0
        self._frame_ms = 0

    @property
    def next_offset(self) -> int:
        """Offset of the byte expected next, modulo 32768."""
        return self._reorderer.next_offset

    def take(self, frame: Data, now_ms: int) -> bytes:
        """Take a piece; the bytes that are now in order, which may be none."""
        self._frame_bytes, self._frame_ms = len(frame.payload), now_ms
        self._frames_to_ack += 1
        if self._unfetched > _UNFETCHED_BYTES_MAX:
            return b""
        data = self._reorderer.receive(frame.offset, frame.payload)
        self._unfetched += len(data)
        # Something is missing, or was not, and the other side does not know it.
        self._ack_urgent |= data is not frame.payload
        return data

    def fetched(self, size: int) -> None:
        """Bytes that `take` gave have gone on to the program."""
        self._unfetched -= size

    def asked(self, ping: Ping) -> None:
        """The other side wants an ACK."""
        self._ping_heard = ping.number
        self._ack_urgent = True

    @property
    def ack_due(self) -> bool:
        """Whether an ACK is due when there is nothing else to send."""
        return self._ack_urgent or self._frames_to_ack > 0

    @property
    def ack_first(self) -> bool:
        """Whether it is due before data."""
        return self._ack_urgent or (
            self._frames_to_ack > 0
            and (self._held_back or self._frames_to_ack >= _FRAMES_TO_ACK_MAX)
        )

    def held_back(self) -> None:
        """A data frame went out before the ACK: one is enough."""
        self._held_back = self._frames_to_ack > 0

    def next_ack(self) -> Ack:
        """The ACK to send now."""
        self._frames_to_ack = 0
        self._ack_urgent = self._held_back = False
        return Ack(
            heard=self._ping_heard,
            next_offset=self._reorderer.next_offset,
            held=self._reorderer.held(),
        )

    def other_frame_bytes(self, now_ms: int) -> int:
        """Payload of the frames that the other side is busy with; 0 when it is not."""
        return self._frame_bytes if now_ms - self._frame_ms < _BUSY_MS else 0
