"""The journal: what happened at this counter, durably, before the next step.

SQLite in WAL mode with ``synchronous=FULL``: a method that writes returns after its
transaction is on the disk. ``events`` is append-only, ``payments`` holds where each
payment stands, ``batches`` the closed batches across restarts; triggers refuse any
other use. Card records are sealed (`terminal.vault`). One program at a time writes;
`Journal.read` looks on without disturbing it.

Nothing is ever deleted: what was paid last year can still be asked for. This file is
the one door to SQLite; no error of it leaves here.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

import sqlite_utils

from terminal.errors import JournalError
from terminal.journal_batches import BatchBook
from terminal.journal_payments import PaymentBook
from terminal.journal_rows import SCHEMA, VERSION
from terminal.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from terminal.journal_rows import Row

__all__ = ["Journal"]

_FILE: Final = "journal.sqlite"
_KEY_FILE: Final = "journal.key"
_LOCK_FILE: Final = "journal.lock"
_BUSY_MS: Final = 5000
_DIRECTORY_MODE: Final = 0o700
_STATEMENTS_CACHED: Final = 64
"""More than the statements there are, so that none is ever prepared twice."""


class Journal:
    """The journal of one terminal; safe to use from several threads.

    Attributes:
        payments: every payment and where it stands.
        batches: the closed batches.
    """

    def __init__(
        self, database: _Database, vault: Vault, lock_file: TextIO | None
    ) -> None:
        """Hold an open database; see `open` and `read`."""
        self._database = database
        self._lock_file = lock_file
        self.payments: Final = PaymentBook(database, vault)
        self.batches: Final = BatchBook(database, vault)

    @classmethod
    def open(cls, directory: Path, random_bytes: Callable[[int], bytes]) -> Self:
        """Open the journal in ``directory`` for writing, making it on the first start.

        Raises:
            JournalError: it is damaged, of another version, or in use by another
                program. Nothing was changed.
        """
        lock_file = _take_lock(directory)
        try:
            path = directory / _FILE
            vault = Vault.open(
                directory / _KEY_FILE,
                create=not path.exists(),
                random_bytes=random_bytes,
            )
            return cls(_Database.for_writing(path), vault, lock_file)
        except BaseException:
            lock_file.close()
            raise

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Open an existing journal only to look at it, beside the program that writes.

        Raises:
            JournalError: there is none, or it cannot be read.
        """
        path = directory / _FILE
        if not path.exists():
            raise JournalError(
                f"There is no journal in '{directory}' yet: no payment was ever taken "
                "with this configuration."
            )
        vault = Vault.open(
            directory / _KEY_FILE, create=False, random_bytes=_no_random_bytes
        )
        return cls(_Database.for_reading(path), vault, None)

    def close(self) -> None:
        """Close the database and let the next program in; may be called again."""
        self._database.close()
        if self._lock_file is not None:
            self._lock_file.close()

    def note(self, kind: str, at: datetime, detail: str) -> None:
        """Keep an event that changes no payment and no batch."""
        with self._database.transaction():
            self._database.event(kind, at, detail=detail)


class _Database:
    """The connection, held open for the whole run; see `terminal.journal_rows.Rows`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = sqlite_utils.Database(connection)
        self._lock = threading.RLock()

    @classmethod
    def for_writing(cls, path: Path) -> Self:
        """Open or make the database."""
        with _translated(path):
            database = cls(path, _connect(f"{path.absolute().as_uri()}?mode=rwc"))
            try:
                database._db.execute("PRAGMA journal_mode = WAL")
                database._db.execute("PRAGMA synchronous = FULL")
                database._prepare()
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def for_reading(cls, path: Path) -> Self:
        """Open the database to look at it only."""
        with _translated(path):
            database = cls(path, _connect(f"{path.absolute().as_uri()}?mode=ro"))
            try:
                database._check_version(database._version())
            except BaseException:
                database.close()
                raise
        return database

    def close(self) -> None:
        """Close it; may be called again."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Rows.transaction`."""
        with self._lock, _translated(self._path), self._db.atomic():
            yield

    def change(self, sql: str, values: Sequence[object]) -> int:
        """See `Rows.change`."""
        return self._db.execute(sql, values).rowcount

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See `Rows.query`."""
        with self._lock, _translated(self._path):
            cursor = self._db.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def event(
        self,
        kind: str,
        at: datetime,
        *,
        payment: int | None = None,
        batch: int | None = None,
        detail: str = "",
    ) -> None:
        """See `Rows.event`."""
        self._db.execute(
            "INSERT INTO events (at, kind, payment, batch, detail) "
            "VALUES (?, ?, ?, ?, ?)",
            (at.isoformat(), kind, payment, batch, detail),
        )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _check_version(self, version: int) -> None:
        if version != VERSION:
            raise JournalError(
                f"The journal '{self._path}' has version {version}; this program "
                f"knows version {VERSION}. Nothing was changed. Use the program that "
                "wrote it."
            )

    def _prepare(self) -> None:
        version = self._version()
        if version == 0 and not self._db.table_names():
            with self._db.atomic():
                for statement in SCHEMA:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            return
        self._check_version(version)
        if self._db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise JournalError(
                f"The journal '{self._path}' is damaged. Nothing was changed. Restore "
                "it from the backup; the customs card still holds what it credited."
            )


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
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(
            f"The journal '{path}' cannot be used: {error}. No further step was taken. "
            "Check the disk (full, read-only, damaged), then start the program again: "
            "it finds out by itself what became of the last payment."
        ) from error


def _take_lock(directory: Path) -> TextIO:
    try:
        directory.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        lock_file = (directory / _LOCK_FILE).open("w")
    except OSError as error:
        raise JournalError(
            f"The journal's folder '{directory}' cannot be used: {error.strerror}."
        ) from None
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock_file.close()
        raise JournalError(
            f"Another program uses the journal in '{directory}'. Nothing was changed. "
            "Close that program first."
        ) from None
    return lock_file


def _no_random_bytes(_: int) -> bytes:
    raise AssertionError("a journal that is only read seals nothing")
