"""Columns of texts that look alike: what they share once, what differs as a number.

A text is a *form* and a number: the digits at its end, at most `DIGITS_MAX` of them,
are the number, and the form is what stands before them and how many they are. So of
``IMP-2025-000417`` and ``IMP-2025-001230`` the form, ``IMP-2025-`` and six digits, is
written once, and 417 and 1230 go into a column of numbers. The exact bits are in
``docs/iso8583.md``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from settlement.bit_columns import read_column, write_column
from settlement.payment import DECLARATION_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.bit_columns import BitReader, BitWriter

__all__ = ["DIGITS_MAX", "read_words", "write_words"]

DIGITS_MAX: Final = 15
"""Digits that count as a number; those before them belong to the form."""

_FORM_COUNT_BITS: Final = 8
"""Five texts of at most 32 payments cannot have more forms than that can count."""
_DIGITS_BITS: Final = 4
_STEM_BITS: Final = 6
_STEM_BYTES_MAX: Final = DECLARATION_BYTES_MAX
_NUMBER_AT_END: Final = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}\Z")


class _Form(NamedTuple):
    """What texts share: their first characters in UTF-8, and how many digits follow."""

    stem: bytes
    digits: int


def write_words(writer: BitWriter, columns: Sequence[Sequence[str]]) -> None:
    """Add columns of texts, which share their forms."""
    split = [[_split(text) for text in column] for column in columns]
    forms = list(dict.fromkeys(form for form, _ in chain.from_iterable(split)))
    writer.write(len(forms), _FORM_COUNT_BITS)
    for form in forms:
        writer.write(form.digits, _DIGITS_BITS)
        writer.write(len(form.stem), _STEM_BITS)
        for byte in form.stem:
            writer.write(byte, 8)
    places = {form: place for place, form in enumerate(forms)}
    for column in split:
        write_column(writer, [places[form] for form, _ in column])
        numbers: defaultdict[_Form, list[int]] = defaultdict(list)
        for form, number in column:
            numbers[form].append(number)
        for form in forms:
            if form.digits and form in numbers:
                write_column(writer, numbers[form])


def read_words(reader: BitReader, columns: int, count: int) -> list[list[str]]:
    """So many columns of ``count`` texts each.

    Raises:
        MalformedMessageError: the bits are none, or a text is not UTF-8.
    """
    forms = [_read_form(reader) for _ in range(reader.read(_FORM_COUNT_BITS))]
    return [_read_texts(reader, forms, count) for _ in range(columns)]


def _split(text: str) -> tuple[_Form, int]:
    found = _NUMBER_AT_END.search(text)
    if found is None:
        return _Form(text.encode(), 0), 0
    digits = found[0]
    return _Form(text[: found.start()].encode(), len(digits)), int(digits)


def _read_form(reader: BitReader) -> _Form:
    digits = reader.read(_DIGITS_BITS)
    size = reader.read(_STEM_BITS)
    if size > _STEM_BYTES_MAX:
        raise reader.malformed("a text too long")
    return _Form(reader.read(8 * size).to_bytes(size, "big"), digits)


def _read_texts(reader: BitReader, forms: Sequence[_Form], count: int) -> list[str]:
    places = read_column(reader, count)
    if places and not 0 <= min(places) <= max(places) < len(forms):
        raise reader.malformed("a form that is not there")
    numbers = {
        place: iter(read_column(reader, places.count(place)))
        for place, form in enumerate(forms)
        if form.digits
    }
    return [
        _join(reader, forms[place], next(numbers[place]) if place in numbers else 0)
        for place in places
    ]


def _join(reader: BitReader, form: _Form, number: int) -> str:
    if not 0 <= number < 10**form.digits:
        raise reader.malformed("a number with too many digits")
    digits = f"{number:0{form.digits}d}" if form.digits else ""
    try:
        return form.stem.decode() + digits
    except UnicodeDecodeError:
        raise reader.malformed("not UTF-8") from None
