"""Whether the journal holds the very credits that a batch was closed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.records import CHAIN_START, chain_next

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.records import BatchClose
    from terminal.entries import JournalPayment

__all__ = ["agrees"]


def agrees(close: BatchClose, payments: Sequence[JournalPayment]) -> bool:
    """Whether count, sum and chain of ``payments`` are what was closed.

    Args:
        close: what CLOSE BATCH answered.
        payments: the credited ones of that batch, in the order of their credits.
    """
    chain = CHAIN_START
    for payment in payments:
        assert payment.tx is not None, "a credit has a record"
        assert payment.proof is not None, "a credit has a proof"
        chain = chain_next(
            chain,
            payment.tx,
            payment.proof.balance_after_minor,
            payment.proof.cumulative_debit_minor,
            payment.proof.tac,
        )
    sum_minor = sum(payment.amount_minor for payment in payments)
    ours = (len(payments), sum_minor, chain)
    return ours == (close.count, close.sum_minor, close.chain)
