"""Whatever a disk does to the journal is found at the start, or is without effect."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from card.profile import Role
from sim.cards.issue import PurseData, issue_purse
from terminal.errors import JournalDamagedError, JournalVersionError
from terminal.journal import Journal, audit_journal
from terminal.machine import recover_journal
from tests.terminal.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED: Final = 20251122
PAGE: Final = 4096
PAYMENTS: Final = 30
FLIPS_A_PAGE: Final = 25
TABLES: Final = ("events", "payments", "batches", "declines")


class Spoiled:
    """A counter's folder that can be spoiled over and over."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.state = bench.config.state_directory
        self.saved = bench.folder / "saved"
        self.content: dict[str, list[object]] = {}
        self.messages: set[bool] = set()
        self.found = 0
        self.harmless = 0

    def save(self) -> None:
        """This is what the disk held before it was spoiled."""
        shutil.copytree(self.state, self.saved)
        self.bench.stop()
        self.content = self.dump()

    def restore(self) -> None:
        shutil.rmtree(self.state)
        shutil.copytree(self.saved, self.state)

    def dump(self) -> dict[str, list[object]]:
        with closing(sqlite3.connect(self.state / "journal.sqlite")) as database:
            return {
                table: database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  our own names
                for table in TABLES
            }

    def judge(self, what: str) -> bool:
        """Start; whether the damage was found. It is never silently wrong."""
        try:
            Journal.open(self.state, os.urandom).close()
        except (JournalDamagedError, JournalVersionError) as error:
            self.messages.add("raseed-terminal recover" in str(error))
            self.found += 1
            return True
        assert self.dump() == self.content, what
        assert audit_journal(self.state).is_whole, what
        self.harmless += 1
        return False

    def heal(self, what: str) -> None:
        """The customs card makes it whole again."""
        result = recover_journal(
            self.bench.config,
            on_progress=lambda _: None,
            layer=self.bench.readers,
            clock=self.bench.clock,
        )
        held = self.bench.held()
        assert (result.credited, result.total.amount_minor) == (PAYMENTS, held), what
        assert result.open_count == 1, what
        assert audit_journal(self.state).is_whole, what
        assert result.set_aside is not None, what


@pytest.fixture
def spoiled(quick_path: Path) -> Iterator[Spoiled]:
    """A counter after a day: many payments, a closed batch, an open record, a decline.

    No table is empty: two pages of empty indexes are the same to the letter, and that
    they changed places is no damage.
    """
    bench = Bench(quick_path)
    bench.readers.remove(Role.PURSE)
    bench.purse = issue_purse(None, PurseData(balance_minor=1_000_000))
    bench.readers.insert(Role.PURSE, bench.purse)
    bench.start()
    for number in range(PAYMENTS):
        bench.pay("1.000", f"INV-2025-{number:06d}")
        if number == PAYMENTS // 2:
            bench.counter.close_day(lambda _: None)
    bench.journal.declines.decline("REQ-17", "not ours", "7", bench.clock())
    seen = bench.counter.read_purse()
    bench.faults.arm("lost", 3, removes=True)
    bench.pay("1.000", "INV-2025-000099", seen=seen)
    bench.faults.disarm()
    spoiled = Spoiled(bench)
    yield spoiled
    bench.stop()
    # Whatever was found, the next step was told.
    assert spoiled.messages <= {True}


@pytest.fixture
def closed(spoiled: Spoiled) -> Spoiled:
    """The same after an orderly end: one file holds everything."""
    spoiled.bench.stop()
    spoiled.save()
    return spoiled


@pytest.fixture
def cut(spoiled: Spoiled) -> Spoiled:
    """The same as a power cut leaves it: the newest entries are in SQLite's log."""
    spoiled.save()
    assert (spoiled.saved / "journal.sqlite-wal").stat().st_size > PAGE
    return spoiled


def flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def pages_of(content: bytes) -> range:
    assert len(content) % PAGE == 0
    return range(0, len(content), PAGE)


def test_a_zeroed_page_is_found_and_the_card_heals_it(closed: Spoiled) -> None:
    path = closed.state / "journal.sqlite"
    content = path.read_bytes()
    for start in pages_of(content):
        closed.restore()
        path.write_bytes(content[:start] + bytes(PAGE) + content[start + PAGE :])
        what = f"page at {start}"
        if closed.judge(what):
            closed.heal(what)
    assert closed.found >= len(content) // PAGE - 1


def test_pages_that_changed_places_are_found(closed: Spoiled) -> None:
    path = closed.state / "journal.sqlite"
    content = path.read_bytes()
    pages = pages_of(content)
    for one, other in pairwise(pages):
        closed.restore()
        swapped = bytearray(content)
        swapped[one : one + PAGE] = content[other : other + PAGE]
        swapped[other : other + PAGE] = content[one : one + PAGE]
        path.write_bytes(swapped)
        what = f"pages at {one} and {other}"
        assert closed.judge(what), what
        closed.heal(what)


def test_a_file_that_was_torn_off_is_found(closed: Spoiled) -> None:
    path = closed.state / "journal.sqlite"
    content = path.read_bytes()
    source = random.Random(SEED)
    sizes = [*pages_of(content), *(source.randrange(len(content)) for _ in range(10))]
    for size in sizes:
        closed.restore()
        path.write_bytes(content[:size])
        what = f"{size} bytes of {len(content)}"
        assert closed.judge(what), what
        closed.heal(what)


def test_no_flipped_bit_of_the_database_is_silently_wrong(closed: Spoiled) -> None:
    path = closed.state / "journal.sqlite"
    content = path.read_bytes()
    source = random.Random(SEED)
    for start in pages_of(content):
        for turn in range(FLIPS_A_PAGE):
            closed.restore()
            bit = start * 8 + source.randrange(PAGE * 8)
            path.write_bytes(flip(content, bit))
            if closed.judge(f"bit {bit}") and turn == 0:
                closed.heal(f"bit {bit}")
    # Most of a page is content; what is free on it, nobody reads.
    assert closed.found > closed.harmless / 2


def test_every_bit_of_the_files_header_is_right_or_without_effect(
    closed: Spoiled,
) -> None:
    path = closed.state / "journal.sqlite"
    content = path.read_bytes()
    for bit in range(100 * 8):
        closed.restore()
        path.write_bytes(flip(content, bit))
        closed.judge(f"bit {bit}")
    assert closed.found > 100


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_the_log_of_sqlite_may_not_be_cut(cut: Spoiled, part: int) -> None:
    path = cut.state / "journal.sqlite-wal"
    cut.restore()
    content = path.read_bytes()
    if part == 0:
        path.unlink()
    else:
        path.write_bytes(content[: len(content) * part // 4])
    assert cut.judge(f"{part} of 4 parts")
    cut.heal(f"{part} of 4 parts")


def test_no_flipped_bit_of_sqlites_log_is_silently_wrong(cut: Spoiled) -> None:
    path = cut.state / "journal.sqlite-wal"
    content = (cut.saved / "journal.sqlite-wal").read_bytes()
    source = random.Random(SEED)
    for turn in range(150):
        cut.restore()
        bit = source.randrange(len(content) * 8)
        path.write_bytes(flip(content, bit))
        if cut.judge(f"bit {bit}") and turn < 5:
            cut.heal(f"bit {bit}")
    assert cut.found > 0


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.key"])
def test_a_file_that_is_gone_is_found(closed: Spoiled, name: str) -> None:
    (closed.state / name).unlink()
    assert closed.judge(name)
    closed.heal(name)


def test_a_flipped_bit_of_the_key_is_found_and_of_the_head_does_no_harm(
    closed: Spoiled,
) -> None:
    for name in ("journal.key", "journal.head"):
        content = (closed.saved / name).read_bytes()
        for bit in range(0, len(content) * 8, 5):
            closed.restore()
            (closed.state / name).write_bytes(flip(content, bit))
            closed.judge(f"{name}, bit {bit}")
    # Of the key every bit counts, but for the size of letters and the last blank.
    assert closed.found > 80


def test_an_old_copy_put_back_is_found(spoiled: Spoiled) -> None:
    old = spoiled.bench.folder / "old"
    shutil.copytree(spoiled.state, old)
    spoiled.bench.journal.note("call-failed", spoiled.bench.clock(), "BusyError")
    spoiled.bench.stop()
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        (spoiled.state / name).unlink(missing_ok=True)
        shutil.copy(old / name, spoiled.state / name)
    with pytest.raises(JournalDamagedError, match="went further"):
        Journal.open(spoiled.state, os.urandom)
