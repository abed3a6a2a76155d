"""What a clerk holds for true about each payment, and whether it is.

A belief is about an *attempt*: one declaration and one purse. A declaration may be
tried with a second purse while the first attempt is open, which a clerk who was warned
can do; then each attempt has its own end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from sim.world.truth import Truth

if TYPE_CHECKING:
    from sim.world.chronicle import Chronicle
    from sim.world.world import World

__all__ = ["Attempt", "Belief", "Beliefs", "Want"]


class Belief(Enum):
    """What the clerk holds for true about one attempt."""

    NOT_TAKEN = auto()
    UNKNOWN = auto()
    PAID = auto()


@dataclass(frozen=True, slots=True, order=True)
class Attempt:
    """One declaration, to be paid with one purse.

    Attributes:
        purse: index of the customer's card.
    """

    declaration: str
    purse: int = 0

    def __str__(self) -> str:
        by = " with the other purse" if self.purse else ""
        return f"{self.declaration}{by}"


@dataclass(frozen=True, slots=True)
class Want:
    """What one customer wants to pay.

    Attributes:
        purse: index of the customer's card.
        in_spite: whether the clerk takes it in spite of the warning that an earlier
            payment for the same declaration is open; not when it is said to be paid.
    """

    declaration: str
    amount: str
    purse: int = 0
    in_spite: bool = False

    @property
    def attempt(self) -> Attempt:
        """What is tried."""
        return Attempt(self.declaration, self.purse)


class Beliefs:
    """All that one clerk holds for true.

    Attributes:
        wants: what was asked for and has not been given up, by attempt.
        overridden: how often the clerk went on in spite of a warning, by declaration.
    """

    def __init__(
        self, world: World, chronicle: Chronicle, memory: Beliefs | None = None
    ) -> None:
        """Begin with what ``memory`` holds, or with nothing."""
        self._world = world
        self._chronicle = chronicle
        self._held: dict[Attempt, Belief] = {}
        self.wants: dict[Attempt, Want] = {}
        self.overridden: Counter[str] = Counter()
        if memory is not None:
            self._held |= memory._held
            self.wants |= memory.wants
            self.overridden += memory.overridden

    def __contains__(self, attempt: Attempt) -> bool:
        return attempt in self._held

    def __getitem__(self, attempt: Attempt) -> Belief:
        return self._held[attempt]

    @property
    def held(self) -> dict[Attempt, Belief]:
        """What is believed now."""
        return dict(self._held)

    def ask_for(self, want: Want) -> None:
        """Somebody wants to pay; nothing has been taken for it yet."""
        self.wants[want.attempt] = want
        self._held.setdefault(want.attempt, Belief.NOT_TAKEN)

    def give_up(self, attempt: Attempt) -> None:
        """The customer goes home with the papers."""
        self.wants.pop(attempt, None)

    def attempt_of(
        self, declaration: str, purse: int, amount_minor: int
    ) -> Attempt | None:
        """The attempt that the counter speaks of; None when nobody here made it.

        Of a payment without declaration the clerk knows the card and the amount.
        """
        if declaration:
            attempt = Attempt(declaration, purse)
            return attempt if attempt in self._held else None
        found = [
            attempt
            for attempt, want in self.wants.items()
            if attempt.purse == purse and minor_of(want.amount) == amount_minor
        ]
        return found[0] if len(found) == 1 else None

    def believe(self, attempt: Attempt, belief: Belief, words: str) -> None:
        """Believe what the counter says, and see whether it is true."""
        self._chronicle.say(f"the counter: {attempt}: {words}")
        self._held[attempt] = belief
        debits = Truth(self._world).debits_for(attempt.declaration, attempt.purse)
        if belief is Belief.PAID and debits != 1:
            self._violation(f"'{words}' was said of {attempt} and is false")
        if belief is Belief.NOT_TAKEN and debits != 0:
            self._violation(f"'{words}' was said of {attempt} and is false")

    def suppose_not_taken(self, attempt: Attempt) -> None:
        """Take it for not taken, though nobody said so: a warning may tell better."""
        self._held[attempt] = Belief.NOT_TAKEN

    def is_wanted(self, attempt: Attempt) -> bool:
        """Whether somebody still waits for this declaration to be paid."""
        return attempt in self.wants and not self.is_paid(attempt.declaration)

    def is_paid(self, declaration: str) -> bool:
        """Whether it is believed to be paid, with whichever purse."""
        return any(
            belief is Belief.PAID
            for attempt, belief in self._held.items()
            if attempt.declaration == declaration
        )

    def check(self, truth: Truth) -> None:
        """Compare everything with ``truth``, when nothing is under way.

        A declaration may be debited once, and once more for each time that the clerk
        went on in spite of a warning.
        """
        for declaration in sorted({attempt.declaration for attempt in self._held}):
            debits = truth.debits_for(declaration)
            if debits > 1 + self.overridden[declaration]:
                self._violation(f"{declaration} was debited {debits} times")
        for attempt, belief in self._held.items():
            debits = truth.debits_for(attempt.declaration, attempt.purse)
            if debits > 1:
                self._violation(f"{attempt} was debited {debits} times")
            if belief is Belief.PAID and debits != 1:
                self._violation(f"{attempt} was told as paid, and is not")

    def _violation(self, words: str) -> None:
        self._chronicle.violated(words)


def minor_of(amount: str) -> int:
    """An amount of a `Want`, which has three decimals, in minor units.

    >>> minor_of("1.234")
    1234
    """
    return int(amount.replace(".", ""))
