"""The sending side of a link: what is queued, in flight, and when to send it again.

Go-back-N: the receiver takes frames in order only, so after a loss everything from
the lost frame on is sent again. The class is the seam for selective repeat: it alone
knows which frames are in flight and which of them are to be repeated.

Some modems tell the speed of their serial port instead of the line's. Then the link
hands out frames too early and they pile up in the modem; round trips show it, and
the window is narrowed until they are short again.

Frames get shorter while they are lost and longer again when they are not: at a bit
error rate of 3e-4 every second frame of 256 bytes is lost, of 64 bytes one in six.

Times to repeat follow RFC 6298: smoothed round trip and its deviation, only frames
sent once give a sample (Karn), and each time-out doubles the next until there is one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modem.link_frames import SEQUENCE_MODULUS

if TYPE_CHECKING:
    from modem.link_state import LinkSettings

__all__ = ["SendWindow"]

_FIRST_TIMEOUT_MS: Final = 3_000
"""Before the first sample; on top of the time two frames take on the line."""
_TIMEOUT_MS_MAX: Final = 10_000
_SLACK_MS: Final = 100
_FRAME_BYTES_MIN: Final = 64
_SOUND_FRAMES: Final = 32
"""Frames acknowledged without a repeat before longer ones are tried."""
_FRAMES_AT_FIRST: Final = 4
_FRAMES_AT_LEAST: Final = 3
"""Enough to keep a 9600 bit/s line with 100 ms delay busy."""


@dataclass(slots=True, kw_only=True)
class _InFlight:
    """A frame that has been sent at least once and is not acknowledged."""

    sequence: int
    payload: bytes = field(repr=False)
    sent_ms: int = 0
    times_sent: int = 0


class SendWindow:
    """Numbers, keeps and repeats the pieces of one outgoing byte stream."""

    def __init__(self, settings: LinkSettings, *, frame_ms: int) -> None:
        """Start empty; ``frame_ms`` is what one full frame takes on the line."""
        self._settings = settings
        self._frame_ms = frame_ms
        self._queue = bytearray()
        self._frames: deque[_InFlight] = deque()
        self._bytes_in_flight = 0
        self._frames_allowed = _FRAMES_AT_FIRST
        self._frame_bytes = settings.frame_bytes
        self._sound_frames = 0
        self._resend_index = 0
        self._next_sequence = 0
        self._timer_ms: int | None = None
        self._progress_ms = 0
        self._doublings = 0
        self._round_trip_ms: int | None = None
        self._deviation_ms = 0
        self._round_trip_min_ms = 0
        self.frames_resent = 0

    @property
    def unsent_bytes(self) -> int:
        """Bytes queued that have never been sent."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether everything queued has been sent and acknowledged."""
        return not self._queue and not self._frames

    def stalled(self, now_ms: int) -> bool:
        """Whether data goes out and nothing of it has been acknowledged for long."""
        return (
            bool(self._frames)
            and now_ms - self._progress_ms >= self._settings.stalled_ms
        )

    @property
    def timeout_ms(self) -> int:
        """Patience for an acknowledgement, with its present doublings."""
        if self._round_trip_ms is None:
            base = _FIRST_TIMEOUT_MS + 2 * self._frame_ms
        else:
            # The other side may have begun a frame of its own before it can answer,
            # and its answer may ride on a whole frame.
            loaded_ms = 2 * self._frame_ms + _SLACK_MS
            margin = max(4 * self._deviation_ms, loaded_ms)
            base = self._round_trip_ms + margin
        return min(base << self._doublings, _TIMEOUT_MS_MAX)

    def queue(self, data: bytes) -> None:
        """Append ``data`` to the stream."""
        self._queue += data

    @property
    def _bytes_allowed(self) -> int:
        allowed = self._frames_allowed * self._settings.frame_bytes
        return min(allowed, self._settings.window_bytes)

    def has_next(self) -> bool:
        """Whether `next_piece` would give a frame now."""
        if self._resend_index < len(self._frames):
            return True
        return (
            bool(self._queue)
            and len(self._frames) < self._settings.window_frames
            and self._bytes_in_flight < self._bytes_allowed
        )

    def next_piece(self, now_ms: int) -> tuple[int, bytes]:
        """Sequence number and payload to send now: repeats first, then new bytes."""
        assert self.has_next()
        if self._resend_index == len(self._frames):
            self._cut_frame()
        if self._resend_index == 0 and self._frames[0].times_sent == 0:
            self._progress_ms = now_ms
        frame = self._frames[self._resend_index]
        self._resend_index += 1
        self.frames_resent += frame.times_sent > 0
        frame.times_sent += 1
        frame.sent_ms = now_ms
        if self._timer_ms is None or frame is self._frames[0]:
            self._timer_ms = now_ms + self.timeout_ms
        return frame.sequence, frame.payload

    def acknowledge(self, acknowledgement: int, now_ms: int) -> None:
        """Forget the frames before ``acknowledgement``; a stale one changes nothing."""
        if not self._frames:
            return
        count = (acknowledgement - self._frames[0].sequence) % SEQUENCE_MODULUS
        if not 0 < count <= len(self._frames):
            return
        self._lengthen(count)
        newest = self._frames[count - 1]
        if newest.times_sent == 1:
            self._sample(now_ms - newest.sent_ms)
            self._doublings = 0
        for _ in range(count):
            self._bytes_in_flight -= len(self._frames.popleft().payload)
        self._resend_index = max(0, self._resend_index - count)
        self._progress_ms = now_ms
        self._timer_ms = now_ms + self.timeout_ms if self._frames else None

    def reject(self, now_ms: int) -> None:
        """The oldest frame is missing at the other side: go back to it.

        Not when it was repeated less than the shortest round trip ago: then the
        rejection still speaks of the earlier time.
        """
        if self._frames and self._resend_index > 0:
            repeated = self._frames[0].times_sent > 1
            age_ms = now_ms - self._frames[0].sent_ms
            if not (repeated and age_ms < self._round_trip_min_ms):
                self._go_back()

    def deadline_ms(self) -> int | None:
        """When `on_timer` is due."""
        return None if self._resend_index == 0 else self._timer_ms

    def on_timer(self, now_ms: int) -> None:
        """Go back to the oldest frame when its acknowledgement is overdue."""
        due_ms = self.deadline_ms()
        if due_ms is not None and now_ms >= due_ms:
            self._go_back()
            self._doublings += 1
            self._timer_ms = None

    def _go_back(self) -> None:
        self._resend_index = 0
        self._sound_frames = 0
        self._frame_bytes = max(self._frame_bytes // 2, _FRAME_BYTES_MIN)

    def _lengthen(self, count: int) -> None:
        """Count sound frames; after enough of them the next ones are longer."""
        self._sound_frames += count
        if self._sound_frames >= _SOUND_FRAMES:
            self._sound_frames = 0
            longer = 2 * self._frame_bytes
            self._frame_bytes = min(longer, self._settings.frame_bytes)

    def _cut_frame(self) -> None:
        payload = bytes(self._queue[: self._frame_bytes])
        del self._queue[: len(payload)]
        self._frames.append(_InFlight(sequence=self._next_sequence, payload=payload))
        self._bytes_in_flight += len(payload)
        self._next_sequence = (self._next_sequence + 1) % SEQUENCE_MODULUS

    def _sample(self, round_trip_ms: int) -> None:
        if self._round_trip_ms is None:
            self._round_trip_ms = self._round_trip_min_ms = round_trip_ms
            self._deviation_ms = round_trip_ms // 2
            return
        self._steer(round_trip_ms)
        self._round_trip_min_ms = min(self._round_trip_min_ms, round_trip_ms)
        error_ms = abs(self._round_trip_ms - round_trip_ms)
        self._deviation_ms = (3 * self._deviation_ms + error_ms) // 4
        self._round_trip_ms = (7 * self._round_trip_ms + round_trip_ms) // 8

    def _steer(self, round_trip_ms: int) -> None:
        """Widen the window while round trips are short, narrow it while they are not.

        Up to twice the shortest round trip is short: an acknowledgement may have to
        wait for a frame that the other side has begun.
        """
        short_ms = 2 * (self._round_trip_min_ms + self._frame_ms) + _SLACK_MS
        step = 1 if round_trip_ms <= short_ms else -1
        self._frames_allowed = min(
            max(self._frames_allowed + step, _FRAMES_AT_LEAST),
            self._settings.window_frames,
        )
