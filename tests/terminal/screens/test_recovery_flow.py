"""Payments cut short, as the clerk meets them: news, list, warning, full disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from settlement.payment import PaymentKind
from terminal.disk import DiskTrouble
from terminal.errors import CardProblemCode
from terminal.interrupted import warned_of
from terminal.orders import InterruptedState, RecoveryVerdict, RefusalReason, Refused
from terminal.screens.card import CardScreen, CardState
from terminal.screens.interrupted import InterruptedScreen
from terminal.screens.payment import Draft
from terminal.screens.settled import SETTLED_MAX, Settled
from terminal.snapshot import CounterEventKind
from terminal.widgets.status import Level, disk_item
from terminal.wording import card_problem, refusal_advice
from tests.terminal.screens.conftest import (
    DECLARATION,
    FakeCounter,
    interrupted_payment,
    order,
    outcome,
    picture,
    purse,
    sitting,
)

if TYPE_CHECKING:
    from tests.terminal.screens.conftest import Desk

OTHER = "IM-2026/009999"


def refusal(reason: RefusalReason) -> Refused:
    return Refused(
        number=None,
        order=order(),
        reason=reason,
        tries_left=None,
        can_retry=False,
        advice=refusal_advice(reason),
    )


def disk_full() -> FakeCounter:
    counter = FakeCounter()
    counter.now_shown = replace(picture(), disk=DiskTrouble.FULL)
    return counter


# News.


async def test_news_stay_until_they_are_acknowledged_and_then_on_the_list(
    counter: FakeCounter,
) -> None:
    counter.recovered_at_start = [outcome(RecoveryVerdict.PAID)]
    async with sitting(counter) as desk:
        counter.tell(CounterEventKind.STATE_CHANGED)
        counter.remove()
        await desk.press("x", "1")
        assert desk.screen_name == "News"
        facts = "Receipt 6 · 2026-11-23 14:05 · approval 418203 · balance 487.500 OMR"
        assert facts in desk.text
        await desk.press("enter")
        assert desk.screen_name == "HomeScreen"
        await desk.press("f7")
        assert "it is paid: receipt 6" in desk.text
        assert facts in desk.text
        await desk.press("f2")
        assert desk.screen_name == "InterruptedScreen"


async def test_what_was_not_made_is_begun_again_with_all_its_details(
    counter: FakeCounter,
) -> None:
    counter.recovered_at_start = [outcome(RecoveryVerdict.NOT_PAID)]
    async with sitting(counter) as desk:
        assert "Take it again (F2)" in desk.text
        await desk.press("f2")
        assert desk.screen_name == "PaymentScreen"
        assert desk.app.draft == Draft(
            declaration=DECLARATION, amount="12.500", kind=PaymentKind.DEPOSITS
        )
        await desk.press("escape")
        assert desk.screen_name == "HomeScreen"


async def test_what_was_not_made_can_be_taken_again_from_the_list_too(
    counter: FakeCounter,
) -> None:
    counter.recovered_at_start = [outcome(RecoveryVerdict.NOT_PAID)]
    async with sitting(counter) as desk:
        await desk.press("enter", "f7")
        assert "it was not made: nothing was taken" in desk.text
        await desk.press("f2")
        assert desk.screen_name == "PaymentScreen"
        assert desk.app.draft.declaration == DECLARATION


async def test_a_payment_that_has_been_begun_is_not_lost_to_one_taken_again(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.press("f2")
        await desk.write(OTHER)
        counter.recovered = [outcome(RecoveryVerdict.NOT_PAID)]
        counter.insert(purse())
        await desk.settle()
        assert desk.screen_name == "News"
        assert "F7 on the first screen" in desk.text
        await desk.press("f2")
        assert desk.screen_name == "News"
        await desk.press("enter")
        assert desk.screen_name == "PaymentScreen"
        assert desk.app.draft.declaration == OTHER


async def test_a_record_without_a_declaration_cannot_be_taken_again(
    counter: FakeCounter,
) -> None:
    nameless = replace(outcome(RecoveryVerdict.NOT_PAID), declaration="", kind=None)
    counter.recovered_at_start = [nameless]
    async with sitting(counter) as desk:
        assert "declaration not known" in desk.text
        await desk.press("f2")
        assert desk.screen_name == "News"


async def test_news_that_come_while_a_purse_is_read_are_told(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        counter.recovered = [outcome(RecoveryVerdict.PAID)]
        counter.tell(CounterEventKind.NEWS)
        await desk.settle()
        assert desk.screen_name == "News"


async def test_many_news_are_scrolled_by_keys(counter: FakeCounter) -> None:
    counter.recovered_at_start = [
        outcome(RecoveryVerdict.PAID, number) for number in range(1, 6)
    ]
    async with sitting(counter) as desk:
        content = desk.app.screen.query_one("#dialog-content")
        assert content.max_scroll_y > 0
        await desk.press("down")
        assert content.scroll_y == 1
        await desk.press("pagedown", "pagedown", "pagedown")
        assert content.scroll_y == content.max_scroll_y
        await desk.press("up", "pageup", "pageup", "pageup")
        assert content.scroll_y == 0


def test_the_list_keeps_the_last_news_of_each_payment_and_not_for_ever() -> None:
    settled = Settled()
    settled.keep(outcome(RecoveryVerdict.STILL_UNKNOWN, 1))
    assert not settled.newest_first
    for number in range(1, SETTLED_MAX + 2):
        settled.keep(outcome(RecoveryVerdict.NOT_PAID, number))
    settled.keep(outcome(RecoveryVerdict.PAID, 5))
    numbers = [each.number for each in settled.newest_first]
    assert len(numbers) == SETTLED_MAX
    assert (numbers[0], numbers[1], numbers[-1]) == (5, SETTLED_MAX + 1, 2)
    latest = next(iter(settled.newest_first))
    assert latest.verdict is RecoveryVerdict.PAID


# The list.


async def test_the_list_follows_the_counter_and_keeps_its_mark(
    counter: FakeCounter,
) -> None:
    counter.now_shown = picture(interrupted=3)
    counter.open = [
        interrupted_payment(number=3),
        interrupted_payment(InterruptedState.PAID_NOT_CREDITED, 4, declaration=OTHER),
        interrupted_payment(number=5),
    ]
    async with sitting(counter) as desk:
        await desk.press("f7", "down")
        # The bank's answer settles the first while the list is open.
        counter.open = counter.open[1:]
        counter.now_shown = picture(interrupted=2)
        counter.tell(CounterEventKind.STATE_CHANGED)
        await desk.settle()
        marked = [row for row in desk.rows if OTHER in row]
        assert len(marked) == 1
        assert marked_number(desk) == 4


def marked_number(desk: Desk) -> int:
    screen = desk.app.screen
    assert isinstance(screen, InterruptedScreen)
    marked = screen._marked
    assert marked is not None
    return marked.number


# The warning.


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param(InterruptedState.UNKNOWN, "▲", id="unknown"),
        pytest.param(InterruptedState.LEFT_TO_BANK, "▲", id="left-to-bank"),
        pytest.param(InterruptedState.PAID_NOT_CREDITED, "✗", id="debited"),
        pytest.param(InterruptedState.PAID, "✗", id="paid"),
    ],
)
async def test_no_key_of_reflex_goes_on_past_the_warning(
    counter: FakeCounter, state: InterruptedState, words: str
) -> None:
    counter.earlier = [interrupted_payment(state)]
    async with sitting(counter) as desk:
        for reflex in (("enter",), ("escape",), ("f2", "enter"), ("tab", "enter")):
            desk.app.go_home()
            await desk.to_card()
            assert desk.screen_name == "EarlierWarning"
            for shown in (
                "there is an earlier payment for this declaration",
                "2026-11-23 13:45 · IM-2026/001234 · 12.500 OMR · card 640000***",
                words,
            ):
                assert shown in desk.text
            await desk.press(*reflex)
            assert desk.screen_name == "PaymentScreen"
            assert desk.app.draft.declaration == DECLARATION
    assert not {"go_on_all_the_same", "read_purse"} & set(counter.calls)


async def test_going_on_takes_its_own_key_and_is_noted_before_the_card(
    counter: FakeCounter,
) -> None:
    counter.earlier = [interrupted_payment()]
    async with sitting(counter) as desk:
        await desk.to_card()
        await desk.press("f4")
        screen = desk.app.screen
        assert isinstance(screen, CardScreen)
        assert screen.order.warned == {warned_of(counter.earlier[0])}
    assert counter.calls.index("go_on_all_the_same") < counter.calls.index("read_purse")


async def test_going_on_that_cannot_be_noted_goes_nowhere(
    counter: FakeCounter,
) -> None:
    counter.earlier = [interrupted_payment()]
    async with sitting(counter) as desk:
        await desk.to_card()
        counter.broken = "The journal cannot be written."
        await desk.press("f4")
        assert desk.screen_name == "Trouble"
        assert "The journal cannot be written." in desk.text
        await desk.press("enter")
        assert desk.screen_name == "PaymentScreen"
    assert "read_purse" not in counter.calls


async def test_a_warning_that_comes_up_at_the_card_leads_back_to_the_details(
    counter: FakeCounter,
) -> None:
    counter.known_refusal = refusal(RefusalReason.EARLIER_PAYMENT)
    counter.seen = purse()
    async with sitting(counter) as desk:
        await desk.to_card()
        assert desk.screen_name == "ResultScreen"
        assert "An earlier payment for this declaration" in desk.text
        await desk.press("enter")
        assert desk.screen_name == "ResultScreen"
        counter.earlier = [interrupted_payment()]
        await desk.press("escape", "f2")
        assert desk.screen_name == "EarlierWarning"
    assert "pay" not in counter.calls


# A disk that cannot be written.


async def test_a_full_disk_is_told_first_and_never_called_ready() -> None:
    async with sitting(disk_full()) as desk:
        assert "✗ This machine's disk is full" in desk.text
        assert "✗ Disk full" in desk.text
        assert "Ready for a payment." not in desk.text


def test_a_disk_in_order_takes_no_room_on_the_status_line() -> None:
    assert disk_item(picture()) is None
    for trouble in DiskTrouble:
        item = disk_item(replace(picture(), disk=trouble))
        assert item is not None
        assert item.level is Level.BAD


async def test_a_payment_waits_for_the_disk_and_goes_on_when_it_has_space() -> None:
    counter = disk_full()
    counter.seen = card_problem(CardProblemCode.DISK_FULL)
    async with sitting(counter) as desk:
        await desk.to_card()
        assert "disk is full" in desk.text
        counter.seen = purse()
        counter.now_shown = picture()
        counter.recovered = [outcome(RecoveryVerdict.PAID, number=3)]
        desk.app.look_again()
        await desk.settle()
        # What could not be settled before is settled first, and told.
        assert desk.screen_name == "News"
        await desk.press("enter")
        assert isinstance(desk.app.screen, CardScreen)
        assert desk.app.screen.state is CardState.PIN


async def test_a_disk_that_fills_up_is_noticed_without_an_event(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        counter.now_shown = replace(picture(), disk=DiskTrouble.READ_ONLY)
        desk.app.look_again()
        await desk.settle()
        assert "✗ Disk read-only" in desk.text
        assert "on_card_inserted" not in counter.calls


@pytest.mark.parametrize(
    "reason",
    [
        RefusalReason.DISK_FULL,
        RefusalReason.DISK_READ_ONLY,
        RefusalReason.DISK_NO_PERMISSION,
        RefusalReason.DISK_MISSING,
        RefusalReason.DISK_FAILED,
        RefusalReason.JOURNAL_FAILED,
    ],
)
async def test_no_other_card_is_asked_for_when_the_disk_is_at_fault(
    counter: FakeCounter, reason: RefusalReason
) -> None:
    async with sitting(counter) as desk:
        await desk.pay(refusal(reason))
        assert "Try again (Enter)" in desk.text
        assert "Another card" not in desk.text


async def test_a_card_put_in_while_the_list_is_open_settles_before_its_eyes(
    counter: FakeCounter,
) -> None:
    counter.open = [interrupted_payment(number=7)]
    async with sitting(counter) as desk:
        await desk.press("f7")
        counter.open = []
        counter.recovered = [outcome(RecoveryVerdict.PAID)]
        counter.tell(CounterEventKind.CARD_INSERTED, Role.PURSE)
        await desk.settle()
        await desk.press("enter")
        assert desk.screen_name == "InterruptedScreen"
        assert "it is paid: receipt 6" in desk.text
        assert "not known yet" not in desk.text
