"""Which keys and references would hold when the tables are spread over machines.

Each table names the column by which its rows are spread, or that it is small enough to
be everywhere. Then a key is only enforced where it contains that column, and a
reference only where both rows are on one machine. What does not fit is listed here,
with what takes its place; nothing else may come to it unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

import settlement.store.books  # noqa: F401  every table is in what it imports
from settlement.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = tuple(metadata.tables.values())
ONE_SEQUENCE = (
    "entries are numbered by one sequence, so that no two are equal; that an event is "
    "booked once is kept by kind, subject and number"
)
LEGS_BY_ENTRY = (
    "a leg knows its entry by number alone; together they would lie if it had the "
    "entry's subject too"
)
BY_HAND = (
    "few rows, decided by hand; they would be kept with their origin, or everywhere"
)
EVENTS = (
    "what becomes of a request is told by rows of cards and terminals; a rule compares "
    "them where they are together"
)
EXCEPTIONS = {
    "entry: key id": ONE_SEQUENCE,
    "leg: reference to entry": LEGS_BY_ENTRY,
    "payment: key mid, tsn": (
        "a customs card is held while a payment of it is judged, and what it was "
        "credited before is compared; its own table by mid would keep it"
    ),
    "payment: reference to record": (
        "posting copies a payment from a record with a verified TAC, and a rule "
        "compares every column of the two; the reference adds nothing to that"
    ),
    "load: key lsn": "the bank's numbers of loads are given one at a time",
    "open_record: reference to open_report": (
        "an open record is copied from its report in the transaction that stores it"
    ),
    "bank_fee: key number": BY_HAND,
    "deposit_order: key number": BY_HAND,
    "deposit_order: key office, order_number": BY_HAND,
    "deposit_order: reference to entry": BY_HAND,
    "correction: reference to entry": BY_HAND,
    "suspense_resolution: key proposal": BY_HAND,
    "request_event: key id": EVENTS,
    "request_event: reference to payment": EVENTS,
    "request_event: key cid, otc": EVENTS,
    "request_payment: reference to payment_request": EVENTS,
}


def keys(table: sa.Table) -> Iterator[tuple[str, ...]]:
    yield tuple(column.name for column in table.primary_key)
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield tuple(column.name for column in constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield tuple(column.name for column in index.columns)


def is_on_one_machine(key: sa.ForeignKeyConstraint) -> bool:
    ours = key.table.info["distributed_by"]
    theirs = key.referred_table.info["distributed_by"]
    if theirs is None:
        return True
    pairs = {(element.parent.name, element.column.name) for element in key.elements}
    return (ours, theirs) in pairs


def misfits(table: sa.Table) -> Iterator[str]:
    column = table.info["distributed_by"]
    for names in keys(table):
        if column is not None and column not in names:
            yield f"{table.name}: key {', '.join(names)}"
    for key in table.foreign_key_constraints:
        if not is_on_one_machine(key):
            yield f"{table.name}: reference to {key.referred_table.name}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_says_how_it_is_spread(table: sa.Table) -> None:
    column = table.info["distributed_by"]
    assert column is None or not table.columns[column].nullable


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_and_references_hold_on_every_machine(table: sa.Table) -> None:
    assert [what for what in misfits(table) if what not in EXCEPTIONS] == []


def test_no_exception_is_left_that_is_none() -> None:
    there = {what for table in metadata.tables.values() for what in misfits(table)}
    assert there == EXCEPTIONS.keys()
    assert all(EXCEPTIONS.values())
