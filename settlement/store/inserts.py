"""Inserting a row that may be there already, in the words of each database."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

__all__ = ["insert_unless_there"]

_INSERT: Final[Mapping[str, Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_unless_there(
    connection: sa.Connection,
    table: sa.Table,
    values: Mapping[str, Any],
    key: Sequence[str] = (),
) -> None:
    """Insert a row, or do nothing when one with its key is there.

    Args:
        connection: the open transaction.
        table: where to.
        values: the row.
        key: columns of the unique key that decides; the primary key if none is given.
    """
    statement = _statement(table, connection.dialect.name, tuple(key))
    connection.execute(statement, values)


@lru_cache
def _statement(table: sa.Table, dialect: str, key: tuple[str, ...]) -> Any:
    names = key or tuple(column.name for column in table.primary_key)
    statement: Any = _INSERT[dialect](table)
    return statement.on_conflict_do_nothing(index_elements=names)
