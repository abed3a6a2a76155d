from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.pin import InvalidPINError, pin_block


@pytest.mark.parametrize(
    ("digits", "block"),
    [
        (b"1234", "24 12 34 FF FF FF FF FF"),
        (b"12345", "25 12 34 5F FF FF FF FF"),
        (b"000000", "26 00 00 00 FF FF FF FF"),
        (b"123456789012", "2C 12 34 56 78 90 12 FF"),
        (bytearray(b"4321"), "24 43 21 FF FF FF FF FF"),
    ],
)
def test_a_pin_block_is_of_format_2(digits: bytes, block: str) -> None:
    assert pin_block(digits) == bytes.fromhex(block)


@pytest.mark.parametrize(
    ("digits", "problem"),
    [
        (b"", "length"),
        (b"123", "length"),
        (b"1234567890123", "length"),
        (b"12a4", "digits"),
        (b"12 4", "digits"),
        ("١٢٣٤".encode(), "digits"),
    ],
)
def test_what_is_no_pin_is_refused_with_its_problem(
    digits: bytes, problem: str
) -> None:
    with pytest.raises(InvalidPINError, match="4 to 12 digits") as caught:
        pin_block(digits)
    assert caught.value.problem == problem


@given(st.binary(max_size=16))
def test_a_refusal_never_repeats_what_was_typed(digits: bytes) -> None:
    try:
        assert len(pin_block(digits)) == 8
    except InvalidPINError as error:
        told = f"{error} {error!r} {error.args} {vars(error)}"
        typed = digits.decode("latin-1")
        assert len(typed) < 3 or typed not in told


def test_the_callers_digits_are_left_for_the_caller_to_wipe() -> None:
    digits = bytearray(b"1234")
    pin_block(digits)
    assert digits == b"1234"
