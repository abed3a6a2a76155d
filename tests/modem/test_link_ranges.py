"""Ranges and the order of pieces, against plain sets of positions."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.link_ranges import Ranges
from modem.link_receive import RECEIVE_BYTES_MAX, Reorderer

spans = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(
    lambda span: (span[0], span[0] + span[1])
)


def filled(added: list[tuple[int, int]]) -> tuple[Ranges, set[int]]:
    ranges = Ranges()
    plain: set[int] = set()
    for start, end in added:
        ranges.add(start, end)
        plain |= set(range(start, end))
    return ranges, plain


def positions(parts: list[tuple[int, int]]) -> set[int]:
    return {position for start, end in parts for position in range(start, end)}


@given(st.lists(spans, max_size=12))
def test_ranges_are_sorted_apart_and_complete(added: list[tuple[int, int]]) -> None:
    ranges, plain = filled(added)
    parts = list(ranges)
    assert positions(parts) == plain
    assert all(end < after for (_, end), (after, _) in pairwise(parts))


@given(st.lists(spans, max_size=12), spans)
def test_missing_and_covered_are_what_a_set_says(
    added: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    ranges, plain = filled(added)
    wanted = set(range(*asked))
    assert positions(ranges.missing(*asked)) == wanted - plain
    assert ranges.covers(*asked) == (wanted <= plain)


@given(st.lists(spans, max_size=12), st.integers(0, 80))
def test_what_lies_below_is_dropped(
    added: list[tuple[int, int]], position: int
) -> None:
    ranges, plain = filled(added)
    ranges.drop_below(position)
    assert positions(list(ranges)) == {one for one in plain if one >= position}


@given(st.lists(spans, min_size=1, max_size=12), st.integers(1, 20))
def test_first_positions_are_taken_out(added: list[tuple[int, int]], size: int) -> None:
    ranges, plain = filled(added)
    start, end = ranges.take_first(size)
    assert start == min(plain)
    assert 1 <= end - start <= size
    assert positions(list(ranges)) == plain - set(range(start, end))


@pytest.mark.parametrize("begin", [0, 0x7FF0, 3 * 0x8000 - 5])
@given(pieces=st.lists(spans, max_size=30), seed=st.integers(0, 9))
def test_pieces_in_any_order_give_the_stream_once(
    begin: int, pieces: list[tuple[int, int]], seed: int
) -> None:
    stream = random.Random(seed).randbytes(begin + 80)
    reorderer = Reorderer()
    received = bytearray()
    for start in range(0, begin, 1000):
        end = min(begin, start + 1000)
        received += reorderer.receive(start % 0x8000, stream[start:end])
    seen: set[int] = set()
    for start, end in pieces:
        piece = stream[begin + start : begin + end]
        received += reorderer.receive((begin + start) % 0x8000, piece)
        seen |= set(range(start, end))
        in_order = next(one for one in range(100) if one not in seen)
        assert received == stream[: begin + in_order]
        assert reorderer.next_offset == (begin + in_order) % 0x8000
        told = begin + in_order
        held: set[int] = set()
        for missing, count in reorderer.held():
            held |= set(range(told + missing - begin, told + missing + count - begin))
            told += missing + count
        assert held == {one for one in seen if one > in_order}


def test_what_lies_too_far_ahead_is_not_held() -> None:
    reorderer = Reorderer()
    assert reorderer.receive(RECEIVE_BYTES_MAX - 1, b"ab") == b""
    assert reorderer.held() == ()
    assert reorderer.receive(RECEIVE_BYTES_MAX - 1, b"a") == b""
    assert reorderer.held() == ((RECEIVE_BYTES_MAX - 1, 1),)
