"""One scenario: a story, the faults that strike it, and what people do afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.faults.stories import FollowUp, Story
    from sim.world.fate import Fault, Point
    from sim.world.people import People

__all__ = ["Outcome", "Scenario", "happen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to run; equal scenarios run equally."""

    story: Story
    follow_up: FollowUp
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        faults = ",".join(str(fault) for fault in self.faults) or "none"
        return f"{self.story.name} / {self.follow_up.name} / {faults}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a scenario.

    Attributes:
        points: every point at which something could have gone wrong.
        violations: what must not be; empty when all is well.
        story: what was done and said, after the faults that struck.
        ending: how it ended, in few words, for the transcript.
    """

    points: tuple[Point, ...]
    violations: tuple[str, ...]
    story: tuple[str, ...]
    ending: str


def happen(scenario: Scenario, people: People) -> Outcome:
    """Let ``scenario`` happen in a world that is switched off, and judge it."""
    world, story = people.world, scenario.story
    people.clerk.switch_on()
    world.fate.arm(scenario.faults)
    story.main(people)
    people.check()
    scenario.follow_up.act(people)
    people.check()
    points = tuple(world.fate.points)
    if not world.fate.all_struck:
        people.chronicle.violated("a fault that was asked for never struck")
    struck = [
        f"at point {fault.at}, {point.name}: {fault.kind.value}"
        for fault, point in world.fate.struck
    ]
    world.fate.heal()
    people.finish(
        purse_returned=scenario.follow_up.purse_returns, with_day=story.ends_with_day
    )
    return Outcome(
        points=points,
        violations=tuple(people.chronicle.violations),
        story=(*struck, *people.chronicle.lines),
        ending=people.ending(),
    )
