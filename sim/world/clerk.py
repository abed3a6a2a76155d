"""The people of a story: a clerk who does what the counter's words say, and no more.

The clerk is told words only: results of payments, what recovery found out, what is
still interrupted. Each word is compared with the truth at the moment it is spoken. When
the counter says that nothing was taken, or says nothing at all about a payment, the
clerk takes the payment again; so a wrong word debits a customer twice, and is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from card.profile import Role
from settlement.payment import PaymentKind
from sim.world.fate import PowerOffError
from sim.world.truth import Truth
from sim.world.world import PIN
from terminal.errors import CardProblemError, JournalError
from terminal.orders import Paid, RecoveryVerdict, RefusalReason, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sim.world.chronicle import Chronicle
    from sim.world.world import World
    from terminal.orders import PaymentResult, RecoveryOutcome

__all__ = ["Belief", "Clerk", "Want"]

_ATTEMPTS_MAX: Final = 4
"""In a healed world the first attempt succeeds; more than that is a defect."""


_HOPELESS: Final = frozenset(
    {RefusalReason.BALANCE_TOO_LOW, RefusalReason.OVER_CARD_LIMIT}
)
"""After these the customer goes home with the papers."""


class Belief(Enum):
    """What the clerk holds for true about one declaration."""

    NOT_TAKEN = auto()
    UNKNOWN = auto()
    PAID = auto()


@dataclass(frozen=True, slots=True)
class Want:
    """What one customer wants to pay.

    Attributes:
        purse: index of the customer's card.
    """

    declaration: str
    amount: str
    purse: int = 0


class Clerk:
    """See the module."""

    def __init__(
        self, world: World, chronicle: Chronicle, memory: Clerk | None = None
    ) -> None:
        """Work at the counter of ``world``; ``memory`` knows what was before."""
        self._world = world
        self._chronicle = chronicle
        self._beliefs: dict[str, Belief] = {}
        self._wants: dict[str, Want] = {}
        if memory is not None:
            self._beliefs |= memory._beliefs
            self._wants |= memory._wants

    # What the clerk does.

    def switch_on(self) -> None:
        """Start the program until it runs, however often the machine loses power."""
        while not self._world.is_on:
            try:
                self._hear_news(self._world.switch_on())
            except PowerOffError:
                self._say("the machine loses power at its start")
            except JournalError:
                self._say("the program does not start: the disk is full")
                self._world.disk.is_full = False
        self._look_up_what_is_open()

    def take(self, want: Want) -> None:
        """Take a payment, as far as it goes."""
        self._wants[want.declaration] = want
        self._beliefs.setdefault(want.declaration, Belief.NOT_TAKEN)
        self._say(f"{want.declaration}: {want.amount} is to be paid")
        self.insert(Role.PURSE, want.purse)
        self._guarded(lambda: self._take(want))

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
        self._guarded(lambda: self._hear_news(self._world.counter.on_card_inserted()))

    def close_day(self) -> None:
        """The end of day, as far as it goes."""
        self._say("the end of day is asked for")
        self._guarded(self._close_day)

    def finish(self) -> None:
        """In a healed world: take again what is not taken, until all is known."""
        self.remove(Role.PURSE)
        self.insert(Role.PURSE)
        for declaration, want in list(self._wants.items()):
            for _ in range(_ATTEMPTS_MAX):
                if declaration not in self._wants:
                    break
                match self._beliefs[declaration]:
                    case Belief.UNKNOWN:
                        self.remove(Role.PURSE)
                        self.insert(Role.PURSE, want.purse)
                    case Belief.NOT_TAKEN:
                        self.take(want)
                    case Belief.PAID:
                        break
            if self._is_wanted(declaration):
                self._violation(f"{declaration} cannot be paid, though all is healed")

    def check(self) -> None:
        """Compare what is believed with what is true, when nothing is under way."""
        truth = Truth(self._world)
        for words in truth.violations():
            self._violation(words)
        for declaration, belief in self._beliefs.items():
            debits = truth.debits_for(declaration)
            if debits > 1:
                self._violation(f"{declaration} was debited {debits} times")
            if belief is Belief.PAID and debits != 1:
                self._violation(f"{declaration} was told as paid, and is not")

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
    def beliefs(self) -> dict[str, Belief]:
        """What is believed now, by declaration."""
        return dict(self._beliefs)

    # What the clerk hears.

    def _take(self, want: Want) -> None:
        counter = self._world.counter
        try:
            seen = counter.read_purse()
            order = counter.check_order(want.declaration, want.amount, PaymentKind.FEES)
        except CardProblemError as problem:
            self._say(f"the counter: {problem.code.value}")
            return
        refusal = counter.check_purse(order, seen)
        result = refusal or counter.pay(order, seen, bytearray(PIN))
        self._hear_result(want.declaration, result)

    def _look(self) -> None:
        try:
            self._world.counter.read_purse()
        except CardProblemError as problem:
            self._say(f"the counter: {problem.code.value}")

    def _close_day(self) -> None:
        result = self._world.counter.close_day(lambda _: None)
        self._say(f"the end of day: {result.verdict.value}")
        self._hear_news(self._world.counter.on_card_inserted())

    def _hear_result(self, declaration: str, result: PaymentResult) -> None:
        match result:
            case Paid():
                self._believe(declaration, Belief.PAID, "paid")
            case Refused(reason=reason):
                words = f"refused, {reason.value}"
                self._believe(declaration, Belief.NOT_TAKEN, words)
                if reason in _HOPELESS:
                    del self._wants[declaration]
            case _:
                self._believe(declaration, Belief.UNKNOWN, "not known yet")

    def _hear_news(self, outcomes: Iterable[RecoveryOutcome]) -> None:
        for outcome in outcomes:
            declaration = outcome.declaration
            if declaration not in self._beliefs:
                self._say(f"news of a payment nobody asked about: {outcome.verdict}")
                continue
            match outcome.verdict:
                case RecoveryVerdict.PAID:
                    self._believe(declaration, Belief.PAID, "it was paid")
                case RecoveryVerdict.NOT_PAID:
                    words = "nothing was taken"
                    self._believe(declaration, Belief.NOT_TAKEN, words)
                case _:
                    self._believe(declaration, Belief.UNKNOWN, "still not known")

    def _look_up_what_is_open(self) -> None:
        """What the list of interrupted payments says after a start."""
        for payment in self._world.counter.interrupted():
            if payment.declaration in self._beliefs:
                words = "in the list of interrupted payments"
                self._believe(payment.declaration, Belief.UNKNOWN, words)

    def _believe(self, declaration: str, belief: Belief, words: str) -> None:
        self._say(f"the counter: {declaration}: {words}")
        self._beliefs[declaration] = belief
        debits = Truth(self._world).debits_for(declaration)
        if belief is Belief.PAID and debits != 1:
            self._violation(f"'{words}' was said of {declaration} and is false")
        if belief is Belief.NOT_TAKEN and debits != 0:
            self._violation(f"'{words}' was said of {declaration} and is false")

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

    def _is_wanted(self, declaration: str) -> bool:
        """Whether somebody still waits for this payment."""
        is_paid = self._beliefs[declaration] is Belief.PAID
        return declaration in self._wants and not is_paid

    def _violation(self, words: str) -> None:
        self._chronicle.violated(words)

    def _say(self, words: str) -> None:
        self._chronicle.say(words)


def _name(role: Role, purse: int) -> str:
    if role is Role.CUSTOMS:
        return "the customs card"
    return "the other purse" if purse else "the purse"
