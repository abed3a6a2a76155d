"""Lines that are not what the modem says, or not the same all the time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from sim.modems.line import LineSettings, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.modem.conftest import LinkWorld

STREAM = random.Random(7).randbytes(24_000)


class BurstWire(Wire):
    """Nothing but noise for 100 ms every few seconds."""

    def __init__(self, settings: LineSettings, source: random.Random) -> None:
        super().__init__(settings, source)
        self._source = source
        self._every_ms = 2_000 + source.randrange(2_000)

    def receive(self, now_ms: int) -> bytes:
        data = super().receive(now_ms)
        burst = now_ms % self._every_ms < 100
        return self._source.randbytes(len(data)) if burst else data


def all_acknowledged(world: LinkWorld) -> Callable[[], bool]:
    return lambda: (
        not (world.near.unacknowledged_bytes or world.far.unacknowledged_bytes)
    )


@pytest.mark.parametrize("bit_error_rate", [0.0, 1e-4], ids=["clean", "noisy"])
@pytest.mark.parametrize("both", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize(
    ("rate_bps", "told_rate_bps", "limit_s"),
    [
        pytest.param(9_600, 38_400, 45, id="four-times-too-high"),
        pytest.param(9_600, 115_200, 45, id="the-rate-of-the-port"),
        pytest.param(33_600, 115_200, 15, id="a-fast-line"),
        pytest.param(9_600, 2_400, 60, id="four-times-too-low"),
    ],
)
def test_rate_told_wrongly_costs_time_but_no_data(
    link_world: Callable[..., LinkWorld],
    rate_bps: int,
    told_rate_bps: int,
    limit_s: int,
    both: bool,
    bit_error_rate: float,
) -> None:
    line = LineSettings(rate_bps=rate_bps, bit_error_rate=bit_error_rate)
    world = link_world(line, told_rate_bps=told_rate_bps)
    world.near.send(STREAM)
    if both:
        world.far.send(STREAM)
    took_ms = world.run_until(all_acknowledged(world))
    assert world.far_data == STREAM
    assert world.near_data == (STREAM if both else b"")
    assert took_ms < limit_s * 1000


def test_hidden_buffer_is_not_filled(link_world: Callable[..., LinkWorld]) -> None:
    # A PTY swallows 12 to 20 kB at once; whatever waits there delays every answer.
    world = link_world(LineSettings(rate_bps=9_600), told_rate_bps=115_200)
    world.near.send(STREAM)
    backlog = {"first": 0, "later": 0}

    def done() -> bool:
        time = "first" if len(world.far_data) < 5_000 else "later"
        now = world.up.backlog_bytes(world.now_ms)
        backlog[time] = max(backlog[time], now)
        return not world.near.unacknowledged_bytes

    world.run_until(done)
    assert backlog["first"] < 3_000
    assert backlog["later"] < 1_200


@pytest.mark.parametrize(
    ("up", "down", "limit_s"),
    [
        pytest.param((33_600, 20), (33_600, 600), 9, id="delay"),
        pytest.param((33_600, 100), (1_200, 100), 9, id="slow-answers"),
        pytest.param((2_400, 100), (33_600, 100), 112, id="slow-data"),
    ],
)
def test_directions_may_differ(
    link_world: Callable[..., LinkWorld],
    up: tuple[int, int],
    down: tuple[int, int],
    limit_s: int,
) -> None:
    world = link_world(LineSettings(), told_rate_bps=33_600)
    wires = (
        Wire(LineSettings(rate_bps=rate_bps, delay_ms=delay_ms), random.Random(1))
        for rate_bps, delay_ms in (up, down)
    )
    world.lay(*wires)
    world.near.send(STREAM)
    took_ms = world.run_until(all_acknowledged(world))
    assert world.far_data == STREAM
    assert took_ms < limit_s * 1000


@pytest.mark.parametrize("rate_bps", [9_600, 33_600])
def test_bursts_cost_what_they_damage(
    link_world: Callable[..., LinkWorld], rate_bps: int
) -> None:
    line = LineSettings(rate_bps=rate_bps)
    for seed in range(5):
        world = link_world(line, seed=seed)
        world.lay(
            BurstWire(line, random.Random(seed)),
            BurstWire(line, random.Random(seed + 100)),
        )
        world.near.send(STREAM)
        took_ms = world.run_until(all_acknowledged(world))
        assert world.far_data == STREAM
        assert took_ms < 1.5 * len(STREAM) * 10_000 / rate_bps


@pytest.mark.parametrize("bit_error_rate", [1e-3, 2e-3, 4e-3])
def test_line_that_carries_anything_carries_the_stream(
    link_world: Callable[..., LinkWorld], bit_error_rate: float
) -> None:
    for seed in range(3):
        world = link_world(LineSettings(bit_error_rate=bit_error_rate), seed=seed)
        world.near.send(STREAM[:2_000])
        world.run_until(all_acknowledged(world))
        assert world.far_data == STREAM[:2_000]


def test_offsets_start_over_many_times(link_world: Callable[..., LinkWorld]) -> None:
    stream = random.Random(3).randbytes(300_000)
    line = LineSettings(rate_bps=115_200, delay_ms=300, bit_error_rate=1e-4)
    world = link_world(line)
    world.near.send(stream)
    world.far.send(stream[::-1])
    world.run_until(all_acknowledged(world))
    assert world.far_data == stream
    assert world.near_data == stream[::-1]


def test_line_with_a_long_delay_is_kept_full(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings(rate_bps=115_200, delay_ms=600))
    world.open()
    world.near.send(STREAM * 4)
    # The bytes alone take 8.3 s; the first answer comes after 1.2 s.
    assert world.run_until(all_acknowledged(world)) < 11_500


def test_data_after_a_long_silence_arrives_at_once(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings(bit_error_rate=1e-4))
    world.open()
    world.run_for(1_800_000)
    world.far.send(b"still there?")
    assert world.run_until(lambda: bool(world.near_data)) < 2_000
    assert not world.near_events
    assert not world.far_events


def test_losing_the_last_frames_costs_one_question(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.send(STREAM[:100])
    world.run_until(world.all_at_far(100))
    world.near.send(STREAM[100:200])
    world.run_until(lambda: not world.near.unsent_bytes)
    world.up.clear()
    # A frame takes 0.11 s, a round trip 0.2 s; asking adds two round trips.
    assert world.run_until(all_acknowledged(world)) < 1_300
    assert world.far_data == STREAM[:200]
