"""The database as it is, for a check that trusts nothing in it.

The other store files turn rows into values and rely on what was written being sound.
Here every row comes as SQLite holds it, whatever its types, and what cannot be read is
told in words while the rest is read on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SCHEMA_QUERY", "StoredTables"]

SCHEMA_QUERY: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master"
    " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
"""Everything that was created, without what SQLite keeps for itself."""


class StoredTables:
    """All tables within one transaction, damaged or not."""

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
        """What SQLite itself finds wrong with the file; empty when it is sound."""
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
        """Tables, indexes and triggers that are not as this program creates them."""
        try:
            found = self._query(SCHEMA_QUERY)
        except StoreError as error:
            return [f"the list of tables and triggers cannot be read: {error}"]
        wanted = {(row[0], row[1]): row[2:] for row in self._created}
        there = {(row[0], row[1]): row[2:] for row in found}
        problems = []
        for key in sorted(wanted.keys() | there.keys(), key=str):
            name = f"{key[0]} {key[1]}"
            if key not in there:
                problems.append(f"{name} is missing")
            elif key not in wanted:
                problems.append(f"{name} is not the bank's")
            elif wanted[key] != there[key]:
                problems.append(f"{name} was changed")
        return problems

    def rows(
        self, table: str, columns: Sequence[str]
    ) -> tuple[list[tuple[int, tuple[object, ...]]], list[str]]:
        """All rows of a table by their row numbers, and what is unreadable.

        Returns:
            Each row's number with its columns as SQLite stores them, and problems.
        """
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
