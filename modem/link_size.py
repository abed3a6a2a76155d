"""How long frames should be, from how many of them are lost.

Each frame costs the bytes around its payload; the longer it is, the more is lost with
it. With errors spread evenly, ``e`` of them per byte, ``o`` bytes around the payload
and ``n`` of payload, a share of ``n / (n + o) * exp(-e * (n + o))`` of the line does
useful work. It is greatest near ``n = sqrt(o / e)``: 300 bytes at a bit error rate of
1e-5, 94 at 1e-4, 54 at 3e-4.

Errors that come in bursts take few frames with them, so they count as few.
"""

from __future__ import annotations

import math
from typing import Final

from modem.framing import OVERHEAD_BYTES
from modem.link_frames import DATA_HEADER_BYTES

__all__ = ["PAYLOAD_BYTES_MIN", "FrameSize"]

PAYLOAD_BYTES_MIN: Final = 16
"""At a bit error rate of 3e-3 every second frame of this size still gets through."""
_LOSSES_FIRST: Final = 0.2
_BYTES_FIRST: Final = 2_000
"""What is taken for granted before anything is seen: frames of 264 bytes, and a line
whose first loss says more than this does."""
_LOSSES_MAX: Final = 8
_BYTES_MAX: Final = 64_000
"""What was seen counts half each time one of these is reached: lines change."""
_AROUND_BYTES: Final = OVERHEAD_BYTES + DATA_HEADER_BYTES


class FrameSize:
    """Counts what gets through and what does not."""

    def __init__(self, *, bytes_max: int) -> None:
        """Start between a good line and a bad one."""
        self._bytes_max = bytes_max
        self._losses = float(_LOSSES_FIRST)
        self._line_bytes = float(_BYTES_FIRST)

    def note(self, line_bytes: int, *, lost: bool) -> None:
        """A frame of ``line_bytes`` with everything around it arrived or did not."""
        self._line_bytes += line_bytes
        self._losses += lost
        if self._losses > _LOSSES_MAX or self._line_bytes > _BYTES_MAX:
            self._losses /= 2
            self._line_bytes /= 2

    @property
    def payload_bytes(self) -> int:
        """The best size of a frame's payload."""
        best = math.isqrt(int(_AROUND_BYTES * self._line_bytes / self._losses))
        return max(PAYLOAD_BYTES_MIN, min(best, self._bytes_max))

    def loss_share(self, line_bytes: int) -> float:
        """The share of frames of ``line_bytes`` that is lost, 0 to 1."""
        return 1 - math.exp(-self._losses / self._line_bytes * line_bytes)
