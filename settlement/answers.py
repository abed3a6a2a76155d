"""What the bank answers, to fields of a response and back.

The host builds the fields with ``*_fields``; the terminal reads them with ``parse_*``.
The bank's words for people stand in field 48, closures and the BANK ACK MAC in 55.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, assert_never

from card.records import DebitProof
from settlement.data_objects import (
    ANSWER_TEXT_BYTES_MAX,
    CardTag,
    DataObjects,
    DetailTag,
    encode_objects,
    fit_text,
)
from settlement.download import DownloadKind
from settlement.message_codec import encode_totals, version_objects
from settlement.message_parser import parse_totals, parse_versions
from settlement.messages import (
    LogonAnswer,
    ReconcileAnswer,
    ResponseCode,
)
from settlement.payment import Closure, DebitClosure, VoidClosure

if TYPE_CHECKING:
    from card.records import TransactionRecord
    from settlement.iso8583 import Message
    from settlement.messages import TerminalVersions

__all__ = [
    "Logon",
    "closure_fields",
    "logon_fields",
    "parse_closure",
    "parse_code",
    "parse_logon",
    "parse_reconcile",
    "parse_text",
    "reconcile_fields",
    "text_fields",
]

Fields = list[tuple[int, str | bytes]]

DIGESTS_BYTES: Final = 8 * len(DownloadKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logon:
    """What an accepted logon gives the terminal.

    Attributes:
        session_key: 16 bytes, for the MACs of this call.
        bank_time: aware UTC.
        digests: see `settlement.messages.LogonAnswer`.
    """

    session_key: bytes = field(repr=False)
    bank_time: datetime
    versions: TerminalVersions
    digests: bytes = b""


def text_fields(text: str) -> Fields:
    """Field 48 with the bank's words, or nothing."""
    if not text:
        return []
    return [(48, encode_objects([(DetailTag.TEXT, fit_text(text))]))]


def logon_fields(answer: LogonAnswer, session_key: bytes, now: datetime) -> Fields:
    """Field 48 of an accepted logon."""
    objects = [
        (DetailTag.SESSION_KEY, session_key),
        (DetailTag.BANK_TIME, bytes.fromhex(f"{now.astimezone(UTC):%Y%m%d%H%M%S}")),
        *version_objects(answer.versions),
    ]
    if answer.digests:
        objects.append((DetailTag.DOWNLOAD_DIGESTS, answer.digests))
    if answer.text:
        objects.insert(0, (DetailTag.TEXT, fit_text(answer.text)))
    return [(48, encode_objects(objects))]


def closure_fields(closure: Closure | None) -> Fields:
    """Field 55 with what closes an open record, or nothing."""
    match closure:
        case None:
            return []
        case VoidClosure(vmac=vmac):
            objects = [(CardTag.VMAC, vmac)]
        case DebitClosure(proof=proof):
            cumulative = proof.cumulative_debit_minor.to_bytes(8, "big")
            objects = [
                (CardTag.BALANCE_AFTER, proof.balance_after_minor.to_bytes(4, "big")),
                (CardTag.CUMULATIVE_DEBIT, cumulative),
                (CardTag.TAC, proof.tac),
                (CardTag.MAC2, proof.mac2),
            ]
        case _:
            assert_never(closure)
    return [(55, encode_objects(objects))]


def reconcile_fields(answer: ReconcileAnswer) -> Fields:
    """Fields 48, 55 and 63 of the answer to a batch's totals."""
    fields = text_fields(answer.text)
    if answer.ack_mac is not None:
        fields.append((55, encode_objects([(CardTag.BANK_ACK_MAC, answer.ack_mac)])))
    fields.append((63, encode_totals((answer.posted, answer.suspended))))
    return fields


def parse_code(message: Message) -> ResponseCode:
    """The response code; one that the profile does not know counts as FAILURE."""
    try:
        return ResponseCode(message.text(39))
    except ValueError:
        return ResponseCode.FAILURE


def parse_text(message: Message) -> str:
    """The bank's words, or a plain one when it sent only a code.

    Raises:
        MalformedMessageError: Field 48 is not valid.
    """
    objects = DataObjects(_binary(message, 48), number=48, tags=DetailTag)
    text = objects.text(DetailTag.TEXT, ANSWER_TEXT_BYTES_MAX)
    return text or f"the bank answered code {message.text(39)}"


def parse_logon(message: Message) -> Logon:
    """Session key, bank time and versions of an accepted logon.

    Raises:
        MalformedMessageError: One of them is absent or not valid.
    """
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    stamp = objects.fixed(DetailTag.BANK_TIME, 7).hex()
    try:
        bank_time = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise objects.malformed("not a time", DetailTag.BANK_TIME) from None
    digests = b""
    if DetailTag.DOWNLOAD_DIGESTS in objects:
        digests = objects.fixed(DetailTag.DOWNLOAD_DIGESTS, DIGESTS_BYTES)
    return Logon(
        session_key=objects.fixed(DetailTag.SESSION_KEY, 16),
        bank_time=bank_time,
        versions=parse_versions(objects),
        digests=digests,
    )


def parse_closure(message: Message, tx: TransactionRecord) -> Closure | None:
    """What closes the open record of ``tx``, or None when the bank knows nothing.

    Raises:
        MalformedMessageError: Field 55 is there but does not hold one closure.
    """
    if 55 not in message.fields:
        return None
    objects = DataObjects(message.binary(55), number=55, tags=CardTag)
    if CardTag.VMAC in objects:
        if CardTag.MAC2 in objects:
            raise objects.malformed("void and debit in one", CardTag.VMAC)
        return VoidClosure(tx=tx, vmac=objects.fixed(CardTag.VMAC, 8))
    proof = DebitProof(
        balance_after_minor=objects.integer(CardTag.BALANCE_AFTER, 4),
        cumulative_debit_minor=objects.integer(CardTag.CUMULATIVE_DEBIT, 8),
        tac=objects.fixed(CardTag.TAC, 8),
        mac2=objects.fixed(CardTag.MAC2, 8),
    )
    return DebitClosure(tx=tx, proof=proof)


def parse_reconcile(message: Message) -> ReconcileAnswer:
    """The answer to a batch's totals.

    Raises:
        MalformedMessageError: A field is absent or not valid; an accepted batch
            always has its BANK ACK MAC.
    """
    code = parse_code(message)
    if code is not ResponseCode.ACCEPTED:
        return ReconcileAnswer(code=code, text=parse_text(message))
    objects = DataObjects(message.binary(55), number=55, tags=CardTag)
    posted, suspended = parse_totals(message.text(63), 2)
    return ReconcileAnswer(
        code=code,
        ack_mac=objects.fixed(CardTag.BANK_ACK_MAC, 16),
        posted=posted,
        suspended=suspended,
    )


def _binary(message: Message, number: int) -> bytes:
    return message.binary(number) if number in message.fields else b""
