"""A large journal is read whole once a day, and what can still be money always."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from settlement.audit_head import AuditHead
from terminal import journal_check
from terminal.entries import Begun, Credited
from terminal.errors import JournalDamagedError
from terminal.journal import Journal, audit_journal
from terminal.journal_files import head_text
from tests.terminal.test_audit import tamper
from tests.terminal.test_journal import (
    AT,
    INTENT,
    MID,
    RC,
    closing,
    debited,
    opened,
)

if TYPE_CHECKING:
    from pathlib import Path

    from terminal.journal_files import JournalFiles

ACKNOWLEDGED, COLLECTED, CURRENT = 1, 2, 3
"""Payments, each in the batch of its number."""


@pytest.fixture(autouse=True)
def every_log_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_check, "WHOLE_ENTRIES_MAX", 0)


@pytest.fixture
def folder(quick_path: Path) -> Path:
    """A journal that was checked whole today, and has gone on since."""
    folder = quick_path / "state"
    journal = Journal.open(folder, os.urandom)
    for number in (ACKNOWLEDGED, COLLECTED, CURRENT):
        assert journal.payments.intend(INTENT, AT, all_told=True) == number
        entries = (Begun(otc=number, rc=RC), opened(number), debited(number))
        for entry in (*entries, Credited(batch=number)):
            journal.payments.write(number, entry, AT)
    for number in (ACKNOWLEDGED, COLLECTED):
        journal.batches.add(MID, closing(number), (), AT)
        batch = journal.batches.find(MID, number)
        assert batch is not None
        journal.batches.collected(batch, bytes(16), AT)
        if number == ACKNOWLEDGED:
            journal.batches.acknowledged(batch, AT)
    journal.close()
    go_on(folder)
    return folder


def go_on(folder: Path, days: int = 0) -> None:
    """One run of the counter."""
    journal = Journal.open(folder, os.urandom)
    journal.note("logged-on", AT + timedelta(days=days), "")
    journal.close()


def assert_found(folder: Path, what: str) -> None:
    with pytest.raises(JournalDamagedError, match=what):
        Journal.open(folder, os.urandom)


def whole_checks(monkeypatch: pytest.MonkeyPatch) -> list[JournalFiles]:
    """Counts the whole checks from now on."""
    done: list[JournalFiles] = []
    verify = journal_check.verify_whole

    def counted(*args: object) -> object:
        done.append(args[0])  # type: ignore[arg-type]  # only counted
        return verify(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(journal_check, "verify_whole", counted)
    return done


def test_a_large_journal_is_read_whole_once_a_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = whole_checks(monkeypatch)
    for _ in range(3):
        go_on(folder)
    assert done == []
    go_on(folder, days=1)
    for _ in range(3):
        go_on(folder, days=1)
    assert len(done) == 1


def test_a_journal_of_usual_size_is_read_whole_at_every_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_check, "WHOLE_ENTRIES_MAX", 20_000)
    done = whole_checks(monkeypatch)
    for _ in range(3):
        go_on(folder)
    assert len(done) == 3


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (f"UPDATE payments SET receipt = 9 WHERE number = {COLLECTED}", "altered"),  # noqa: S608  our own words
        (f"UPDATE payments SET receipt = 9 WHERE number = {CURRENT}", "altered"),  # noqa: S608  our own words
        (f"UPDATE batches SET ack_mac = x'00' WHERE batch = {COLLECTED}", "altered"),  # noqa: S608  our own words
        ("UPDATE events SET detail = 'x' WHERE kind = 'logged-on'", "follow"),
        ("DELETE FROM events WHERE kind = 'logged-on'", "went further"),
    ],
)
def test_what_is_in_play_or_new_is_always_checked(
    folder: Path, statement: str, what: str
) -> None:
    tamper(folder, statement)
    assert_found(folder, what)


def test_history_is_checked_by_the_audit_and_on_the_next_day(folder: Path) -> None:
    tamper(folder, f"UPDATE payments SET receipt = 9 WHERE number = {ACKNOWLEDGED}")  # noqa: S608  our own words
    assert not audit_journal(folder).is_whole
    go_on(folder, days=1)
    assert_found(folder, "altered")


def test_a_row_that_is_spoken_of_again_is_compared_again(folder: Path) -> None:
    journal = Journal.open(folder, os.urandom)
    batch = journal.batches.find(MID, ACKNOWLEDGED)
    assert batch is not None
    journal.batches.collected(batch, bytes(16), AT)
    journal.close()
    tamper(folder, f"UPDATE batches SET code = '95' WHERE batch = {ACKNOWLEDGED}")  # noqa: S608  our own words
    assert_found(folder, "altered")


@pytest.mark.parametrize("content", ["", "rubbish", "another check"])
def test_what_was_kept_of_a_check_is_not_believed_when_it_does_not_fit(
    folder: Path, content: str
) -> None:
    tamper(folder, f"UPDATE payments SET receipt = 9 WHERE number = {ACKNOWLEDGED}")  # noqa: S608  our own words
    path = folder / "journal.checked"
    kept = path.read_text()
    name, entries, digest, _, day = kept.split()
    head = AuditHead(
        journal=bytes.fromhex(name),
        entries=int(entries),
        digest=bytes.fromhex(digest[::-1]),
    )
    other = f"{head_text(head)}{day}\n"
    path.write_text(other if content == "another check" else content)
    assert_found(folder, "altered")
