"""Columns of whole numbers in as few bits as one rule can give, and back.

Bits are written most significant first, one item after the other without gaps. A
column is a list of numbers whose count both sides know; it takes the shorter of two
forms, which its first bit names (equal: the frame):

    frame    0, then the smallest number, then what each is above it
    choice   1, then which numbers occur, ascending, as a frame, then which each is

An empty column has no bits at all. The exact bits are in ``docs/iso8583.md``.

The reader takes any bytes whatever: it asks for no more than they hold, its counts are
the caller's, and what is wrong raises `MalformedMessageError` and nothing else. That
there is only one way to write a column is the caller's to check, by writing again what
it has read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CHOICES_MAX", "BitReader", "BitWriter", "read_column", "write_column"]

CHOICES_MAX: Final = 64
"""Numbers that a column in the form of a choice may tell apart."""

_WIDTH_BITS: Final = 7
"""Bits of a width: so no number has more than 127 bits."""
_CHOICES_BITS: Final = 6


class BitWriter:
    """Collects bits, most significant first.

    >>> writer = BitWriter()
    >>> writer.write(5, 3)
    >>> writer.to_bytes().hex()
    'a0'
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._bits: list[str] = []

    def write(self, value: int, width: int) -> None:
        """Add ``value`` in ``width`` bits; 0 bits can only say 0."""
        assert 0 <= value < 1 << width, "the value has its width"
        if width:
            self._bits.append(f"{value:0{width}b}")

    def write_all(self, values: Sequence[int], width: int) -> None:
        """Add each of ``values``, which are not negative, in ``width`` bits."""
        assert not values or 0 <= min(values) <= max(values) < 1 << width, "they fit"
        if width:
            form = f"0{width}b"
            self._bits += [format(value, form) for value in values]

    def to_bytes(self) -> bytes:
        """All bits, filled up with zeros to whole bytes."""
        bits = "".join(self._bits)
        size = -(-len(bits) // 8)
        return int(bits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")


class BitReader:
    """Takes bits off the front of bytes.

    >>> BitReader(bytes.fromhex("A0"), field=61).read(3)
    5
    """

    def __init__(self, data: bytes, *, field: int) -> None:
        """Read ``data``, which stood in ``field`` of a message."""
        self._number = int.from_bytes(data, "big")
        self._left = 8 * len(data)
        self._field = field

    def read(self, width: int) -> int:
        """The next ``width`` bits as a number.

        Raises:
            MalformedMessageError: there are not so many left.
        """
        if width > self._left:
            raise self.malformed("cut short")
        self._left -= width
        return (self._number >> self._left) & ((1 << width) - 1)

    def read_all(self, count: int, width: int) -> list[int]:
        """So many numbers of ``width`` bits each.

        Raises:
            MalformedMessageError: there are not so many bits left.
        """
        block, mask = self.read(count * width), (1 << width) - 1
        last = (count - 1) * width
        return [block >> (last - place * width) & mask for place in range(count)]

    def malformed(self, problem: str) -> MalformedMessageError:
        """The error that says what is wrong with these bytes."""
        return MalformedMessageError(problem, field=self._field)


def write_column(writer: BitWriter, values: Sequence[int]) -> None:
    """Add a column; its numbers may be negative."""
    if not values:
        return
    distinct = sorted(set(values))
    least, most = distinct[0], distinct[-1]
    if 1 < len(distinct) <= CHOICES_MAX:
        width = _width(len(distinct) - 1)
        choice_bits = _frame_bits(least, most, len(distinct)) + _CHOICES_BITS
        choice_bits += width * len(values)
        if choice_bits < _frame_bits(least, most, len(values)):
            writer.write(1, 1)
            writer.write(len(distinct) - 1, _CHOICES_BITS)
            _write_frame(writer, distinct)
            places = {value: place for place, value in enumerate(distinct)}
            writer.write_all([places[value] for value in values], width)
            return
    writer.write(0, 1)
    _write_frame(writer, values)


def read_column(reader: BitReader, count: int) -> list[int]:
    """A column of ``count`` numbers.

    Raises:
        MalformedMessageError: the bits are none.
    """
    if count == 0:
        return []
    if not reader.read(1):
        return _read_frame(reader, count)
    distinct = _read_frame(reader, reader.read(_CHOICES_BITS) + 1)
    width = _width(len(distinct) - 1)
    places = reader.read_all(count, width)
    if max(places) >= len(distinct):
        raise reader.malformed("a choice that is not there")
    return [distinct[place] for place in places]


def _write_frame(writer: BitWriter, values: Sequence[int]) -> None:
    base = min(values)
    width = _width(max(values) - base)
    base_width = _width(abs(base))
    writer.write(int(base < 0), 1)
    writer.write(base_width, _WIDTH_BITS)
    writer.write(abs(base), base_width)
    writer.write(width, _WIDTH_BITS)
    if width:
        writer.write_all([value - base for value in values], width)


def _frame_bits(least: int, most: int, count: int) -> int:
    """Bits that `_write_frame` takes for so many numbers from least to most."""
    return 1 + 2 * _WIDTH_BITS + _width(abs(least)) + count * _width(most - least)


def _read_frame(reader: BitReader, count: int) -> list[int]:
    sign = -1 if reader.read(1) else 1
    base = sign * reader.read(reader.read(_WIDTH_BITS))
    width = reader.read(_WIDTH_BITS)
    if not width:
        return [base] * count
    return [base + above for above in reader.read_all(count, width)]


def _width(value: int) -> int:
    """Bits that ``value`` needs; 0 for 0."""
    return value.bit_length()
