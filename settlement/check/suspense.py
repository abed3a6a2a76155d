"""What people decided: incidents that they closed, and money that left suspense.

Every proposal has the digest of its own words. Whatever left suspense did so by a
proposal of one officer that another one approved, and is exactly what it says. A closed
incident was resolved by an officer, or is of a kind that closes by itself.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from settlement.bank_incidents import ALL_CAME
from settlement.check.report import FindingCode
from settlement.clearing import IncidentCode
from settlement.dual_control import ActionKind, canonical, proposal_digest
from settlement.store.records import Decision
from settlement.store.suspense import SuspenseOutcome
from settlement.suspense import CAUSES, closing_words, resolution_document, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.check.report import CheckRun
    from settlement.store.proposals import ProposalRow
    from settlement.store.records import RecordRow
    from settlement.store.suspense import SuspenseResolution

__all__ = ["check_suspense"]


def check_suspense(run: CheckRun) -> None:
    """Compare what people did with what they had agreed on."""
    sound = _check_proposals(run)
    open_causes = _open_causes(run)
    for key, end in run.rows.ended.items():
        record = run.rows.records.get(key)
        if record is None:
            continue
        name = f"STAN {key[3]}, batch {key[2]} of terminal {key[0]}"
        for problem in _resolution_problems(run, record, end):
            run.find(FindingCode.SUSPENSE, f"{name}: {problem}")
        for number in open_causes[key[0], key[2], key[3]]:
            text = f"{name}: it left suspense, and incident {number} is open"
            run.find(FindingCode.SUSPENSE, text)
    _check_closed(run, sound)
    _check_evidence(run)


def _check_proposals(run: CheckRun) -> list[ProposalRow]:
    """Every proposal is as it was made, and was decided by another officer.

    Returns:
        Those that are as they were made.
    """
    sound = []
    for row in run.rows.proposals.values():
        if row.digest == proposal_digest(row.kind, row.subject, row.document):
            sound.append(row)
        else:
            run.find(FindingCode.SUSPENSE, f"proposal {row.number} was changed")
        decision = row.decision
        if decision and decision.approved and decision.officer == row.officer:
            text = f"proposal {row.number} was approved by the officer who made it"
            run.find(FindingCode.SUSPENSE, text)
    run.find_gaps("proposal", run.rows.proposals)
    serials: defaultdict[str, list[int]] = defaultdict(list)
    for table in ("officer_password", "officer_attempt"):
        for row in run.rows.raw[table]:
            what = table.removeprefix("officer_")
            serials[f"{what} of officer {row.name}"].append(row.serial)
    for name, numbers in serials.items():
        run.find_gaps(name, numbers)
    return sound


def _resolution_problems(
    run: CheckRun, record: RecordRow, end: SuspenseResolution
) -> Iterator[str]:
    """In what an end is not what two officers agreed on."""
    proposal = run.rows.proposals.get(end.proposal)
    if proposal is None or proposal.decision is None or not proposal.decision.approved:
        yield "it left suspense, and nobody approved that"
        return
    if (proposal.kind, proposal.subject) != (ActionKind.SUSPENSE, subject_of(record)):
        yield "it left suspense by a proposal about something else"
    elif proposal.document != canonical(
        resolution_document(record, end.outcome, end.account)
    ):
        yield "it left suspense otherwise than was approved"
    if proposal.decision.at != end.at:
        yield "it left suspense at another time than it was approved"
    held = end.outcome in {SuspenseOutcome.PAID, SuspenseOutcome.RETURNED}
    if record.decision is not (Decision.HELD if held else Decision.SUSPENDED):
        yield f"{end.outcome}, but it was {record.decision}"


def _open_causes(run: CheckRun) -> defaultdict[tuple[str, int, int], list[int]]:
    """Incidents that put a payment into suspense and are open, by its STAN."""
    causes = {code.value for code in CAUSES}
    closed = _closed(run)
    found: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
    for one in run.rows.raw["incident"]:
        if one.code in causes and one.stan is not None and one.id not in closed:
            found[one.terminal_id, one.batch, one.stan].append(one.id)
    return found


def _closed(run: CheckRun) -> dict[int, Any]:
    return {row.incident_id: row for row in run.rows.raw["incident_closed"]}


def _check_closed(run: CheckRun, sound: list[ProposalRow]) -> None:
    """A closed incident was closed by somebody, or by what it waited for."""
    incidents = {row.id: row for row in run.rows.raw["incident"]}
    resolved = {
        row.incident_id: row
        for row in run.rows.raw["incident_work"]
        if row.kind == "resolved"
    }
    ends = {
        closing_words(row)
        for row in sound
        if row.kind == ActionKind.SUSPENSE and _is_approved(row)
    }
    collected = {(key[0], key[2]) for key in run.rows.collected}
    closed = _closed(run)
    for number, row in sorted(closed.items()):
        incident = incidents.get(number)
        if incident is None or incident.code == IncidentCode.OUTCOME_OPEN:
            continue
        work = resolved.get(number)
        if work is not None:
            if work.at != row.at:
                text = f"incident {number}: closed at another time than resolved"
                run.find(FindingCode.INCIDENT, text)
            if work.outcome == "suspense" and work.text not in ends:
                text = f"incident {number}: no end of suspense closed it"
                run.find(FindingCode.INCIDENT, text)
        elif not (
            incident.code == IncidentCode.BATCH_INCOMPLETE
            and row.text == ALL_CAME
            and (incident.terminal_id, incident.batch) in collected
        ):
            text = f"incident {number}: closed, and nothing says why"
            run.find(FindingCode.INCIDENT, text)
    for number in sorted(resolved.keys() - closed.keys()):
        run.find(FindingCode.INCIDENT, f"incident {number}: resolved, and not closed")


def _is_approved(row: ProposalRow) -> bool:
    return row.decision is not None and row.decision.approved


def _check_evidence(run: CheckRun) -> None:
    """Evidence has its own digest; pieces and work are numbered without a gap."""
    serials: defaultdict[str, list[int]] = defaultdict(list)
    for row in run.rows.raw["incident_evidence"]:
        serials[f"evidence of incident {row.incident_id}"].append(row.serial)
        if hashlib.sha256(row.data).digest() != row.digest:
            text = f"incident {row.incident_id}: its evidence was changed"
            run.find(FindingCode.INCIDENT, text)
    for row in run.rows.raw["incident_work"]:
        serials[f"work on incident {row.incident_id}"].append(row.serial)
    for name, numbers in serials.items():
        run.find_gaps(name, numbers)
