"""What happens in each run, drawn from its seed alone.

A run sends the closed batches of one counter to a fresh copy of the bank, in one or
several tasks. A task has one line, or two to two hosts at once; on each line calls
follow one another, each with a host of its own that may have a kill point. When the
lines are through and the batches are not, one more call without any harm must do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from sim.crash.bank.calls import Loss, Script
from sim.crash.bank.host import Dies, KillPoint
from sim.crash.kill_points import Moment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cargo", "Extent", "Kind", "Leg", "Plan", "Subject", "Task", "draw_plan"]


@unique
class Kind(StrEnum):
    """What a run is about."""

    KILLED = "killed, and sent until collected"
    LOST = "answers and acknowledgement lost"
    AGAIN = "sent again after it was collected"
    CHANGED = "changed batch under its number"
    TWO_HOSTS = "two hosts at once"

    @property
    def is_race(self) -> bool:
        """Whether the kernel decides who is first: such a run is never the same."""
        return self is Kind.TWO_HOSTS


_IN_TURN: Final = (
    Kind.KILLED,
    Kind.LOST,
    Kind.CHANGED,
    Kind.TWO_HOSTS,
    Kind.KILLED,
    Kind.AGAIN,
)
"""The kinds that runs go through."""
KILLS_MAX: Final = 3
"""Hosts that die one after another on one line."""
_WEIGHTS: Final = (60, 12, 16, 12)
_DONE: Final = (25, 25, 25, 25)
"""How often a host dies at each of `Dies`, while it posts and when all is posted."""
_OPENING_WRITES: Final = 8
_SHARES_LEFT: Final = (0.1, 0.6)
"""Of a whole call, in which a host dies that starts on what another one left."""


@unique
class Cargo(StrEnum):
    """What a task sends.

    FORGED: another content, with the CLOSE MAC of the true batch. RESIGNED: another
    content with a right CLOSE MAC, as only whoever has the customs card's key can make.
    ALTERED: the true batch with one payment changed under its STAN.
    """

    TRUE = "the batches"
    AGAIN = "the batches once more"
    FORGED = "a shorter batch, not signed"
    RESIGNED = "a shorter batch, signed anew"
    ALTERED = "the batch with one payment altered"

    @property
    def is_changed(self) -> bool:
        """Whether the bank must refuse something of it."""
        return self not in {Cargo.TRUE, Cargo.AGAIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a run sends: batches of one counter, by place in the prepared world."""

    counter: int
    batches: tuple[int, ...]
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What one call without harm comes to, from the start of its host to its end."""

    writes: int
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One call of a line, and where its host dies."""

    script: Script
    kill: KillPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that the terminal does.

    Attributes:
        cargo: what is sent; a changed one only as far as the bank can know it.
        lines: calls one after another, on one line or on two at once.
        head_start: turns that the first line has before the second one dials.
        finishes: whether a call without harm follows when the batches are not through.
    """

    cargo: Cargo
    lines: tuple[tuple[Leg, ...], ...]
    head_start: int = 0
    finishes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    number: int
    kind: Kind
    subject: Subject
    tasks: tuple[Task, ...]


def draw_plan(
    seed: int, number: int, counters: int, measure: Callable[[Subject], Extent]
) -> Plan:
    """The run with this number.

    Args:
        seed: of the whole.
        number: from 0.
        counters: how many there are, with two batches each.
        measure: what a call that sends a subject comes to.
    """
    rng = random.Random(f"{seed}/{number}")
    kind = _IN_TURN[number % len(_IN_TURN)]
    batches: tuple[int, ...] = (rng.randrange(2),)
    if kind is not Kind.CHANGED and rng.random() < 0.3:
        batches = (0, 1)
    subject = Subject(
        counter=rng.randrange(counters), batches=batches, window=rng.choice((1, 2, 4))
    )
    drawer = _Drawer(rng, subject.window, measure(subject))
    return Plan(number=number, kind=kind, subject=subject, tasks=drawer.tasks_of(kind))


class _Drawer:
    """Draws kill points and losses for one run."""

    def __init__(self, rng: random.Random, window: int, extent: Extent) -> None:
        self._rng = rng
        self._window = window
        self._extent = extent

    def tasks_of(self, kind: Kind) -> tuple[Task, ...]:
        """What a run of this kind does."""
        match kind:
            case Kind.KILLED:
                line = self._line(self._rng.randint(2, KILLS_MAX))
                return (Task(cargo=Cargo.TRUE, lines=(line,)),)
            case Kind.LOST:
                line = (self._losing(), *self._line(self._rng.randint(1, 2), done=True))
                return (Task(cargo=Cargo.TRUE, lines=(line,)),)
            case Kind.AGAIN:
                again = self._line(self._rng.randint(1, 2), done=True)
                return (
                    Task(cargo=Cargo.TRUE, lines=(self._line(1),)),
                    Task(cargo=Cargo.AGAIN, lines=(again,)),
                )
            case Kind.CHANGED:
                return self._changed()
            case Kind.TWO_HOSTS:
                return self._two_hosts()

    def _changed(self) -> tuple[Task, ...]:
        """The true batch up to some point, the changed one, the true one again."""
        cut_short = Task(cargo=Cargo.TRUE, lines=(self._line(1),), finishes=False)
        changed = self._rng.choice((Cargo.FORGED, Cargo.RESIGNED, Cargo.ALTERED))
        kills = self._rng.randint(0, 1)
        between = Task(cargo=changed, lines=(self._line(kills, done=True),))
        again = Task(cargo=Cargo.TRUE, lines=(self._line(1, done=True),))
        return (cut_short, between, again, Task(cargo=Cargo.ALTERED, lines=((),)))

    def _two_hosts(self) -> tuple[Task, ...]:
        """The same batches on two lines; one host dies, or both, and comes back."""
        first = (*self._line(1), self._unharmed())
        second = (*self._line(self._rng.randint(0, 1)), self._unharmed())
        head_start = self._rng.choice((0, 0, 1, 3))
        lines = (first, second)
        return (Task(cargo=Cargo.TRUE, lines=lines, head_start=head_start),)

    def _line(self, kills: int, *, done: bool = False) -> tuple[Leg, ...]:
        """Calls whose hosts die; ``done``: there is little left to be written."""
        script = Script(window=self._window)
        return tuple(
            Leg(script=script, kill=self._kill(again=place > 0, done=done))
            for place in range(kills)
        )

    def _unharmed(self) -> Leg:
        return Leg(script=Script(window=self._window))

    def _losing(self) -> Leg:
        """A call that loses turns both ways, and often the acknowledgement."""
        turns = range(1, self._extent.turns + 1)
        lost = self._rng.sample(turns, min(3, len(turns)))
        losses = {turn: self._rng.choice((Loss.UP, Loss.DOWN)) for turn in lost}
        cut = self._rng.random() < 0.7
        script = Script(window=self._window, losses=losses, cut_at_totals=cut)
        return Leg(script=script)

    def _kill(self, *, again: bool, done: bool) -> KillPoint:
        dies = self._rng.choices(tuple(Dies), _DONE if done else _WEIGHTS)[0]
        extent = self._extent
        largest = extent.writes if dies is Dies.WRITE else extent.turns
        if dies is Dies.WRITE and done:
            # Nothing is written but what opening and recovering the database takes.
            largest = min(largest, _OPENING_WRITES)
        elif again:
            # Recovery comes first, and less is left to do.
            largest = max(1, round(largest * self._rng.choice(_SHARES_LEFT)))
        return KillPoint(
            dies=dies,
            number=self._rng.randint(1, largest),
            moment=self._rng.choice(tuple(Moment)),
        )
