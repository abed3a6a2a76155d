"""The simulated modem alone, as its computer sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.result_codes import ResultCode
from sim.modems.exchange import TelephoneExchange
from sim.modems.modem import ModemState, SimulatedModem


def modem() -> SimulatedModem:
    return TelephoneExchange().near


def say(device: SimulatedModem, text: bytes, now_ms: int = 0) -> bytes:
    device.from_terminal(text, now_ms)
    return device.to_terminal()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        pytest.param(b"AT\r", b"AT\r\r\nOK\r\n", id="at"),
        pytest.param(b"at e0\r", b"at e0\r\r\nOK\r\n", id="lower-case-and-space"),
        pytest.param(b"ATV0\r", b"ATV0\r0\r", id="digits"),
        pytest.param(b"ATQ1\r", b"ATQ1\r", id="quiet"),
        pytest.param(b"ATS0?\r", b"ATS0?\r\r\n000\r\n\r\nOK\r\n", id="read-register"),
        pytest.param(
            b"ATS7=30S7?\r", b"ATS7=30S7?\r\r\n030\r\n\r\nOK\r\n", id="set-register"
        ),
        pytest.param(b"ATS7=300\r", b"ATS7=300\r\r\nERROR\r\n", id="register-too-big"),
        pytest.param(
            b"AT&FE1V1X4&C1&D2S0=0L1M1\r",
            b"AT&FE1V1X4&C1&D2S0=0L1M1\r\r\nOK\r\n",
            id="init-string",
        ),
        pytest.param(b"AT!\r", b"AT!\r\r\nERROR\r\n", id="unknown"),
        pytest.param(b"ATK\r", b"ATK\r\r\nERROR\r\n", id="unknown-letter"),
        pytest.param(b"hello\r", b"hello\r", id="no-prefix"),
        pytest.param(b"+++AT\r", b"+++AT\r\r\nOK\r\n", id="prefix-after-noise"),
        pytest.param(b"ATO\r", b"ATO\r\r\nNO CARRIER\r\n", id="not-online"),
        pytest.param(b"ATA\r", b"ATA\r\r\nNO CARRIER\r\n", id="nothing-rings"),
        pytest.param(b"ATDT\r", b"ATDT\r\r\nERROR\r\n", id="no-number"),
        pytest.param(b"ATX5\r", b"ATX5\r\r\nERROR\r\n", id="no-such-level"),
        pytest.param(b"ATH2\r", b"ATH2\r\r\nERROR\r\n", id="no-such-hook"),
        pytest.param(b"ATQQ0\r", b"ATQQ0\r\r\nOK\r\n", id="no-number-is-0"),
        pytest.param(b"ATK\x08I\x08\r", b"ATK\x08I\x08\r\r\nOK\r\n", id="backspace"),
        pytest.param(
            b"AT+FCLASS?\r", b"AT+FCLASS?\r\r\n0\r\n\r\nOK\r\n", id="fax-asked"
        ),
        pytest.param(b"AT+FCLASS=8\r", b"AT+FCLASS=8\r\r\nERROR\r\n", id="no-voice"),
        pytest.param(
            b"AT+CMEE=1;+CPIN?\r",
            b"AT+CMEE=1;+CPIN?\r\r\n+CPIN: READY\r\n\r\nOK\r\n",
            id="mobile",
        ),
        pytest.param(b"AT+NONE\r", b"AT+NONE\r\r\nERROR\r\n", id="unknown-plus"),
    ],
)
def test_command_line_is_answered(line: bytes, answer: bytes) -> None:
    assert say(modem(), line) == answer


def test_last_line_is_repeated_at_once() -> None:
    device = modem()
    say(device, b"ATE0S9?\r")
    assert say(device, b"A/") == b"\r\n000\r\n\r\nOK\r\n"


def test_line_end_is_a_register() -> None:
    device = modem()
    assert say(device, b"ATE0S3=33\r") == b"ATE0S3=33\r!\nOK!\n"
    assert say(device, b"AT!") == b"!\nOK!\n"


def test_stored_settings_come_back_and_factory_ones_too() -> None:
    device = modem()
    say(device, b"ATE0S7=9&W\r")
    say(device, b"ATE1S7=1\r")
    assert say(device, b"ATZ\r") == b"ATZ\r\r\nOK\r\n"
    assert say(device, b"ATS7?\r") == b"\r\n009\r\n\r\nOK\r\n"
    say(device, b"AT&F\r")
    assert say(device, b"ATS7?\r").startswith(b"ATS7?\r\r\n050\r\n")


def test_reset_restores_the_settings() -> None:
    device = modem()
    say(device, b"ATE0V0\r")
    assert say(device, b"ATS0?\r") == b"\r\n000\r\n0\r"
    assert say(device, b"ATZ\r") == b"\r\nOK\r\n"
    assert say(device, b"AT\r") == b"AT\r\r\nOK\r\n"


def test_silent_modem_says_nothing() -> None:
    device = modem()
    device.silent = True
    device.ring(0)
    assert say(device, b"AT\r") == b""


def connected() -> tuple[TelephoneExchange, SimulatedModem]:
    exchange = TelephoneExchange()
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    exchange.on_timer(200)
    exchange.far.from_terminal(b"ATE0A\r", 300)
    exchange.on_timer(600)
    exchange.far.to_terminal()
    assert exchange.near.to_terminal().endswith(b"\r\nCONNECT 9600\r\n")
    return exchange, exchange.near


@pytest.mark.parametrize(
    ("pieces", "escaped"),
    [
        pytest.param([(2_000, b"+++")], True, id="guarded"),
        pytest.param([(2_000, b"+"), (2_100, b"+"), (2_200, b"+")], True, id="typed"),
        pytest.param([(1_990, b"x"), (2_000, b"+++")], False, id="no-guard-before"),
        pytest.param([(2_000, b"+++"), (2_500, b"x")], False, id="no-guard-after"),
        pytest.param([(2_000, b"++++")], False, id="four"),
        pytest.param([(2_000, b"x+++")], False, id="in-data"),
    ],
)
def test_escape_sequence_needs_its_guard_times(
    pieces: list[tuple[int, bytes]],
    escaped: bool,
) -> None:
    exchange, device = connected()
    exchange.on_timer(1_000)
    for now_ms, data in pieces:
        device.from_terminal(data, now_ms)
    for now_ms in range(3_000, 5_000, 100):
        exchange.on_timer(now_ms)
    assert (device.state is ModemState.ESCAPED) == escaped
    assert device.to_terminal() == (b"\r\nOK\r\n" if escaped else b"")


def test_escaped_modem_goes_back_online() -> None:
    exchange, device = connected()
    device.from_terminal(b"+++", 5_000)
    exchange.on_timer(6_000)
    assert say(device, b"ATO\r", 6_100) == b"\r\nOK\r\n\r\nCONNECT\r\n"
    device.from_terminal(b"hello", 6_200)
    exchange.on_timer(7_000)
    assert exchange.far.to_terminal().endswith(b"hello")


def test_dtr_low_hangs_up() -> None:
    _, device = connected()
    device.set_dtr(False, 700)
    assert device.to_terminal() == b"\r\nNO CARRIER\r\n"
    assert not device.carrier


@pytest.mark.parametrize(
    ("level", "carrier", "said"),
    [
        pytest.param(0, True, b"", id="ignored"),
        pytest.param(1, True, b"\r\nOK\r\n", id="to-command-state"),
        pytest.param(2, False, b"\r\nNO CARRIER\r\n", id="hang-up"),
        pytest.param(3, False, b"\r\nNO CARRIER\r\n", id="hang-up-and-reset"),
    ],
)
def test_level_decides_what_dtr_does(level: int, carrier: bool, said: bytes) -> None:
    exchange, device = connected()
    device.from_terminal(b"+++", 5_000)
    exchange.on_timer(6_000)
    say(device, b"AT&D%dO\r" % level, 6_100)
    device.set_dtr(False, 7_000)
    device.set_dtr(False, 7_100)
    assert device.to_terminal() == said
    assert device.carrier is carrier
    assert device.profile.echo is (level == 3)


def test_carrier_line_follows_the_carrier_unless_it_is_told_not_to() -> None:
    told_not_to = modem()
    seen = [told_not_to.dcd]
    say(told_not_to, b"AT&C0\r")
    seen.append(told_not_to.dcd)
    exchange, device = connected()
    seen.append(device.dcd)
    exchange.drop(1_000)
    seen.append(device.dcd)
    assert seen == [False, True, True, False]


def test_nobody_is_answered_without_dtr() -> None:
    exchange = TelephoneExchange()
    exchange.far.from_terminal(b"ATE0S0=1\r", 0)
    exchange.near.from_terminal(b"ATDT1\r", 0)
    seen = []
    for start_ms, dtr in ((0, False), (3_000, True)):
        exchange.far.set_dtr(dtr, start_ms)
        for now_ms in range(start_ms, start_ms + 3_000, 100):
            exchange.on_timer(now_ms)
        seen.append((exchange.far.ringing, exchange.far.carrier))
    assert seen == [(True, False), (False, True)]


def test_rings_are_counted_in_a_register() -> None:
    exchange = TelephoneExchange()
    exchange.near.from_terminal(b"ATDT1\r", 0)
    for now_ms in range(0, 3_000, 100):
        exchange.on_timer(now_ms)
    assert b"\r\n002\r\n" in say(exchange.far, b"ATS1?\r", 3_000)


def test_escape_sequence_can_be_switched_off() -> None:
    exchange, device = connected()
    device.profile.registers[2] = 128
    device.from_terminal(b"+++", 5_000)
    device.from_terminal(b"\x80\x80\x80", 8_000)
    exchange.on_timer(12_000)
    assert device.state is ModemState.DATA


def test_key_pressed_while_dialling_aborts() -> None:
    device = modem()
    say(device, b"ATE0DT1\r")
    assert say(device, b"\n") == b""
    assert say(device, b" ") == b"\r\nNO CARRIER\r\n"


def test_automatic_answer_after_some_rings() -> None:
    exchange = TelephoneExchange()
    exchange.far.from_terminal(b"ATS0=2\r", 0)
    exchange.near.from_terminal(b"ATDT1\r", 0)
    for now_ms in range(0, 4_000, 100):
        exchange.on_timer(now_ms)
    said = exchange.far.to_terminal()
    assert said.count(ResultCode.RING.verbose.encode()) == 2
    assert said.endswith(b"CONNECT 9600\r\n")


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_never_raise(lines: list[bytes]) -> None:
    exchange = TelephoneExchange()
    for now_ms, line in enumerate(lines):
        exchange.near.from_terminal(b"AT" + line + b"\r", now_ms * 400)
        exchange.far.from_terminal(line, now_ms * 400)
        exchange.on_timer(now_ms * 400)
        exchange.near.to_terminal()
