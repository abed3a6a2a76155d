"""Where the money of an entry lies now: the entry and all that was booked about it.

`settlement.postings` says what an origin is. `origin_of` is the one SQL expression of
it: whoever adds a kind of entry that moves the money of an earlier one adds it there,
and to the triggers of `settlement.store.triggers_money`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.ledger import BANK, Account, AccountKind, EntryKind
from settlement.store.schema import account, correction, deposit_order, entry, leg

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ORIGIN", "OriginTables", "with_origin"]

_SAME_ORDER: Final = (
    (entry.c.kind == deposit_order.c.action)
    & (entry.c.subject == deposit_order.c.office)
    & (entry.c.number == deposit_order.c.number)
)
_SAME_CORRECTION: Final = (
    (entry.c.kind == EntryKind.CORRECTION.value)
    & (entry.c.subject == BANK)
    & (entry.c.number == correction.c.number)
)

ORIGIN: Final = sa.func.coalesce(
    deposit_order.c.origin_id, correction.c.origin_id, entry.c.id
)
"""The entry with which the money of an entry came; see `with_origin`."""


def with_origin(source: sa.FromClause) -> sa.Join:
    """``source``, which has `entry`, joined with what `ORIGIN` needs."""
    return source.outerjoin(deposit_order, _SAME_ORDER).outerjoin(
        correction, _SAME_CORRECTION
    )


class OriginTables:
    """The money of single entries within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def origin_of(self, entry_id: int) -> int | None:
        """The entry with which an entry's money came; None when there is no such."""
        query = (
            sa.select(ORIGIN)
            .select_from(with_origin(entry))
            .where(entry.c.id == entry_id)
        )
        return self._connection.execute(query).scalar()

    def entries_of(self, origin_id: int) -> list[int]:
        """An origin and every entry about its money, in the order of booking."""
        fee = entry.alias("fee")
        parts = sa.union(
            sa.select(entry.c.id).where(entry.c.id == origin_id),
            sa.select(entry.c.id)
            .join(deposit_order, _SAME_ORDER)
            .where(deposit_order.c.origin_id == origin_id),
            sa.select(entry.c.id)
            .join(correction, _SAME_CORRECTION)
            .where(correction.c.origin_id == origin_id),
            sa.select(entry.c.id)
            .join(
                fee,
                (entry.c.kind == EntryKind.FEE_REVERSAL.value)
                & (fee.c.kind == EntryKind.FEE.value)
                & (entry.c.subject == fee.c.subject)
                & (entry.c.number == fee.c.number),
            )
            .where(fee.c.id == origin_id),
        )
        return sorted(self._connection.execute(parts).scalars())

    def lies_on(self, origin_id: int) -> Mapping[Account, int]:
        """How much of an origin's money lies on each account, in minor units.

        Accounts that were debited and never credited are below zero.
        """
        there = sa.func.sum(leg.c.credit_minor - leg.c.debit_minor)
        query = (
            sa.select(account.c.kind, account.c.owner, account.c.currency, there)
            .join(leg, leg.c.account_id == account.c.id)
            .where(leg.c.entry_id.in_(self.entries_of(origin_id)))
            .group_by(account.c.id)
            .order_by(account.c.id)
        )
        return {
            Account(kind=AccountKind(kind), owner=owner, currency=currency): minor
            for kind, owner, currency, minor in self._connection.execute(query)
        }
