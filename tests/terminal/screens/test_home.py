"""The home screen, the status line on it, and the keys that work everywhere."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from textual.binding import Binding

from card.profile import Role
from terminal.app import CounterApp
from terminal.errors import Advice
from terminal.orders import InterruptedState, RecoveryVerdict
from terminal.screens.home import readiness
from terminal.snapshot import (
    CounterEventKind,
    CounterSnapshot,
    LineState,
    ReaderState,
)
from terminal.widgets.key_bar import KeyBar
from terminal.widgets.status import (
    Level,
    customs_item,
    interrupted_item,
    line_item,
    purse_item,
    waiting_item,
)
from tests.terminal.screens.conftest import (
    NOW,
    Desk,
    FakeCounter,
    interrupted_payment,
    outcome,
    picture,
    sitting,
    waiting_batch,
)

if TYPE_CHECKING:
    from textual.binding import BindingType

SWAPPED = Advice(
    happened="The two cards are in each other's readers: the other way round.",
    money="No money moved.",
    next_step="Exchange the cards.",
)


@pytest.mark.parametrize(
    ("shown", "level", "words"),
    [
        pytest.param(picture(), Level.GOOD, "Ready", id="ready"),
        pytest.param(
            picture(customs=ReaderState.EMPTY), Level.BAD, "no customs card", id="empty"
        ),
        pytest.param(
            picture(customs=ReaderState.MISSING), Level.BAD, "missing", id="no-reader"
        ),
        pytest.param(
            picture(customs=ReaderState.WRONG_CARD), Level.BAD, "usable", id="wrong"
        ),
        pytest.param(
            picture(purse=ReaderState.MISSING), Level.BAD, "missing", id="no-purse"
        ),
        pytest.param(
            replace(picture(), customs=None), Level.BUSY, "being read", id="reading"
        ),
        pytest.param(
            picture(customs=ReaderState.CARD_PRESENT),
            Level.BUSY,
            "No payments yet",
            id="present",
        ),
        pytest.param(
            replace(picture(customs=ReaderState.CARD_PRESENT), trouble=SWAPPED),
            Level.BAD,
            "other way round",
            id="swapped",
        ),
        pytest.param(
            picture(interrupted=2), Level.WARNING, "2 payments", id="interrupted"
        ),
        pytest.param(
            picture(unsettled=(waiting_batch(),)), Level.WARNING, "1 batch", id="waits"
        ),
    ],
)
def test_the_most_important_thing_is_told_first(
    shown: CounterSnapshot, level: Level, words: str
) -> None:
    told, advice = readiness(shown, started=True)
    assert told is level
    assert words in advice.happened


@pytest.mark.parametrize("state", list(ReaderState))
def test_every_reader_state_has_a_symbol_and_words(state: ReaderState) -> None:
    shown = picture(purse=state, customs=state)
    for item in (purse_item(shown), customs_item(shown)):
        symbol, _, words = str(item).partition(" ")
        assert len(symbol) == 1
        assert words


def test_what_waits_is_a_warning_and_nothing_waiting_is_not() -> None:
    calm, busy = picture(), picture(unsettled=(waiting_batch(),), interrupted=3)
    assert str(waiting_item(calm)) == "✓ 0 waiting"
    assert str(waiting_item(busy)) == "▲ 1 batch waiting"
    assert str(interrupted_item(calm)) == "✓ 0 interrupted"
    assert str(interrupted_item(busy)) == "▲ 3 interrupted"
    assert [line_item(picture(line=line)).level for line in LineState] == [
        Level.QUIET,
        Level.BUSY,
        Level.BUSY,
    ]


async def test_the_status_line_follows_what_the_counter_tells(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        for words in (
            "Office SOHAR · Terminal T0000007 · Clerk 1",
            "2026-11-23 14:05",
            "✓ Customs card 435553******0007",
            "Batch 12 · 34 paid · 1,234.500 OMR",
        ):
            assert words in desk.text
        counter.now_shown = picture(
            customs=ReaderState.EMPTY, line=LineState.DIALLING, interrupted=1
        )
        told = threading.Thread(
            target=counter.tell, args=(CounterEventKind.STATE_CHANGED, None)
        )
        told.start()
        told.join()
        await desk.settle()
        for words in ("✗ No customs card", "● Line dialling", "▲ 1 interrupted"):
            assert words in desk.text


async def test_a_batch_of_any_size_leaves_the_warnings_whole(
    counter: FakeCounter,
) -> None:
    counter.now_shown = picture(
        count=999,
        total_minor=99_999_999_999,
        unsettled=(waiting_batch(10), waiting_batch(11)),
        interrupted=12,
    )
    async with sitting(counter) as desk:
        assert "▲ 2 batches waiting" in desk.text
        assert "▲ 12 interrupted" in desk.text


async def test_the_menu_works_with_arrows_and_enter(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.press("down", "enter")
        assert desk.screen_name == "InterruptedScreen"
        assert "No payment is interrupted." in desk.text
        await desk.press("escape", "up", "enter")
        assert desk.screen_name == "PaymentScreen"


async def test_news_of_the_last_run_are_told_at_the_start(
    counter: FakeCounter,
) -> None:
    counter.recovered_at_start = [outcome(RecoveryVerdict.NOT_PAID)]
    async with sitting(counter) as desk:
        assert desk.screen_name == "News"
        assert "The payment was not made." in desk.text
        await desk.press("enter")
        assert desk.screen_name == "HomeScreen"


async def test_a_counter_that_cannot_start_says_why(counter: FakeCounter) -> None:
    counter.broken = "The journal cannot be read."
    async with sitting(counter) as desk:
        assert desk.screen_name == "Trouble"
        assert "The journal cannot be read." in desk.text
        assert "Take no payments" in desk.text


async def test_a_hasty_second_key_press_does_no_harm(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.press_at_once("f2", "f2", "f6", "f2", "escape", "f8", "f8")
        assert desk.screen_name in {"HomeScreen", "PaymentScreen", "DayScreen"}
    assert "close_day" not in counter.calls


async def test_leaving_asks_first_and_then_stops_the_counter(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.press("ctrl+c", "ctrl+z")
        assert desk.screen_name == "HomeScreen"
        await desk.press("ctrl+q")
        assert desk.screen_name == "LeaveQuestion"
        await desk.press("escape")
        assert "stop" not in counter.calls
        await desk.press("f10", "enter")
    assert counter.calls == ["start", "stop"]


async def test_f9_changes_the_colours_and_f1_helps(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        before = desk.app.theme
        await desk.press("f9")
        assert desk.app.theme != before
        await desk.press("f1")
        assert "Only the customer types the PIN" in desk.text
        await desk.press("f1")
        assert desk.screen_name == "HomeScreen"


async def test_interrupted_payments_are_listed_and_explained(
    counter: FakeCounter,
) -> None:
    counter.open = [
        interrupted_payment(),
        interrupted_payment(InterruptedState.PAID_NOT_CREDITED, 8),
        interrupted_payment(InterruptedState.LEFT_TO_BANK, 9, declaration=""),
    ]
    async with sitting(counter) as desk:
        await desk.press("f7")
        for words in (
            "2026-11-23 13:45 IM-2026/001234 12.500 OMR",
            "not known yet whether it was paid",
            "paid; the customs card takes it over next",
            "left to the bank to decide",
            "declaration not known",
            "Put card 640000******0001 back",
        ):
            assert words in desk.text
        counter.open = []
        counter.tell(CounterEventKind.CARD_INSERTED, Role.PURSE)
        await desk.settle()
        assert "No payment is interrupted." in desk.text


async def test_trouble_with_the_customs_card_is_told_as_soon_as_it_is_known(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        assert "Ready for a payment." in desk.text
        counter.now_shown = replace(
            picture(customs=ReaderState.WRONG_CARD), trouble=SWAPPED
        )
        counter.tell(CounterEventKind.STATE_CHANGED, Role.CUSTOMS)
        await desk.settle()
        for words in (SWAPPED.happened, "Next: Exchange the cards."):
            assert words in desk.text
        assert "Ready for a payment." not in desk.text


class MoreKeys(CounterApp):
    """As many keys as the simulator's counter has."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f11", "nothing", "Card in or out", key_display="F11"),
        Binding("f12", "colours", "Next customer", key_display="F12"),
    ]


async def test_every_key_stays_in_sight_and_can_be_clicked_in_80_columns(
    counter: FakeCounter,
) -> None:
    app = MoreKeys(counter, lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(counter, app, pilot)
        await desk.settle()
        for words in (
            "F2 New payment",
            "F10 Leave",
            "F11 Card in",
            "F12 Next customer",
        ):
            assert words in desk.text
        bar = app.screen.query_one(KeyBar)
        assert bar.size.height == 2
        theme = app.theme
        row = next(y for y, text in enumerate(desk.rows) if "F12" in text)
        where = desk.rows[row].index("F12"), row - bar.region.y
        await pilot.click(KeyBar, offset=where)
        await desk.settle()
        assert app.theme != theme
