"""What a transaction holds, so that nothing it has read changes before it writes.

SQLite has one writer, who holds everything from BEGIN IMMEDIATE on: here is nothing to
do. On PostgreSQL several hosts write at once. What a transaction reads and then writes
upon (a purse's counters, a batch, an account's balance) it must hold, from before it
reads until it ends. Held are names, not rows, because a batch or an account that is
not there yet has to be held too; purses alone are held by their row, since there can be
thousands in one transaction, and PostgreSQL keeps a table of bounded size for names.

Every transaction takes what it holds in one order, so that two never wait for each
other: terminals, customs cards, purses, accounts, offices, then the numbers of
`settlement.store.numbers`; within a kind by their value. Where a transaction breaks
that order PostgreSQL undoes one of two that wait for each other, which is a
`CollisionError`, and the same is done again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.store.schema import entry, purse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.ledger import Account

__all__ = ["Holds", "hold_name"]

_HOLD: Final = sa.text("SELECT pg_advisory_xact_lock(:name)").bindparams(
    sa.bindparam("name", type_=sa.BigInteger)
)
_HOLD_PURSES: Final = (
    sa.select(purse.c.cid)
    .where(purse.c.cid == sa.any_(sa.bindparam("cids", type_=sa.ARRAY(sa.LargeBinary))))
    .order_by(purse.c.cid)
    .with_for_update(key_share=True)
)


class Holds:
    """What one transaction holds. On SQLite, everything anyway."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection
        self._is_needed = connection.dialect.name != "sqlite"

    def terminals(self, terminal_ids: Iterable[str]) -> None:
        """Hold terminals: their bindings, certificates and audit heads."""
        self._names("terminal", terminal_ids)

    def customs_cards(self, mids: Iterable[bytes]) -> None:
        """Hold customs cards: their batches, open records and payments by tsn."""
        self._names("customs card", (mid.hex() for mid in mids))

    def purses(self, cids: Iterable[bytes]) -> None:
        """Hold purses: their payments, loads and open records.

        A card that was never issued is not held: nothing is booked for it.
        """
        if self._is_needed:
            wanted = sorted(set(cids))
            self._connection.execute(_HOLD_PURSES, {"cids": wanted}).all()

    def accounts(self, accounts: Iterable[Account]) -> None:
        """Hold accounts: their balance, and the numbers of their deposits."""
        names = (f"{one.kind.value}/{one.owner}/{one.currency}" for one in accounts)
        self._names("account", names)

    def staff(self) -> None:
        """Hold what is decided by hand: one such transaction at a time.

        Offices, tariffs, orders about deposits, corrections, suspense: they are few,
        and each looks at what the others did. Taken before anything else.
        """
        hold_name(self._connection, "staff")

    def offices(self, offices: Iterable[str]) -> None:
        """Hold offices: their payment requests, and the list that counters fetch.

        After accounts and before numbers.
        """
        self._names("office", offices)

    def whole_ledger(self) -> None:
        """Wait until every transaction that books has ended, and let none begin.

        So there is no entry under way that could appear later with a lower number than
        those that are read now. Taken before anything else.
        """
        if self._is_needed:
            self._connection.exec_driver_sql(f"LOCK TABLE {entry.name} IN SHARE MODE")

    def _names(self, kind: str, names: Iterable[str]) -> None:
        if self._is_needed:
            for name in sorted(set(names)):
                hold_name(self._connection, f"{kind} {name}")


def hold_name(connection: sa.Connection, name: str) -> None:
    """Hold a name until the transaction ends, on a database that needs it.

    Two names may share a lock by chance; then one waits for nothing, once.
    """
    if connection.dialect.name != "sqlite":
        digest = hashlib.sha256(name.encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        connection.execute(_HOLD, {"name": number})
