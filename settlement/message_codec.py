"""Typed values of the settlement profile to ISO 8583 messages and back.

`settlement.iso8583` knows numbered fields; here the fields have their meaning. What
the terminal asks is built by the ``*_message`` functions, and read again by
`settlement.message_parser`; `response_to` builds an answer by echoing what was asked.

A response belongs to a request when message type and fields 2, 3, 4, 11, 41 and 49
agree (`request_key`, `response_key`); anything else is no response at all.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from card.profile import ALGORITHM_AES_CMAC
from settlement.data_objects import (
    CardTag,
    DetailTag,
    encode_details,
    encode_objects,
)
from settlement.errors import MalformedMessageError
from settlement.iso8583 import Message
from settlement.messages import BatchHeader, BatchTotals, TerminalVersions, Total
from settlement.payment import OpenItem, PaymentRecord, approval_code

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from card.records import OpenRecord
    from settlement.audit_head import AuditHead

__all__ = [
    "MessageKey",
    "as_repeat",
    "batch_totals",
    "detail_message",
    "encode_totals",
    "header_message",
    "logon_message",
    "message_times",
    "record_fields",
    "request_key",
    "response_key",
    "response_to",
    "response_type",
    "retrieval_reference",
    "totals_message",
    "version_objects",
]

MessageKey = tuple[str, tuple[str | bytes | None, ...]]
"""What ties a response to its request: response type and the matched fields."""

_MATCHED_FIELDS: Final = (2, 3, 4, 11, 41, 49)
_ECHOED_FIELDS: Final = (
    *(2, 3, 4, 11, 12, 13, 37, 41, 42, 49, 60, 70),
    *(71, 91, 101),
)
_RESPONSE_TYPES: Final = {
    "0300": "0310",
    "0320": "0330",
    "0500": "0510",
    "0800": "0810",
}

PROCESSING_HEADER: Final = "920000"
PROCESSING_TOTALS: Final = "960000"
PROCESSING_GROUP: Final = "930000"
PROCESSING_UNKNOWN: Final = "900000"
"""Processing code of a record whose details the terminal does not know."""
NETWORK_LOGON: Final = "001"

VERSION_TAGS: Final = (
    DetailTag.PARAMETERS_VERSION,
    DetailTag.HOTLIST_VERSION,
    DetailTag.CATALOGUE_VERSION,
    DetailTag.REQUESTS_VERSION,
)
"""In the order of `settlement.download.DownloadKind`."""

OUTCOME_CREDITED: Final = 1
OUTCOME_OPEN: Final = 2

COUNT_DIGITS: Final = 3
SUM_DIGITS: Final = 15
"""999 amounts of 7FFFFFFF have a sum of 13 digits."""


def logon_message(
    terminal_id: str, stan: int, versions: TerminalVersions, now: datetime
) -> Message:
    """0800: the terminal names itself and the versions it holds."""
    fields: dict[int, str | bytes] = {
        **message_times(now, now),
        11: f"{stan:06d}",
        41: terminal_id,
        48: encode_objects(version_objects(versions)),
        70: NETWORK_LOGON,
    }
    return Message(mti="0800", fields=fields)


def version_objects(versions: TerminalVersions) -> list[tuple[int, bytes]]:
    """What a logon and its answer say of versions, as data objects of field 48."""
    return [
        (tag, version.to_bytes(4, "big"))
        for tag, version in zip(VERSION_TAGS, versions.in_order, strict=True)
    ]


def header_message(
    header: BatchHeader,
    stan: int,
    now: datetime,
    audit_head: AuditHead | None = None,
) -> Message:
    """0500/920000: whose batch it is, what was closed, where the audit log stands."""
    objects = [(CardTag.MID, header.mid), (CardTag.CLOSE, header.close.to_bytes())]
    fields = _batch_fields(header, stan, now)
    fields |= {3: PROCESSING_HEADER, 55: encode_objects(objects)}
    if audit_head is not None:
        head = (DetailTag.AUDIT_HEAD, audit_head.to_bytes())
        fields[48] = encode_objects([head])
    return Message(mti="0500", fields=fields)


def totals_message(
    header: BatchHeader, totals: BatchTotals, stan: int, now: datetime
) -> Message:
    """0500/960000: what was sent, by kind."""
    fields = _batch_fields(header, stan, now)
    fields |= {3: PROCESSING_TOTALS, 63: encode_totals(_in_order(totals))}
    return Message(mti="0500", fields=fields)


def detail_message(
    header: BatchHeader, record: PaymentRecord | OpenItem, now: datetime
) -> Message:
    """0320: one payment, or one open record."""
    if isinstance(record, PaymentRecord):
        tx, objects = record.tx, _payment_objects(record)
    else:
        tx, objects = record.open_record.tx, _open_objects(record.open_record)
    batch, details = header.close.batch, record.details
    fields = _batch_fields(header, record.stan, now, at=tx.at)
    fields |= {
        2: tx.cid.hex().upper(),
        3: details.kind.processing_code if details else PROCESSING_UNKNOWN,
        4: f"{tx.amount_minor:012d}",
        37: retrieval_reference(header.terminal_id, batch, record.sequence),
        55: encode_objects(objects),
        60: f"{batch:010d}{record.stan:06d}",
    }
    if details:
        fields[48] = encode_details(details)
    if isinstance(record, PaymentRecord):
        fields[38] = approval_code(record.tac)
    return Message(mti="0320", fields=fields)


def response_to(
    request: Message,
    code: str,
    now: datetime,
    extra: Iterable[tuple[int, str | bytes]] = (),
) -> Message:
    """The answer to a request: its fields echoed, the code, and what is new.

    Args:
        request: what was asked, a request of the profile or a repeat of one.
        code: response code, two characters (field 39).
        now: the bank's time (field 7).
        extra: further fields.
    """
    echoed = {n: request.fields[n] for n in _ECHOED_FIELDS if n in request.fields}
    fields = {**echoed, 7: _utc(now), 39: code, **dict(extra)}
    return Message(mti=response_type(request), fields=fields)


def as_repeat(request: Message) -> Message:
    """The same request marked as a repeat: MTI xxx1, everything else equal."""
    return Message(mti=request.mti[:3] + "1", fields=request.fields)


def request_key(request: Message) -> MessageKey:
    """What the response to this request will be known by.

    Raises:
        MalformedMessageError: The message is not a request of the profile.
    """
    return response_type(request), _matched(request)


def response_key(response: Message) -> MessageKey:
    """What a response says it answers."""
    return response.mti, _matched(response)


def batch_totals(records: Iterable[PaymentRecord | OpenItem]) -> BatchTotals:
    """Counts and sums by kind of what a batch holds."""
    sums: dict[str, list[int]] = {}
    for record in records:
        if isinstance(record, OpenItem):
            name, amount_minor = "opened", record.open_record.tx.amount_minor
        else:
            name = record.details.kind.value if record.details else "unknown"
            amount_minor = record.tx.amount_minor
        sums.setdefault(name, []).append(amount_minor)
    totals = {
        name: Total(count=len(amounts), sum_minor=sum(amounts))
        for name, amounts in sums.items()
    }
    none = Total()
    return BatchTotals(
        fees=totals.get("fees", none),
        deposits=totals.get("deposits", none),
        purchase=totals.get("purchase", none),
        unknown=totals.get("unknown", none),
        opened=totals.get("opened", none),
    )


def encode_totals(totals: Iterable[Total]) -> str:
    """Field 63: for each total 3 digits of count and 15 of sum."""
    return "".join(f"{total.count:03d}{total.sum_minor:015d}" for total in totals)


def _payment_objects(record: PaymentRecord) -> list[tuple[int, bytes]]:
    return [
        (CardTag.OUTCOME, bytes([OUTCOME_CREDITED])),
        (CardTag.TX, record.tx.to_bytes()),
        (CardTag.BALANCE_AFTER, record.balance_after_minor.to_bytes(4, "big")),
        (CardTag.CUMULATIVE_DEBIT, record.cumulative_debit_minor.to_bytes(8, "big")),
        (CardTag.TAC, record.tac),
        (CardTag.KEY_VERSION, bytes([record.kv])),
        (CardTag.ALGORITHM, bytes([record.alg])),
    ]


def _open_objects(opened: OpenRecord) -> list[tuple[int, bytes]]:
    return [
        (CardTag.OUTCOME, bytes([OUTCOME_OPEN])),
        (CardTag.TX, opened.tx.to_bytes()),
        (CardTag.KEY_VERSION, bytes([opened.kv])),
        (CardTag.ALGORITHM, bytes([ALGORITHM_AES_CMAC])),
        (CardTag.RC, opened.rc),
        (CardTag.VREQ, opened.vreq),
    ]


def record_fields(record: PaymentRecord) -> tuple[bytes, bytes]:
    """Fields 48 and 55 of a payment: all that it says; 48 is empty when unknown."""
    details = b"" if record.details is None else encode_details(record.details)
    return details, encode_objects(_payment_objects(record))


def _batch_fields(
    header: BatchHeader, stan: int, now: datetime, *, at: datetime | None = None
) -> dict[int, str | bytes]:
    """The fields that every message of a batch carries."""
    return {
        **message_times(now, at or now),
        11: f"{stan:06d}",
        41: header.terminal_id,
        42: f"{header.office:15}",
        49: f"{header.currency:03d}",
        60: f"{header.close.batch:010d}000000",
    }


def message_times(now: datetime, at: datetime) -> dict[int, str]:
    """Fields 7, 12 and 13 of a message.

    Args:
        now: when it is sent, in the office's zone; field 7 says it in UTC.
        at: the moment that fields 12 and 13 name, in the same zone.
    """
    local = at.astimezone(now.tzinfo)
    return {7: _utc(now), 12: f"{local:%H%M%S}", 13: f"{local:%m%d}"}


def _utc(now: datetime) -> str:
    return f"{now.astimezone(UTC):%m%d%H%M%S}"


def _in_order(totals: BatchTotals) -> tuple[Total, ...]:
    return (
        totals.fees,
        totals.deposits,
        totals.purchase,
        totals.unknown,
        totals.opened,
    )


def retrieval_reference(terminal_id: str, batch: int, sequence: int) -> str:
    """Field 37: end of the terminal id, end of the batch number, place in it."""
    return f"{terminal_id[-4:]}{batch % 100_000:05d}{sequence:03d}"


def _matched(message: Message) -> tuple[str | bytes | None, ...]:
    return tuple(message.fields.get(number) for number in _MATCHED_FIELDS)


def response_type(request: Message) -> str:
    """The type of the answer; 0320 and its repeat 0321 are both answered by 0330."""
    if request.mti[3] in "01":
        response = _RESPONSE_TYPES.get(request.mti[:3] + "0")
        if response:
            return response
    raise MalformedMessageError(f"{request.mti} is not a request")
