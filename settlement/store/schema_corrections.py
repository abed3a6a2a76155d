"""Corrections: what one officer proposed and what another one decided.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = ["correction", "correction_decision"]

correction = sa.Table(
    "correction",
    metadata,
    # The bank's own number, also that of the entry.
    sa.Column("number", WHOLE, primary_key=True),
    # The entry that was wrong, and the one with which its money came.
    sa.Column("entry_id", sa.ForeignKey("entry.id"), nullable=False),
    sa.Column("origin_id", sa.ForeignKey("entry.id"), nullable=False),
    sa.Column("debit_account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("credit_account_id", sa.ForeignKey("account.id"), nullable=False),
    integer_column("amount_minor"),
    integer_column("currency"),
    text_column("reason"),
    text_column("proposed_by"),
    time_column("at"),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    sa.CheckConstraint("debit_account_id <> credit_account_id", name="moves_something"),
    sa.CheckConstraint("length(trim(reason)) > 0", name="reason_given"),
    sa.Index("correction_by_origin", "origin_id"),
    info=EVERYWHERE,
)

correction_decision = sa.Table(
    "correction_decision",
    metadata,
    sa.Column("number", sa.ForeignKey("correction.number"), primary_key=True),
    text_column("decision"),
    # Why it was rejected; empty when it was approved.
    text_column("reason"),
    text_column("decided_by"),
    time_column("at"),
    sa.CheckConstraint("decision IN ('approved', 'rejected')", name="decision_known"),
    info=EVERYWHERE,
)
