"""The measurement of many lines, with few of them: its host is the production one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import lines
from bench.lines_batches import BOOKS, Terminal, prepare
from bench.lines_callers import CallOutcome
from settlement.store.books import BankStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NONE_CAME = CallOutcome(
    collected=False,
    why_not="no carrier",
    connected_ms=0,
    answered_ms=0,
    line_bytes_up=0,
)
IDLE = lines._HostFigures(
    cpu_s=0.0, lines_cpu_s=0.0, wall_s=1.0, idle_cpu_s=0.0, at_once=0
)


def test_terminals_of_the_books_come_in_by_the_banks_own_door(tmp_path: Path) -> None:
    terminals = prepare(tmp_path, lines=3, payments=2, for_books=True)
    with BankStore.open(tmp_path / BOOKS) as store, store.write() as books:
        [lost] = books.certificates.of_terminal(terminals[2].id)
        books.certificates.revoke(lost, "stolen", "auditor", lost.issued_at)
    figures, outcomes = lines._call_all(tmp_path, terminals)
    assert sorted(one.collected for one in outcomes) == [False, True, True]
    [refused] = [one.why_not for one in outcomes if not one.collected]
    assert "the bank has revoked it" in refused
    assert 1 <= figures.at_once <= 2
    with BankStore.open(tmp_path / BOOKS) as store, store.read() as books:
        seen = [
            row.seen_at is not None
            for terminal in terminals
            for row in books.certificates.of_terminal(terminal.id)
        ]
        batches = books.batches.batches()
        posted = [len(books.records.records(batch)) for batch in batches]
    assert seen == [True, True, False]
    assert posted == [2, 2]


def test_a_run_in_which_no_call_comes_through_misses_its_target_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def in_vain(
        _folder: Path, terminals: list[Terminal]
    ) -> tuple[lines._HostFigures, list[CallOutcome]]:
        return IDLE, [NONE_CAME] * len(terminals)

    monkeypatch.setattr(lines, "LINES", 2)
    monkeypatch.setattr(lines, "PAYMENTS", 1)
    monkeypatch.setattr(lines, "PAYMENTS_WITH_BOOKS", 1)
    monkeypatch.setattr(lines, "_call_all", in_vain)
    assert lines.measure()["target_met"] is False
    said = capsys.readouterr().out
    assert "a call failed: no carrier" in said
    assert "lines: without books: 0 of 2 calls" in said
    assert "MISSED: of the one call alone 0 came through, without books 0" in said
