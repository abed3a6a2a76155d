"""The books as of any moment: what was booked up to it, that microsecond included."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from settlement.ledger import Account, payee_account
from settlement.payment import PaymentKind
from settlement.trial_balance import account_history, trial_balance

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")
OMR = 512
HOLDER = Account.customer("0100000001", OMR)
CLEARING = Account.clearing(OMR)
START = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def deposit(desk: Desk, amount_minor: int) -> None:
    desk.issuing.deposit(number="0100000001", currency=OMR, amount_minor=amount_minor)


def balance_at(desk: Desk, account: Account, at: datetime | None) -> int:
    with desk.store.read() as books:
        made = trial_balance(books, at)
    assert made.is_equal
    by_key = {row.account: row.balance_minor for row in made.accounts}
    return by_key.get(account, 0)


def test_debits_are_credits_in_a_bank_with_everything(desk: Desk) -> None:
    purse = desk.loaded_purse(1_000)
    desk.customs.pay(purse, 300)
    desk.customs.pay(purse, 200, kind=PaymentKind.DEPOSITS)
    desk.send()
    with desk.store.read() as books:
        made = trial_balance(books)
    assert made.is_equal
    assert [(one.currency, one.debit_minor) for one in made.totals] == [
        (OMR, 5_000_000 + 1_000 + 500)
    ]
    assert made.newest_entry == 4


def test_sides_that_differ_are_told(desk: Desk) -> None:
    desk.tamper("UPDATE leg SET debit_minor = 1 WHERE debit_minor > 0")
    with desk.store.read() as books:
        made = trial_balance(books)
    assert not made.is_equal
    assert not made.totals[0].is_equal


def test_a_moment_includes_its_own_microsecond_and_nothing_after(desk: Desk) -> None:
    desk.clock.advance(seconds=1)
    for amount in (10, 20, 30):
        deposit(desk, amount)
    at = desk.clock()
    desk.clock.advance(microseconds=1)
    deposit(desk, 40)
    funds = 5_000_000
    assert balance_at(desk, HOLDER, at - MICROSECOND) == funds
    assert balance_at(desk, HOLDER, at) == funds + 60
    assert balance_at(desk, HOLDER, at + MICROSECOND) == funds + 100
    assert balance_at(desk, HOLDER, None) == funds + 100
    assert balance_at(desk, CLEARING, at) == funds + 60


def test_entries_of_one_microsecond_have_a_running_balance_by_number(
    desk: Desk,
) -> None:
    desk.clock.advance(seconds=1)
    for amount in (10, 20, 30):
        deposit(desk, amount)
    with desk.store.read() as books:
        row = books.ledger.account(HOLDER)
        made = account_history(books, row, start=desk.clock(), end=desk.clock())
    assert made.opening_minor == 5_000_000
    assert [line.row.credit_minor for line in made.lines] == [10, 20, 30]
    assert [line.balance_minor for line in made.lines] == [
        5_000_010,
        5_000_030,
        5_000_060,
    ]
    assert made.closing_minor == 5_000_060


def test_an_account_that_was_not_open_yet_is_not_shown(desk: Desk) -> None:
    before = desk.clock()
    desk.clock.advance(seconds=1)
    desk.issuing.open_account(number="2", holder="B", currency=OMR)
    with desk.store.read() as books:
        then = {row.account for row in trial_balance(books, before).accounts}
        now = {row.account for row in trial_balance(books).accounts}
    assert now - then == {Account.customer("2", OMR)}


def test_a_load_booked_at_a_whole_second_keeps_both_its_sides(desk: Desk) -> None:
    """Its float was opened later in that second than the load says it was booked."""
    desk.clock.now = START + timedelta(seconds=1, microseconds=700_000)
    desk.loaded_purse(1_000)
    at = START + timedelta(seconds=1, microseconds=300_000)
    assert balance_at(desk, HOLDER, at) == 4_999_000


def test_what_was_written_late_is_counted(desk: Desk) -> None:
    desk.clock.now = START + timedelta(hours=2)
    deposit(desk, 10)
    desk.clock.now = START + timedelta(hours=1)
    deposit(desk, 20)
    with desk.store.read() as books:
        then = trial_balance(books, START + timedelta(hours=1))
        later = trial_balance(books, START + timedelta(hours=2))
    assert (then.written_late, later.written_late) == (1, 0)


def test_a_payment_has_the_banks_time_and_the_counters_apart(desk: Desk) -> None:
    purse = desk.loaded_purse(1_000)
    desk.clock.advance(hours=3)
    desk.customs.pay(purse, 300, at=START)
    desk.send()
    revenue = payee_account(PaymentKind.FEES, "SOHAR", OMR)
    assert balance_at(desk, revenue, START + timedelta(hours=2)) == 0
    with desk.store.read() as books:
        row = books.ledger.account(revenue)
        (line,) = account_history(books, row).lines
    assert line.row.booked_at == START + timedelta(hours=3)
    assert line.row.paid_at == START


@pytest.mark.parametrize("seed", range(5))
def test_every_moment_is_what_was_known_then(desk: Desk, seed: int) -> None:
    """A clock that only goes on: balances read then are those as of then."""
    chance = random.Random(seed)
    known: list[tuple[datetime, int]] = []
    for _ in range(12):
        desk.clock.advance(microseconds=chance.choice([0, 0, 1, 5]))
        deposit(desk, chance.randint(1, 50))
        # Only the last reading of a microsecond is that microsecond's.
        known = [one for one in known if one[0] != desk.clock()]
        known.append((desk.clock(), desk.balance(HOLDER)))
    with desk.store.read() as books:
        row = books.ledger.account(HOLDER)
        lines = account_history(books, row).lines
        for at, balance_minor in known:
            assert account_history(books, row, end=at).closing_minor == balance_minor
            assert lines[-1].balance_minor == desk.balance(HOLDER)
    assert [balance_at(desk, HOLDER, at) for at, _ in known] == [
        balance_minor for _, balance_minor in known
    ]
