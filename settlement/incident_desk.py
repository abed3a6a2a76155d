"""Incidents as people work on them: whose each one is, notes, and how it ended.

Nothing is changed: what an officer does is a further row. Two kinds close without
anybody, and nobody may close them before: a payment whose outcome is open, and a batch
that is not whole yet. An incident whose money waits in suspense closes with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from settlement.clearing import IncidentCode
from settlement.errors import OfficerError
from settlement.incident_severity import Severity, severity_of
from settlement.store.collisions import repeated
from settlement.store.incidents import (
    EvidenceRow,
    IncidentOutcome,
    WorkKind,
    WorkRow,
)
from settlement.store.officers import Role
from settlement.suspense import CAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.dual_control import DecidedBy
    from settlement.store.batches import NotedIncident
    from settlement.store.books import BankStore, Books

__all__ = ["IncidentCase", "IncidentDesk", "IncidentFilter"]

_NOTHING: Final = "Nothing was changed and no money moved."
_WORKING: Final = frozenset({Role.OPERATIONS, Role.SUPERVISOR})
_CLOSE_THEMSELVES: Final = {
    IncidentCode.OUTCOME_OPEN: (
        "it closes by itself with the card's next payment or load, or at the card "
        "desk: raseed-card recover"
    ),
    IncidentCode.BATCH_INCOMPLETE: (
        "it closes by itself when the terminal has sent the rest of the batch"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentCase:
    """An incident with all that belongs to it.

    Attributes:
        noted: what was noted, and whether it is closed.
        severity: how urgent it is, by its code.
        work: what officers did about it, oldest first.
        evidence: the bytes that it is about; only when it was asked for.
    """

    noted: NotedIncident
    severity: Severity
    work: Sequence[WorkRow] = ()
    evidence: Sequence[EvidenceRow] = ()

    @property
    def owner(self) -> str | None:
        """To whom it was given last, or None."""
        owners = [row.owner for row in self.work if row.kind is WorkKind.ASSIGNED]
        return owners[-1] if owners else None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """Which incidents are wanted; None or False: whatever it is.

    Attributes:
        closed_too: also those that are closed.
        least: at least so urgent.
        code: of this kind.
        terminal_id: of this terminal.
        owner: given to this officer; empty: given to nobody.
        older_than_days: noted more than so many days ago.
    """

    closed_too: bool = False
    least: Severity | None = None
    code: str | None = None
    terminal_id: str | None = None
    owner: str | None = None
    older_than_days: int | None = None

    def takes(self, case: IncidentCase, now: datetime) -> bool:
        """Whether an incident is among those wanted."""
        incident = case.noted.incident
        days = self.older_than_days
        return all(
            (
                self.closed_too or case.noted.is_open,
                self.least is None or case.severity >= self.least,
                self.code is None or incident.code == self.code,
                self.terminal_id in {None, incident.terminal_id},
                self.owner is None or self.owner == (case.owner or ""),
                days is None or incident.at < now - timedelta(days=days),
            )
        )


class IncidentDesk:
    """What officers do about incidents. Threads may share it."""

    def __init__(self, store: BankStore) -> None:
        """Work on ``store``."""
        self._store = store

    def cases(self, wanted: IncidentFilter, now: datetime) -> list[IncidentCase]:
        """The incidents that are wanted, oldest first, without their evidence."""
        with self._store.read() as books:
            noted = books.batches.noted_incidents()
            work = books.incidents.all_work()
        cases = (_case(one, work.get(one.number, ())) for one in noted)
        return [case for case in cases if wanted.takes(case, now)]

    def case(self, number: int) -> IncidentCase:
        """One incident with its evidence.

        Raises:
            OfficerError: there is none of this number.
        """
        with self._store.read() as books:
            noted = _noted(books, number)
            evidence = books.incidents.evidence(number)
            work = books.incidents.work(number)
        return _case(noted, work, evidence)

    @repeated
    def assign(self, numbers: Sequence[int], owner: str, by: DecidedBy) -> None:
        """Give incidents to an officer; all of them or none.

        Raises:
            OfficerError: one is closed or unknown, or one of the officers may not.
        """
        with self._store.write() as books:
            _require_working(by)
            to = books.officers.officer(owner)
            if to is None or to.disabled_at is not None or to.role not in _WORKING:
                raise OfficerError(
                    f"{owner} is no officer who works on incidents. {_NOTHING}"
                )
            for number in numbers:
                _require_open(_noted(books, number))
                work = WorkRow(
                    kind=WorkKind.ASSIGNED,
                    officer=by.officer.name,
                    owner=owner,
                    text=by.reason,
                    at=by.at,
                )
                books.incidents.add_work(number, work)

    @repeated
    def note(self, number: int, by: DecidedBy) -> None:
        """Add what an officer found out, also to a closed one.

        Raises:
            OfficerError: there is none, or the officer may not.
        """
        with self._store.write() as books:
            _require_working(by)
            _noted(books, number)
            work = WorkRow(
                kind=WorkKind.NOTED,
                officer=by.officer.name,
                text=_require_words(by.reason),
                at=by.at,
            )
            books.incidents.add_work(number, work)

    @repeated
    def resolve(self, number: int, outcome: IncidentOutcome, by: DecidedBy) -> None:
        """Close an incident: what was wrong, and what became of it.

        Raises:
            OfficerError: it is closed, unknown, closes by itself, or money waits.
        """
        with self._store.write() as books:
            _require_working(by)
            noted = _noted(books, number)
            _require_open(noted)
            _require_closable(books, noted)
            work = WorkRow(
                kind=WorkKind.RESOLVED,
                officer=by.officer.name,
                outcome=outcome,
                text=_require_words(by.reason),
                at=by.at,
            )
            books.incidents.add_work(number, work)
            words = f"by {by.officer.name} ({outcome}): {work.text}"
            books.batches.close_incident(number, words, by.at)


def _case(
    noted: NotedIncident,
    work: Sequence[WorkRow],
    evidence: Sequence[EvidenceRow] = (),
) -> IncidentCase:
    severity = severity_of(noted.incident.code)
    return IncidentCase(noted=noted, severity=severity, work=work, evidence=evidence)


def _noted(books: Books, number: int) -> NotedIncident:
    noted = books.batches.noted_incident(number)
    if noted is None:
        raise OfficerError(f"There is no incident {number}. {_NOTHING}")
    return noted


def _require_open(noted: NotedIncident) -> None:
    if not noted.is_open:
        raise OfficerError(
            f"Incident {noted.number} is closed: {noted.closed_because}. {_NOTHING}"
        )


def _require_closable(books: Books, noted: NotedIncident) -> None:
    incident = noted.incident
    waits_for = _CLOSE_THEMSELVES.get(IncidentCode(incident.code))
    if waits_for is not None:
        raise OfficerError(
            f"Incident {noted.number} cannot be closed by a person. {_NOTHING} In "
            f"time {waits_for}"
        )
    if incident.code not in CAUSES or incident.batch is None or incident.stan is None:
        return
    waiting = books.suspense.waiting_of(
        incident.terminal_id, incident.batch, incident.stan
    )
    if waiting:
        raise OfficerError(
            f"The money of incident {noted.number} waits in suspense; it closes with "
            f"that. {_NOTHING} See raseed-bank suspense list"
        )


def _require_working(by: DecidedBy) -> None:
    if by.officer.role not in _WORKING:
        raise OfficerError(
            f"{by.officer.name} is an officer of {by.officer.role} and does not work "
            f"on incidents. {_NOTHING}"
        )


def _require_words(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise OfficerError(f"Say what was found, in words. {_NOTHING}")
    return words
