"""A SQLite file as it is: see `settlement.store.audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.errors import StoreError
from settlement.store.audit import differing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SCHEMA_QUERY", "SQLiteTables"]

SCHEMA_QUERY: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master"
    " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
"""Everything that was created, without what SQLite keeps for itself."""


class SQLiteTables:
    """See `settlement.store.audit.StoredTables`."""

    leaves_gaps = False

    def __init__(
        self,
        query: Callable[[str], Sequence[tuple[object, ...]]],
        created: Sequence[tuple[object, ...]],
    ) -> None:
        """Read through ``query``, which raises `StoreError` for what is unreadable.

        Args:
            query: runs one SQL statement.
            created: what `SCHEMA_QUERY` finds in a new bank.
        """
        self._query = query
        self._created = created

    def integrity_problems(self) -> list[str]:
        """See `StoredTables`."""
        problems = []
        try:
            found = self._query("PRAGMA integrity_check")
            problems += [str(row[0]) for row in found if row[0] != "ok"]
            orphans = self._query("PRAGMA foreign_key_check")
            problems += [f"{row[0]} row {row[1]} refers to nothing" for row in orphans]
        except StoreError as error:
            problems.append(f"the file cannot be verified: {error}")
        return problems

    def schema_problems(self) -> list[str]:
        """See `StoredTables`."""
        try:
            found = self._query(SCHEMA_QUERY)
        except StoreError as error:
            return [f"the list of tables and triggers cannot be read: {error}"]
        return differing(_by_name(self._created), _by_name(found))

    def rows(
        self, table: str, columns: Sequence[str]
    ) -> tuple[list[tuple[int, tuple[object, ...]]], list[str]]:
        """See `StoredTables`."""
        names = ", ".join(f'"{name}"' for name in columns)
        select = f'SELECT rowid, {names} FROM "{table}"'  # noqa: S608  our own names
        try:
            found = self._query(f"{select} ORDER BY rowid")
        except StoreError:
            return self._one_by_one(table, select)
        return [_numbered(row) for row in found], []

    def _one_by_one(
        self, table: str, select: str
    ) -> tuple[list[tuple[int, tuple[object, ...]]], list[str]]:
        """The rows that can be read although one of them cannot."""
        rows: list[tuple[int, tuple[object, ...]]] = []
        problems = []
        try:
            numbers = self._query(f'SELECT rowid FROM "{table}" ORDER BY rowid')  # noqa: S608  our own names
        except StoreError as error:
            return [], [f"table {table} cannot be read: {error}"]
        for (number,) in numbers:
            try:
                found = self._query(f"{select} WHERE rowid = {number}")
            except StoreError as error:
                problems.append(f"{table} row {number} cannot be read: {error}")
            else:
                rows += [_numbered(row) for row in found]
        return rows, problems


def _numbered(row: tuple[object, ...]) -> tuple[int, tuple[object, ...]]:
    number = row[0]
    return (number if isinstance(number, int) else 0), row[1:]


def _by_name(
    found: Sequence[tuple[object, ...]],
) -> dict[tuple[object, object], object]:
    return {(row[0], row[1]): (row[2], _compared(row[3])) for row in found}


def _compared(text: object) -> str:
    """The text of a table or rule, however it was laid out."""
    return " ".join(str(text).split())
