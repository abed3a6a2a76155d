"""Evidence of incidents and what people did about them, in the database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.store.holds import hold_name
from settlement.store.numbers import next_number
from settlement.store.schema_incident_work import incident_evidence, incident_work

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "EvidenceRow",
    "IncidentOutcome",
    "IncidentTables",
    "WorkKind",
    "WorkRow",
    "add_evidence",
    "work_row",
]

EVIDENCE_MAX: Final = 8
"""Pieces kept of one incident: it may be seen again with other bytes, and again."""


@unique
class WorkKind(StrEnum):
    """What an officer did; the values are stored."""

    ASSIGNED = "assigned"
    NOTED = "noted"
    RESOLVED = "resolved"


@unique
class IncidentOutcome(StrEnum):
    """How an incident was resolved; the values are stored.

    SUSPENSE is noted by the bank itself, for the officers who resolved the money.
    """

    EXPLAINED = "explained"
    CORRECTED = "corrected"
    FRAUD_REPORTED = "fraud reported"
    NO_FAULT = "no fault"
    SUSPENSE = "suspense"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """A piece of evidence of an incident.

    Attributes:
        data: an ISO 8583 message, see `settlement.evidence`.
        digest: its SHA-256, 32 bytes.
        at: when it came, the bank's time.
    """

    data: bytes = field(repr=False)
    digest: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """One thing that an officer did about an incident.

    Attributes:
        kind: assigned, noted or resolved.
        officer: who did it.
        owner: to whom it was assigned, or None.
        outcome: how it was resolved, or None.
        text: in the officer's words.
        at: the bank's time.
    """

    kind: WorkKind
    officer: str
    owner: str | None = None
    outcome: IncidentOutcome | None = None
    text: str
    at: datetime


def add_evidence(
    connection: sa.Connection, number: int, data: bytes, at: datetime
) -> None:
    """Keep the bytes of an incident; the same ones are kept once."""
    digest = hashlib.sha256(data).digest()
    hold_name(connection, f"evidence of incident {number}")
    known = connection.execute(
        sa.select(incident_evidence.c.serial, incident_evidence.c.digest).where(
            incident_evidence.c.incident_id == number
        )
    ).all()
    if len(known) >= EVIDENCE_MAX or digest in {row.digest for row in known}:
        return
    connection.execute(
        sa.insert(incident_evidence),
        {
            "incident_id": number,
            "serial": len(known) + 1,
            "data": data,
            "digest": digest,
            "at": at,
        },
    )


class IncidentTables:
    """Evidence and work within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def evidence(self, number: int) -> list[EvidenceRow]:
        """The evidence of an incident, oldest first."""
        query = (
            sa.select(incident_evidence)
            .where(incident_evidence.c.incident_id == number)
            .order_by(incident_evidence.c.serial)
        )
        return [
            EvidenceRow(data=row.data, digest=row.digest, at=row.at)
            for row in self._connection.execute(query)
        ]

    def work(self, number: int) -> list[WorkRow]:
        """What was done about an incident, oldest first."""
        return self.all_work(number).get(number, [])

    def all_work(self, number: int | None = None) -> dict[int, list[WorkRow]]:
        """What was done about every incident, or one, oldest first."""
        query = sa.select(incident_work).order_by(
            incident_work.c.incident_id, incident_work.c.serial
        )
        if number is not None:
            query = query.where(incident_work.c.incident_id == number)
        found: dict[int, list[WorkRow]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.incident_id, []).append(work_row(row))
        return found

    def add_work(self, number: int, row: WorkRow) -> None:
        """Note what an officer did about an incident."""
        serial = next_number(
            self._connection,
            incident_work.c.serial,
            incident_work.c.incident_id == number,
            of=str(number),
        )
        self._connection.execute(
            sa.insert(incident_work),
            {
                "incident_id": number,
                "serial": serial,
                "kind": row.kind.value,
                "officer": row.officer,
                "owner": row.owner,
                "outcome": row.outcome and row.outcome.value,
                "text": row.text,
                "at": row.at,
            },
        )


def work_row(row: Any) -> WorkRow:
    """The value of a stored row."""
    return WorkRow(
        kind=WorkKind(row.kind),
        officer=row.officer,
        owner=row.owner,
        outcome=None if row.outcome is None else IncidentOutcome(row.outcome),
        text=row.text,
        at=row.at,
    )
