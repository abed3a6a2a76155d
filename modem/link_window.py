"""The sending side of a link: what is queued, in flight, arrived, and to go again.

A serial line keeps the order of its bytes. So when something arrived that was handed
out later than a frame that did not, that frame is lost for certain: it is sent again at
once, without waiting for a time-out, and nothing else is. Positions in the order of
handed-out bytes tell earlier from later, for first tries and repeats alike. Should a
line change the order after all, some bytes go twice and the stream is still right.

Nothing is repeated merely because time has passed. When answers are overdue the link
asks with a PING, and its ACK tells what was lost before it (`modem.link_life`).

Bytes of the stream are numbered, not frames: what was lost in a long frame is cut anew,
at the size that suits the line by then.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modem.link_frames import OFFSET_MODULUS, Data
from modem.link_ranges import Ranges
from modem.link_receive import RECEIVE_BYTES_MAX
from modem.link_size import FrameSize

if TYPE_CHECKING:
    from modem.link_frames import Ack
    from modem.link_pace import HandedOut

__all__ = ["SendWindow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of the stream that is on the line, as positions in the stream."""

    start: int
    end: int
    repeated: bool
    frame: HandedOut
    doubled: bool = False


class SendWindow:
    """Keeps the bytes of one outgoing stream until they have arrived."""

    def __init__(self, *, frame_bytes_max: int) -> None:
        """Start empty."""
        self._size = FrameSize(bytes_max=frame_bytes_max)
        self._bytes = bytearray()
        """From position ``_arrived`` on: all that is not known to have arrived."""
        self._arrived = self._sent = 0
        self._arrived_early = Ranges()
        self._lost = Ranges()
        self._flying: list[_Piece] = []
        self._progress_ms = 0
        self._repeat_below = 0
        self.frames_resent = 0

    @property
    def unsent_bytes(self) -> int:
        """Bytes queued that have never been sent."""
        return self._arrived + len(self._bytes) - self._sent

    @property
    def kept_bytes(self) -> int:
        """Bytes queued that are not known to have arrived."""
        return len(self._bytes)

    @property
    def newest(self) -> HandedOut | None:
        """The newest frame that may still arrive; None when there is none."""
        return self._flying[-1].frame if self._flying else None

    def waiting_ms(self, now_ms: int) -> int:
        """Time without progress although something was sent; 0 when all arrived."""
        return now_ms - self._progress_ms if self._sent > self._arrived else 0

    @property
    def payload_bytes(self) -> int:
        """The best payload of a frame, by what was lost so far."""
        return self._size.payload_bytes

    def loss_share(self, frame: HandedOut) -> float:
        """The share of frames like this one that is lost."""
        return self._size.loss_share(frame.size)

    # What goes out.

    def queue(self, data: bytes) -> None:
        """Append ``data`` to the stream."""
        self._bytes += data

    def has_next(self) -> bool:
        """Whether there is something to send that the other side can hold."""
        if self._lost:
            return True
        return self.unsent_bytes > 0 and self._room > 0

    @property
    def _room(self) -> int:
        return self._arrived + RECEIVE_BYTES_MAX - self._sent

    def next_piece(self, size: int) -> tuple[int, int]:
        """Take the next piece of ``size`` bytes or less: what was lost goes first.

        Returns:
            Its start and end in the stream, for `data` and `handed_out`.
        """
        assert self.has_next()
        if self._lost:
            return self._lost.take_first(size)
        start = self._sent
        self._sent += min(size, self.unsent_bytes, self._room)
        return start, self._sent

    def next_double(self) -> tuple[int, int] | None:
        """A piece on the line to send once more at once; None when there is none.

        It may have gone through: whichever of the two arrives is answered, and the
        answer no longer tells how long its frame was on its way.
        """
        for place, piece in enumerate(self._flying):
            if not piece.doubled:
                self._flying[place] = replace(piece, repeated=True, doubled=True)
                self.frames_resent += 1
                return max(piece.start, self._arrived), piece.end
        return None

    def data(self, start: int, end: int) -> Data:
        """The frame for a piece of the stream."""
        payload = self._bytes[start - self._arrived : end - self._arrived]
        return Data(offset=start % OFFSET_MODULUS, payload=bytes(payload))

    def handed_out(self, start: int, end: int, frame: HandedOut, now_ms: int) -> None:
        """The piece went to the line as ``frame``."""
        repeated = end <= self._repeat_below
        self._repeat_below = max(self._repeat_below, end)
        self.frames_resent += repeated
        if start == self._arrived and not repeated:
            self._progress_ms = now_ms
        piece = _Piece(start=start, end=end, repeated=repeated, frame=frame)
        self._flying.append(piece)

    # What is told to have arrived.

    def acknowledge(self, ack: Ack, now_ms: int) -> tuple[int, HandedOut | None]:
        """Take in an ACK; one that cannot be right, or is old, changes nothing.

        Returns:
            The position on the line of the newest frame that it shows to have
            arrived, 0 when there is none; and that frame, if it was sent once.
        """
        if not self._note_arrived(ack):
            return 0, None
        flying: list[_Piece] = []
        arrived: list[_Piece] = []
        for piece in self._flying:
            (arrived if self._has_arrived(piece) else flying).append(piece)
        if not arrived:
            return 0, None
        self._flying = flying
        self._progress_ms = now_ms
        for piece in arrived:
            self._size.note(piece.frame.size, lost=False)
        newest = arrived[-1]
        return newest.frame.position, None if newest.repeated else newest.frame

    def lost_before(self, position: int) -> None:
        """What stands before ``position`` on the line and has not arrived is lost."""
        flying = self._flying
        if not flying or flying[0].frame.position >= position:
            return
        count = bisect_left(flying, position, key=_position)
        for piece in flying[:count]:
            self._size.note(piece.frame.size, lost=True)
            for start, end in self._missing(piece.start, piece.end):
                self._lost.add(start, end)
        del flying[:count]

    def _note_arrived(self, ack: Ack) -> bool:
        """Enter what ``ack`` tells; False when it speaks of bytes never sent."""
        start = (ack.next_offset - self._arrived) % OFFSET_MODULUS + self._arrived
        told = [(self._arrived, start)]
        for missing, held in ack.held:
            start += missing + held
            told.append((start - held, start))
        if start > self._sent:
            return False
        self._advance(told[0][1])
        for held_start, held_end in told[1:]:
            self._arrived_early.add(held_start, held_end)
        if self._lost:
            self._lost = self._still_lost()
        return True

    def _advance(self, arrived: int) -> None:
        del self._bytes[: arrived - self._arrived]
        self._arrived = arrived
        self._arrived_early.drop_below(arrived)

    def _still_lost(self) -> Ranges:
        """What an ACK has not overtaken, as happens where frames change places."""
        lost = Ranges()
        for start, end in self._lost:
            for part_start, part_end in self._missing(start, end):
                lost.add(part_start, part_end)
        return lost

    def _missing(self, start: int, end: int) -> list[tuple[int, int]]:
        return self._arrived_early.missing(max(start, self._arrived), end)

    def _has_arrived(self, piece: _Piece) -> bool:
        if piece.end <= self._arrived:
            return True
        start = max(piece.start, self._arrived)
        return self._arrived_early.covers(start, piece.end)


def _position(piece: _Piece) -> int:
    return piece.frame.position
