"""Scripts of what dialled calls come to."""

from __future__ import annotations

import pytest

from sim.modems.line import LineSettings
from sim.modems.script import Attempt, Outcome, Script, ScriptError, read_script

EVERYTHING = """
# the bank's first number is engaged
555-1234: busy
no-answer   # and then nobody
connect garbage=40 cut-after=2500 cut-at=12.5 near-hangs-up-after=1
connect far-hangs-up-after=2 near-dead-after=3 far-dead-after=4
connect rate=2400 delay=600 bit-error-rate=1e-4
"""


def test_every_word_of_a_script_is_read() -> None:
    assert read_script(EVERYTHING) == (
        Attempt(outcome=Outcome.BUSY, number="555-1234"),
        Attempt(outcome=Outcome.NO_ANSWER),
        Attempt(
            garbage_bytes=40,
            cut_after_bytes=2_500,
            cut_after_ms=12_500,
            near_hangs_up_after_bytes=1,
        ),
        Attempt(
            far_hangs_up_after_bytes=2, near_dead_after_bytes=3, far_dead_after_bytes=4
        ),
        Attempt(rate_bps=2_400, delay_ms=600, bit_error_rate=1e-4),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("busy\nengaged", r"line 2: 'engaged' is none of connect, busy"),
        ("555:", r"line 1: '' is none of"),
        ("bank: busy", r"line 1: 'bank' is no number"),
        ("connect cut=3", r"'cut' is none of garbage, cut-after"),
        ("connect cut-after", r"'cut-after' needs a number"),
        ("connect cut-after=nan", r"out of range"),
        ("connect rate=0", r"out of range"),
        ("connect bit-error-rate=1", r"out of range"),
        ("connect delay=-1", r"'delay=-1' is out of range: 0 to 10,000"),
        ("connect delay=1e5", r"out of range"),
        ("connect garbage=1e9", r"out of range: 0 to 1,000,000"),
        ("connect cut-at=inf", r"out of range"),
        ("connect cut-after=2.5", r"'cut-after=2.5' needs a whole number"),
        ("connect cut-after=10 cut-after=20", r"'cut-after' is there twice"),
        ("connect rate=300 rate=300", r"'rate' is there twice"),
        ("busy cut-after=10", r"'cut-after=10' has no meaning after busy"),
    ],
)
def test_wrong_script_is_refused_by_line_and_reason(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        read_script(text)


def test_call_that_connects_in_the_end_may_have_words_too() -> None:
    [attempt] = read_script("strange-dialtone cut-after=10")
    assert attempt.cut_after_bytes == 10


def test_entries_are_used_up_in_order() -> None:
    script = Script([Outcome.BUSY, Attempt(outcome=Outcome.ERROR, number="2")])
    assert script.take("2").outcome is Outcome.BUSY
    assert script.take("1").outcome is Outcome.CONNECT
    assert script.take("2").outcome is Outcome.ERROR
    assert script.take("2") == Attempt()


def test_attempt_changes_only_what_it_names() -> None:
    line = LineSettings(rate_bps=9_600, delay_ms=7, bit_error_rate=1e-5)
    assert Attempt().on(line) == line
    assert Attempt(rate_bps=300, bit_error_rate=0.0).on(line) == LineSettings(
        rate_bps=300, delay_ms=7
    )
