"""SQLite: the bank in one file, one writer at a time.

A transaction that writes takes the write lock first (BEGIN IMMEDIATE), so that what was
read cannot change before it is written. The file runs in WAL mode with
synchronous=FULL: what was committed survives a power cut.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from settlement.errors import BankUnavailableError, LedgerError, StoreError
from settlement.store.driver import plain_words
from settlement.store.migration import revision_in, stamp
from settlement.store.schema import metadata
from settlement.store.sqlite_audit import SCHEMA_QUERY, SQLiteTables

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.errors import SettlementError
    from settlement.store.driver import Counting

__all__ = ["SQLiteDriver"]

_APPLICATION_ID: Final = 0x52534544
"""``RSED`` in the header of the file: ``file(1)`` and we recognise our own."""
_CACHE_KIB: Final = 8192
"""Of each connection. The system's own cache holds the file: a larger one here is a
second copy, which grows until some hundred thousand payments are posted."""
_FORMAT: Final = 7
"""Kept in ``PRAGMA user_version``: the tables are those of the revision in the file."""
_FORMAT_WITHOUT_REVISIONS: Final = 4
"""The tables are those of the first revision."""


class SQLiteDriver:
    """One file."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        """Stand for the file at ``path``; a writer waits so long for another."""
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms

    @property
    def shown(self) -> str:
        """See `Driver`."""
        return str(self._path)

    def engine(self) -> sa.Engine:
        """See `Driver`."""
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(self._path)))
        sa.event.listen(engine, "connect", partial(_prepare, self._busy_timeout_ms))
        sa.event.listen(engine, "begin", _begin_as_asked)
        return engine

    def begin(self, engine: sa.Engine, *, write: bool) -> sa.Connection:
        """See `Driver`."""
        return engine.connect().execution_options(raseed_write=write)

    def refuse_taken(self) -> None:
        """See `Driver`."""
        if self._path.exists():
            message = f"{self._path} exists already; a bank is never overwritten"
            raise StoreError(message)

    def refuse_missing(self) -> None:
        """See `Driver`."""
        if not self._path.is_file():
            message = (
                f"there is no bank at {self._path}; make one with raseed-bank init"
            )
            raise StoreError(message)

    def make(self, connection: sa.Connection) -> None:
        """See `Driver`."""
        _create(connection)
        self.mark(connection)

    def revision(self, connection: sa.Connection) -> str:
        """See `Driver`."""
        found = connection.exec_driver_sql("PRAGMA user_version").scalar()
        made_by = connection.exec_driver_sql("PRAGMA application_id").scalar()
        if made_by != _APPLICATION_ID:
            raise StoreError(f"{self._path} is a database, but not a bank's")
        if found == _FORMAT_WITHOUT_REVISIONS:
            return "0001"
        revision = revision_in(connection) if found == _FORMAT else None
        if revision is None:
            message = (
                f"{self._path} has format {found}; this program reads "
                f"{_FORMAT_WITHOUT_REVISIONS} and {_FORMAT}. Nothing was changed"
            )
            raise StoreError(message)
        return revision

    def mark(self, connection: sa.Connection) -> None:
        """See `Driver`."""
        connection.exec_driver_sql(f"PRAGMA user_version = {_FORMAT}")
        connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")

    def hold_schema(self, connection: sa.Connection) -> None:
        """See `Driver`; a transaction that writes is alone."""

    def refuse_read_only(self, connection: sa.Connection) -> None:
        """See `Driver`; who has the write lock can write."""

    def copy_into(
        self, engine: sa.Engine, path: Path, count: Counting
    ) -> dict[str, int]:
        """See `Driver`; the copy is a SQLite file."""
        with engine.connect() as plain:
            alone = plain.execution_options(raseed_alone=True)
            with alone.begin():
                alone.exec_driver_sql("VACUUM INTO ?", (str(path),))
        copy = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        try:
            with copy.connect() as connection:
                return count(connection)
        finally:
            copy.dispose()

    def stored_tables(self, connection: sa.Connection) -> SQLiteTables:
        """See `Driver`."""
        return SQLiteTables(partial(_query, connection), _schema_as_created())

    def translated(self, error: exc.DBAPIError) -> SettlementError:
        """See `Driver`."""
        words = plain_words(error)
        if isinstance(error, exc.IntegrityError):
            return LedgerError(f"the ledger's rules forbid this: {words}")
        if isinstance(error, exc.OperationalError):
            message = f"the bank's database cannot be used now: {words}"
            return BankUnavailableError(message)
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return StoreError(f"{self._path} is not a database")
        return StoreError(f"the bank's database is damaged: {words}")


def _query(connection: sa.Connection, statement: str) -> list[tuple[object, ...]]:
    try:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]
    except exc.DBAPIError as error:
        raise StoreError(plain_words(error)) from None


@cache
def _schema_as_created() -> tuple[tuple[object, ...], ...]:
    """What `SQLiteDriver.make` puts into ``sqlite_master``."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        _create(connection)
        found = tuple(_query(connection, SCHEMA_QUERY))
    engine.dispose()
    return found


def _create(connection: sa.Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    stamp(connection)


def _prepare(busy_timeout_ms: int, connection: Any, _record: object) -> None:
    # Python's sqlite3 must not open transactions by itself: it would do so at the
    # first write only, after the reads on which that write is based.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {busy_timeout_ms}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        f"cache_size = {-_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_as_asked(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("raseed_alone", False):
        # For what SQLite runs outside of transactions only.
        connection.exec_driver_sql("PRAGMA query_only = 0")
        return
    write = connection.get_execution_options().get("raseed_write", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {not write:d}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
