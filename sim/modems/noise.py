"""What a bad line does to bits: single errors, and bursts of them.

Single errors come as on a channel without memory, bursts as a relay, a motor or a
thunderstorm makes them: at random moments, for a while, many bits at once. Both are
drawn from a seeded source, so the same bytes at the same times meet the same noise.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

__all__ = ["Bursts", "Noise"]

_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """Bursts of errors on one direction of a line.

    Attributes:
        every_s: seconds from the beginning of one to that of the next, on average.
        length_ms: how long each lasts; bytes that pass in between are untouched.
        bit_error_rate: share of the bits within a burst that are turned over.
    """

    every_s: float
    length_ms: int
    bit_error_rate: float

    def __post_init__(self) -> None:
        if self.length_ms <= 0 or self.every_s * 1_000 <= self.length_ms:
            raise ValueError("bursts need a length, and longer pauses between them")
        if not 0 < self.bit_error_rate <= 1:
            raise ValueError("the share of wrong bits in a burst is above 0, at most 1")


class Noise:
    """The noise on one direction of a line."""

    def __init__(
        self, bit_error_rate: float, bursts: Bursts | None, source: random.Random
    ) -> None:
        """Begin at time 0; ``source`` decides which bits are turned over."""
        self._error_rate = bit_error_rate
        self._source = source
        self._bits_to_error = self._gap_bits()
        self._bursts = bursts
        self._burst_us = 0
        if bursts is not None:
            # A source of their own: single errors stay where they are without them.
            copy = random.Random()
            copy.setstate(source.getstate())
            self._burst_source = random.Random(copy.getrandbits(64))
            self._next_burst()
        self.bits_turned = 0

    def damage(self, chunk: bytes, start_us: int, byte_us: int) -> bytes:
        """What arrives of ``chunk``, whose first byte begins at ``start_us``."""
        damaged = self._burst(self._scatter(chunk), start_us, byte_us)
        if damaged is not chunk:
            before = int.from_bytes(chunk, "big")
            self.bits_turned += (before ^ int.from_bytes(damaged, "big")).bit_count()
        return damaged

    def _gap_bits(self) -> int | None:
        """Sound bits before the next damaged one (a geometric distribution)."""
        if not self._error_rate:
            return None
        share = 1.0 - self._source.random()
        return int(math.log(share) / math.log1p(-self._error_rate))

    def _scatter(self, chunk: bytes) -> bytes:
        bits = len(chunk) * 8
        if self._bits_to_error is None or self._bits_to_error >= bits:
            if self._bits_to_error is not None:
                self._bits_to_error -= bits
            return chunk
        damaged = bytearray(chunk)
        position = self._bits_to_error
        while position < bits:
            damaged[position // 8] ^= 1 << position % 8
            gap = self._gap_bits()
            assert gap is not None
            position += 1 + gap
        self._bits_to_error = position - bits
        return bytes(damaged)

    def _next_burst(self) -> None:
        assert self._bursts is not None
        # The mean counts from beginning to beginning, the pause from end to beginning.
        pause_s = self._bursts.every_s - self._bursts.length_ms / 1_000
        wait_us = int(self._burst_source.expovariate(1 / pause_s) * _US_PER_S)
        length_us = self._bursts.length_ms * _US_PER_MS
        self._burst_us += wait_us + (length_us if self._burst_us else 0)

    def _burst(self, chunk: bytes, start_us: int, byte_us: int) -> bytes:
        if self._bursts is None or start_us + len(chunk) * byte_us <= self._burst_us:
            return chunk
        damaged = bytearray(chunk)
        length_us = self._bursts.length_ms * _US_PER_MS
        for position in range(len(chunk)):
            byte_start_us = start_us + position * byte_us
            while self._burst_us + length_us <= byte_start_us:
                self._next_burst()
            if self._burst_us < byte_start_us + byte_us:
                damaged[position] ^= self._turned(self._bursts.bit_error_rate)
        return bytes(damaged)

    def _turned(self, share: float) -> int:
        """Eight bits, each set with a probability of ``share``."""
        source = self._burst_source
        return sum(1 << bit for bit in range(8) if source.random() < share)
