"""What the parts of the journal ask of its database, and its tables.

`terminal.journal` is the one door to SQLite; payments and batches are kept through
this narrower sight of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

__all__ = ["LOG", "SCHEMA", "STOPPED", "VERSION", "BatchKey", "Row", "Rows"]

VERSION: Final = 3
"""PRAGMA user_version; a journal of another version is left alone."""

STOPPED: Final = "stopped"
"""The event of a program that was stopped in order, with nothing left to be told."""

Row: TypeAlias = dict[str, Any]
BatchKey: TypeAlias = tuple[bytes, int]
"""A batch: the reference of its customs card, and its number there."""

LOG: Final = (
    "SELECT id, at, kind, payment, batch, batch_row, detail, content, link FROM events"
)
"""Entries in the shape of `terminal.audit.LogRow`."""


class Rows(Protocol):
    """Statements and transactions; every SQLite error leaves as JournalError."""

    @property
    def numbers_after(self) -> int:
        """Payment and receipt numbers up to this one are another journal's."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, on the disk when the block has been left."""
        ...

    def change(self, sql: str, values: Sequence[object]) -> int:
        """Run one statement inside a transaction; how many rows it changed."""
        ...

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a SELECT."""
        ...

    def event(
        self,
        kind: str,
        at: datetime,
        *,
        payment: int | None = None,
        batch: BatchKey | None = None,
        detail: str = "",
    ) -> None:
        """Append an event inside a transaction.

        It is chained to the one before and to the row of the payment or batch as it
        stands now: so it comes after every change that it is to vouch for.
        """
        ...


SCHEMA: Final = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        payment INTEGER,
        batch INTEGER,
        batch_row INTEGER,
        detail TEXT NOT NULL,
        content BLOB,
        link BLOB NOT NULL CHECK (length(link) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE payments (
        number INTEGER PRIMARY KEY,
        stan INTEGER NOT NULL CHECK (stan BETWEEN 1 AND 999999),
        state TEXT NOT NULL,
        details TEXT,
        amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
        currency INTEGER NOT NULL,
        at TEXT NOT NULL,
        batch INTEGER NOT NULL,
        position INTEGER,
        receipt INTEGER UNIQUE,
        card_masked TEXT NOT NULL,
        card_ref BLOB NOT NULL,
        customs_ref BLOB NOT NULL,
        otc INTEGER,
        tsn INTEGER,
        reason TEXT,
        card BLOB NOT NULL,
        rc BLOB,
        opened BLOB,
        proof BLOB
    ) STRICT
    """,
    """
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY,
        customs_ref BLOB NOT NULL,
        batch INTEGER NOT NULL,
        state TEXT NOT NULL,
        mid BLOB NOT NULL,
        closing BLOB NOT NULL,
        opens BLOB NOT NULL,
        closed_at TEXT NOT NULL,
        ack_mac BLOB,
        code TEXT NOT NULL DEFAULT '',
        text TEXT NOT NULL DEFAULT '',
        UNIQUE (customs_ref, batch)
    ) STRICT
    """,
    """
    CREATE TABLE declines (
        number INTEGER PRIMARY KEY,
        request TEXT NOT NULL UNIQUE,
        reason TEXT NOT NULL,
        clerk TEXT NOT NULL,
        at TEXT NOT NULL,
        code TEXT NOT NULL DEFAULT '',
        text TEXT NOT NULL DEFAULT '',
        told_at TEXT
    ) STRICT
    """,
    "CREATE INDEX declines_waiting ON declines (number) WHERE code = ''",
    """
    CREATE TRIGGER declines_never_go BEFORE DELETE ON declines
    BEGIN SELECT raise(ABORT, 'a decline is never deleted'); END
    """,
    """
    CREATE TRIGGER declines_keep_their_facts
    BEFORE UPDATE OF number, request, reason, clerk, at ON declines
    BEGIN SELECT raise(ABORT, 'the facts of a decline never change'); END
    """,
    """
    CREATE TRIGGER declines_are_answered_once
    BEFORE UPDATE ON declines WHEN OLD.code <> ''
    BEGIN SELECT raise(ABORT, 'the bank has said its last word on a decline'); END
    """,
    """
    CREATE INDEX payments_unfinished ON payments (state, card_ref)
        WHERE state NOT IN ('credited', 'refused', 'not-debited')
    """,
    """
    CREATE INDEX events_by_payment ON events (payment) WHERE payment IS NOT NULL
    """,
    """
    CREATE INDEX events_by_batch ON events (batch_row) WHERE batch_row IS NOT NULL
    """,
    "CREATE INDEX payments_by_place ON payments (customs_ref, batch, position)",
    """
    CREATE UNIQUE INDEX payments_by_tsn ON payments (customs_ref, tsn)
        WHERE tsn IS NOT NULL
    """,
    """
    CREATE TRIGGER events_never_change BEFORE UPDATE ON events
    BEGIN SELECT raise(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER events_never_go BEFORE DELETE ON events
    BEGIN SELECT raise(ABORT, 'events are append-only'); END
    """,
    """
    CREATE TRIGGER payments_never_go BEFORE DELETE ON payments
    BEGIN SELECT raise(ABORT, 'a payment is never deleted'); END
    """,
    """
    CREATE TRIGGER payments_keep_their_facts
    BEFORE UPDATE OF number, stan, details, amount_minor, currency, at, card, card_ref,
        customs_ref ON payments
    BEGIN SELECT raise(ABORT, 'the facts of a payment never change'); END
    """,
    """
    CREATE TRIGGER batches_never_go BEFORE DELETE ON batches
    BEGIN SELECT raise(ABORT, 'a batch is never deleted'); END
    """,
    """
    CREATE TRIGGER batches_keep_their_facts
    BEFORE UPDATE OF customs_ref, batch, mid, closing, opens, closed_at ON batches
    BEGIN SELECT raise(ABORT, 'the facts of a batch never change'); END
    """,
)
