"""What a clerk hears, compared with what is true when it is said.

Both are judged: what the counter means (the kind of a result, a verdict, a state), and
what its sentences claim (`sim.world.words`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from sim.cards.issue import masked
from sim.cards.purse_runtime import BALANCE
from sim.world import words
from sim.world.beliefs import Attempt, Belief, minor_of
from sim.world.truth import Truth
from sim.world.world import PURSES
from terminal.day import DayVerdict
from terminal.orders import Paid, RecoveryVerdict, RefusalReason, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sim.world.beliefs import Beliefs, Want
    from sim.world.chronicle import Chronicle
    from sim.world.world import World
    from terminal.day import DayResult
    from terminal.errors import Advice, CardProblemError
    from terminal.orders import InterruptedPayment, PaymentResult, RecoveryOutcome
    from terminal.rebuild import RecoverResult

__all__ = ["Hearing"]

_HOPELESS: Final = frozenset(
    {RefusalReason.BALANCE_TOO_LOW, RefusalReason.OVER_CARD_LIMIT}
)
"""After these the customer goes home with the papers."""
_CARDS: Final = {
    masked(bytes.fromhex(data.card_id)): place for place, data in enumerate(PURSES)
}
_OUTCOMES: Final = {
    RecoveryVerdict.PAID: (Belief.PAID, words.PAID, "it was paid"),
    RecoveryVerdict.NOT_PAID: (Belief.NOT_TAKEN, words.NOT_PAID, "nothing was taken"),
    RecoveryVerdict.STILL_UNKNOWN: (Belief.UNKNOWN, words.OPEN, "still not known"),
    RecoveryVerdict.LEFT_TO_BANK: (Belief.UNKNOWN, words.OPEN, "left to the bank"),
}


class Hearing:
    """See the module."""

    def __init__(self, world: World, chronicle: Chronicle, beliefs: Beliefs) -> None:
        """Listen to the counter in ``world``; what is heard becomes ``beliefs``."""
        self._world = world
        self._chronicle = chronicle
        self._beliefs = beliefs

    def result(self, want: Want, result: PaymentResult, debits_before: int) -> None:
        """How a payment ended.

        Args:
            want: what was to be paid.
            result: what the counter says.
            debits_before: how often its purse had been debited for it before.
        """
        attempt = want.attempt
        match result:
            case Paid():
                self._paid(want, result)
            case Refused(reason=RefusalReason.EARLIER_PAYMENT):
                self._say(f"the counter: {attempt}: there is an earlier payment")
                now = Truth(self._world).debits_for(attempt.declaration, attempt.purse)
                if now != debits_before:
                    self._violation(f"{attempt} was refused, and was debited")
                self._sentences(result.advice, words.NOT_PAID, {})
            case Refused(reason=reason):
                told = f"refused, {reason.value}"
                self._beliefs.believe(attempt, Belief.NOT_TAKEN, told)
                self._sentences(result.advice, words.NOT_PAID, {})
                if reason in _HOPELESS:
                    self._beliefs.give_up(attempt)
            case Unknown():
                self._beliefs.believe(attempt, Belief.UNKNOWN, "not known yet")
                self._sentences(result.advice, words.OPEN, {})
            case _:
                assert_never(result)

    def card_problem(self, problem: CardProblemError) -> None:
        """Why a card cannot be used; reading it debits nothing."""
        self._say(f"the counter: {problem.code.value}")
        self._sentences(problem.advice, words.UNTOUCHED, {})

    def news(self, outcomes: Iterable[RecoveryOutcome]) -> set[Attempt]:
        """What has become of payments that were cut short; which they are."""
        named: set[Attempt] = set()
        for outcome in outcomes:
            belief, claims, told = _OUTCOMES[outcome.verdict]
            card, minor = outcome.card_number_masked, outcome.amount.amount_minor
            attempt = self._beliefs.attempt_of(outcome.declaration, _CARDS[card], minor)
            if attempt is None:
                self._say(f"news of a payment nobody asked about: {outcome.verdict}")
            else:
                named.add(attempt)
                self._beliefs.believe(attempt, belief, told)
                self._amount(attempt, minor)
            facts = {"amount": words.money_words(minor), "card": card}
            if outcome.receipt is not None:
                facts["receipt"] = str(outcome.receipt.number)
            self._sentences(outcome.advice, claims, facts)
        return named

    def open_payments(self, payments: Iterable[InterruptedPayment]) -> set[Attempt]:
        """What the list of interrupted payments says, or a warning."""
        named: set[Attempt] = set()
        for payment in payments:
            card, minor = payment.card_number_masked, payment.amount.amount_minor
            attempt = self._beliefs.attempt_of(payment.declaration, _CARDS[card], minor)
            is_paid = payment.state.is_paid
            if attempt is not None:
                belief = Belief.PAID if is_paid else Belief.UNKNOWN
                told = f"an earlier payment, {payment.state.value}"
                named.add(attempt)
                self._beliefs.believe(attempt, belief, told)
                self._amount(attempt, minor)
            claims = words.PAID if is_paid else words.OPEN
            self._sentences(payment.advice, claims, {"card": card})
        return named

    def day(self, result: DayResult, posted_before: int, *, is_asked: bool) -> None:
        """How an end of day ended.

        Args:
            result: what the counter says.
            posted_before: how many payments the bank had posted before it.
            is_asked: whether there were payments that the bank could tell the end of.
        """
        asked = words.ASKED if is_asked else frozenset()
        self._say(f"the end of day: {result.verdict.value}")
        match result.verdict:
            case DayVerdict.COLLECTED:
                self._collected(result, asked)
            case DayVerdict.NOTHING_TO_SEND:
                if len(Truth(self._world).posted) != posted_before:
                    self._violation("there was nothing to send, and the bank posted")
                self._sentences(result.advice, words.NOTHING_TO_SEND | asked, {})
            case DayVerdict.PENDING | DayVerdict.REFUSED:
                self._sentences(result.advice, words.WAITS, {})
            case _:
                assert_never(result.verdict)

    def recovered(self, result: RecoverResult) -> None:
        """What `raseed-terminal recover` says of a new journal."""
        truth = Truth(self._world)
        self._say(f"the new journal: {result.credited} credited, "
                  f"{result.open_count} open")  # fmt: skip
        worth = sum(one.amount_minor for one in truth.credits)
        told = (result.credited, result.total.amount_minor, result.open_count)
        if told != (len(truth.credits), worth, len(truth.opens)):
            self._violation(f"recover counts {told}, which the card does not hold")
        self._sentences(result.advice, words.UNTOUCHED, {})
        self.news(result.settled)

    def _paid(self, want: Want, paid: Paid) -> None:
        attempt = want.attempt
        self._beliefs.believe(attempt, Belief.PAID, "paid")
        facts = {"amount": words.money_words(minor_of(want.amount))}
        self._sentences(paid.advice, words.PAID, facts)
        balance_minor = self._world.purses[want.purse].memory.integer(BALANCE)
        if paid.balance_after.amount_minor != balance_minor:
            self._violation(f"{attempt}: the balance that was told is wrong")

    def _collected(self, result: DayResult, asked: frozenset[words.Claim]) -> None:
        shares = {"posted": result.posted, "held": result.suspended}
        told = {name: share.total for name, share in shares.items() if share}
        told_minor = sum(total.amount_minor for total in told.values())
        numbers = {batch.number for batch in result.batches if batch.collected}
        if told_minor != Truth(self._world).posted_minor_in(numbers):
            self._violation(f"the bank has not posted what was told: {told_minor}")
        claims = words.PARTLY_HELD if "held" in told else words.COLLECTED
        facts = {
            name: words.money_words(total.amount_minor) for name, total in told.items()
        }
        self._sentences(result.advice, claims | asked, facts)

    def _amount(self, attempt: Attempt, told_minor: int) -> None:
        debits = Truth(self._world).debits_of(attempt.declaration, attempt.purse)
        want = self._beliefs.wants.get(attempt)
        true_minor = {one.amount_minor for one in debits}
        if want is not None:
            true_minor.add(minor_of(want.amount))
        if true_minor != {told_minor}:
            self._violation(f"{told_minor} was told as the amount of {attempt}")

    def _sentences(
        self, advice: Advice, allowed: Collection[words.Claim], facts: Mapping[str, str]
    ) -> None:
        for lie in words.lies_in(advice, allowed, facts):
            self._violation(f"the words are wrong: {lie}")

    def _violation(self, told: str) -> None:
        self._chronicle.violated(told)

    def _say(self, told: str) -> None:
        self._chronicle.say(told)
