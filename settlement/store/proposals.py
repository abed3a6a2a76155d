"""Proposals and what was decided about them, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.store.numbers import next_number
from settlement.store.schema_officers import proposal, proposal_decision

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["ProposalDecision", "ProposalRow", "ProposalTables", "proposal_row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDecision:
    """What became of a proposal.

    Attributes:
        approved: and carried out in the same transaction; else rejected.
        officer: who decided.
        reason: why, in the officer's words.
        at: the bank's time.
    """

    approved: bool
    officer: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """What one officer asks for and another one has to approve.

    Attributes:
        number: from 1, over all kinds.
        kind: `settlement.dual_control.ActionKind`.
        subject: what it is about; one undecided proposal for each.
        document: all of it, as JSON in one form.
        digest: SHA-256 of kind, subject and document, 32 bytes.
        reason: why, in the proposing officer's words.
        officer: who proposed it.
        at: the bank's time.
        decision: None while it waits; it waits for ever.
    """

    number: int
    kind: str
    subject: str
    document: str
    digest: bytes
    reason: str
    officer: str
    at: datetime
    decision: ProposalDecision | None = None


_DECIDED: Final = (
    proposal_decision.c.approved,
    proposal_decision.c.officer.label("decided_by"),
    proposal_decision.c.reason.label("decided_because"),
    proposal_decision.c.at.label("decided_at"),
)
_PROPOSALS: Final = (
    sa.select(proposal, *_DECIDED)
    .select_from(
        proposal.outerjoin(
            proposal_decision, proposal_decision.c.number == proposal.c.number
        )
    )
    .order_by(proposal.c.number)
)


class ProposalTables:
    """Proposals within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def next_number(self) -> int:
        """The number of the next proposal, from 1."""
        return next_number(self._connection, proposal.c.number)

    def add(self, row: ProposalRow) -> None:
        """Note a proposal, which is not decided yet."""
        self._connection.execute(
            sa.insert(proposal),
            {
                "number": row.number,
                "kind": row.kind,
                "subject": row.subject,
                "document": row.document,
                "digest": row.digest,
                "reason": row.reason,
                "officer": row.officer,
                "at": row.at,
            },
        )

    def decide(self, row: ProposalRow, decision: ProposalDecision) -> None:
        """Note what was decided about a proposal, once and for all."""
        self._connection.execute(
            sa.insert(proposal_decision),
            {
                "number": row.number,
                "approved": decision.approved,
                "digest": row.digest,
                "reason": decision.reason,
                "officer": decision.officer,
                "at": decision.at,
            },
        )

    def proposal(self, number: int) -> ProposalRow | None:
        """A proposal as it stands now, or None."""
        query = _PROPOSALS.where(proposal.c.number == number)
        row = self._connection.execute(query).first()
        return None if row is None else _decided_row(row)

    def of_subject(self, kind: str, subject: str) -> list[ProposalRow]:
        """All proposals about one thing, oldest first."""
        query = _PROPOSALS.where(proposal.c.kind == kind, proposal.c.subject == subject)
        return [_decided_row(row) for row in self._connection.execute(query)]

    def of_kind(self, kind: str) -> list[ProposalRow]:
        """All proposals of a kind, oldest first."""
        query = _PROPOSALS.where(proposal.c.kind == kind)
        return [_decided_row(row) for row in self._connection.execute(query)]


def proposal_row(row: Any, decision: ProposalDecision | None) -> ProposalRow:
    """The value of a stored row, with what was decided about it."""
    return ProposalRow(
        number=row.number,
        kind=row.kind,
        subject=row.subject,
        document=row.document,
        digest=row.digest,
        reason=row.reason,
        officer=row.officer,
        at=row.at,
        decision=decision,
    )


def _decided_row(row: Any) -> ProposalRow:
    """The value of a row with its decision beside it."""
    decision = None
    if row.decided_at is not None:
        decision = ProposalDecision(
            approved=row.approved,
            officer=row.decided_by,
            reason=row.decided_because,
            at=row.decided_at,
        )
    return proposal_row(row, decision)
