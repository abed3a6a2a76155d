"""A bank's database for a test, on SQLite or PostgreSQL, and a way past the bank to it.

`Place` names one; `raw_connection` opens it as any program would that speaks SQL, with
the database's own rules and nothing of the bank's in between.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "DATABASES",
    "Place",
    "RawConnection",
    "RawIntegrityError",
    "raw_connection",
    "unguarded",
]

DATABASES: Final = ("sqlite", "postgresql")

Place = Path | str
"""The file of a SQLite database, the URL of a PostgreSQL one."""


class RawIntegrityError(Exception):
    """The database refused a statement because of a rule."""


class RawConnection:
    """A connection past the bank; statements are in words that both databases know."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self.is_sqlite = is_sqlite
        self._last = 0
        self.dropped: list[str] = []

    def execute(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Run a statement; the rows that it gives.

        ``hex(column)`` and ``zeroblob(n)`` of SQLite are put into PostgreSQL's words.
        """
        if not self.is_sqlite:
            statement = re.sub(
                r"\bhex\(([\w.]+)\)", r"upper(encode(\1, 'hex'))", statement
            )
            statement = re.sub(
                r"\bzeroblob\((\d+)\)",
                lambda found: f"'\\x{'00' * int(found[1])}'::bytea",
                statement,
            )
        try:
            cursor = self._connection.execute(statement)
            self._last = cursor.rowcount
            return cursor.fetchall() if cursor.description else ()
        except (sqlite3.IntegrityError, psycopg.IntegrityError) as error:
            raise RawIntegrityError(str(error)) from error

    def change(self, statement: str) -> int:
        """Run a statement past all rules; how many rows it changed."""
        while True:
            self.execute("SAVEPOINT change")
            try:
                self.execute(statement)
            except RawIntegrityError as error:
                broken = error.__cause__
                if not isinstance(broken, psycopg.errors.CheckViolation):
                    raise
                self.execute("ROLLBACK TO change")
                self._drop_check(broken.diag.table_name, broken.diag.constraint_name)
            else:
                return int(self._last)

    def _drop_check(self, table: str | None, name: str | None) -> None:
        query = (
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"  # noqa: S608  our own names
            f" WHERE conname = '{name}' AND conrelid = '{table}'::regclass"
        )
        [(text,)] = self.execute(query)
        self.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        self.dropped.append(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {text} NOT VALID"
        )

    def commit(self) -> None:
        try:
            self._connection.commit()
        except (sqlite3.IntegrityError, psycopg.IntegrityError) as error:
            raise RawIntegrityError(str(error)) from error

    def rollback(self) -> None:
        self._connection.rollback()


@contextmanager
def raw_connection(place: Place) -> Iterator[RawConnection]:
    """Open a database past the bank; what is not committed at the end is undone."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as file:
            file.execute("PRAGMA foreign_keys = ON")
            yield RawConnection(file, is_sqlite=True)
        return
    url = place.replace("postgresql+psycopg://", "postgresql://")
    with closing(psycopg.connect(url)) as server:
        yield RawConnection(server, is_sqlite=False)


@contextmanager
def unguarded(place: Place) -> Iterator[RawConnection]:
    """Open a database whose rules are switched off until the block ends, then back on.

    What was changed is committed.
    """
    with raw_connection(place) as raw:
        switch = _sqlite_guards(raw) if raw.is_sqlite else _postgres_guards(raw)
        for statement in next(switch):
            raw.execute(statement)
        yield raw
        for statement in [*next(switch), *raw.dropped]:
            raw.execute(statement)
        raw.commit()


def _sqlite_guards(raw: RawConnection) -> Iterator[list[str]]:
    triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute("PRAGMA ignore_check_constraints = ON")
    yield [f"DROP TRIGGER {name}" for name, _ in triggers]
    yield [sql for _, sql in triggers]


def _postgres_guards(raw: RawConnection) -> Iterator[list[str]]:
    found = raw.execute(
        "SELECT t.relname, g.tgname FROM pg_trigger g JOIN pg_class t"
        " ON t.oid = g.tgrelid WHERE g.tgenabled = 'A' AND NOT g.tgisinternal"
    )
    tables = sorted({table for table, _ in found})
    yield [
        # That switches the foreign keys off.
        "SET session_replication_role = replica",
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables),
    ]
    yield [f"ALTER TABLE {t} ENABLE ALWAYS TRIGGER {name}" for t, name in found]
