"""How fast a line takes bytes, how long they are on their way, how many it holds.

The modem tells a rate, and bytes are handed to it no faster. Some modems tell the rate
of their serial port and not that of the line, and some ports have a hidden buffer:
answers then come late although the line should have been free. The rate is measured
then, from where two answered frames stood in the order of bytes and when the answers
came. An answer earlier than the told rate allows shows that it was too low.

Round trips are counted from the moment when a frame's last byte should be out, so they
do not depend on its size; they are smoothed after RFC 6298. Only frames whose answer
can have no other cause are counted (Karn).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

__all__ = ["HandedOut", "LinePace"]

_BITS_PER_BYTE: Final = 10
"""Start bit, eight data bits, stop bit."""
_US_PER_S: Final = 1_000_000
_ROUND_TRIP_FIRST_MS: Final = 1_000
"""Taken for granted before the first is seen."""
_SLACK_MS: Final = 100
"""What an answer may be late by without meaning anything."""
_LATE_ANSWERS_MAX: Final = 3
"""So many in a row show that bytes pile up; one may be late since an ACK was lost."""
_EARLY_SHARE: Final = 0.9
"""The rate is raised when a frame took less than this share of the time it should."""
_SHORT_FRAME_BYTES: Final = 24
"""HELLO, PING and the like: their round trips show the line's delay alone."""
_MEASURED_MS_MIN: Final = 300
"""A rate is measured over this long at least, since bytes come in chunks."""
_RATE_FACTOR_MAX: Final = 4
"""How much a rate may change by one measurement."""
_BYTES_AT_FIRST: Final = 1_024
"""Bytes in flight before a first answer has confirmed the told rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOut:
    """A frame that went to the line.

    Attributes:
        position: where its last byte stands among all bytes handed out.
        size: its bytes, with everything around the payload.
        handed_ms: when that was.
        free_ms: when its last byte should be out.
    """

    position: int
    size: int
    handed_ms: int
    free_ms: int


class LinePace:
    """The outgoing direction of a line, counted in the bytes handed to it."""

    def __init__(self, *, line_rate_bps: int, now_ms: int) -> None:
        """Start with the rate that the modem told, and the line free."""
        self._byte_us = max(1.0, _BITS_PER_BYTE * _US_PER_S / line_rate_bps)
        self._free_us = now_ms * 1000.0
        self._handed = self._passed = self._awaited = 0
        self._smoothed_ms: float | None = None
        self._deviation_ms = 0.0
        self._shortest_ms: int | None = None
        self._at_most_ms = _ROUND_TRIP_FIRST_MS
        self._busy_from = 0
        self._changed_at = 0
        self._since: tuple[int, int] | None = None
        self._confirmed = False
        self._late_answers = 0

    # What is handed out.

    def hand_out(self, size: int, now_ms: int, *, awaited: bool) -> HandedOut:
        """Note that ``size`` bytes go to the line, behind those before.

        Args:
            size: the bytes of a frame.
            now_ms: the time.
            awaited: whether the frame will be answered.
        """
        if self.idle(now_ms):
            self._free_us = now_ms * 1000.0
        if not self.in_flight_bytes:
            self._busy_from = self._handed
            self._since = None
        self._free_us += size * self._byte_us
        self._handed += size
        if awaited:
            self._awaited = self._handed
        return HandedOut(
            position=self._handed,
            size=size,
            handed_ms=now_ms,
            free_ms=self.free_ms,
        )

    def idle(self, now_ms: int) -> bool:
        """Whether the last byte handed out should be out."""
        return self._free_us <= now_ms * 1000

    @property
    def free_ms(self) -> int:
        """When the last byte handed out should be out."""
        return -int(-self._free_us // 1000)

    def time_ms(self, size: int) -> int:
        """How long ``size`` bytes take."""
        return int(size * self._byte_us) // 1000

    def size_in(self, time_ms: int) -> int:
        """How many bytes go out in ``time_ms``."""
        return int(time_ms * 1000 / self._byte_us)

    # What the line holds.

    @property
    def in_flight_bytes(self) -> int:
        """Bytes on the line, as far as known; 0 when no answer is awaited."""
        return self._handed - self._passed if self._passed < self._awaited else 0

    def held_bytes(self, waits_ms: int) -> int:
        """Bytes that the line holds until the first of them is answered.

        Args:
            waits_ms: how long answers may wait for the other side's own frames.
        """
        return self.size_in(self._delay_ms + waits_ms + _SLACK_MS)

    @property
    def bytes_max(self) -> int:
        """Bytes in flight at most: few while the told rate is not confirmed."""
        return sys.maxsize if self._confirmed else _BYTES_AT_FIRST

    def timeout_ms(self, waits_ms: int) -> int:
        """Patience for an answer, from when the line is free."""
        if self._smoothed_ms is None:
            return 2 * self._at_most_ms + waits_ms
        margin_ms = max(4 * self._deviation_ms, _SLACK_MS + waits_ms)
        return int(self._smoothed_ms + margin_ms)

    @property
    def _delay_ms(self) -> int:
        """There and back for a byte, as far as known."""
        if self._shortest_ms is not None:
            return self._shortest_ms
        smoothed_ms = self._smoothed_ms
        return _ROUND_TRIP_FIRST_MS if smoothed_ms is None else int(smoothed_ms)

    # What is answered.

    def passed(self, position: int, now_ms: int) -> bool:
        """The line is done with all up to ``position``; whether that is news."""
        if position <= self._passed:
            return False
        self._passed = position
        if self._since is None and position > self._busy_from:
            self._since = (position, now_ms)
        return True

    def answered(self, frame: HandedOut, now_ms: int, *, waits_ms: int) -> None:
        """A frame that was sent once has its answer; call `passed` before."""
        if frame.position <= self._changed_at:
            return  # It was handed out when the rate was thought to be another.
        sample_ms = now_ms - frame.free_ms
        if frame.size > _SHORT_FRAME_BYTES:
            self._check_rate(frame, now_ms, waits_ms)
        elif self._shortest_ms is None or sample_ms < self._shortest_ms:
            self._shortest_ms = max(0, sample_ms)
        self._smooth(max(0, sample_ms))

    def answered_or_later(self, frame: HandedOut, now_ms: int) -> None:
        """``frame`` has an answer, or one that was handed out after it has.

        A round trip cannot be longer than that; how much shorter, nobody knows.
        """
        longest_ms = max(_SLACK_MS, now_ms - frame.free_ms)
        self._at_most_ms = min(self._at_most_ms, longest_ms)

    def _smooth(self, sample_ms: int) -> None:
        if self._smoothed_ms is None:
            self._smoothed_ms, self._deviation_ms = sample_ms, sample_ms / 2
            return
        error_ms = abs(self._smoothed_ms - sample_ms)
        self._deviation_ms += (error_ms - self._deviation_ms) / 4
        self._smoothed_ms += (sample_ms - self._smoothed_ms) / 8

    def _check_rate(self, frame: HandedOut, now_ms: int, waits_ms: int) -> None:
        late_ms = now_ms - frame.free_ms - self._delay_ms
        if late_ms > waits_ms + _SLACK_MS:
            self._late_answers += 1
            if self._late_answers >= _LATE_ANSWERS_MAX:
                self._measure(now_ms)
            return
        self._late_answers = 0
        self._since = (self._passed, now_ms)
        self._confirmed = True
        if self._shortest_ms is not None:
            # The frame cannot have taken longer than from when it was handed out.
            at_most_ms = now_ms - frame.handed_ms - self._shortest_ms
            byte_us = max(at_most_ms, 1) * 1000 / frame.size
            if byte_us < self._byte_us * _EARLY_SHARE:
                self._change(max(byte_us, self._byte_us / _RATE_FACTOR_MAX), now_ms)

    def _measure(self, now_ms: int) -> None:
        """Bytes pile up somewhere: see how fast they really go."""
        if self._since is None:
            return
        position, since_ms = self._since
        time_ms = now_ms - since_ms
        if time_ms < _MEASURED_MS_MIN or position >= self._passed:
            return
        byte_us = time_ms * 1000 / (self._passed - position)
        self._confirmed = True
        self._late_answers = 0
        self._since = (self._passed, now_ms)
        if byte_us > self._byte_us:
            self._change(min(byte_us, _RATE_FACTOR_MAX * self._byte_us), now_ms)

    def _change(self, byte_us: float, now_ms: int) -> None:
        self._byte_us = max(1.0, byte_us)
        self._changed_at = self._handed
        ahead_us = self.in_flight_bytes * self._byte_us - self._delay_ms * 1000
        self._free_us = now_ms * 1000 + max(0.0, ahead_us)
