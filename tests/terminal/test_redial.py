"""How often a call that was cut is made again."""

from __future__ import annotations

from pathlib import Path

from terminal.redial import CALLS_MAX, FRUITLESS_CALLS_MAX, Redial


def calls_until_given_up(*, brings: bool) -> int:
    redial = Redial()
    calls = 0
    while True:
        redial.call_begins()
        calls += 1
        if brings:
            redial.bank_confirmed()
        if not redial.goes_on_after_cut():
            return calls


def test_calls_that_bring_something_go_on_up_to_a_limit() -> None:
    assert calls_until_given_up(brings=True) == CALLS_MAX


def test_calls_that_bring_nothing_are_soon_given_up() -> None:
    assert calls_until_given_up(brings=False) == FRUITLESS_CALLS_MAX


def test_a_call_that_brings_something_gives_the_line_new_credit() -> None:
    redial = Redial()
    for brings in (False, False, True, False, False):
        redial.call_begins()
        if brings:
            redial.bank_confirmed()
        assert redial.goes_on_after_cut()
    redial.call_begins()
    assert not redial.goes_on_after_cut()


def test_the_limits_are_documented() -> None:
    document = Path(__file__).parents[2] / "docs" / "terminal.md"
    text = " ".join(document.read_text(encoding="utf-8").split())
    assert f"at most {CALLS_MAX} calls in one end of day" in text
    assert f"at most {FRUITLESS_CALLS_MAX} in a row that bring nothing" in text
