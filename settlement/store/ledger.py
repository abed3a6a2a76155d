"""Accounts, entries and balances in the database. Only this file writes the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from settlement.errors import LedgerError
from settlement.ledger import Account, AccountKind, EntryKind
from settlement.store.bulk import insert_rows, stored_time
from settlement.store.inserts import insert_unless_there
from settlement.store.numbers import draw_entry_numbers, next_number
from settlement.store.schema import account, entry, leg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.ledger import Entry, Source

__all__ = ["AccountRow", "LedgerTables", "PaymentBooking"]


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


class PaymentBooking(NamedTuple):
    """What `settlement.ledger.payment_entry` books, by rows of accounts.

    Attributes:
        cid: the purse, 8 bytes.
        otc: its number of the payment.
        float_id: its float account.
        payee_id: the account that is credited.
        amount_minor: in minor units.
        currency: ISO 4217 number, of both accounts.
    """

    cid: bytes
    otc: int
    float_id: int
    payee_id: int
    amount_minor: int
    currency: int


_LEG_NAMES: Final = ("entry_id", "number", "account_id", "debit_minor", "credit_minor")
_ENTRY_NAMES: Final = (
    "id",
    "kind",
    "subject",
    "number",
    "cid",
    "currency",
    "amount_minor",
    "booked_at",
    "memo",
)

# Made once, for the reason that `settlement.store.records` gives.
_IS_WANTED: Final = (
    account.c.kind == sa.bindparam("of_kind"),
    account.c.owner == sa.bindparam("of_owner"),
    account.c.currency == sa.bindparam("of_currency"),
)
_ACCOUNT_ID: Final = sa.select(account.c.id).where(*_IS_WANTED)
_ACCOUNTS: Final = (
    sa.select(
        account,
        sa.func.coalesce(sa.func.sum(leg.c.debit_minor), 0).label("debits"),
        sa.func.coalesce(sa.func.sum(leg.c.credit_minor), 0).label("credits"),
    )
    .select_from(account.outerjoin(leg))
    .group_by(account.c.id)
    .order_by(account.c.kind, account.c.owner, account.c.currency)
)
_ACCOUNT: Final = _ACCOUNTS.where(*_IS_WANTED)
_BOOKED: Final = sa.select(entry.c.id).where(
    entry.c.kind == sa.bindparam("of_kind"),
    entry.c.subject == sa.bindparam("of_subject"),
    entry.c.number == sa.bindparam("of_number"),
)


class LedgerTables:
    """The ledger within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection
        # Accounts never go, so what was found stays true.
        self._account_ids: dict[Account, int] = {}

    def open_account(self, wanted: Account, name: str, at: datetime) -> int:
        """Open an account, or find it; the first name stays.

        Returns:
            The account's row.
        """
        known = self.account_id(wanted)
        if known is not None:
            return known
        values = {
            "id": next_number(self._connection, account.c.id),
            "kind": wanted.kind.value,
            "owner": wanted.owner,
            "currency": wanted.currency,
            "name": name,
            "opened_at": at,
        }
        key = ("kind", "owner", "currency")
        insert_unless_there(self._connection, account, values, key)
        row = self.account_id(wanted)
        assert row is not None, "it was inserted or was there"
        return row

    def account_id(self, wanted: Account) -> int | None:
        """The row of an account, or None when it was never opened."""
        known = self._account_ids.get(wanted)
        if known is None:
            known = self._connection.execute(_ACCOUNT_ID, _values(wanted)).scalar()
            if known is not None:
                self._account_ids[wanted] = known
        return known

    def account(self, wanted: Account) -> AccountRow | None:
        """An account and its totals, or None when it was never opened."""
        row = self._connection.execute(_ACCOUNT, _values(wanted)).first()
        return None if row is None else _account_row(row)

    def accounts(self) -> list[AccountRow]:
        """All accounts with their totals, by kind and owner."""
        return [_account_row(row) for row in self._connection.execute(_ACCOUNTS)]

    def balance_minor(self, wanted: Account) -> int:
        """Balance on the account's own side; 0 when it was never opened."""
        found = self.account(wanted)
        return found.balance_minor if found else 0

    def post(self, booking: Entry) -> int:
        """Book an entry. Its accounts must be open.

        Returns:
            The entry's number, ascending in the order of booking; on PostgreSQL, of
            transactions that were under way together, in any order of theirs.

        Raises:
            LedgerError: an account is not open, or the event was booked already. The
                caller's transaction must end without being committed.
        """
        if self.is_booked(booking.source):
            message = f"this {booking.source.kind} was booked already"
            raise LedgerError(message)
        [number] = draw_entry_numbers(self._connection, 1)
        self._connection.execute(sa.insert(leg), self._leg_rows(number, booking))
        self._connection.execute(
            sa.insert(entry),
            {
                "id": number,
                "kind": booking.source.kind.value,
                "subject": booking.source.subject,
                "number": booking.source.number,
                "cid": booking.source.cid,
                "currency": booking.currency,
                "amount_minor": booking.amount_minor,
                "booked_at": booking.booked_at,
                "memo": booking.memo,
            },
        )
        return number

    def post_payments(self, bookings: Sequence[PaymentBooking], at: datetime) -> None:
        """Book payments in their order: of each purse float to payee, and no memo.

        A payment that was booked already, or an entry that does not balance, is
        refused by the database itself.
        """
        if not bookings:
            return
        booked_at = stored_time(self._connection, at)
        kind = EntryKind.PAYMENT.value
        numbers = draw_entry_numbers(self._connection, len(bookings))
        legs: list[tuple[object, ...]] = []
        entries: list[tuple[object, ...]] = []
        for number, one in zip(numbers, bookings, strict=True):
            cid, otc, float_id, payee_id, amount_minor, currency = one
            legs.append((number, 1, float_id, amount_minor, 0))
            legs.append((number, 2, payee_id, 0, amount_minor))
            event = (kind, cid.hex().upper(), otc, cid)
            entries.append((number, *event, currency, amount_minor, booked_at, ""))
        insert_rows(self._connection, leg, _LEG_NAMES, legs)
        insert_rows(self._connection, entry, _ENTRY_NAMES, entries)

    def is_booked(self, source: Source) -> bool:
        """Whether this event has its entry."""
        event = {
            "of_kind": source.kind.value,
            "of_subject": source.subject,
            "of_number": source.number,
        }
        return self._connection.execute(_BOOKED, event).first() is not None

    def count_of(self, kind: EntryKind, subject: str) -> int:
        """Entries of one kind about one subject."""
        query = sa.select(sa.func.count()).where(
            entry.c.kind == kind.value, entry.c.subject == subject
        )
        return self._connection.execute(query).scalar_one()

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


def _values(wanted: Account) -> dict[str, str | int]:
    """What `_IS_WANTED` compares with."""
    return {
        "of_kind": wanted.kind.value,
        "of_owner": wanted.owner,
        "of_currency": wanted.currency,
    }


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
