"""The bytes that an incident is about, so that an auditor can judge them again.

Evidence is one ISO 8583 message of the profile. Of a message that the host refused it
is the message itself, byte for byte as it came. Of a payment or an open record it is
the 0320 of ``docs/iso8583.md`` that stands for it, also when it came in a group, for
which that page says that it stands for exactly these bytes; with the bank's time in
field 7, in UTC, and without the MAC, whose key ended with the call. Fields 48 and 55
hold all that was said and signed: TX, counters, TAC, key version.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card import tlv
from card.errors import CardError
from card.records import TransactionRecord
from settlement import iso8583
from settlement.data_objects import CardTag, DetailTag
from settlement.errors import MalformedMessageError
from settlement.message_codec import detail_message, header_message, totals_message
from settlement.payment import PaymentRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from enum import IntEnum

    from settlement.audit_head import AuditHead
    from settlement.messages import BatchHeader, BatchTotals
    from settlement.payment import OpenItem

__all__ = [
    "card_number_places",
    "card_numbers",
    "decoded",
    "hex_lines",
    "of_header",
    "of_record",
    "of_totals",
]

_NO_STAN: Final = 0
"""A header's and a totals' own STAN belongs to the call and is not kept."""
_LINE_BYTES: Final = 16
_OBJECT_FIELDS: Final[dict[int, type[IntEnum]]] = {48: DetailTag, 55: CardTag}


def of_record(
    header: BatchHeader, record: PaymentRecord | OpenItem, now: datetime
) -> bytes:
    """The 0320 that stands for a payment or an open record of a batch."""
    tx = record.tx if isinstance(record, PaymentRecord) else record.open_record.tx
    # Field 49 says what TX says, also where the batch says otherwise.
    header = replace(header, currency=tx.currency)
    return iso8583.encode(detail_message(header, record, now), None)


def of_header(
    header: BatchHeader, now: datetime, audit_head: AuditHead | None = None
) -> bytes:
    """The 0500 that opens a batch, with what the customs card closed."""
    return iso8583.encode(header_message(header, _NO_STAN, now, audit_head), None)


def of_totals(header: BatchHeader, totals: BatchTotals, now: datetime) -> bytes:
    """The 0500 that ends a batch, with what the terminal says to have sent."""
    return iso8583.encode(totals_message(header, totals, _NO_STAN, now), None)


def hex_lines(data: bytes, hidden: frozenset[int] = frozenset()) -> Iterator[str]:
    """The bytes in lines of 16, each with its offset.

    Args:
        data: what to show.
        hidden: places that are shown as ``**``, see `card_number_places`.

    >>> list(hex_lines(b"0320AB", frozenset({1})))
    ['0000  30 ** 32 30 41 42']
    """
    for start in range(0, len(data), _LINE_BYTES):
        row = range(start, min(start + _LINE_BYTES, len(data)))
        shown = ("**" if place in hidden else f"{data[place]:02X}" for place in row)
        yield f"{start:04X}  {' '.join(shown)}"


def card_number_places(data: bytes) -> frozenset[int] | None:
    """Where the digits of card numbers stand that people do not see.

    Returns:
        The places, or None when the bytes cannot be read, so that nobody can tell.
    """
    if (numbers := card_numbers(data)) is None:
        return None
    hidden: set[int] = set()
    for number in numbers:
        hidden.update(_hidden_of(data, number, _HIDDEN_BYTES))
        written = number.hex().upper().encode()
        hidden.update(_hidden_of(data, written, _HIDDEN_DIGITS))
    return frozenset(hidden)


def card_numbers(data: bytes) -> set[bytes] | None:
    """Every card number in the bytes, 8 bytes each; None when they cannot be read."""
    try:
        return _card_numbers(iso8583.decode(data))
    except (MalformedMessageError, CardError, ValueError):
        return None


def decoded(data: bytes) -> list[tuple[str, str]]:
    """What the bytes say, field by field; what cannot be read is told so.

    Returns:
        Pairs of a field's or data object's name and its value; binary ones in
        hexadecimal. Card numbers are whole.
    """
    try:
        message = iso8583.decode(data)
    except MalformedMessageError as error:
        return [("not readable", str(error))]
    told = [("message type", message.mti)]
    for number, value in sorted(message.fields.items()):
        tags = _OBJECT_FIELDS.get(number)
        if tags is not None and isinstance(value, bytes):
            told += _objects(number, tags, value)
            continue
        shown = value.hex().upper() if isinstance(value, bytes) else value.rstrip()
        told.append((f"field {number}", shown))
    if message.mac is not None:
        told.append(("MAC", message.mac.hex().upper()))
    return told


def _objects(
    number: int, tags: type[IntEnum], data: bytes
) -> Iterator[tuple[str, str]]:
    """The data objects of field 48 or 55."""
    try:
        objects = tlv.parse(data)
    except CardError as error:
        yield f"field {number}", f"{data.hex().upper()} ({error})"
        return
    for one in objects:
        known = {int(tag): tag.name.lower().replace("_", " ") for tag in tags}
        text = one.value.hex().upper()
        if number == 48 and one.tag in _TEXT_TAGS:
            text = one.value.decode("utf-8", "replace")
        yield f"field {number} {one.tag:02X} {known.get(one.tag, 'unknown')}", text


def _card_numbers(message: iso8583.Message) -> set[bytes]:
    """Every card number that a message holds, 8 bytes each."""
    numbers = set()
    written = message.fields.get(2)
    if isinstance(written, str):
        numbers.add(bytes.fromhex(written))
    signed = message.fields.get(55)
    if isinstance(signed, bytes):
        for one in tlv.parse(signed):
            if one.tag == CardTag.MID:
                numbers.add(one.value)
            if one.tag == CardTag.TX:
                tx = TransactionRecord.parse(one.value)
                numbers |= {tx.cid, tx.mid}
    return numbers


def _hidden_of(data: bytes, number: bytes, middle: range) -> Iterator[int]:
    """The places of the middle of ``number`` wherever it stands in ``data``."""
    start = data.find(number)
    while start >= 0:
        yield from (start + place for place in middle)
        start = data.find(number, start + 1)


_HIDDEN_BYTES: Final = range(3, 6)
_HIDDEN_DIGITS: Final = range(6, 12)
"""As `card.records.mask_card_number`: 640000******0001."""
_TEXT_TAGS: Final = frozenset(
    {
        DetailTag.DECLARATION,
        DetailTag.REQUEST_NUMBER,
        DetailTag.DELIVERY_ORDER,
        DetailTag.CLERK,
        DetailTag.SERVICE_CODE,
        DetailTag.TEXT,
    }
)
