"""Batches, open records and incidents in the database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from card.records import BatchClose, TransactionRecord
from settlement.messages import BatchHeader, Total
from settlement.store.incidents import add_evidence
from settlement.store.inserts import insert_unless_there
from settlement.store.numbers import next_number
from settlement.store.records import batch_key, details_to_text, same_batch
from settlement.store.schema import (
    batch,
    batch_collected,
    incident,
    incident_closed,
    open_report,
)

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.payment import PaymentDetails

__all__ = [
    "BatchTables",
    "CollectedRow",
    "IncidentRow",
    "NotedIncident",
    "OpenRow",
    "batch_header",
    "incident_row",
    "open_row",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedRow:
    """The end of a batch: what the bank acknowledged.

    Attributes:
        ack_mac: BANK ACK MAC, 16 bytes.
        posted: what reached a payee's account.
        suspended: what waits in suspense.
    """

    ack_mac: bytes = field(repr=False)
    posted: Total
    suspended: Total


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRow:
    """An open record as a batch reported it.

    Attributes:
        stan: the terminal's number of it.
        tx: the payment whose outcome was not known.
        kv: version of the purse's keys.
        rc: the purse's challenge, 8 bytes.
    """

    stan: int
    tx: TransactionRecord
    kv: int
    rc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """Something that a person has to look at.

    Attributes:
        code: which rule, as `settlement.clearing.IncidentCode`.
        terminal_id: where it came from, or empty.
        batch: number of the batch, or None.
        stan: number of the payment, or None.
        masked_card: card number as people may see it, or empty.
        amount_minor: what it is about, or None.
        text: what happened, in plain words.
        at: the bank's time.
        evidence: the bytes that it is about, see `settlement.evidence`, or none. They
            are kept apart, and the same incident seen again may bring others.
    """

    code: str
    terminal_id: str = ""
    batch: int | None = None
    stan: int | None = None
    masked_card: str = ""
    amount_minor: int | None = None
    text: str
    at: datetime
    evidence: bytes = field(default=b"", repr=False, compare=False)

    @property
    def fingerprint(self) -> bytes:
        """Equal for the same incident seen again: it is noted once. 32 bytes."""
        facts = (
            self.code,
            self.terminal_id,
            self.batch,
            self.stan,
            self.masked_card,
            self.amount_minor,
            self.text,
        )
        return hashlib.sha256(repr(facts).encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedIncident:
    """An incident as it stands now.

    Attributes:
        number: of the incident, from 1.
        incident: what was noted.
        closed_at: when nobody had to look at it any more; None while it is open.
        closed_because: why, in plain words; empty while it is open.
    """

    number: int
    incident: IncidentRow
    closed_at: datetime | None = None
    closed_because: str = ""

    @property
    def is_open(self) -> bool:
        """Whether a person still has to look at it."""
        return self.closed_at is None


# Made once, for the reason that `settlement.store.records` gives.
_BATCHES: Final = sa.select(batch).order_by(
    batch.c.terminal_id, batch.c.mid, batch.c.batch
)
_BATCH: Final = sa.select(batch).where(*same_batch(batch))
_COLLECTED: Final = sa.select(batch_collected).where(*same_batch(batch_collected))
_OPENS: Final = (
    sa.select(open_report).where(*same_batch(open_report)).order_by(open_report.c.tsn)
)
_NOTED: Final = (
    sa.select(
        incident,
        incident_closed.c.at.label("closed_at"),
        incident_closed.c.text.label("closed_because"),
    )
    .select_from(incident.outerjoin(incident_closed))
    .order_by(incident.c.id)
)


class BatchTables:
    """Batches within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add_batch(self, header: BatchHeader, at: datetime) -> None:
        """Note that a batch was opened."""
        self._connection.execute(
            sa.insert(batch),
            {
                **batch_key(header),
                "office": header.office,
                "currency": header.currency,
                "count": header.close.count,
                "sum_minor": header.close.sum_minor,
                "open_count": header.close.open_count,
                "open_sum_minor": header.close.open_sum_minor,
                "chain": header.close.chain,
                "mac": header.close.mac,
                "opened_at": at,
            },
        )

    def batch(self, header: BatchHeader) -> BatchHeader | None:
        """What was opened under this terminal, customs card and number, or None."""
        row = self._connection.execute(_BATCH, batch_key(header)).first()
        return None if row is None else batch_header(row)

    def batches_of_card(self, mid: bytes, number: int) -> list[BatchHeader]:
        """The same batch of a customs card, from every terminal that sent it."""
        return self._batches(batch.c.mid == mid, batch.c.batch == number)

    def batches(self) -> list[BatchHeader]:
        """All batches, by terminal, customs card and number."""
        return self._batches()

    def add_collected(
        self, header: BatchHeader, row: CollectedRow, at: datetime
    ) -> None:
        """Note that a batch reconciled and was acknowledged."""
        self._connection.execute(
            sa.insert(batch_collected),
            {
                **batch_key(header),
                "ack_mac": row.ack_mac,
                "posted_count": row.posted.count,
                "posted_minor": row.posted.sum_minor,
                "suspended_count": row.suspended.count,
                "suspended_minor": row.suspended.sum_minor,
                "at": at,
            },
        )

    def collected(self, header: BatchHeader) -> CollectedRow | None:
        """How a batch ended, or None while it is pending."""
        row = self._connection.execute(_COLLECTED, batch_key(header)).first()
        if row is None:
            return None
        return CollectedRow(
            ack_mac=row.ack_mac,
            posted=Total(count=row.posted_count, sum_minor=row.posted_minor),
            suspended=Total(count=row.suspended_count, sum_minor=row.suspended_minor),
        )

    def add_open(
        self,
        header: BatchHeader,
        row: OpenRow,
        details: PaymentDetails | None,
        at: datetime,
    ) -> None:
        """Note an open record of a batch; one that is there already stays."""
        insert_unless_there(
            self._connection,
            open_report,
            {
                **batch_key(header),
                "tsn": row.tx.tsn,
                "stan": row.stan,
                "tx": row.tx.to_bytes(),
                "cid": row.tx.cid,
                "otc": row.tx.otc,
                "amount_minor": row.tx.amount_minor,
                "kv": row.kv,
                "rc": row.rc,
                "details": None if details is None else details_to_text(details),
                "received_at": at,
            },
        )

    def opens(self, header: BatchHeader) -> list[OpenRow]:
        """The open records that a batch reported, by tsn."""
        found = self._connection.execute(_OPENS, batch_key(header))
        return [open_row(row) for row in found]

    def add_incident(self, row: IncidentRow) -> int:
        """Note an incident, once, with its evidence; its number."""
        number = self._note(row)
        if row.evidence:
            add_evidence(self._connection, number, row.evidence, row.at)
        return number

    def _note(self, row: IncidentRow) -> int:
        query = sa.select(incident.c.id).where(
            incident.c.fingerprint == row.fingerprint
        )
        known: int | None = self._connection.execute(query).scalar()
        if known is not None:
            return known
        values = {
            "id": next_number(self._connection, incident.c.id),
            "fingerprint": row.fingerprint,
            "code": row.code,
            "terminal_id": row.terminal_id,
            "batch": row.batch,
            "stan": row.stan,
            "masked_card": row.masked_card,
            "amount_minor": row.amount_minor,
            "text": row.text,
            "at": row.at,
        }
        # Another transaction may have noted it while this one waited for its number.
        insert_unless_there(self._connection, incident, values, ("fingerprint",))
        number: int = self._connection.execute(query).scalar_one()
        return number

    def open_incident(self, fingerprint: bytes) -> int | None:
        """The number of an incident that is not closed, or None."""
        query = (
            sa.select(incident.c.id)
            .select_from(incident.outerjoin(incident_closed))
            .where(
                incident.c.fingerprint == fingerprint,
                incident_closed.c.incident_id.is_(None),
            )
        )
        return self._connection.execute(query).scalar()

    def close_incident(self, number: int, because: str, at: datetime) -> None:
        """Note that nobody has to look at an incident any more."""
        self._connection.execute(
            sa.insert(incident_closed).values(incident_id=number, text=because, at=at)
        )

    def incidents(self) -> list[IncidentRow]:
        """All incidents, oldest first, closed or not."""
        return [noted.incident for noted in self.noted_incidents()]

    def noted_incidents(self) -> list[NotedIncident]:
        """All incidents as they stand now, oldest first."""
        return [_noted(row) for row in self._connection.execute(_NOTED)]

    def noted_incident(self, number: int) -> NotedIncident | None:
        """One incident as it stands now, or None."""
        query = _NOTED.where(incident.c.id == number)
        row = self._connection.execute(query).first()
        return None if row is None else _noted(row)

    def incidents_of_record(
        self, terminal_id: str, number: int, stan: int
    ) -> list[NotedIncident]:
        """The incidents of one payment of a batch, oldest first."""
        query = _NOTED.where(
            incident.c.terminal_id == terminal_id,
            incident.c.batch == number,
            incident.c.stan == stan,
        )
        return [_noted(row) for row in self._connection.execute(query)]

    def _batches(self, *conditions: sa.ColumnElement[bool]) -> list[BatchHeader]:
        query = _BATCHES.where(*conditions)
        return [batch_header(row) for row in self._connection.execute(query)]


def batch_header(row: sa.Row[Any]) -> BatchHeader:
    """The value of a stored row."""
    return BatchHeader(
        terminal_id=row.terminal_id,
        office=row.office,
        mid=row.mid,
        currency=row.currency,
        close=BatchClose(
            batch=row.batch,
            # A Row is a tuple too, and its `count` is the tuple's method.
            count=row._mapping["count"],
            sum_minor=row.sum_minor,
            open_count=row.open_count,
            open_sum_minor=row.open_sum_minor,
            chain=row.chain,
            mac=row.mac,
        ),
    )


def _noted(row: sa.Row[Any]) -> NotedIncident:
    return NotedIncident(
        number=row.id,
        incident=incident_row(row),
        closed_at=row.closed_at,
        closed_because=row.closed_because or "",
    )


def incident_row(row: Any) -> IncidentRow:
    """The value of a stored row."""
    return IncidentRow(
        code=row.code,
        terminal_id=row.terminal_id,
        batch=row.batch,
        stan=row.stan,
        masked_card=row.masked_card,
        amount_minor=row.amount_minor,
        text=row.text,
        at=row.at,
    )


def open_row(row: Any) -> OpenRow:
    """The value of a stored row."""
    return OpenRow(
        stan=row.stan,
        tx=TransactionRecord.parse(row.tx),
        kv=row.kv,
        rc=row.rc,
    )
