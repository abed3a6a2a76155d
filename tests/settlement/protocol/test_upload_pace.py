"""How large groups are after calls that were cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from settlement.detail_groups import GROUP_PAYMENTS_MAX
from settlement.upload_pace import GROUP_PAYMENTS_SMALLEST, UploadPace
from terminal.redial import FRUITLESS_CALLS_MAX


def slowed(*, calls: int) -> UploadPace:
    """After so many fruitless calls in a row."""
    pace = UploadPace()
    for _ in range(calls):
        pace.call_cut(fruitless=True)
    return pace


def seen(pace: UploadPace) -> tuple[int, bool]:
    return pace.payments, pace.one_at_a_time


def test_a_line_that_holds_has_the_largest_groups_several_at_a_time() -> None:
    pace = UploadPace()
    assert seen(pace) == (GROUP_PAYMENTS_MAX, False)
    pace.group_acknowledged()
    assert seen(pace) == (GROUP_PAYMENTS_MAX, False)


def test_each_fruitless_call_halves_the_groups_down_to_the_smallest() -> None:
    assert [seen(slowed(calls=calls)) for calls in range(1, 5)] == [
        (16, True),
        (8, True),
        (8, True),
        (8, True),
    ]


def test_the_last_call_before_the_day_gives_up_has_the_smallest_groups() -> None:
    pace = slowed(calls=FRUITLESS_CALLS_MAX - 1)
    assert pace.payments == GROUP_PAYMENTS_SMALLEST


def test_groups_grow_as_they_are_acknowledged_until_all_is_as_always() -> None:
    pace = slowed(calls=2)
    steps = []
    for _ in range(4):
        pace.group_acknowledged()
        steps.append(seen(pace))
    assert steps == [(16, True), (32, True), (32, False), (32, False)]


@pytest.mark.parametrize(("acknowledged", "passed"), [(1, 8), (2, 16)])
def test_a_cut_call_that_brought_something_is_followed_by_the_size_that_passed(
    acknowledged: int, passed: int
) -> None:
    pace = slowed(calls=2)
    for _ in range(acknowledged):
        pace.group_acknowledged()
    pace.call_cut(fruitless=False)
    assert seen(pace) == (passed, True)


def test_what_passed_in_an_earlier_call_counts_no_more() -> None:
    pace = slowed(calls=1)
    pace.group_acknowledged()
    pace.call_cut(fruitless=False)
    pace.call_cut(fruitless=True)
    # The bank held something that no answer had told of: no group passed in this call.
    pace.call_cut(fruitless=False)
    assert seen(pace) == (8, True)


def test_a_line_that_brings_large_groups_through_and_is_cut_stays_as_always() -> None:
    pace = UploadPace()
    pace.group_acknowledged()
    pace.call_cut(fruitless=False)
    assert seen(pace) == (GROUP_PAYMENTS_MAX, False)


@pytest.mark.parametrize(("largest", "size"), [(32, 32), (5, 5), (1, 1)])
def test_no_group_is_made_smaller_than_the_smallest_or_than_it_was(
    largest: int, size: int
) -> None:
    pace = UploadPace(largest=largest, smallest=GROUP_PAYMENTS_MAX)
    pace.call_cut(fruitless=True)
    assert pace.payments == size


@pytest.mark.parametrize(("largest", "smallest"), [(0, 1), (33, 8), (8, 0)])
def test_a_size_that_is_none_is_a_mistake(largest: int, smallest: int) -> None:
    with pytest.raises(AssertionError):
        UploadPace(largest=largest, smallest=smallest)


def test_the_sizes_are_documented() -> None:
    document = Path(__file__).parents[3] / "docs" / "modem-link.md"
    text = " ".join(document.read_text(encoding="utf-8").split())
    assert (
        f"{GROUP_PAYMENTS_MAX} payments, then 16, then {GROUP_PAYMENTS_SMALLEST}"
    ) in text
