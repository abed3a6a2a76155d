"""The bank keeps where audit logs stood, and tells when one cannot be what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.audit_head import AuditHead
from settlement.audit_trail import judge_head
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.messages import ResponseCode

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")

BACK = IncidentCode.AUDIT_WENT_BACK
REWRITTEN = IncidentCode.AUDIT_REWRITTEN
REPLACED = IncidentCode.JOURNAL_REPLACED


def head(entries: int, link: str = "A", journal: str = "1") -> AuditHead:
    return AuditHead(
        journal=journal.encode() * 8, entries=entries, digest=link.encode() * 32
    )


@pytest.mark.parametrize(
    ("kept", "new", "codes"),
    [
        pytest.param([], head(7), [], id="the first one"),
        pytest.param([head(7)], head(8, "B"), [], id="more entries"),
        pytest.param([head(7)], head(7), [], id="nothing was entered since"),
        pytest.param([head(7)], head(6, "B"), [BACK], id="fewer entries"),
        pytest.param([head(5), head(9, "B")], head(5), [BACK], id="an old copy"),
        pytest.param(
            [head(9), head(5, "B")], head(7, "C"), [BACK], id="still fewer than ever"
        ),
        pytest.param([head(7)], head(7, "B"), [REWRITTEN], id="another link"),
        pytest.param(
            [head(5), head(9, "B")], head(5, "C"), [BACK, REWRITTEN], id="both"
        ),
        pytest.param([head(7)], head(2, "B", "2"), [REPLACED], id="another journal"),
        pytest.param(
            [head(7), head(2, "B", "2")], head(3, "C", "2"), [], id="it stays"
        ),
        pytest.param(
            [head(7), head(2, "B", "2")],
            head(6, "C"),
            [REPLACED, BACK],
            id="the old journal again, and shorter",
        ),
    ],
)
def test_a_head_is_judged_by_those_before_it(
    kept: list[AuditHead], new: AuditHead, codes: list[IncidentCode]
) -> None:
    assert [note.code for note in judge_head(new, kept)] == codes


def test_every_head_is_kept_in_the_order_of_arrival_and_once(desk: Desk) -> None:
    purse = desk.loaded_purse()
    for entries in (3, 3, 8):
        desk.customs.pay(purse, 5)
        header = desk.customs.close()
        desk.bank.begin_batch(header, desk.clock(), head(entries))
        desk.send(head=head(entries))
        desk.clock.advance(hours=1)
    with desk.store.read() as books:
        kept = books.heads.of_terminal("T0000007")
    assert [(one.batch, one.head.entries) for one in kept] == [(1, 3), (2, 3), (3, 8)]
    assert kept[0].received_at < kept[2].received_at
    assert desk.incidents() == []


def test_the_batch_is_taken_whatever_the_audit_log_says(desk: Desk) -> None:
    purse = desk.loaded_purse()
    desk.send(head=head(8))
    desk.customs.pay(purse, 5)
    for _ in range(2):
        header = desk.customs.close()
        answer = desk.bank.begin_batch(header, desk.clock(), head(4, "B"))
        assert answer.code is ResponseCode.ACCEPTED
    desk.send(head=head(8, "C"))
    assert desk.incidents() == [BACK, REWRITTEN]
    with desk.store.read() as books:
        told = books.batches.incidents()
    assert [(one.terminal_id, one.batch) for one in told] == [("T0000007", 2)] * 2
    assert "4 entries now, and had 8 before" in told[0].text
    report = check_bank(desk.store, desk.keys)
    assert (report.findings, report.payments) == ((), 1)


def test_a_head_does_not_name_the_batch(desk: Desk) -> None:
    """Sending a batch again after more was logged is sending the same batch."""
    desk.loaded_purse()
    header = desk.customs.close()
    for entries in (3, 4, None):
        answer = desk.bank.begin_batch(
            header, desk.clock(), head(entries) if entries else None
        )
        assert answer.code is ResponseCode.ACCEPTED
    with desk.store.read() as books:
        kept = books.heads.of_terminal("T0000007")
    assert [one.head.entries for one in kept] == [3, 4]


def test_the_head_of_a_batch_that_is_refused_is_not_kept(desk: Desk) -> None:
    header = desk.customs.close()
    forged = replace(header, close=replace(header.close, count=9))
    assert desk.bank.begin_batch(forged, desk.clock(), head(3)).code == "95"
    with desk.store.read() as books:
        assert books.heads.of_terminal("T0000007") == []
