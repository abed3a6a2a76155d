"""Nothing is cut in any window, and every text can be told from its ground."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from textual.color import Color
from textual.containers import VerticalScroll
from textual.errors import NoWidget

from terminal import wording
from terminal.disk import DiskTrouble
from terminal.orders import InterruptedState, RecoveryVerdict
from terminal.widgets.palette import THEMES
from terminal.widgets.words import Words
from terminal.wording_interrupted import (
    interrupted_advice,
    recovered_as_paid,
    warning_advice,
)
from tests.terminal.screens.conftest import (
    FOREIGN,
    LINE_BUSY,
    Desk,
    FakeCounter,
    interrupted_payment,
    omr,
    order,
    outcome,
    paid,
    picture,
    purse,
    sitting,
    too_low,
    unknown,
    waiting_batch,
    wrong_pin,
)

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.theme import Theme

# Texts that are allowed to end in an ellipsis, because what they say is also
# elsewhere on a bigger screen or on the home screen.
ELASTIC = frozenset({"masthead-place", "status-batch"})
CONTRAST_MIN = 4.5
SIZES = [(80, 24), (100, 30), (120, 30), (120, 40)]


def cut_off(desk: Desk) -> list[str]:
    """What does not fit where it stands."""
    screen = desk.app.screen
    cut = [
        f"{words.id or words.classes}: {words.text!r} in {words.size}"
        for words in screen.query(Words)
        if words.region and words.id not in ELASTIC and not _fits(words)
    ]
    cut += [
        f"{words.id or words.classes}: {words.text!r} is hidden"
        for words in screen.query(Words)
        if words.text and _is_displayed(words) and _is_hidden(screen, words)
    ]
    for place in (*screen.query("#body"), *screen.query(VerticalScroll)):
        if place.max_scroll_y:
            cut.append(f"{place.id} scrolls by {place.max_scroll_y}")
    return cut


def _is_displayed(words: Words) -> bool:
    return all(node.display for node in words.ancestors_with_self)


def _is_hidden(screen: Screen[object], words: Words) -> bool:
    """Whether a part of it is outside what contains it."""
    try:
        place = screen.find_widget(words)
    except NoWidget:
        return True
    return place.region.intersection(place.clip) != place.region


def _fits(words: Words) -> bool:
    lines = words.text.splitlines() or [""]
    size = words.content_size
    if words.styles.text_wrap == "nowrap" or size.height == len(lines):
        return max(map(len, lines)) <= size.width
    return words.get_content_height(size, size, size.width) <= size.height


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_nothing_is_cut_on_any_screen(size: tuple[int, int]) -> None:
    counter = FakeCounter()
    counter.now_shown = picture(unsettled=(waiting_batch(),), interrupted=2)
    counter.open = [interrupted_payment()]
    counter.results.extend(
        (wrong_pin(order(), 1), too_low(order()), paid(order()), unknown(order()))
    )
    counter.day = LINE_BUSY
    found: dict[str, list[str]] = {}
    async with sitting(counter, size=size) as desk:

        def look(name: str) -> None:
            if cut := cut_off(desk):
                found[name] = cut

        for name, keys in (
            ("home", ["f9"]),
            ("help", ["f1"]),
            ("leave", ["escape", "f10"]),
            ("interrupted", ["escape", "f7"]),
            ("day", ["escape", "f8"]),
            ("day-done", ["enter"]),
            ("form", ["escape", "f2"]),
            ("form-problem", ["f2"]),
            ("home-again", ["escape"]),
        ):
            await desk.press(*keys)
            look(name)
        await desk.to_card()
        look("waiting")
        counter.insert(FOREIGN)
        await desk.settle()
        look("foreign")
        counter.insert(purse(balance_minor=1_000))
        await desk.settle()
        look("low balance")
        await desk.press(*"1234", "enter")
        look("wrong pin")
        await desk.press(*"1234", "enter")
        look("refused")
        for name in ("paid", "unknown"):
            await desk.press("enter")
            await desk.to_card()
            await desk.press(*"1234", "enter")
            look(name)
        counter.recovered = [outcome(RecoveryVerdict.PAID)]
        counter.insert(purse())
        await desk.settle()
        look("settled")
    assert found == {}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_nothing_is_cut_of_news_warnings_and_trouble_with_the_disk(
    size: tuple[int, int],
) -> None:
    counter = FakeCounter()
    counter.now_shown = replace(
        picture(unsettled=(waiting_batch(),), interrupted=2), disk=DiskTrouble.FULL
    )
    paid_words = recovered_as_paid(omr(12_500), 6, credited=False)
    counter.recovered_at_start = [
        replace(outcome(RecoveryVerdict.PAID, 3), advice=paid_words),
        outcome(RecoveryVerdict.NOT_PAID, 4),
    ]
    counter.open = [
        replace(
            interrupted_payment(number=7, declaration=""),
            advice=interrupted_advice(
                InterruptedState.UNKNOWN, known=False, elsewhere=True
            ),
        )
    ]
    found: dict[str, list[str]] = {}
    async with sitting(counter, size=size) as desk:

        def look(name: str) -> None:
            if cut := cut_off(desk):
                found[name] = cut

        look("news")
        for name, keys in (
            ("full disk", ["enter"]),
            ("list", ["f7"]),
            ("settled", ["down"]),
            ("paid", ["down"]),
        ):
            await desk.press(*keys)
            look(name)
        for trouble in DiskTrouble:
            counter.now_shown = replace(counter.now_shown, disk=trouble)
            counter.seen = wording.card_problem(wording.DISK_PROBLEMS[trouble])
            counter.earlier = []
            desk.app.go_home()
            desk.app.redraw()
            await desk.settle()
            look(f"home {trouble}")
            await desk.to_card()
            look(f"card {trouble}")
        for state, elsewhere in product(InterruptedState, (False, True)):
            words = warning_advice(state, "640000******0001", elsewhere=elsewhere)
            counter.earlier = [replace(interrupted_payment(state), advice=words)]
            desk.app.go_home()
            await desk.to_card()
            look(f"warning {state} {elsewhere}")
            await desk.press("enter")
    assert found == {}


PAIRS = [
    ("foreground", "background"),
    ("foreground", "surface"),
    ("foreground", "panel"),
    ("muted", "background"),
    ("muted", "surface"),
    ("muted", "panel"),
    ("primary", "background"),
    ("primary", "surface"),
    ("primary", "panel"),
    ("success", "background"),
    ("warning", "background"),
    ("error", "background"),
    ("button-color-foreground", "primary"),
    ("cap-text", "cap-ground"),
    ("masthead-text", "masthead-ground"),
    ("masthead-muted", "masthead-ground"),
    ("paid-text", "paid-ground"),
    ("refused-text", "refused-ground"),
    ("unknown-text", "unknown-ground"),
    ("footer-key-foreground", "footer-background"),
    ("footer-description-foreground", "footer-background"),
    ("block-cursor-foreground", "block-cursor-background"),
]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in Color.parse(colour).normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize(("text", "ground"), PAIRS, ids=lambda name: name)
def test_every_text_stands_out_from_its_ground(
    theme: Theme, text: str, ground: str
) -> None:
    colours = theme.to_color_system().generate() | theme.variables
    one, other = luminance(colours[text]), luminance(colours[ground])
    ratio = (max(one, other) + 0.05) / (min(one, other) + 0.05)
    assert ratio >= CONTRAST_MIN


async def test_what_is_higher_than_the_window_is_scrolled_by_keys(
    counter: FakeCounter,
) -> None:
    async with sitting(counter, size=(80, 14)) as desk:
        await desk.press("f8")
        body = desk.app.screen.query_one("#body")
        assert body.max_scroll_y > 0
        await desk.press("down")
        assert body.scroll_y == 1
        await desk.press("pagedown")
        assert body.scroll_y == body.max_scroll_y
        await desk.press("up")
        await desk.press("pageup")
        assert body.scroll_y == 0
