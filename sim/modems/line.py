"""A telephone line between two modems: bit rate, delay, noise, a dead direction.

Everything runs on the time that is passed in, so a test makes an hour pass in a
second. A byte takes ten bits (start, eight data, stop) and arrives whole, after it
has been sent and the delay has passed; what noise does to it `sim.modems.noise` says.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.modems.noise import Bursts, Noise

if TYPE_CHECKING:
    import random

__all__ = ["LineSettings", "Wire"]

_BITS_PER_BYTE: Final = 10
_US_PER_S: Final = 1_000_000
_CHUNK_BYTES: Final = 16
"""Bytes that arrive together, as from a UART's FIFO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """One direction of a line, or both where they are alike.

    Attributes:
        rate_bps: bits a second, ten of them a byte.
        delay_ms: time from one end to the other.
        bit_error_rate: share of bits that arrive turned over, one here, one there.
        bursts: errors that come many at once, or None.
    """

    rate_bps: int = 9600
    delay_ms: int = 100
    bit_error_rate: float = 0.0
    bursts: Bursts | None = None

    def __post_init__(self) -> None:
        if self.rate_bps <= 0 or self.delay_ms < 0:
            raise ValueError("a line needs a rate above 0 and a delay of 0 or more")
        if not 0 <= self.bit_error_rate < 1:
            raise ValueError("the bit error rate is a share, 0 to below 1")


class Wire:
    """One direction of a line."""

    def __init__(
        self,
        settings: LineSettings,
        noise: random.Random,
        *,
        dead_after_bytes: int | None = None,
    ) -> None:
        """Start quiet.

        Args:
            settings: rate, delay and noise.
            noise: decides which bits are turned over.
            dead_after_bytes: so many bytes arrive, and none after them, while the
                other direction goes on; None: all arrive.
        """
        self._byte_us = max(1, _BITS_PER_BYTE * _US_PER_S // settings.rate_bps)
        self._delay_us = settings.delay_ms * 1000
        self._noise = Noise(settings.bit_error_rate, settings.bursts, noise)
        self._dead_after_bytes = dead_after_bytes
        self._free_us = 0
        self._arrivals: deque[tuple[int, bytes]] = deque()
        self._under_way_bytes = 0
        self.bytes_carried = 0
        self.bytes_lost = 0

    @property
    def bits_turned(self) -> int:
        """Bits that noise has turned over so far."""
        return self._noise.bits_turned

    def send(self, data: bytes, now_ms: int) -> None:
        """Put ``data`` on the wire, behind what is still being sent."""
        self._free_us = max(self._free_us, now_ms * 1000)
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            start_us = self._free_us
            self._free_us += len(chunk) * self._byte_us
            self._carry(self._noise.damage(chunk, start_us, self._byte_us))
        self.bytes_carried += len(data)

    def die(self) -> None:
        """Let nothing arrive any more; the sender does not notice."""
        self._dead_after_bytes = 0
        self.clear()

    def backlog_bytes(self, now_ms: int) -> int:
        """Bytes accepted that have not left the sending modem."""
        return max(0, self._free_us - now_ms * 1000) // self._byte_us

    def receive(self, now_ms: int) -> bytes:
        """What has arrived since the last call."""
        if not self._arrivals or self._arrivals[0][0] > now_ms * 1000:
            return b""
        out = bytearray()
        while self._arrivals and self._arrivals[0][0] <= now_ms * 1000:
            out += self._arrivals.popleft()[1]
        self._under_way_bytes -= len(out)
        return bytes(out)

    def deadline_ms(self) -> int | None:
        """When the next bytes arrive; None when nothing is under way."""
        return -(-self._arrivals[0][0] // 1000) if self._arrivals else None

    def clear(self) -> None:
        """The connection is gone, and with it what was under way."""
        self.bytes_lost += self._under_way_bytes
        self._under_way_bytes = 0
        self._arrivals.clear()
        self._free_us = 0

    def _carry(self, chunk: bytes) -> None:
        if self._dead_after_bytes is not None:
            alive = chunk[: self._dead_after_bytes]
            self._dead_after_bytes -= len(alive)
            self.bytes_lost += len(chunk) - len(alive)
            chunk = alive
        if chunk:
            self._under_way_bytes += len(chunk)
            self._arrivals.append((self._free_us + self._delay_us, chunk))
