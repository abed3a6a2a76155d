"""The one door to the bank's database.

`BankStore` owns the engine. Work happens inside a transaction: ``with store.write() as
books`` takes the write lock first (BEGIN IMMEDIATE), so that what was read cannot
change before it is written, and commits at the end of the block or, on any exception,
leaves no trace. ``with store.read() as books`` sees one consistent state.

SQLite runs in WAL mode with synchronous=FULL: when the block has ended, the rows
survive a power cut. No exception of SQLAlchemy or sqlite3 leaves this package's store
files: a rule of the database that was broken is a `LedgerError`, a database that
cannot be used just now a `BankUnavailableError`, a wrong or damaged file a
`StoreError`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa
from sqlalchemy import exc

from settlement.errors import BankUnavailableError, LedgerError, StoreError
from settlement.store.audit import SCHEMA_QUERY, StoredTables
from settlement.store.batches import BatchTables
from settlement.store.cards import CardTables
from settlement.store.certificates import CertificateTables
from settlement.store.heads import HeadTables
from settlement.store.ledger import LedgerTables
from settlement.store.opens import OpenTables
from settlement.store.publications import PublicationTables
from settlement.store.records import RecordTables
from settlement.store.schema import SCHEMA_VERSION, metadata
from settlement.store.statements import StatementTables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["BankStore", "Books"]

_APPLICATION_ID: Final = 0x52534544
"""``RSED`` in the header of the file: ``file(1)`` and we recognise our own."""
BUSY_TIMEOUT_MS_DEFAULT: Final = 10_000
"""How long one writer waits for another; a group of payments takes far less."""


@dataclass(frozen=True, slots=True)
class Books:
    """All tables, within one transaction."""

    ledger: LedgerTables
    cards: CardTables
    certificates: CertificateTables
    batches: BatchTables
    records: RecordTables
    opens: OpenTables
    heads: HeadTables
    publications: PublicationTables
    statements: StatementTables


class BankStore:
    """The bank's database. Threads may share it: each block has its own connection."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use `create` or `open`."""
        self._engine = engine

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new, empty bank in a file that is not there yet.

        Raises:
            StoreError: the file exists, or cannot be written.
        """
        if path.exists():
            raise StoreError(f"{path} exists already; a bank is never overwritten")
        store = cls(_engine(path, BUSY_TIMEOUT_MS_DEFAULT))
        try:
            with store._begin(write=True) as connection:
                metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
                connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")
        except BankUnavailableError as error:
            store.close()
            raise StoreError(f"cannot make the bank {path}: {error}") from None
        return store

    @classmethod
    def open(
        cls, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS_DEFAULT
    ) -> Self:
        """Open a bank that `create` made.

        Args:
            path: the database file.
            busy_timeout_ms: how long a writer waits for another one.

        Raises:
            StoreError: there is no such file, or it is not a bank of this version.
        """
        if not path.is_file():
            message = f"there is no bank at {path}; make one with raseed-bank init"
            raise StoreError(message)
        store = cls(_engine(path, busy_timeout_ms))
        try:
            store._check_version(path)
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Books]:
        """One transaction that writes: all of it is durable afterwards, or nothing.

        Raises:
            LedgerError: a rule of the database was broken; nothing was written.
            BankUnavailableError: the database is locked, full or gone; nothing was
                written, and the same may be tried again.
        """
        with self._begin(write=True) as connection:
            yield _books(connection)

    @contextmanager
    def read(self) -> Iterator[Books]:
        """One consistent view; nothing can be written.

        Raises:
            BankUnavailableError: the database is locked or gone.
        """
        with self._begin(write=False) as connection:
            yield _books(connection)

    def integrity_problems(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when it is sound."""
        with self.audit() as stored:
            return stored.integrity_problems()

    @contextmanager
    def audit(self) -> Iterator[StoredTables]:
        """One consistent view of every row as SQLite holds it, damaged or not.

        Raises:
            BankUnavailableError: the database is locked or gone.
        """
        was_read = False
        try:
            with self._begin(write=False) as connection:
                yield StoredTables(partial(_query, connection), _schema_as_created())
                was_read = True
        except StoreError:
            # A damaged page can make even the end of reading fail; it was told.
            if not was_read:
                raise

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(raseed_write=write)
                with connection.begin():
                    yield connection
        except exc.IntegrityError as error:
            message = f"the ledger's rules forbid this: {_plain(error)}"
            raise LedgerError(message) from None
        except exc.OperationalError as error:
            message = f"the bank's database cannot be used now: {_plain(error)}"
            raise BankUnavailableError(message) from None
        except exc.DBAPIError as error:
            message = f"the bank's database is damaged: {_plain(error)}"
            raise StoreError(message) from None

    def _check_version(self, path: Path) -> None:
        try:
            with self._begin(write=False) as connection:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar()
                made_by = connection.exec_driver_sql("PRAGMA application_id").scalar()
        except StoreError:
            raise StoreError(f"{path} is not a database") from None
        if made_by != _APPLICATION_ID:
            raise StoreError(f"{path} is a database, but not a bank's")
        if version != SCHEMA_VERSION:
            message = (
                f"{path} has format {version}; this program reads {SCHEMA_VERSION}. "
                "Nothing was changed"
            )
            raise StoreError(message)


def _query(connection: sa.Connection, statement: str) -> list[tuple[object, ...]]:
    try:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]
    except exc.DBAPIError as error:
        raise StoreError(_plain(error)) from None


@cache
def _schema_as_created() -> tuple[tuple[object, ...], ...]:
    """What `BankStore.create` puts into ``sqlite_master``."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        found = tuple(_query(connection, SCHEMA_QUERY))
    engine.dispose()
    return found


def _books(connection: sa.Connection) -> Books:
    return Books(
        ledger=LedgerTables(connection),
        cards=CardTables(connection),
        certificates=CertificateTables(connection),
        batches=BatchTables(connection),
        records=RecordTables(connection),
        opens=OpenTables(connection),
        heads=HeadTables(connection),
        publications=PublicationTables(connection),
        statements=StatementTables(connection),
    )


def _engine(path: Path, busy_timeout_ms: int) -> sa.Engine:
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", partial(_prepare, busy_timeout_ms))
    sa.event.listen(engine, "begin", _begin_as_asked)
    return engine


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
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_as_asked(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("raseed_write", False)
    connection.exec_driver_sql(f"PRAGMA query_only = {not write:d}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _plain(error: BaseException) -> str:
    """The driver's own words: SQLAlchemy's would show statements and parameters."""
    original = getattr(error, "orig", None)
    return str(original if original is not None else error)
