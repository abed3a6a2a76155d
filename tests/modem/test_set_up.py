"""Getting a modem into a known state, whatever state it was left in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modem.dial_plan import DialPlan
from modem.errors import (
    ModemError,
    ModemGarbledError,
    ModemRefusedError,
    ModemSilentError,
)
from modem.events import Dialling
from modem.hayes import Dialer
from modem.profiles import FAX, GSM
from sim.modems.exchange import TelephoneExchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modem.events import CallEvent

PLAN = DialPlan(numbers=("5551234",), init="ATZ")


class ScriptedModem:
    """Answers each command with fixed bytes, and keeps what it was told."""

    def __init__(
        self,
        answers: Mapping[bytes, bytes],
        *,
        plan: DialPlan = PLAN,
        has_dtr: bool = False,
    ) -> None:
        self.dialer = Dialer(plan, now_ms=0, has_dtr=has_dtr)
        self.dtr_low_at: list[int] = []
        self.answers = answers
        self.heard: list[tuple[int, bytes]] = []
        self.now_ms = 0

    def run(self) -> None:
        """Until it dials or fails."""
        while self.dialer.error is None:
            if not self.dialer.dtr:
                self.dtr_low_at.append(self.now_ms)
            said = self.dialer.data_to_send(self.now_ms)
            if said:
                self.heard.append((self.now_ms, said))
                if said.startswith(b"ATD"):
                    return
                for byte in self.answers.get(said, b""):
                    self.dialer.receive_data(bytes((byte,)), self.now_ms)
                continue
            deadline_ms = self.dialer.deadline_ms()
            assert deadline_ms is not None
            self.now_ms = max(self.now_ms, deadline_ms)
            self.dialer.on_timer(self.now_ms)

    @property
    def commands(self) -> list[bytes]:
        return [said for _, said in self.heard]


OK = b"\r\nOK\r\n"
CONFIGURE = b"ATE0V1X4&C1&D2S0=0S12=25\r"
SPEAK = b"ATQ0V1E0\r"
USUAL = {b"AT\r": OK, b"ATZ\r": OK, CONFIGURE: OK}


def test_modem_is_synchronised_initialised_and_configured() -> None:
    modem = ScriptedModem(USUAL)
    modem.run()
    assert modem.commands == [b"AT\r", b"ATZ\r", CONFIGURE, b"ATDT5551234\r"]
    assert modem.now_ms < 500


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"AT\r\r\nOK\r\n", id="echo"),
        pytest.param(b"AT\r0\r", id="echo-and-digits"),
        pytest.param(b"0\r", id="digits"),
        pytest.param(b"\xff\xfe~~}\r\n\r\nRING\r\n\r\nOK\r\n", id="noise-and-ring"),
        pytest.param(b"Welcome to modem 3\r\nCONNECTED\r\n" * 40 + OK, id="banner"),
    ],
)
def test_result_is_found_among_other_things(answer: bytes) -> None:
    modem = ScriptedModem({**USUAL, b"AT\r": answer})
    modem.run()
    assert modem.commands[-1] == b"ATDT5551234\r"


def test_modem_left_in_data_state_is_called_back_and_hangs_up() -> None:
    exchange = TelephoneExchange()
    exchange.near.from_terminal(b"ATDT1\r", 0)
    exchange.on_timer(200)
    exchange.far.from_terminal(b"ATA\r", 300)
    exchange.on_timer(600)
    assert exchange.near.carrier
    exchange.near.to_terminal()
    dialer = Dialer(PLAN, now_ms=1_000)
    now_ms = 1_000
    events: list[CallEvent] = []
    while not events:
        exchange.near.from_terminal(dialer.data_to_send(now_ms), now_ms)
        dialer.receive_data(exchange.near.to_terminal(), now_ms)
        while (event := dialer.next_event()) is not None:
            events.append(event)
        deadlines = [dialer.deadline_ms(), exchange.deadline_ms()]
        now_ms = max(now_ms, min(time for time in deadlines if time is not None))
        exchange.on_timer(now_ms)
        dialer.on_timer(now_ms)
    assert events == [Dialling(number="5551234", attempt=1)]
    assert now_ms < 12_000
    assert not exchange.far.carrier


def test_escape_sequence_has_its_guard_time_on_both_sides() -> None:
    modem = ScriptedModem({})
    modem.run()
    times = [time for time, _ in modem.heard]
    position = modem.commands.index(b"+++")
    assert times[position] - times[position - 1] >= 1_000
    assert times[position + 1] - times[position] >= 1_000


def test_silent_modem_is_told_within_half_a_minute() -> None:
    modem = ScriptedModem({})
    modem.run()
    assert isinstance(modem.dialer.error, ModemSilentError)
    assert modem.now_ms < 30_000
    assert modem.dialer.deadline_ms() is None


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param({b"AT\r": OK}, ModemSilentError, id="dies-at-init"),
        pytest.param(
            {b"AT\r": OK, b"ATZ\r": OK}, ModemSilentError, id="dies-at-configure"
        ),
        pytest.param(
            {b"AT\r": OK, b"ATZ\r": b"\r\nERROR\r\n"}, ModemRefusedError, id="bad-init"
        ),
        pytest.param(
            {
                **USUAL,
                CONFIGURE: b"\r\nERROR\r\n",
                b"ATE0V1\r": b"\r\nERROR\r\n",
            },
            ModemRefusedError,
            id="refuses-all",
        ),
    ],
)
def test_modem_that_cannot_be_set_up_is_an_error(
    answers: dict[bytes, bytes], error: type[ModemError]
) -> None:
    modem = ScriptedModem(answers)
    modem.run()
    assert type(modem.dialer.error) is error


def test_refused_init_string_is_named() -> None:
    modem = ScriptedModem({b"AT\r": OK, b"ATZ\r": b"\r\nERROR\r\n"})
    modem.run()
    assert isinstance(modem.dialer.error, ModemRefusedError)
    assert modem.dialer.error.command == "ATZ"


def test_simple_modem_gets_the_simple_settings() -> None:
    modem = ScriptedModem(
        {**USUAL, CONFIGURE: b"\r\nERROR\r\n", b"ATE0V1\r": b"\r\nOK\r\n"}
    )
    modem.run()
    assert modem.commands[-2:] == [b"ATE0V1\r", b"ATDT5551234\r"]


def test_quiet_modem_is_told_to_speak() -> None:
    modem = ScriptedModem({SPEAK: OK, b"ATZ\r": OK, CONFIGURE: OK})
    modem.run()
    assert modem.commands[:3] == [b"AT\r", SPEAK, b"ATZ\r"]
    assert modem.now_ms < 3_000


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"ATDT55AT\r\r\nERROR\r\n", id="half-typed-command"),
        pytest.param(b"\r\nNO CARRIER\r\n", id="in-the-middle-of-a-dial"),
        pytest.param(b"4\r", id="half-typed-and-numeric"),
    ],
)
def test_modem_that_took_our_first_word_for_something_else_is_asked_again_at_once(
    answer: bytes,
) -> None:
    modem = ScriptedModem({**USUAL, b"AT\r": answer, SPEAK: OK})
    modem.run()
    assert modem.commands[:3] == [b"AT\r", SPEAK, b"ATZ\r"]
    assert modem.commands[-1] == b"ATDT5551234\r"
    assert modem.now_ms < 500


def test_port_with_dtr_hangs_up_with_it_before_the_escape_sequence() -> None:
    modem = ScriptedModem({}, has_dtr=True)
    modem.run()
    low_ms = modem.dtr_low_at[0]
    escaped = [time for time, said in modem.heard if said == b"+++"]
    assert low_ms < escaped[0]
    after = [time for time, said in modem.heard if time > low_ms and said == b"AT\r"]
    assert after[0] - low_ms >= 500
    assert modem.dialer.dtr
    assert modem.now_ms < 30_000


def test_modem_at_another_speed_is_told_from_a_silent_one() -> None:
    modem = ScriptedModem({b"AT\r": b"\xff\x8c\xf0", SPEAK: b"\xe0\xff\x80\xfe"})
    modem.run()
    assert isinstance(modem.dialer.error, ModemGarbledError)
    assert "speed" in str(modem.dialer.error)


@pytest.mark.parametrize("has_dtr", [False, True], ids=["escape", "dtr"])
def test_modem_that_chatters_without_end_is_given_up(has_dtr: bool) -> None:
    chatter = b"\r\nNO CARRIER\r\n"
    commands = (b"AT\r", SPEAK, b"+++", b"ATH\r", b"ATZ\r", CONFIGURE)
    modem = ScriptedModem(dict.fromkeys(commands, chatter), has_dtr=has_dtr)
    modem.run()
    assert isinstance(modem.dialer.error, ModemSilentError)
    assert len(modem.heard) < 30
    assert modem.now_ms < 30_000


def test_gsm_modem_that_explains_its_error_is_refused_like_any_other() -> None:
    modem = ScriptedModem({b"AT\r": OK, b"ATZ\r": b"\r\n+CME ERROR: 10\r\n"})
    modem.run()
    assert isinstance(modem.dialer.error, ModemRefusedError)


@pytest.mark.parametrize(
    ("plan", "configure", "dial"),
    [
        pytest.param(
            DialPlan(numbers=("5551234",), blind=True),
            b"ATE0V1X3&C1&D2S0=0S12=25\r",
            b"ATDT5551234\r",
            id="blind",
        ),
        pytest.param(
            DialPlan(numbers=("5551234",), profile=FAX, tone=False, prefix="0,"),
            b"AT+FCLASS=0;E0V1X4&C1&D2S0=0S12=25\r",
            b"ATDP0,5551234\r",
            id="fax-pulse-prefix",
        ),
        pytest.param(
            DialPlan(numbers=("+96824",), profile=GSM, init="AT&F"),
            b"AT+CMEE=1;+CBST=7,0,1;E0V1&C1&D2S0=0\r",
            b"ATD+96824\r",
            id="gsm",
        ),
    ],
)
def test_each_kind_of_modem_is_set_up_and_dials_in_its_way(
    plan: DialPlan, configure: bytes, dial: bytes
) -> None:
    init = plan.init_command.encode() + b"\r"
    modem = ScriptedModem({b"AT\r": OK, init: OK, configure: OK}, plan=plan)
    modem.run()
    assert modem.commands == [b"AT\r", init, configure, dial]
