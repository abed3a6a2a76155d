"""How fast the bank posts on SQLite, against inserting the very same rows.

Two files, the same tables, indexes, triggers and pragmas, and the same purses in both.
In one the bank posts: TACs verified, everything looked up, judged and written. Into the
other go the rows that came of it, by plain statements, as many for each commit; that
is the reference. Both take turns, batch by batch, so that a busy machine is as busy for
one as for the other.
"""

from __future__ import annotations

import gc
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.bank_rows import PRAGMAS, insert, make_bank
from settlement.bank import Bank
from settlement.posting_queue import TOGETHER_MAX
from settlement.store.books import BankStore
from sim.nation.country import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sim.nation.country import Country, SentBatch

__all__ = ["RATIO_MIN", "Desk", "Took", "measure_posting"]

RATIO_MIN: Final = 0.5
_TABLES: Final = ("record", "payment", "leg", "entry")
"""What a payment adds to, in the order in which the database's rules want it."""


class Took(NamedTuple):
    """Seconds of something: by the clock, and of this program on a processor."""

    wall_s: float
    cpu_s: float

    def __sub__(self, before: Took) -> Took:
        return Took(self.wall_s - before.wall_s, self.cpu_s - before.cpu_s)


class Desk:
    """A bank that batches are sent to, several for one commit."""

    def __init__(self, store: BankStore, country: Country) -> None:
        """Send to the bank in ``store``."""
        self._bank = Bank(store, country.keys)

    def open(self, batches: Sequence[SentBatch]) -> None:
        """Open some batches, which is not measured."""
        for batch in batches:
            answer = self._bank.begin_batch(batch.header, NOW)
            if answer.code != "00":
                raise RuntimeError(f"a batch was not taken: {answer.text}")

    def post(self, batches: Sequence[SentBatch]) -> Took:
        """Post some batches in one commit; how long it took."""
        # What this program holds only to be measured is no work for the bank.
        gc.collect()
        gc.freeze()
        started = _now()
        answers = self._bank.desk.take_groups(
            [(batch.header, batch.payments) for batch in batches], NOW
        )
        took = _now() - started
        gc.unfreeze()
        for group in answers:
            if isinstance(group, Exception):
                raise group
            if any((answer.code, answer.text) != ("00", "") for answer in group):
                raise RuntimeError("a payment of the benchmark was not simply posted")
        return took


@dataclass(slots=True)
class _Times:
    posting: list[Took] = field(default_factory=list)
    inserting: list[Took] = field(default_factory=list)


def measure_posting(
    folder: Path, country: Country, *, rounds: int
) -> dict[str, object]:
    """Post with several batches for each commit, and with one."""
    posted, bare = folder / "posted.sqlite", folder / "bare.sqlite"
    make_bank(posted, country)
    shutil.copy(posted, bare)
    together = _times(posted, bare, country, rounds=rounds, together=TOGETHER_MAX)
    alone = _times(posted, bare, country, rounds=rounds * TOGETHER_MAX // 4, together=1)
    figures = {"several": _figures(together, TOGETHER_MAX), "one": _figures(alone, 1)}
    return {
        **figures,
        "target": RATIO_MIN,
        "target_met": float(str(figures["several"]["ratio"])) >= RATIO_MIN,
    }


def _figures(times: _Times, together: int) -> dict[str, object]:
    payments = together * 250
    rounds = len(times.posting)
    posting_s = median(took.wall_s for took in times.posting)
    inserting_s = median(took.wall_s for took in times.inserting)
    cpu_ratio = median(took.cpu_s for took in times.inserting) / median(
        took.cpu_s for took in times.posting
    )
    ratio = inserting_s / posting_s
    words = "batch" if together == 1 else "batches"
    goal = ""
    if together > 1:
        met = "met" if ratio >= RATIO_MIN else "MISSED"
        goal = f" (target: at least {RATIO_MIN}, {met})"
    print(
        f"bank: SQLite, {together} {words} of 250 a commit: "
        f"{payments / posting_s:.0f} payments a second posted, {ratio:.2f} of "
        f"{payments / inserting_s:.0f} whose rows are only inserted{goal}. Medians of "
        f"{rounds} commits; by processor time {cpu_ratio:.2f}."
    )
    return {
        "batches_a_commit": together,
        "commits": rounds,
        "posted_a_second": round(payments / posting_s),
        "only_inserted_a_second": round(payments / inserting_s),
        "ratio": round(ratio, 3),
        "ratio_of_processor_times": round(cpu_ratio, 3),
    }


def _times(
    posted: Path, bare: Path, country: Country, *, rounds: int, together: int
) -> _Times:
    times = _Times()
    with (
        BankStore.open(posted) as store,
        closing(sqlite3.connect(posted)) as source,
        closing(sqlite3.connect(bare, isolation_level=None)) as target,
    ):
        for pragma in PRAGMAS:
            target.execute(f"PRAGMA {pragma}").close()
        desk = Desk(store, country)
        # The first round fills caches and prepares statements on both sides.
        for number in range(rounds + 1):
            batches = list(country.batches(together))
            desk.open(batches)
            posting = desk.post(batches)
            inserting = _insert(source, target)
            if number:
                times.posting.append(posting)
                times.inserting.append(inserting)
    return times


def _insert(source: sqlite3.Connection, target: sqlite3.Connection) -> Took:
    """Insert what is new; how long the payments' rows took."""
    for table in ("account", "terminal", "batch"):
        insert_new(source, target, table)
    rows = [(table, _new(source, target, table)) for table in _TABLES]
    started = _now()
    target.execute("BEGIN IMMEDIATE")
    for table, those in rows:
        insert(target, table, those)
    target.execute("COMMIT")
    return _now() - started


def _now() -> Took:
    return Took(time.perf_counter(), time.process_time())


def insert_new(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str
) -> None:
    """Insert the rows of a table that the other file does not have yet."""
    insert(target, table, _new(source, target, table))


def _new(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str
) -> list[tuple[Any, ...]]:
    newest = f"SELECT COALESCE(MAX(rowid), 0) FROM {table}"  # noqa: S608  our own names
    ((there,),) = target.execute(newest).fetchall()
    query = f"SELECT * FROM {table} WHERE rowid > ? ORDER BY rowid"  # noqa: S608  our own names
    return source.execute(query, (there,)).fetchall()
