"""A payment from F2 to its result, by keys alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from settlement.payment import PaymentKind
from terminal.errors import CardProblemCode, JournalError
from terminal.orders import RecoveryVerdict
from terminal.screens.card import CardScreen, CardState
from terminal.screens.payment import Draft
from terminal.screens.result import ResultScreen
from terminal.widgets.notice import Notice
from terminal.widgets.pin_entry import PINEntry
from terminal.widgets.verdict import Sign
from tests.terminal.screens.conftest import (
    FOREIGN,
    NO_CARD,
    FakeCounter,
    order,
    outcome,
    paid,
    problem,
    purse,
    sitting,
    too_low,
    unknown,
    wrong_pin,
)

if TYPE_CHECKING:
    from terminal.orders import PurseSeen
    from tests.terminal.screens.conftest import Desk


def state_of(desk: Desk) -> CardState:
    assert isinstance(desk.app.screen, CardScreen)
    return desk.app.screen.state


def sign_of(desk: Desk) -> Sign:
    assert isinstance(desk.app.screen, ResultScreen)
    return desk.app.screen.sign


async def test_a_payment_goes_from_f2_to_paid_and_home(counter: FakeCounter) -> None:
    counter.results.append(paid(order()))
    async with sitting(counter) as desk:
        await desk.press("f2")
        await desk.write("im-26")
        await desk.press("enter")
        await desk.write("12.5")
        await desk.press("enter", "right", "enter")
        assert state_of(desk) is CardState.WAITING
        assert "Insert the customer's card" in desk.text
        counter.insert(purse())
        await desk.settle()
        assert state_of(desk) is CardState.PIN
        await desk.press(*"1234", "enter")
        assert sign_of(desk) is Sign.PAID
        for words in ("PAID · 12.500 OMR", "Give the card back.", "418203", "14:05"):
            assert words in desk.text
        await desk.press("enter")
        assert desk.screen_name == "HomeScreen"
        assert "Paid: 12.500 OMR" in desk.text
        assert desk.app.draft == Draft()
    asked = counter.orders[0]
    assert (asked.declaration, asked.amount.amount_minor) == ("IM-26", 12_500)
    assert asked.kind is PaymentKind.DEPOSITS
    assert counter.pin_lengths == [4]
    assert counter.pins == [bytearray(4)]


async def test_f2_after_paid_begins_the_next_payment(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.pay(paid(order()))
        await desk.press("f2")
        assert desk.screen_name == "PaymentScreen"
        assert desk.app.draft == Draft()


async def test_the_amount_is_big_where_the_pin_is_asked(counter: FakeCounter) -> None:
    counter.seen = purse()
    async with sitting(counter) as desk:
        await desk.to_card()
        text = desk.text
        assert any("╺┓" in row and "┏━┓" in row for row in desk.rows)
        for words in ("OMR", "Fees for declaration", "AL NOOR TRADING", "3 tries left"):
            assert words in text
        assert "640000******0001" in text
        assert "487.500 OMR" in text


async def test_a_wrong_pin_is_asked_again_with_the_tries_left(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.pay(wrong_pin(order(), 1), paid(order()))
        assert state_of(desk) is CardState.PIN
        assert "The PIN is wrong" in desk.text
        assert "Nothing was taken" in desk.text
        assert "▲ 1 try left" in desk.text
        await desk.press(*"4321", "enter")
        assert sign_of(desk) is Sign.PAID
    assert counter.pin_lengths == [4, 4]


async def test_a_refusal_says_why_and_leads_back_to_the_card(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.pay(too_low(order()))
        assert sign_of(desk) is Sign.REFUSED
        for words in ("NOT PAID", "holds less", "Nothing was taken", "another card"):
            assert words in desk.text
        await desk.press("enter")
        assert state_of(desk) is CardState.PIN


async def test_after_a_refusal_the_details_can_be_changed(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.pay(too_low(order()))
        await desk.press("escape")
        assert desk.screen_name == "PaymentScreen"
        assert "IM-2026/001234" in desk.text
        assert "12.500" in desk.text


@pytest.mark.parametrize(
    ("verdict", "sign"),
    [
        pytest.param(RecoveryVerdict.PAID, Sign.PAID, id="paid"),
        pytest.param(RecoveryVerdict.NOT_PAID, Sign.REFUSED, id="not-paid"),
        pytest.param(RecoveryVerdict.STILL_UNKNOWN, Sign.UNKNOWN, id="still-unknown"),
        pytest.param(RecoveryVerdict.LEFT_TO_BANK, Sign.UNKNOWN, id="left-to-bank"),
    ],
)
async def test_an_unknown_result_settles_when_the_card_is_put_back(
    counter: FakeCounter, verdict: RecoveryVerdict, sign: Sign
) -> None:
    async with sitting(counter) as desk:
        await desk.pay(unknown(order()))
        assert sign_of(desk) is Sign.UNKNOWN
        assert "NOT KNOWN YET" in desk.text
        assert "640000******0001 back" in desk.text
        await desk.press("enter")
        assert sign_of(desk) is Sign.UNKNOWN
        counter.recovered = [outcome(verdict)]
        counter.insert(purse())
        await desk.settle()
        assert sign_of(desk) is sign
        assert outcome(verdict).advice.happened in desk.text


async def test_an_unknown_result_can_be_left_to_the_list(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.pay(unknown(order()))
        await desk.press("escape")
        assert desk.screen_name == "InterruptedScreen"
        assert desk.app.draft == Draft()


async def test_news_of_another_payment_come_before_this_one_goes_on(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.to_card()
        counter.recovered = [outcome(RecoveryVerdict.PAID, number=3)]
        counter.insert(purse())
        await desk.settle()
        assert desk.screen_name == "News"
        assert "The payment had been made." in desk.text
        await desk.press("enter")
        assert state_of(desk) is CardState.PIN


async def test_a_card_pulled_out_wipes_the_pin_and_keeps_the_details(
    counter: FakeCounter,
) -> None:
    counter.seen = purse()
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press(*"123")
        counter.remove()
        await desk.settle()
        assert state_of(desk) is CardState.WAITING
        assert desk.app.screen.query_one(PINEntry).typed == 0
        assert "IM-2026/001234" in desk.text
        counter.insert(purse())
        await desk.settle()
        assert state_of(desk) is CardState.PIN


async def test_every_card_problem_is_told_with_the_next_step(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.to_card()
        for code in CardProblemCode:
            counter.insert(problem(code, f"Happened {code}.", "Do the next thing."))
            await desk.settle()
            assert state_of(desk) is CardState.WAITING
            notice = desk.app.screen.query_one("#card-notice", Notice)
            assert notice.text == (
                f"Happened {code}. Nothing was taken. Next: Do the next thing."
            )
        await desk.press(*"1234", "enter")
    assert counter.pins == []


async def test_a_right_card_after_a_wrong_one_is_taken(counter: FakeCounter) -> None:
    counter.seen = FOREIGN
    async with sitting(counter) as desk:
        await desk.to_card()
        assert "not a Raseed card" in desk.text
        counter.remove()
        await desk.settle()
        counter.insert(purse())
        await desk.settle()
        assert state_of(desk) is CardState.PIN


async def test_a_problem_found_while_paying_is_told_on_the_card_screen(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.pay(NO_CARD)
        assert state_of(desk) is CardState.WAITING
        assert "There is no card" in desk.text


async def test_a_journal_that_fails_while_reading_is_told(
    counter: FakeCounter,
) -> None:
    counter.seen = JournalError("The journal cannot be read.")
    async with sitting(counter) as desk:
        await desk.to_card()
        assert state_of(desk) is CardState.WAITING
        assert "The journal cannot be read." in desk.text
        assert "Take no payments" in desk.text


async def test_a_card_pulled_out_during_a_wrong_pin_is_noticed(
    counter: FakeCounter,
) -> None:
    counter.gate.clear()
    async with sitting(counter) as desk:
        await desk.pay(wrong_pin(order()))
        counter.remove()
        await desk.settle()
        counter.gate.set()
        await desk.settle()
        assert state_of(desk) is CardState.WAITING


async def test_cancel_goes_back_to_the_details(counter: FakeCounter) -> None:
    counter.seen = purse()
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press(*"12", "escape")
        assert desk.screen_name == "PaymentScreen"
        assert desk.app.draft.declaration == "IM-2026/001234"
        await desk.press("f2")
        assert state_of(desk) is CardState.PIN
    assert counter.pins == []


async def test_while_paying_no_key_leads_away(counter: FakeCounter) -> None:
    counter.gate.clear()
    async with sitting(counter) as desk:
        await desk.pay(paid(order()))
        assert state_of(desk) is CardState.PAYING
        assert "Leave both cards" in desk.text
        await desk.press("escape", "enter", "1", "f10", "ctrl+q")
        assert state_of(desk) is CardState.PAYING
        counter.remove()
        await desk.settle()
        assert state_of(desk) is CardState.PAYING
        counter.gate.set()
        await desk.settle()
        assert sign_of(desk) is Sign.PAID
    assert len(counter.orders) == 1


class SlowFirstRead(FakeCounter):
    """The first card takes its time to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.first_may_answer = threading.Event()

    def read_purse(self) -> PurseSeen:
        is_first = "read_purse" not in self.calls
        seen = super().read_purse()
        if is_first:
            self.first_may_answer.wait(10)
        return seen


async def test_a_card_exchanged_during_a_slow_read_is_not_mistaken() -> None:
    counter = SlowFirstRead()
    counter.seen = purse(balance_minor=777_000)
    async with sitting(counter) as desk:
        desk.app.push_screen(CardScreen(order()))
        while "read_purse" not in counter.calls:
            await desk.breathe()
        counter.insert(purse(balance_minor=30_000))
        await desk.breathe()
        counter.first_may_answer.set()
        await desk.settle()
        assert "30.000 OMR" in desk.text
        assert "777.000" not in desk.text


async def test_no_pin_is_asked_of_a_card_that_is_known_to_hold_too_little(
    counter: FakeCounter,
) -> None:
    counter.known_refusal = too_low(order())
    async with sitting(counter) as desk:
        await desk.to_card()
        counter.insert(purse(balance_minor=1_000))
        await desk.settle()
        assert desk.screen_name == "ResultScreen"
        for words in ("NOT PAID", "holds less than the amount", "Another card"):
            assert words in desk.text
        # The other card goes in while the refusal still stands there.
        counter.known_refusal = None
        counter.insert(purse())
        await desk.settle()
        assert desk.screen_name == "ResultScreen"
        await desk.press("enter")
        assert "please type your PIN" in desk.text
    assert "pay" not in counter.calls
