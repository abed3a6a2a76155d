"""Bytes of ISO 8583:1987 messages to numbered fields and back, with their MAC.

The coding itself is pyiso8583's. Added here: every field is checked against its
format, a message has exactly one byte form (what decodes also encodes to the same
bytes, so no field can hide), and any bytes whatever either decode or raise
`MalformedMessageError`.

The MAC (ISO 8583:1987, fields 64 and 128) is AES-CMAC per NIST SP 800-38B under the
session key over all bytes before it, message type and bitmaps included, cut to the
leftmost 8 bytes. It stands last: in field 64, or in 128 when there is a second bitmap.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import iso8583

from card.keys import cmac
from settlement.errors import MalformedMessageError
from settlement.iso8583_spec import (
    FIELDS,
    MAC_FIELDS,
    MESSAGE_BYTES_MAX,
    PYISO8583_SPEC,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAC_BYTES", "Message", "decode", "encode", "is_authentic"]

MAC_BYTES: Final = 8
_MTI_BYTES: Final = 4
_BITMAP_BYTES: Final = 8
_MTI: Final = re.compile(r"0[1-8][0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: its type and its fields, the MAC left out.

    Attributes:
        mti: message type, four digits.
        fields: text of text fields and bytes of binary fields, by number. Not shown
            in `repr`, since field 2 is a full card number and 48 may hold a key.
        mac: what stood in field 64 or 128, 8 bytes, or None when there was none.
    """

    mti: str
    fields: Mapping[int, str | bytes] = field(repr=False)
    mac: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        stan = self.fields.get(11)
        return f"{self.mti} STAN {stan if isinstance(stan, str) else 'absent'}"

    def text(self, number: int) -> str:
        """The text of a field.

        Raises:
            MalformedMessageError: The message lacks the field.
        """
        value = self.fields.get(number)
        if isinstance(value, str):
            return value
        raise MalformedMessageError("absent", field=number)

    def binary(self, number: int) -> bytes:
        """The bytes of a binary field.

        Raises:
            MalformedMessageError: The message lacks the field.
        """
        value = self.fields.get(number)
        if isinstance(value, bytes):
            return value
        raise MalformedMessageError("absent", field=number)


def encode(message: Message, session_key: bytes | None) -> bytes:
    """The bytes of a message, with its MAC.

    Args:
        message: what to send; a MAC that it may carry is not used.
        session_key: 16 bytes, or None for the one message that has no MAC (0800).

    Raises:
        MalformedMessageError: A field does not have its format or length.
    """
    fields = dict(message.fields)
    if session_key is None:
        return _encode(message.mti, fields)
    fields[_mac_field(fields)] = bytes(MAC_BYTES)
    covered = _encode(message.mti, fields)[:-MAC_BYTES]
    return covered + cmac(session_key, covered)[:MAC_BYTES]


def decode(data: bytes) -> Message:
    """The message in ``data``; its MAC is not verified here.

    Raises:
        MalformedMessageError: The bytes are not exactly one message of the profile.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise MalformedMessageError("too long")
    _check_bitmaps(data)
    try:
        texts, _ = iso8583.decode(data, PYISO8583_SPEC)
    except iso8583.DecodeError as error:
        number = int(error.field) if error.field.isdigit() else None
        raise MalformedMessageError(error.msg, field=number) from None
    fields = {
        number: _from_codec(number, texts[str(number)])
        for number in FIELDS
        if str(number) in texts
    }
    if _encode(texts["t"], fields) != data:
        raise MalformedMessageError("not in its one byte form")
    return _take_mac(texts["t"], fields)


def is_authentic(data: bytes, message: Message, session_key: bytes) -> bool:
    """Whether the MAC of a message verifies.

    Args:
        data: the bytes that ``message`` was decoded from.
        message: what `decode` made of them.
        session_key: 16 bytes.
    """
    if message.mac is None:
        return False
    expected = cmac(session_key, data[:-MAC_BYTES])[:MAC_BYTES]
    return hmac.compare_digest(expected, message.mac)


def _mac_field(fields: Mapping[int, str | bytes]) -> int:
    """The field in which the MAC of these fields stands: 64 or 128."""
    single, double = MAC_FIELDS
    return double if any(number > single for number in fields) else single


def _encode(mti: str, fields: Mapping[int, str | bytes]) -> bytes:
    if not _MTI.fullmatch(mti):
        raise MalformedMessageError("unknown message type")
    texts = {str(number): _to_codec(number, value) for number, value in fields.items()}
    texts["t"] = mti
    try:
        data, _ = iso8583.encode(texts, PYISO8583_SPEC)
    except iso8583.EncodeError as error:
        number = int(error.field) if error.field.isdigit() else None
        raise MalformedMessageError(error.msg, field=number) from None
    return bytes(data)


def _to_codec(number: int, value: str | bytes) -> str:
    """A field as pyiso8583 takes it: text, or hex of a binary field."""
    spec = FIELDS.get(number)
    if spec is None:
        raise MalformedMessageError("unknown", field=number)
    if isinstance(value, bytes):
        if not spec.binary:
            raise MalformedMessageError("not text", field=number)
        return value.hex().upper()
    if spec.binary or not re.fullmatch(spec.format.value, value):
        raise MalformedMessageError("not of its format", field=number)
    return value


def _from_codec(number: int, text: str) -> str | bytes:
    return bytes.fromhex(text) if FIELDS[number].binary else text


def _check_bitmaps(data: bytes) -> None:
    """Refuse fields that the profile does not know before pyiso8583 meets them."""
    start, end = _MTI_BYTES, _MTI_BYTES + _BITMAP_BYTES
    bitmap = data[start:end]
    if bitmap and bitmap[0] & 0x80:
        bitmap = data[start : end + _BITMAP_BYTES]
    for number in range(2, 8 * len(bitmap) + 1):
        octet, bit = divmod(number - 1, 8)
        if bitmap[octet] & (0x80 >> bit) and number not in FIELDS:
            raise MalformedMessageError("unknown", field=number)


def _take_mac(mti: str, fields: dict[int, str | bytes]) -> Message:
    """Part the MAC from the other fields; it may stand only where it is last."""
    present = [number for number in MAC_FIELDS if number in fields]
    if not present:
        return Message(mti=mti, fields=fields)
    mac = fields.pop(present[-1])
    if len(present) > 1 or _mac_field(fields) != present[0]:
        raise MalformedMessageError("the MAC is not last", field=present[0])
    assert isinstance(mac, bytes), "the MAC is a binary field"
    return Message(mti=mti, fields=fields, mac=mac)
