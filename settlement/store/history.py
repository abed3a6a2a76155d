"""The ledger as it stood at a moment, in the database.

A moment of the past is answered by the bank's own time of booking: what was booked up
to it, that microsecond included. Entries are numbered in the order of writing. The two
orders differ where a clock was set back, and for loads, which are booked at whole
seconds; `HistoryTables.written_late` counts such entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind, EntryKind
from settlement.store.ledger import AccountRow
from settlement.store.schema import account, entry, leg, payment

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["EntryRow", "HistoryRow", "HistoryTables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One leg of an account.

    Attributes:
        entry_id: the entry's number, ascending in the order of writing.
        kind: what it books.
        booked_at: the bank's time.
        paid_at: the counter's time of a payment; None for other kinds.
        memo: the entry's words.
        debit_minor: in minor units.
        credit_minor: in minor units.
    """

    entry_id: int
    kind: EntryKind
    booked_at: datetime
    paid_at: datetime | None
    memo: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An entry with its accounts.

    Attributes:
        id: its number.
        kind: what it books.
        subject: of its event.
        number: of its event.
        cid: the card concerned, 8 bytes, or None.
        currency: ISO 4217 number.
        amount_minor: in minor units.
        booked_at: the bank's time.
        debited: the account of its first debit.
        credited: the account of its first credit.
    """

    id: int
    kind: EntryKind
    subject: str
    number: int
    cid: bytes | None
    currency: int
    amount_minor: int
    booked_at: datetime
    debited: Account
    credited: Account


class HistoryTables:
    """The ledger of any moment within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def balances(self, at: datetime | None = None) -> list[AccountRow]:
        """All accounts with what was booked on them up to ``at``, by kind and owner.

        Args:
            at: that moment, included; None for all that is booked.
        """
        legs = sa.select(leg.c.account_id, leg.c.debit_minor, leg.c.credit_minor)
        if at is not None:
            legs = legs.join(entry, entry.c.id == leg.c.entry_id)
            legs = legs.where(entry.c.booked_at <= at)
        there = legs.subquery("there")
        query = (
            sa.select(
                account,
                sa.func.coalesce(sa.func.sum(there.c.debit_minor), 0).label("debits"),
                sa.func.coalesce(sa.func.sum(there.c.credit_minor), 0).label("credits"),
            )
            .select_from(account.outerjoin(there, there.c.account_id == account.c.id))
            .group_by(*account.c)
            .order_by(account.c.kind, account.c.owner, account.c.currency)
        )
        return [
            AccountRow(
                account=Account(
                    kind=AccountKind(row.kind), owner=row.owner, currency=row.currency
                ),
                id=row.id,
                name=row.name,
                debit_minor=row.debits,
                credit_minor=row.credits,
            )
            for row in self._connection.execute(query)
            # A load is booked at a whole second, which may be before its account was
            # opened: no account is left out that has something on it.
            if at is None or row.opened_at <= at or row.debits or row.credits
        ]

    def sums_before(self, account_id: int, moment: datetime) -> tuple[int, int]:
        """Debits and credits of an account booked before ``moment``, in minor units."""
        query = (
            sa.select(
                sa.func.coalesce(sa.func.sum(leg.c.debit_minor), 0),
                sa.func.coalesce(sa.func.sum(leg.c.credit_minor), 0),
            )
            .join(entry, entry.c.id == leg.c.entry_id)
            .where(leg.c.account_id == account_id, entry.c.booked_at < moment)
        )
        debits_minor, credits_minor = self._connection.execute(query).one()
        return debits_minor, credits_minor

    def movements(
        self,
        account_id: int,
        *,
        start: datetime | None,
        end: datetime | None,
    ) -> list[HistoryRow]:
        """Legs of an account in the order of booking time, then of writing.

        Args:
            account_id: the account's row.
            start: from this moment on; None for the beginning.
            end: up to this moment, which is included; None for now.
        """
        same_payment = (
            (payment.c.cid == entry.c.cid)
            & (payment.c.otc == entry.c.number)
            & (entry.c.kind == EntryKind.PAYMENT.value)
        )
        query = (
            sa.select(
                entry.c.id,
                entry.c.kind,
                entry.c.booked_at,
                payment.c.paid_at,
                entry.c.memo,
                leg.c.debit_minor,
                leg.c.credit_minor,
            )
            .select_from(
                leg.join(entry, entry.c.id == leg.c.entry_id).outerjoin(
                    payment, same_payment
                )
            )
            .where(leg.c.account_id == account_id)
            .order_by(entry.c.booked_at, entry.c.id, leg.c.number)
        )
        if start is not None:
            query = query.where(entry.c.booked_at >= start)
        if end is not None:
            query = query.where(entry.c.booked_at <= end)
        return [
            HistoryRow(
                entry_id=row.id,
                kind=EntryKind(row.kind),
                booked_at=row.booked_at,
                paid_at=row.paid_at,
                memo=row.memo,
                debit_minor=row.debit_minor,
                credit_minor=row.credit_minor,
            )
            for row in self._connection.execute(query)
        ]

    def written_late(self, at: datetime) -> int:
        """Entries of a time up to ``at`` that were written after one of a later time.

        What was known at that moment did not have them yet.
        """
        first_after = (
            sa.select(sa.func.min(entry.c.id))
            .where(entry.c.booked_at > at)
            .scalar_subquery()
        )
        query = sa.select(sa.func.count()).where(
            entry.c.booked_at <= at, entry.c.id > first_after
        )
        return self._connection.execute(query).scalar_one()

    def newest_entry(self, at: datetime | None = None) -> int:
        """The highest number of an entry booked up to ``at``; 0 when there is none."""
        query = sa.select(sa.func.max(entry.c.id))
        if at is not None:
            query = query.where(entry.c.booked_at <= at)
        return self._connection.execute(query).scalar() or 0

    def entry(self, number: int) -> EntryRow | None:
        """An entry and its accounts, or None when there is none of that number."""
        query = (
            sa.select(entry, leg.c.debit_minor, account.c.kind.label("of"))
            .add_columns(account.c.owner)
            .join(leg, leg.c.entry_id == entry.c.id)
            .join(account, account.c.id == leg.c.account_id)
            .where(entry.c.id == number)
            .order_by(leg.c.number.desc())
        )
        rows = self._connection.execute(query).all()
        sides = {bool(row.debit_minor): _side(row) for row in rows}
        if not rows:
            return None
        row = rows[0]
        return EntryRow(
            id=row.id,
            kind=EntryKind(row.kind),
            subject=row.subject,
            number=row.number,
            cid=row.cid,
            currency=row.currency,
            amount_minor=row.amount_minor,
            booked_at=row.booked_at,
            debited=sides[True],
            credited=sides[False],
        )


def _side(row: sa.Row[Any]) -> Account:
    return Account(kind=AccountKind(row.of), owner=row.owner, currency=row.currency)
