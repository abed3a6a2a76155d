"""What a person has to look at, and payments whose outcome was not known.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.schema_batches import in_batch
from settlement.store.schema_types import (
    EVERYWHERE,
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
    "incident",
    "incident_closed",
    "open_record",
    "open_report",
    "open_resolution",
]

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.LargeBinary(32), nullable=False, unique=True),
    text_column("code"),
    text_column("terminal_id"),
    sa.Column("batch", WHOLE),
    sa.Column("stan", WHOLE),
    text_column("masked_card"),
    sa.Column("amount_minor", WHOLE),
    text_column("text"),
    time_column("at"),
    info=EVERYWHERE,
)

incident_closed = sa.Table(
    "incident_closed",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incident.id"), primary_key=True),
    text_column("text"),
    time_column("at"),
    info=EVERYWHERE,
)

open_report = sa.Table(
    "open_report",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", WHOLE, primary_key=True),
    sa.Column("tsn", WHOLE, primary_key=True),
    integer_column("stan"),
    bytes_column("tx", 47),
    card_column(),
    integer_column("otc"),
    integer_column("amount_minor"),
    integer_column("kv"),
    bytes_column("rc", 8),
    sa.Column("details", sa.String),
    time_column("received_at"),
    in_batch(),
    info=by("terminal_id"),
)

open_record = sa.Table(
    "open_record",
    metadata,
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("tsn", WHOLE, primary_key=True),
    # The batch that reported it first.
    sa.Column("terminal_id", sa.String(8), nullable=False),
    integer_column("batch"),
    card_column(),
    integer_column("otc"),
    # The newest load number (lsn) that the bank had given when it learned of it.
    integer_column("lsn_then"),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    time_column("at"),
    sa.ForeignKeyConstraint(
        ["terminal_id", "mid", "batch", "tsn"],
        [f"open_report.{name}" for name in ("terminal_id", "mid", "batch", "tsn")],
    ),
    sa.Index("open_record_by_card", "cid"),
    info=by("mid"),
)

open_resolution = sa.Table(
    "open_resolution",
    metadata,
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("tsn", WHOLE, primary_key=True),
    text_column("how"),
    sa.Column("debited", sa.Boolean, nullable=False),
    # What the purse itself said at the card desk.
    sa.Column("balance_after_minor", WHOLE),
    sa.Column("cumulative_debit_minor", WHOLE),
    sa.Column("tac", sa.LargeBinary(8)),
    sa.Column("mac2", sa.LargeBinary(8)),
    sa.Column("vmac", sa.LargeBinary(8)),
    time_column("at"),
    sa.ForeignKeyConstraint(["mid", "tsn"], ["open_record.mid", "open_record.tsn"]),
    sa.CheckConstraint(
        "(how IN ('next payment', 'load') AND NOT debited)"
        " OR (how = 'delivered' AND debited) OR how = 'card desk'",
        name="how_known",
    ),
    sa.CheckConstraint(
        "(how = 'card desk' AND NOT debited) = (vmac IS NOT NULL)",
        name="voided_with_vmac",
    ),
    sa.CheckConstraint(
        "(how = 'card desk' AND debited) = (tac IS NOT NULL)"
        " AND (tac IS NULL) = (mac2 IS NULL)"
        " AND (tac IS NULL) = (balance_after_minor IS NULL)"
        " AND (tac IS NULL) = (cumulative_debit_minor IS NULL)",
        name="debited_with_proof",
    ),
    info=by("mid"),
)
