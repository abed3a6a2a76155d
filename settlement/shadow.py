"""The shadow account of a purse: what it holds, by its own certificates.

A purse certifies two counters with each debit: its balance, and all it was ever
debited. Their sum is all that had been loaded then, whatever happened in between and
in whatever order the counters of several offices report. So a purse's whole life is
checked with three rules, and none depends on the order of arrival:

* between two debits that follow each other nothing else was debited;
* across a gap of numbers, cumulative debit says how much the missing ones are worth;
* balance plus cumulative debit is the sum of the first so many loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from settlement.store.cards import LoadOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.store.books import Books
    from settlement.store.cards import LoadRow
    from settlement.store.records import PaymentRow

__all__ = ["Shadow", "loaded_totals", "make_shadow", "shadow_of"]

_OTC_END: Final = 1 << 32
"""Above every otc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What the bank can say about a purse; amounts in minor units.

    Attributes:
        last_otc: number of its newest posted payment, 0 when there is none.
        loaded_minor: sum of the loads it has completed.
        pending_minor: sum of loads of which the bank does not know.
        debited_minor: all it was debited, as far as a certificate says so.
        posted_minor: sum of the payments in the ledger.
    """

    last_otc: int
    loaded_minor: int
    pending_minor: int
    debited_minor: int
    posted_minor: int

    @property
    def balance_max_minor(self) -> int:
        """The most that the purse can hold now, pending loads included."""
        return self.loaded_minor + self.pending_minor - self.debited_minor

    @property
    def balance_minor(self) -> int:
        """What the purse holds if it has paid nothing since, pending loads aside."""
        return self.loaded_minor - self.debited_minor

    @property
    def uncollected_minor(self) -> int:
        """Debited, but not delivered: on customs cards, in batches, in open records."""
        return self.debited_minor - self.posted_minor


def shadow_of(books: Books, cid: bytes) -> Shadow:
    """The shadow account of a purse, from what is stored now."""
    return make_shadow(books.cards.loads(cid), books.records.payments_of_purse(cid))


def make_shadow(loads: Iterable[LoadRow], payments: Iterable[PaymentRow]) -> Shadow:
    """The shadow account of a purse from its loads and its payments, by number.

    A load tells the balance before it, so it tells how much had been debited by then,
    also when the payments themselves have not arrived yet.
    """
    paid = list(payments)
    debited_minor = max((row.cumulative_debit_minor for row in paid), default=0)
    loaded_minor = 0
    pending_minor = 0
    for row in loads:
        # A request that was voided certifies the balance just as well.
        debited_minor = max(debited_minor, loaded_minor - row.card_balance_minor)
        if row.outcome is LoadOutcome.COMPLETED:
            loaded_minor += row.amount_minor
        elif row.outcome is None:
            pending_minor += row.amount_minor
    return Shadow(
        last_otc=max((row.otc for row in paid), default=0),
        loaded_minor=loaded_minor,
        pending_minor=pending_minor,
        debited_minor=debited_minor,
        posted_minor=sum(row.amount_minor for row in paid),
    )


def loaded_totals(loads: Iterable[LoadRow]) -> frozenset[int]:
    """Every total that can have been loaded at some time, in minor units.

    A pending load may or may not have been taken; there is at most one.
    """
    taken = [row for row in loads if row.outcome is not LoadOutcome.VOIDED]
    return frozenset(accumulate((row.amount_minor for row in taken), initial=0))
