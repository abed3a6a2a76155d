"""What a bank's database holds, read from a copy of its files.

The copy is made when every host has ended, however it ended: so what is read is what
the next host will find, and reading it does not do that host's recovery for it. Rows
are counted as SQLite holds them, past everything that the bank says about itself; the
bank's own proof of its books (`settlement.check.bank`) is made as well.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from settlement.check.bank import check_bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import EntryKind
from settlement.store.books import BankStore
from sim.crash.bank.host import BANK_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settlement.store.audit import StoredTables
    from settlement.store.batches import IncidentRow

__all__ = ["BatchKey", "Stored", "read_bank"]

BatchKey = tuple[str, int]
"""Terminal and number of a batch."""

_FILES: Final = (BANK_FILE, f"{BANK_FILE}-wal")
"""Not the ``-shm``: it is only an index, and belongs to the processes that map it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was found.

    Attributes:
        findings: of the proof of the books, SQLite's own integrity check included.
        batches: the batches that were opened, by number of rows.
        records: decision and amount of each record, by batch and STAN.
        payments: how many rows there are of each payment, by card and its number.
        amounts: what the rows of a batch in the table of payments add up to.
        entries: how many ledger entries there are of each payment, likewise.
        opens: the open records that were reported, by batch and tsn.
        heads: how often each audit head is kept, by batch and number of entries.
        collected: ack MAC, count and sum of each collected batch.
        incidents: all of them.
        settled: incidents that were closed since: open records with an outcome.
    """

    findings: tuple[str, ...]
    batches: Counter[BatchKey]
    records: dict[tuple[BatchKey, int], str]
    payments: Counter[tuple[bytes, int]]
    amounts: Counter[BatchKey]
    entries: Counter[tuple[bytes, int]]
    opens: frozenset[tuple[BatchKey, int]]
    heads: Counter[tuple[BatchKey, int]]
    collected: dict[BatchKey, tuple[bytes, int, int]]
    incidents: tuple[IncidentRow, ...]
    settled: int


def read_bank(folder: Path, scratch: Path) -> Stored:
    """Copy the bank of ``folder`` to ``scratch``, which is emptied first, and read it.

    Raises:
        StoreError: it cannot be opened at all.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name in _FILES:
        if (folder / name).exists():
            shutil.copyfile(folder / name, scratch / name)
    with BankStore.open(scratch / BANK_FILE) as store:
        report = check_bank(store, MasterKeyStore(TEST_MASTERS))
        with store.read() as books:
            incidents = tuple(books.batches.incidents())
        with store.audit() as tables:
            return _read(tables, tuple(f"{f.code}: {f.text}" for f in report.findings),
                         incidents)  # fmt: skip


def _read(
    tables: StoredTables, findings: tuple[str, ...], incidents: tuple[IncidentRow, ...]
) -> Stored:
    payments: Counter[tuple[bytes, int]] = Counter()
    amounts: Counter[BatchKey] = Counter()
    names = ("terminal_id", "batch", "cid", "otc", "amount_minor")
    for terminal, number, cid, otc, amount_minor in _rows(tables, "payment", names):
        payments[cid, otc] += 1
        amounts[terminal, number] += amount_minor
    kinds = _rows(tables, "entry", ("kind", "cid", "number"))
    heads = _rows(tables, "audit_head", ("terminal_id", "batch", "entries"))
    reports = _rows(tables, "open_report", ("terminal_id", "batch", "tsn"))
    return Stored(
        findings=findings,
        batches=Counter(_rows(tables, "batch", ("terminal_id", "batch"))),
        records=dict(_records(tables)),
        payments=payments,
        amounts=amounts,
        entries=Counter(
            (cid, number) for kind, cid, number in kinds if kind == EntryKind.PAYMENT
        ),
        opens=frozenset(((terminal, batch), tsn) for terminal, batch, tsn in reports),
        heads=Counter(((terminal, batch), count) for terminal, batch, count in heads),
        collected=dict(_collected(tables)),
        incidents=incidents,
        settled=len(_rows(tables, "incident_closed", ("incident_id",))),
    )


def _records(tables: StoredTables) -> Iterator[tuple[tuple[BatchKey, int], str]]:
    names = ("terminal_id", "batch", "stan", "decision")
    for terminal, number, stan, decision in _rows(tables, "record", names):
        yield ((terminal, number), stan), decision


def _collected(
    tables: StoredTables,
) -> Iterator[tuple[BatchKey, tuple[bytes, int, int]]]:
    names = ("terminal_id", "batch", "ack_mac", "posted_count", "posted_minor",
             "suspended_count", "suspended_minor")  # fmt: skip
    for terminal, number, mac, *totals in _rows(tables, "batch_collected", names):
        count, sum_minor = totals[0] + totals[2], totals[1] + totals[3]
        yield (terminal, number), (mac, count, sum_minor)


def _rows(tables: StoredTables, name: str, columns: tuple[str, ...]) -> list[Any]:
    found, unreadable = tables.rows(name, columns)
    assert not unreadable, "the proof of the books has read every row"
    return [values for _, values in found]
