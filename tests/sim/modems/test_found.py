"""Modems that others have used before, and what a program meets there."""

from __future__ import annotations

import pytest

from sim.modems.exchange import TelephoneExchange
from sim.modems.found import Found, leave


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        pytest.param(Found.FRESH, b"AT\r\r\nOK\r\n", id="fresh"),
        pytest.param(Found.NO_ECHO, b"\r\nOK\r\n", id="no-echo"),
        pytest.param(Found.NUMERIC, b"AT\r0\r", id="numeric"),
        pytest.param(Found.QUIET, b"AT\r", id="quiet"),
        pytest.param(Found.OFF_HOOK, b"AT\r\r\nOK\r\n", id="off-hook"),
        pytest.param(Found.ONLINE, b"", id="online"),
        pytest.param(Found.NO_ESCAPE, b"", id="no-escape"),
        pytest.param(Found.ESCAPED, b"AT\r\r\nOK\r\n", id="escaped"),
    ],
)
def test_modem_answers_as_it_was_left(state: Found, answer: bytes) -> None:
    exchange = TelephoneExchange()
    leave(exchange, exchange.near, state, 0)
    exchange.near.from_terminal(b"AT\r", 5_000)
    assert exchange.near.to_terminal() == answer
    in_a_call = state in (Found.ONLINE, Found.NO_ESCAPE, Found.ESCAPED)
    assert exchange.near.carrier is exchange.far.carrier is in_a_call
    assert exchange.near.free is not (in_a_call or state is Found.OFF_HOOK)
    assert exchange.far.to_terminal() == b""


def test_command_half_typed_swallows_the_next_one() -> None:
    exchange = TelephoneExchange()
    leave(exchange, exchange.near, Found.HALF_TYPED, 0)
    exchange.near.from_terminal(b"AT\r", 0)
    exchange.on_timer(200)
    assert b"RING" in exchange.far.to_terminal()


@pytest.mark.parametrize("state", [Found.ONLINE, Found.NO_ESCAPE])
def test_escape_sequence_is_heard_unless_it_is_switched_off(state: Found) -> None:
    exchange = TelephoneExchange()
    leave(exchange, exchange.near, state, 0)
    exchange.near.from_terminal(b"+++", 5_000)
    exchange.on_timer(6_000)
    heard = exchange.near.to_terminal() == b"\r\nOK\r\n"
    assert heard is (state is Found.ONLINE)
