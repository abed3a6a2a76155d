"""What came from terminals: batches, records, and the payments they became.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from settlement.store.schema_types import (
    WHOLE,
    by,
    bytes_column,
    card_column,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = [
    "audit_head",
    "batch",
    "batch_collected",
    "in_batch",
    "payment",
    "record",
    "staged",
    "staged_batch",
]

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", WHOLE, primary_key=True),
    text_column("office"),
    integer_column("currency"),
    integer_column("count"),
    integer_column("sum_minor"),
    integer_column("open_count"),
    integer_column("open_sum_minor"),
    bytes_column("chain", 16),
    bytes_column("mac", 16),
    time_column("opened_at"),
    sa.Index("batch_by_card", "mid", "batch"),
    sa.Index("batch_by_time", "opened_at"),
    info=by("terminal_id"),
)

_BATCH_KEY: Final = ("terminal_id", "mid", "batch")


def in_batch() -> sa.ForeignKeyConstraint:
    """The reference of a row to its batch."""
    return sa.ForeignKeyConstraint(_BATCH_KEY, [f"batch.{name}" for name in _BATCH_KEY])


batch_collected = sa.Table(
    "batch_collected",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", WHOLE, primary_key=True),
    bytes_column("ack_mac", 16),
    integer_column("posted_count"),
    integer_column("posted_minor"),
    integer_column("suspended_count"),
    integer_column("suspended_minor"),
    time_column("at"),
    in_batch(),
    sa.Index("batch_collected_by_time", "terminal_id", "at"),
    info=by("terminal_id"),
)


def _sent_columns() -> tuple[sa.Column[Any], ...]:
    """A payment as its terminal sent it, and whether its TAC is good."""
    return (
        sa.Column("terminal_id", sa.String(8), primary_key=True),
        sa.Column("mid", sa.LargeBinary(8), primary_key=True),
        sa.Column("batch", WHOLE, primary_key=True),
        sa.Column("stan", WHOLE, primary_key=True),
        integer_column("sequence"),
        bytes_column("content", 32),
        bytes_column("evidence", 32),
        bytes_column("tx", 47),
        card_column(),
        integer_column("otc"),
        integer_column("amount_minor"),
        integer_column("kv"),
        integer_column("alg"),
        integer_column("balance_after_minor"),
        integer_column("cumulative_debit_minor"),
        bytes_column("tac", 8),
        sa.Column("details", sa.String),
        sa.Column("tac_verified", sa.Boolean, nullable=False),
    )


record = sa.Table(
    "record",
    metadata,
    *_sent_columns(),
    text_column("decision"),
    text_column("reason"),
    time_column("received_at"),
    in_batch(),
    sa.CheckConstraint(
        "decision NOT IN ('posted', 'held') OR tac_verified", name="paid_on_the_tac"
    ),
    sa.CheckConstraint(
        "decision IN ('posted', 'held', 'suspended', 'duplicate', 'conflict',"
        " 'refused')",
        name="decision_known",
    ),
    sa.Index("record_by_card", "cid", "otc"),
    info=by("terminal_id"),
)

# What was received while posting was behind. Its posting adds a record with the same
# key; until then it waits (`settlement.store.staged`).
staged = sa.Table(
    "staged",
    metadata,
    *_sent_columns(),
    time_column("received_at"),
    in_batch(),
    info=by("terminal_id"),
)

# The batches of which anything was ever staged: few, so that what waits is found soon.
staged_batch = sa.Table(
    "staged_batch",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", WHOLE, primary_key=True),
    time_column("at"),
    in_batch(),
    info=by("terminal_id"),
)

payment = sa.Table(
    "payment",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), sa.ForeignKey("purse.cid"), primary_key=True),
    sa.Column("otc", WHOLE, primary_key=True),
    card_column("mid"),
    integer_column("tsn"),
    text_column("terminal_id"),
    integer_column("batch"),
    integer_column("stan"),
    integer_column("amount_minor"),
    integer_column("currency"),
    integer_column("balance_after_minor"),
    integer_column("cumulative_debit_minor"),
    bytes_column("tac", 8),
    bytes_column("evidence", 32),
    time_column("paid_at"),
    sa.UniqueConstraint("mid", "tsn"),
    sa.ForeignKeyConstraint(
        ["terminal_id", "mid", "batch", "stan"],
        ["record.terminal_id", "record.mid", "record.batch", "record.stan"],
    ),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    info=by("cid"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    card_column("mid"),
    integer_column("batch"),
    bytes_column("journal", 8),
    integer_column("entries"),
    bytes_column("digest", 32),
    time_column("received_at"),
    sa.UniqueConstraint("terminal_id", "mid", "batch", "journal", "entries", "digest"),
    in_batch(),
    info=by("terminal_id"),
)
