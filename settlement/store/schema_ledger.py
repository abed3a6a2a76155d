"""The ledger: accounts, entries and their legs, and issued statements.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    by,
    bytes_column,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = [
    "account",
    "entry",
    "leg",
    "statement",
]

account = sa.Table(
    "account",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=False),
    text_column("kind"),
    text_column("owner"),
    integer_column("currency"),
    text_column("name"),
    time_column("opened_at"),
    sa.UniqueConstraint("kind", "owner", "currency"),
    info=EVERYWHERE,
)

entry = sa.Table(
    "entry",
    metadata,
    # PostgreSQL draws it from a sequence, see `settlement.store.numbers`.
    sa.Column("id", WHOLE, primary_key=True),
    text_column("kind"),
    text_column("subject"),
    integer_column("number"),
    sa.Column("cid", sa.LargeBinary(8)),
    integer_column("currency"),
    integer_column("amount_minor"),
    time_column("booked_at"),
    text_column("memo"),
    sa.UniqueConstraint("kind", "subject", "number"),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    info=by("subject"),
)

leg = sa.Table(
    "leg",
    metadata,
    # Legs are written before the entry that seals them, so this one key is deferred.
    sa.Column(
        "entry_id",
        sa.ForeignKey("entry.id", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    sa.Column("number", WHOLE, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    integer_column("debit_minor"),
    integer_column("credit_minor"),
    sa.CheckConstraint(
        "debit_minor >= 0 AND credit_minor >= 0"
        " AND (debit_minor = 0) <> (credit_minor = 0)",
        name="debit_or_credit",
    ),
    sa.Index("leg_by_account", "account_id", "entry_id", "debit_minor", "credit_minor"),
    info=by("entry_id"),
)

statement = sa.Table(
    "statement",
    metadata,
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    text_column("first_day"),
    text_column("last_day"),
    integer_column("last_entry_id"),
    text_column("document"),
    bytes_column("digest", 32),
    time_column("issued_at"),
    sa.UniqueConstraint("account_id", "first_day", "last_day", "last_entry_id"),
    info=EVERYWHERE,
)
