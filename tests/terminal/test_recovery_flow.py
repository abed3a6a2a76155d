"""What the clerk is told of payments cut short, and the warning before a second one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from settlement.payment import PaymentKind
from sim.cards.issue import PurseData, issue_purse
from terminal.entries import Intent
from terminal.errors import JournalError
from terminal.orders import (
    InterruptedState,
    Paid,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from terminal.snapshot import CounterEventKind
from tests.fake_readers import Stopped
from tests.terminal.conftest import PIN, WriteFaults

if TYPE_CHECKING:
    from sim.cards.purse import SimulatedPurse
    from terminal.orders import PaymentOrder, PaymentResult
    from terminal.snapshot import CounterEvent
    from tests.terminal.conftest import Bench

AMOUNT = 1_234
DECLARATION = "INV-2025-000001"
CARD = "640000******0001"
DEBIT = 3
CREDIT = 4
ACK = 5


def notes(bench: Bench, kind: str) -> list[str]:
    """The details of all events of ``kind`` in the journal."""
    path = bench.config.state_directory / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT detail FROM events WHERE kind = ?", (kind,))
        return [detail for (detail,) in rows]


def interrupt(bench: Bench, kind: str, at: int = DEBIT) -> PaymentResult:
    """A payment whose card is pulled out at command ``at``."""
    seen = bench.counter.read_purse()
    bench.faults.arm(kind, at, removes=True)
    result = bench.pay(seen=seen)
    bench.faults.disarm()
    return result


def other_purse(bench: Bench) -> SimulatedPurse:
    """Another customer's card, in the reader now."""
    other = issue_purse(None, PurseData(card_id="6400000000000002"))
    bench.readers.remove(Role.PURSE)
    bench.readers.insert(Role.PURSE, other)
    bench.counter.on_card_inserted()
    return other


def put_back(bench: Bench) -> None:
    bench.readers.remove(Role.PURSE)
    bench.readers.insert(Role.PURSE, bench.purse)


def pay(bench: Bench, order: PaymentOrder) -> PaymentResult:
    return bench.counter.pay(order, bench.counter.read_purse(), bytearray(PIN))


def reason_of(result: object) -> RefusalReason:
    assert isinstance(result, Refused)
    return result.reason


# What is told.


def test_at_the_start_also_what_is_not_known_yet_is_told(running: Bench) -> None:
    assert isinstance(interrupt(running, "lost"), Unknown)
    running.readers.remove(Role.CUSTOMS)
    running.restart()
    (told,) = running.news
    assert told.verdict is RecoveryVerdict.STILL_UNKNOWN
    assert (told.declaration, told.card_number_masked) == (DECLARATION, CARD)
    assert "not known yet" in told.advice.money


def test_at_the_start_a_debit_is_told_as_paid_without_any_card(running: Bench) -> None:
    assert isinstance(interrupt(running, "unsent", CREDIT), Paid)
    running.readers.remove(Role.PURSE)
    running.restart()
    (told,) = running.news
    assert (told.verdict, told.receipt_number) == (RecoveryVerdict.PAID, 1)
    assert "customs card into its reader" in told.advice.next_step


def test_one_that_had_been_debited_is_told_with_its_receipt(running: Bench) -> None:
    interrupt(running, "lost")
    put_back(running)
    (told,) = running.counter.on_card_inserted()
    assert told.advice.happened == (
        "The customer had been debited: it is paid. Receipt 1."
    )
    assert told.receipt is not None
    assert told.receipt.number == 1
    assert told.receipt.balance_after.amount_minor == running.balance()
    assert len(told.receipt.approval) == 6
    assert told.receipt.at.date() == running.clock.now.date()


def test_one_that_had_not_been_debited_can_be_taken_again(running: Bench) -> None:
    interrupt(running, "unsent")
    put_back(running)
    (told,) = running.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.NOT_PAID
    assert told.advice.next_step == "You can take the payment again."
    assert told.receipt is None
    assert told.kind is PaymentKind.FEES
    assert (told.declaration, told.amount.amount_minor) == (DECLARATION, AMOUNT)
    assert isinstance(running.pay(), Paid)


def test_what_was_settled_before_the_journal_failed_is_told_all_the_same(
    running: Bench,
) -> None:
    intent = Intent(
        details=running.order().details,
        amount_minor=AMOUNT,
        currency=512,
        card_id=running.purse.memory.octets("card_id"),
        mid=running.customs.memory.octets("card_id"),
        batch=1,
    )
    book = running.journal.payments
    numbers = [book.intend(intent, running.clock(), all_told=True) for _ in range(2)]
    faults = WriteFaults(at=1, error=JournalError)
    faults.watch(running.journal)
    with pytest.raises(JournalError):
        running.counter.on_card_inserted()
    told = running.counter.on_card_inserted()
    assert [outcome.number for outcome in told] == numbers


def test_news_found_while_a_purse_is_read_are_told_at_once(running: Bench) -> None:
    assert isinstance(interrupt(running, "unsent", CREDIT), Paid)
    told: list[CounterEvent] = []
    running.counter.subscribe(told.append)
    running.readers.insert(Role.CUSTOMS, running.customs)
    running.counter.read_purse()
    assert CounterEventKind.NEWS in {event.kind for event in told}
    (outcome,) = running.counter.on_card_inserted()
    assert outcome.verdict is RecoveryVerdict.PAID


def test_a_record_that_this_journal_did_not_know_is_on_the_list(
    running: Bench,
) -> None:
    lose_the_journal(running)
    (found,) = running.counter.interrupted()
    assert (found.declaration, found.card_number_masked) == ("", CARD)
    assert "found on the customs card" in found.advice.happened
    assert found.state is InterruptedState.UNKNOWN


def lose_the_journal(bench: Bench) -> None:
    """An open record that only the customs card knows of."""
    interrupt(bench, "lost")
    bench.stop()
    for path in bench.config.state_directory.iterdir():
        path.unlink()
    bench.start()


# The warning.


def test_a_second_payment_for_a_declaration_is_warned_of_before_any_card(
    running: Bench,
) -> None:
    unknown = interrupt(running, "lost")
    order = running.order()
    running.faults.log.clear()
    (earlier,) = running.counter.earlier_payments(order)
    assert earlier.number == unknown.number
    assert earlier.state is InterruptedState.UNKNOWN
    assert "interrupted" in earlier.advice.happened
    assert "not known yet" in earlier.advice.money
    assert f"Put card {CARD} back first" in earlier.advice.next_step
    assert running.counter.earlier_payments(running.order("1", "INV-OTHER")) == []
    assert running.faults.log == []


def test_unwarned_it_is_refused_and_nothing_is_sent(running: Bench) -> None:
    interrupt(running, "lost")
    other = other_purse(running)
    seen = running.counter.read_purse()
    order = running.order()
    running.faults.log.clear()
    known = running.counter.check_purse(order, seen)
    assert reason_of(known) is RefusalReason.EARLIER_PAYMENT
    result = running.counter.pay(order, seen, bytearray(PIN))
    assert reason_of(result) is RefusalReason.EARLIER_PAYMENT
    assert running.faults.log == []
    assert other.memory.integer("balance") == 500_000


def test_going_on_is_noted_with_declaration_and_number(running: Bench) -> None:
    unknown = interrupt(running, "unsent")
    other = other_purse(running)
    order = running.counter.go_on_all_the_same(running.order())
    assert notes(running, "warning-overridden") == [
        f"declaration {DECLARATION}, payment {unknown.number}"
    ]
    assert running.counter.earlier_payments(order) == []
    assert isinstance(pay(running, order), Paid)
    assert other.memory.integer("balance") == 500_000 - AMOUNT
    # The first one is still shown as what it is, until its own card comes back.
    (left,) = running.counter.interrupted()
    assert (left.number, left.state) == (unknown.number, InterruptedState.UNKNOWN)
    put_back(running)
    (told,) = running.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.NOT_PAID
    assert running.balance() == 500_000


def test_going_on_that_cannot_be_noted_is_no_going_on(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(running, "lost")

    def note(*_: object) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(running.journal, "note", note)
    with pytest.raises(JournalError):
        running.counter.go_on_all_the_same(running.order())
    assert len(running.counter.earlier_payments(running.order())) == 1


def test_a_debit_that_the_customs_card_has_not_taken_over_is_called_paid(
    running: Bench,
) -> None:
    assert isinstance(interrupt(running, "unsent", CREDIT), Paid)
    (earlier,) = running.counter.earlier_payments(running.order())
    assert earlier.state is InterruptedState.PAID_NOT_CREDITED
    assert "paid already" in earlier.advice.happened
    assert "Do not take it again" in earlier.advice.next_step


def test_what_is_left_to_the_bank_is_warned_of_with_the_way_there(
    running: Bench,
) -> None:
    interrupt(running, "unsent")
    running.purse.memory.commit({"otc": 9})
    put_back(running)
    running.counter.on_card_inserted()
    (earlier,) = running.counter.earlier_payments(running.order())
    assert earlier.state is InterruptedState.LEFT_TO_BANK
    assert "end of day" in earlier.advice.next_step


def test_a_record_without_a_declaration_is_known_by_its_digest(
    running: Bench,
) -> None:
    lose_the_journal(running)
    (earlier,) = running.counter.earlier_payments(running.order())
    assert (earlier.declaration, earlier.card_number_masked) == (DECLARATION, CARD)
    assert running.counter.earlier_payments(running.order("1", "INV-OTHER")) == []


def test_a_clerk_who_went_on_is_stopped_when_the_first_turns_out_to_be_paid(
    running: Bench,
) -> None:
    interrupt(running, "lost")
    order = running.counter.go_on_all_the_same(running.order())
    # It is the first card that is put in, and what was unknown is settled as paid.
    put_back(running)
    (told,) = running.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.PAID
    seen = running.counter.read_purse()
    known = running.counter.check_purse(order, seen)
    assert reason_of(known) is RefusalReason.EARLIER_PAYMENT
    assert reason_of(pay(running, order)) is RefusalReason.EARLIER_PAYMENT
    (earlier,) = running.counter.earlier_payments(order)
    assert earlier.state is InterruptedState.PAID
    assert running.assert_all_value_is_accounted() == AMOUNT
    # Who knows that it is paid may still have a second one to take.
    again = running.counter.go_on_all_the_same(order)
    assert isinstance(pay(running, again), Paid)


def test_a_clerk_who_went_on_pays_when_the_first_turns_out_not_to_be_made(
    running: Bench,
) -> None:
    interrupt(running, "unsent")
    order = running.counter.go_on_all_the_same(running.order())
    put_back(running)
    running.counter.on_card_inserted()
    assert isinstance(pay(running, order), Paid)
    assert running.assert_all_value_is_accounted() == AMOUNT


def test_a_payment_of_which_nothing_was_sent_is_not_warned_of(running: Bench) -> None:
    faults = WriteFaults(at=1, error=JournalError, stays=True)
    faults.watch(running.journal)
    running.pay()
    assert running.counter.interrupted()
    assert running.counter.earlier_payments(running.order()) == []


def test_a_payment_whose_result_nobody_saw_is_warned_of_as_paid(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("stop-before", ACK)
    with pytest.raises(Stopped):
        running.pay(seen=seen)
    running.faults.disarm()
    running.counter.stop(orderly=False)
    running.start()
    (told,) = running.news
    assert told.verdict is RecoveryVerdict.PAID
    (earlier,) = running.counter.earlier_payments(running.order())
    assert earlier.state is InterruptedState.PAID
    assert "paid already" in earlier.advice.happened


# A journal that fails for a while.


def test_a_batch_whose_close_could_not_be_kept_is_found_and_the_next_begins(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(running.pay("1.000"), Paid)

    def add(*_: object) -> None:
        raise JournalError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(running.journal.batches, "add", add)
        running.counter.close_day(lambda _: None)
    paid = running.pay("2.000", "INV-NEXT")
    assert isinstance(paid, Paid)
    snapshot = running.counter.snapshot()
    assert [(each.number, each.count) for each in snapshot.unsettled] == [(1, 1)]
    assert snapshot.batch is not None
    assert (snapshot.batch.number, snapshot.batch.count) == (2, 1)
    assert running.journal.payments.get(paid.number).batch == 2
