"""Deposits that are held, and what customs ordered about them, in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import AccountKind, EntryKind
from settlement.store.numbers import next_number
from settlement.store.origins import ORIGIN, with_origin
from settlement.store.records import details_from_text
from settlement.store.schema import (
    account,
    deposit_order,
    entry,
    leg,
    payment,
    purse,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["DepositOrderRow", "DepositRow", "DepositTables", "order_row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRow:
    """A payment of which a part lies, or lay, on an office's deposits account.

    Attributes:
        origin_id: the entry that posted the payment.
        cid: the card that paid, 8 bytes.
        otc: the card's number of the payment.
        office: whose deposits account it is.
        currency: ISO 4217 number.
        declaration: as paid for; empty when the terminal did not know it.
        terminal_id: where it was paid.
        batch: the batch that brought it.
        sequence: its place in that batch.
        booked_at: the bank's time of its posting.
        account_id: row of the holder's account, to which a refund goes.
        paid_minor: what came onto the deposits account.
        refunded_minor: of that, what was given back to the holder.
        forfeited_minor: of that, what customs kept.
        left_minor: what is held still; corrections may have taken the rest.
    """

    origin_id: int
    cid: bytes = field(repr=False)
    otc: int
    office: str
    currency: int
    declaration: str
    terminal_id: str
    batch: int
    sequence: int
    booked_at: datetime
    account_id: int
    paid_minor: int
    refunded_minor: int
    forfeited_minor: int
    left_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositOrderRow:
    """What customs ordered about a deposit.

    Attributes:
        number: the bank's own number of it.
        office: the customs office.
        order_number: that office's number of the order.
        action: `EntryKind.DEPOSIT_REFUND` or `EntryKind.DEPOSIT_FORFEITURE`.
        cid: the card that had paid, 8 bytes.
        otc: the card's number of the payment.
        origin_id: the entry that posted the payment.
        amount_minor: in minor units.
        currency: ISO 4217 number.
        whole: whether it took all that was left.
        officer: who of customs signed the order.
        noted_by: who entered it at the bank.
        at: the bank's time.
    """

    number: int
    office: str
    order_number: str
    action: EntryKind
    cid: bytes = field(repr=False)
    otc: int
    origin_id: int
    amount_minor: int
    currency: int
    whole: bool
    officer: str
    noted_by: str
    at: datetime


def _sum_of(kind: EntryKind) -> sa.ColumnElement[int]:
    amount = sa.case((entry.c.kind == kind.value, leg.c.debit_minor), else_=0)
    return sa.func.sum(amount)


_MOVED: Final = (
    sa.select(
        ORIGIN.label("origin_id"),
        account.c.owner.label("office"),
        account.c.currency,
        sa.func.sum(leg.c.credit_minor).label("paid_minor"),
        _sum_of(EntryKind.DEPOSIT_REFUND).label("refunded_minor"),
        _sum_of(EntryKind.DEPOSIT_FORFEITURE).label("forfeited_minor"),
        sa.func.sum(leg.c.credit_minor - leg.c.debit_minor).label("left_minor"),
    )
    .select_from(
        with_origin(
            leg.join(account, account.c.id == leg.c.account_id).join(
                entry, entry.c.id == leg.c.entry_id
            )
        )
    )
    .where(account.c.kind == AccountKind.DEPOSITS.value)
    .group_by(ORIGIN, account.c.owner, account.c.currency)
)
"""What came onto and went from deposits accounts, for each payment."""


class DepositTables:
    """Deposits within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def deposits(self, office: str | None = None) -> list[DepositRow]:
        """All deposits, of one office if wanted, in the order of posting."""
        moved = _MOVED if office is None else _MOVED.where(account.c.owner == office)
        return self._deposits(moved)

    def of_entries(self, entries: Iterable[int]) -> list[DepositRow]:
        """What these entries, all of one payment, have brought onto deposits."""
        return self._deposits(_MOVED.where(entry.c.id.in_(list(entries))))

    def paid_for(self, declaration: str) -> list[int]:
        """The entries that posted the payments for a declaration, oldest first."""
        # As `settlement.store.records` writes it. Details have no index: all are read.
        stored = f'"declaration": {json.dumps(declaration, ensure_ascii=False)}'
        query = (
            sa.select(entry.c.id, record.c.details)
            .select_from(_posted_payments())
            .where(record.c.details.contains(stored, autoescape=True))
            .order_by(entry.c.id)
        )
        return [
            row.id
            for row in self._connection.execute(query)
            if details_from_text(row.details).declaration == declaration
        ]

    def order(self, office: str, order_number: str) -> DepositOrderRow | None:
        """What was booked on an order of customs, or None."""
        found = self._orders(
            deposit_order.c.office == office,
            deposit_order.c.order_number == order_number,
        )
        return found[0] if found else None

    def orders(self, origin_id: int) -> list[DepositOrderRow]:
        """All orders about a payment, in the order of booking."""
        return self._orders(deposit_order.c.origin_id == origin_id)

    def next_number(self) -> int:
        """The bank's number of the next order."""
        return next_number(self._connection, deposit_order.c.number)

    def add(self, row: DepositOrderRow) -> None:
        """Note an order; its entry is posted in the same transaction."""
        self._connection.execute(
            sa.insert(deposit_order),
            {
                "number": row.number,
                "office": row.office,
                "order_number": row.order_number,
                "action": row.action.value,
                "cid": row.cid,
                "otc": row.otc,
                "origin_id": row.origin_id,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "whole": row.whole,
                "officer": row.officer,
                "noted_by": row.noted_by,
                "at": row.at,
            },
        )

    def _orders(self, *conditions: sa.ColumnElement[bool]) -> list[DepositOrderRow]:
        query = sa.select(deposit_order).where(*conditions)
        return [
            order_row(row)
            for row in self._connection.execute(query.order_by(deposit_order.c.number))
        ]

    def _deposits(self, moved_query: sa.Select[Any]) -> list[DepositRow]:
        moved = moved_query.subquery("moved")
        query = (
            sa.select(
                moved,
                payment.c.cid,
                payment.c.otc,
                record.c.details,
                record.c.terminal_id,
                record.c.batch,
                record.c.sequence,
                entry.c.booked_at,
                purse.c.account_id,
            )
            .select_from(
                _posted_payments()
                .join(moved, moved.c.origin_id == entry.c.id)
                .join(purse, purse.c.cid == payment.c.cid)
            )
            .order_by(entry.c.id, moved.c.office)
        )
        return [_deposit_row(row) for row in self._connection.execute(query)]


def _posted_payments() -> sa.Join:
    """Entries of payments with the payment and its record."""
    return entry.join(
        payment,
        (entry.c.kind == EntryKind.PAYMENT.value)
        & (payment.c.cid == entry.c.cid)
        & (payment.c.otc == entry.c.number),
    ).join(
        record,
        (record.c.terminal_id == payment.c.terminal_id)
        & (record.c.mid == payment.c.mid)
        & (record.c.batch == payment.c.batch)
        & (record.c.stan == payment.c.stan),
    )


def order_row(row: Any) -> DepositOrderRow:
    """An order of its stored columns.

    Raises:
        ValueError: its action is none.
    """
    return DepositOrderRow(
        number=row.number,
        office=row.office,
        order_number=row.order_number,
        action=EntryKind(row.action),
        cid=row.cid,
        otc=row.otc,
        origin_id=row.origin_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        whole=row.whole,
        officer=row.officer,
        noted_by=row.noted_by,
        at=row.at,
    )


def _deposit_row(row: sa.Row[Any]) -> DepositRow:
    details = None if row.details is None else details_from_text(row.details)
    return DepositRow(
        origin_id=row.origin_id,
        cid=row.cid,
        otc=row.otc,
        office=row.office,
        currency=row.currency,
        declaration="" if details is None else details.declaration,
        terminal_id=row.terminal_id,
        batch=row.batch,
        sequence=row.sequence,
        booked_at=row.booked_at,
        account_id=row.account_id,
        paid_minor=row.paid_minor,
        refunded_minor=row.refunded_minor,
        forfeited_minor=row.forfeited_minor,
        left_minor=row.left_minor,
    )
