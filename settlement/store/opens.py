"""Open records and what became of them, in the database.

An open record goes up with every batch until its customs card has closed it, so one
payment has many reports (`settlement.store.batches`) and one row here. What became of
it is a further row, once and for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from card.records import DebitProof
from settlement.store.batches import OpenRow, open_row
from settlement.store.schema import load, open_record, open_report, open_resolution

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["KnownOpen", "OpenTables", "Resolution", "ResolvedBy", "resolution_row"]


@unique
class ResolvedBy(StrEnum):
    """How the bank knows what became of an open record; the values are stored.

    NEXT_PAYMENT and LOAD prove that the purse was not debited. DELIVERED: the payment
    itself came in a batch. CARD_DESK: the purse was asked, and said one or the other.
    """

    NEXT_PAYMENT = "next payment"
    LOAD = "load"
    CARD_DESK = "card desk"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOpen:
    """An open record that the bank was told of.

    Attributes:
        report: as the first batch reported it.
        terminal_id: who sent that batch.
        batch: its number.
        lsn_then: number of the newest load that the bank had authorised then, for any
            card; 0 for none.
        incident: number of its incident.
    """

    report: OpenRow
    terminal_id: str
    batch: int
    lsn_then: int
    incident: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What became of an open record.

    Attributes:
        how: how the bank knows.
        debited: whether the purse was debited; if not, it never can be.
        proof: the purse's own proof of the debit, when the card desk asked.
        vmac: the purse's own word that it never will be, when the card desk asked.
        at: the bank's time.
    """

    how: ResolvedBy
    debited: bool
    proof: DebitProof | None = None
    vmac: bytes | None = field(default=None, repr=False)
    at: datetime


# Made once, for the reason that `settlement.store.records` gives.
_OPENS: Final = (
    sa.select(open_report, open_record.c.lsn_then, open_record.c.incident_id)
    .select_from(open_record.join(open_report))
    .order_by(open_record.c.mid, open_record.c.tsn)
)
_KNOWN: Final = _OPENS.where(
    open_record.c.mid == sa.bindparam("of_mid"),
    open_record.c.tsn == sa.bindparam("of_tsn"),
)
_UNRESOLVED: Final = _OPENS.where(
    open_record.c.cid == sa.bindparam("of_cid"),
    ~sa.exists().where(
        open_resolution.c.mid == open_record.c.mid,
        open_resolution.c.tsn == open_record.c.tsn,
    ),
)


class OpenTables:
    """Open records within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(
        self,
        report: OpenRow,
        *,
        terminal_id: str,
        batch: int,
        incident: int,
        at: datetime,
    ) -> None:
        """Note an open record that a batch was the first to report."""
        newest_lsn = sa.select(sa.func.coalesce(sa.func.max(load.c.lsn), 0))
        self._connection.execute(
            sa.insert(open_record),
            {
                "mid": report.tx.mid,
                "tsn": report.tx.tsn,
                "terminal_id": terminal_id,
                "batch": batch,
                "cid": report.tx.cid,
                "otc": report.tx.otc,
                "lsn_then": self._connection.execute(newest_lsn).scalar_one(),
                "incident_id": incident,
                "at": at,
            },
        )

    def known(self, mid: bytes, tsn: int) -> KnownOpen | None:
        """The open record under this number of a customs card, or None."""
        found = self._known(_KNOWN, of_mid=mid, of_tsn=tsn)
        return found[0] if found else None

    def unresolved(self, cid: bytes) -> list[KnownOpen]:
        """A purse's open records of which nothing is known yet, by customs card."""
        return self._known(_UNRESOLVED, of_cid=cid)

    def resolve(self, opened: KnownOpen, made: Resolution) -> None:
        """Note what became of an open record."""
        proof = made.proof
        self._connection.execute(
            sa.insert(open_resolution),
            {
                "mid": opened.report.tx.mid,
                "tsn": opened.report.tx.tsn,
                "how": made.how.value,
                "debited": made.debited,
                "balance_after_minor": proof and proof.balance_after_minor,
                "cumulative_debit_minor": proof and proof.cumulative_debit_minor,
                "tac": proof and proof.tac,
                "mac2": proof and proof.mac2,
                "vmac": made.vmac,
                "at": made.at,
            },
        )

    def resolution(self, mid: bytes, tsn: int) -> Resolution | None:
        """What became of an open record, or None when that is not known."""
        query = sa.select(open_resolution).where(
            open_resolution.c.mid == mid, open_resolution.c.tsn == tsn
        )
        row = self._connection.execute(query).first()
        return None if row is None else resolution_row(row)

    def _known(self, query: sa.Select[Any], **values: bytes | int) -> list[KnownOpen]:
        return [
            KnownOpen(
                report=open_row(row),
                terminal_id=row.terminal_id,
                batch=row.batch,
                lsn_then=row.lsn_then,
                incident=row.incident_id,
            )
            for row in self._connection.execute(query, values)
        ]


def resolution_row(row: Any) -> Resolution:
    """The value of a stored row."""
    proof = None
    if row.tac is not None:
        proof = DebitProof(
            balance_after_minor=row.balance_after_minor,
            cumulative_debit_minor=row.cumulative_debit_minor,
            tac=row.tac,
            mac2=row.mac2,
        )
    return Resolution(
        how=ResolvedBy(row.how),
        debited=row.debited,
        proof=proof,
        vmac=row.vmac,
        at=row.at,
    )
