"""Terminals, cards, and the value loaded onto them.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

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
    "hotlist",
    "load",
    "load_outcome",
    "published",
    "purse",
    "terminal",
]

terminal = sa.Table(
    "terminal",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    card_column("mid"),
    text_column("office"),
    integer_column("currency"),
    integer_column("kv"),
    time_column("bound_at"),
    sa.Index("terminal_by_mid", "mid"),
    info=EVERYWHERE,
)

purse = sa.Table(
    "purse",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    text_column("holder"),
    integer_column("currency"),
    integer_column("kv"),
    integer_column("balance_limit_minor"),
    integer_column("payment_limit_minor"),
    text_column("valid_from"),
    text_column("expiry"),
    time_column("issued_at"),
    info=by("cid"),
)

hotlist = sa.Table(
    "hotlist",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    # Of the list as a whole; rows of one change share it.
    integer_column("version"),
    sa.Column("listed", sa.Boolean, nullable=False),
    text_column("reason"),
    time_column("since"),
    sa.Index("hotlist_by_version", "version"),
    info=EVERYWHERE,
)

published = sa.Table(
    "published",
    metadata,
    # `settlement.download.DownloadKind`; the hotlist has its own table.
    sa.Column("kind", WHOLE, primary_key=True),
    sa.Column("version", WHOLE, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    # Null from the version on that no longer has this key.
    sa.Column("value", sa.LargeBinary),
    time_column("at"),
    sa.CheckConstraint("kind IN (1, 3, 4)", name="kind_known"),
    sa.Index("published_by_key", "kind", "key"),
    info=EVERYWHERE,
)

load = sa.Table(
    "load",
    metadata,
    sa.Column("cid", sa.ForeignKey("purse.cid"), primary_key=True),
    sa.Column("ltc", WHOLE, primary_key=True),
    bytes_column("lid", 8),
    sa.Column("lsn", WHOLE, nullable=False, unique=True),
    integer_column("amount_minor"),
    integer_column("currency"),
    integer_column("kv"),
    integer_column("card_balance_minor"),
    bytes_column("rc", 8),
    bytes_column("m1", 8),
    time_column("at"),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    info=by("cid"),
)

load_outcome = sa.Table(
    "load_outcome",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("ltc", WHOLE, primary_key=True),
    text_column("outcome"),
    sa.Column("balance_after_minor", WHOLE),
    sa.Column("proof", sa.LargeBinary(8), nullable=False),
    time_column("at"),
    sa.ForeignKeyConstraint(["cid", "ltc"], ["load.cid", "load.ltc"]),
    sa.CheckConstraint("outcome IN ('completed', 'voided')", name="outcome_known"),
    info=by("cid"),
)
