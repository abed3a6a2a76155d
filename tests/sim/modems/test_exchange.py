"""Two simulated modems and the network between them."""

from __future__ import annotations

import pytest

from sim.modems.exchange import (
    Attempt,
    ExchangeSettings,
    LineStatistics,
    Outcome,
    TelephoneExchange,
)
from sim.modems.line import LineSettings
from sim.modems.modem import ModemState

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
        pytest.param(Outcome.STRANGE_DIALTONE, b"NO DIALTONE", id="strange-dialtone"),
        pytest.param(Outcome.ERROR, b"ERROR", id="error"),
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
    exchange.far.from_terminal(b"ATE0DT2\r", 0)
    near, far = run(exchange, 0, 300)
    assert b"\r\nBUSY\r\n" in near
    assert far == b"ATE0DT2\r"


def test_modem_holds_its_computer_back_while_the_line_is_busy() -> None:
    exchange = TelephoneExchange(SETTINGS)
    connect(exchange)
    exchange.near.from_terminal(bytes(1_000), 1_000)
    assert exchange.room_bytes(exchange.near, 1_000) < 50
    assert exchange.room_bytes(exchange.near, 1_500) > 400
    assert exchange.room_bytes(exchange.far, 1_000) == 1_024


@pytest.mark.parametrize(
    ("level", "outcome", "word"),
    [
        pytest.param(0, Outcome.BUSY, b"NO CARRIER", id="x0-busy"),
        pytest.param(2, Outcome.BUSY, b"NO CARRIER", id="x2-busy"),
        pytest.param(3, Outcome.BUSY, b"BUSY", id="x3-busy"),
        pytest.param(1, Outcome.NO_DIALTONE, b"NO CARRIER", id="x1-dead-line"),
        pytest.param(2, Outcome.NO_DIALTONE, b"NO DIALTONE", id="x2-dead-line"),
        pytest.param(3, Outcome.NO_DIALTONE, b"NO CARRIER", id="x3-dead-line"),
        pytest.param(0, Outcome.NO_ANSWER, b"NO ANSWER", id="x0-no-answer"),
    ],
)
def test_result_level_decides_what_the_modem_tells(
    level: int, outcome: Outcome, word: bytes
) -> None:
    exchange = TelephoneExchange(SETTINGS, script=[outcome])
    exchange.near.from_terminal(b"ATE0X%dDT1\r" % level, 0)
    near, _ = run(exchange, 0, 1_000)
    assert near.endswith(b"\r\n" + word + b"\r\n")


@pytest.mark.parametrize(
    ("command", "connects"),
    [
        pytest.param(b"ATE0X3DT1\r", True, id="x3-dials-blindly"),
        pytest.param(b"ATE0X4DT1\r", False, id="x4-waits"),
        pytest.param(b"ATE0X3DTW1\r", False, id="w-waits"),
    ],
)
def test_tone_that_the_modem_does_not_know_is_dialled_blindly_only(
    command: bytes, connects: bool
) -> None:
    exchange = TelephoneExchange(SETTINGS, script=[Outcome.STRANGE_DIALTONE])
    exchange.near.from_terminal(command, 0)
    _, far = run(exchange, 0, 1_000)
    assert far.endswith(b"RING\r\n") is connects


def test_rate_is_not_told_at_the_lowest_level() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.near.from_terminal(b"ATE0X0DT1\r", 0)
    exchange.far.from_terminal(b"ATE0V0S0=1\r", 0)
    near, far = run(exchange, 0, 1_000)
    assert near.endswith(b"\r\nCONNECT\r\n")
    assert far.endswith(b"2\r12\r")


def test_comma_takes_its_time() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.near.from_terminal(b"ATE0S8=3DT0,,1\r", 0)
    assert run(exchange, 0, 6_100)[1] == b""
    assert run(exchange, 6_100, 6_300)[1].endswith(b"RING\r\n")


def test_script_entry_waits_for_its_number() -> None:
    script: list[Attempt | Outcome] = [
        Attempt(outcome=Outcome.BUSY, number="555-4321"),
        Outcome.NO_CARRIER,
    ]
    exchange = TelephoneExchange(SETTINGS, script=script)
    said = []
    for start_ms, number in ((0, b"5551234"), (1_000, b"555 4321"), (2_000, b"1")):
        exchange.near.from_terminal(b"ATE0DT" + number + b"\r", start_ms)
        said.append(run(exchange, start_ms, start_ms + 1_000))
    assert said[0][0].endswith(b"NO CARRIER\r\n")
    assert said[1][0].endswith(b"BUSY\r\n")
    assert said[2][1].endswith(b"RING\r\n")


def test_callers_reach_the_free_modems_of_one_number() -> None:
    exchange = TelephoneExchange(SETTINGS, callers=3, answerers=2)
    for modem in exchange.modems:
        modem.from_terminal(b"ATE0S0=1\r", 0)
    for caller in exchange.callers:
        caller.from_terminal(b"ATDT5551234\r", 100)
    for now_ms in range(100, 1_500, 20):
        exchange.on_timer(now_ms)
    first, second, third = exchange.callers
    assert first.carrier
    assert second.carrier
    assert third.to_terminal().endswith(b"BUSY\r\n")
    first.from_terminal(b"one", 1_500)
    second.from_terminal(b"two", 1_500)
    for now_ms in range(1_500, 2_000, 20):
        exchange.on_timer(now_ms)
    heard = [modem.to_terminal()[-3:] for modem in exchange.answerers]
    assert heard == [b"one", b"two"]
    assert exchange.calls_connected == 2


def test_modem_with_the_handset_lifted_is_busy() -> None:
    exchange = TelephoneExchange(SETTINGS)
    exchange.far.from_terminal(b"ATE0H1\r", 0)
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    assert run(exchange, 0, 1_000)[0].endswith(b"BUSY\r\n")
    exchange.far.from_terminal(b"ATH0\r", 1_000)
    connect(exchange, 1_000)


def connected(
    attempt: Attempt, line_back: LineSettings | None = None
) -> TelephoneExchange:
    exchange = TelephoneExchange(
        ExchangeSettings(line=SETTINGS.line, line_back=line_back),
        script=[attempt],
        seed=3,
    )
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    exchange.far.from_terminal(b"ATE0S0=1\r", 0)
    run(exchange, 0, 1_000)
    return exchange


@pytest.mark.parametrize("after_bytes", [1, 15, 16, 17, 100])
def test_line_is_cut_after_exactly_so_many_bytes_have_arrived(after_bytes: int) -> None:
    exchange = connected(Attempt(cut_after_bytes=after_bytes))
    exchange.near.from_terminal(bytes(60), 1_000)
    exchange.far.from_terminal(bytes(60), 1_000)
    near, far = run(exchange, 1_000, 2_000)
    end = b"\r\nNO CARRIER\r\n"
    assert near.endswith(end)
    assert far.endswith(end)
    assert len(near) + len(far) - 2 * len(end) == after_bytes
    assert exchange.statistics == LineStatistics(
        calls_dialled=1,
        calls_connected=1,
        calls_cut=1,
        bytes_up=60,
        bytes_down=60,
        bytes_lost=exchange.statistics.bytes_lost,
    )
    assert 0 < exchange.statistics.bytes_lost <= 120 - after_bytes


def test_line_is_cut_at_the_very_first_byte_or_at_a_time() -> None:
    exchange = connected(Attempt(cut_after_bytes=0))
    assert not exchange.near.carrier
    exchange = connected(Attempt(cut_after_ms=5_000))
    assert run(exchange, 1_000, 5_400) == (b"", b"")
    near, far = run(exchange, 5_400, 5_700)
    assert near == far == b"\r\nNO CARRIER\r\n"


@pytest.mark.parametrize("near_first", [True, False])
def test_side_that_hangs_up_is_noticed_by_the_other_later(near_first: bool) -> None:
    exchange = connected(
        Attempt(near_hangs_up_after_bytes=10)
        if near_first
        else Attempt(far_hangs_up_after_bytes=10)
    )
    exchange.near.from_terminal(bytes(20), 1_000)
    hung_up, other = exchange.near, exchange.far
    if not near_first:
        hung_up, other = other, hung_up
    seen = []
    for now_ms in range(1_000, 1_230):
        exchange.on_timer(now_ms)
        seen.append((hung_up.carrier, other.carrier))
    assert (seen[124], seen[229]) == ((False, True), (False, False))
    assert exchange.statistics.calls_cut == 0


@pytest.mark.parametrize("scripted", [True, False])
def test_half_open_line_carries_one_direction_only(scripted: bool) -> None:
    exchange = connected(Attempt(near_dead_after_bytes=5 if scripted else None))
    if not scripted:
        exchange.near.from_terminal(bytes(5), 1_000)
        assert len(run(exchange, 1_000, 1_200)[1]) == 5
        exchange.go_half_open(near=True)
    exchange.near.from_terminal(bytes(50), 1_200)
    exchange.far.from_terminal(bytes(50), 1_200)
    near, far = run(exchange, 1_200, 3_000)
    assert (len(near), len(far)) == (50, 5 if scripted else 0)
    assert exchange.near.state is exchange.far.state is ModemState.DATA
    assert exchange.statistics.bytes_lost == (45 if scripted else 50)


def test_each_direction_has_its_own_line() -> None:
    back = LineSettings(rate_bps=1_200, delay_ms=400, bit_error_rate=0.1)
    exchange = connected(Attempt(), line_back=back)
    exchange.near.from_terminal(bytes(96), 1_000)
    exchange.far.from_terminal(bytes(96), 1_000)
    near, far = run(exchange, 1_000, 1_240)
    assert (near, far) == (b"", bytes(96))
    near, _ = run(exchange, 1_240, 2_300)
    assert len(near) == 96
    turned = sum(byte.bit_count() for byte in near)
    assert exchange.statistics.bits_turned == turned > 0


def test_each_modem_tells_the_rate_at_which_it_receives() -> None:
    exchange = TelephoneExchange(
        ExchangeSettings(
            line=LineSettings(rate_bps=2_400), line_back=LineSettings(rate_bps=19_200)
        )
    )
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    exchange.far.from_terminal(b"ATE0S0=1\r", 0)
    near, far = run(exchange, 0, 1_000)
    assert near.endswith(b"CONNECT 19200\r\n")
    assert far.endswith(b"CONNECT 2400\r\n")


def test_script_gives_a_call_a_line_of_its_own() -> None:
    exchange = connected(Attempt(rate_bps=300, delay_ms=0, bit_error_rate=0.0))
    exchange.near.from_terminal(bytes(30), 1_000)
    assert len(run(exchange, 1_000, 1_900)[1]) < 30
    assert run(exchange, 1_900, 2_100)[1]


def test_garbage_comes_before_and_after_connect() -> None:
    exchange = TelephoneExchange(SETTINGS, script=[Attempt(garbage_bytes=30)])
    exchange.near.from_terminal(b"ATE0DT1\r", 0)
    exchange.far.from_terminal(b"ATE0S0=1\r", 0)
    for said in run(exchange, 0, 1_000):
        before, after = said.split(b"\r\nCONNECT 9600\r\n")
        assert len(before) >= 30
        assert len(after) == 30


def test_same_seed_makes_the_same_calls() -> None:
    def heard(seed: int) -> list[bytes]:
        settings = ExchangeSettings(line=LineSettings(bit_error_rate=1e-2))
        exchange = TelephoneExchange(
            settings, script=[Attempt(garbage_bytes=9)], seed=seed
        )
        said: list[bytes] = []
        for start_ms in (0, 5_000):
            exchange.near.from_terminal(b"ATE0DT1\r", start_ms)
            exchange.far.from_terminal(b"ATE0S0=1\r", start_ms)
            said += run(exchange, start_ms, start_ms + 1_000)
            exchange.near.from_terminal(bytes(200), start_ms + 1_000)
            said += run(exchange, start_ms + 1_000, start_ms + 2_000)
            exchange.drop(start_ms + 4_000)
        return said

    assert heard(1) == heard(1)
    assert heard(1) != heard(2)
