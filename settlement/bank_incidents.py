"""What the intake of a call notes for a person to look at, beside what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.audit_trail import judge_head
from settlement.clearing import IncidentCode
from settlement.store.batches import IncidentRow

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.audit_head import AuditHead
    from settlement.messages import BatchHeader
    from settlement.payment import OpenItem
    from settlement.store.books import Books

__all__ = ["keep_head", "note_batch", "note_open"]


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
            )
        )
    books.heads.add(header, head, now)


def note_batch(
    books: Books, header: BatchHeader, code: IncidentCode, text: str, now: datetime
) -> None:
    """Note what is wrong with a whole batch."""
    books.batches.add_incident(
        IncidentRow(
            code=code,
            terminal_id=header.terminal_id,
            batch=header.close.batch,
            amount_minor=header.close.sum_minor,
            text=text,
            at=now,
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
        )
    )
