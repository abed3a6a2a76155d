"""Errors in bursts, and single ones between them."""

from __future__ import annotations

import random

import pytest

from sim.modems.noise import Bursts, Noise

BYTE_US = 1_000


def damaged_bytes(noise: Noise, size: int) -> list[int]:
    """Positions of the bytes that did not arrive as zero, one each millisecond."""
    data = b"".join(
        noise.damage(bytes(16), start * BYTE_US, BYTE_US)
        for start in range(0, size, 16)
    )
    return [position for position, byte in enumerate(data) if byte]


def test_bursts_come_as_often_and_last_as_long_as_they_should() -> None:
    bursts = Bursts(every_s=5, length_ms=40, bit_error_rate=0.5)
    noise = Noise(0.0, bursts, random.Random(1))
    hit = damaged_bytes(noise, 1_000_000)
    begins = [b for a, b in zip([-1_000, *hit], hit, strict=False) if b - a > 50]
    assert 150 < len(begins) < 250
    assert 38 < len(hit) / len(begins) < 42


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_share_of_wrong_bits_in_a_burst(share: float) -> None:
    bursts = Bursts(every_s=1, length_ms=500, bit_error_rate=share)
    noise = Noise(0.0, bursts, random.Random(2))
    damaged_bytes(noise, 200_000)
    assert 0.8 < noise.bits_turned / (200_000 * 8 * 0.5 * share) < 1.2


def test_quiet_time_wears_bursts_out() -> None:
    bursts = Bursts(every_s=1, length_ms=999, bit_error_rate=1.0)
    noise = Noise(0.0, bursts, random.Random(3))
    assert noise.damage(bytes(16), 3_600_000_000, BYTE_US) == b"\xff" * 16


def test_single_errors_are_the_same_with_bursts_and_without() -> None:
    alone = Noise(1e-3, None, random.Random(4))
    singles = damaged_bytes(alone, 20_000)
    bursts = Bursts(every_s=1e6, length_ms=1, bit_error_rate=1.0)
    assert damaged_bytes(Noise(1e-3, bursts, random.Random(4)), 20_000) == singles


@pytest.mark.parametrize(
    ("every_s", "length_ms", "share"),
    [(1, 0, 0.5), (1, 1_000, 0.5), (1, 10, 0.0), (1, 10, 1.1)],
)
def test_impossible_bursts_are_refused(
    every_s: float, length_ms: int, share: float
) -> None:
    with pytest.raises(ValueError, match="burst"):
        Bursts(every_s=every_s, length_ms=length_ms, bit_error_rate=share)
