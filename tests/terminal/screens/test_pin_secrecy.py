"""The PIN is seen by nobody: not on the screen, not in a message, not in a fault."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from textual.events import Key
from textual.worker import WorkerFailed

from terminal.screens.card import CardScreen
from terminal.widgets.pin_entry import DIGITS_MAX, PINEntry, digit_value
from tests.terminal.screens.conftest import (
    Desk,
    FakeCounter,
    order,
    paid,
    purse,
    sitting,
    too_low,
    unknown,
    wrong_pin,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message import Message

    from terminal.orders import PaymentOrder, PaymentResult, PurseSeen

# No other text of these screens has a 9 in it, but for the key F9.
PIN = "9999"


def entry(desk: Desk) -> PINEntry:
    return desk.app.screen.query_one(PINEntry)


@pytest.mark.parametrize(
    "ending", [paid, wrong_pin, too_low, unknown], ids=lambda ending: ending.__name__
)
async def test_no_digit_of_the_pin_is_rendered_or_told(
    counter: FakeCounter, ending: Callable[[PaymentOrder], PaymentResult]
) -> None:
    told: list[str] = []

    def overhear(message: Message) -> None:
        if not isinstance(message, Key):
            # Where an object lies in memory is a number too, and chance.
            told.append(re.sub(r"\b0x[0-9a-f]+", "", repr(message)))

    counter.seen = purse()
    counter.results.append(ending(order()))
    async with sitting(counter, message_hook=overhear) as desk:
        await desk.to_card()
        seen = [desk.text]
        for digit in PIN:
            await desk.press(digit)
            seen += [desk.text, repr(entry(desk)), str(entry(desk).render())]
        seen += [repr(widget) for widget in desk.app.screen.walk_children()]
        assert "● ● ● ●" in desk.text
        await desk.press("enter")
        seen += [desk.text, *(repr(worker) for worker in desk.app.workers)]
    assert counter.pin_lengths == [len(PIN)]
    assert counter.pins == [bytearray(len(PIN))]
    assert [text for text in seen if "9" in text.replace("F9", "")] == []
    assert [text for text in told if PIN in text or "'9'" in text] == []


class Faulty(FakeCounter):
    """Breaks in the middle of a payment, as a bug would."""

    def pay(
        self, order: PaymentOrder, purse: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        raise RuntimeError(f"bug in payment of {order.amount} from {purse.holder}")


async def pay_with_pin(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press(*PIN, "enter")


async def test_a_fault_is_printed_without_the_pin(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counter = Faulty()
    counter.seen = purse()
    with pytest.raises(WorkerFailed):
        await pay_with_pin(counter)
    printed = "".join(capsys.readouterr())
    assert "bug in payment" in printed
    assert PIN not in printed
    assert "locals" not in printed


async def test_the_entry_takes_4_to_12_digits_and_corrects_them(
    counter: FakeCounter,
) -> None:
    counter.seen = purse()
    counter.results.append(too_low(order()))
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press(*"123", "enter")
        assert isinstance(desk.app.screen, CardScreen)
        assert "A PIN has at least 4 digits" in desk.text
        assert entry(desk).typed == 3
        await desk.press(*"4567890123456")
        assert entry(desk).typed == DIGITS_MAX
        await desk.press("backspace", "backspace")
        assert entry(desk).typed == DIGITS_MAX - 2
        await desk.press("x", "enter")
    assert counter.pin_lengths == [DIGITS_MAX - 2]


def test_digits_of_every_script_are_the_same_digits() -> None:
    scripts = "\u0660\u0669\u06f47"  # Arabic-Indic 0 and 9, Persian 4, ASCII 7
    assert [digit_value(digit) for digit in scripts] == [0, 9, 4, 7]
    assert [digit_value(other) for other in ("x", None, "", "12", "½")] == [None] * 5


async def test_a_pin_left_half_typed_is_wiped(counter: FakeCounter) -> None:
    counter.seen = purse()
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press(*"12")
        entry(desk).forget_when_idle()
        await desk.settle()
        assert entry(desk).typed == 0
        assert "the PIN was wiped" in desk.text
