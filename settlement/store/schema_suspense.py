"""How payments in suspense ended, and hotlisted cards that were blocked.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    by,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = [
    "SUSPENSE_KEYS",
    "SUSPENSE_TRIGGERS",
    "hotlist_block",
    "suspense_resolution",
]

_RECORD_KEY: Final = ("terminal_id", "mid", "batch", "stan")

suspense_resolution = sa.Table(
    "suspense_resolution",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", WHOLE, primary_key=True),
    sa.Column("stan", WHOLE, primary_key=True),
    sa.Column("cid", sa.LargeBinary(8), nullable=False),
    integer_column("otc"),
    # `settlement.suspense.Outcome`
    text_column("outcome"),
    # The account that the money goes to; null where nothing is booked.
    sa.Column("account_id", sa.ForeignKey("account.id")),
    sa.Column(
        "proposal", sa.ForeignKey("proposal.number"), nullable=False, unique=True
    ),
    time_column("at"),
    sa.ForeignKeyConstraint(_RECORD_KEY, [f"record.{name}" for name in _RECORD_KEY]),
    sa.CheckConstraint(
        "(outcome IN ('paid', 'returned', 'accepted')) = (account_id IS NOT NULL)"
        " AND outcome IN ('paid', 'returned', 'accepted', 'written off')",
        name="outcome_known",
    ),
    info=by("terminal_id"),
)

hotlist_block = sa.Table(
    "hotlist_block",
    metadata,
    # The listing because of which it was blocked.
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    # What the card was brought for, such as "load" at desk DESK0001.
    text_column("contact"),
    # False: it was blocked already when it was seen.
    sa.Column("by_command", sa.Boolean, nullable=False),
    text_column("user"),
    time_column("at"),
    sa.ForeignKeyConstraint(["cid", "serial"], ["hotlist.cid", "hotlist.serial"]),
    info=EVERYWHERE,
)

SUSPENSE_KEYS: Final = {
    "suspense_resolution": _RECORD_KEY,
    "hotlist_block": ("cid", "serial"),
}
"""Append-only tables of this file, with what identifies a row."""

_RESOLVED_BY_TWO: Final = """
CREATE TRIGGER suspense_resolved_by_two BEFORE INSERT ON suspense_resolution
BEGIN
  SELECT RAISE(ABORT, 'suspense is resolved by two officers who agree on it')
  WHERE NOT EXISTS (
    SELECT 1 FROM proposal
    JOIN proposal_decision AS decided ON decided.number = proposal.number
    JOIN record ON record.terminal_id = NEW.terminal_id AND record.mid = NEW.mid
      AND record.batch = NEW.batch AND record.stan = NEW.stan
    LEFT JOIN account ON account.id = NEW.account_id
    WHERE proposal.number = NEW.proposal AND proposal.kind = 'suspense'
      AND decided.approved AND decided.officer <> proposal.officer
      AND proposal.subject = NEW.terminal_id || '/' || hex(NEW.mid) || '/'
                             || NEW.batch || '/' || NEW.stan
      -- `settlement.suspense.resolution_document`, in its one form of JSON.
      AND proposal.document = '{"account":'
        || CASE WHEN NEW.account_id IS NULL THEN 'null' ELSE
             '{"currency":' || account.currency || ',"kind":"' || account.kind
             || '","owner":"' || account.owner || '"}' END
        || ',"amount_minor":' || record.amount_minor
        || ',"evidence":"' || hex(record.evidence)
        || '","outcome":"' || NEW.outcome || '"}');
  SELECT RAISE(ABORT, 'only what waits in suspense is resolved, in a way that fits')
  WHERE NOT EXISTS (
    SELECT 1 FROM record
    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch
      AND stan = NEW.stan AND cid = NEW.cid AND otc = NEW.otc
      AND ((decision = 'held' AND NEW.outcome IN ('paid', 'returned'))
        OR (decision = 'suspended' AND NEW.outcome IN ('accepted', 'written off'))));
END"""

_ENTRY_OF_RESOLUTION: Final = """
CREATE TRIGGER entry_of_suspense BEFORE INSERT ON entry
WHEN NEW.kind = 'suspense resolution'
BEGIN
  SELECT RAISE(ABORT, 'what is in suspense leaves it only as two officers decided')
  WHERE NOT EXISTS (
    SELECT 1 FROM suspense_resolution AS ended
    JOIN record ON record.terminal_id = ended.terminal_id
      AND record.mid = ended.mid AND record.batch = ended.batch
      AND record.stan = ended.stan
    WHERE ended.cid = NEW.cid AND hex(ended.cid) = NEW.subject
      AND ended.otc = NEW.number AND ended.outcome IN ('paid', 'returned')
      AND record.amount_minor = NEW.amount_minor
      AND (SELECT COUNT(*) FROM leg WHERE entry_id = NEW.id) = 2
      AND EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                  WHERE leg.entry_id = NEW.id AND account.kind = 'suspense'
                    AND leg.debit_minor = NEW.amount_minor)
      AND EXISTS (SELECT 1 FROM leg
                  WHERE leg.entry_id = NEW.id AND leg.account_id = ended.account_id
                    AND leg.credit_minor = NEW.amount_minor));
END"""

SUSPENSE_TRIGGERS: Final = (_RESOLVED_BY_TWO, _ENTRY_OF_RESOLUTION)
