"""The audit log: whoever touches journal or log afterwards is found, at his entry."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from settlement.audit_head import AuditHead
from terminal import audit
from terminal.audit import ProblemCode, Subject
from terminal.entries import Begun, Credited, NotDebited, RefusedEntry
from terminal.errors import JournalDamagedError, JournalError
from terminal.journal import Journal, audit_journal, newest_entries
from terminal.journal_files import read_head
from tests.terminal.test_journal import (
    AT,
    INTENT,
    MID,
    RC,
    debited,
    opened,
)
from tests.terminal.test_journal import (
    closing as closed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

KINDS = [
    "journal-begun",
    *("intended", "begun", "opened", "debited", "credited"),
    *("intended", "refused"),
    "batch-closed",
    *("call-failed", "batch-refused"),
]
"""What `fill` writes, from entry 1 on."""


def fill(folder: Path) -> Path:
    """A journal with a paid and a refused payment and a batch that was refused."""
    journal = Journal.open(folder, os.urandom)
    paid = journal.payments.intend(INTENT, AT, all_told=True)
    for entry in (Begun(otc=1, rc=RC), opened(), debited(), Credited(batch=1)):
        journal.payments.write(paid, entry, AT)
    refused = journal.payments.intend(INTENT, AT, all_told=True)
    journal.payments.write(refused, RefusedEntry(reason="pin-wrong"), AT)
    journal.batches.add(MID, closed(), (), AT)
    journal.note("call-failed", AT, "BusyError")
    batch = journal.batches.find(MID, 1)
    assert batch is not None
    journal.batches.refused(batch, "95", "sums differ", AT)
    journal.close()
    return folder


@pytest.fixture
def folder(quick_path: Path) -> Path:
    return fill(quick_path / "state")


def tamper(folder: Path, *statements: str, values: Sequence[object] = ()) -> None:
    """Change the database as one who knows it does: the triggers are back afterwards.

    The last statement gets ``values``.
    """
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database, database:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = database.execute(sql).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements[:-1]:
            database.execute(statement)
        database.execute(statements[-1], values)
        for _, sql in triggers:
            database.execute(sql)


def forge(folder: Path, number: int, **changes: object) -> None:
    """Change an entry and compute its link anew, as a forger does."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        database.row_factory = sqlite3.Row
        sql = "SELECT * FROM events WHERE id IN (?, ?) ORDER BY id"
        before, row = database.execute(sql, (number - 1, number)).fetchall()
        changed = {**dict(row), **changes}
        link = audit.link(before["link"], tuple(changed.values()))
    names = ", ".join(f"{name} = ?" for name in changes)
    statement = f"UPDATE events SET {names}, link = ? WHERE id = ?"  # noqa: S608  our own words
    tamper(folder, statement, values=(*changes.values(), link, number))


def first(folder: Path) -> tuple[ProblemCode, int | None]:
    report = audit_journal(folder)
    assert not report.is_whole
    problem = report.problems[0]
    if problem.code not in {ProblemCode.UNTOLD, ProblemCode.CUT, ProblemCode.REPLACED}:
        assert problem.at == AT.isoformat()
        assert problem.kind
    return problem.code, problem.entry


def test_a_journal_that_nobody_touched_is_whole(folder: Path) -> None:
    report = audit_journal(folder)
    assert report.problems == ()
    assert report.entries == len(KINDS)
    assert [row[2] for row in newest_entries(folder, 99)] == KINDS
    journal = Journal.open(folder, os.urandom)
    assert journal.audit_head() == report.head
    journal.close()


def test_the_head_moves_with_every_entry_and_names_the_journal(folder: Path) -> None:
    journal = Journal.open(folder, os.urandom)
    before = journal.audit_head()
    journal.note("warning-overridden", AT, "open record")
    after = journal.audit_head()
    journal.close()
    assert before is not None
    assert after is not None
    assert after.journal == before.journal
    assert after.entries == before.entries + 1
    assert after.digest != before.digest
    other = Journal.open(folder.with_name("other"), os.urandom)
    assert other.audit_head() is None
    other.note("x", AT, "")
    head = other.audit_head()
    other.close()
    assert head is not None
    assert head.journal != before.journal


def test_the_link_is_what_the_module_says(folder: Path) -> None:
    row = newest_entries(folder, 2)[0]
    previous = newest_entries(folder, 3)[0][-1]
    said = f'[10,"{AT.isoformat()}","call-failed",null,null,null,"BusyError",null]'
    assert row[-1] == audit.link(previous, row)
    assert row[-1] == hashlib.sha256(previous + said.encode()).digest()


def test_the_audit_needs_no_key_and_runs_beside_the_program(folder: Path) -> None:
    journal = Journal.open(folder, os.urandom)
    journal.note("x", AT, "")
    (folder / "journal.key").rename(folder / "elsewhere")
    assert audit_journal(folder).entries == len(KINDS) + 1
    journal.close()


def test_the_audit_never_writes(folder: Path) -> None:
    journal = Journal.open(folder, os.urandom)
    journal.note("x", AT, "")
    names = ["journal.sqlite", "journal.sqlite-wal", "journal.head", "journal.key"]
    before = [(folder / name).read_bytes() for name in names]
    assert audit_journal(folder).is_whole
    assert [(folder / name).read_bytes() for name in names] == before
    journal.close()
    tamper(folder, "UPDATE payments SET reason = 'x' WHERE number = 2")
    before = [(folder / "journal.sqlite").read_bytes()]
    assert not audit_journal(folder).is_whole
    assert [(folder / "journal.sqlite").read_bytes()] == before


@pytest.mark.parametrize("number", range(1, len(KINDS) + 1))
@pytest.mark.parametrize(
    "change", ["at = '2020-01-01'", "kind = 'x'", "detail = '{}'", "payment = 9"]
)
def test_a_changed_entry_is_named(folder: Path, number: int, change: str) -> None:
    tamper(folder, f"UPDATE events SET {change} WHERE id = {number}")  # noqa: S608  our own words
    found = {(one.code, one.entry) for one in audit_journal(folder).problems}
    assert (ProblemCode.LINK, number) in found


@pytest.mark.parametrize("number", range(2, len(KINDS)))
def test_a_changed_entry_with_a_new_link_is_found_at_the_next_one(
    folder: Path, number: int
) -> None:
    forge(folder, number, at="2020-01-01T00:00:00+00:00")
    problems = audit_journal(folder).problems
    assert [(one.code, one.entry) for one in problems] == [
        (ProblemCode.LINK, number + 1)
    ]


@pytest.mark.parametrize("number", range(2, len(KINDS)))
def test_a_deleted_entry_is_named_by_the_one_after_it(
    folder: Path, number: int
) -> None:
    tamper(folder, f"DELETE FROM events WHERE id = {number}")  # noqa: S608  our own words
    found = {(one.code, one.entry) for one in audit_journal(folder).problems}
    assert (ProblemCode.GAP, number + 1) in found


def test_a_log_without_its_beginning_is_found(folder: Path) -> None:
    tamper(folder, "DELETE FROM events WHERE id = 1")
    assert first(folder) == (ProblemCode.BEGINNING, 2)


@pytest.mark.parametrize("number", range(2, len(KINDS) + 1))
def test_an_entry_put_in_between_is_named(folder: Path, number: int) -> None:
    tamper(
        folder,
        f"UPDATE events SET id = -id WHERE id >= {number}",  # noqa: S608  our own words
        "UPDATE events SET id = 1 - id WHERE id < 0",
        "INSERT INTO events SELECT ?, at, 'x', NULL, NULL, NULL, '', NULL, link "
        "FROM events WHERE id = ?",
        values=(number, number - 1),
    )
    assert first(folder) == (ProblemCode.LINK, number)


@pytest.mark.parametrize("number", range(2, len(KINDS)))
def test_entries_that_changed_places_are_named(folder: Path, number: int) -> None:
    tamper(
        folder,
        f"UPDATE events SET id = -1 WHERE id = {number}",  # noqa: S608  our own words
        f"UPDATE events SET id = {number} WHERE id = {number + 1}",  # noqa: S608  our own words
        f"UPDATE events SET id = {number + 1} WHERE id = -1",  # noqa: S608  our own words
    )
    assert first(folder) == (ProblemCode.LINK, number)


def test_entries_cut_off_the_end_are_missed_beside_the_kept_head(folder: Path) -> None:
    tamper(folder, "DELETE FROM events WHERE id = 11")
    report = audit_journal(folder)
    assert (ProblemCode.CUT, 11) in {(one.code, one.entry) for one in report.problems}


def test_a_whole_log_that_was_cut_is_found_only_by_a_head_of_the_bank(
    folder: Path,
) -> None:
    journal = Journal.open(folder, os.urandom)
    journal.note("warning-overridden", AT, "open record")
    head = journal.audit_head()
    journal.close()
    assert head is not None
    assert audit_journal(folder, {head.entries}).fits(head)
    # The entry that is cut off speaks of no row, and whoever cuts it knows the file.
    tamper(folder, "DELETE FROM events WHERE kind = 'warning-overridden'")
    (folder / "journal.head").unlink()
    report = audit_journal(folder, {head.entries})
    assert report.is_whole
    assert not report.fits(head)


def test_a_log_written_anew_is_whole_and_fits_no_head_of_the_bank(
    folder: Path,
) -> None:
    head = audit_journal(folder).head
    assert head is not None
    for path in folder.iterdir():
        path.unlink()
    fill(folder)
    report = audit_journal(folder, {head.entries})
    assert report.is_whole
    assert not report.fits(head)
    assert not report.fits(
        AuditHead(
            journal=report.head.journal if report.head else b"",
            entries=head.entries,
            digest=head.digest,
        )
    )


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        ("UPDATE payments SET amount_minor = 1 WHERE number = 1", 6),
        ("UPDATE payments SET details = NULL WHERE number = 1", 6),
        ("UPDATE payments SET receipt = 9 WHERE number = 1", 6),
        ("UPDATE payments SET proof = x'00' WHERE number = 1", 6),
        ("UPDATE payments SET state = 'credited' WHERE number = 2", 8),
    ],
)
def test_an_altered_payment_is_found_at_the_last_entry_about_it(
    folder: Path, change: str, entry: int
) -> None:
    tamper(folder, change)
    (problem,) = audit_journal(folder).problems
    assert (problem.code, problem.entry) == (ProblemCode.ALTERED, entry)
    assert problem.subject == Subject(payment=1 if entry == 6 else 2)
    with pytest.raises(JournalDamagedError, match=f"Entry {entry} of"):
        Journal.open(folder, os.urandom)


@pytest.mark.parametrize("column", ["state = 'acknowledged'", "text = ''"])
def test_an_altered_batch_is_found_at_the_last_entry_about_it(
    folder: Path, column: str
) -> None:
    tamper(folder, f"UPDATE batches SET {column}")  # noqa: S608  our own words
    (problem,) = audit_journal(folder).problems
    assert (problem.code, problem.entry) == (ProblemCode.ALTERED, 11)
    assert problem.subject == Subject(batch=1)


def test_missing_and_foreign_rows_are_named(folder: Path) -> None:
    tamper(folder, "UPDATE payments SET number = 3 WHERE number = 2")
    problems = audit_journal(folder).problems
    assert [(one.code, one.entry, one.subject.payment) for one in problems] == [
        (ProblemCode.MISSING, 8, 2),
        (ProblemCode.UNTOLD, None, 3),
    ]
    tamper(folder, "DELETE FROM batches")
    assert (ProblemCode.MISSING, 11) in {
        (one.code, one.entry) for one in audit_journal(folder).problems
    }


def test_triggers_that_were_taken_away_are_damage(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        database.execute("DROP TRIGGER events_never_change")
    with pytest.raises(JournalDamagedError, match="tables"):
        audit_journal(folder)


def broken(journal: Journal, act: Callable[[], object]) -> None:
    """Do something within a transaction that does not come to its end."""
    with suppress(ZeroDivisionError), journal._database.transaction():
        act()
        raise ZeroDivisionError


def test_a_transaction_that_was_rolled_back_leaves_no_trace_in_the_log(
    folder: Path,
) -> None:
    journal = Journal.open(folder, os.urandom)
    before = journal.audit_head()
    broken(journal, lambda: journal.payments.intend(INTENT, AT, all_told=True))
    assert journal.audit_head() == before
    number = journal.payments.intend(INTENT, AT, all_told=True)
    journal.payments.write(number, Begun(otc=1, rc=RC), AT)
    journal.payments.write(number, NotDebited(how="void"), AT)
    journal.close()
    assert audit_journal(folder).is_whole


def test_the_first_entry_survives_a_rollback_of_the_first_transaction(
    quick_path: Path,
) -> None:
    journal = Journal.open(quick_path / "new", os.urandom)
    broken(journal, lambda: journal.note("x", AT, ""))
    journal.note("y", AT, "")
    journal.close()
    kinds = [row[2] for row in newest_entries(quick_path / "new", 9)]
    assert kinds == ["journal-begun", "y"]
    assert audit_journal(quick_path / "new").is_whole


def test_the_kept_head_is_that_of_the_last_entry(folder: Path) -> None:
    assert read_head(folder / "journal.head") == audit_journal(folder).head
    (folder / "journal.head").write_bytes(bytes(93))
    assert read_head(folder / "journal.head") is None
    assert audit_journal(folder).is_whole


def test_there_is_no_log_where_there_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        audit_journal(tmp_path)


def test_an_empty_log_is_whole() -> None:
    report = audit.verify([], payments=[], batches=[])
    assert report.is_whole
    assert (report.head, report.entries) == (None, 0)
