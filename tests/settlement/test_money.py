"""Amounts as people type and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.profile import AMOUNT_MINOR_MAX
from settlement.errors import AmountError, AmountProblem, CurrencyError
from settlement.money import (
    CURRENCIES,
    Currency,
    Money,
    currency_by_code,
    currency_by_number,
    format_amount,
    parse_amount,
)

OMR = CURRENCIES["OMR"]
AED = CURRENCIES["AED"]
JPY = CURRENCIES["JPY"]


def arabic(text: str, zero: int) -> str:
    """The same number in the digits that start at code point ``zero``."""
    return "".join(chr(zero + int(c)) if c.isdigit() else c for c in text)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        pytest.param("12.500", OMR, 12_500, id="all decimals"),
        pytest.param("12.5", OMR, 12_500, id="fewer decimals"),
        pytest.param("12", OMR, 12_000, id="no decimals"),
        pytest.param("12.", OMR, 12_000, id="trailing point"),
        pytest.param(".5", OMR, 500, id="leading point"),
        pytest.param("0.001", OMR, 1, id="one baisa"),
        pytest.param("007", OMR, 7_000, id="leading zeros"),
        pytest.param(" 12.500\t", OMR, 12_500, id="blanks around"),
        pytest.param("1,234.500", OMR, 1_234_500, id="grouped"),
        pytest.param("1,234,567", JPY, 1_234_567, id="grouped twice"),
        pytest.param("12.50", AED, 1_250, id="two decimals"),
        pytest.param("1250", JPY, 1_250, id="currency without decimals"),
        pytest.param(arabic("25.750", 0x0660), OMR, 25_750, id="Arabic-Indic digits"),
        pytest.param(arabic("25.750", 0x06F0), OMR, 25_750, id="Persian digits"),
        pytest.param("1\u066c234\u066b5", OMR, 1_234_500, id="Arabic separators"),
        pytest.param("\u206612.500\u2069", OMR, 12_500, id="pasted with isolates"),
        pytest.param("2147483.647", OMR, AMOUNT_MINOR_MAX, id="largest of a card"),
    ],
)
def test_an_amount_is_read_as_typed(text: str, currency: Currency, minor: int) -> None:
    assert parse_amount(text, currency) == Money(amount_minor=minor, currency=currency)


@pytest.mark.parametrize(
    ("text", "currency", "problem"),
    [
        pytest.param("", OMR, AmountProblem.EMPTY, id="nothing"),
        pytest.param("  ", OMR, AmountProblem.EMPTY, id="blanks"),
        pytest.param("\u2066\u2069", OMR, AmountProblem.EMPTY, id="only marks"),
        pytest.param("abc", OMR, AmountProblem.NOT_A_NUMBER, id="letters"),
        pytest.param("12.5.0", OMR, AmountProblem.NOT_A_NUMBER, id="two points"),
        pytest.param("1e3", OMR, AmountProblem.NOT_A_NUMBER, id="exponent"),
        pytest.param("+5", OMR, AmountProblem.NOT_A_NUMBER, id="plus sign"),
        pytest.param("1_000", OMR, AmountProblem.NOT_A_NUMBER, id="underscore"),
        pytest.param("0x10", OMR, AmountProblem.NOT_A_NUMBER, id="hex"),
        pytest.param(".", OMR, AmountProblem.NOT_A_NUMBER, id="only a point"),
        pytest.param(",", OMR, AmountProblem.NOT_A_NUMBER, id="only a comma"),
        pytest.param("12 500", OMR, AmountProblem.NOT_A_NUMBER, id="blank inside"),
        pytest.param("\u00b2", OMR, AmountProblem.NOT_A_NUMBER, id="superscript two"),
        pytest.param("1" * 41, OMR, AmountProblem.NOT_A_NUMBER, id="very long"),
        pytest.param("1,23", OMR, AmountProblem.GROUPING, id="comma for a point"),
        pytest.param("1234,567", OMR, AmountProblem.GROUPING, id="first group of four"),
        pytest.param(",123", OMR, AmountProblem.GROUPING, id="leading comma"),
        pytest.param("1,,234", OMR, AmountProblem.GROUPING, id="double comma"),
        pytest.param("1,234,", OMR, AmountProblem.GROUPING, id="trailing comma"),
        pytest.param("0", OMR, AmountProblem.ZERO, id="zero"),
        pytest.param("0.000", OMR, AmountProblem.ZERO, id="zero with decimals"),
        pytest.param("-5", OMR, AmountProblem.NEGATIVE, id="negative"),
        pytest.param("\u22125", OMR, AmountProblem.NEGATIVE, id="true minus"),
        pytest.param("1.2345", OMR, AmountProblem.TOO_MANY_DECIMALS, id="four in OMR"),
        pytest.param("1.0000", OMR, AmountProblem.TOO_MANY_DECIMALS, id="even zeros"),
        pytest.param("1.234", AED, AmountProblem.TOO_MANY_DECIMALS, id="three in AED"),
        pytest.param("1.5", JPY, AmountProblem.TOO_MANY_DECIMALS, id="any in JPY"),
        pytest.param("2147483.648", OMR, AmountProblem.TOO_LARGE, id="over a card"),
        pytest.param("9" * 40, OMR, AmountProblem.TOO_LARGE, id="absurd"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_reason(
    text: str, currency: Currency, problem: AmountProblem
) -> None:
    with pytest.raises(AmountError) as refused:
        parse_amount(text, currency)
    assert refused.value.problem is problem


def test_a_limit_of_the_terminal_is_named_in_the_refusal() -> None:
    with pytest.raises(AmountError, match=r"the most is 2,000\.000 OMR"):
        parse_amount("2000.001", OMR, max_minor=2_000_000)
    assert parse_amount("2000.000", OMR, max_minor=2_000_000).amount_minor == 2_000_000


@given(
    st.integers(min_value=1, max_value=AMOUNT_MINOR_MAX),
    st.sampled_from(sorted(CURRENCIES.values(), key=str)),
)
def test_what_is_printed_reads_back_the_same(minor: int, currency: Currency) -> None:
    shown = format_amount(minor, currency)
    assert parse_amount(shown, currency).amount_minor == minor


@given(st.text())
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        money = parse_amount(text, OMR)
    except AmountError:
        return
    assert 0 < money.amount_minor <= AMOUNT_MINOR_MAX


def test_a_negative_difference_of_columns_prints_its_sign() -> None:
    assert format_amount(-1, OMR) == "-0.001"


def test_amounts_of_one_currency_add_subtract_and_compare() -> None:
    five = Money(amount_minor=5, currency=OMR)
    two = Money(amount_minor=2, currency=OMR)
    assert five + two == Money(amount_minor=7, currency=OMR)
    assert five - two == Money(amount_minor=3, currency=OMR)
    assert two < five
    assert two <= five
    assert str(five) == "0.005 OMR"


def test_amounts_of_two_currencies_never_mix() -> None:
    rial = Money(amount_minor=5, currency=OMR)
    dirham = Money(amount_minor=5, currency=AED)
    with pytest.raises(CurrencyError, match="OMR and AED"):
        _ = rial + dirham
    with pytest.raises(CurrencyError):
        _ = rial - dirham
    with pytest.raises(CurrencyError):
        _ = rial < dirham
    with pytest.raises(CurrencyError):
        _ = rial <= dirham


def test_an_amount_is_never_negative() -> None:
    with pytest.raises(AssertionError):
        Money(amount_minor=-1, currency=OMR)
    with pytest.raises(AssertionError):
        _ = Money(amount_minor=1, currency=OMR) - Money(amount_minor=2, currency=OMR)


@pytest.mark.parametrize(
    ("code", "number", "exponent"),
    [
        ("OMR", 512, 3),
        ("KWD", 414, 3),
        ("BHD", 48, 3),
        ("AED", 784, 2),
        ("SAR", 682, 2),
        ("USD", 840, 2),
        ("EUR", 978, 2),
        ("JPY", 392, 0),
    ],
)
def test_a_currency_is_found_by_code_and_by_number(
    code: str, number: int, exponent: int
) -> None:
    currency = currency_by_code(code)
    assert (currency.number, currency.exponent) == (number, exponent)
    assert currency_by_number(number) is currency


def test_an_unknown_currency_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CurrencyError, match="known are OMR, KWD"):
        currency_by_code("XXX")
    with pytest.raises(CurrencyError, match="currency number 999"):
        currency_by_number(999)
