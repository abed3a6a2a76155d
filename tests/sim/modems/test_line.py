from __future__ import annotations

import random

import pytest

from sim.modems.line import LineSettings, Wire


def wire(**settings: float) -> Wire:
    return Wire(LineSettings(**settings), random.Random(1))  # type: ignore[arg-type] # a table of numbers


def receive_all(line: Wire) -> tuple[int, bytes]:
    now_ms, data = 0, b""
    while (deadline_ms := line.deadline_ms()) is not None:
        now_ms = max(now_ms, deadline_ms)
        data += line.receive(now_ms)
    return now_ms, data


@pytest.mark.parametrize(
    ("rate_bps", "delay_ms", "size", "at_ms"),
    [
        pytest.param(9_600, 100, 960, 1_100, id="9600"),
        pytest.param(1_200, 0, 120, 1_000, id="1200"),
        pytest.param(33_600, 600, 3_360, 1_600, id="33600"),
    ],
)
def test_bytes_take_ten_bits_each_and_the_delay(
    rate_bps: int, delay_ms: int, size: int, at_ms: int
) -> None:
    line = wire(rate_bps=rate_bps, delay_ms=delay_ms)
    line.send(bytes(size), 0)
    arrived_ms, data = receive_all(line)
    assert data == bytes(size)
    assert abs(arrived_ms - at_ms) <= 2


def test_bytes_queue_up_behind_each_other() -> None:
    line = wire(rate_bps=9_600, delay_ms=0)
    line.send(bytes(96), 0)
    line.send(bytes(96), 0)
    assert line.backlog_bytes(100) in range(95, 98)
    assert line.receive(99) == bytes(80)
    assert receive_all(line)[0] in range(200, 202)


def test_clean_line_changes_nothing() -> None:
    line = wire()
    sent = random.Random(2).randbytes(10_000)
    line.send(sent, 0)
    assert receive_all(line)[1] == sent


def test_noise_turns_over_its_share_of_the_bits() -> None:
    line = wire(rate_bps=1_000_000, bit_error_rate=1e-2)
    line.send(bytes(100_000), 0)
    turned = sum(byte.bit_count() for byte in receive_all(line)[1])
    assert 7_500 < turned < 8_500


def test_same_seed_makes_the_same_noise() -> None:
    first, second = (wire(bit_error_rate=1e-3) for _ in range(2))
    for line in (first, second):
        line.send(bytes(5_000), 0)
    assert receive_all(first) == receive_all(second)


def test_cleared_line_is_empty() -> None:
    line = wire()
    line.send(b"gone", 0)
    line.clear()
    assert line.deadline_ms() is None
    assert line.receive(10_000) == b""


@pytest.mark.parametrize(
    "settings",
    [{"rate_bps": 0}, {"delay_ms": -1}, {"bit_error_rate": 1.0}],
    ids=["rate", "delay", "noise"],
)
def test_impossible_lines_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"line|rate"):
        wire(**settings)
