"""Requests of the settlement profile, read and judged for agreement.

A message says some things twice: field 2 and the TX name the card, field 3 and field
48 the kind, field 60 and field 55 the batch. Where both do not say the same, the
message is malformed: nothing of it may be used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from card.errors import CardError
from card.profile import BATCH_CREDITS_MAX
from card.records import BatchClose, OpenRecord, TransactionRecord
from settlement.audit_head import AUDIT_HEAD_BYTES, AuditHead
from settlement.data_objects import CardTag, DataObjects, DetailTag, parse_details
from settlement.decline_messages import FILE_CHANGE, parse_decline
from settlement.download_messages import parse_query
from settlement.errors import MalformedMessageError
from settlement.group_layout import COLUMNS_FIELD, TACS_FIELD
from settlement.message_codec import (
    COUNT_DIGITS,
    NETWORK_LOGON,
    OUTCOME_CREDITED,
    OUTCOME_OPEN,
    PROCESSING_GROUP,
    PROCESSING_HEADER,
    PROCESSING_TOTALS,
    PROCESSING_UNKNOWN,
    SUM_DIGITS,
    VERSION_TAGS,
    response_type,
    retrieval_reference,
)
from settlement.messages import (
    BatchHeader,
    BatchTotals,
    DetailRequest,
    GroupRequest,
    HeaderRequest,
    LogonRequest,
    Request,
    TerminalVersions,
    Total,
    TotalsRequest,
)
from settlement.payment import OpenItem, PaymentRecord

if TYPE_CHECKING:
    from settlement.iso8583 import Message
    from settlement.payment import PaymentDetails

__all__ = ["parse_request", "parse_totals", "parse_versions"]

_TERMINAL: Final = re.compile(r"[A-Z0-9]{8}")
_OFFICE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 /-]*[A-Z0-9])?")
_TX_BYTES: Final = 47
_CLOSE_BYTES: Final = 60
_TOTAL_DIGITS: Final = COUNT_DIGITS + SUM_DIGITS


def parse_totals(text: str, count: int) -> list[Total]:
    """The totals in field 63.

    Raises:
        MalformedMessageError: There are not ``count`` of them.
    """
    if len(text) != count * _TOTAL_DIGITS:
        raise MalformedMessageError("wrong length", field=63)
    starts = range(0, len(text), _TOTAL_DIGITS)
    return [
        Total(
            count=int(text[start : start + COUNT_DIGITS]),
            sum_minor=int(text[start + COUNT_DIGITS : start + _TOTAL_DIGITS]),
        )
        for start in starts
    ]


def parse_versions(objects: DataObjects) -> TerminalVersions:
    """The versions in field 48 of a logon or its answer.

    Raises:
        MalformedMessageError: One is absent.
    """
    parameters, hotlist, catalogue, requests = (
        objects.integer(tag, 4) for tag in VERSION_TAGS
    )
    return TerminalVersions(
        parameters=parameters,
        hotlist=hotlist,
        catalogue=catalogue,
        requests=requests,
    )


def parse_request(message: Message) -> Request:
    """The meaning of a request, a first one or a repeat.

    Raises:
        MalformedMessageError: It is not a request, or its parts do not agree.
    """
    if not _TERMINAL.fullmatch(message.text(41)):
        raise MalformedMessageError("not 8 capitals or digits", field=41)
    _number(message, 11, at_least=1)
    match response_type(message):
        case "0810":
            return _parse_logon(message)
        case "0330":
            if message.text(3) == PROCESSING_GROUP:
                return _parse_group(message)
            return _parse_detail(message)
        case "0310":
            if message.text(91) == FILE_CHANGE:
                return parse_decline(message)
            return parse_query(message)
        case _:
            return _parse_reconciliation(message)


def _parse_logon(message: Message) -> LogonRequest:
    if message.mac is not None:
        raise MalformedMessageError("a MAC before there is a key", field=128)
    if message.text(70) != NETWORK_LOGON:
        raise MalformedMessageError("not a logon", field=70)
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    return LogonRequest(versions=parse_versions(objects))


def _parse_reconciliation(message: Message) -> HeaderRequest | TotalsRequest:
    batch, stan = _batch_and_stan(message)
    if stan:
        raise MalformedMessageError("a STAN where none belongs", field=60)
    if message.text(3) == PROCESSING_TOTALS:
        fees, deposits, purchase, unknown, opened = parse_totals(message.text(63), 5)
        totals = BatchTotals(
            fees=fees,
            deposits=deposits,
            purchase=purchase,
            unknown=unknown,
            opened=opened,
        )
        return TotalsRequest(batch=batch, totals=totals)
    if message.text(3) != PROCESSING_HEADER:
        raise MalformedMessageError("unknown", field=3)
    header = _parse_header(message)
    if header.close.batch != batch:
        raise MalformedMessageError("another batch than in field 55", field=60)
    return HeaderRequest(header=header, audit_head=_parse_audit_head(message))


def _parse_audit_head(message: Message) -> AuditHead | None:
    """Where the terminal's audit log stands, or None when it says nothing."""
    if 48 not in message.fields:
        return None
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    if DetailTag.AUDIT_HEAD not in objects:
        return None
    data = objects.fixed(DetailTag.AUDIT_HEAD, AUDIT_HEAD_BYTES)
    try:
        return AuditHead.parse(data)
    except ValueError as error:
        raise objects.malformed(str(error), DetailTag.AUDIT_HEAD) from None


def _parse_header(message: Message) -> BatchHeader:
    office = message.text(42).rstrip()
    if not _OFFICE.fullmatch(office):
        raise MalformedMessageError("not an office code", field=42)
    objects = DataObjects(message.binary(55), number=55, tags=CardTag)
    try:
        close = BatchClose.parse(objects.fixed(CardTag.CLOSE, _CLOSE_BYTES))
    except CardError as error:
        raise objects.malformed(str(error), CardTag.CLOSE) from None
    return BatchHeader(
        terminal_id=message.text(41),
        office=office,
        mid=objects.fixed(CardTag.MID, 8),
        currency=int(message.text(49)),
        close=close,
    )


def _parse_group(message: Message) -> GroupRequest:
    batch, stan = _batch_and_stan(message)
    if stan:
        raise MalformedMessageError("a STAN where none belongs", field=60)
    return GroupRequest(
        batch=batch,
        columns=message.binary(COLUMNS_FIELD),
        tacs=message.binary(TACS_FIELD),
    )


def _parse_detail(message: Message) -> DetailRequest:
    batch, stan = _batch_and_stan(message)
    if stan != _number(message, 11, at_least=1):
        raise MalformedMessageError("another STAN than in field 11", field=60)
    sequence = int(_digits(message.text(37)[-COUNT_DIGITS:], 37))
    if message.text(37) != retrieval_reference(message.text(41), batch, sequence):
        raise MalformedMessageError("not of this terminal and batch", field=37)
    if not 0 < sequence <= BATCH_CREDITS_MAX:
        raise MalformedMessageError("no place in a batch", field=37)
    details = _parse_message_details(message)
    objects = DataObjects(message.binary(55), number=55, tags=CardTag)
    tx = _parse_tx(message, objects)
    outcome = objects.integer(CardTag.OUTCOME, 1)
    record: PaymentRecord | OpenItem
    if outcome == OUTCOME_CREDITED:
        record = PaymentRecord(
            stan=stan,
            sequence=sequence,
            details=details,
            tx=tx,
            kv=objects.integer(CardTag.KEY_VERSION, 1),
            alg=objects.integer(CardTag.ALGORITHM, 1),
            balance_after_minor=objects.integer(CardTag.BALANCE_AFTER, 4),
            cumulative_debit_minor=objects.integer(CardTag.CUMULATIVE_DEBIT, 8),
            tac=objects.fixed(CardTag.TAC, 8),
        )
    elif outcome == OUTCOME_OPEN:
        opened = OpenRecord(
            tx=tx,
            kv=objects.integer(CardTag.KEY_VERSION, 1),
            rc=objects.fixed(CardTag.RC, 8),
            vreq=objects.fixed(CardTag.VREQ, 8),
        )
        record = OpenItem(
            stan=stan, sequence=sequence, details=details, open_record=opened
        )
    else:
        raise objects.malformed("unknown", CardTag.OUTCOME)
    return DetailRequest(batch=batch, record=record)


def _parse_message_details(message: Message) -> PaymentDetails | None:
    """Field 48, which says the same kind as field 3, or is absent."""
    if 48 not in message.fields:
        expected = PROCESSING_UNKNOWN
        details = None
    else:
        details = parse_details(message.binary(48))
        expected = details.kind.processing_code
    if message.text(3) != expected:
        raise MalformedMessageError("not what field 48 says", field=3)
    return details


def _parse_tx(message: Message, objects: DataObjects) -> TransactionRecord:
    """The TX, which says the same card, amount and currency as fields 2, 4, 49."""
    try:
        tx = TransactionRecord.parse(objects.fixed(CardTag.TX, _TX_BYTES))
    except CardError as error:
        raise objects.malformed(str(error), CardTag.TX) from None
    agreed = (
        (2, tx.cid.hex().upper()),
        (4, f"{tx.amount_minor:012d}"),
        (49, f"{tx.currency:03d}"),
    )
    for number, expected in agreed:
        if message.text(number) != expected:
            raise MalformedMessageError("not what the TX says", field=number)
    return tx


def _batch_and_stan(message: Message) -> tuple[int, int]:
    text = message.text(60)
    if len(text) != 16:
        raise MalformedMessageError("not 16 digits", field=60)
    batch, stan = int(text[:10]), int(text[10:])
    if not 0 < batch <= 0xFFFFFFFF:
        raise MalformedMessageError("no batch number", field=60)
    return batch, stan


def _number(message: Message, field: int, *, at_least: int) -> int:
    number = int(_digits(message.text(field), field))
    if number < at_least:
        raise MalformedMessageError("zero", field=field)
    return number


def _digits(text: str, field: int) -> str:
    if not (text.isascii() and text.isdigit()):
        raise MalformedMessageError("not digits", field=field)
    return text
