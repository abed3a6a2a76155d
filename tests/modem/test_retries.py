"""When which number is dialled again."""

from __future__ import annotations

import pytest

from modem.dial_plan import DialPlan
from modem.result_codes import ResultCode as R
from modem.retries import Retries


def none(_most: int) -> int:
    return 0


def run(plan: DialPlan, *causes: R) -> list[tuple[str, int] | None]:
    """The next number and the rest before it, after each cause."""
    retries = Retries(plan, none)
    now_ms = 0
    told: list[tuple[str, int] | None] = []
    for cause in causes:
        pause_ms = retries.pause_ms(cause, now_ms)
        if pause_ms is None:
            return [*told, None]
        now_ms += pause_ms
        told.append((retries.number, pause_ms))
    return told


TWO = DialPlan(numbers=("111", "222"), rounds=2)
ONE = DialPlan(numbers=("111",), rounds=3)


def test_pauses_grow_with_each_round_up_to_the_longest() -> None:
    plan = DialPlan(numbers=("111",), rounds=8, pause_ms=2_000, pause_ms_max=20_000)
    pauses = [found[1] for found in run(plan, *[R.BUSY] * 7) if found]
    assert pauses == [2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000]


def test_a_busy_number_is_dialled_sooner_than_one_that_does_not_answer() -> None:
    assert run(ONE, R.BUSY) == [("111", 2_000)]
    assert run(ONE, R.NO_ANSWER) == [("111", 4_000)]


def test_numbers_are_taken_in_turn_and_end_with_the_last_round() -> None:
    assert run(TWO, *[R.BUSY] * 4) == [
        ("222", 2_000),
        ("111", 2_000),
        ("222", 4_000),
        None,
    ]


@pytest.mark.parametrize("cause", [R.NO_DIALTONE, R.NO_PROMPTTONE])
def test_no_other_number_is_dialled_on_a_dead_line(cause: R) -> None:
    assert run(TWO, cause) == [None]


@pytest.mark.parametrize(
    "cause", [R.BLACKLISTED, R.BLACKLIST_FULL, R.ERROR, R.CME_ERROR, R.CMS_ERROR]
)
def test_a_number_that_is_refused_is_not_dialled_again(cause: R) -> None:
    assert run(TWO, cause, R.BUSY, R.BUSY) == [("222", 2_000), ("222", 2_000), None]
    assert run(ONE, cause) == [None]


def test_a_delayed_number_is_left_alone_for_a_minute() -> None:
    assert run(ONE, R.DELAYED) == [("111", 60_000)]
    assert run(TWO, R.DELAYED, R.BUSY) == [("222", 2_000), ("111", 58_000)]


def test_a_line_in_use_is_waited_for_with_the_same_number() -> None:
    assert run(TWO, R.LINE_IN_USE) == [("111", 8_000)]
    ends = run(TWO, *[R.LINE_IN_USE] * 10)
    assert ends[-1] is None


@pytest.mark.parametrize("cause", [code for code in R if code is not R.CONNECT])
def test_every_cause_comes_to_an_end(cause: R) -> None:
    plan = DialPlan(numbers=("1", "2", "3"), rounds=10)
    told = run(plan, *[cause] * 31)
    assert told[-1] is None
    assert len(told) <= 30


def test_jitter_adds_up_to_a_quarter() -> None:
    asked: list[int] = []

    def most(limit: int) -> int:
        asked.append(limit)
        return limit

    assert Retries(ONE, most).pause_ms(R.BUSY, 0) == 2_500
    assert asked == [500]
