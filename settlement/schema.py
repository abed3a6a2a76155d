"""The bank's tables. Every table is append-only, and the database itself sees to it.

There is no mutable row anywhere: what changes is told by a further row (a load gets an
outcome, a batch gets collected, a terminal gets a newer binding). Balances and the
shadow account of a card are derived from these rows and can always be derived again.

===================  ==============================================================
table                key, and what a row says
===================  ==============================================================
account              kind, owner, currency: an account exists
entry, leg           the ledger; the legs of an entry balance
terminal             terminal, serial: what this terminal is bound to from now on
certificate          terminal, number: issued; in `settlement.store_certificates`
certificate_seen     terminal, number: was used for the first time
certificate_revoked  terminal, number: is not accepted any more
purse                CID: a purse card was issued
hotlist              CID, serial: counters refuse it, payments raise an incident
published            kind, version, key: what counters are told from now on
load, load_outcome   CID, ltc: authorised; and what became of it
batch                terminal, MID, number: opened with this CLOSE data
batch_collected      terminal, MID, number: reconciled, BANK ACK given
record               terminal, MID, batch, STAN: received, judged, answered so
payment              CID, otc: its TAC was verified and it is in the ledger
open_report          terminal, MID, batch, tsn: outcome not known at the counter
open_record          MID, tsn: such a payment, whatever number of batches report it
open_resolution      MID, tsn: what became of it, and how that is known
incident             something for a person to look at
incident_closed      incident: nobody has to look at it any more
audit_head           terminal, serial: where its audit log stood
statement            number: issued, never regenerated differently
===================  ==============================================================

Times are UTC text of fixed width (``2025-11-22T10:15:00.000000Z``), which sorts, and
which every tool that opens the file can read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.store_triggers import TRIGGERS

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = [
    "SCHEMA_VERSION",
    "UTCTime",
    "account",
    "audit_head",
    "batch",
    "batch_collected",
    "entry",
    "hotlist",
    "incident",
    "incident_closed",
    "leg",
    "load",
    "load_outcome",
    "metadata",
    "open_record",
    "open_report",
    "open_resolution",
    "payment",
    "published",
    "purse",
    "record",
    "statement",
    "terminal",
]

SCHEMA_VERSION: Final = 4
"""Kept in ``PRAGMA user_version``; another number is refused, never guessed at."""


class UTCTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time as text with microseconds."""

    # As SQLAlchemy documents it; its base class declares both wider than it reads them.
    impl = sa.String(27)  # type: ignore[mutable-override]  # see above
    cache_ok = True  # type: ignore[mutable-override]  # see above

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> str | None:
        """To the database."""
        if value is None:
            return None
        assert value.utcoffset() is not None, "times carry their zone"
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(timespec="microseconds") + "Z"

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromisoformat(value)


metadata = sa.MetaData()


def _card(name: str = "cid") -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(8), nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=False)


def _time(name: str) -> sa.Column[datetime]:
    return sa.Column(name, UTCTime, nullable=False)


def _bytes(name: str, length: int) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(length), nullable=False)


account = sa.Table(
    "account",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("kind"),
    _text("owner"),
    _integer("currency"),
    _text("name"),
    _time("opened_at"),
    sa.UniqueConstraint("kind", "owner", "currency"),
)

entry = sa.Table(
    "entry",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("kind"),
    _text("subject"),
    _integer("number"),
    sa.Column("cid", sa.LargeBinary(8)),
    _integer("currency"),
    _integer("amount_minor"),
    _time("booked_at"),
    _text("memo"),
    sa.UniqueConstraint("kind", "subject", "number"),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
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
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    _integer("debit_minor"),
    _integer("credit_minor"),
    sa.CheckConstraint(
        "debit_minor >= 0 AND credit_minor >= 0"
        " AND (debit_minor = 0) <> (credit_minor = 0)",
        name="debit_or_credit",
    ),
    sa.Index("leg_by_account", "account_id", "entry_id", "debit_minor", "credit_minor"),
)

terminal = sa.Table(
    "terminal",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("serial", sa.Integer, primary_key=True),
    _card("mid"),
    _text("office"),
    _integer("currency"),
    _integer("kv"),
    _time("bound_at"),
    sa.Index("terminal_by_mid", "mid"),
)

purse = sa.Table(
    "purse",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    _text("holder"),
    _integer("currency"),
    _integer("kv"),
    _integer("balance_limit_minor"),
    _integer("payment_limit_minor"),
    _text("valid_from"),
    _text("expiry"),
    _time("issued_at"),
)

hotlist = sa.Table(
    "hotlist",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("serial", sa.Integer, primary_key=True),
    # Of the list as a whole; rows of one change share it.
    _integer("version"),
    sa.Column("listed", sa.Boolean, nullable=False),
    _text("reason"),
    _time("since"),
    sa.Index("hotlist_by_version", "version"),
)

published = sa.Table(
    "published",
    metadata,
    # `settlement.download.DownloadKind`; the hotlist has its own table.
    sa.Column("kind", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    # Null from the version on that no longer has this key.
    sa.Column("value", sa.LargeBinary),
    _time("at"),
    sa.CheckConstraint("kind IN (1, 3, 4)", name="kind_known"),
)

load = sa.Table(
    "load",
    metadata,
    sa.Column("cid", sa.ForeignKey("purse.cid"), primary_key=True),
    sa.Column("ltc", sa.Integer, primary_key=True),
    _bytes("lid", 8),
    sa.Column("lsn", sa.Integer, nullable=False, unique=True),
    _integer("amount_minor"),
    _integer("currency"),
    _integer("kv"),
    _integer("card_balance_minor"),
    _bytes("rc", 8),
    _bytes("m1", 8),
    _time("at"),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
)

load_outcome = sa.Table(
    "load_outcome",
    metadata,
    sa.Column("cid", sa.LargeBinary(8), primary_key=True),
    sa.Column("ltc", sa.Integer, primary_key=True),
    _text("outcome"),
    sa.Column("balance_after_minor", sa.Integer),
    sa.Column("proof", sa.LargeBinary(8), nullable=False),
    _time("at"),
    sa.ForeignKeyConstraint(["cid", "ltc"], ["load.cid", "load.ltc"]),
    sa.CheckConstraint("outcome IN ('completed', 'voided')", name="outcome_known"),
)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    _text("office"),
    _integer("currency"),
    _integer("count"),
    _integer("sum_minor"),
    _integer("open_count"),
    _integer("open_sum_minor"),
    _bytes("chain", 16),
    _bytes("mac", 16),
    _time("opened_at"),
    sa.Index("batch_by_card", "mid", "batch"),
)

_BATCH_KEY: Final = ("terminal_id", "mid", "batch")


def _in_batch() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(_BATCH_KEY, [f"batch.{name}" for name in _BATCH_KEY])


batch_collected = sa.Table(
    "batch_collected",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    _bytes("ack_mac", 16),
    _integer("posted_count"),
    _integer("posted_minor"),
    _integer("suspended_count"),
    _integer("suspended_minor"),
    _time("at"),
    _in_batch(),
)

record = sa.Table(
    "record",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("stan", sa.Integer, primary_key=True),
    _integer("sequence"),
    _bytes("content", 32),
    _bytes("evidence", 32),
    _bytes("tx", 47),
    _card(),
    _integer("otc"),
    _integer("amount_minor"),
    _integer("kv"),
    _integer("alg"),
    _integer("balance_after_minor"),
    _integer("cumulative_debit_minor"),
    _bytes("tac", 8),
    sa.Column("details", sa.String),
    sa.Column("tac_verified", sa.Boolean, nullable=False),
    _text("decision"),
    _text("reason"),
    _time("received_at"),
    _in_batch(),
    sa.CheckConstraint(
        "decision NOT IN ('posted', 'held') OR tac_verified", name="paid_on_the_tac"
    ),
    sa.CheckConstraint(
        "decision IN ('posted', 'held', 'suspended', 'duplicate', 'conflict',"
        " 'refused')",
        name="decision_known",
    ),
    sa.Index("record_by_card", "cid", "otc"),
)

payment = sa.Table(
    "payment",
    metadata,
    sa.Column("cid", sa.ForeignKey("purse.cid"), primary_key=True),
    sa.Column("otc", sa.Integer, primary_key=True),
    _card("mid"),
    _integer("tsn"),
    _text("terminal_id"),
    _integer("batch"),
    _integer("stan"),
    _integer("amount_minor"),
    _integer("currency"),
    _integer("balance_after_minor"),
    _integer("cumulative_debit_minor"),
    _bytes("tac", 8),
    _bytes("evidence", 32),
    _time("paid_at"),
    sa.UniqueConstraint("mid", "tsn"),
    sa.ForeignKeyConstraint(
        ["terminal_id", "mid", "batch", "stan"],
        ["record.terminal_id", "record.mid", "record.batch", "record.stan"],
    ),
    sa.CheckConstraint("amount_minor > 0", name="amount_more_than_zero"),
)

open_report = sa.Table(
    "open_report",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("batch", sa.Integer, primary_key=True),
    sa.Column("tsn", sa.Integer, primary_key=True),
    _integer("stan"),
    _bytes("tx", 47),
    _card(),
    _integer("otc"),
    _integer("amount_minor"),
    _integer("kv"),
    _bytes("rc", 8),
    sa.Column("details", sa.String),
    _time("received_at"),
    _in_batch(),
)

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary(32), nullable=False, unique=True),
    _text("code"),
    _text("terminal_id"),
    sa.Column("batch", sa.Integer),
    sa.Column("stan", sa.Integer),
    _text("masked_card"),
    sa.Column("amount_minor", sa.Integer),
    _text("text"),
    _time("at"),
)

incident_closed = sa.Table(
    "incident_closed",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incident.id"), primary_key=True),
    _text("text"),
    _time("at"),
)

open_record = sa.Table(
    "open_record",
    metadata,
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("tsn", sa.Integer, primary_key=True),
    # The batch that reported it first.
    sa.Column("terminal_id", sa.String(8), nullable=False),
    _integer("batch"),
    _card(),
    _integer("otc"),
    # The newest load number (lsn) that the bank had given when it learned of it.
    _integer("lsn_then"),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    _time("at"),
    sa.ForeignKeyConstraint(
        ["terminal_id", "mid", "batch", "tsn"],
        [f"open_report.{name}" for name in ("terminal_id", "mid", "batch", "tsn")],
    ),
    sa.Index("open_record_by_card", "cid"),
)

open_resolution = sa.Table(
    "open_resolution",
    metadata,
    sa.Column("mid", sa.LargeBinary(8), primary_key=True),
    sa.Column("tsn", sa.Integer, primary_key=True),
    _text("how"),
    sa.Column("debited", sa.Boolean, nullable=False),
    # What the purse itself said at the card desk.
    sa.Column("balance_after_minor", sa.Integer),
    sa.Column("cumulative_debit_minor", sa.Integer),
    sa.Column("tac", sa.LargeBinary(8)),
    sa.Column("mac2", sa.LargeBinary(8)),
    sa.Column("vmac", sa.LargeBinary(8)),
    _time("at"),
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
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("serial", sa.Integer, primary_key=True),
    _card("mid"),
    _integer("batch"),
    _bytes("journal", 8),
    _integer("entries"),
    _bytes("digest", 32),
    _time("received_at"),
    sa.UniqueConstraint("terminal_id", "mid", "batch", "journal", "entries", "digest"),
    _in_batch(),
)

statement = sa.Table(
    "statement",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    _text("first_day"),
    _text("last_day"),
    _integer("last_entry_id"),
    _text("document"),
    _bytes("digest", 32),
    _time("issued_at"),
    sa.UniqueConstraint("account_id", "first_day", "last_day", "last_entry_id"),
)

for _statement in TRIGGERS:
    sa.event.listen(
        metadata,
        "after_create",
        # A percent sign would be taken for a placeholder by DDL; there is none.
        sa.DDL(_statement).execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap
    )
