"""Everybody in a world, who together bring a story to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from card.profile import Role
from sim.world.chronicle import Chronicle
from sim.world.clerk import Clerk
from sim.world.officer import Officer
from sim.world.truth import Truth

if TYPE_CHECKING:
    from sim.world.world import World

__all__ = ["People"]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The clerk at the counter and, where there is a bank, the officer at its desk."""

    world: World
    chronicle: Chronicle
    clerk: Clerk
    officer: Officer | None

    @classmethod
    def of(cls, world: World, memory: Clerk | None = None) -> Self:
        """People for ``world``; the clerk knows what ``memory`` knew."""
        chronicle = Chronicle()
        desk = None if world.bank is None else world.bank.desk
        return cls(
            world=world,
            chronicle=chronicle,
            clerk=Clerk(world, chronicle, memory),
            officer=None if desk is None else Officer(world, desk, chronicle),
        )

    def check(self) -> None:
        """See that nothing is as it must never be, at any moment."""
        self.clerk.check()
        if self.officer is not None:
            self.officer.check()

    def put_right(self) -> None:
        """Room on the disk, mains, and the customs card in its place."""
        self.world.disk.is_full = False
        if not self.world.is_on:
            self.clerk.switch_on()
        self.clerk.insert(Role.CUSTOMS)

    def finish(self, *, purse_returned: bool, with_day: bool) -> None:
        """All is healed: bring the story to its end and see that nothing is left.

        Args:
            purse_returned: whether the customer's card is there to be asked.
            with_day: whether the day is closed, so that the bank has all of it.
        """
        self.put_right()
        self.clerk.ask()
        if purse_returned:
            self.clerk.finish()
            if self.officer is not None:
                self.officer.finish()
        if with_day:
            self.clerk.close_day()
        self.check()
        self.clerk.expect_nothing_open(purse_returned=purse_returned)
        if with_day:
            self.clerk.expect_all_collected()
            if self.officer is not None:
                self.officer.expect_opens_settled()
        if self.officer is not None and purse_returned:
            self.officer.expect_nothing_left()

    def ending(self) -> str:
        """How it stands, for a transcript: beliefs, debits, and where the value is."""
        truth = Truth(self.world)
        words = [
            f"{attempt} {belief.name.lower()} "
            f"{truth.debits_for(attempt.declaration, attempt.purse)}"
            for attempt, belief in sorted(self.clerk.beliefs.items())
        ]
        held, opens, posted = len(truth.credits), len(truth.opens), len(truth.posted)
        return "; ".join([*words, f"held {held} open {opens} posted {posted}"])
