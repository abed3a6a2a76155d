"""What stands on the receipt of a paid payment, from what the journal keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.money import Money
from settlement.payment import approval_code
from terminal.orders import Receipt

if TYPE_CHECKING:
    from settlement.money import Currency
    from terminal.entries import JournalPayment

__all__ = ["receipt_of"]


def receipt_of(payment: JournalPayment, currency: Currency) -> Receipt:
    """The receipt of ``payment``, which is debited or credited."""
    assert payment.proof is not None, "a debit has a proof"
    assert payment.receipt is not None, "a debit has a receipt"
    assert payment.tx is not None, "a debit has a record"
    balance_minor = payment.proof.balance_after_minor
    return Receipt(
        number=payment.receipt,
        # The card keeps UTC; a receipt has the time of the counter.
        at=payment.tx.at.astimezone(payment.at.tzinfo),
        approval=approval_code(payment.proof.tac),
        balance_after=Money(amount_minor=balance_minor, currency=currency),
    )
