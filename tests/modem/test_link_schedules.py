"""Whatever a line does to frames, the stream is whole and in order, or told lost."""

from __future__ import annotations

import random
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modem.link_state import LinkClosed, LinkLost
from sim.modems.line import LineSettings, Wire
from tests.modem.conftest import LinkWorld

if TYPE_CHECKING:
    from collections.abc import Iterable

ACTIONS = ("pass", "lose", "double", "delay", "garble", "chatter")
DELAY_MS = 60
schedules = st.lists(st.sampled_from(ACTIONS), max_size=40)
sizes = st.lists(st.integers(1, 1_500), min_size=1, max_size=4)
without_hurry = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)


class ScheduledWire(Wire):
    """Frames that are lost, doubled, delayed or damaged as a list says, then none."""

    def __init__(self, schedule: Iterable[str]) -> None:
        super().__init__(LineSettings(), random.Random(1))
        self._schedule = chain(schedule, repeat("pass"))
        self._under_way: list[tuple[int, bytes]] = []
        self.cut = False

    def send(self, data: bytes, now_ms: int) -> None:
        for frame in (b"~" + piece + b"~" for piece in data.split(b"~") if piece):
            at_ms = now_ms + DELAY_MS
            match next(self._schedule):
                case "lose":
                    pass
                case "double":
                    self._put(at_ms, frame + frame)
                case "delay":
                    self._put(at_ms + 700, frame)
                case "garble":
                    middle = len(frame) // 2
                    damaged = bytes((frame[middle] ^ 0x10,))
                    self._put(at_ms, frame[:middle] + damaged + frame[middle + 1 :])
                case "chatter":
                    self._put(at_ms, b"RING~}\x00" + frame + b"~~}}")
                case _:
                    self._put(at_ms, frame)

    def _put(self, at_ms: int, frame: bytes) -> None:
        if not self.cut:
            self._under_way.append((at_ms, frame))

    def receive(self, now_ms: int) -> bytes:
        self._under_way.sort(key=lambda item: item[0])
        due = [frame for at_ms, frame in self._under_way if at_ms <= now_ms]
        del self._under_way[: len(due)]
        return b"".join(due)

    def deadline_ms(self) -> int | None:
        return min((at_ms for at_ms, _ in self._under_way), default=None)

    def clear(self) -> None:
        self._under_way.clear()


class ScheduledWorld(LinkWorld):
    """Two links on such wires."""

    def __init__(self, up: Iterable[str], down: Iterable[str]) -> None:
        super().__init__(LineSettings())
        self.wires = {"up": ScheduledWire(up), "down": ScheduledWire(down)}
        self.lay(self.wires["up"], self.wires["down"])


@without_hurry
@given(up=schedules, down=schedules, near=sizes, far=sizes)
def test_stream_is_whole_and_in_order(
    up: list[str], down: list[str], near: list[int], far: list[int]
) -> None:
    world = ScheduledWorld(up, down)
    there = [random.Random(size).randbytes(size) for size in near]
    back = [random.Random(size).randbytes(size) for size in far]
    for number in range(max(len(there), len(back))):
        for link, pieces in ((world.near, there), (world.far, back)):
            if number < len(pieces):
                link.send(pieces[number])
        world.run_for(400)
    world.run_until(
        lambda: not (world.near.unacknowledged_bytes or world.far.unacknowledged_bytes),
        limit_ms=120_000,
    )
    assert world.far_data == b"".join(there)
    assert world.near_data == b"".join(back)


@without_hurry
@given(up=schedules, down=schedules, size=st.integers(0, 3_000))
def test_close_delivers_first_and_is_clean(
    up: list[str], down: list[str], size: int
) -> None:
    world = ScheduledWorld(up, down)
    stream = random.Random(size).randbytes(size)
    world.run_until(lambda: bool(world.near_events), limit_ms=120_000)
    world.near.send(stream)
    world.near.close()
    world.run_until(lambda: len(world.near_events) == 2, limit_ms=120_000)
    assert world.near_events[1] == LinkClosed(clean=True, by_peer=False)
    assert world.far_data == stream


@pytest.mark.parametrize("cut", ["up", "down", "both"])
@without_hurry
@given(
    up=schedules, down=schedules, size=st.integers(1, 9_000), at=st.integers(1, 9_000)
)
def test_cut_line_is_told_and_nothing_false_is_said(
    cut: str, up: list[str], down: list[str], size: int, at: int
) -> None:
    world = ScheduledWorld(up, down)
    stream = random.Random(size).randbytes(size)
    world.near.send(stream)
    world.far.send(stream)
    world.run_for(at)
    for name in ("up", "down") if cut == "both" else (cut,):
        world.wires[name].cut = True
        world.wires[name].clear()
    ends = (world.near_events, world.far_events)
    world.run_until(
        lambda: all(events and isinstance(events[-1], LinkLost) for events in ends),
        limit_ms=120_000,
    )
    for sender, received in (
        (world.near, world.far_data),
        (world.far, world.near_data),
    ):
        assert stream.startswith(received)
        # What the sender takes for arrived has arrived.
        assert size - sender.unacknowledged_bytes <= len(received)
