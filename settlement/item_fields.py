"""Judging what somebody sends: fields of one item by name, every mistake told.

The same rules hold for a line of a CSV file, an object of a JSON file and the body of
an API request, so that nothing gets in by one door that another one refuses. A field is
taken by its name; what is wrong with it is noted, and the caller goes on, so that one
look tells all mistakes. At the end `ItemFields.mistakes` says whether the item may be
used at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from card.profile import AMOUNT_MINOR_MAX
from settlement.errors import AmountError
from settlement.money import parse_amount
from settlement.payment import LINES_MAX, LineClass, PaymentKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settlement.money import Currency

__all__ = ["ItemFields", "Mistake", "told"]

_OFFICE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 /-]{0,13}[A-Z0-9])?")
_SHOWN_MAX: Final = 40
"""Characters of a wrong value that are shown; more would hide the mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong with one field.

    Attributes:
        field: its name, or empty for the item as a whole.
        problem: in plain words.
    """

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


def told(value: object) -> str:
    """A value as a mistake shows it: short, and without control characters."""
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


class ItemFields:
    """One item; each field that is taken is judged.

    Attributes:
        mistakes: everything found wrong so far.
    """

    def __init__(
        self, given: Mapping[str, object], currency: Currency, known: frozenset[str]
    ) -> None:
        """Judge ``given``; a field that is not ``known`` is a mistake."""
        self._given = given
        self._currency = currency
        self.mistakes: list[Mistake] = [
            Mistake(field=told(name), problem="there is no such field")
            for name in sorted(given.keys() - known)
        ]

    def note(self, field: str, problem: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(field=field, problem=problem))

    def text(self, name: str, bytes_max: int, *, needed: bool = False) -> str:
        """A text of so many bytes in UTF-8; empty when it is absent or wrong."""
        value = self._given.get(name)
        if value is None or value == "":
            if needed:
                self.note(name, "is missing")
            return ""
        if not isinstance(value, str):
            self.note(name, "is not a text")
            return ""
        # Blanks at the ends, control characters and lone surrogates are no one's name.
        text = value.strip()
        if not text.isprintable() or any("\ud800" <= c <= "\udfff" for c in text):
            self.note(name, "has characters that cannot be shown")
            return ""
        if len(text.encode()) > bytes_max:
            self.note(name, f"is longer than {bytes_max} bytes")
            return ""
        if not text and needed:
            self.note(name, "is missing")
        return text

    def office(self, name: str = "office") -> str:
        """An office's code."""
        text = self.text(name, 64, needed=True)
        if text and not _OFFICE.fullmatch(text):
            self.note(name, f"'{told(text)}' is no office code")
            return ""
        return text

    def amount(self, name: str, *, needed: bool = False) -> int | None:
        """Minor units of an amount that is written as a text in the major unit."""
        value = self._given.get(name)
        if value is None or value == "":
            if needed:
                self.note(name, "is missing")
            return None
        if not isinstance(value, str):
            # A number may have been rounded before anybody could look at it.
            self.note(name, 'is an amount in quotes, such as "125.500"')
            return None
        try:
            money = parse_amount(value, self._currency, max_minor=AMOUNT_MINOR_MAX)
        except AmountError as error:
            self.note(name, str(error))
            return None
        return money.amount_minor

    def currency(self, name: str = "currency") -> None:
        """The bank's own currency, or nothing."""
        text = self.text(name, 3)
        if text and text != self._currency.code:
            self.note(name, f"this bank books in {self._currency}, not in {told(text)}")

    def kind(self, *allowed: PaymentKind) -> PaymentKind:
        """The kind of payment; one of those allowed."""
        text = self.text("kind", 32, needed=True)
        for kind in allowed:
            if text == kind.value:
                return kind
        if text:
            names = " or ".join(kind.value for kind in allowed)
            self.note("kind", f"is {names}, not '{told(text)}'")
        return allowed[0]

    def day(self, name: str) -> date | None:
        """A day written 2025-11-22."""
        text = self.text(name, 32)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self.note(name, f"a day is written 2025-11-22, not '{told(text)}'")
            return None

    def lines(
        self, name: str = "lines", *, amounts: bool = True
    ) -> list[tuple[LineClass, int | None]]:
        """Classes and amounts: a list of objects, or a text of ``class=amount; ...``.

        Args:
            name: of the field.
            amounts: each line must have one.
        """
        value = self._given.get(name)
        if value is None or value == "":
            return []
        given = _split(value) if isinstance(value, str) else value
        if not isinstance(given, list):
            self.note(name, "is neither a list nor 'class=amount; class=amount'")
            return []
        if len(given) > LINES_MAX:
            self.note(name, f"there are {len(given)}, the most is {LINES_MAX}")
            return []
        found = [
            self._line(f"{name}[{at}]", one, amounts=amounts)
            for at, one in enumerate(given, 1)
        ]
        return [line for line in found if line is not None]

    def _line(
        self, where: str, value: object, *, amounts: bool
    ) -> tuple[LineClass, int | None] | None:
        if not isinstance(value, dict):
            self.note(where, 'is an object, {"class": "fines", "amount": "1.000"}')
            return None
        inner = ItemFields(value, self._currency, frozenset({"class", "amount"}))
        text = inner.text("class", 32, needed=True)
        line_class = next((one for one in LineClass if one.value == text), None)
        if text and line_class is None:
            names = ", ".join(one.value for one in LineClass)
            inner.note("class", f"'{told(text)}' is none of {names}")
        amount_minor = inner.amount("amount", needed=amounts)
        for mistake in inner.mistakes:
            self.note(f"{where}.{mistake.field}", mistake.problem)
        if inner.mistakes or line_class is None:
            return None
        return line_class, amount_minor


def _split(text: str) -> list[object]:
    lines: list[object] = []
    for part in text.split(";"):
        name, sign, amount = part.partition("=")
        given = {"class": name.strip()}
        if sign:
            given["amount"] = amount.strip()
        lines.append(given)
    return lines
