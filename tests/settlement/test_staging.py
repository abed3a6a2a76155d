"""Payments that are received first and posted later, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from settlement.bank import Bank
from settlement.check.report import FindingCode
from settlement.errors import BankUnavailableError, StoreError
from settlement.store.books import BankStore
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.messages import RecordAnswer

    Desk = Any

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def behind(desk: Desk) -> Bank:
    """The same bank as another host sees it, whose posting is always behind."""
    return Bank(desk.store, desk.keys, groups_max=0)


def codes(answers: Sequence[RecordAnswer]) -> list[str]:
    return [answer.code.value for answer in answers]


def begin(desk: Desk, *amounts: int) -> Any:
    """A closed batch of payments of one purse, which the bank has opened."""
    purse = desk.loaded_purse()
    for amount in amounts:
        desk.customs.pay(purse, amount)
    header = desk.customs.close()
    assert desk.bank.begin_batch(header, desk.clock()).code == "00"
    return header


def waiting(desk: Desk) -> tuple[int, int]:
    with desk.store.read() as books:
        found = books.staged.sum()
    assert (found.oldest is None) is (found.payments == 0)
    return found.batches, found.payments


def test_what_is_received_waits_and_books_nothing(desk: Desk, behind: Bank) -> None:
    header = begin(desk, 100, 200)
    answers = behind.take_payments(header, desk.customs.records, desk.clock())
    assert codes(answers) == ["09", "09"]
    assert "the next call" in answers[0].text
    assert waiting(desk) == (1, 2)
    with desk.store.read() as books:
        assert books.records.records(header) == []
    assert desk.found() == {}


def test_the_next_call_is_told_what_is_held_and_what_became_of_it(
    desk: Desk, behind: Bank
) -> None:
    header = begin(desk, 100, 200)
    behind.take_payments(header, desk.customs.records, desk.clock())
    held = desk.bank.begin_batch(header, desk.clock()).held
    assert [one.record for one in held] == desk.customs.records
    assert codes([one.answer for one in held]) == ["09", "09"]
    assert desk.bank.desk.post_batch(header, desk.clock()) == 2
    held = desk.bank.begin_batch(header, desk.clock()).held
    assert [one.record for one in held] == desk.customs.records
    assert codes([one.answer for one in held]) == ["00", "00"]


def test_a_batch_ends_only_when_nothing_of_it_waits(desk: Desk, behind: Bank) -> None:
    header = begin(desk, 100, 200)
    totals = desk.customs.totals()
    behind.take_payments(header, desk.customs.records, desk.clock())
    told = behind.reconcile(header, totals, desk.clock())
    assert (told.code, told.ack_mac) == ("09", None)
    assert "all 2 payments" in told.text
    with desk.store.read() as books:
        assert books.batches.collected(header) is None
    # A host that is not behind posts what waits, and ends the batch in the same call.
    ended = desk.bank.reconcile(header, totals, desk.clock())
    assert (ended.code, ended.posted.count, ended.posted.sum_minor) == ("00", 2, 300)
    assert ended.ack_mac is not None
    assert behind.reconcile(header, totals, desk.clock()) == ended
    assert waiting(desk) == (0, 0)
    assert desk.found() == {}


def test_a_batch_that_did_not_come_whole_is_told_so(desk: Desk, behind: Bank) -> None:
    header = begin(desk, 100, 200)
    behind.take_payments(header, desk.customs.records[:1], desk.clock())
    told = behind.reconcile(header, desk.customs.totals(), desk.clock())
    assert told.code == "77"
    assert "1 of 2 payments came" in told.text


def test_what_follows_in_the_batch_waits_behind_what_waits(
    desk: Desk, behind: Bank
) -> None:
    """Posted before an earlier one of its purse it would look irregular."""
    header = begin(desk, 100, 200)
    first, second = desk.customs.records
    behind.take_payments(header, [first], desk.clock())
    answers = desk.bank.take_payments(header, [second], desk.clock())
    assert codes(answers) == ["09"]
    assert desk.bank.desk.post_batch(header, desk.clock()) == 2
    assert desk.incidents() == []


def test_nothing_is_staged_or_posted_twice(desk: Desk, behind: Bank) -> None:
    header = begin(desk, 100, 200)
    sent = desk.customs.records
    for group in (sent, [*sent, *sent], sent[::-1]):
        answers = behind.take_payments(header, group, desk.clock())
        assert codes(answers) == ["09"] * len(group)
    assert waiting(desk) == (1, 2)
    assert desk.bank.desk.post_batch(header, desk.clock()) == 2
    assert desk.bank.desk.post_batch(header, desk.clock()) == 0
    for bank in (behind, desk.bank):
        answers = bank.take_payments(header, sent, desk.clock())
        assert codes(answers) == ["00", "00"]
    assert waiting(desk) == (0, 0)
    assert desk.incidents() == []
    assert desk.found() == {}


def test_a_stan_with_another_payment_is_known_before_posting(
    desk: Desk, behind: Bank
) -> None:
    header = begin(desk, 100, 200)
    first, second = desk.customs.records
    behind.take_payments(header, [first], desk.clock())
    taken = replace(second, stan=first.stan)
    assert codes(behind.take_payments(header, [taken], desk.clock())) == ["94"]
    assert desk.incidents() == ["number used twice"]
    assert desk.bank.desk.post_batch(header, desk.clock()) == 1
    # The same once more, when the first one has its record.
    assert codes(behind.take_payments(header, [taken], desk.clock())) == ["94"]
    assert desk.incidents() == ["number used twice"]


def test_a_forged_payment_is_found_out_when_it_is_posted(
    desk: Desk, behind: Bank
) -> None:
    header = begin(desk, 100)
    [sent] = desk.customs.records
    forged = replace(sent, tac=bytes(8))
    assert codes(behind.take_payments(header, [forged], desk.clock())) == ["09"]
    desk.bank.desk.post_batch(header, desk.clock())
    answers = behind.take_payments(header, [forged], desk.clock())
    assert codes(answers) == ["05"]
    assert desk.incidents() == ["TAC wrong"]
    assert desk.found() == {}


def test_it_is_judged_as_of_the_moment_when_it_came(desk: Desk, behind: Bank) -> None:
    """By the time it is posted, the counter's wrong clock may have become right."""
    purse = desk.loaded_purse()
    ahead = desk.clock() + timedelta(hours=27)
    desk.customs.pay(purse, 100, at=ahead)
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    came_at = desk.clock()
    behind.take_payments(header, desk.customs.records, came_at)
    desk.clock.advance(hours=5)
    desk.bank.desk.post_batch(header, desk.clock())
    assert desk.incidents() == ["time of payment implausible"]
    with desk.store.read() as books:
        [row] = books.records.records(header)
    assert row.received_at == came_at
    with raw_connection(desk.place) as raw:
        query = "SELECT booked_at FROM entry WHERE kind = 'payment'"
        [(booked_at,)] = raw.execute(query)
    assert datetime.fromisoformat(booked_at) == desk.clock()
    assert desk.found() == {}


@pytest.mark.parametrize("hours", [-2, 2])
def test_the_check_knows_between_which_moments_it_was_booked(
    desk: Desk, behind: Bank, hours: int
) -> None:
    header = begin(desk, 100)
    behind.take_payments(header, desk.customs.records, desk.clock())
    desk.clock.advance(hours=1)
    ended = desk.bank.reconcile(header, desk.customs.totals(), desk.clock())
    assert ended.code == "00"
    assert desk.found() == {}
    other = f"{desk.clock() + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S.%fZ}"
    change = "UPDATE entry SET booked_at = '{}' WHERE kind = 'payment'"
    desk.tamper(change.format(other))
    assert "time is not its event's" in desk.found()[FindingCode.ENTRY]


def test_two_hosts_post_the_same_batch_at_once_and_each_payment_once(
    desk: Desk, behind: Bank
) -> None:
    header = begin(desk, *range(1, 301))
    behind.take_payments(header, desk.customs.records, desk.clock())
    with BankStore.open(desk.place) as other, ThreadPoolExecutor() as pool:
        banks = [desk.bank, Bank(other, desk.keys)]
        work = [pool.submit(b.desk.post_batch, header, desk.clock()) for b in banks]
        assert sum(one.result() for one in work) == 300
    assert desk.found() == {}
    assert desk.incidents() == []


def test_what_has_waited_longest_is_posted_first(desk: Desk, behind: Bank) -> None:
    purse = desk.loaded_purse()
    headers = []
    for amount in (100, 200, 300):
        desk.customs.pay(purse, amount)
        header = desk.customs.close()
        desk.bank.begin_batch(header, desk.clock())
        behind.take_payments(header, desk.customs.records, desk.clock())
        headers.append(header)
        desk.customs.next_batch()
        desk.clock.advance(minutes=1)
    assert desk.bank.desk.waiting(2) == headers[:2]
    for header in headers:
        desk.bank.desk.post_batch(header, desk.clock())
    assert desk.bank.desk.waiting(2) == []


def test_a_payment_that_was_changed_while_it_waited_is_not_posted(
    desk: Desk, behind: Bank
) -> None:
    header = begin(desk, 100, 200)
    behind.take_payments(header, desk.customs.records, desk.clock())
    desk.tamper("UPDATE staged SET balance_after_minor = balance_after_minor + 1")
    with pytest.raises(StoreError, match="no money has moved"):
        desk.bank.desk.post_batch(header, desk.clock())
    assert waiting(desk) == (1, 2)
    assert "what the cards signed was changed" in desk.found()[FindingCode.RECORD]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM staged_batch", "its batch is not listed"),
        ("DELETE FROM record", "it was never posted"),
        (
            "UPDATE record SET content = evidence",
            "its record is of another payment",
        ),
        ("UPDATE staged SET amount_minor = 101", "amount 101, in TX 100"),
    ],
)
def test_the_check_names_what_became_of_a_staged_payment(
    desk: Desk, behind: Bank, damage: str, words: str
) -> None:
    header = begin(desk, 100)
    behind.take_payments(header, desk.customs.records, desk.clock())
    ended = desk.bank.reconcile(header, desk.customs.totals(), desk.clock())
    assert ended.code == "00"
    assert desk.found() == {}
    desk.tamper(damage)
    assert words in desk.found()[FindingCode.RECORD]


@pytest.mark.parametrize("table", ["staged", "staged_batch"])
@pytest.mark.parametrize("words", ["UPDATE {} SET batch = batch + 1", "DELETE FROM {}"])
def test_what_was_received_cannot_be_changed_in_the_database(
    desk: Desk, behind: Bank, table: str, words: str
) -> None:
    header = begin(desk, 100)
    behind.take_payments(header, desk.customs.records, desk.clock())
    with raw_connection(desk.place) as raw, pytest.raises(RawIntegrityError):
        raw.execute(words.format(table))


def test_a_group_whose_purse_another_host_holds_too_long_is_received(
    new_desk: Callable[[], Desk], database: str
) -> None:
    """Where others can hold a purse at all: SQLite has one writer."""
    if database == "sqlite":
        pytest.skip("one writer holds everything, and staging would wait as well")
    desk = new_desk()
    header = begin(desk, 100)
    [sent] = desk.customs.records
    with (
        BankStore.open(desk.place, busy_timeout_ms=100) as hasty,
        desk.store.write() as books,
    ):
        books.holds.purses([sent.tx.cid])
        with pytest.raises(BankUnavailableError):
            Bank(hasty, desk.keys).take_payments(header, [sent], desk.clock())
        bank = Bank(hasty, desk.keys, groups_max=100)
        answers = bank.take_payments(header, [sent], desk.clock())
        assert codes(answers) == ["09"]
    assert desk.bank.desk.post_batch(header, desk.clock()) == 1
    assert desk.found() == {}


def test_one_group_too_many_is_received_and_no_more(desk: Desk) -> None:
    """Groups count from when they come until they are answered."""
    header = begin(desk, 100, 200)
    first, second = desk.customs.records
    bank = Bank(desk.store, desk.keys, groups_max=1)
    seen = [bank.desk.is_behind]
    with bank.desk.counted() as is_behind:
        assert not is_behind
        seen.append(bank.desk.is_behind)
        assert codes(bank.take_payments(header, [first], desk.clock())) == ["09"]
    seen.append(bank.desk.is_behind)
    assert seen == [False, True, False]
    bank.desk.post_batch(header, desk.clock())
    assert codes(bank.take_payments(header, [second], desk.clock())) == ["00"]
