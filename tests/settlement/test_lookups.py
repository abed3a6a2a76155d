"""What PostgreSQL reads to post payments: keys, and no table whole.

The planner of a bank that has just begun knows nothing of its tables: none is analysed.
It must not read all that was posted for each payment that comes, then or later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settlement.bank import Bank
from tests.databases import raw_connection
from tests.settlement.conftest import CID

if TYPE_CHECKING:
    from tests.databases import Place

    Desk = Any

DATABASES = ("postgresql",)
GROUPS = 5
PURSES = 20
PAYMENTS_EACH = 5
READ_MAX = 40
"""Entries of indexes and rows that one payment may cost, with all its rules."""
READ = """
SELECT (SELECT SUM(seq_tup_read) FROM pg_stat_user_tables
        WHERE relname IN ('account', 'entry', 'leg', 'payment', 'purse', 'record')),
       (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes)
"""


def rows_read(desk: Desk) -> int:
    """All that any connection has read so far."""
    # The bank's own connection tells at once what it has counted.
    with desk.store.write() as books:
        books.holds._connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    place: Place = desk.place
    with raw_connection(place) as raw:
        [(whole, by_index)] = raw.execute(READ)
    return int(whole) + int(by_index)


def test_what_a_payment_costs_does_not_grow_with_what_is_posted(desk: Desk) -> None:
    first = int.from_bytes(CID, "big")
    purses = [
        desk.loaded_purse(10_000, cid=(first + place).to_bytes(8, "big"))
        for place in range(PURSES)
    ]
    costs = []
    for _ in range(GROUPS):
        for purse in purses * PAYMENTS_EACH:
            desk.customs.pay(purse, 100)
        header = desk.customs.close()
        desk.bank.begin_batch(header, desk.clock())
        before = rows_read(desk)
        desk.bank.take_payments(header, desk.customs.records, desk.clock())
        costs.append((rows_read(desk) - before) / len(desk.customs.records))
        desk.customs.next_batch()
    # The first group is the first one of its purses and its customs card.
    assert max(costs[1:]) - min(costs[1:]) < 1, costs
    assert 0 < costs[-1] < READ_MAX, costs


def test_to_look_for_what_waits_reads_nothing_of_what_was_posted(desk: Desk) -> None:
    behind = Bank(desk.store, desk.keys, groups_max=0)
    purse = desk.loaded_purse()
    for _ in range(3):
        for amount in range(1, 101):
            desk.customs.pay(purse, amount)
        header = desk.customs.close()
        desk.bank.begin_batch(header, desk.clock())
        behind.take_payments(header, desk.customs.records, desk.clock())
        totals = desk.customs.totals()
        assert desk.bank.reconcile(header, totals, desk.clock()).code == "00"
        desk.customs.next_batch()
    before = rows_read(desk)
    assert desk.bank.desk.waiting(1000) == []
    with desk.store.read() as books:
        assert books.staged.sum().payments == 0
    assert rows_read(desk) - before < 100
