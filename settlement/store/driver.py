"""What one kind of database does in its own way, behind one interface.

`settlement.store.books` says when: open, begin, commit, close. A `Driver` says how, for
the database that it was made for: `settlement.store.sqlite_driver` for a file,
`settlement.store.postgres_driver` for a PostgreSQL server. Which one is meant is told
by the place (`settlement.store.place`). What single statements need (locks, numbers,
INSERTs that may find their row there) is in `settlement.store.holds`, `numbers` and
`inserts`, by the dialect of the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import sqlalchemy as sa
    from sqlalchemy import exc

    from settlement.errors import SettlementError
    from settlement.store.audit import StoredTables

__all__ = ["Counting", "Driver", "plain_words"]

Counting: TypeAlias = "Callable[[sa.Connection], dict[str, int]]"
"""Counts the rows of every table."""


class Driver(Protocol):
    """One database, not open yet."""

    @property
    def shown(self) -> str:
        """The place as people may see it: never with a password."""
        ...

    def engine(self) -> sa.Engine:
        """Connections that are durable and keep every rule; nothing is opened yet."""
        ...

    def begin(self, engine: sa.Engine, *, write: bool) -> sa.Connection:
        """A connection on which the next transaction reads, or writes.

        The transaction itself is begun by the caller.
        """
        ...

    def refuse_taken(self) -> None:
        """Called before a bank is made.

        Raises:
            StoreError: what is there already can be seen without opening it.
        """
        ...

    def refuse_missing(self) -> None:
        """Called before a bank is opened.

        Raises:
            StoreError: that nothing is there can be seen without opening it.
        """
        ...

    def make(self, connection: sa.Connection) -> None:
        """Make all tables and rules in an empty database, within a transaction.

        Raises:
            StoreError: it is not empty, or cannot hold a bank.
        """
        ...

    def revision(self, connection: sa.Connection) -> str:
        """Which revision of a bank is there, see `settlement.store.migration`.

        Raises:
            StoreError: it is no bank, or one from before all revisions.
        """
        ...

    def refuse_read_only(self, connection: sa.Connection) -> None:
        """Within a transaction that is to write: whether it could.

        Raises:
            BankUnavailableError: the server takes no writes just now.
        """
        ...

    def copy_into(
        self, engine: sa.Engine, path: Path, count: Counting
    ) -> dict[str, int]:
        """Copy all books as they stand at one moment into a new file.

        Args:
            engine: of the database.
            path: of the file.
            count: counts rows, in the copy or as of the same moment.

        Returns:
            What it has counted.

        Raises:
            StoreError: the copy could not be made.
            DBAPIError: likewise.
        """
        ...

    def mark(self, connection: sa.Connection) -> None:
        """Mark a database as a bank's that keeps its revision in a table."""
        ...

    def hold_schema(self, connection: sa.Connection) -> None:
        """Keep every other migration out until the transaction ends."""
        ...

    def stored_tables(self, connection: sa.Connection) -> StoredTables:
        """Every row as it is, for a check that trusts nothing."""
        ...

    def translated(self, error: exc.DBAPIError) -> SettlementError:
        """The error of this program that a driver's error means.

        Returns:
            `LedgerError` for a broken rule, `CollisionError` or `BankUnavailableError`
            for what may be tried again, `StoreError` for a damaged database. No
            value of a row is in its words.
        """
        ...


def plain_words(error: BaseException) -> str:
    """The driver's own words: SQLAlchemy's would show statements and parameters."""
    original = getattr(error, "orig", None)
    return str(original if original is not None else error)
