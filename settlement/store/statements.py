"""What statements are made of, and the statements that were issued, in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from card.records import TransactionRecord
from settlement.ledger import EntryKind
from settlement.store.numbers import next_number
from settlement.store.records import Decision, details_from_text
from settlement.store.schema import entry, leg, payment, record, statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.payment import PaymentDetails

__all__ = ["IssuedRow", "MovementRow", "PaymentFacts", "StatementTables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """What a statement says about a payment beyond its amount.

    Attributes:
        tx: what the cards agreed on.
        details: why it was paid, or None when the terminal did not know.
        terminal_id: where it was paid.
        batch: number of the batch that brought it.
        sequence: its place in that batch.
        tac: the purse's certificate, 8 bytes.
        decision: whether it was posted or is held.
    """

    tx: TransactionRecord
    details: PaymentDetails | None
    terminal_id: str
    batch: int
    sequence: int
    tac: bytes = field(repr=False)
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementRow:
    """One leg of an account, with the entry it belongs to.

    Attributes:
        entry_id: the entry's number; ascending in the order of booking.
        kind: what it books.
        booked_at: the bank's time.
        memo: the entry's words.
        debit_minor: in minor units.
        credit_minor: in minor units.
        payment: more about it, when it is a payment.
    """

    entry_id: int
    kind: EntryKind
    booked_at: datetime
    memo: str
    debit_minor: int
    credit_minor: int
    payment: PaymentFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedRow:
    """A statement as it was issued: its document is never made again.

    Attributes:
        number: the statement's number, from 1.
        account_id: row of its account.
        first_day: first day of its period.
        last_day: last day of its period.
        last_entry_id: the newest entry it contains; 0 when it has none.
        document: the statement as JSON.
        digest: SHA-256 of the document.
        issued_at: the bank's time.
    """

    number: int
    account_id: int
    first_day: date
    last_day: date
    last_entry_id: int
    document: str
    digest: bytes
    issued_at: datetime


class StatementTables:
    """Statements within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

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
        row = self._connection.execute(query).one()
        return row[0], row[1]

    def movements(
        self, account_id: int, *, start: datetime, end: datetime
    ) -> list[MovementRow]:
        """The legs of an account booked from ``start`` until before ``end``."""
        same_payment = (
            (payment.c.cid == entry.c.cid)
            & (payment.c.otc == entry.c.number)
            & entry.c.kind.in_((EntryKind.PAYMENT.value, EntryKind.SUSPENSE.value))
        )
        same_record = (
            (record.c.terminal_id == payment.c.terminal_id)
            & (record.c.mid == payment.c.mid)
            & (record.c.batch == payment.c.batch)
            & (record.c.stan == payment.c.stan)
        )
        query = (
            sa.select(
                leg.c.debit_minor,
                leg.c.credit_minor,
                entry.c.id,
                entry.c.kind,
                entry.c.booked_at,
                entry.c.memo,
                record.c.tx,
                record.c.details,
                record.c.terminal_id,
                record.c.batch,
                record.c.sequence,
                record.c.tac,
                record.c.decision,
            )
            .select_from(
                leg.join(entry, entry.c.id == leg.c.entry_id)
                .outerjoin(payment, same_payment)
                .outerjoin(record, same_record)
            )
            .where(
                leg.c.account_id == account_id,
                entry.c.booked_at >= start,
                entry.c.booked_at < end,
            )
            .order_by(entry.c.id, leg.c.number)
        )
        rows: Sequence[Any] = self._connection.execute(query).all()
        return [_movement(row) for row in rows]

    def issued(
        self, account_id: int, first_day: date, last_day: date, last_entry_id: int
    ) -> IssuedRow | None:
        """The statement already issued for exactly this, or None."""
        found = self._issued(
            statement.c.account_id == account_id,
            statement.c.first_day == first_day.isoformat(),
            statement.c.last_day == last_day.isoformat(),
            statement.c.last_entry_id == last_entry_id,
        )
        return found[0] if found else None

    def by_number(self, number: int) -> IssuedRow | None:
        """An issued statement, or None."""
        found = self._issued(statement.c.number == number)
        return found[0] if found else None

    def all_issued(self) -> list[IssuedRow]:
        """All issued statements, by number."""
        return self._issued()

    def next_number(self) -> int:
        """The number of the next statement."""
        return next_number(self._connection, statement.c.number)

    def add(self, row: IssuedRow) -> None:
        """Store an issued statement."""
        self._connection.execute(
            sa.insert(statement).values(
                number=row.number,
                account_id=row.account_id,
                first_day=row.first_day.isoformat(),
                last_day=row.last_day.isoformat(),
                last_entry_id=row.last_entry_id,
                document=row.document,
                digest=row.digest,
                issued_at=row.issued_at,
            )
        )

    def _issued(self, *conditions: sa.ColumnElement[bool]) -> list[IssuedRow]:
        query = sa.select(statement).where(*conditions).order_by(statement.c.number)
        return [
            IssuedRow(
                number=row.number,
                account_id=row.account_id,
                first_day=date.fromisoformat(row.first_day),
                last_day=date.fromisoformat(row.last_day),
                last_entry_id=row.last_entry_id,
                document=row.document,
                digest=row.digest,
                issued_at=row.issued_at,
            )
            for row in self._connection.execute(query)
        ]


def _movement(row: sa.Row[Any]) -> MovementRow:
    return MovementRow(
        entry_id=row.id,
        kind=EntryKind(row.kind),
        booked_at=row.booked_at,
        memo=row.memo,
        debit_minor=row.debit_minor,
        credit_minor=row.credit_minor,
        payment=None if row.tx is None else _facts(row),
    )


def _facts(row: sa.Row[Any]) -> PaymentFacts:
    return PaymentFacts(
        tx=TransactionRecord.parse(row.tx),
        details=None if row.details is None else details_from_text(row.details),
        terminal_id=row.terminal_id,
        batch=row.batch,
        sequence=row.sequence,
        tac=row.tac,
        decision=Decision(row.decision),
    )
