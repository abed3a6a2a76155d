"""The numbers that the bank gives: of accounts, incidents, statements, loads, entries.

All but those of entries follow each other without a gap, so that a missing row shows.
For that, one transaction at a time gives a number of a kind, and the next one waits
until it has ended. Entries are too many for it: on PostgreSQL their number comes from a
sequence, and a transaction that was undone leaves a gap. What must not happen is that
an entry appears late, below a number that a statement was already cut at. Hence the
two locks of the ledger: who books announces it first (ROW EXCLUSIVE, which all who
book may hold together) and draws then; who cuts waits for all of them
(`Holds.whole_ledger`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.store.holds import hold_name
from settlement.store.schema import entry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw_entry_numbers", "next_number"]

_NEWEST_ENTRY: Final = sa.select(sa.func.max(entry.c.id))
_ANNOUNCE: Final = f"LOCK TABLE {entry.name} IN ROW EXCLUSIVE MODE"
_DRAW: Final = sa.text(
    "SELECT nextval(pg_get_serial_sequence('entry', 'id'))"
    " FROM generate_series(1, :count)"
)


def next_number(
    connection: sa.Connection,
    column: sa.Column[int],
    *conditions: sa.ColumnElement[bool],
    of: str = "",
) -> int:
    """One more than the highest so far, from 1; nobody else is given it.

    Args:
        connection: the open transaction, which keeps others from drawing until it ends.
        column: where such numbers are stored.
        conditions: which rows count.
        of: whose numbers, where each owner has its own; the conditions say the same.
    """
    hold_name(connection, f"number {column.table}.{column.name} {of}")
    query = sa.select(sa.func.max(column)).where(*conditions)
    return (connection.execute(query).scalar() or 0) + 1


def draw_entry_numbers(connection: sa.Connection, count: int) -> Sequence[int]:
    """So many new numbers of entries, ascending, which this transaction is to use."""
    if connection.dialect.name == "sqlite":
        newest = connection.execute(_NEWEST_ENTRY).scalar() or 0
        return range(newest + 1, newest + 1 + count)
    connection.exec_driver_sql(_ANNOUNCE)
    return sorted(connection.execute(_DRAW, {"count": count}).scalars())
