from __future__ import annotations

import pytest

from modem.dial_plan import AnswerPlan, DialPlan


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
