"""Two simulated modems and the network between them."""

from __future__ import annotations

import pytest

from sim.modems.exchange import ExchangeSettings, Outcome, TelephoneExchange
from sim.modems.line import LineSettings

SETTINGS = ExchangeSettings(line=LineSettings(rate_bps=9_600, delay_ms=100))


def run(exchange: TelephoneExchange, start_ms: int, end_ms: int) -> tuple[bytes, bytes]:
    """What both modems say in that time."""
    near, far = b"", b""
    for now_ms in range(start_ms, end_ms, 20):
        exchange.on_timer(now_ms)
        near += exchange.near.to_terminal()
        far += exchange.far.to_terminal()
    return near, far


def connect(exchange: TelephoneExchange, at_ms: int = 0) -> None:
    exchange.near.from_terminal(b"ATE0DT5551234\r", at_ms)
    near, far = run(exchange, at_ms, at_ms + 400)
    assert far.endswith(b"\r\nRING\r\n")
    exchange.far.from_terminal(b"ATE0A\r", at_ms + 400)
    near, far = run(exchange, at_ms + 400, at_ms + 800)
    assert near.endswith(b"\r\nCONNECT 9600\r\n")
    assert far.endswith(b"\r\nCONNECT 9600\r\n")


def test_call_carries_bytes_both_ways_at_the_rate_of_the_line() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.from_terminal(bytes(960), 1_000)
    exchange.far.from_terminal(b"hello", 1_000)
    near, far = run(exchange, 1_000, 1_900)
    assert near == b"hello"
    assert 700 < len(far) < 800
    _, rest = run(exchange, 1_900, 2_200)
    assert len(far + rest) == 960


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        pytest.param(Outcome.BUSY, b"BUSY", id="busy"),
        pytest.param(Outcome.NO_ANSWER, b"NO ANSWER", id="no-answer"),
        pytest.param(Outcome.NO_CARRIER, b"NO CARRIER", id="no-carrier"),
        pytest.param(Outcome.NO_DIALTONE, b"NO DIALTONE", id="no-dialtone"),
    ],
)
def test_script_decides_the_first_calls(outcome: Outcome, word: bytes) -> None:
    exchange = TelephoneExchange(SETTINGS, script=[outcome])
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    near, far = run(exchange, 0, 1_000)
    assert near.endswith(b"\r\n" + word + b"\r\n")
    assert far == b""
    connect(exchange, 1_000)


def test_hanging_up_reaches_the_other_side_after_the_delay() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.from_terminal(b"bye", 2_000)
    exchange.near.from_terminal(b"+++", 4_000)
    run(exchange, 2_000, 5_200)
    exchange.near.from_terminal(b"ATH\r", 5_200)
    _, far = run(exchange, 5_200, 5_280)
    assert far == b""
    _, far = run(exchange, 5_280, 5_400)
    assert far == b"\r\nNO CARRIER\r\n"
    assert not exchange.far.carrier


def test_next_call_may_follow_at_once() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.set_dtr(False, 1_000)
    connect(exchange, 1_010)
    assert exchange.calls_connected == 2


def test_cut_line_tells_both_sides() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.from_terminal(bytes(500), 1_000)
    exchange.drop(1_100)
    near, far = run(exchange, 1_100, 3_000)
    assert near == b"\r\nNO CARRIER\r\n"
    assert far == b"\r\nNO CARRIER\r\n"
    assert exchange.deadline_ms() is None


def test_caller_who_gives_up_stops_the_ringing() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.near.from_terminal(b"ATDT1\r", 0)
    run(exchange, 0, 1_000)
    exchange.near.from_terminal(b"\r", 1_000)
    near, far = run(exchange, 1_000, 10_000)
    assert near == b"\r\nNO CARRIER\r\n"
    assert far == b""
    exchange.far.from_terminal(b"ATE0A\r", 10_000)
    assert exchange.far.to_terminal().endswith(b"NO CARRIER\r\n")


def test_ringing_ends_after_the_callers_patience() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.near.from_terminal(b"ATS7=5DT1\r", 0)
    near, far = run(exchange, 0, 8_000)
    assert near.endswith(b"\r\nNO ANSWER\r\n")
    assert far.count(b"RING") == 3


def test_both_dialling_meets_a_busy_line() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    exchange.far.from_terminal(b"ATE0DT2\r", 10)
    assert exchange.far.to_terminal().endswith(b"BUSY\r\n")


def test_modem_holds_its_computer_back_while_the_line_is_busy() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.from_terminal(bytes(1_000), 1_000)
    assert exchange.room_bytes(exchange.near, 1_000) < 50
    assert exchange.room_bytes(exchange.near, 1_500) > 400
    assert exchange.room_bytes(exchange.far, 1_000) == 1_024
