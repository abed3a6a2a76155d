"""What the intake of a call notes for a person to look at, beside what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.records import mask_card_number
from settlement import evidence
from settlement.audit_trail import judge_head
from settlement.clearing import IncidentCode
from settlement.messages import ResponseCode
from settlement.store.batches import IncidentRow

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.audit_head import AuditHead
    from settlement.messages import BatchHeader, RefusedMessage
    from settlement.payment import OpenItem
    from settlement.store.books import Books

__all__ = [
    "ALL_CAME",
    "close_incomplete",
    "keep_head",
    "note_batch",
    "note_incomplete",
    "note_open",
    "note_refusal",
]

ALL_CAME: Final = "by itself: all of the batch has come"
"""Why the incident of an incomplete batch needs no person any more."""

_REFUSALS: Final = {
    ResponseCode.MAC_WRONG: IncidentCode.MESSAGE_MAC,
    ResponseCode.NOT_PERMITTED: IncidentCode.TERMINAL_REFUSED,
    ResponseCode.INVALID: IncidentCode.BATCH_TOO_LONG,
}


def keep_head(
    books: Books, header: BatchHeader, head: AuditHead, now: datetime
) -> None:
    """Keep where the terminal's audit log stands, and note what is odd about it."""
    kept = [one.head for one in books.heads.of_terminal(header.terminal_id)]
    for note in judge_head(head, kept):
        books.batches.add_incident(
            IncidentRow(
                code=note.code,
                terminal_id=header.terminal_id,
                batch=header.close.batch,
                text=note.text,
                at=now,
                evidence=evidence.of_header(header, now, head),
            )
        )
    books.heads.add(header, head, now)


def note_batch(
    books: Books,
    header: BatchHeader,
    code: IncidentCode,
    text: str,
    now: datetime,
    sent: bytes | None = None,
) -> None:
    """Note what is wrong with a whole batch; ``sent`` shows it, else the header."""
    books.batches.add_incident(
        IncidentRow(
            code=code,
            terminal_id=header.terminal_id,
            batch=header.close.batch,
            amount_minor=header.close.sum_minor,
            text=text,
            at=now,
            evidence=sent or evidence.of_header(header, now),
        )
    )


def note_incomplete(
    books: Books, header: BatchHeader, sent: bytes, now: datetime
) -> None:
    """Note that a terminal ended a batch of which not all had come."""
    books.batches.add_incident(_incomplete(header, sent, now))


def close_incomplete(books: Books, header: BatchHeader, now: datetime) -> None:
    """Close that incident, if there was one: the batch is whole and acknowledged."""
    number = books.batches.open_incident(_incomplete(header, b"", now).fingerprint)
    if number is not None:
        books.batches.close_incident(number, ALL_CAME, now)


def _incomplete(header: BatchHeader, sent: bytes, now: datetime) -> IncidentRow:
    return IncidentRow(
        code=IncidentCode.BATCH_INCOMPLETE,
        terminal_id=header.terminal_id,
        batch=header.close.batch,
        amount_minor=header.close.sum_minor,
        text=(
            f"the terminal ended the batch of customs card "
            f"{mask_card_number(header.mid)}, and not all of it had come"
        ),
        at=now,
        evidence=sent,
    )


def note_refusal(
    books: Books, terminal_id: str, refused: RefusedMessage, now: datetime
) -> None:
    """Note a message that was refused before the bank looked into it.

    The day belongs to the words: what happens again on another day is another
    incident, within a day it is one with several pieces of evidence.
    """
    books.batches.add_incident(
        IncidentRow(
            code=_REFUSALS.get(refused.code, IncidentCode.MESSAGE_MALFORMED),
            terminal_id=terminal_id,
            batch=refused.batch,
            text=f"{refused.text} (on {now:%Y-%m-%d})",
            at=now,
            evidence=refused.data,
        )
    )


def note_open(
    books: Books, header: BatchHeader, item: OpenItem, text: str, now: datetime
) -> None:
    """Note an open record that is not what it should be."""
    books.batches.add_incident(
        IncidentRow(
            code=IncidentCode.OPEN_RECORD,
            terminal_id=header.terminal_id,
            batch=header.close.batch,
            stan=item.stan,
            masked_card=item.open_record.tx.card_number_masked,
            amount_minor=item.open_record.tx.amount_minor,
            text=text,
            at=now,
            evidence=evidence.of_record(header, item, now),
        )
    )
