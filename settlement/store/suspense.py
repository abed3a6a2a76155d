"""What waits in suspense and how it ended, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind
from settlement.store.records import RecordRow, record_row
from settlement.store.schema import account, batch, record
from settlement.store.schema_suspense import suspense_resolution

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "SuspendedRow",
    "SuspenseOutcome",
    "SuspenseResolution",
    "SuspenseTables",
]


@unique
class SuspenseOutcome(StrEnum):
    """How money in suspense ended; the values are stored.

    PAID and RETURNED are of payments that were really debited (held): they book
    suspense to the payee, or back to the customer. ACCEPTED and WRITTEN_OFF are of
    records without a proof (suspended): the TAC verifies by now and the payment is
    booked, or nothing ever is.
    """

    PAID = "paid"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    WRITTEN_OFF = "written off"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspenseResolution:
    """How a record in suspense ended.

    Attributes:
        outcome: what was done.
        account: where the money went; None when nothing was booked.
        proposal: number of the approved proposal.
        at: the bank's time.
    """

    outcome: SuspenseOutcome
    account: Account | None
    proposal: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedRow:
    """A record that waits in suspense, or waited.

    Attributes:
        record: as it was received, with the decision (held or suspended) and why.
        office: of its batch.
        resolution: how it ended, or None while it waits.
    """

    record: RecordRow
    office: str
    resolution: SuspenseResolution | None


_KEY: Final = ("terminal_id", "mid", "batch", "stan")
_SUSPENDED: Final = (
    sa.select(
        record,
        batch.c.office,
        suspense_resolution.c.outcome,
        suspense_resolution.c.proposal,
        suspense_resolution.c.at.label("ended_at"),
        account.c.kind.label("account_kind"),
        account.c.owner.label("account_owner"),
        account.c.currency.label("account_currency"),
    )
    .select_from(
        record.join(batch)
        .outerjoin(
            suspense_resolution,
            sa.and_(*(record.c[name] == suspense_resolution.c[name] for name in _KEY)),
        )
        .outerjoin(account, account.c.id == suspense_resolution.c.account_id)
    )
    .where(record.c.decision.in_(("held", "suspended")))
    .order_by(record.c.received_at, *(record.c[name] for name in _KEY))
)


class SuspenseTables:
    """Suspense within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def waiting(self) -> list[SuspendedRow]:
        """All that waits, oldest first."""
        query = _SUSPENDED.where(suspense_resolution.c.proposal.is_(None))
        return [_row(row) for row in self._connection.execute(query)]

    def waiting_of(
        self, terminal_id: str, number: int, stan: int
    ) -> list[SuspendedRow]:
        """What waits of one payment of a terminal's batch; of several customs cards."""
        query = _SUSPENDED.where(
            suspense_resolution.c.proposal.is_(None),
            record.c.terminal_id == terminal_id,
            record.c.batch == number,
            record.c.stan == stan,
        )
        return [_row(row) for row in self._connection.execute(query)]

    def all(self) -> list[SuspendedRow]:
        """All that waits or waited, oldest first."""
        return [_row(row) for row in self._connection.execute(_SUSPENDED)]

    def one(
        self, terminal_id: str, mid: bytes, number: int, stan: int
    ) -> SuspendedRow | None:
        """One record in suspense, resolved or not, or None when there is none."""
        query = _SUSPENDED.where(
            record.c.terminal_id == terminal_id,
            record.c.mid == mid,
            record.c.batch == number,
            record.c.stan == stan,
        )
        row = self._connection.execute(query).first()
        return None if row is None else _row(row)

    def resolve(
        self, row: RecordRow, made: SuspenseResolution, account_id: int | None
    ) -> None:
        """Note how a record ended; the proposal behind it must be approved."""
        self._connection.execute(
            sa.insert(suspense_resolution),
            {
                "terminal_id": row.terminal_id,
                "mid": row.mid,
                "batch": row.batch,
                "stan": row.payment.stan,
                "cid": row.payment.tx.cid,
                "otc": row.payment.tx.otc,
                "outcome": made.outcome.value,
                "account_id": account_id,
                "proposal": made.proposal,
                "at": made.at,
            },
        )


def _row(row: Any) -> SuspendedRow:
    resolution = None
    if row.proposal is not None:
        payee = None
        if row.account_kind is not None:
            payee = Account(
                kind=AccountKind(row.account_kind),
                owner=row.account_owner,
                currency=row.account_currency,
            )
        resolution = SuspenseResolution(
            outcome=SuspenseOutcome(row.outcome),
            account=payee,
            proposal=row.proposal,
            at=row.ended_at,
        )
    return SuspendedRow(
        record=record_row(row), office=row.office, resolution=resolution
    )
