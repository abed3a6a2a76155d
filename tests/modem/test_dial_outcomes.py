"""What a modem answers to a dial command, byte for byte, and what becomes of it."""

from __future__ import annotations

import pytest

from modem.dial_plan import DialPlan
from modem.errors import (
    BlacklistedError,
    DelayedError,
    DialError,
    LineInUseError,
    NoAnswerError,
    NoDialToneError,
    NoModemError,
    NumberRefusedError,
)
from modem.events import CallEvent, Connected, DialFailed, ModemReported, ModemSpoke
from modem.hayes import Dialer
from modem.profiles import GENERIC
from modem.result_codes import ReportName, ResultCode

OK = b"\r\nOK\r\n"
ONCE = DialPlan(numbers=("5551234",), rounds=1)


AGAIN = DialPlan(numbers=("5551234",), pause_ms=3_000)


def dial(
    answer: bytes, plan: DialPlan = ONCE, *, told: bool = False
) -> tuple[Dialer, list[bytes], list[CallEvent]]:
    """Set up, dial once and hear ``answer``; the dialer, its commands, the events."""
    dialer = Dialer(plan, now_ms=0, told=told)
    commands: list[bytes] = []
    now_ms = 0
    while not (commands and commands[-1].startswith(b"ATD")):
        if said := dialer.data_to_send(now_ms):
            commands.append(said)
            dialer.receive_data(answer if said[:3] == b"ATD" else OK, now_ms)
        elif (deadline_ms := dialer.deadline_ms()) is not None:
            now_ms = max(now_ms, deadline_ms)
    if last := dialer.data_to_send(now_ms):
        commands.append(last)
    events: list[CallEvent] = []
    while (event := dialer.next_event()) is not None:
        events.append(event)
    return dialer, commands, events


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"\r\nDELAYED\r\n", DelayedError, id="delayed"),
        pytest.param(b"24\r", DelayedError, id="delayed-numeric"),
        pytest.param(b"\r\nBLACKLISTED\r\n", BlacklistedError, id="blacklisted"),
        pytest.param(b"\r\nBLACKLIST FULL\r\n", BlacklistedError, id="full"),
        pytest.param(b"\r\nLINE IN USE\r\n", LineInUseError, id="in-use"),
        pytest.param(b"\r\nNO PROMPTTONE\r\n", NoDialToneError, id="prompttone"),
        pytest.param(b"\r\nFAX\r\n", NoModemError, id="fax"),
        pytest.param(b"\r\nVOICE\r\n", NoModemError, id="voice"),
        pytest.param(b"\r\n+CME ERROR: 30\r\n", NumberRefusedError, id="cme"),
        pytest.param(b"\r\n+CMS ERROR: 500\r\n", NumberRefusedError, id="cms"),
    ],
)
def test_every_end_of_an_attempt_is_told_by_its_cause(
    answer: bytes, error: type[DialError]
) -> None:
    dialer, _, _ = dial(answer)
    assert type(dialer.error) is error


def wait(dialer: Dialer, now_ms: int | None = None) -> tuple[int, bytes]:
    """Let time pass up to the next deadline; the time, and what is said then."""
    deadline_ms = dialer.deadline_ms()
    assert deadline_ms is not None
    now_ms = deadline_ms if now_ms is None else now_ms
    dialer.on_timer(now_ms)
    return now_ms, dialer.data_to_send(now_ms)


def given_up(plan: DialPlan, *, half: bytes = b"") -> tuple[Dialer, int]:
    """A dialer that has just aborted an attempt without a word from the modem."""
    dialer, _, _ = dial(half, plan)
    now_ms, said = wait(dialer)
    assert said == b"\r"
    return dialer, now_ms


@pytest.mark.parametrize("plan", [ONCE, AGAIN], ids=["last-attempt", "another-left"])
def test_connect_that_crosses_the_abort_is_the_connection(plan: DialPlan) -> None:
    dialer, now_ms = given_up(plan)
    dialer.receive_data(b"\r\nCONNECT 9600\r\n~rest", now_ms + 30)
    assert dialer.rate_bps == 9_600
    assert dialer.error is None
    assert dialer.take_rest() == b"\n~rest"


def test_connect_of_which_half_had_come_before_the_abort_is_understood() -> None:
    dialer, now_ms = given_up(ONCE, half=b"\r\nCONN")
    dialer.receive_data(b"ECT 9600\r\n", now_ms + 5)
    assert dialer.rate_bps == 9_600


@pytest.mark.parametrize("word", [b"NO CARRIER", b"OK", b"ERROR", b"NO ANSWER"])
def test_attempt_is_over_once_the_modem_has_answered_the_abort(word: bytes) -> None:
    dialer, now_ms = given_up(ONCE)
    assert dialer.error is None
    dialer.receive_data(b"\r\n" + word + b"\r\n", now_ms + 30)
    assert isinstance(dialer.error, NoAnswerError)


def test_connect_in_the_pause_after_a_failure_is_the_connection() -> None:
    # The NO CARRIER was that of a call before, which the modem was slow to tell.
    dialer, _, _ = dial(b"\r\nNO CARRIER\r\n", AGAIN)
    dialer.receive_data(b"\r\nCONN", 20_000)
    dialer.receive_data(b"ECT 9600\r\n", 20_010)
    assert dialer.rate_bps == 9_600
    assert dialer.deadline_ms() is None


def test_answered_abort_needs_no_second_set_up() -> None:
    dialer, now_ms = given_up(AGAIN)
    dialer.receive_data(b"\r\nNO CARRIER\r\n", now_ms + 30)
    wait(dialer)
    _, said = wait(dialer)
    assert said == b"ATDT5551234\r"


def test_modem_that_does_not_answer_the_abort_is_set_up_again_before_it_dials() -> None:
    dialer, _ = given_up(AGAIN)
    abort_over_ms, _ = wait(dialer)
    now_ms, said = wait(dialer)
    assert (now_ms - abort_over_ms, said) == (6_000, b"AT\r")
    commands = [said]
    while commands[-1][:3] != b"ATD":
        dialer.receive_data(OK, now_ms)
        now_ms, said = wait(dialer, max(now_ms, dialer.deadline_ms() or 0))
        commands += [said] if said else []
    assert commands == [
        b"AT\r",
        b"ATZ\r",
        GENERIC.configure.encode() + b"\r",
        *commands[3:],
    ]
    assert dialer.error is None


def test_silence_after_the_last_abort_is_no_answer() -> None:
    dialer, _ = given_up(ONCE)
    wait(dialer)
    assert isinstance(dialer.error, NoAnswerError)


@pytest.mark.parametrize("word", [b"FAX", b"VOICE"])
def test_line_is_let_go_when_no_modem_has_picked_up(word: bytes) -> None:
    _, commands, _ = dial(b"\r\n" + word + b"\r\n")
    assert commands[-1] == b"ATH\r"


def test_next_attempt_is_told_with_cause_and_rest() -> None:
    _, _, events = dial(b"\r\nDELAYED\r\n", DialPlan(numbers=("5551234",)))
    failed = DialFailed(number="5551234", code=ResultCode.DELAYED, retry_in_ms=60_000)
    assert failed in events


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            b"\r\nCARRIER 33600\r\n\r\nPROTOCOL: LAPM\r\n\r\nCONNECT 115200\r\n",
            id="words",
        ),
        pytest.param(b"79\r77\r19\r", id="numbers"),
        pytest.param(
            b"\r\n+MCR: V34\r\n\r\n+MRR: 33600\r\n\r\nCONNECT 115200\r\n", id="v250"
        ),
    ],
)
def test_rate_of_the_line_counts_and_not_that_of_the_port(answer: bytes) -> None:
    dialer, _, events = dial(answer)
    assert dialer.rate_bps == 33_600
    assert Connected(rate_bps=33_600) in events
    assert any(isinstance(event, ModemReported) for event in events)


def test_progress_and_reports_end_no_attempt() -> None:
    said = b"\r\nRINGING\r\n\r\nDATA\r\n\r\n+ER: LAPM\r\n\r\nCONNECT 9600/ARQ\r\n"
    dialer, _, events = dial(said)
    assert dialer.error is None
    assert ModemReported(name=ReportName.ERROR_CONTROL, text="LAPM") in events
    [connected] = [event for event in events if isinstance(event, Connected)]
    assert (connected.rate_bps, connected.detail) == (9_600, "9600/ARQ")


def test_every_line_is_told_to_who_asks_for_it() -> None:
    _, _, events = dial(b"\r\nBUSY\x80\r\n\r\nBUSY\r\n", told=True)
    spoken = [event for event in events if isinstance(event, ModemSpoke)]
    assert [event.text for event in spoken if event.by_modem] == [
        *["OK"] * 3,
        "BUSY.",
        "BUSY",
    ]
    assert spoken[0] == ModemSpoke(text="AT", by_modem=False)
    _, _, events = dial(b"\r\nBUSY\r\n")
    assert not any(isinstance(event, ModemSpoke) for event in events)
