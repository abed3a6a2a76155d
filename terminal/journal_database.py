"""The journal's database: the one door to SQLite, and where entries are chained.

WAL mode with ``synchronous=FULL``: a transaction that has ended is on the disk. No
error of SQLite leaves here: what says that the file is not as it was left becomes
`JournalDamagedError`, everything else `JournalError`.

A journal is looked at through a connection that cannot write before one that can is
opened: SQLite would take its log over into a database that is damaged, and an auditor
is to find that as it was.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

import sqlite_utils

from settlement.audit_head import AuditHead
from terminal import audit
from terminal.errors import JournalDamagedError, JournalError, JournalVersionError
from terminal.journal_rows import LOG, SCHEMA, VERSION
from terminal.wording_journal import (
    journal_damaged,
    journal_of_other_version,
    journal_unusable,
    structure_broken,
    tables_foreign,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from terminal.audit import LogRow
    from terminal.journal_files import HeadFile
    from terminal.journal_rows import BatchKey, Row

__all__ = ["JournalDatabase"]

_BUSY_MS: Final = 5000
_STATEMENTS_CACHED: Final = 64
"""More than the statements there are, so that none is ever prepared twice."""
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What SQLite says of a file's content, whatever is done with it."""
_OF_THE_MACHINE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""What it says of disk and machine. All else, said of our own fixed questions to a
journal that is only looked at, comes from the content: a table is gone, or no text."""


class JournalDatabase:
    """The connection, held open for the whole run; see `terminal.journal_rows.Rows`."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, reads_only: bool
    ) -> None:
        """Hold ``connection``; see `for_writing` and `for_reading`."""
        self._path = path
        self._reads_only = reads_only
        self._db = sqlite_utils.Database(connection)
        self._lock = threading.RLock()
        self._depth = 0
        self._head: tuple[int, bytes] | None = None
        self._beginning: audit.Beginning | None = None
        self._begin: Callable[[], audit.Beginning] = _nobody_begins
        self._head_file: HeadFile | None = None

    @classmethod
    def for_writing(
        cls, path: Path, head_file: HeadFile, begin: Callable[[], audit.Beginning]
    ) -> Self:
        """Open or make the database; one that is there was inspected before.

        Args:
            path: of the database.
            head_file: keeps the head; closed with the database.
            begin: makes what the first entry of a new journal says.
        """
        with _translated(path):
            connection = _connect(f"{path.absolute().as_uri()}?mode=rwc")
            database = cls(path, connection, reads_only=False)
            database._begin = begin
            database._head_file = head_file
            try:
                database._db.execute("PRAGMA journal_mode = WAL")
                database._db.execute("PRAGMA synchronous = FULL")
                if database.is_empty:
                    database._make()
                database._load()
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def undo_half_made(cls, path: Path) -> None:
        """Have SQLite take back the write in which the making of a database stopped."""
        with _translated(path):
            connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
            with closing(connection):
                connection.execute("PRAGMA user_version").fetchone()

    @classmethod
    def for_reading(cls, path: Path) -> Self:
        """Open the database to look at it only.

        Raises:
            JournalVersionError: another version of this program wrote it.
        """
        with _translated(path, reads_only=True):
            connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
            database = cls(path, connection, reads_only=True)
            try:
                database._check_version()
            except BaseException:
                database.close()
                raise
        return database

    @property
    def beginning(self) -> audit.Beginning | None:
        """What the first entry says; None before there is one."""
        with self._lock, self._translated():
            if self._head is None:
                self._load()
            return self._beginning

    @property
    def is_empty(self) -> bool:
        """Whether it has no tables yet."""
        with self._lock, self._translated():
            return self._version() == 0 and not self._db.table_names()

    @property
    def numbers_after(self) -> int:
        """See `Rows.numbers_after`."""
        with self._lock:
            return 0 if self._beginning is None else self._beginning.numbers_after

    def close(self) -> None:
        """Close it; may be called again."""
        with self._lock:
            self._db.close()
            if self._head_file is not None:
                self._head_file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Rows.transaction`."""
        with self._lock, self._translated():
            self._depth += 1
            try:
                with self._db.atomic():
                    yield
            except BaseException:
                # What of it is on the disk is asked before the next entry.
                self._head = None
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._keep_head()

    def change(self, sql: str, values: Sequence[object]) -> int:
        """See `Rows.change`."""
        return self._db.execute(sql, values).rowcount

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See `Rows.query`."""
        with self._lock, self._translated():
            cursor = self._db.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def event(
        self,
        kind: str,
        at: datetime,
        *,
        payment: int | None = None,
        batch: BatchKey | None = None,
        detail: str = "",
    ) -> None:
        """See `Rows.event`."""
        if self._head is None:
            self._load()
        if self._beginning is None:
            self._write_beginning(self._begin(), at)
        batch_row, number, content = None, None, None
        if payment is not None:
            content = self._content("payments", "number = ?", (payment,))[1]
        if batch is not None:
            where = "customs_ref = ? AND batch = ?"
            batch_row, content = self._content("batches", where, batch)
            number = batch[1]
        self._append(at.isoformat(), kind, payment, number, batch_row, detail, content)

    def begin_replacing(
        self, at: datetime, numbers_after: int, replaces: bytes | None
    ) -> None:
        """Write the first entry of a journal that stands in another's place."""
        with self.transaction():
            assert self._beginning is None, "a journal begins once"
            beginning = replace(
                self._begin(), numbers_after=numbers_after, replaces=replaces
            )
            self._write_beginning(beginning, at)

    def head(self) -> AuditHead | None:
        """Where the log stands; None before its first entry."""
        with self._lock, self._translated():
            if self._head is None:
                self._load()
            return self._known_head()

    def log(self, last: int) -> list[LogRow]:
        """The newest ``last`` entries, oldest first."""
        with self._lock, self._translated():
            sql = f"{LOG} ORDER BY id DESC LIMIT ?"
            rows: list[LogRow] = self._db.execute(sql, (last,)).fetchall()
        return rows[::-1]

    def inspect(self) -> None:
        """See that the file is whole and has the tables of this version.

        Raises:
            JournalDamagedError: it is not, or has not.
        """
        with self._lock, self._translated():
            (mode,) = self._db.execute("PRAGMA journal_mode").fetchone()
            (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            schema = _schema_of(self._db.conn)
        if found != "ok":
            raise self._damaged(structure_broken(found.splitlines()[-1]))
        if (mode, schema) != ("wal", _expected_schema()):
            raise self._damaged(tables_foreign())

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is asked in this block is as it stood at one moment."""
        with self._lock, self._translated(), self._db.atomic():
            yield

    def stream(
        self, sql: str, values: Sequence[object] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Rows one by one, inside a snapshot."""
        return iter(self._db.execute(sql, values))

    def stream_rows(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """The same by the names of their columns."""
        cursor = self._db.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return (dict(zip(names, row, strict=True)) for row in cursor)

    def _content(
        self, table: str, where: str, values: tuple[object, ...]
    ) -> tuple[int, bytes]:
        """The id of one row and the digest of what it holds now."""
        sql = f"SELECT * FROM {table} WHERE {where}"  # noqa: S608  our own names
        (row,) = self.query(sql, values)
        return int(next(iter(row.values()))), audit.content_digest(row)

    def _write_beginning(self, beginning: audit.Beginning, at: datetime) -> None:
        about_nothing = (None, None, None)
        detail = beginning.to_detail()
        self._append(at.isoformat(), audit.BEGINNING, *about_nothing, detail, None)
        self._beginning = beginning

    def _append(self, *said: object) -> None:
        entries, previous = self._head or (0, audit.CHAIN_START)
        row = (entries + 1, *said)
        link = audit.link(previous, row)
        marks = ",".join("?" * (len(row) + 1))
        sql = f"INSERT INTO events VALUES ({marks})"  # noqa: S608  only marks
        self._db.execute(sql, (*row, link))
        self._head = entries + 1, link

    def _load(self) -> None:
        """Read where the log stands, and how it began."""
        self._head, self._beginning = (0, audit.CHAIN_START), None
        newest = self.log(1)
        if newest:
            self._head = newest[0][0], newest[0][-1]
            (first,) = self.query("SELECT detail FROM events WHERE id = 1")
            self._beginning = audit.Beginning.parse(first["detail"])

    def _known_head(self) -> AuditHead | None:
        if self._beginning is None or self._head is None:
            return None
        entries, digest = self._head
        return AuditHead(
            journal=self._beginning.journal, entries=entries, digest=digest
        )

    def _keep_head(self) -> None:
        head = self._known_head()
        if head is not None and self._head_file is not None:
            self._head_file.write(head)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _check_version(self) -> None:
        version = self._version()
        if not self.is_empty and version != VERSION:
            message = journal_of_other_version(str(self._path), version, VERSION)
            raise JournalVersionError(message)

    def _make(self) -> None:
        with self._db.atomic():
            for statement in SCHEMA:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _translated(self) -> AbstractContextManager[None]:
        return _translated(self._path, reads_only=self._reads_only)

    def _damaged(self, found: str) -> JournalDamagedError:
        return JournalDamagedError(journal_damaged(str(self._path), found), found)


def _connect(uri: str) -> sqlite3.Connection:
    # Calls come from whichever worker thread the screens use; our lock orders them.
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_CACHED,
    )


@contextmanager
def _translated(path: Path, *, reads_only: bool = False) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if _is_damage(error, reads_only=reads_only):
            message = journal_damaged(str(path), str(error))
            raise JournalDamagedError(message, str(error)) from error
        raise JournalError(journal_unusable(str(path), str(error))) from error
    except UnicodeDecodeError as error:
        # Names and messages that SQLite takes from a spoiled page.
        message = journal_damaged(str(path), str(error))
        raise JournalDamagedError(message, str(error)) from error


def _is_damage(error: sqlite3.Error, *, reads_only: bool) -> bool:
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # The module's own: a text that is none.
        return reads_only
    primary = code & 0xFF
    return primary in _DAMAGE or (reads_only and primary not in _OF_THE_MACHINE)


def _schema_of(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    sql = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    return connection.execute(sql).fetchall()


@cache
def _expected_schema() -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in SCHEMA:
            connection.execute(statement)
        return _schema_of(connection)
    finally:
        connection.close()


def _nobody_begins() -> audit.Beginning:
    raise AssertionError("a journal that is only read gets no entry")
