"""Accounts, entries and balances in the database. Only this file writes the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from settlement.errors import LedgerError
from settlement.ledger import Account, AccountKind, EntryKind
from settlement.schema import account, entry, leg

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.ledger import Entry, Source

__all__ = ["AccountRow", "LedgerTables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account with its name and what was booked on it.

    Attributes:
        account: its natural key.
        id: its row.
        name: holder, office, or what it is.
        debit_minor: sum of all debits.
        credit_minor: sum of all credits.
    """

    account: Account
    id: int
    name: str
    debit_minor: int
    credit_minor: int

    @property
    def balance_minor(self) -> int:
        """Balance on the account's own side; below zero when overdrawn."""
        return self.account.kind.growth_minor(self.debit_minor, self.credit_minor)


class LedgerTables:
    """The ledger within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection
        # Accounts never go and only this transaction writes, so both stay true in it.
        self._account_ids: dict[Account, int] = {}
        self._last_entry: int | None = None

    def open_account(self, wanted: Account, name: str, at: datetime) -> int:
        """Open an account, or find it; the first name stays.

        Returns:
            The account's row.
        """
        known = self._account_ids.get(wanted)
        if known is not None:
            return known
        self._connection.execute(
            insert(account)
            .values(
                kind=wanted.kind.value,
                owner=wanted.owner,
                currency=wanted.currency,
                name=name,
                opened_at=at,
            )
            .on_conflict_do_nothing(index_elements=["kind", "owner", "currency"])
        )
        row = self.account_id(wanted)
        assert row is not None, "it was inserted or was there"
        return row

    def account_id(self, wanted: Account) -> int | None:
        """The row of an account, or None when it was never opened."""
        known = self._account_ids.get(wanted)
        if known is None:
            query = sa.select(account.c.id).where(*_is(wanted))
            known = self._connection.execute(query).scalar()
            if known is not None:
                self._account_ids[wanted] = known
        return known

    def account(self, wanted: Account) -> AccountRow | None:
        """An account and its totals, or None when it was never opened."""
        found = self._accounts(*_is(wanted))
        return found[0] if found else None

    def accounts(self) -> list[AccountRow]:
        """All accounts with their totals, by kind and owner."""
        return self._accounts()

    def balance_minor(self, wanted: Account) -> int:
        """Balance on the account's own side; 0 when it was never opened."""
        found = self.account(wanted)
        return found.balance_minor if found else 0

    def post(self, booking: Entry) -> int:
        """Book an entry. Its accounts must be open.

        Returns:
            The entry's number, ascending in the order of booking.

        Raises:
            LedgerError: an account is not open, or the event was booked already. The
                caller's transaction must end without being committed.
        """
        if self.is_booked(booking.source):
            message = f"this {booking.source.kind} was booked already"
            raise LedgerError(message)
        number = self._next_entry()
        self._connection.execute(sa.insert(leg), self._leg_rows(number, booking))
        self._connection.execute(
            sa.insert(entry).values(
                id=number,
                kind=booking.source.kind.value,
                subject=booking.source.subject,
                number=booking.source.number,
                cid=booking.source.cid,
                currency=booking.currency,
                amount_minor=booking.amount_minor,
                booked_at=booking.booked_at,
                memo=booking.memo,
            )
        )
        self._last_entry = number
        return number

    def is_booked(self, source: Source) -> bool:
        """Whether this event has its entry."""
        query = sa.select(entry.c.id).where(
            entry.c.kind == source.kind.value,
            entry.c.subject == source.subject,
            entry.c.number == source.number,
        )
        return self._connection.execute(query).first() is not None

    def count_of(self, kind: EntryKind, subject: str) -> int:
        """Entries of one kind about one subject."""
        query = sa.select(sa.func.count()).where(
            entry.c.kind == kind.value, entry.c.subject == subject
        )
        return self._connection.execute(query).scalar_one()

    def _next_entry(self) -> int:
        if self._last_entry is None:
            newest = sa.select(sa.func.max(entry.c.id))
            self._last_entry = self._connection.execute(newest).scalar() or 0
        return self._last_entry + 1

    def _accounts(self, *conditions: sa.ColumnElement[bool]) -> list[AccountRow]:
        query = (
            sa.select(
                account,
                sa.func.coalesce(sa.func.sum(leg.c.debit_minor), 0).label("debits"),
                sa.func.coalesce(sa.func.sum(leg.c.credit_minor), 0).label("credits"),
            )
            .select_from(account.outerjoin(leg))
            .where(*conditions)
            .group_by(account.c.id)
            .order_by(account.c.kind, account.c.owner, account.c.currency)
        )
        return [_account_row(row) for row in self._connection.execute(query)]

    def _leg_rows(self, number: int, booking: Entry) -> list[dict[str, int]]:
        rows = []
        for position, side in enumerate(booking.legs, start=1):
            account_id = self.account_id(side.account)
            if account_id is None:
                message = f"the account {side.account.kind} is not open"
                raise LedgerError(message)
            rows.append(
                {
                    "entry_id": number,
                    "number": position,
                    "account_id": account_id,
                    "debit_minor": side.debit_minor,
                    "credit_minor": side.credit_minor,
                }
            )
        return rows


def _is(wanted: Account) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        account.c.kind == wanted.kind.value,
        account.c.owner == wanted.owner,
        account.c.currency == wanted.currency,
    )


def _account_row(row: sa.Row[Any]) -> AccountRow:
    return AccountRow(
        account=Account(
            kind=AccountKind(row.kind), owner=row.owner, currency=row.currency
        ),
        id=row.id,
        name=row.name,
        debit_minor=row.debits,
        credit_minor=row.credits,
    )
