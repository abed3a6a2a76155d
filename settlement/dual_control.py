"""What takes two: one officer proposes, another one approves, and only then it is done.

A proposal says everything: its *kind* (what sort of action), its *subject* (what it is
about), and a *document* with all that will be done, in one form of JSON, so that its
digest names it. Whoever carries it out does so in the transaction that notes the
approval, from the document alone:

    with store.write() as books:
        approved = dual_control.approve(books, number, kind, decided_by)
        ...  # do what approved.document says

Either both are stored or neither is. There is one undecided proposal about a subject at
most. A proposal waits until somebody approves or rejects it; no time ends it. The
database enforces that the two officers differ, that neither is disabled, and that what
was approved is what was proposed (`settlement.store.schema_officers`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

from settlement.errors import DualControlError
from settlement.store.officers import Role
from settlement.store.proposals import ProposalDecision, ProposalRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from settlement.store.books import Books
    from settlement.store.officers import OfficerRow

__all__ = [
    "ActionKind",
    "DecidedBy",
    "approve",
    "canonical",
    "document_of",
    "may_approve",
    "may_propose",
    "may_reject",
    "proposal_digest",
    "propose",
    "refuse_disabled",
    "reject",
    "require_reason",
]

NOTHING: Final = "Nothing was changed and no money moved."
REASON_MAX: Final = 500
"""Characters of a reason; it is shown in tables."""


@unique
class ActionKind(StrEnum):
    """What takes two officers; the values are stored."""

    SUSPENSE = "suspense"
    CORRECTION = "correction"
    OFFICER = "officer"


_WORKING: Final = frozenset({Role.OPERATIONS, Role.SUPERVISOR})
_PROPOSERS: Final = {
    ActionKind.SUSPENSE: _WORKING,
    ActionKind.CORRECTION: _WORKING,
    ActionKind.OFFICER: frozenset({Role.SECURITY}),
}
_APPROVERS: Final = {
    ActionKind.SUSPENSE: frozenset({Role.SUPERVISOR}),
    ActionKind.CORRECTION: frozenset({Role.SUPERVISOR}),
    ActionKind.OFFICER: frozenset({Role.SECURITY}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedBy:
    """Who asks or decides, why, and when.

    Attributes:
        officer: who has proved who he is (`settlement.officers`).
        reason: in the officer's own words; not empty.
        at: the bank's time.
    """

    officer: OfficerRow
    reason: str
    at: datetime


def canonical(document: Mapping[str, Any]) -> str:
    """The one form of a document: JSON, keys sorted, no blanks between.

    >>> canonical({"b": 1, "a": "x"})
    '{"a":"x","b":1}'
    """
    return json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )


def document_of(row: ProposalRow) -> dict[str, Any]:
    """What a proposal says will be done."""
    made = json.loads(row.document)
    assert isinstance(made, dict), "a document is an object"
    return made


def proposal_digest(kind: str, subject: str, document: str) -> bytes:
    """What names a proposal's content: SHA-256, 32 bytes."""
    return hashlib.sha256("\0".join((kind, subject, document)).encode()).digest()


def may_propose(kind: ActionKind, role: Role) -> bool:
    """Whether officers of this role may ask for such an action."""
    return role in _PROPOSERS[kind]


def may_approve(kind: ActionKind, role: Role) -> bool:
    """Whether officers of this role may approve what another one asks for."""
    return role in _APPROVERS[kind]


def may_reject(kind: ActionKind, role: Role) -> bool:
    """Whether officers of this role may see to it that such an action is not done."""
    return may_propose(kind, role) or may_approve(kind, role)


def refuse_disabled(books: Books, officer: OfficerRow) -> None:
    """Refuse an officer who was disabled since the password was given.

    The caller holds the staff.

    Raises:
        DualControlError: nothing is accepted from this officer any more.
    """
    now = books.officers.officer(officer.name)
    if now is None or now.disabled_at is not None:
        raise DualControlError(
            f"{officer.name} is not an officer of this bank any more. {NOTHING} "
            "raseed-bank officer list shows who is."
        )


def propose(
    books: Books,
    kind: ActionKind,
    *,
    subject: str,
    document: Mapping[str, Any],
    by: DecidedBy,
) -> ProposalRow:
    """Ask for something that another officer has to approve.

    Args:
        books: the open transaction.
        kind: what sort of action.
        subject: what it is about, in a form that names it among its kind.
        document: all that will be done.
        by: who asks.

    Raises:
        DualControlError: the officer may not, or one about this waits already.
    """
    if not may_propose(kind, by.officer.role):
        raise DualControlError(
            f"{by.officer.name} is an officer of {by.officer.role} and may not propose "
            f"this ({kind}). {NOTHING}"
        )
    refuse_disabled(books, by.officer)
    for earlier in books.proposals.of_subject(kind, subject):
        if earlier.decision is None:
            raise DualControlError(
                f"Proposal {earlier.number} of {earlier.officer} about this waits for "
                f"another officer already. {NOTHING} Have it approved, or reject it "
                "and propose again."
            )
    text = canonical(document)
    row = ProposalRow(
        number=books.proposals.next_number(),
        kind=kind,
        subject=subject,
        document=text,
        digest=proposal_digest(kind, subject, text),
        reason=require_reason(by.reason),
        officer=by.officer.name,
        at=by.at,
    )
    books.proposals.add(row)
    return row


def approve(books: Books, number: int, kind: ActionKind, by: DecidedBy) -> ProposalRow:
    """Approve a proposal; the caller carries it out in the same transaction.

    Raises:
        DualControlError: there is none, it is decided, it was changed, or this officer
            may not approve it.
    """
    row = _waiting(books, number, kind)
    if by.officer.name == row.officer:
        raise DualControlError(
            f"{by.officer.name} is the one who proposed this; another officer has to "
            f"approve it. {NOTHING}"
        )
    if not may_approve(kind, by.officer.role):
        raise DualControlError(
            f"{by.officer.name} is an officer of {by.officer.role} and may not approve "
            f"this ({kind}). {NOTHING}"
        )
    if row.digest != proposal_digest(row.kind, row.subject, row.document):
        raise DualControlError(
            f"Proposal {number} is not as it was proposed: its digest differs. "
            f"{NOTHING} Run raseed-bank check and call bank security."
        )
    return _decide(books, row, by, approved=True)


def reject(books: Books, number: int, kind: ActionKind, by: DecidedBy) -> ProposalRow:
    """Reject a proposal; who made it may also take it back so.

    Raises:
        DualControlError: there is none, it is decided, or this officer may not.
    """
    row = _waiting(books, number, kind)
    role = by.officer.role
    if not may_reject(kind, role):
        raise DualControlError(
            f"{by.officer.name} is an officer of {role} and may not reject this "
            f"({kind}). {NOTHING}"
        )
    return _decide(books, row, by, approved=False)


def require_reason(text: str) -> str:
    """A reason as it is kept: one line, not empty.

    Raises:
        DualControlError: there is none, or it is too long.
    """
    reason = " ".join(text.split())
    if not reason or not reason.isprintable():
        raise DualControlError(f"A reason is needed, in words. {NOTHING}")
    if len(reason) > REASON_MAX:
        raise DualControlError(
            f"The reason has {len(reason)} characters, at most {REASON_MAX} are kept. "
            f"{NOTHING}"
        )
    return reason


def _waiting(books: Books, number: int, kind: ActionKind) -> ProposalRow:
    row = books.proposals.proposal(number)
    if row is None or row.kind != kind:
        raise DualControlError(f"There is no proposal {number} of {kind}. {NOTHING}")
    if row.decision is not None:
        word = "approved" if row.decision.approved else "rejected"
        raise DualControlError(
            f"Proposal {number} was {word} by {row.decision.officer} already. {NOTHING}"
        )
    return row


def _decide(
    books: Books, row: ProposalRow, by: DecidedBy, *, approved: bool
) -> ProposalRow:
    refuse_disabled(books, by.officer)
    decision = ProposalDecision(
        approved=approved,
        officer=by.officer.name,
        reason=require_reason(by.reason),
        at=by.at,
    )
    books.proposals.decide(row, decision)
    return replace(row, decision=decision)
