"""Payments that were cut short, as the clerk sees them: the list, and the warning.

A customer must never pay twice because nobody remembered that a first attempt was cut
short. So before a payment is taken, whatever is still open for the same declaration is
named; and whatever was open and has turned out to be paid since the program started.
A record found on a customs card has no declaration, but its TX carries D, the digest
of it: that is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.records import payment_digest
from settlement.money import Money
from terminal.entries import PaymentState
from terminal.orders import (
    InterruptedPayment,
    InterruptedState,
    RecoveryVerdict,
    Warned,
)
from terminal.wording_interrupted import interrupted_advice, warning_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from settlement.money import Currency
    from terminal.entries import JournalPayment
    from terminal.errors import Advice
    from terminal.journal import Journal
    from terminal.orders import PaymentOrder, RecoveryOutcome

__all__ = ["EarlierPayments", "interrupted_view", "warned_of"]

_STATES: Final[Mapping[PaymentState, InterruptedState]] = {
    PaymentState.INTENDED: InterruptedState.UNKNOWN,
    PaymentState.BEGUN: InterruptedState.UNKNOWN,
    PaymentState.OPENED: InterruptedState.UNKNOWN,
    PaymentState.DEBITED: InterruptedState.PAID_NOT_CREDITED,
    PaymentState.LEFT_TO_BANK: InterruptedState.LEFT_TO_BANK,
    PaymentState.CREDITED: InterruptedState.PAID,
}


def interrupted_view(
    payment: JournalPayment, currency: Currency, *, elsewhere: bool
) -> InterruptedPayment:
    """One payment of the list, with what will become of it.

    Args:
        payment: one that has not ended.
        currency: this counter's.
        elsewhere: another customs card than the one in the reader holds its record.
    """
    known = payment.details is not None
    state = _STATES[payment.state]
    advice = interrupted_advice(state, known=known, elsewhere=elsewhere)
    return _view(payment, currency, payment.declaration, advice)


class EarlierPayments:
    """The earlier payments that an order must not be taken beside unwarned."""

    def __init__(
        self,
        journal: Journal,
        currency: Currency,
        elsewhere: Callable[[], Collection[int]],
    ) -> None:
        """Look into ``journal``.

        Args:
            journal: this counter's.
            currency: likewise.
            elsewhere: numbers of open payments whose records another customs card
                than the one in the reader holds.
        """
        self._journal = journal
        self._currency = currency
        self._elsewhere = elsewhere
        self._found_paid: set[int] = set()

    def remember(self, outcome: RecoveryOutcome) -> None:
        """Keep in mind what was open and has turned out to be paid."""
        if outcome.verdict is RecoveryVerdict.PAID:
            self._found_paid.add(outcome.number)

    def of(self, order: PaymentOrder) -> list[InterruptedPayment]:
        """Those of the same declaration, oldest first, each with its warning."""
        declaration, elsewhere = order.declaration, self._elsewhere()
        return [
            self._warning(payment, declaration, elsewhere=payment.number in elsewhere)
            for payment in self._candidates()
            if _is_for(payment, declaration)
        ]

    def unwarned(self, order: PaymentOrder) -> list[InterruptedPayment]:
        """The same, but those that the clerk goes on in spite of.

        A warning that nothing was known yet does not cover a payment that has turned
        out to be paid since.
        """
        return [each for each in self.of(order) if warned_of(each) not in order.warned]

    def _candidates(self) -> list[JournalPayment]:
        book = self._journal.payments
        unfinished = [
            payment
            for payment in book.unfinished()
            # Nothing was ever sent for these: they end as refused by themselves.
            if payment.state is not PaymentState.INTENDED
        ]
        still_open = {payment.number for payment in unfinished}
        found_paid = [book.get(number) for number in self._found_paid - still_open]
        return sorted([*unfinished, *found_paid], key=lambda payment: payment.number)

    def _warning(
        self, payment: JournalPayment, declaration: str, *, elsewhere: bool
    ) -> InterruptedPayment:
        state, card = _STATES[payment.state], payment.card_masked
        advice = warning_advice(state, card, elsewhere=elsewhere)
        return _view(payment, self._currency, declaration, advice)


def warned_of(payment: InterruptedPayment) -> Warned:
    """What a clerk who was warned of ``payment`` knows."""
    return Warned(number=payment.number, paid=payment.state.is_paid)


def _is_for(payment: JournalPayment, declaration: str) -> bool:
    if payment.details is not None:
        return payment.declaration == declaration
    return payment.tx is not None and payment.tx.digest == payment_digest(declaration)


def _view(
    payment: JournalPayment, currency: Currency, declaration: str, advice: Advice
) -> InterruptedPayment:
    return InterruptedPayment(
        number=payment.number,
        declaration=declaration,
        amount=Money(amount_minor=payment.amount_minor, currency=currency),
        card_number_masked=payment.card_masked,
        at=payment.at,
        state=_STATES[payment.state],
        advice=advice,
    )
