"""The fields that records and answers are made of (card profile 1).

Everything on the cards is big-endian and of fixed length; dates and currencies are
binary coded decimal. `FieldReader` takes such fields off the front of some bytes and
names the place where they stop making sense; the ``*_bytes`` functions write them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final, Self

from card.errors import MalformedResponseError
from card.profile import AMOUNT_MINOR_MAX

__all__ = [
    "CURRENCY_MAX",
    "UINT4_MAX",
    "FieldReader",
    "currency_bytes",
    "date_bytes",
    "datetime_bytes",
    "uint4",
]

CURRENCY_MAX: Final = 999
"""Largest numeric code of ISO 4217."""

UINT4_MAX: Final = 0xFFFFFFFF
"""Largest counter or balance."""

_BCD: Final = bytes(int(f"{number:02d}", 16) for number in range(100))
"""Two digits in one byte, for each number below 100."""


def uint4(value: int) -> bytes:
    """A counter, an amount or a balance: 4 bytes."""
    return value.to_bytes(4, "big")


def currency_bytes(currency: int) -> bytes:
    """ISO 4217 numeric code in BCD, 2 bytes.

    >>> currency_bytes(512).hex()
    '0512'
    """
    assert 0 <= currency <= CURRENCY_MAX, "a currency has three digits"
    return bytes((_BCD[currency // 100], _BCD[currency % 100]))


def date_bytes(day: date) -> bytes:
    """YYYYMMDD in BCD, 4 bytes."""
    century, year = divmod(day.year, 100)
    return bytes((_BCD[century], _BCD[year], _BCD[day.month], _BCD[day.day]))


def datetime_bytes(at: datetime) -> bytes:
    """UTC YYYYMMDDhhmmss in BCD, 7 bytes; ``at`` must be aware.

    >>> datetime_bytes(datetime(2025, 11, 22, 10, 15, tzinfo=UTC)).hex()
    '20251122101500'
    """
    assert at.tzinfo is not None, "a time without its zone is no moment"
    # A record's own time is in UTC already, and the bank writes a million of these.
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    clock = bytes((_BCD[utc.hour], _BCD[utc.minute], _BCD[utc.second]))
    return date_bytes(utc) + clock


class FieldReader:
    """Takes fixed fields off the front of ``data``, in a ``with`` block.

    Every method raises `MalformedResponseError` with the offset of the field that does
    not fit, and so does the end of the block when bytes are left; ``what`` says in that
    error what was being read.
    """

    def __init__(self, data: bytes, what: str, *, tag: int | None = None) -> None:
        self._data = data
        self._what = what
        self._tag = tag
        self._offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._offset != len(self._data):
            raise self._malformed(self._offset)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self._offset + size
        if end > len(self._data):
            raise self._malformed(len(self._data))
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def uint(self, size: int) -> int:
        """An unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def constant(self, expected: int) -> int:
        """One byte that can only be ``expected``."""
        start = self._offset
        if self.uint(1) != expected:
            raise self._malformed(start)
        return expected

    def one_of(self, allowed: frozenset[int]) -> int:
        """One byte out of ``allowed``."""
        start = self._offset
        value = self.uint(1)
        if value not in allowed:
            raise self._malformed(start)
        return value

    def amount(self) -> int:
        """An amount in minor units: 4 bytes, 1 to 7FFFFFFF."""
        start = self._offset
        value = self.uint(4)
        if not 1 <= value <= AMOUNT_MINOR_MAX:
            raise self._malformed(start)
        return value

    def currency(self) -> int:
        """An ISO 4217 numeric code: 2 bytes of BCD."""
        start = self._offset
        value = int(self._digits(2))
        if value > CURRENCY_MAX:
            raise self._malformed(start)
        return value

    def day(self) -> date:
        """A day: 4 bytes of BCD."""
        return self._moment(4).date()

    def moment(self) -> datetime:
        """A moment: 7 bytes of BCD, aware UTC."""
        return self._moment(7)

    def _digits(self, size: int) -> str:
        start = self._offset
        digits = self.take(size).hex()
        if not digits.isdecimal():
            raise self._malformed(start)
        return digits

    def _moment(self, size: int) -> datetime:
        start = self._offset
        digits = self._digits(size)
        # Slices, not strptime: the bank reads a million of these.
        parts = [int(digits[i : i + 2]) for i in range(4, len(digits), 2)]
        try:
            return datetime(int(digits[:4]), *parts, tzinfo=UTC)  # type: ignore[arg-type,misc] # mypy counts no star
        except ValueError:
            raise self._malformed(start) from None

    def _malformed(self, offset: int) -> MalformedResponseError:
        return MalformedResponseError(self._what, offset=offset, tag=self._tag)
