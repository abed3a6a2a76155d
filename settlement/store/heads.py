"""Where the terminals' audit logs stood, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.audit_head import AuditHead
from settlement.store.numbers import next_number
from settlement.store.records import batch_key, same_batch
from settlement.store.schema import audit_head

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.messages import BatchHeader

__all__ = ["HeadTables", "KeptHead", "kept_head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHead:
    """Where an audit log stood when a batch was sent.

    Attributes:
        head: journal, number of entries, link of the newest.
        batch: number of the batch it came with.
        received_at: the bank's time.
    """

    head: AuditHead
    batch: int
    received_at: datetime


# Made once, for the reason that `settlement.store.records` gives.
_SAME_HEAD: Final = sa.select(audit_head.c.serial).where(
    *same_batch(audit_head),
    *(
        audit_head.c[name] == sa.bindparam(name)
        for name in ("journal", "entries", "digest")
    ),
)


class HeadTables:
    """Audit heads within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(self, header: BatchHeader, head: AuditHead, at: datetime) -> None:
        """Keep a head that came with a batch; the same one again is kept once."""
        wanted = {
            **batch_key(header),
            "journal": head.journal,
            "entries": head.entries,
            "digest": head.digest,
        }
        if self._connection.execute(_SAME_HEAD, wanted).first() is not None:
            return
        serial = next_number(
            self._connection,
            audit_head.c.serial,
            audit_head.c.terminal_id == header.terminal_id,
            of=header.terminal_id,
        )
        self._connection.execute(
            sa.insert(audit_head),
            {
                **wanted,
                "serial": serial,
                "received_at": at,
            },
        )

    def of_terminal(self, terminal_id: str) -> list[KeptHead]:
        """All heads of a terminal, in the order in which they came."""
        query = (
            sa.select(audit_head)
            .where(audit_head.c.terminal_id == terminal_id)
            .order_by(audit_head.c.serial)
        )
        return [kept_head(row) for row in self._connection.execute(query)]


def kept_head(row: Any) -> KeptHead:
    """The value of a stored row."""
    head = AuditHead(journal=row.journal, entries=row.entries, digest=row.digest)
    return KeptHead(head=head, batch=row.batch, received_at=row.received_at)
