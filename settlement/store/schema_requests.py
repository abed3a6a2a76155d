"""Payment requests, what became of them, and who may send them.

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
    "api_reply",
    "api_token",
    "api_token_revoked",
    "payment_request",
    "request_decline",
    "request_event",
    "request_payment",
    "request_published",
    "request_snapshot",
]

payment_request = sa.Table(
    "payment_request",
    metadata,
    sa.Column("number", sa.String, primary_key=True),
    text_column("office"),
    text_column("declaration"),
    text_column("kind"),
    integer_column("amount_minor"),
    integer_column("currency"),
    text_column("payer"),
    text_column("broker"),
    text_column("delivery_order"),
    # JSON: class and minor units of each line.
    text_column("lines"),
    # 2025-11-22, or empty.
    text_column("due"),
    bytes_column("content", 32),
    # Who sent it: a file's name, or the name of an API token.
    text_column("source"),
    time_column("at"),
    sa.CheckConstraint("amount_minor > 0", name="request_more_than_zero"),
    sa.CheckConstraint("kind IN ('fees', 'deposits')", name="request_kind_known"),
    sa.Index("payment_request_by_declaration", "declaration"),
    sa.Index("payment_request_by_office", "office", "number"),
    info=by("number"),
)

request_event = sa.Table(
    "request_event",
    metadata,
    # In the order in which everything happened: what has changed since is asked by it.
    sa.Column("id", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("number", sa.ForeignKey("payment_request.number"), nullable=False),
    integer_column("serial"),
    text_column("state"),
    # Who or what moved it, in plain words.
    text_column("who"),
    text_column("reason"),
    # The payment that paid it; null for all else.
    sa.Column("cid", sa.LargeBinary(8)),
    sa.Column("otc", WHOLE),
    time_column("at"),
    sa.UniqueConstraint("number", "serial"),
    # One payment pays one request.
    sa.UniqueConstraint("cid", "otc"),
    sa.ForeignKeyConstraint(["cid", "otc"], ["payment.cid", "payment.otc"]),
    sa.CheckConstraint(
        "state IN ('new', 'paid', 'declined', 'cancelled')", name="request_state_known"
    ),
    sa.CheckConstraint(
        "(state = 'paid') = (cid IS NOT NULL) AND (cid IS NULL) = (otc IS NULL)",
        name="request_paid_by_payment",
    ),
    info=by("number"),
)

request_payment = sa.Table(
    "request_payment",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("otc", WHOLE, primary_key=True),
    sa.Column("number", sa.ForeignKey("payment_request.number"), nullable=False),
    text_column("outcome"),
    time_column("at"),
    sa.ForeignKeyConstraint(["cid", "otc"], ["payment.cid", "payment.otc"]),
    sa.CheckConstraint(
        "outcome IN ('paid', 'over', 'under', 'differs', 'twice', 'not open')",
        name="request_outcome_known",
    ),
    sa.Index("request_payment_by_number", "number"),
    info=by("cid"),
)

request_decline = sa.Table(
    "request_decline",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    # Digest of all that the counter told: told again it is the same row.
    sa.Column("content", sa.LargeBinary(32), primary_key=True),
    text_column("number"),
    text_column("reason"),
    text_column("clerk"),
    time_column("declined_at"),
    # Response code and words, as they were answered.
    text_column("code"),
    text_column("text"),
    time_column("received_at"),
    sa.Index("request_decline_by_number", "number"),
    info=by("terminal_id"),
)

request_published = sa.Table(
    "request_published",
    metadata,
    sa.Column("office", sa.String(15), primary_key=True),
    # Of all lists of requests together, so that an office's own only ever grows.
    sa.Column("version", WHOLE, primary_key=True),
    sa.Column("number", sa.String, primary_key=True),
    # Null from the version on in which counters do not offer it any more.
    sa.Column("value", sa.LargeBinary),
    time_column("at"),
    sa.Index("request_published_by_version", "version"),
    info=EVERYWHERE,
)

request_snapshot = sa.Table(
    "request_snapshot",
    metadata,
    sa.Column("office", sa.String(15), primary_key=True),
    sa.Column("version", WHOLE, primary_key=True),
    # All entries of that version: no reader goes back further than to one of these.
    sa.Column("content", sa.LargeBinary, nullable=False),
    info=EVERYWHERE,
)

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("id", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, nullable=False, unique=True),
    # SHA-256 of the token; the token itself is nowhere.
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    # JSON lists; an empty list of offices means all of them.
    text_column("offices"),
    text_column("scopes"),
    text_column("who"),
    time_column("at"),
    info=EVERYWHERE,
)

api_token_revoked = sa.Table(
    "api_token_revoked",
    metadata,
    sa.Column(
        "token_id",
        sa.ForeignKey("api_token.id"),
        primary_key=True,
        autoincrement=False,
    ),
    text_column("who"),
    time_column("at"),
    info=EVERYWHERE,
)

api_reply = sa.Table(
    "api_reply",
    metadata,
    sa.Column(
        "token_id",
        sa.ForeignKey("api_token.id"),
        primary_key=True,
        autoincrement=False,
    ),
    # What the client called its request; the same again gets the same answer.
    sa.Column("idempotency_key", sa.String, primary_key=True),
    bytes_column("content", 32),
    integer_column("status"),
    text_column("body"),
    time_column("at"),
    info=EVERYWHERE,
)
