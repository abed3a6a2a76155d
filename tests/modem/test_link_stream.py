"""What goes into one end of a link comes out of the other, whatever the line does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from sim.modems.line import LineSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.modem.conftest import LinkWorld

STREAM = random.Random(7).randbytes(24_000)


@pytest.mark.parametrize(
    ("rate_bps", "bit_error_rate", "limit_s"),
    [
        # What ideal selective repeat takes (`bench.line` has the formula), by 0.85.
        pytest.param(9_600, 0.0, 25.1 / 0.85, id="9600-clean"),
        pytest.param(9_600, 1e-5, 26.3 / 0.85, id="9600-1e-5"),
        pytest.param(9_600, 1e-4, 29.2 / 0.85, id="9600-1e-4"),
        pytest.param(9_600, 3e-4, 32.8 / 0.85, id="9600-3e-4"),
        pytest.param(33_600, 0.0, 7.24 / 0.85, id="33600-clean"),
        pytest.param(33_600, 1e-5, 7.59 / 0.85, id="33600-1e-5"),
        pytest.param(33_600, 1e-4, 8.42 / 0.85, id="33600-1e-4"),
        pytest.param(33_600, 3e-4, 9.44 / 0.85, id="33600-3e-4"),
    ],
)
def test_stream_arrives_nearly_as_fast_as_by_ideal_selective_repeat(
    link_world: Callable[..., LinkWorld],
    rate_bps: int,
    bit_error_rate: float,
    limit_s: float,
) -> None:
    line = LineSettings(rate_bps=rate_bps, bit_error_rate=bit_error_rate)
    for seed in range(5):
        world = link_world(line, seed=seed)
        world.open()
        world.near.send(STREAM)
        took_ms = world.run_until(world.all_known_at_near())
        assert world.far_data == STREAM
        assert took_ms < limit_s * 1000


def test_both_directions_at_once_take_no_longer(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.near.send(STREAM)
    world.far.send(STREAM[::-1])
    took_ms = world.run_until(
        lambda: len(world.far_data) == len(world.near_data) == len(STREAM)
    )
    assert world.far_data == STREAM
    assert world.near_data == STREAM[::-1]
    assert took_ms < 27_000


def test_clean_line_repeats_nothing(link_world: Callable[..., LinkWorld]) -> None:
    world = link_world(LineSettings(delay_ms=400))
    world.near.send(STREAM[:5_000])
    world.run_until(lambda: len(world.far_data) == 5_000)
    assert world.near.statistics.frames_resent == 0
    assert world.near.statistics.frames_damaged == 0


@pytest.mark.parametrize("bit_error_rate", [0.0, 1e-4], ids=["clean", "noisy"])
def test_rate_told_too_high_costs_time_but_no_data(
    link_world: Callable[..., LinkWorld], bit_error_rate: float
) -> None:
    line = LineSettings(rate_bps=9_600, bit_error_rate=bit_error_rate)
    world = link_world(line, told_rate_bps=115_200)
    world.near.send(STREAM)
    world.far.send(STREAM)
    took_ms = world.run_until(
        lambda: len(world.far_data) == len(world.near_data) == len(STREAM)
    )
    assert world.far_data == world.near_data == STREAM
    assert took_ms < 150_000


@pytest.mark.parametrize("seed", range(10))
def test_bad_line_delivers_every_byte_once_and_in_order(
    link_world: Callable[..., LinkWorld], seed: int
) -> None:
    source = random.Random(seed)
    line = LineSettings(
        rate_bps=source.choice([1_200, 9_600, 115_200]),
        delay_ms=source.choice([0, 20, 600]),
        bit_error_rate=source.choice([1e-4, 5e-4]),
    )
    world = link_world(line, seed=seed)
    sent = bytearray()
    for _ in range(10):
        piece = source.randbytes(source.randint(1, 600))
        world.near.send(piece)
        world.far.send(piece)
        sent += piece
        world.run_for(source.randint(0, 1_500))
    world.run_until(lambda: len(world.far_data) == len(world.near_data) == len(sent))
    assert world.far_data == world.near_data == sent


def test_idle_link_spends_next_to_nothing(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.open()
    before, steps = world.near.statistics.line_bytes_sent, world.steps
    until_ms = world.now_ms + 3_600_000
    world.run_until(lambda: world.now_ms >= until_ms, limit_ms=3_700_000)
    # A PING or its ACK every five seconds, and a handful of wake-ups for each.
    assert world.near.statistics.line_bytes_sent - before < 720 * 20
    assert world.steps - steps < 720 * 20
