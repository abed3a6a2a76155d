"""The people of a story: a clerk who does what the counter's words say, and no more.

The clerk is told words only: results of payments, what recovery found out, what is
still interrupted. Each word is compared with the truth at the moment it is spoken
(`sim.world.hearing`). When the counter says that nothing was taken, or says nothing at
all about a payment, the clerk takes the payment again; so a wrong word debits a
customer twice, and is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.profile import Role
from settlement.payment import PaymentKind
from sim.world.beliefs import Attempt, Belief, Beliefs
from sim.world.fate import PowerOffError
from sim.world.hearing import Hearing
from sim.world.truth import Truth
from sim.world.world import PIN
from terminal.errors import CardProblemError, JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.world.beliefs import Want
    from sim.world.chronicle import Chronicle
    from sim.world.world import World

__all__ = ["Clerk"]

_ATTEMPTS_MAX: Final = 4
"""In a healed world the first attempt succeeds; more than that is a defect."""
_RECOVERIES_MAX: Final = 10
"""Each fault stops one; no story has so many."""


class Clerk:
    """See the module."""

    def __init__(
        self, world: World, chronicle: Chronicle, memory: Clerk | None = None
    ) -> None:
        """Work at the counter of ``world``; ``memory`` knows what was before."""
        self._world = world
        self._chronicle = chronicle
        known: Beliefs | None = None if memory is None else memory._beliefs
        self._beliefs: Beliefs = Beliefs(world, chronicle, known)
        self._hearing = Hearing(world, chronicle, self._beliefs)

    # What the clerk does.

    def switch_on(self) -> set[Attempt]:
        """Start the program until it runs, however often the machine loses power.

        Returns:
            What it named.
        """
        named: set[Attempt] = set()
        while not self._world.is_on:
            try:
                named |= self._hearing.news(self._world.switch_on())
            except PowerOffError:
                self._say("the machine loses power at its start")
            except JournalError:
                self._say("the program does not start: the disk is full")
                self._world.disk.is_full = False
        # What the list of interrupted payments says after a start.
        return named | self._hearing.open_payments(self._world.counter.interrupted())

    def replace_machine(self) -> None:
        """The machine is lost; its journal is made anew from the customs card.

        The new counter names every payment that is on the card. What the clerk still
        wonders about and it does not name is taken again, unless the counter warns.
        """
        self._say("the machine is lost, and with it its journal")
        self._world.lose_machine()
        for _ in range(_RECOVERIES_MAX):
            if self._recover():
                break
        else:
            self._violation("the journal cannot be made anew")
        named = self.switch_on()
        for attempt, belief in self._beliefs.held.items():
            if belief is Belief.UNKNOWN and attempt not in named:
                self._say(f"{attempt} is not named")
                self._beliefs.suppose_not_taken(attempt)

    def take(self, want: Want) -> None:
        """Take a payment, as far as it goes."""
        self._beliefs.ask_for(want)
        self._say(f"{want.attempt}: {want.amount} is to be paid")
        self.insert(Role.PURSE, want.purse)
        self._guarded(lambda: self._take(want))

    def take_in_spite(self, want: Want) -> None:
        """Take a payment that another card did not get done, warned or not."""
        if not self._beliefs.is_paid(want.declaration):
            self.take(want)

    def look_at(self, purse: int) -> None:
        """Put a card in and have it read, as for a payment that is then not made."""
        self.insert(Role.PURSE, purse)
        self._guarded(self._look)

    def insert(self, role: Role, purse: int = 0) -> None:
        """Put a card in; the counter says what it finds out."""
        world = self._world
        card = world.customs if role is Role.CUSTOMS else world.purses[purse]
        if world.readers.cards.get(role) is card:
            return
        self._say(f"{_name(role, purse)} is put in")
        world.readers.insert(role, card)
        self.ask()

    def remove(self, role: Role) -> None:
        """Take out whatever lies in the reader."""
        if role in self._world.readers.cards:
            self._say(f"the {role.value} card is taken out")
            self._world.readers.remove(role)

    def ask(self) -> None:
        """Have the counter look at the cards that are there; it says what it finds."""
        self._guarded(self._hear_news)

    def close_day(self) -> None:
        """The end of day, as far as it goes."""
        self._say("the end of day is asked for")
        self._guarded(self._close_day)

    def finish(self) -> None:
        """In a healed world: take again what is not taken, until all is known."""
        self.remove(Role.PURSE)
        self.insert(Role.PURSE)
        for _ in range(_ATTEMPTS_MAX):
            for want in self._of_interest(Belief.UNKNOWN):
                self.remove(Role.PURSE)
                self.insert(Role.PURSE, want.purse)
            for want in self._of_interest(Belief.NOT_TAKEN):
                if self._beliefs.is_wanted(want.attempt):
                    self.take(want)
        for attempt in self._beliefs.wants:
            is_known = self._beliefs[attempt] is not Belief.UNKNOWN
            if not is_known or self._beliefs.is_wanted(attempt):
                self._violation(f"{attempt} cannot be paid, though all is healed")

    def check(self) -> None:
        """Compare what is believed with what is true, when nothing is under way."""
        truth = Truth(self._world)
        for words in truth.violations():
            self._violation(words)
        self._beliefs.check(truth)

    def expect_nothing_open(self, *, purse_returned: bool) -> None:
        """In a healed world nothing stays open, unless its purse never came back."""
        truth, counter = Truth(self._world), self._world.counter
        opens, interrupted = len(truth.opens), len(counter.interrupted())
        if purse_returned and (opens or interrupted):
            self._violation(f"{opens} records and {interrupted} payments stay open")
        if opens != interrupted:
            self._violation("what is open on the card is not what the counter shows")

    def expect_all_collected(self) -> None:
        """After the last end of day the bank has all that is not open."""
        truth, counter = Truth(self._world), self._world.counter
        missing = set(truth.debits) - set(truth.posted) - set(truth.opens)
        if missing or truth.credits or counter.snapshot().unsettled:
            self._violation("the bank has not got everything, though all is healed")

    @property
    def beliefs(self) -> dict[Attempt, Belief]:
        """What is believed now."""
        return self._beliefs.held

    def _of_interest(self, belief: Belief) -> list[Want]:
        """What customers want of which the clerk believes this."""
        wants = self._beliefs.wants
        return [want for key, want in wants.items() if self._beliefs[key] is belief]

    def _recover(self) -> bool:
        """Have the journal made anew; False when something came in between."""
        world = self._world
        world.readers.insert(Role.CUSTOMS, world.customs)
        try:
            self._hearing.recovered(world.recover())
        except PowerOffError:
            self._say("the machine loses power while the journal is made")
        except JournalError:
            self._say("the journal cannot be made: the disk is full")
            world.disk.is_full = False
        except CardProblemError as problem:
            self._hearing.card_problem(problem)
            world.readers.remove(Role.CUSTOMS)
        else:
            return True
        return False

    def _take(self, want: Want) -> None:
        """The steps of the screens: details, warning, card, PIN."""
        counter = self._world.counter
        order = counter.check_order(want.declaration, want.amount, PaymentKind.FEES)
        earlier = counter.earlier_payments(order)
        self._hearing.open_payments(earlier)
        if earlier:
            if not want.in_spite or self._beliefs.is_paid(want.declaration):
                return
            order = counter.go_on_all_the_same(order)
            self._beliefs.overridden[want.declaration] += 1
            self._say("the clerk goes on in spite of the warning")
        before = Truth(self._world).debits_for(want.declaration, want.purse)
        try:
            seen = counter.read_purse()
        except CardProblemError as problem:
            self._hearing.card_problem(problem)
            return
        refusal = counter.check_purse(order, seen)
        result = refusal or counter.pay(order, seen, bytearray(PIN))
        self._hearing.result(want, result, before)

    def _look(self) -> None:
        try:
            self._world.counter.read_purse()
        except CardProblemError as problem:
            self._hearing.card_problem(problem)

    def _close_day(self) -> None:
        posted = len(Truth(self._world).posted)
        counter = self._world.counter
        is_asked = bool(counter.interrupted())
        result = counter.close_day(lambda _: None)
        self._hearing.day(result, posted, is_asked=is_asked)
        self._hear_news()

    def _hear_news(self) -> None:
        self._hearing.news(self._world.counter.on_card_inserted())

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something at the counter, which may lose power meanwhile."""
        if not self._world.is_on:
            self.switch_on()
        try:
            act()
        except PowerOffError:
            self._say("the machine loses power")
            self._world.switch_off()
        except JournalError:
            self._say("the counter: the journal cannot be used")

    def _violation(self, words: str) -> None:
        self._chronicle.violated(words)

    def _say(self, words: str) -> None:
        self._chronicle.say(words)


def _name(role: Role, purse: int) -> str:
    if role is Role.CUSTOMS:
        return "the customs card"
    return "the other purse" if purse else "the purse"
