"""Corrections that were proposed, and what was decided, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind
from settlement.store.numbers import next_number
from settlement.store.schema import account, correction, correction_decision

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CorrectionDecision", "CorrectionRow", "CorrectionTables"]


@unique
class CorrectionDecision(StrEnum):
    """What a second officer said; the values are stored."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRow:
    """A correction as it was proposed, and what became of it.

    Attributes:
        number: the bank's own number of it.
        entry_id: the entry that was wrong.
        origin_id: the entry with which that one's money came.
        debited: where the money lies wrongly.
        credited: where it belongs.
        amount_minor: in minor units.
        reason: why, in the words of who proposed it.
        proposed_by: one officer.
        at: when it was proposed, by the bank's time.
        decision: None while nobody has decided.
        decided_by: another officer, or empty.
        decided_because: why it was rejected, or empty.
        decided_at: when, or None.
    """

    number: int
    entry_id: int
    origin_id: int
    debited: Account
    credited: Account
    amount_minor: int
    reason: str
    proposed_by: str
    at: datetime
    decision: CorrectionDecision | None = None
    decided_by: str = ""
    decided_because: str = ""
    decided_at: datetime | None = None


_DEBITED: Final = account.alias("debited")
_CREDITED: Final = account.alias("credited")
_CORRECTIONS: Final = (
    sa.select(
        correction,
        _DEBITED.c.kind.label("debited_kind"),
        _DEBITED.c.owner.label("debited_owner"),
        _CREDITED.c.kind.label("credited_kind"),
        _CREDITED.c.owner.label("credited_owner"),
        correction_decision.c.decision,
        correction_decision.c.decided_by,
        correction_decision.c.reason.label("decided_because"),
        correction_decision.c.at.label("decided_at"),
    )
    .select_from(
        correction.join(_DEBITED, _DEBITED.c.id == correction.c.debit_account_id)
        .join(_CREDITED, _CREDITED.c.id == correction.c.credit_account_id)
        .outerjoin(
            correction_decision, correction_decision.c.number == correction.c.number
        )
    )
    .order_by(correction.c.number)
)


class CorrectionTables:
    """Corrections within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def correction(self, number: int) -> CorrectionRow | None:
        """A correction, or None when there is none of that number."""
        found = self._corrections(correction.c.number == number)
        return found[0] if found else None

    def corrections(self) -> list[CorrectionRow]:
        """All corrections that were ever proposed."""
        return self._corrections()

    def next_number(self) -> int:
        """The number of the next correction."""
        return next_number(self._connection, correction.c.number)

    def propose(self, row: CorrectionRow, accounts: tuple[int, int]) -> None:
        """Note a proposal; ``accounts`` are the rows to be debited and credited."""
        self._connection.execute(
            sa.insert(correction),
            {
                "number": row.number,
                "entry_id": row.entry_id,
                "origin_id": row.origin_id,
                "debit_account_id": accounts[0],
                "credit_account_id": accounts[1],
                "amount_minor": row.amount_minor,
                "currency": row.debited.currency,
                "reason": row.reason,
                "proposed_by": row.proposed_by,
                "at": row.at,
            },
        )

    def decide(
        self,
        number: int,
        decision: CorrectionDecision,
        *,
        by: str,
        because: str,
        at: datetime,
    ) -> None:
        """Note what a second officer decided, once and for all.

        Raises:
            LedgerError: he approves his own proposal; the transaction must end.
        """
        self._connection.execute(
            sa.insert(correction_decision),
            {
                "number": number,
                "decision": decision.value,
                "reason": because,
                "decided_by": by,
                "at": at,
            },
        )

    def _corrections(self, *conditions: sa.ColumnElement[bool]) -> list[CorrectionRow]:
        query = _CORRECTIONS.where(*conditions)
        return [_correction_row(row) for row in self._connection.execute(query)]


def _correction_row(row: sa.Row[Any]) -> CorrectionRow:
    def side(kind: str, owner: str) -> Account:
        return Account(kind=AccountKind(kind), owner=owner, currency=row.currency)

    decision = row.decision
    return CorrectionRow(
        number=row.number,
        entry_id=row.entry_id,
        origin_id=row.origin_id,
        debited=side(row.debited_kind, row.debited_owner),
        credited=side(row.credited_kind, row.credited_owner),
        amount_minor=row.amount_minor,
        reason=row.reason,
        proposed_by=row.proposed_by,
        at=row.at,
        decision=None if decision is None else CorrectionDecision(decision),
        decided_by=row.decided_by or "",
        decided_because=row.decided_because or "",
        decided_at=row.decided_at,
    )
