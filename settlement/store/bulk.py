"""Many rows in one statement, past what SQLAlchemy does for each of them.

Two operations, which posting a group of payments is made of: rows written at once, and
rows found by a list of keys. Both speak the driver's own language; small statements
stay with SQLAlchemy. SQLite takes rows by an INSERT for each and lists as VALUES;
PostgreSQL takes rows by COPY and lists as arrays.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from sqlalchemy import exc

from settlement.store.schema_types import UTCTime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import sqlalchemy as sa

__all__ = ["Wanted", "find_rows", "insert_rows", "stored_time"]

_ARRAYS: Final[dict[type, str]] = {bytes: "bytea[]", int: "bigint[]", str: "text[]"}
_UTC_TIME: Final = UTCTime()
_STEP: Final = 256
"""Lists of keys are filled up to a multiple of this, or to a power of two below it, so
that the driver has few different statements to prepare."""


class Wanted(NamedTuple):
    """A list of keys to look for.

    Attributes:
        names: the columns of the list, as the query calls them.
        keys: one tuple of values for each; none of them NULL.
    """

    names: tuple[str, ...]
    keys: Sequence[tuple[object, ...]]


def insert_rows(
    connection: sa.Connection,
    table: sa.Table,
    names: tuple[str, ...],
    rows: list[tuple[object, ...]],
) -> None:
    """Insert rows in their order; all of the database's rules apply to each.

    Args:
        connection: the open transaction.
        table: where to.
        names: the columns that the rows have; the others keep their default.
        rows: values as the driver takes them; for times see `stored_time`.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insertion(table.name, names), rows)
    else:
        _copy(connection, table.name, names, rows)


def stored_time(connection: sa.Connection, at: datetime) -> object:
    """An aware time as the driver takes it for a column of `UTCTime`."""
    return _UTC_TIME.process_bind_param(at, connection.dialect)


def find_rows(
    connection: sa.Connection, wanted: Wanted, query: str, *more: object
) -> Sequence[Any]:
    """What a query finds for a list of keys.

    Args:
        connection: the open transaction.
        wanted: the list, which the query reads as a table of the name ``wanted``; it
            may have further rows of NULLs.
        query: a SELECT with a ``?`` for each of ``more``.
        more: further values.

    Returns:
        The rows as the driver gives them: times and days are text.
    """
    if not wanted.keys:
        return []
    if connection.dialect.name == "sqlite":
        width, count = len(wanted.names), len(wanted.keys)
        size = _filled_up(count)
        nothing = (None,) * (width * (size - count))
        values = (*chain.from_iterable(wanted.keys), *nothing, *more)
        statement = _list_of(wanted.names, size) + query
    else:
        columns = list(zip(*wanted.keys, strict=True))
        kinds = tuple(_ARRAYS[type(column[0])] for column in columns)
        values = (*(list(column) for column in columns), *more)
        statement = _arrays_of(wanted.names, kinds) + query.replace("?", "%s")
    with connection.exec_driver_sql(statement, values) as found:
        # Past SQLAlchemy's rows, which cost as much again as the query.
        return found.cursor.fetchall()


def _copy(
    connection: sa.Connection,
    table: str,
    names: tuple[str, ...],
    rows: list[tuple[object, ...]],
) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f'COPY "{table}" ({columns}) FROM STDIN'
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy would have raised it, had it been asked.
        raise exc.DBAPIError.instance(
            statement, None, error, psycopg.Error, dialect=connection.dialect
        ) from error


def _filled_up(count: int) -> int:
    if count >= _STEP:
        return -(-count // _STEP) * _STEP
    return 1 << (count - 1).bit_length()


@lru_cache(maxsize=64)
def _insertion(table: str, names: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    return f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608  our own names


@lru_cache(maxsize=64)
def _list_of(names: tuple[str, ...], size: int) -> str:
    row = f"({', '.join('?' * len(names))})"
    rows = ", ".join([row] * size)
    return f"WITH wanted({', '.join(names)}) AS (VALUES {rows}) "


@lru_cache(maxsize=64)
def _arrays_of(names: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%b::{kind}" for kind in kinds)
    return f"WITH wanted({', '.join(names)}) AS (SELECT * FROM unnest({arrays})) "  # noqa: S608  our own names
