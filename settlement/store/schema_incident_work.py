"""What belongs to an incident beside its words: evidence, and what people did.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    bytes_column,
    metadata,
    text_column,
    time_column,
)

__all__ = [
    "INCIDENT_KEYS",
    "INCIDENT_TRIGGERS",
    "incident_evidence",
    "incident_work",
]

incident_evidence = sa.Table(
    "incident_evidence",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incident.id"), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    # An ISO 8583 message, see `settlement.evidence`.
    sa.Column("data", sa.LargeBinary, nullable=False),
    bytes_column("digest", 32),
    time_column("at"),
    sa.UniqueConstraint("incident_id", "digest"),
    info=EVERYWHERE,
)

incident_work = sa.Table(
    "incident_work",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incident.id"), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    text_column("kind"),
    sa.Column("officer", sa.ForeignKey("officer.name"), nullable=False),
    # To whom it was given.
    sa.Column("owner", sa.ForeignKey("officer.name")),
    sa.Column("outcome", sa.String),
    text_column("text"),
    time_column("at"),
    sa.CheckConstraint(
        "(kind = 'noted' AND owner IS NULL AND outcome IS NULL)"
        " OR (kind = 'assigned' AND owner IS NOT NULL AND outcome IS NULL)"
        " OR (kind = 'resolved' AND owner IS NULL AND outcome IN"
        " ('explained', 'corrected', 'fraud reported', 'no fault', 'suspense'))",
        name="kind_known",
    ),
    info=EVERYWHERE,
)

INCIDENT_KEYS: Final = {
    "incident_evidence": ("incident_id", "serial"),
    "incident_work": ("incident_id", "serial"),
}
"""Append-only tables of this file, with what identifies a row."""

_NOTHING_AFTER_THE_END: Final = """
CREATE TRIGGER incident_work_while_open BEFORE INSERT ON incident_work
BEGIN
  SELECT RAISE(ABORT, 'the incident is closed: only notes are added')
  WHERE NEW.kind <> 'noted'
    AND EXISTS (SELECT 1 FROM incident_closed WHERE incident_id = NEW.incident_id);
  SELECT RAISE(ABORT, 'nothing is accepted from a disabled officer')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
END"""

_CLOSED_BY_SOMEBODY: Final = """
CREATE TRIGGER incident_closed_by_somebody BEFORE INSERT ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'an incident closes by an officer, or by what it waited for')
  WHERE NOT EXISTS (SELECT 1 FROM incident_work
                    WHERE incident_id = NEW.incident_id AND kind = 'resolved')
    AND NOT EXISTS (SELECT 1 FROM incident
                    WHERE id = NEW.incident_id
                      AND code IN ('outcome open', 'batch incomplete'));
END"""

INCIDENT_TRIGGERS: Final = (_NOTHING_AFTER_THE_END, _CLOSED_BY_SOMEBODY)
