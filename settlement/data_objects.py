"""The BER-TLV data objects inside fields 48 and 55 of the settlement profile.

Tags are of the private class, one byte each, so that they cannot be taken for EMV's
(ISO/IEC 8825-1, clause 8.1.2). Objects of an unknown tag are skipped, for terminals
and hosts of different age must understand each other; a known one that appears twice,
or with a wrong length, makes the message malformed.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import TYPE_CHECKING, Final

from card import tlv
from card.errors import CardError
from card.profile import AMOUNT_MINOR_MAX
from settlement.errors import MalformedMessageError
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    TEXT_BYTES_MAX,
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ANSWER_TEXT_BYTES_MAX",
    "KINDS",
    "KIND_CODES",
    "LINE_CLASSES",
    "LINE_CODES",
    "CardTag",
    "DataObjects",
    "DetailTag",
    "encode_details",
    "encode_objects",
    "fit_text",
    "parse_details",
    "printable_text",
]

ANSWER_TEXT_BYTES_MAX: Final = 200
"""Bytes of the bank's words to the terminal; longer ones are cut."""

_LINE_BYTES: Final = 5


@unique
class DetailTag(IntEnum):
    """Data objects of field 48."""

    DECLARATION = 0xC0
    REQUEST_NUMBER = 0xC1
    DELIVERY_ORDER = 0xC2
    KIND = 0xC3
    LINE = 0xC4
    CLERK = 0xC5
    SERVICE_CODE = 0xC6
    DECLINE_REASON = 0xC7
    DECLINED_AT = 0xC8
    TEXT = 0xCF
    SESSION_KEY = 0xD0
    BANK_TIME = 0xD1
    PARAMETERS_VERSION = 0xD2
    HOTLIST_VERSION = 0xD3
    AUDIT_HEAD = 0xD4
    OUTCOMES = 0xD5
    HELD_PLACES = 0xD6
    HELD_DIGEST = 0xD7
    CATALOGUE_VERSION = 0xD8
    REQUESTS_VERSION = 0xD9
    DOWNLOAD_DIGESTS = 0xDA
    DOWNLOAD_HELD = 0xDB
    DOWNLOAD_WANTED = 0xDC
    DOWNLOAD_OFFER = 0xDD
    DOWNLOAD_CHUNK = 0xDE


@unique
class CardTag(IntEnum):
    """Data objects of field 55."""

    OUTCOME = 0xC0
    TX = 0xC1
    BALANCE_AFTER = 0xC2
    CUMULATIVE_DEBIT = 0xC3
    TAC = 0xC4
    KEY_VERSION = 0xC5
    ALGORITHM = 0xC6
    RC = 0xC7
    VREQ = 0xC8
    VMAC = 0xC9
    MAC2 = 0xCA
    MID = 0xCB
    CLOSE = 0xCC
    BANK_ACK_MAC = 0xCD


KIND_CODES: Final = {
    PaymentKind.FEES: 1,
    PaymentKind.DEPOSITS: 2,
    PaymentKind.PURCHASE: 3,
}
KINDS: Final = {code: kind for kind, code in KIND_CODES.items()}

LINE_CODES: Final = {
    LineClass.CUSTOMS_DUTY: 1,
    LineClass.UNLOADING_FEES: 2,
    LineClass.STORAGE_FEES: 3,
    LineClass.FINES: 4,
    LineClass.DEPOSITS: 5,
    LineClass.CERTIFICATES: 6,
    LineClass.PUBLICATIONS: 7,
    LineClass.OTHER_RECEIPTS: 8,
}
LINE_CLASSES: Final = {code: line_class for line_class, code in LINE_CODES.items()}

_REPEATABLE: Final = frozenset({DetailTag.LINE, DetailTag.OUTCOMES})


class DataObjects:
    """The data objects of one field, read by tag."""

    def __init__(self, data: bytes, *, number: int, tags: type[IntEnum]) -> None:
        """Read the objects of field ``number``, skipping tags not in ``tags``.

        Raises:
            MalformedMessageError: The bytes are not BER-TLV, or a tag is repeated.
        """
        self._number = number
        self._values: dict[int, list[bytes]] = {}
        known = {int(tag) for tag in tags}
        try:
            objects = tlv.parse(data)
        except CardError as error:
            raise MalformedMessageError(str(error), field=number) from None
        for item in objects:
            if item.tag not in known:
                continue
            values = self._values.setdefault(item.tag, [])
            if values and item.tag not in _REPEATABLE:
                raise self.malformed("repeated", item.tag)
            values.append(item.value)

    def malformed(self, problem: str, tag: int) -> MalformedMessageError:
        """The error that says what is wrong with the object of this tag."""
        return MalformedMessageError(problem, field=self._number, tag=tag)

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def fixed(self, tag: int, length: int) -> bytes:
        """The value of an object that has this length in bytes.

        Raises:
            MalformedMessageError: The object is absent or of another length.
        """
        values = self._values.get(tag)
        if not values:
            raise self.malformed("absent", tag)
        if len(values[0]) != length:
            raise self.malformed(f"not {length} bytes", tag)
        return values[0]

    def up_to(self, tag: int, bytes_max: int) -> bytes:
        """The value of an object of up to so many bytes.

        Raises:
            MalformedMessageError: The object is absent or longer.
        """
        values = self._values.get(tag)
        if not values:
            raise self.malformed("absent", tag)
        if len(values[0]) > bytes_max:
            raise self.malformed("too long", tag)
        return values[0]

    def integer(self, tag: int, length: int) -> int:
        """The value of a big-endian integer of this length in bytes."""
        return int.from_bytes(self.fixed(tag, length), "big")

    def text(self, tag: int, bytes_max: int) -> str:
        """The value of a UTF-8 text; empty when the object is absent."""
        values = self._values.get(tag)
        if not values:
            return ""
        if len(values[0]) > bytes_max:
            raise self.malformed("too long", tag)
        try:
            text = values[0].decode()
        except UnicodeDecodeError:
            raise self.malformed("not UTF-8", tag) from None
        if not text.isprintable():
            raise self.malformed("not printable", tag)
        return text

    def every(self, tag: int) -> list[bytes]:
        """The values of all objects of a repeatable tag, in order."""
        return self._values.get(tag, [])


def encode_objects(objects: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes of data objects, in the order given."""
    return b"".join(tlv.encode(tag, value) for tag, value in objects)


def printable_text(data: bytes, bytes_max: int) -> str | None:
    """The text in ``data``; None when it is too long, no UTF-8 or not printable."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if len(data) <= bytes_max and text.isprintable() else None


def fit_text(text: str, bytes_max: int = ANSWER_TEXT_BYTES_MAX) -> bytes:
    """The bank's words in UTF-8, cut to ``bytes_max`` between characters.

    >>> fit_text("count differs")
    b'count differs'
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    cut = shown.encode()[:bytes_max]
    return cut.decode(errors="ignore").encode()


def encode_details(details: PaymentDetails) -> bytes:
    """Field 48 of one payment."""
    texts = (
        (DetailTag.REQUEST_NUMBER, details.request_number),
        (DetailTag.DELIVERY_ORDER, details.delivery_order),
        (DetailTag.CLERK, details.clerk),
        (DetailTag.SERVICE_CODE, details.service_code),
    )
    return encode_objects(
        [
            (DetailTag.DECLARATION, details.declaration.encode()),
            (DetailTag.KIND, bytes([KIND_CODES[details.kind]])),
            *((DetailTag.LINE, _encode_line(line)) for line in details.lines),
            *((tag, text.encode()) for tag, text in texts if text),
        ]
    )


def parse_details(data: bytes) -> PaymentDetails:
    """The details in field 48 of one payment.

    Raises:
        MalformedMessageError: A mandatory object is absent, or one is not valid.
    """
    objects = DataObjects(data, number=48, tags=DetailTag)
    declaration = objects.text(DetailTag.DECLARATION, DECLARATION_BYTES_MAX)
    if not declaration:
        raise objects.malformed("absent", DetailTag.DECLARATION)
    kind = KINDS.get(objects.integer(DetailTag.KIND, 1))
    if kind is None:
        raise objects.malformed("unknown", DetailTag.KIND)
    lines = objects.every(DetailTag.LINE)
    if len(lines) > LINES_MAX:
        raise objects.malformed("too many", DetailTag.LINE)
    return PaymentDetails(
        declaration=declaration,
        kind=kind,
        lines=tuple(_parse_line(line, objects) for line in lines),
        clerk=objects.text(DetailTag.CLERK, TEXT_BYTES_MAX),
        request_number=objects.text(DetailTag.REQUEST_NUMBER, TEXT_BYTES_MAX),
        delivery_order=objects.text(DetailTag.DELIVERY_ORDER, TEXT_BYTES_MAX),
        service_code=objects.text(DetailTag.SERVICE_CODE, TEXT_BYTES_MAX),
    )


def _encode_line(line: PaymentLine) -> bytes:
    return bytes([LINE_CODES[line.line_class]]) + line.amount_minor.to_bytes(4, "big")


def _parse_line(value: bytes, objects: DataObjects) -> PaymentLine:
    if len(value) != _LINE_BYTES:
        raise objects.malformed(f"not {_LINE_BYTES} bytes", DetailTag.LINE)
    line_class = LINE_CLASSES.get(value[0])
    amount_minor = int.from_bytes(value[1:], "big")
    if line_class is None or not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise objects.malformed("unknown class or no amount", DetailTag.LINE)
    return PaymentLine(line_class=line_class, amount_minor=amount_minor)
