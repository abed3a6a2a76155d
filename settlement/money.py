"""Money: whole minor units of one ISO 4217 currency, never a fraction, never a float.

Amounts are read from what people type (`parse_amount`) and written for people
(`format_amount`) here and nowhere else. Inside, an amount is an `int` of minor units:
baisa, fils, cents. Amounts are never negative: debit and credit are two columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from card.profile import AMOUNT_MINOR_MAX
from settlement.errors import AmountError, AmountProblem, CurrencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CURRENCIES",
    "Currency",
    "Money",
    "currency_by_code",
    "currency_by_number",
    "format_amount",
    "parse_amount",
    "western_digits",
]

_TEXT_MAX: Final = 40
"""Characters of a typed amount; ten digits, their commas and marks fit many times."""

_ASCII: Final = str.maketrans(
    "".join(map(chr, (*range(0x0660, 0x066A), *range(0x06F0, 0x06FA), 0x066B, 0x066C))),
    "0123456789" + "0123456789" + ".,",
)
"""Arabic-Indic and Persian digits, the Arabic decimal and thousands separators."""

_DIRECTION_MARKS: Final = dict.fromkeys(
    (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)
"""Invisible marks that come along when a number is pasted from Arabic text."""

_NUMBER: Final = re.compile(r"(?P<whole>[0-9,]*)(?:\.(?P<decimals>[0-9]*))?")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """One currency of ISO 4217.

    Attributes:
        code: three letters, such as ``"OMR"``.
        number: the three-digit number as an integer, such as 512.
        exponent: decimals of the major unit: 3 for OMR, 2 for AED, 0 for JPY.
        name: English name, for messages.
    """

    code: str
    number: int
    exponent: int
    name: str

    def __str__(self) -> str:
        return self.code


CURRENCIES: Final[Mapping[str, Currency]] = MappingProxyType(
    {
        currency.code: currency
        for currency in (
            Currency(code="OMR", number=512, exponent=3, name="Omani rial"),
            Currency(code="KWD", number=414, exponent=3, name="Kuwaiti dinar"),
            Currency(code="BHD", number=48, exponent=3, name="Bahraini dinar"),
            Currency(code="IQD", number=368, exponent=3, name="Iraqi dinar"),
            Currency(code="JOD", number=400, exponent=3, name="Jordanian dinar"),
            Currency(code="AED", number=784, exponent=2, name="UAE dirham"),
            Currency(code="SAR", number=682, exponent=2, name="Saudi riyal"),
            Currency(code="USD", number=840, exponent=2, name="US dollar"),
            Currency(code="EUR", number=978, exponent=2, name="Euro"),
            Currency(code="JPY", number=392, exponent=0, name="Yen"),
        )
    }
)
_BY_NUMBER: Final = {currency.number: currency for currency in CURRENCIES.values()}


def currency_by_code(code: str) -> Currency:
    """The currency with this ISO 4217 code.

    Raises:
        CurrencyError: The code is not in the registry.
    """
    try:
        return CURRENCIES[code]
    except KeyError:
        known = ", ".join(CURRENCIES)
        message = f"unknown currency {code!r}; known are {known}"
        raise CurrencyError(message) from None


def currency_by_number(number: int) -> Currency:
    """The currency with this ISO 4217 number, as cards and messages name it.

    Raises:
        CurrencyError: The number is not in the registry.
    """
    try:
        return _BY_NUMBER[number]
    except KeyError:
        raise CurrencyError(f"unknown currency number {number:03d}") from None


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class Money:
    """An amount of one currency.

    Attributes:
        amount_minor: minor units, 0 or more.
        currency: what the units are of.
    """

    amount_minor: int
    currency: Currency

    def __post_init__(self) -> None:
        assert self.amount_minor >= 0, "an amount is never negative"

    def __add__(self, other: Money) -> Money:
        self._check_same_currency(other)
        total_minor = self.amount_minor + other.amount_minor
        return Money(amount_minor=total_minor, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        self._check_same_currency(other)
        rest_minor = self.amount_minor - other.amount_minor
        return Money(amount_minor=rest_minor, currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        self._check_same_currency(other)
        return self.amount_minor < other.amount_minor

    def __le__(self, other: Money) -> bool:
        self._check_same_currency(other)
        return self.amount_minor <= other.amount_minor

    def __str__(self) -> str:
        return f"{format_amount(self.amount_minor, self.currency)} {self.currency}"

    def _check_same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            message = f"{self.currency} and {other.currency} cannot be mixed"
            raise CurrencyError(message)


def format_amount(amount_minor: int, currency: Currency) -> str:
    """An amount for people, grouped, with all decimals and without the code.

    >>> format_amount(1234500, CURRENCIES["OMR"])
    '1,234.500'
    >>> format_amount(7, CURRENCIES["AED"])
    '0.07'
    >>> format_amount(1234500, CURRENCIES["JPY"])
    '1,234,500'
    """
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**currency.exponent)
    if currency.exponent == 0:
        return f"{sign}{whole:,}"
    return f"{sign}{whole:,}.{rest:0{currency.exponent}d}"


def parse_amount(
    text: str, currency: Currency, *, max_minor: int = AMOUNT_MINOR_MAX
) -> Money:
    """Read an amount as a person types it.

    Western, Arabic-Indic and Persian digits count alike. Commas may group the whole
    part by threes, or be absent; nothing is ever rounded, so more decimals than the
    currency has are refused even when they are zeros.

    Args:
        text: what was typed or pasted.
        currency: the terminal's currency.
        max_minor: largest amount accepted, by default the largest a card can hold.

    Raises:
        AmountError: The text is not an amount from one minor unit to ``max_minor``.

    >>> parse_amount("1,234.5", CURRENCIES["OMR"]).amount_minor
    1234500
    """
    cleaned = western_digits(text)
    if not cleaned:
        raise AmountError(AmountProblem.EMPTY, "enter an amount")
    if cleaned[0] in "-−":  # noqa: RUF001 (the minus sign that Arabic keyboards type)
        message = "an amount cannot be negative"
        raise AmountError(AmountProblem.NEGATIVE, message)
    amount_minor = _minor_units(cleaned, currency)
    if amount_minor == 0:
        raise AmountError(AmountProblem.ZERO, "the amount must be more than zero")
    if amount_minor > max_minor:
        most = Money(amount_minor=max_minor, currency=currency)
        message = f"the amount is too large; the most is {most}"
        raise AmountError(AmountProblem.TOO_LARGE, message)
    return Money(amount_minor=amount_minor, currency=currency)


def western_digits(text: str) -> str:
    """What was typed, with Western digits and without the marks of Arabic text.

    Arabic-Indic and Persian digits and separators become Western ones; invisible
    direction marks and surrounding blanks, which come along with a paste, are dropped.
    """
    return text.translate(_DIRECTION_MARKS).translate(_ASCII).strip()


def _minor_units(cleaned: str, currency: Currency) -> int:
    """Minor units of an unsigned number in ASCII digits."""
    match = _NUMBER.fullmatch(cleaned) if len(cleaned) <= _TEXT_MAX else None
    if match is None or not any(character.isdigit() for character in cleaned):
        example = format_amount(12 * 10**currency.exponent, currency)
        message = f"that is not an amount; write it like {example}"
        raise AmountError(AmountProblem.NOT_A_NUMBER, message)
    whole, decimals = match["whole"], match["decimals"] or ""
    if "," in whole and not _GROUPED.fullmatch(whole):
        message = "commas may only stand before each group of three digits"
        raise AmountError(AmountProblem.GROUPING, message)
    if len(decimals) > currency.exponent:
        message = f"{currency.code} has {currency.exponent or 'no'} decimals"
        raise AmountError(AmountProblem.TOO_MANY_DECIMALS, message)
    return int(whole.replace(",", "") + decimals.ljust(currency.exponent, "0"))
