"""How far a batch has come: pure rules."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settlement.store.overview import BatchFacts

__all__ = ["BatchState", "batch_state"]


@unique
class BatchState(StrEnum):
    """How far a batch has come; the values stand in JSON.

    OPEN: some of its payments or open records have not come. PENDING: all have, and it
    is not reconciled; the terminal goes on with its next call. RECONCILED: acknowledged
    to its customs card.
    """

    OPEN = "open"
    PENDING = "pending"
    RECONCILED = "reconciled"


def batch_state(facts: BatchFacts) -> BatchState:
    """How far this batch has come."""
    if facts.reconciled_at is not None:
        return BatchState.RECONCILED
    is_whole = (
        facts.received >= facts.closed.count and facts.reported >= facts.opened.count
    )
    return BatchState.PENDING if is_whole else BatchState.OPEN
