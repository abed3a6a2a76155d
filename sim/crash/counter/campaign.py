"""A campaign: many runs on several cores, their results in the order of the plan.

The result of a campaign depends on its plan only: each run has cards, journal, bank and
clock of its own, and which worker plays it changes nothing.
"""

from __future__ import annotations

import selectors
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.crash.children import ForkServer
from sim.crash.counter.child import REPORT, TASK
from sim.crash.counter.plan import all_points, choose
from sim.crash.counter.worker import played_from, task_document
from sim.crash.errors import CrashHarnessError
from sim.crash.fork_server import FAILED
from sim.crash.frames import Frame
from sim.crash.points import PointKind

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from sim.crash.children import Child
    from sim.crash.counter.plan import Task
    from sim.crash.counter.run import Played

__all__ = ["Campaign", "WorkerError", "Workers", "run_campaign"]

_WORKER: Final = "sim.crash.counter.worker:main"
_WORKER_LIMIT_S: Final = 3600.0


class WorkerError(CrashHarnessError):
    """A worker failed; its own words are in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign came to.

    Attributes:
        firsts: each story without a kill, by name.
        runs: one for each kill point, in the order of the plan.
    """

    firsts: dict[str, Played]
    runs: tuple[Played, ...]

    @property
    def double_kills(self) -> int:
        """How many runs were killed a second time."""
        return sum(run.struck > 1 for run in self.runs)

    @property
    def violations(self) -> tuple[Played, ...]:
        """The runs in which something did not hold, those without a kill included."""
        played = (*self.firsts.values(), *self.runs)
        return tuple(run for run in played if run.violations)

    def count(self, kind: PointKind) -> int:
        """How many runs were killed at a point of this kind first."""
        return sum(run.struck > 0 and run.kills[0].kind is kind for run in self.runs)

    @property
    def kill_points(self) -> int:
        """How many points there were at which a program was really killed."""
        return sum(self.count(kind) for kind in PointKind)

    @property
    def transcript(self) -> str:
        """Every run in one line: points and words, no times and no process ids."""
        played = (*self.firsts.values(), *self.runs)
        return "".join(f"{run.line}\n" for run in played)


class Workers:
    """Processes that play runs; leaving the block ends them."""

    def __init__(self, jobs: int) -> None:
        """Start ``jobs`` of them."""
        with ExitStack() as stack:
            server = stack.enter_context(ForkServer(_WORKER))
            self._children = [
                stack.enter_context(server.child(limit_s=_WORKER_LIMIT_S))
                for _ in range(jobs)
            ]
            self._stack = stack.pop_all()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            # They end by themselves, and remove what they made, when they hear no more.
            for child in self._children if kind is None else ():
                child.line.close()
                child.wait()

    def play(
        self, tasks: Sequence[Task], on_played: Callable[[Played], None]
    ) -> list[Played]:
        """Play all ``tasks``; the results in their order.

        Args:
            tasks: what to play.
            on_played: told of each run when it is done, in any order.

        Raises:
            WorkerError: one of them failed.
        """
        results: dict[int, Played] = {}
        waiting = list(enumerate(tasks))[::-1]
        with selectors.DefaultSelector() as selector:
            for child in self._children:
                _hand_out(selector, child, waiting)
            while selector.get_map():
                for key, _ in selector.select():
                    child, index = key.data
                    selector.unregister(child.line)
                    played = _report(child)
                    results[index] = played
                    on_played(played)
                    _hand_out(selector, child, waiting)
        return [results[index] for index in range(len(tasks))]


def _hand_out(
    selector: selectors.BaseSelector, child: Child, waiting: list[tuple[int, Task]]
) -> None:
    if waiting:
        index, task = waiting.pop()
        child.line.send(Frame.of(TASK, task_document(task)))
        selector.register(child.line, selectors.EVENT_READ, (child, index))


def _report(child: Child) -> Played:
    frame = child.line.receive()
    if frame.kind == FAILED:
        raise WorkerError(frame.body.decode())
    assert frame.kind == REPORT, "a worker says nothing else"
    return played_from(frame.document())


def run_campaign(
    workers: Workers,
    stories: Sequence[str],
    *,
    points: int,
    doubles: int,
    source: random.Random,
    on_played: Callable[[Played], None] = lambda _: None,
) -> Campaign:
    """Play each story without a kill, then at the points that ``source`` chooses.

    Args:
        workers: who play.
        stories: names, in the order in which they are taken.
        points: see `choose`, and so is ``doubles``.
        doubles: runs that are killed twice.
        source: of the choice.
        on_played: told of each run with a kill.
    """
    firsts = workers.play([(name, ()) for name in stories], lambda _: None)
    by_story = {first.story: all_points(first) for first in firsts}
    tasks = choose(by_story, points=points, doubles=doubles, source=source)
    runs = workers.play(tasks, on_played)
    return Campaign(firsts={one.story: one for one in firsts}, runs=tuple(runs))
