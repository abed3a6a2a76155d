"""Bank officers, and what two of them decide together.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    bytes_column,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = [
    "OFFICER_KEYS",
    "OFFICER_TRIGGERS",
    "officer",
    "officer_attempt",
    "officer_disabled",
    "officer_password",
    "proposal",
    "proposal_decision",
]

officer = sa.Table(
    "officer",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    text_column("full_name"),
    text_column("role"),
    # What two security officers decided; null for the first ones of a bank. A proposal
    # refers to its officer, so this is no reference back: `officer_added_by_two` asks
    # for the proposal, and that it was approved.
    sa.Column("proposal", WHOLE),
    time_column("at"),
    sa.CheckConstraint(
        "role IN ('operations', 'supervisor', 'security')", name="role_known"
    ),
    info=EVERYWHERE,
)

officer_password = sa.Table(
    "officer_password",
    metadata,
    sa.Column("name", sa.ForeignKey("officer.name"), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    # Argon2id in its own notation, salt and cost included.
    text_column("hash"),
    # What two security officers decided; null for one that the officer chose.
    sa.Column("proposal", sa.ForeignKey("proposal.number")),
    time_column("at"),
    info=EVERYWHERE,
)

officer_attempt = sa.Table(
    "officer_attempt",
    metadata,
    sa.Column("name", sa.ForeignKey("officer.name"), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    # Written before the comparison, as a card does; that it was right is a further row.
    sa.Column("good", sa.Boolean, nullable=False),
    # Of the password that was tried.
    integer_column("password"),
    time_column("at"),
    sa.ForeignKeyConstraint(
        ["name", "password"], ["officer_password.name", "officer_password.serial"]
    ),
    info=EVERYWHERE,
)

officer_disabled = sa.Table(
    "officer_disabled",
    metadata,
    sa.Column("name", sa.ForeignKey("officer.name"), primary_key=True),
    sa.Column("proposal", sa.ForeignKey("proposal.number"), nullable=False),
    time_column("at"),
    info=EVERYWHERE,
)

proposal = sa.Table(
    "proposal",
    metadata,
    sa.Column("number", WHOLE, primary_key=True),
    # `settlement.dual_control.ActionKind`
    text_column("kind"),
    text_column("subject"),
    text_column("document"),
    bytes_column("digest", 32),
    text_column("reason"),
    sa.Column("officer", sa.ForeignKey("officer.name"), nullable=False),
    time_column("at"),
    sa.Index("proposal_by_subject", "kind", "subject"),
    info=EVERYWHERE,
)

proposal_decision = sa.Table(
    "proposal_decision",
    metadata,
    sa.Column("number", sa.ForeignKey("proposal.number"), primary_key=True),
    sa.Column("approved", sa.Boolean, nullable=False),
    # Of the proposal as the deciding officer saw it.
    bytes_column("digest", 32),
    text_column("reason"),
    sa.Column("officer", sa.ForeignKey("officer.name"), nullable=False),
    time_column("at"),
    info=EVERYWHERE,
)

OFFICER_KEYS: Final = {
    "officer": ("name",),
    "officer_password": ("name", "serial"),
    "officer_attempt": ("name", "serial"),
    "officer_disabled": ("name",),
    "proposal": ("number",),
    "proposal_decision": ("number",),
}
"""Append-only tables of this file, with what identifies a row."""

_PROPOSED_BY_ONE_WHO_MAY: Final = """
CREATE TRIGGER proposal_by_officer BEFORE INSERT ON proposal
BEGIN
  SELECT RAISE(ABORT, 'a proposal is made by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
  SELECT RAISE(ABORT, 'there is an undecided proposal about this already')
  WHERE EXISTS (SELECT 1 FROM proposal AS other
                WHERE other.kind = NEW.kind AND other.subject = NEW.subject
                  AND NOT EXISTS (SELECT 1 FROM proposal_decision AS decided
                                  WHERE decided.number = other.number));
END"""

_APPROVED_BY_ANOTHER: Final = """
CREATE TRIGGER proposal_decided_by_another BEFORE INSERT ON proposal_decision
BEGIN
  SELECT RAISE(ABORT, 'nobody approves a proposal of his or her own')
  WHERE NEW.approved
    AND EXISTS (SELECT 1 FROM proposal
                WHERE number = NEW.number AND officer = NEW.officer);
  SELECT RAISE(ABORT, 'a proposal is approved by a supervisor or a security officer')
  WHERE NEW.approved
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = NEW.officer AND role IN ('supervisor', 'security'));
  SELECT RAISE(ABORT, 'a proposal is decided by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
  SELECT RAISE(ABORT, 'what is decided is not what was proposed')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    WHERE number = NEW.number AND digest = NEW.digest);
END"""

_BY_TWO: Final = """
  SELECT RAISE(ABORT, 'officers are managed by two security officers together')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = NEW.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = NEW.name);
END"""

_OFFICER_ADDED_BY_TWO: Final = f"""
CREATE TRIGGER officer_added_by_two BEFORE INSERT ON officer
WHEN NEW.proposal IS NOT NULL
  OR (SELECT COUNT(*) FROM officer WHERE role = 'security'
        AND NOT EXISTS (SELECT 1 FROM officer_disabled AS gone
                        WHERE gone.name = officer.name)) >= 2
BEGIN{_BY_TWO}"""  # noqa: S608  our own text

_OFFICER_DISABLED_BY_TWO: Final = f"""
CREATE TRIGGER officer_disabled_by_two BEFORE INSERT ON officer_disabled
BEGIN{_BY_TWO}"""

_PASSWORD_RESET_BY_TWO: Final = f"""
CREATE TRIGGER officer_password_by_two BEFORE INSERT ON officer_password
WHEN NEW.proposal IS NOT NULL
BEGIN{_BY_TWO}"""

OFFICER_TRIGGERS: Final = (
    _PROPOSED_BY_ONE_WHO_MAY,
    _APPROVED_BY_ANOTHER,
    _OFFICER_ADDED_BY_TWO,
    _OFFICER_DISABLED_BY_TWO,
    _PASSWORD_RESET_BY_TWO,
)
