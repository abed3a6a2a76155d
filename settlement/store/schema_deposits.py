"""What customs ordered about deposits that are held, and what the bank charges.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    by,
    card_column,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = ["bank_fee", "deposit_order", "tariff"]

deposit_order = sa.Table(
    "deposit_order",
    metadata,
    # The bank's own number, also that of the entry.
    sa.Column("number", WHOLE, primary_key=True),
    # Customs' number of the order; an office gives it once.
    text_column("office"),
    text_column("order_number"),
    # Kind of the entry that books it.
    text_column("action"),
    # The payment that is held, and the entry that posted it.
    card_column(),
    integer_column("otc"),
    sa.Column("origin_id", sa.ForeignKey("entry.id"), nullable=False),
    integer_column("amount_minor"),
    integer_column("currency"),
    # Whether it took all that was left.
    sa.Column("whole", sa.Boolean, nullable=False),
    text_column("officer"),
    text_column("noted_by"),
    time_column("at"),
    sa.UniqueConstraint("office", "order_number"),
    sa.ForeignKeyConstraint(["cid", "otc"], ["payment.cid", "payment.otc"]),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    sa.CheckConstraint(
        "action IN ('deposit refund', 'deposit forfeiture')", name="action_known"
    ),
    sa.Index("deposit_order_by_origin", "origin_id"),
    info=by("cid"),
)

tariff = sa.Table(
    "tariff",
    metadata,
    # `settlement.fees.FeeCode`.
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("currency", WHOLE, primary_key=True),
    # From 1; the newest holds from its time on.
    sa.Column("serial", WHOLE, primary_key=True),
    # 0 from the time on that nothing is charged.
    integer_column("amount_minor"),
    text_column("noted_by"),
    time_column("at"),
    sa.CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    info=EVERYWHERE,
)

bank_fee = sa.Table(
    "bank_fee",
    metadata,
    # The bank's own number, also that of the entry.
    sa.Column("number", WHOLE, primary_key=True),
    text_column("code"),
    # What it was charged for: card number in hex and 0 or ltc, or a reference and 0.
    text_column("subject"),
    integer_column("event"),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    integer_column("amount_minor"),
    integer_column("currency"),
    # The line of the tariff by which it was charged.
    integer_column("tariff_serial"),
    text_column("noted_by"),
    time_column("at"),
    sa.UniqueConstraint("code", "subject", "event"),
    sa.ForeignKeyConstraint(
        ["code", "currency", "tariff_serial"],
        ["tariff.code", "tariff.currency", "tariff.serial"],
    ),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
    info=by("subject"),
)
