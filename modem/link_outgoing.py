"""The outgoing direction of a link: when the line takes a frame, and how much of it.

A frame is handed out only when the line is about to be free, so nothing urgent waits
behind a modem's full buffer. Bytes in flight are limited to what the line holds until
their answer comes, and two frames, so that it never runs dry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modem.framing import OVERHEAD_BYTES, encode_frame
from modem.link_frames import DATA_HEADER_BYTES, Data, Hello, LinkFrame, Ping, encode
from modem.link_pace import HandedOut, LinePace
from modem.link_size import PAYLOAD_BYTES_MIN
from modem.link_window import SendWindow

if TYPE_CHECKING:
    from modem.link_frames import Ack
    from modem.link_opening import Opening
    from modem.link_state import LinkSettings

__all__ = ["Outgoing"]

_AROUND_BYTES: Final = OVERHEAD_BYTES + DATA_HEADER_BYTES
_ANSWERED: Final = (Data, Hello, Ping)
_LOSS_SHARE_HIGH: Final = 0.05
"""Where more frames than this are lost, the last one is asked after at once."""


class Outgoing:
    """Hands frames to the line and keeps what may have to go again.

    Attributes:
        window: the stream that goes out.
        pace: the line that it goes to.
        mark: mark of this side's frames, once the other side is known.
        frames: frames handed out so far.
        bytes: bytes handed out so far.
    """

    def __init__(
        self, settings: LinkSettings, *, line_rate_bps: int, now_ms: int
    ) -> None:
        """Start with a free line."""
        self._settings = settings
        self.window = SendWindow(frame_bytes_max=settings.frame_bytes)
        self.pace = LinePace(line_rate_bps=line_rate_bps, now_ms=now_ms)
        self.mark = 0
        self.frames = self.bytes = 0
        self._out = bytearray()

    @property
    def ready_ms(self) -> int:
        """When the next frame may be handed out, a little before the line is free."""
        return self.pace.free_ms - self._settings.lead_ms

    def hand_out(self, frame: LinkFrame, now_ms: int) -> HandedOut:
        """Put a frame on the line."""
        line = encode_frame(
            encode(frame),
            mark=0 if isinstance(frame, Hello) else self.mark,
            opening_flag=self.pace.idle(now_ms),
        )
        self._out += line
        self.frames += 1
        self.bytes += len(line)
        awaited = isinstance(frame, _ANSWERED)
        return self.pace.hand_out(len(line), now_ms, awaited=awaited)

    def take_bytes(self) -> bytes:
        """What was handed out since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def can_send_data(self, other_frame_bytes: int) -> bool:
        """Whether there is data to send and room for it on the line.

        Args:
            other_frame_bytes: payload of the frames that the other side is busy
                with: answers wait for them.
        """
        if not self.window.has_next():
            return False
        return self.pace.in_flight_bytes < self._in_flight_max(other_frame_bytes)

    def hand_out_data(self, now_ms: int) -> None:
        """Put the next piece of the stream on the line."""
        start, end = self.window.next_piece(self._payload_bytes)
        frame = self.hand_out(self.window.data(start, end), now_ms)
        self.window.handed_out(start, end, frame, now_ms)

    def acknowledged(
        self, ack: Ack, ping: HandedOut | None, now_ms: int, *, other_frame_bytes: int
    ) -> bool:
        """Take in an ACK; whether it shows that new bytes got through.

        Args:
            ack: what has arrived.
            ping: the PING that it answers for the first time, if any.
            now_ms: the time.
            other_frame_bytes: as for `can_send_data`.
        """
        position, newest = self.window.acknowledge(ack, now_ms)
        if ping is not None:
            position = max(position, ping.position)
        news = self.pace.passed(position, now_ms)
        if news:
            waits_ms = self._waits_ms(other_frame_bytes)
            for frame in (newest, ping):
                if frame is not None:
                    self.pace.answered(frame, now_ms, waits_ms=waits_ms)
            self.window.lost_before(position)
        return news

    def welcomed(self, opening: Opening, now_ms: int) -> None:
        """The other side has answered a HELLO; maybe it is clear which."""
        only, first = opening.only_hello, opening.first_hello
        if only is not None:
            self.pace.passed(only.position, now_ms)
            self.pace.answered(only, now_ms, waits_ms=0)
        elif first is not None:
            self.pace.answered_or_later(first, now_ms)

    def tail_in_doubt(self) -> HandedOut | None:
        """The last frame sent, when nothing follows it and it is likely lost."""
        newest = self.window.newest
        if newest is None or self.window.has_next():
            return None
        high = self.window.loss_share(newest) > _LOSS_SHARE_HIGH
        return newest if high else None

    def double_tail(self, now_ms: int) -> bool:
        """Send a piece of a tail in doubt once more; False when there is none.

        Nothing follows it whose answer would tell of its loss, and the line is free.
        """
        if self.tail_in_doubt() is None:
            return False
        piece = self.window.next_double()
        if piece is not None:
            self.hand_out(self.window.data(*piece), now_ms)
        return piece is not None

    def timeout_ms(self, other_frame_bytes: int) -> int:
        """Patience for an answer, from when its frame is out."""
        return self.pace.timeout_ms(self._waits_ms(other_frame_bytes))

    def _waits_ms(self, other_frame_bytes: int) -> int:
        """How long an answer may wait for the other side's own frames.

        It may have begun one, and put another before its ACK.
        """
        if not other_frame_bytes:
            return 0
        return 2 * self.pace.time_ms(other_frame_bytes + _AROUND_BYTES)

    @property
    def _payload_bytes(self) -> int:
        fitting = self.pace.size_in(self._settings.frame_ms) - _AROUND_BYTES
        at_most = max(fitting, PAYLOAD_BYTES_MIN)
        return min(self.window.payload_bytes, at_most)

    def _in_flight_max(self, other_frame_bytes: int) -> int:
        held = self.pace.held_bytes(self._waits_ms(other_frame_bytes))
        allowed = held + 2 * (self._payload_bytes + _AROUND_BYTES)
        return min(allowed, self._settings.window_bytes, self.pace.bytes_max)
