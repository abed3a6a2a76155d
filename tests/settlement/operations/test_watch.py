"""Which terminals have not settled: by the rules, and by what the books say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from settlement.bank import Bank
from settlement.messages import Total
from settlement.operations.batch_state import BatchState, batch_state
from settlement.operations.settling import SettlingState, judge_settling
from settlement.operations.watch import AlarmKind, read_alarms
from settlement.pki_files import CertificateFacts
from settlement.store.calls import CallRow
from settlement.store.certificates import IssuedFor
from settlement.store.overview import BatchFacts, BatchFilter, TerminalFacts
from tests.settlement.conftest import MID, OFFICE, START, TERMINAL, Desk

if TYPE_CHECKING:
    from settlement.operations.watch import Alarm

DATABASES = ("sqlite", "postgresql")

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WITHIN = timedelta(hours=72)
FAR = START + timedelta(days=3650)


def facts(
    *, settled: datetime | None = None, first_seen: datetime | None = None
) -> TerminalFacts:
    return TerminalFacts(
        terminal_id=TERMINAL,
        mid=MID,
        office=OFFICE,
        currency=512,
        kv=1,
        bound_at=NOW - timedelta(days=900),
        called_at=None,
        settled_at=settled,
        first_seen_at=first_seen,
    )


@pytest.mark.parametrize(
    ("settled", "first_seen", "state"),
    [
        (NOW - WITHIN, None, SettlingState.SETTLED),
        (NOW - WITHIN - timedelta(seconds=1), None, SettlingState.OVERDUE),
        (None, None, SettlingState.UNUSED),
        (None, NOW - WITHIN, SettlingState.SETTLED),
        (None, NOW - timedelta(days=4), SettlingState.OVERDUE),
    ],
    ids=["just in time", "a second late", "never used", "new", "never settled"],
)
def test_a_terminal_in_use_is_overdue_after_the_bound(
    settled: datetime | None, first_seen: datetime | None, state: SettlingState
) -> None:
    terminal = facts(settled=settled, first_seen=first_seen)
    judged = judge_settling(terminal, now=NOW, within=WITHIN, shut_out=False)
    assert judged.state is state
    assert judged.since == (settled or first_seen)


def test_a_terminal_that_was_shut_out_cannot_settle() -> None:
    terminal = facts(settled=NOW - timedelta(days=400))
    judged = judge_settling(terminal, now=NOW, within=WITHIN, shut_out=True)
    assert judged.state is SettlingState.SHUT_OUT


@pytest.mark.parametrize(
    ("received", "reported", "reconciled", "state"),
    [
        (2, 1, None, BatchState.OPEN),
        (3, 0, None, BatchState.OPEN),
        (3, 1, None, BatchState.PENDING),
        (3, 1, NOW, BatchState.RECONCILED),
    ],
)
def test_a_batch_is_open_until_all_of_it_has_come(
    received: int, reported: int, reconciled: datetime | None, state: BatchState
) -> None:
    batch = BatchFacts(
        terminal_id=TERMINAL,
        mid=MID,
        number=1,
        office=OFFICE,
        currency=512,
        closed=Total(count=3, sum_minor=300),
        opened=Total(count=1, sum_minor=5),
        waiting=0,
        received=received,
        posted=Total(),
        suspended=Total(),
        reported=reported,
        opened_at=NOW,
        reconciled_at=reconciled,
    )
    assert batch_state(batch) is state


def alarms(desk: Desk, hours: int = 72) -> list[Alarm]:
    return read_alarms(
        desk.store, now=desk.clock(), not_settled_hours=hours, host_until=FAR
    )


def certify(desk: Desk, until: datetime) -> None:
    with desk.store.write() as books:
        certificate = CertificateFacts(
            name=TERMINAL, serial=1, not_before=START, not_after=until
        )
        books.certificates.add(certificate, IssuedFor.ADMISSION, "test", START)


def call(desk: Desk, trouble: str | None = None) -> None:
    now = desk.clock()
    with desk.store.write() as books:
        books.calls.add(
            CallRow(
                terminal_id=TERMINAL,
                line="/dev/ttyS0",
                began_at=now,
                ended_at=now + timedelta(seconds=9),
                messages=3,
                outcome="lost" if trouble else "ended",
                trouble=trouble,
            )
        )


def test_the_alarm_rises_with_time_and_ends_with_a_reconciled_batch(desk: Desk) -> None:
    certify(desk, FAR)
    desk.clock.advance(days=100)
    assert alarms(desk) == [], "a terminal that never called has nothing to settle"

    call(desk, "the line was cut")
    desk.clock.advance(hours=72)
    assert alarms(desk) == []
    desk.clock.advance(seconds=1)
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.terminal_id) == (AlarmKind.NOT_SETTLED, TERMINAL)
    assert "no batch was ever reconciled" in alarm.text
    assert "ask the counter to run the end of day" in alarm.text

    purse = desk.issue()
    desk.load(purse, 50_000)
    desk.customs.pay(purse, 1_000, at=desk.clock())
    desk.send()
    assert alarms(desk) == []

    desk.clock.advance(hours=73)
    [alarm] = alarms(desk)
    assert alarm.text.startswith("no batch was reconciled since 2026-03-05")
    assert alarms(desk, hours=74) == []


def test_a_batch_that_came_and_was_not_reconciled_is_a_use(desk: Desk) -> None:
    header = desk.customs.close()
    assert desk.bank.begin_batch(header, desk.clock()).code == "00"
    desk.clock.advance(days=4)
    [alarm] = alarms(desk)
    assert alarm.since == START
    assert "it never called" in alarm.text


def test_certificates_that_end_are_an_alarm_for_terminals_in_use(desk: Desk) -> None:
    certify(desk, START + timedelta(days=40))
    desk.clock.advance(days=11)
    assert alarms(desk) == []
    call(desk)
    [alarm] = alarms(desk)
    assert alarm.kind is AlarmKind.CERTIFICATE
    assert alarm.text.endswith(f"raseed-bank terminal renew {TERMINAL}")
    soon = desk.clock() + timedelta(days=29)
    [own, _] = read_alarms(
        desk.store, now=desk.clock(), not_settled_hours=72, host_until=soon
    )
    assert own.kind is AlarmKind.HOST_CERTIFICATE


def test_what_was_received_long_ago_and_is_not_posted_is_an_alarm(desk: Desk) -> None:
    purse = desk.issue()
    desk.load(purse, 50_000)
    for amount in (1_000, 2_000):
        desk.customs.pay(purse, amount, at=desk.clock())
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    received_at = desk.clock()
    behind = Bank(desk.store, desk.keys, groups_max=0)
    behind.take_payments(header, desk.customs.records, received_at)
    desk.clock.advance(minutes=14)
    assert alarms(desk) == []
    desk.clock.advance(minutes=1)
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.since) == (AlarmKind.NOT_POSTED, received_at)
    assert alarm.text.startswith("2 payments wait to be posted, the first one")
    assert "raseed-bank post-pending" in alarm.text
    desk.bank.desk.post_batch(header, desk.clock())
    assert alarms(desk) == []


def test_calls_are_numbered_and_the_newest_comes_first(desk: Desk) -> None:
    for trouble in (None, "cut", None):
        call(desk, trouble)
        desk.clock.advance(minutes=1)
    with desk.store.read() as books:
        last = books.calls.last_of(TERMINAL, 2)
        [terminal] = books.overview.terminals()
    assert [one.trouble for one in last] == [None, "cut"]
    assert terminal.called_at == last[0].began_at


def test_batches_are_counted_as_their_records_say(desk: Desk) -> None:
    purse = desk.issue()
    desk.load(purse, 50_000)
    for amount_minor in (1_000, 250):
        desk.customs.pay(purse, amount_minor)
    header = desk.customs.close()
    now = desk.clock()
    desk.bank.begin_batch(header, now)
    desk.bank.take_payments(header, desk.customs.records[:1], now)

    def only(wanted: BatchFilter) -> list[BatchFacts]:
        with desk.store.read() as books:
            return books.overview.batches(wanted, 10)

    [batch] = only(BatchFilter(reconciled=False))
    assert (batch.received, batch.posted) == (1, Total(count=1, sum_minor=1_000))
    assert (batch.closed, batch.reconciled_at) == (
        Total(count=2, sum_minor=1_250),
        None,
    )
    desk.bank.take_payments(header, desk.customs.records, now)
    assert desk.bank.reconcile(header, desk.customs.totals(), now).code == "00"
    [batch] = only(BatchFilter(terminal_id=TERMINAL, office=OFFICE, number=1))
    assert (batch.received, batch.posted.sum_minor) == (2, 1_250)
    assert batch.reconciled_at == now
    assert only(BatchFilter(reconciled=False)) == []
    assert only(BatchFilter(office="MUSCAT")) == []
    assert only(BatchFilter(since=now + timedelta(seconds=1))) == []


def test_masked_numbers_find_their_cards_and_no_others(desk: Desk) -> None:
    wanted = [bytes.fromhex(f"6400{middle}0001") for middle in ("00000000", "00991234")]
    others = [
        bytes.fromhex(f"{head}1") for head in ("640000000001001", "640100000000000")
    ]
    for cid in (*wanted, *others):
        desk.issue(cid)
    with desk.store.read() as books:
        found = books.overview.cards_masked(b"\x64\x00\x00", b"\x00\x01", 10)
    assert found == [
        bytes.fromhex("6400000000000001"),
        bytes.fromhex("6400009912340001"),
    ]


def test_a_terminal_that_was_bound_anew_is_shown_as_it_is_now(desk: Desk) -> None:
    newer = bytes.fromhex("4355530000000009")
    desk.clock.advance(days=1)
    desk.issuing.register_customs_card(
        mid=newer, terminal_id=TERMINAL, office="MUSCAT", currency=512, kv=1
    )
    with desk.store.read() as books:
        [terminal] = books.overview.terminals()
    assert (terminal.mid, terminal.office) == (newer, "MUSCAT")
    assert terminal.bound_at == START + timedelta(days=1)


def test_books_that_can_be_written_say_so_and_nothing_is(desk: Desk) -> None:
    with desk.store.read() as books:
        before = books.overview.counts()
    desk.store.check_writable()
    with desk.store.read() as books:
        assert books.overview.counts() == before
    assert before["terminal"] == 1
