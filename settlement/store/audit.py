"""The database as it is, for a check that trusts nothing in it.

The other store files turn rows into values and rely on what was written being sound.
Here every row comes as the database holds it, whatever its types, and what cannot be
read is told in words while the rest is read on. `settlement.store.sqlite_audit` and
`settlement.store.postgres_audit` do that for their database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["StoredTables", "differing"]

NumberedRow = tuple[int, tuple[object, ...]]


class StoredTables(Protocol):
    """All tables within one transaction, damaged or not.

    Attributes:
        leaves_gaps: whether numbers that the database itself draws may have gaps; a
            transaction that was rolled back keeps the number of its entry.
    """

    leaves_gaps: bool

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong; empty when it is sound."""
        ...

    def schema_problems(self) -> list[str]:
        """Tables, indexes and triggers that are not as this program creates them."""
        ...

    def rows(
        self, table: str, columns: Sequence[str]
    ) -> tuple[list[NumberedRow], list[str]]:
        """All rows of a table by their row numbers, and what is unreadable.

        Returns:
            Each row's number with its columns as they are stored (truth values as 0
            and 1, times as text), and problems.
        """
        ...


def differing(
    wanted: Mapping[tuple[object, object], object],
    there: Mapping[tuple[object, object], object],
) -> list[str]:
    """What of a schema is missing, strange or changed, in words.

    Args:
        wanted: what the program creates: its kind and name, and what it is.
        there: what was found, likewise.
    """
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
