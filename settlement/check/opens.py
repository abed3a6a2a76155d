"""Open records and audit heads: what was concluded follows again from what is stored.

Every open record has its report and its incident; every resolution is proved by the
rows it was made from, or by the purse's own certificate; the incident is closed when,
and only when, there is one. What is odd about a terminal's audit log was noted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from settlement.audit_trail import judge_head
from settlement.check.report import FindingCode
from settlement.clearing import IncidentCode
from settlement.errors import KeyStoreError
from settlement.open_desk import is_answered_by_purse
from settlement.open_records import OpenFacts, closing_words, settled_by
from settlement.store.heads import kept_head
from settlement.store.opens import Resolution, ResolvedBy, resolution_row

if TYPE_CHECKING:
    from settlement.check.report import CheckRun
    from settlement.store.batches import OpenRow

__all__ = ["check_opens", "open_sums"]

_Key = tuple[bytes, int]
"""Customs card and its number: what names an open record."""


def check_opens(run: CheckRun) -> None:
    """Check every open record, what became of it, and every audit head."""
    made = _resolutions(run)
    closed = {row.incident_id: row for row in run.rows.raw["incident_closed"]}
    incidents = {row.id: row for row in run.rows.raw["incident"]}
    of_opens = set()
    for row in run.rows.raw["open_record"]:
        report = _first_report(run, row)
        if report is None:
            continue
        of_opens.add(row.incident_id)
        for problem in (
            *_incident_problems(row, report, incidents.get(row.incident_id)),
            *_outcome_problems(run, row, report, made.get((row.mid, row.tsn))),
            *_closing_problems(
                made.get((row.mid, row.tsn)), closed.get(row.incident_id)
            ),
        ):
            run.find(FindingCode.OPEN, f"{_name(row)}: {problem}")
    _check_reports(run)
    for number, incident in incidents.items():
        if incident.code == IncidentCode.OUTCOME_OPEN and number not in of_opens:
            run.find(FindingCode.OPEN, f"incident {number}: its open record is gone")
    _check_heads(run)


def open_sums(run: CheckRun, currency: int) -> tuple[int, int]:
    """What open records are worth, in minor units.

    Returns:
        Those of which nothing is known, and those that were proved to be debited and
        have not been delivered.
    """
    made = _resolutions(run)
    unknown_minor = proved_minor = 0
    for row in run.rows.raw["open_record"]:
        report = _first_report(run, row)
        if report is None or report.tx.currency != currency:
            continue
        settled = made.get((row.mid, row.tsn))
        if settled is None:
            unknown_minor += report.tx.amount_minor
        elif settled.debited and (row.cid, row.otc) not in run.rows.payments:
            proved_minor += report.tx.amount_minor
    return unknown_minor, proved_minor


def _resolutions(run: CheckRun) -> dict[_Key, Resolution]:
    rows = run.rows.raw["open_resolution"]
    return {(row.mid, row.tsn): resolution_row(row) for row in rows}


def _first_report(run: CheckRun, row: Any) -> OpenRow | None:
    return run.rows.reports.get((row.terminal_id, row.mid, row.batch, row.tsn))


def _incident_problems(row: Any, report: OpenRow, incident: Any) -> list[str]:
    """Whether the row and its incident are about the payment that was reported."""
    problems = []
    if (row.cid, row.otc) != (report.tx.cid, report.tx.otc):
        problems.append("not the payment that was reported")
    if incident is None:
        return [*problems, "its incident is gone"]
    told = (
        incident.code,
        incident.terminal_id,
        incident.batch,
        incident.stan,
        incident.amount_minor,
        incident.masked_card,
        incident.at,
    )
    if told != (
        IncidentCode.OUTCOME_OPEN,
        row.terminal_id,
        row.batch,
        report.stan,
        report.tx.amount_minor,
        report.tx.card_number_masked,
        row.at,
    ):
        problems.append("its incident is about something else")
    return problems


def _outcome_problems(
    run: CheckRun, row: Any, report: OpenRow, made: Resolution | None
) -> list[str]:
    """Whether what is stored leads to what became of it, and to nothing else."""
    by = settled_by(report, _facts(run, row, report))
    if made is None:
        return [f"settled by {by}, which was not noted"] if by is not None else []
    if made.how is ResolvedBy.CARD_DESK and not _is_answered(run, report, made):
        return ["what the purse said of it is not its own word"]
    if made.debited:
        proved = made.how is ResolvedBy.CARD_DESK or by is ResolvedBy.DELIVERED
        return [] if proved else ["it was not delivered"]
    if by is ResolvedBy.DELIVERED and not _is_contradicted(run, row, report):
        return ["settled as never debited, and delivered"]
    if by is None and made.how is not ResolvedBy.CARD_DESK:
        return ["nothing that is stored proves that it was not debited"]
    return []


def _is_answered(run: CheckRun, report: OpenRow, made: Resolution) -> bool:
    if run.keys is None:
        return True
    try:
        return is_answered_by_purse(run.keys, report, made)
    except KeyStoreError:
        return False


def _is_contradicted(run: CheckRun, row: Any, report: OpenRow) -> bool:
    """Whether a person was told that it was settled both ways."""
    wanted = (IncidentCode.OPEN_CONTRADICTED, row.terminal_id, row.batch, report.stan)
    return any(
        (one.code, one.terminal_id, one.batch, one.stan) == wanted
        for one in run.rows.raw["incident"]
    )


def _closing_problems(made: Resolution | None, closed: Any) -> list[str]:
    if made is None:
        return ["nothing is known of it, and its incident is closed"] if closed else []
    if closed is None:
        return ["it is settled, and its incident is open"]
    if (closed.text, closed.at) != (closing_words(made), made.at):
        return ["its incident was closed for another reason"]
    return []


def _facts(run: CheckRun, row: Any, report: OpenRow) -> OpenFacts:
    tx = report.tx
    payments = run.rows.payments_of(tx.cid)
    numbers = [payment.otc for payment in payments]
    lower, higher = bisect_left(numbers, tx.otc), bisect_right(numbers, tx.otc)
    return OpenFacts(
        same_otc=payments[lower] if lower < higher else None,
        before=payments[lower - 1] if lower else None,
        after=payments[higher] if higher < len(payments) else None,
        loads=tuple(run.rows.loads.get(tx.cid, ())),
        lsn_then=row.lsn_then,
    )


def _check_reports(run: CheckRun) -> None:
    """Every report is of a known open record, and says the same of it."""
    known = {(row.mid, row.tsn): row for row in run.rows.raw["open_record"]}
    for (terminal_id, mid, batch, tsn), report in run.rows.reports.items():
        row = known.get((mid, tsn))
        name = f"open record {tsn}, batch {batch} of terminal {terminal_id}"
        if row is None:
            run.find(FindingCode.OPEN, f"{name}: noted nowhere else")
            continue
        first = _first_report(run, row)
        if first is not None and first.tx != report.tx:
            run.find(FindingCode.OPEN, f"{name}: another payment than before")


def _check_heads(run: CheckRun) -> None:
    """What is odd about an audit log was noted when it came."""
    noted = {(row.code, row.terminal_id, row.batch) for row in run.rows.raw["incident"]}
    before: dict[str, list[Any]] = {}
    for row in sorted(run.rows.raw["audit_head"], key=lambda row: row.serial):
        head = kept_head(row).head
        earlier = before.setdefault(row.terminal_id, [])
        for note in judge_head(head, earlier):
            if (note.code, row.terminal_id, row.batch) not in noted:
                text = f"audit head {row.serial} of terminal {row.terminal_id}"
                run.find(FindingCode.RECORD, f"{text}: {note.code}, and not noted")
        earlier.append(head)


def _name(row: Any) -> str:
    return f"open record {row.tsn}, first in batch {row.batch} of {row.terminal_id}"
