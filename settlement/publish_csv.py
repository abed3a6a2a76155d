"""CSV files that are published: a heading, then one entry a line, each field judged."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from settlement.download_items import parse_day
from settlement.errors import AmountError, DownloadError
from settlement.money import parse_amount
from settlement.payment import PaymentKind
from settlement.shown_text import text_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from settlement.money import Currency
    from settlement.publish_mistakes import Mistakes

__all__ = ["Row", "read_rows"]


class Row:
    """One line; whatever is taken from it is judged, and told of when it is wrong."""

    def __init__(self, where: str, values: dict[str, str], mistakes: Mistakes) -> None:
        """A line ``where`` with ``values`` by column."""
        self.where = where
        self._values = values
        self._mistakes = mistakes

    def value(self, name: str) -> str:
        """What stands there, not judged; empty when there is no such column."""
        return self._values.get(name, "")

    def text(self, name: str, bytes_max: int, *, needed: bool = False) -> str:
        """A text; empty when there is no such column."""
        value = self._values.get(name)
        if value is None:
            return ""
        least = 1 if needed else 0
        fault = text_fault(value, bytes_max=bytes_max, bytes_min=least)
        if fault is not None:
            self._add(f"{name} {fault}")
        return value

    def kind(self) -> PaymentKind:
        """What a payment is for; any one when the line does not say it."""
        value = self._values.get("kind", "")
        try:
            return PaymentKind(value)
        except ValueError:
            kinds = ", ".join(kind.value for kind in PaymentKind)
            self._add_if_there("kind", f"the kind is one of {kinds}")
        return PaymentKind.FEES

    def amount(self, currency: Currency, *, needed: bool) -> int | None:
        """An amount in minor units; None when it is blank, or none."""
        value = self._values.get("amount", "")
        if not value and not needed:
            return None
        try:
            return parse_amount(value, currency).amount_minor
        except AmountError as error:
            self._add_if_there("amount", str(error))
        return None

    def day(self, name: str) -> date | None:
        """A day; None when it is blank, or none."""
        value = self._values.get(name, "")
        try:
            return parse_day(value) if value else None
        except DownloadError:
            self._add(f"{name}: a day is written 2025-11-22")
        return None

    def _add_if_there(self, name: str, what: str) -> None:
        # A column that is not there was told of once, for the heading.
        if name in self._values:
            self._add(what)

    def _add(self, what: str) -> None:
        self._mistakes.add(self.where, what)


def read_rows(
    text: str, columns: Sequence[str], needed: int, mistakes: Mistakes
) -> Iterator[Row]:
    """The lines of a CSV text that has a heading.

    Args:
        text: of the whole file.
        columns: all that there may be.
        needed: how many of the first ones must be there.
        mistakes: told of what is wrong.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    heading: list[str] | None = None
    try:
        for found in reader:
            where = f"Line {reader.line_num}"
            values = [value.strip(" \t") for value in found]
            if not found:
                continue
            if heading is None:
                heading = values
                _check_heading(where, heading, columns, needed, mistakes)
            elif len(values) != len(heading):
                mistakes.add(
                    where,
                    f"not as many values ({len(values)}) as the heading has names "
                    f"({len(heading)})",
                )
            else:
                yield Row(where, dict(zip(heading, values, strict=True)), mistakes)
    except csv.Error as error:
        # Where a quote stands wrong, nobody can say where the next line begins.
        mistakes.add(
            f"Line {reader.line_num}", f"not CSV: {error}; lines after it were not read"
        )


def _check_heading(
    where: str,
    heading: Sequence[str],
    columns: Sequence[str],
    needed: int,
    mistakes: Mistakes,
) -> None:
    told = (
        f"the first line names the columns: {', '.join(columns[:needed])}, and if "
        f"wanted {', '.join(columns[needed:])}"
    )
    for name in dict.fromkeys(heading):
        if name not in columns:
            mistakes.add(where, f"there is no column {name!a}; {told}")
        elif heading.count(name) > 1:
            mistakes.add(where, f"the column '{name}' is named more than once")
    for name in columns[:needed]:
        if name not in heading:
            mistakes.add(where, f"the column '{name}' is not there; {told}")
