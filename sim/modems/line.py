"""A telephone line between two modems: bit rate, delay, noise, cuts.

Everything runs on the time that is passed in, so a test makes an hour pass in a
second. A byte takes ten bits (start, eight data, stop) and arrives whole, after it
has been sent and the delay has passed. Noise turns single bits over, by a seeded
random source, as it does on an asynchronous line without error correction.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

__all__ = ["LineSettings", "Wire"]

_BITS_PER_BYTE: Final = 10
_US_PER_S: Final = 1_000_000
_CHUNK_BYTES: Final = 16
"""Bytes that arrive together, as from a UART's FIFO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """What both directions of a line have in common.

    Attributes:
        rate_bps: bits a second, ten of them a byte.
        delay_ms: time from one end to the other.
        bit_error_rate: share of bits that arrive turned over.
    """

    rate_bps: int = 9600
    delay_ms: int = 100
    bit_error_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.rate_bps <= 0 or self.delay_ms < 0:
            raise ValueError("a line needs a rate above 0 and a delay of 0 or more")
        if not 0 <= self.bit_error_rate < 1:
            raise ValueError("the bit error rate is a share, 0 to below 1")


class Wire:
    """One direction of a line."""

    def __init__(self, settings: LineSettings, noise: random.Random) -> None:
        """Start quiet; ``noise`` decides which bits are turned over."""
        self._byte_us = max(1, _BITS_PER_BYTE * _US_PER_S // settings.rate_bps)
        self._delay_us = settings.delay_ms * 1000
        self._error_rate = settings.bit_error_rate
        self._noise = noise
        self._free_us = 0
        self._arrivals: deque[tuple[int, bytes]] = deque()
        self._bits_to_error = self._next_error()
        self.bytes_carried = 0

    def send(self, data: bytes, now_ms: int) -> None:
        """Put ``data`` on the wire, behind what is still being sent."""
        self._free_us = max(self._free_us, now_ms * 1000)
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            self._free_us += len(chunk) * self._byte_us
            self._arrivals.append((self._free_us + self._delay_us, self._damage(chunk)))
        self.bytes_carried += len(data)

    def backlog_bytes(self, now_ms: int) -> int:
        """Bytes accepted that have not left the sending modem."""
        return max(0, self._free_us - now_ms * 1000) // self._byte_us

    def receive(self, now_ms: int) -> bytes:
        """What has arrived since the last call."""
        out = bytearray()
        while self._arrivals and self._arrivals[0][0] <= now_ms * 1000:
            out += self._arrivals.popleft()[1]
        return bytes(out)

    def deadline_ms(self) -> int | None:
        """When the next bytes arrive; None when nothing is under way."""
        return -(-self._arrivals[0][0] // 1000) if self._arrivals else None

    def clear(self) -> None:
        """The connection is gone, and with it what was under way."""
        self._arrivals.clear()
        self._free_us = 0

    def _next_error(self) -> int | None:
        """Sound bits before the next damaged one (a geometric distribution)."""
        if not self._error_rate:
            return None
        share = 1.0 - self._noise.random()
        return int(math.log(share) / math.log1p(-self._error_rate))

    def _damage(self, chunk: bytes) -> bytes:
        bits = len(chunk) * 8
        if self._bits_to_error is None or self._bits_to_error >= bits:
            if self._bits_to_error is not None:
                self._bits_to_error -= bits
            return chunk
        damaged = bytearray(chunk)
        position = self._bits_to_error
        while position < bits:
            damaged[position // 8] ^= 1 << position % 8
            gap = self._next_error()
            assert gap is not None
            position += 1 + gap
        self._bits_to_error = position - bits
        return bytes(damaged)
