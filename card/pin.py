"""PIN blocks, ISO 9564-1 format 2: the only form in which a PIN reaches a card."""

from __future__ import annotations

from typing import Final

from card.errors import InvalidPINError
from card.profile import PIN_DIGITS_MAX, PIN_DIGITS_MIN

__all__ = ["PIN_BLOCK_BYTES", "InvalidPINError", "pin_block"]

PIN_BLOCK_BYTES: Final = 8
_CONTROL_FORMAT_2: Final = 0x20
_FILL: Final = 0x0F
_ASCII_DIGITS: Final = frozenset(b"0123456789")


def pin_block(digits: bytes | bytearray) -> bytes:
    """The PIN block of 4 to 12 ASCII digits, 8 bytes (ISO 9564-1, format 2).

    The caller keeps ``digits`` and wipes them; a bytearray can be wiped.

    Raises:
        InvalidPINError: There are too few or too many, or one is no digit. Nothing was
            sent to a card and no try was spent.

    >>> pin_block(b"1234").hex()
    '241234ffffffffff'
    """
    if not PIN_DIGITS_MIN <= len(digits) <= PIN_DIGITS_MAX:
        raise InvalidPINError("length")
    if not _ASCII_DIGITS.issuperset(digits):
        raise InvalidPINError("digits")
    nibbles = [digit & 0x0F for digit in digits]
    nibbles += [_FILL] * (2 * (PIN_BLOCK_BYTES - 1) - len(nibbles))
    pairs = zip(nibbles[::2], nibbles[1::2], strict=True)
    block = bytes(high << 4 | low for high, low in pairs)
    return bytes((_CONTROL_FORMAT_2 | len(digits),)) + block
