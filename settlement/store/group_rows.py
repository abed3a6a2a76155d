"""The rows of a group of payments: collected one by one, written all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.records import TX_BYTES
from settlement.store.bulk import insert_rows, stored_time
from settlement.store.schema import payment, record

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from settlement.messages import BatchHeader
    from settlement.store.records import Decision
    from settlement.verification import VerifiedRecord

__all__ = ["SENT_NAMES", "GroupWriter", "sent_values"]

SENT_NAMES: Final = (
    "terminal_id",
    "mid",
    "batch",
    "stan",
    "sequence",
    "content",
    "evidence",
    "tx",
    "cid",
    "otc",
    "amount_minor",
    "kv",
    "alg",
    "balance_after_minor",
    "cumulative_debit_minor",
    "tac",
    "details",
    "tac_verified",
)
"""Columns of a payment as it was sent, in the tables of records and of staged ones."""
_RECORD_NAMES: Final = (*SENT_NAMES, "decision", "reason", "received_at")
_PAYMENT_NAMES: Final = (
    "cid",
    "otc",
    "mid",
    "tsn",
    "terminal_id",
    "batch",
    "stan",
    "amount_minor",
    "currency",
    "balance_after_minor",
    "cumulative_debit_minor",
    "tac",
    "evidence",
    "paid_at",
)


class GroupWriter:
    """Records and payments of one batch that are to be stored."""

    def __init__(
        self, connection: sa.Connection, header: BatchHeader, at: datetime
    ) -> None:
        """Collect for a batch; ``at`` is when its records were received."""
        self._connection = connection
        self._batch = (header.terminal_id, header.mid, header.close.batch)
        self._received_at = stored_time(connection, at)
        self._records: list[tuple[object, ...]] = []
        self._payments: list[tuple[object, ...]] = []

    def add_record(self, one: VerifiedRecord, decision: Decision, reason: str) -> None:
        """A record as it was received, with the decision."""
        values = sent_values(self._batch, one)
        self._records.append((*values, decision._value_, reason, self._received_at))

    def add_payment(self, one: VerifiedRecord) -> None:
        """A payment, whose record is collected here with a verified TAC."""
        terminal_id, mid, batch = self._batch
        sent, tx = one.payment, one.payment.tx
        self._payments.append(
            (
                tx.cid,
                tx.otc,
                mid,
                tx.tsn,
                terminal_id,
                batch,
                sent.stan,
                tx.amount_minor,
                tx.currency,
                sent.balance_after_minor,
                sent.cumulative_debit_minor,
                sent.tac,
                one.evidence,
                stored_time(self._connection, tx.at),
            )
        )

    def write(self) -> None:
        """Store what was collected."""
        insert_rows(self._connection, record, _RECORD_NAMES, self._records)
        insert_rows(self._connection, payment, _PAYMENT_NAMES, self._payments)
        self._records, self._payments = [], []


def sent_values(
    batch: tuple[str, bytes, int], one: VerifiedRecord
) -> tuple[object, ...]:
    """The values of `SENT_NAMES` for a payment of a batch (terminal, MID, number)."""
    sent, signed, details, evidence, content, _ = one
    tx = sent.tx
    return (
        *batch,
        sent.stan,
        sent.sequence,
        content,
        evidence,
        signed[:TX_BYTES],
        tx.cid,
        tx.otc,
        tx.amount_minor,
        sent.kv,
        sent.alg,
        sent.balance_after_minor,
        sent.cumulative_debit_minor,
        sent.tac,
        details,
        one.tac_is_good,
    )
