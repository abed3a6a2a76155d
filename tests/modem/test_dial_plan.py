from __future__ import annotations

import pytest

from modem.dial_plan import AnswerPlan, DialPlan
from modem.profiles import DIRECT, FAX, GENERIC, GSM, PROFILES


@pytest.mark.parametrize(
    ("plan", "command"),
    [
        pytest.param(DialPlan(numbers=("5551234",)), "ATDT5551234", id="tone"),
        pytest.param(
            DialPlan(numbers=("555 12-34",), tone=False), "ATDP555 12-34", id="pulse"
        ),
        pytest.param(
            DialPlan(numbers=("5551234",), prefix="9,,"), "ATDT9,,5551234", id="prefix"
        ),
        pytest.param(
            DialPlan(numbers=("+968 24 555123",), profile=GSM, tone=False),
            "ATD+968 24 555123",
            id="gsm",
        ),
    ],
)
def test_dial_command(plan: DialPlan, command: str) -> None:
    assert plan.dial_command(plan.numbers[0]) == command


@pytest.mark.parametrize(
    ("number"), ["", "555\rATH", "bank", "5" * 41], ids=["empty", "cr", "word", "long"]
)
def test_number_must_be_one(number: str) -> None:
    with pytest.raises(ValueError, match="not a telephone number"):
        DialPlan(numbers=(number,))


def test_limits_of_a_plan() -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        DialPlan(numbers=())
    with pytest.raises(ValueError, match="1 to 8"):
        DialPlan(numbers=("1",) * 9)
    with pytest.raises(ValueError, match="1 to 10"):
        DialPlan(numbers=("1",), rounds=11)
    with pytest.raises(ValueError, match="prefix"):
        DialPlan(numbers=("1",), prefix="\r")
    with pytest.raises(ValueError, match="begins with AT"):
        DialPlan(numbers=("1",), init="Z")
    with pytest.raises(ValueError, match="baud"):
        AnswerPlan(baud=0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"pause_ms": 999}, "pauses", id="no-rest"),
        pytest.param({"pause_ms": 60_001}, "pauses", id="longer-than-the-longest"),
        pytest.param({"pause_ms_max": 600_001}, "pauses", id="too-long"),
        pytest.param({"connect_timeout_ms": 9_999}, "CONNECT", id="no-patience"),
        pytest.param({"connect_timeout_ms": 255_001}, "CONNECT", id="too-patient"),
    ],
)
def test_times_of_a_plan_have_limits(options: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        DialPlan(numbers=("1",), **options)  # type: ignore[arg-type] # all are times


def test_a_direct_line_has_no_numbers() -> None:
    assert DialPlan(profile=DIRECT).numbers == ()
    with pytest.raises(ValueError, match="no telephone numbers"):
        DialPlan(profile=DIRECT, numbers=("1",))


def test_blind_dialling_ignores_the_dial_tone_alone() -> None:
    for profile in (GENERIC, FAX):
        waiting = profile.configure_command(blind=False)
        assert profile.configure_command(blind=True) == waiting.replace("X4", "X3")
        assert "X4" in waiting


def test_every_profile_is_found_by_its_name() -> None:
    assert list(PROFILES) == ["generic", "fax", "gsm", "direct"]
    assert AnswerPlan(profile=GSM).init_command == "ATZ"
    assert AnswerPlan(profile=GSM, init="AT&F").init_command == "AT&F"
