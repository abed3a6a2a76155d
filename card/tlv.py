"""BER-TLV data objects (ISO/IEC 7816-4, clause 5.2.2; ITU-T X.690, clause 8.1).

Tags of one to three bytes, definite lengths up to 65535. A value is not looked into:
who expects data objects inside one parses it again, so that depth is always that of
the code, never that of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from card.errors import MalformedResponseError

__all__ = ["TLV", "VALUE_BYTES_MAX", "encode", "parse"]

VALUE_BYTES_MAX: Final = 0xFFFF
"""Longest value, and longest data to parse: what a two-byte length can tell."""

_TAG_BYTES_MAX: Final = 3
_TAG_NUMBER_FOLLOWS: Final = 0x1F
_MORE: Final = 0x80
_NEVER_TAGS: Final = frozenset({0x00, 0xFF})
_LENGTH_ONE_BYTE: Final = 0x81
_LENGTH_TWO_BYTES: Final = 0x82
_WHAT: Final = "BER-TLV data"


@dataclass(frozen=True, slots=True, kw_only=True)
class TLV:
    """One data object.

    Attributes:
        tag: the tag's bytes as one number, such as 0x9F1B.
        value: up to 65535 bytes.
    """

    tag: int
    value: bytes

    def to_bytes(self) -> bytes:
        """Tag, shortest length, value."""
        return encode(self.tag, self.value)


def encode(tag: int, value: bytes) -> bytes:
    """One data object: tag, shortest length, value.

    Raises:
        ValueError: The tag cannot be a BER-TLV tag, or the value is too long.

    >>> encode(0xC2, bytes.fromhex("0512")).hex()
    'c2020512'
    """
    if tag < 0:
        raise ValueError("a tag is not negative")
    tag_bytes = tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")
    try:
        size = _tag_size(tag_bytes, 0)
    except MalformedResponseError:
        size = 0
    if size != len(tag_bytes):
        raise ValueError(f"{tag:X} is not a BER-TLV tag of one to three bytes")
    return tag_bytes + _encode_length(len(value)) + value


def parse(data: bytes) -> list[TLV]:
    """All data objects of ``data``, in order.

    Raises:
        MalformedResponseError: A tag, length or value does not fit, or ``data`` is
            longer than 65535 bytes.

    >>> [(hex(t.tag), t.value.hex()) for t in parse(bytes.fromhex("C2020512 C90101"))]
    [('0xc2', '0512'), ('0xc9', '01')]
    """
    if len(data) > VALUE_BYTES_MAX:
        raise MalformedResponseError(_WHAT, offset=VALUE_BYTES_MAX)
    found: list[TLV] = []
    offset = 0
    while offset < len(data):
        tag_end = offset + _tag_size(data, offset)
        tag = int.from_bytes(data[offset:tag_end], "big")
        start, size = _parse_length(data, tag_end, tag)
        if start + size > len(data):
            raise MalformedResponseError(_WHAT, offset=start, tag=tag)
        found.append(TLV(tag=tag, value=data[start : start + size]))
        offset = start + size
    return found


def _tag_size(data: bytes, offset: int) -> int:
    """Bytes of the tag at ``offset``, 1 to 3."""
    first = data[offset]
    if first in _NEVER_TAGS:
        raise MalformedResponseError(_WHAT, offset=offset)
    if first & _TAG_NUMBER_FOLLOWS != _TAG_NUMBER_FOLLOWS:
        return 1
    for size in range(2, _TAG_BYTES_MAX + 1):
        index = offset + size - 1
        if index >= len(data):
            break
        # 00 to 1E and 80 would be a number that has a shorter tag (7816-4, 5.2.2.1).
        if size == 2 and (data[index] < _TAG_NUMBER_FOLLOWS or data[index] == _MORE):
            break
        if not data[index] & _MORE:
            return size
    raise MalformedResponseError(_WHAT, offset=offset)


def _parse_length(data: bytes, offset: int, tag: int) -> tuple[int, int]:
    """Where the value starts, and its length."""
    first = data[offset] if offset < len(data) else _MORE
    if first < _MORE:
        return offset + 1, first
    following = {_LENGTH_ONE_BYTE: 1, _LENGTH_TWO_BYTES: 2}.get(first, 0)
    start = offset + 1 + following
    # 80 is the indefinite form, which 7816-4 forbids; 83 and up exceed the bound.
    if not following or start > len(data):
        raise MalformedResponseError(_WHAT, offset=offset, tag=tag)
    return start, int.from_bytes(data[offset + 1 : start], "big")


def _encode_length(size: int) -> bytes:
    if size < _MORE:
        return bytes((size,))
    if size <= 0xFF:
        return bytes((_LENGTH_ONE_BYTE, size))
    if size <= VALUE_BYTES_MAX:
        return bytes((_LENGTH_TWO_BYTES,)) + size.to_bytes(2, "big")
    raise ValueError("a value is longer than 65535 bytes")
