"""All scenarios of the fault matrix: none, one and two faults, on every core there is.

The second fault strikes at a point that the run with the first one alone passed after
it: points are only known by passing them. So one *task* is a story, a follow-up and a
first fault; it runs that, and then every second fault after it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sim.faults.scenario import Outcome, Scenario
from sim.faults.stories import STORIES
from sim.faults.workshop import Workshop
from sim.world.fate import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sim.faults.stories import FollowUp, Story
    from sim.world.fate import Point

__all__ = ["Tally", "exhaust", "sample", "tasks_of"]

_VIOLATIONS_KEPT: Final = 20
"""Stories of so many bad scenarios are kept; one defect shows in many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A story and a follow-up, with a first fault or with none at all.

    Attributes:
        seed: chooses the pairs that a quick run strikes; None strikes every pair.
    """

    story: Story
    follow_up: FollowUp
    first: Fault | None
    seed: int | None

    @property
    def scenario(self) -> Scenario:
        """What to run first."""
        faults = () if self.first is None else (self.first,)
        return Scenario(story=self.story, follow_up=self.follow_up, faults=faults)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What some scenarios came to, to be added up.

    Attributes:
        scenarios: how many, by story, follow-up and number of faults.
        struck: how many faults of each kind were tried.
        violations: how many scenarios ended badly.
        bad: the first of them, with their stories.
        transcript: digest of every scenario and its ending, in order.
    """

    scenarios: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    violations: int = 0
    bad: list[tuple[str, Outcome]] = field(default_factory=list)
    transcript: str = ""

    @property
    def total(self) -> int:
        """How many scenarios there were."""
        return self.scenarios.total()

    def count(self, scenario: Scenario, outcome: Outcome) -> None:
        """Add one scenario."""
        place = (scenario.story.name, scenario.follow_up.name, len(scenario.faults))
        self.scenarios[place] += 1
        self.struck.update(fault.kind.name for fault in scenario.faults)
        line = f"{scenario}: {outcome.ending}"
        if outcome.violations:
            self.violations += 1
            line += f" VIOLATED: {outcome.violations}"
            if len(self.bad) < _VIOLATIONS_KEPT:
                self.bad.append((str(scenario), outcome))
        self.transcript = _digest(self.transcript + line)

    def add(self, other: Tally) -> None:
        """Add what another process counted."""
        self.scenarios += other.scenarios
        self.struck += other.struck
        self.violations += other.violations
        self.bad += other.bad[: _VIOLATIONS_KEPT - len(self.bad)]
        self.transcript = _digest(self.transcript + other.transcript)


def tasks_of(
    workshop: Workshop, stories: Iterable[Story], seed: int | None = None
) -> list[Task]:
    """Every story with every follow-up and every first fault."""
    tasks = []
    for story in stories:
        for follow_up in story.follow_ups:
            plain = Task(story=story, follow_up=follow_up, first=None, seed=seed)
            points = workshop.run(plain.scenario).points
            tasks.append(plain)
            tasks += [
                Task(story=story, follow_up=follow_up, first=fault, seed=seed)
                for fault in _faults(points, after=-1)
            ]
    return tasks


def exhaust(
    stories: Sequence[Story] = STORIES,
    *,
    seed: int | None,
    processes: int,
    on_progress: Callable[[int, int, Tally], None],
) -> Tally:
    """Run every scenario with up to two faults.

    Args:
        stories: which ones.
        seed: for a quick run, which strikes every single fault, and of the pairs one
            in as many as the story says; None for all of them.
        processes: how many to run at once.
        on_progress: told after each task how many are done, of how many, and the
            tally so far.
    """
    with Workshop() as workshop:
        tasks = tasks_of(workshop, stories, seed)
    return _share_out(_run_task, tasks, processes, on_progress)


def sample(
    seed: int,
    count: int,
    *,
    processes: int,
    on_progress: Callable[[int, int, Tally], None],
) -> Tally:
    """Run ``count`` scenarios with three faults each, chosen by ``seed``."""
    seeds = [(seed, index) for index in range(count)]
    return _share_out(_run_sample, seeds, processes, on_progress)


def _share_out(
    work: Callable[..., Tally],
    tasks: Sequence[object],
    processes: int,
    on_progress: Callable[[int, int, Tally], None],
) -> Tally:
    total = Tally()
    # A fresh interpreter for each: nothing is shared that a fork could tear.
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _open_workshop) as pool:
        # In order, so that the transcript does not depend on who was faster.
        for done, tally in enumerate(pool.imap(work, tasks, chunksize=1), 1):
            total.add(tally)
            on_progress(done, len(tasks), total)
        pool.close()
        pool.join()
    return total


_workshops: list[Workshop] = []
"""The one workshop of a worker process, which lives as long as it does."""


def _open_workshop() -> None:
    workshop = Workshop()
    _workshops.append(workshop)
    multiprocessing.util.Finalize(workshop, workshop.close, exitpriority=10)


def _run_task(task: Task) -> Tally:
    tally = Tally()
    (workshop,) = _workshops
    outcome = workshop.run(task.scenario)
    tally.count(task.scenario, outcome)
    if task.first is None:
        return tally
    for second in _faults(outcome.points, after=task.first.at):
        scenario = Scenario(
            story=task.story, follow_up=task.follow_up, faults=(task.first, second)
        )
        if _is_struck(scenario, task.seed):
            tally.count(scenario, workshop.run(scenario))
    return tally


def _is_struck(scenario: Scenario, seed: int | None) -> bool:
    if seed is None:
        return True
    drawn = int(_digest(f"{seed} {scenario}")[:8], 16)
    return drawn % scenario.story.one_pair_in == 0


def _run_sample(seeds: tuple[int, int]) -> Tally:
    (workshop,) = _workshops
    draw = random.Random(repr(seeds))
    story = draw.choice(STORIES)
    follow_up = draw.choice(story.follow_ups)
    faults: tuple[Fault, ...] = ()
    tally = Tally()
    for _ in range(_FAULTS_SAMPLED):
        scenario = Scenario(story=story, follow_up=follow_up, faults=faults)
        points = workshop.run(scenario).points
        later = list(_faults(points, after=faults[-1].at if faults else -1))
        if not later:
            break
        faults = (*faults, draw.choice(later))
    scenario = Scenario(story=story, follow_up=follow_up, faults=faults)
    tally.count(scenario, workshop.run(scenario))
    return tally


_FAULTS_SAMPLED: Final = 3


def _faults(points: Sequence[Point], *, after: int) -> Iterator[Fault]:
    """Every fault at every point that comes after the ``after``-th."""
    for at, point in enumerate(points):
        if at > after:
            for kind in point.site.kinds:
                yield Fault(at, kind)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
