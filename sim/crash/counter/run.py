"""One story at a counter that is killed on the way: played, healed, judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settlement.bank import Bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from sim.crash.counter.clerk import Clerk
from sim.crash.counter.errors import ViolationError
from sim.crash.counter.evidence import problems_at_the_end
from sim.crash.counter.world import CounterWorld
from sim.crash.points import kills_text
from sim.world.clock import WorldClock

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.store.books import BankStore
    from sim.crash.children import ForkServer
    from sim.crash.counter.stories import Story
    from sim.crash.kill_points import TracedCall
    from sim.crash.points import KillPoint, PointKind

__all__ = ["Played", "play"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run ended.

    Attributes:
        struck: how many of the kills came to pass.
        signals: how the killed processes ended: minus the signal of each.
        told: what the program said, in order, without times.
        violations: what did not hold; empty when all is well.
        journal: the calls that changed the journal's files; only without kills.
        passed: the other points that were passed; only without kills.
    """

    story: str
    kills: tuple[KillPoint, ...]
    struck: int
    signals: tuple[int, ...]
    told: tuple[str, ...]
    violations: tuple[str, ...]
    journal: tuple[TracedCall, ...]
    passed: dict[PointKind, tuple[str, ...]]

    @property
    def line(self) -> str:
        """The run in one line of the transcript."""
        end = "; ".join(self.violations) or "all accounted"
        told = ", ".join(self.told)
        line = f"{self.story} {kills_text(self.kills)} [{told}] {end}"
        # A program that raised left its whole traceback.
        return line.replace("\n", " | ")


def play(
    server: ForkServer,
    story: Story,
    kills: tuple[KillPoint, ...],
    *,
    folder: Path,
    store: BankStore,
) -> Played:
    """Play ``story`` and kill the program at ``kills``, one after the other.

    Args:
        server: makes the programs.
        story: what is to be done.
        kills: each is counted from the one before it.
        folder: empty; for journal and traces.
        store: the bank's database, new, which knows the cards.
    """
    world = CounterWorld(Bank(store, MasterKeyStore(TEST_MASTERS)), WorldClock())
    clerk = Clerk(server, world, kills, folder=folder)
    program = clerk.program
    violations: list[str] = []
    try:
        clerk.play(story)
        violations += problems_at_the_end(world.truth, story, folder, store)
        violations += program.kills_that_were_none()
    except ViolationError as error:
        violations.append(str(error))
    finally:
        program.end()
    passed = {} if kills else world.passed
    return Played(
        story=story.name,
        kills=kills,
        struck=program.struck,
        signals=tuple(program.signals),
        told=tuple(program.told),
        violations=tuple(violations),
        journal=() if kills else tuple(program.journal),
        passed={kind: tuple(names) for kind, names in passed.items()},
    )
