"""Payments at the counter: what goes well, and what is refused before money moves."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

import pytest

from card.profile import CardState, Role
from settlement.payment import PaymentKind
from sim.cards.issue import (
    CustomsData,
    PurseData,
    blank_purse,
    issue_customs_card,
    issue_purse,
)
from sim.cards.memory import Memory
from terminal.errors import (
    CardProblemCode,
    CardProblemError,
    CounterStateError,
    InputError,
    InputField,
)
from terminal.orders import Paid, RefusalReason, Refused
from terminal.snapshot import CounterEventKind, ReaderState

if TYPE_CHECKING:
    from terminal.snapshot import CounterEvent
    from tests.fake_readers import SimulatedCard
    from tests.terminal.conftest import Bench

WAIT_S = 20
SECOND = PurseData(card_id="6400000000000002", balance_minor=9_000)


class ForeignCard:
    """A card of someone else: it knows no application of ours."""

    def process(self, apdu: bytes) -> bytes:
        return bytes.fromhex("6A82")

    def reset(self) -> None:
        pass


def problem_of(bench: Bench) -> CardProblemCode:
    with pytest.raises(CardProblemError) as caught:
        bench.counter.read_purse()
    assert "No money moved" in caught.value.message
    assert caught.value.advice.next_step
    return caught.value.code


def test_a_payment_moves_the_amount_from_purse_to_customs_card(running: Bench) -> None:
    result = running.pay("1.234")
    assert isinstance(result, Paid)
    assert (running.balance(), running.held()) == (498_766, 1_234)
    assert (result.number, result.receipt_number) == (1, 1)
    assert result.balance_after.amount_minor == 498_766
    assert result.card_number_masked == "640000******0001"
    assert result.credited
    assert len(result.approval) == 6
    assert "1.234 OMR was taken" in str(result.advice)


def test_a_payment_costs_four_exchanges_with_the_purse_and_two_with_customs(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.log.clear()
    running.pay(seen=seen)
    roles = [role for role, _ in running.faults.log]
    assert (roles.count(Role.PURSE), roles.count(Role.CUSTOMS)) == (4, 2)


def test_the_snapshot_counts_along(running: Bench) -> None:
    running.pay("1.000")
    running.pay("0.500")
    snapshot = running.counter.snapshot()
    assert snapshot.batch is not None
    assert (snapshot.batch.count, snapshot.batch.total.amount_minor) == (2, 1_500)
    assert snapshot.interrupted == 0
    assert snapshot.purse_reader.state is ReaderState.READY
    assert snapshot.customs is not None
    assert snapshot.customs.merchant_masked == "435553******0007"
    assert snapshot.last_paid_at is not None


def test_a_wrong_pin_tells_the_tries_and_the_right_one_then_pays(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    wrong = running.pay(pin=b"9999", seen=seen)
    assert isinstance(wrong, Refused)
    assert (wrong.reason, wrong.tries_left) == (RefusalReason.PIN_WRONG, 2)
    assert wrong.can_retry
    assert "2 tries are left" in wrong.advice.happened
    assert "Nothing was taken" in wrong.advice.money
    assert running.balance() == 500_000
    assert isinstance(running.pay(seen=seen), Paid)
    assert running.counter.read_purse().tries_left == 3


def test_the_last_wrong_pin_blocks_it_and_says_where_to_go(running: Bench) -> None:
    seen = running.counter.read_purse()
    results = [running.pay(pin=b"0000", seen=seen) for _ in range(3)]
    last = results[-1]
    assert isinstance(last, Refused)
    assert (last.reason, last.can_retry) == (RefusalReason.PIN_BLOCKED, False)
    assert problem_of(running) is CardProblemCode.PIN_BLOCKED


@pytest.mark.parametrize("pin", [b"", b"123", b"1234567890123", b"12a4"])
def test_what_cannot_be_a_pin_costs_no_try(running: Bench, pin: bytes) -> None:
    result = running.pay(pin=pin)
    assert isinstance(result, Refused)
    assert (result.reason, result.can_retry) == (RefusalReason.PIN_MALFORMED, True)
    assert running.counter.read_purse().tries_left == 3


@pytest.mark.parametrize(
    ("data", "amount", "reason"),
    [
        pytest.param(
            PurseData(balance_minor=999), "1", RefusalReason.BALANCE_TOO_LOW, id="low"
        ),
        pytest.param(
            PurseData(payment_limit_minor=999),
            "1",
            RefusalReason.OVER_CARD_LIMIT,
            id="limit",
        ),
    ],
)
def test_a_hopeless_payment_is_refused_before_the_pin_is_used(
    running: Bench, data: PurseData, amount: str, reason: RefusalReason
) -> None:
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, issue_purse(None, data))
    seen = running.counter.read_purse()
    running.faults.log.clear()
    result = running.pay(amount, seen=seen)
    assert isinstance(result, Refused)
    assert (result.reason, result.can_retry) == (reason, False)
    assert running.faults.log == []


def test_a_balance_that_fell_since_it_was_read_is_refused_by_the_card(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.purse.memory.commit({"balance": 10})
    result = running.pay("1", seen=seen)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.BALANCE_TOO_LOW
    assert running.open_count() == 0


def test_the_pin_does_not_stay_verified_after_a_refusal(running: Bench) -> None:
    seen = running.counter.read_purse()
    running.purse.memory.commit({"balance": 10})
    running.pay("1", seen=seen)
    # INIT PURCHASE of 0.001 OMR without VERIFY.
    command = "80500102 17 01 00000001 0512 4355530000000007 0000000000000000"
    assert running.purse.process(bytes.fromhex(command)) == bytes.fromhex("6982")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(
            PurseData(state=CardState.BLOCKED), CardProblemCode.BLOCKED, id="blocked"
        ),
        pytest.param(
            PurseData(expiry="20251121"), CardProblemCode.EXPIRED, id="expired"
        ),
        pytest.param(
            PurseData(valid_from="20251123"), CardProblemCode.NOT_YET_VALID, id="early"
        ),
        pytest.param(
            PurseData(currency="0784"), CardProblemCode.OTHER_CURRENCY, id="currency"
        ),
    ],
)
def test_a_purse_that_cannot_pay_is_named(
    running: Bench, data: PurseData, code: CardProblemCode
) -> None:
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, issue_purse(None, data))
    assert problem_of(running) is code


def test_a_purse_is_good_on_its_first_and_last_day(running: Bench) -> None:
    running.readers.remove(Role.PURSE)
    data = PurseData(valid_from="20251122", expiry="20251122")
    running.readers.insert(Role.PURSE, issue_purse(None, data))
    assert isinstance(running.pay(), Paid)


def test_a_card_that_was_never_issued_is_named(running: Bench) -> None:
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, blank_purse(Memory(), bytes(range(8))))
    assert problem_of(running) is CardProblemCode.NOT_PERSONALISED


def test_a_foreign_card_is_named_and_shown(running: Bench) -> None:
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, ForeignCard())
    assert problem_of(running) is CardProblemCode.FOREIGN_CARD
    state = running.counter.snapshot().purse_reader.state
    assert state is ReaderState.WRONG_CARD


def test_no_card_and_no_customs_card_are_told_apart(running: Bench) -> None:
    running.readers.remove(Role.PURSE)
    assert problem_of(running) is CardProblemCode.NO_CARD
    running.readers.remove(Role.CUSTOMS)
    assert problem_of(running) is CardProblemCode.NO_CUSTOMS_CARD
    running.readers.insert(Role.PURSE, running.purse)
    assert problem_of(running) is CardProblemCode.NO_CUSTOMS_CARD


def test_swapped_readers_are_told_whichever_card_is_there(bench: Bench) -> None:
    bench.readers.insert(Role.PURSE, bench.customs)
    bench.readers.insert(Role.CUSTOMS, bench.purse)
    bench.start()
    assert problem_of(bench) is CardProblemCode.SWAPPED_READERS
    bench.readers.remove(Role.PURSE)
    assert problem_of(bench) is CardProblemCode.SWAPPED_READERS
    bench.readers.insert(Role.PURSE, bench.customs)
    bench.readers.remove(Role.CUSTOMS)
    assert problem_of(bench) is CardProblemCode.SWAPPED_READERS


def test_a_missing_reader_is_named(running: Bench) -> None:
    running.readers.remove(Role.PURSE)
    running.readers.present.clear()
    assert problem_of(running) is CardProblemCode.NO_READER


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(
            CustomsData(activation_code="1234"),
            CardProblemCode.CUSTOMS_CARD_UNUSABLE,
            id="activation",
        ),
        pytest.param(
            CustomsData(expiry="20251121"),
            CardProblemCode.CUSTOMS_CARD_UNUSABLE,
            id="expired",
        ),
        pytest.param(
            CustomsData(currency="0784"), CardProblemCode.OTHER_CURRENCY, id="currency"
        ),
    ],
)
def test_a_customs_card_that_cannot_take_payments_is_named(
    bench: Bench, data: CustomsData, code: CardProblemCode
) -> None:
    bench.readers.insert(Role.CUSTOMS, issue_customs_card(None, data))
    bench.start()
    assert problem_of(bench) is code


def test_a_foreign_customs_card_is_named(bench: Bench) -> None:
    bench.readers.insert(Role.CUSTOMS, ForeignCard())
    bench.start()
    assert problem_of(bench) is CardProblemCode.FOREIGN_CUSTOMS_CARD


def test_a_card_exchanged_after_it_was_read_is_not_charged(running: Bench) -> None:
    seen = running.counter.read_purse()
    other = issue_purse(None, SECOND)
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, other)
    result = running.pay(seen=seen)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.CARD_REMOVED
    assert (running.balance(), other.memory.integer("balance")) == (500_000, 9_000)
    assert isinstance(running.pay(), Paid)
    assert other.memory.integer("balance") == 9_000 - 1_234


def test_a_card_that_was_read_earlier_is_not_confused_with_the_one_read_last(
    running: Bench,
) -> None:
    earlier = running.counter.read_purse()
    other = issue_purse(None, SECOND)
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, other)
    assert running.counter.read_purse().card_id != earlier.card_id
    result = running.pay(seen=earlier)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.CARD_REMOVED
    assert (running.balance(), other.memory.integer("balance")) == (500_000, 9_000)


def test_a_customs_card_taken_out_after_the_purse_was_read_refuses(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.readers.remove(Role.CUSTOMS)
    result = running.pay(seen=seen)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.NO_CUSTOMS_CARD
    assert running.balance() == 500_000


@pytest.mark.parametrize(
    ("declaration", "amount", "field"),
    [
        ("", "1", InputField.DECLARATION),
        ("AB", "1", InputField.DECLARATION),
        ("INV 2025 1", "1", InputField.DECLARATION),
        ("A" * 30, "1", InputField.DECLARATION),
        ("INV-2025-1", "", InputField.AMOUNT),
        ("INV-2025-1", "0", InputField.AMOUNT),
        ("INV-2025-1", "-1", InputField.AMOUNT),
        ("INV-2025-1", "1.2345", InputField.AMOUNT),
        ("INV-2025-1", "2000.001", InputField.AMOUNT),
        ("INV-2025-1", "one", InputField.AMOUNT),
        ("INV-2025-1", "1,00", InputField.AMOUNT),
    ],
)
def test_bad_input_names_its_field_and_sends_nothing(
    running: Bench, declaration: str, amount: str, field: InputField
) -> None:
    running.faults.log.clear()
    with pytest.raises(InputError) as caught:
        running.counter.check_order(declaration, amount, PaymentKind.FEES)
    assert caught.value.field is field
    assert caught.value.message
    assert running.faults.log == []


def test_an_order_carries_the_clerk_and_takes_arabic_digits(running: Bench) -> None:
    typed = "\u0661\u0662\u066b\u0665\u0660\u0660"
    order = running.counter.check_order(" inv-2025-1 ", typed, PaymentKind.DEPOSITS)
    assert order.declaration == "INV-2025-1"
    assert order.amount.amount_minor == 12_500
    assert order.kind is PaymentKind.DEPOSITS
    assert order.details.clerk == "7"


def test_the_batch_closes_itself_before_it_is_full(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.customs_desk.BATCH_PLACES_MAX", 2)
    for _ in range(5):
        assert isinstance(running.pay("0.100"), Paid)
    snapshot = running.counter.snapshot()
    assert [(batch.number, batch.count) for batch in snapshot.unsettled] == [
        (1, 2),
        (2, 2),
    ]
    assert snapshot.batch is not None
    assert (snapshot.batch.number, snapshot.batch.count) == (3, 1)


def test_too_many_waiting_batches_refuse_with_the_way_out(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.customs_desk.BATCH_PLACES_MAX", 1)
    results = [running.pay("0.100") for _ in range(10)]
    assert all(isinstance(result, Paid) for result in results[:9])
    last = results[9]
    assert isinstance(last, Refused)
    assert last.reason is RefusalReason.CUSTOMS_CARD_FULL
    assert "end of day" in last.advice.next_step


def test_card_events_reach_every_listener_until_it_leaves(running: Bench) -> None:
    told: list[CounterEvent] = []
    leave = running.counter.subscribe(told.append)
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, running.purse)
    assert [event.kind for event in told] == [
        CounterEventKind.CARD_REMOVED,
        CounterEventKind.CARD_INSERTED,
    ]
    leave()
    running.readers.remove(Role.PURSE)
    assert len(told) == 2


def test_the_picture_never_waits_for_a_card(running: Bench) -> None:
    drawn: list[object] = []
    with running.counter._card_lock:
        painter = Thread(target=lambda: drawn.append(running.counter.snapshot()))
        painter.start()
        painter.join(WAIT_S)
        assert drawn


def test_a_stopped_counter_still_draws_and_does_nothing_more(running: Bench) -> None:
    seen = running.counter.read_purse()
    order = running.order()
    running.counter.stop()
    running.counter.stop()
    assert running.counter.snapshot().terminal_id == "T0000007"
    assert running.counter.interrupted() == []
    assert running.counter.on_card_inserted() == []
    with pytest.raises(CounterStateError):
        running.counter.pay(order, seen, bytearray(b"1234"))
    assert running.balance() == 500_000


@pytest.mark.parametrize(
    ("card", "words"),
    [
        pytest.param(issue_purse(None, PurseData()), "each other's", id="a purse"),
        pytest.param(ForeignCard(), "not a customs card", id="foreign"),
        pytest.param(
            issue_customs_card(None, CustomsData(currency="0840")),
            "currency",
            id="other",
        ),
    ],
)
def test_a_wrong_card_in_the_customs_reader_is_told_before_any_payment(
    running: Bench, card: SimulatedCard, words: str
) -> None:
    assert running.counter.snapshot().trouble is None
    running.readers.remove(Role.CUSTOMS)
    running.readers.insert(Role.CUSTOMS, card)
    running.counter.on_card_inserted()
    snapshot = running.counter.snapshot()
    assert snapshot.customs_reader.state is ReaderState.WRONG_CARD
    assert snapshot.trouble is not None
    assert words in snapshot.trouble.happened
    running.readers.remove(Role.CUSTOMS)
    assert running.counter.snapshot().trouble is None
    running.readers.insert(Role.CUSTOMS, running.customs)
    running.counter.on_card_inserted()
    snapshot = running.counter.snapshot()
    assert (snapshot.trouble, snapshot.customs_reader.state) == (
        None,
        ReaderState.READY,
    )


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        pytest.param("500.001", RefusalReason.BALANCE_TOO_LOW, id="balance"),
        pytest.param("500.000", None, id="all of it"),
    ],
)
def test_a_balance_too_low_is_known_before_the_pin_is_asked_for(
    running: Bench, amount: str, reason: RefusalReason | None
) -> None:
    seen = running.counter.read_purse()
    running.faults.log.clear()
    known = running.counter.check_purse(running.order(amount), seen)
    assert (None if known is None else known.reason) is reason
    assert running.faults.log == []
