"""What posting costs when the books are large, in time and in memory.

Time: the same batches are posted into a bank that holds few payments and into one that
holds many; reference is the smaller one. Purses have paid equally often in both, so
that only the number of purses and rows differs. Both take turns, commit by commit.

Memory: one process posts and posts; what it holds after many payments is compared with
what it held after few.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from bench.bank_posting import Desk
from bench.bank_rows import make_bank
from settlement.posting_queue import TOGETHER_MAX
from settlement.store.books import BankStore
from sim.nation.country import BATCH_PAYMENTS, Country

__all__ = ["measure_growth", "measure_memory"]

COST_MAX: Final = 1.3
MEMORY_MAX: Final = 1.1
"""Flat, but for what the allocator and the database's cache keep for themselves."""
_PAID_BEFORE: Final = 50
"""By each purse."""
_COUNTERS: Final = 16


def measure_growth(
    folder: Path, *, few: int, many: int, rounds: int
) -> dict[str, object]:
    """Post the same into a small bank and a large one."""
    with ExitStack() as stores:
        banks = []
        for name, stored in (("few", few), ("many", many)):
            started = time.perf_counter()
            path = folder / f"{name}.sqlite"
            country = Country(
                purses=stored // _PAID_BEFORE,
                counters=_COUNTERS,
                past_payments=_PAID_BEFORE,
            )
            make_bank(path, country)
            print(
                f"bank: {stored} stored payments made in "
                f"{time.perf_counter() - started:.0f} s, "
                f"{path.stat().st_size / 1e6:.0f} MB.",
                flush=True,
            )
            store = stores.enter_context(BankStore.open(path))
            banks.append((country, Desk(store, country)))
        times: list[list[float]] = [[], []]
        for number in range(rounds + 2):
            for (country, desk), those in zip(banks, times, strict=True):
                batches = list(country.batches(TOGETHER_MAX))
                desk.open(batches)
                seconds = desk.post(batches).wall_s
                # Caches fill first.
                if number >= 2:
                    those.append(seconds)
    payments = TOGETHER_MAX * BATCH_PAYMENTS
    small_us, large_us = (1e6 * median(those) / payments for those in times)
    ratio = large_us / small_us
    met = ratio <= COST_MAX
    print(
        f"bank: with {many} payments stored one more costs {large_us:.0f} µs, "
        f"{ratio:.2f} times the {small_us:.0f} µs with {few} (target: at most "
        f"{COST_MAX}, {'met' if met else 'MISSED'}). Medians of {rounds} commits."
    )
    return {
        "few": few,
        "many": many,
        "few_us": round(small_us, 1),
        "many_us": round(large_us, 1),
        "ratio": round(ratio, 3),
        "target": COST_MAX,
        "target_met": met,
    }


def measure_memory(folder: Path, *, few: int, many: int) -> dict[str, object]:
    """Post ``many`` payments one commit after the other, and look at the memory."""
    country = Country(purses=2_000, counters=_COUNTERS)
    path = folder / "memory.sqlite"
    make_bank(path, country)
    held: dict[int, float] = {}
    step = TOGETHER_MAX * BATCH_PAYMENTS
    started = time.perf_counter()
    with BankStore.open(path) as store:
        desk = Desk(store, country)
        for posted in range(step, many + step, step):
            batches = list(country.batches(TOGETHER_MAX))
            desk.open(batches)
            desk.post(batches)
            if posted >= few and not held:
                held[posted] = _resident_mb()
        held[posted] = _resident_mb()
    (first, few_mb), (last, many_mb) = held.items()
    ratio = many_mb / few_mb
    met = ratio <= MEMORY_MAX
    print(
        f"bank: {many_mb:.1f} MB resident after {last} payments posted in "
        f"{time.perf_counter() - started:.0f} s, {ratio:.2f} times the {few_mb:.1f} MB "
        f"after {first} (target: at most {MEMORY_MAX}, {'met' if met else 'MISSED'})."
    )
    return {
        "few": first,
        "many": last,
        "few_mb": round(few_mb, 1),
        "many_mb": round(many_mb, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "ratio": round(ratio, 3),
        "target": MEMORY_MAX,
        "target_met": met,
    }


def _resident_mb() -> float:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
