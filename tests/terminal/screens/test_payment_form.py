"""The details of a payment: what is wrong is said beside the field, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from settlement.payment import PaymentKind
from terminal.screens.payment import Draft, PaymentScreen
from terminal.widgets.amount import BigAmount
from terminal.widgets.field import Field
from tests.terminal.screens.conftest import Desk, FakeCounter, omr, sitting

if TYPE_CHECKING:
    from settlement.money import Money


def field(desk: Desk, name: str) -> Field:
    return desk.app.screen.query_one(f"#field-{name}", Field)


def typed(desk: Desk, name: str) -> str:
    return desk.app.screen.query_one(f"#{name}", Input).value


def previewed(desk: Desk) -> Money | None:
    return desk.app.screen.query_one("#preview-amount", BigAmount).money


@pytest.mark.parametrize("on", ["tab", "enter"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_keys_sent_without_a_pause_go_where_they_were_meant_for(
    counter: FakeCounter, on: str, size: tuple[int, int]
) -> None:
    async with sitting(counter, size=size) as desk:
        await desk.scan("f2", "IM-2026/001234", on, "12.5", on)
        assert typed(desk, "declaration") == "IM-2026/001234"
        assert typed(desk, "amount") == "12.5"
        assert desk.app.draft == Draft(declaration="IM-2026/001234", amount="12.5")
        assert desk.app.focused is field(desk, "kind").control
        await desk.scan("shift+tab", "9", "shift+tab", "X", "f6", "IM26")
        assert typed(desk, "declaration") == "IM26"
        assert typed(desk, "amount") == ""


async def test_what_is_typed_before_f2_is_checked_with_it_and_after_it_is_not(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.scan("f2", "IM26", "enter", "5", "f2", "777")
        assert desk.screen_name == "CardScreen"
        assert desk.app.draft == Draft(declaration="IM26", amount="5")
        await desk.scan("escape", "f2", "escape")
        assert desk.screen_name == "PaymentScreen"
        assert (typed(desk, "declaration"), typed(desk, "amount")) == ("IM26", "5")


BAD = [
    ("", "5", "declaration", "enter the declaration number"),
    ("IM 26", "5", "declaration", "cannot contain"),
    ("I", "5", "declaration", "at least 4"),
    ("IM26", "", "amount", "enter an amount"),
    ("IM26", "0", "amount", "more than zero"),
    ("IM26", "-5", "amount", "cannot be negative"),
    ("IM26", "5.0001", "amount", "3 decimals"),
    ("IM26", "2000.001", "amount", "too large"),
    ("IM26", "1,00", "amount", "commas"),
    ("IM26", "five", "amount", "not an amount"),
]


async def test_bad_input_is_told_beside_its_field_and_nothing_is_lost(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        for declaration, amount, name, words in BAD:
            desk.app.draft = Draft(declaration=declaration, amount=amount)
            await desk.press("f2", "f2")
            assert desk.screen_name == "PaymentScreen"
            assert words in field(desk, name).note, (declaration, amount)
            assert field(desk, name).note.startswith("✗")
            assert desk.app.focused is field(desk, name).control
            assert (typed(desk, "declaration"), typed(desk, "amount")) == (
                declaration,
                amount,
            )
            await desk.press("escape")


async def test_a_field_is_checked_when_it_is_left_and_again_when_corrected(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        await desk.press("f2")
        await desk.write("I")
        await desk.press("enter")
        assert "at least 4" in field(desk, "declaration").note
        assert not field(desk, "amount").problem
        await desk.press("shift+tab", "end")
        await desk.write("M26")
        assert not field(desk, "declaration").problem


async def test_what_was_typed_waits_after_going_home(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.press("f2")
        await desk.write("IM26")
        await desk.press("tab")
        await desk.write("7.5")
        await desk.press("tab", "down", "escape")
        assert "Begun already: IM26" in desk.text
        await desk.press("f2")
        assert (typed(desk, "declaration"), typed(desk, "amount")) == ("IM26", "7.5")
        assert desk.app.draft.kind is PaymentKind.DEPOSITS
        await desk.press("f6")
        assert desk.app.draft == Draft()
        assert typed(desk, "declaration") == ""


async def test_the_preview_shows_what_will_be_asked_for(counter: FakeCounter) -> None:
    async with sitting(counter, size=(120, 40)) as desk:
        await desk.press("f2", "tab")
        assert previewed(desk) is None
        await desk.write("1,250.5")
        assert previewed(desk) == omr(1_250_500)
        await desk.write("x")
        assert previewed(desk) is None


async def test_an_amount_too_big_for_big_digits_is_shown_whole_in_small(
    counter: FakeCounter,
) -> None:
    async with sitting(counter) as desk:
        screen = PaymentScreen()
        desk.app.push_screen(screen)
        await desk.settle()
        big = BigAmount(omr(99_999_999_999))
        await screen.query_one("#body").mount(big)
        big.styles.width = 20
        await desk.settle()
        assert "99,999,999.999 OMR" in desk.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_enter_alone_leads_through_the_form(
    counter: FakeCounter, size: tuple[int, int]
) -> None:
    async with sitting(counter, size=size) as desk:
        await desk.press("f2")
        await desk.write("IM26")
        await desk.press("enter")
        await desk.write("5")
        await desk.press("enter", "enter")
        assert desk.screen_name == "CardScreen"
