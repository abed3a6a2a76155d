"""Received records and posted payments in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from card.records import TransactionRecord
from settlement.payment import (
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    PaymentRecord,
)
from settlement.store.schema import payment, record

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.messages import BatchHeader

__all__ = [
    "Decision",
    "PaymentRow",
    "RecordRow",
    "RecordTables",
    "batch_key",
    "details_from_text",
    "details_to_text",
    "payment_row",
    "received_row",
    "record_row",
    "same_batch",
]


@unique
class Decision(StrEnum):
    """What clearing did with a record; the values are stored.

    POSTED reached its payee's account. HELD was really debited, so it left the purse
    float, but waits in the suspense account. SUSPENDED waits too, with nothing booked,
    because no debit is proved. DUPLICATE is the very payment of another record of the
    same batch. CONFLICT and REFUSED are not part of the batch. RECEIVED is no decision
    yet: the record is staged (`settlement.store.staged`), and no stored row has it.
    """

    POSTED = "posted"
    HELD = "held"
    SUSPENDED = "suspended"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REFUSED = "refused"
    RECEIVED = "received"

    @property
    def in_batch(self) -> bool:
        """Whether the record counts when its batch is reconciled."""
        return self not in {Decision.CONFLICT, Decision.REFUSED}

    @property
    def is_booked(self) -> bool:
        """Whether the record became a payment of the ledger."""
        return self._value_ in _BOOKED


_BOOKED: Final = frozenset({Decision.POSTED.value, Decision.HELD.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A record as it was received, and what was decided.

    Attributes:
        terminal_id: who sent it.
        mid: customs card of the batch, 8 bytes.
        batch: number of the batch.
        payment: what was sent.
        content: digest of all of it; the same STAN must have the same.
        evidence: digest of what the cards signed; the same payment has the same.
        tac_verified: whether the TAC is good.
        decision: what was decided.
        reason: why, in plain words; empty when it was simply posted.
        received_at: the bank's time.
    """

    terminal_id: str
    mid: bytes
    batch: int
    payment: PaymentRecord
    content: bytes
    evidence: bytes
    tac_verified: bool
    decision: Decision
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment in the ledger.

    Attributes:
        cid: the purse, 8 bytes.
        otc: the purse's number of it.
        mid: the customs card that was credited, 8 bytes.
        tsn: the customs card's number of it.
        terminal_id: who delivered it first.
        batch: in which batch.
        stan: under which STAN.
        amount_minor: in minor units.
        currency: ISO 4217 number.
        balance_after_minor: the purse's balance after it.
        cumulative_debit_minor: all that the purse was ever debited, this included.
        tac: 8 bytes.
        evidence: see `RecordRow`.
        paid_at: the counter's time, from TX.
    """

    cid: bytes = field(repr=False)
    otc: int
    mid: bytes
    tsn: int
    terminal_id: str
    batch: int
    stan: int
    amount_minor: int
    currency: int
    balance_after_minor: int
    cumulative_debit_minor: int
    tac: bytes = field(repr=False)
    evidence: bytes
    paid_at: datetime

    @property
    def loaded_minor(self) -> int:
        """All that had been loaded when this payment was made."""
        return self.balance_after_minor + self.cumulative_debit_minor


_quoted: Final = json.encoder.encode_basestring
"""A text as JSON has it, every letter as it is."""


def same_batch(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions that find a batch in such a table, by the values of its key."""
    columns = (table.c.terminal_id, table.c.mid, table.c.batch)
    return tuple(column == sa.bindparam(column.name) for column in columns)


# What is asked for each payment is made once: SQLAlchemy takes several times longer
# to put such a statement together than SQLite to answer it.
_PAYMENTS: Final = sa.select(payment)
_ONE_PAYMENT: Final = _PAYMENTS.limit(1)
_BY_PURSE: Final = payment.c.cid == sa.bindparam("of_cid")
_NUMBER: Final[sa.BindParameter[int]] = sa.bindparam("of_number")
_PAYMENTS_OF_PURSE: Final = _PAYMENTS.where(_BY_PURSE).order_by(payment.c.otc)
_PAYMENT: Final = _ONE_PAYMENT.where(_BY_PURSE, payment.c.otc == _NUMBER)
_PAYMENT_BEFORE: Final = _ONE_PAYMENT.where(
    _BY_PURSE, payment.c.otc < _NUMBER
).order_by(payment.c.otc.desc())
_PAYMENT_AFTER: Final = _ONE_PAYMENT.where(_BY_PURSE, payment.c.otc > _NUMBER).order_by(
    payment.c.otc
)
_RECORDS: Final = (
    sa.select(record)
    .where(*same_batch(record))
    .order_by(record.c.sequence, record.c.stan)
)
_RECORD: Final = _RECORDS.where(record.c.stan == sa.bindparam("of_stan"))


class RecordTables:
    """Records and payments within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def records(self, header: BatchHeader) -> list[RecordRow]:
        """All records of a batch in the order of the customs card's credits."""
        found = self._connection.execute(_RECORDS, batch_key(header))
        return [record_row(row) for row in found]

    def record_of(self, row: PaymentRow) -> RecordRow:
        """The record that a payment was posted from."""
        key = {
            "terminal_id": row.terminal_id,
            "mid": row.mid,
            "batch": row.batch,
            "of_stan": row.stan,
        }
        found = self._connection.execute(_RECORD, key).first()
        assert found is not None, "the database keeps this reference"
        return record_row(found)

    def payment(self, cid: bytes, otc: int) -> PaymentRow | None:
        """The payment under this number of a purse, or None."""
        return self._one_payment(_PAYMENT, of_cid=cid, of_number=otc)

    def payment_before(self, cid: bytes, otc: int) -> PaymentRow | None:
        """The purse's nearest posted payment with a lower number, or None."""
        return self._one_payment(_PAYMENT_BEFORE, of_cid=cid, of_number=otc)

    def payment_after(self, cid: bytes, otc: int) -> PaymentRow | None:
        """The purse's nearest posted payment with a higher number, or None."""
        return self._one_payment(_PAYMENT_AFTER, of_cid=cid, of_number=otc)

    def payments_of_purse(self, cid: bytes) -> list[PaymentRow]:
        """All posted payments of a purse, by otc."""
        found = self._connection.execute(_PAYMENTS_OF_PURSE, {"of_cid": cid})
        return [payment_row(row) for row in found]

    def _one_payment(
        self, query: sa.Select[Any], **values: bytes | int
    ) -> PaymentRow | None:
        row = self._connection.execute(query, values).first()
        return None if row is None else payment_row(row)


def batch_key(header: BatchHeader) -> dict[str, str | bytes | int]:
    """The columns that name a batch, in every table that refers to one."""
    return {
        "terminal_id": header.terminal_id,
        "mid": header.mid,
        "batch": header.close.batch,
    }


def details_to_text(details: PaymentDetails) -> str:
    """Details as they are stored: JSON, readable by any tool."""
    # Written piece by piece: `json.dumps` of the same takes several times as long, and
    # the bank does it for every payment.
    lines = ", ".join(
        [f'["{line.line_class}", {line.amount_minor}]' for line in details.lines]
    )
    return (
        f'{{"declaration": {_quoted(details.declaration)}, "kind": "{details.kind}", '
        f'"lines": [{lines}], "clerk": {_quoted(details.clerk)}, '
        f'"request_number": {_quoted(details.request_number)}, '
        f'"delivery_order": {_quoted(details.delivery_order)}, '
        f'"service_code": {_quoted(details.service_code)}}}'
    )


def details_from_text(text: str) -> PaymentDetails:
    """The other way round."""
    stored = json.loads(text)
    lines = (
        PaymentLine(line_class=LineClass(name), amount_minor=amount_minor)
        for name, amount_minor in stored.pop("lines")
    )
    kind = PaymentKind(stored.pop("kind"))
    return PaymentDetails(kind=kind, lines=tuple(lines), **stored)


def record_row(row: Any) -> RecordRow:
    """The value of a stored row.

    Raises:
        MalformedResponseError: its TX is none.
        ValueError: its details or its decision are none.
    """
    return received_row(row, Decision(row.decision), row.reason)


def received_row(row: Any, decision: Decision, reason: str) -> RecordRow:
    """The value of a stored row that has no decision of its own; see `record_row`."""
    details = None if row.details is None else details_from_text(row.details)
    return RecordRow(
        terminal_id=row.terminal_id,
        mid=row.mid,
        batch=row.batch,
        payment=PaymentRecord(
            stan=row.stan,
            sequence=row.sequence,
            details=details,
            tx=TransactionRecord.parse(row.tx),
            kv=row.kv,
            alg=row.alg,
            balance_after_minor=row.balance_after_minor,
            cumulative_debit_minor=row.cumulative_debit_minor,
            tac=row.tac,
        ),
        content=row.content,
        evidence=row.evidence,
        tac_verified=row.tac_verified,
        decision=decision,
        reason=reason,
        received_at=row.received_at,
    )


def payment_row(row: Any) -> PaymentRow:
    """The value of a stored row."""
    return PaymentRow(
        cid=row.cid,
        otc=row.otc,
        mid=row.mid,
        tsn=row.tsn,
        terminal_id=row.terminal_id,
        batch=row.batch,
        stan=row.stan,
        amount_minor=row.amount_minor,
        currency=row.currency,
        balance_after_minor=row.balance_after_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        tac=row.tac,
        evidence=row.evidence,
        paid_at=row.paid_at,
    )
