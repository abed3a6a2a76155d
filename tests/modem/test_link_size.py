"""Frames are as long as the line's errors allow."""

from __future__ import annotations

import random
from statistics import median

import pytest

from modem.link_size import PAYLOAD_BYTES_MIN, FrameSize

AROUND_BYTES = 7
STREAM_BYTES = 60_000


def sizes(bit_error_rate: float, seed: int) -> list[int]:
    """The size of every frame of a stream over a line with such errors."""
    source = random.Random(seed)
    size = FrameSize(bytes_max=1_000)
    used: list[int] = []
    while sum(used) < STREAM_BYTES:
        payload = size.payload_bytes
        used.append(payload)
        sound = (1 - bit_error_rate) ** (8 * (payload + AROUND_BYTES))
        size.note(payload + AROUND_BYTES, lost=source.random() > sound)
    return used


@pytest.mark.parametrize(
    ("bit_error_rate", "least", "most"),
    [
        pytest.param(0.0, 700, 1_000, id="clean"),
        pytest.param(1e-5, 180, 800, id="1e-5"),
        pytest.param(1e-4, 65, 140, id="1e-4"),
        pytest.param(3e-4, 40, 75, id="3e-4"),
        pytest.param(5e-3, PAYLOAD_BYTES_MIN, 20, id="5e-3"),
    ],
)
def test_size_settles_where_it_is_best(
    bit_error_rate: float, least: int, most: int
) -> None:
    # A line of 1e-5 may well carry a whole stream without an error, so the middle one.
    last = median(sizes(bit_error_rate, seed)[-1] for seed in range(9))
    assert least <= last <= most


def test_size_grows_again_on_a_line_that_has_become_good() -> None:
    size = FrameSize(bytes_max=1_000)
    for _ in range(100):
        size.note(size.payload_bytes + AROUND_BYTES, lost=True)
    assert size.payload_bytes == PAYLOAD_BYTES_MIN
    sent = 0
    while size.payload_bytes < 250:
        sent += size.payload_bytes
        size.note(size.payload_bytes + AROUND_BYTES, lost=False)
    assert sent < 200_000


def test_share_of_losses_follows_the_length() -> None:
    size = FrameSize(bytes_max=1_000)
    for number in range(200):
        size.note(100, lost=number % 10 == 0)
    assert 0.06 < size.loss_share(100) < 0.14
    assert size.loss_share(10) < size.loss_share(100) < size.loss_share(1_000) < 1
