"""``raseed-bank suspense``: money that waits, how long, and how two officers end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement import dual_control
from settlement.commands.bank_access import (
    NoKeys,
    bank_option,
    open_bank,
    open_keys,
    passphrase_option,
)
from settlement.commands.environment import environment_of
from settlement.commands.evidence_view import evidence_document, show_evidence
from settlement.commands.officer_access import (
    decided_by,
    officer_options,
    reason_option,
)
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.dual_control import ActionKind
from settlement.errors import DualControlError
from settlement.money import currency_by_code, currency_by_number, format_amount
from settlement.payment import PaymentKind
from settlement.store.suspense import SuspenseOutcome
from settlement.suspense import CAUSES, SuspenseDesk, ages_of, subject_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from settlement.commands.bank_access import OpenBank
    from settlement.store.batches import NotedIncident
    from settlement.store.books import Books
    from settlement.store.incidents import EvidenceRow
    from settlement.store.proposals import ProposalRow
    from settlement.store.suspense import SuspendedRow

__all__ = ["suspense"]

_NOTHING = dual_control.NOTHING
_WAYS = {
    "pay": SuspenseOutcome.PAID,
    "return": SuspenseOutcome.RETURNED,
    "accept": SuspenseOutcome.ACCEPTED,
    "write-off": SuspenseOutcome.WRITTEN_OFF,
}


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank suspense list
  raseed-bank suspense show T0000007/12/345
  raseed-bank suspense propose T0000007/12/345 pay --kind fees --officer huda \\
      --reason "the office has told what was paid"
  raseed-bank suspense approve 7 --officer said --reason "letter seen"
""",
)
def suspense() -> None:
    """Payments that wait in suspense, and their end.

    A payment is named by terminal, batch and STAN, as the list shows it. Held money was
    really debited: it is paid to an office or returned to the customer. A suspended
    payment has no proof and nothing is booked for it: it is written off, or accepted if
    its certificate verifies by now. Each takes two officers: propose and approve.
    """


@suspense.command("list")
@bank_option
@click.option("--all", "show_all", is_flag=True, help="Show those too that have ended.")
@json_option
@click.pass_context
def list_waiting(ctx: click.Context, *, bank: Path, show_all: bool) -> None:
    """List what waits, oldest first, and its sums by age."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.read() as books:
        waiting = books.suspense.waiting()
        shown = books.suspense.all() if show_all else waiting
        proposals = _open_proposals(books)
        documents = [_document(books, row, proposals, now) for row in shown]
    ages = [
        {
            "age_days": one.age,
            "state": one.decision.value,
            "currency": currency_by_number(one.currency).code,
            "count": one.count,
            "sum_minor": one.sum_minor,
        }
        for one in ages_of(waiting, now)
    ]
    output_of(ctx).show(
        {"ages": ages, "payments": documents},
        lambda console: _read_list(console, ages, documents),
    )


@suspense.command()
@click.argument("payment")
@bank_option
@click.option("--full-number", is_flag=True, help="Show whole card numbers.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, payment: str, bank: Path, full_number: bool) -> None:
    """Show one payment, its incidents and the bytes that came."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.read() as books:
        row = _find(books, payment)
        document = _document(books, row, _open_proposals(books), now)
        noted = _incidents(books, row)
        evidence = [
            piece for one in noted for piece in books.incidents.evidence(one.number)
        ]
        history = books.proposals.of_subject(
            ActionKind.SUSPENSE, subject_of(row.record)
        )
    document["evidence"] = [evidence_document(one, full_number) for one in evidence]
    document["proposals"] = [_proposal_document(one) for one in history]
    output_of(ctx).show(
        document,
        lambda console: _read_one(console, document, evidence, full=full_number),
    )


@suspense.command()
@click.argument("payment")
@click.argument("way", type=click.Choice(list(_WAYS)))
@bank_option
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PaymentKind]),
    help="What was paid, where the payment does not say it.",
)
@click.option("--office", help="The office to pay to; else that of the batch.")
@officer_options
@reason_option
@passphrase_option
@json_option
@click.pass_context
def propose(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    payment: str,
    way: str,
    bank: Path,
    kind: str | None,
    office: str | None,
    officer: str,
    password_file: str | None,
    reason: str,
    passphrase_file: str | None,
) -> None:
    """Ask for an end of PAYMENT: pay, return, accept or write-off.

    Nothing moves until another officer approves. For accept the certificate is verified
    again, so the passphrase of the bank's keys is needed.
    """
    outcome = _WAYS[way]
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, reason)
        with opened.store.read() as books:
            row = _find(books, payment)
        payee = _payee(row, kind, office)
        made = _desk(opened, outcome, passphrase_file).propose(row, outcome, payee, by)
    _show_proposal(ctx, made)


@suspense.command()
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@officer_options
@reason_option
@passphrase_option
@json_option
@click.pass_context
def approve(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    number: int,
    bank: Path,
    officer: str,
    password_file: str | None,
    reason: str,
    passphrase_file: str | None,
) -> None:
    """Approve proposal NUMBER of another officer; it is done in that moment."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, reason)
        with opened.store.read() as books:
            made = books.proposals.proposal(number)
        if made is None or made.kind != ActionKind.SUSPENSE:
            raise DualControlError(f"There is no such proposal {number}. {_NOTHING}")
        outcome = SuspenseOutcome(dual_control.document_of(made)["outcome"])
        ended = _desk(opened, outcome, passphrase_file).approve(number, by)
        with opened.store.read() as books:
            document = _document(books, ended, {}, now)
    output_of(ctx).show(
        document, lambda console: console.print(facts_table(_facts(document)))
    )


@suspense.command()
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@officer_options
@reason_option
@json_option
@click.pass_context
def reject(
    ctx: click.Context,
    *,
    number: int,
    bank: Path,
    officer: str,
    password_file: str | None,
    reason: str,
) -> None:
    """Reject proposal NUMBER, also one's own; the money goes on waiting."""
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, reason)
        made = SuspenseDesk(opened.store, NoKeys()).reject(number, by)
    _show_proposal(ctx, made)


def _desk(
    opened: OpenBank, outcome: SuspenseOutcome, passphrase_file: str | None
) -> SuspenseDesk:
    """Keys are opened only where a certificate is to be verified."""
    if outcome is SuspenseOutcome.ACCEPTED:
        keys = open_keys(opened.directory, passphrase_file)
        return SuspenseDesk(opened.store, keys)
    return SuspenseDesk(opened.store, NoKeys())


def _payee(
    row: SuspendedRow, kind: str | None, office: str | None
) -> tuple[PaymentKind, str] | None:
    if kind is None and office is None:
        return None
    details = row.record.payment.details
    known = details.kind if details else None
    wanted = PaymentKind(kind) if kind else known
    if wanted is None:
        raise DualControlError(f"Say what was paid with --kind. {_NOTHING}")
    return wanted, office or row.office


def _name(row: SuspendedRow) -> str:
    record = row.record
    return f"{record.terminal_id}/{record.batch}/{record.payment.stan}"


def _find(books: Books, name: str) -> SuspendedRow:
    """The payment of this name; with a fourth part for one of several customs cards."""
    found = [
        row
        for row in books.suspense.all()
        if name in {_name(row), f"{_name(row)}/{row.record.mid.hex()[-4:]}"}
    ]
    if not found:
        raise DualControlError(
            f"No payment {name} waits or waited in suspense. {_NOTHING} "
            "raseed-bank suspense list --all"
        )
    if len(found) > 1:
        ends = ", ".join(f"{name}/{row.record.mid.hex()[-4:]}" for row in found)
        raise DualControlError(f"There are several; name one: {ends}. {_NOTHING}")
    return found[0]


def _open_proposals(books: Books) -> dict[str, ProposalRow]:
    """Proposals that wait for another officer, by subject."""
    return {
        row.subject: row
        for row in books.proposals.of_kind(ActionKind.SUSPENSE)
        if row.decision is None
    }


def _incidents(books: Books, row: SuspendedRow) -> list[NotedIncident]:
    record = row.record
    noted = books.batches.incidents_of_record(
        record.terminal_id, record.batch, record.payment.stan
    )
    return [one for one in noted if one.incident.code in CAUSES]


def _document(
    books: Books, row: SuspendedRow, proposals: dict[str, ProposalRow], now: datetime
) -> dict[str, Any]:
    record, tx = row.record, row.record.payment.tx
    details, end = record.payment.details, row.resolution
    proposal = proposals.get(subject_of(record))
    account = None if end is None else end.account
    owner = "" if account is None else f"{account.kind} {account.owner}"
    return {
        "payment": _name(row),
        "state": record.decision.value,
        "received_at": f"{record.received_at:%Y-%m-%dT%H:%M:%SZ}",
        "age_days": (now - record.received_at).days,
        "card": tx.card_number_masked,
        "amount_minor": tx.amount_minor,
        "currency": currency_by_number(tx.currency).code,
        "office": row.office,
        "declaration": details.declaration if details else None,
        "kind": details.kind.value if details else None,
        "reason": record.reason,
        "incidents": [one.number for one in _incidents(books, row)],
        "proposal": None if proposal is None else _proposal_document(proposal),
        "ended": None
        if end is None
        else {
            "outcome": end.outcome.value,
            "account": owner or None,
            "proposal": end.proposal,
            "at": f"{end.at:%Y-%m-%dT%H:%M:%SZ}",
        },
    }


def _proposal_document(row: ProposalRow) -> dict[str, Any]:
    decision = row.decision
    document = dual_control.document_of(row)
    account = document["account"]
    return {
        "number": row.number,
        "outcome": document["outcome"],
        "account": account and f"{account['kind']} {account['owner']}",
        "amount_minor": document["amount_minor"],
        "officer": row.officer,
        "reason": row.reason,
        "at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "digest": row.digest.hex(),
        "approved": None if decision is None else decision.approved,
        "decided_by": None if decision is None else decision.officer,
        "decided_because": None if decision is None else decision.reason,
    }


def _amount(document: dict[str, Any], name: str = "amount_minor") -> str:
    currency = currency_by_code(document["currency"])
    return f"{format_amount(document[name], currency)} {currency}"


def _read_list(
    console: Console, ages: list[dict[str, Any]], documents: list[dict[str, Any]]
) -> None:
    if not documents:
        console.print("Nothing waits in suspense.")
        return
    rows = [
        (
            one["payment"],
            one["state"],
            str(one["age_days"]),
            one["card"],
            _amount(one),
            ", ".join(str(number) for number in one["incidents"]),
            _stands(one),
        )
        for one in documents
    ]
    headings = ["Payment", "State", ">Days", "Card", ">Amount", "Incident", "What"]
    console.print(table(headings, rows))
    if not ages:
        return
    console.print("\nWaiting, by days since it came:")
    sums = [
        (one["age_days"], one["state"], str(one["count"]), _amount(one, "sum_minor"))
        for one in ages
    ]
    console.print(table([">Days", "State", ">Payments", ">Sum"], sums))


def _stands(document: dict[str, Any]) -> str:
    """Where it stands: ended, proposed, or why it waits."""
    if document["ended"] is not None:
        return f"{document['ended']['outcome']} {document['ended']['at'][:10]}"
    proposal = document["proposal"]
    if proposal is not None:
        return f"proposal {proposal['number']} of {proposal['officer']}: " + (
            f"{proposal['outcome']}; waits for another officer"
        )
    return str(document["reason"])


def _facts(document: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Payment", document["payment"]),
        ("State", f"{document['state']}, for {document['age_days']} days"),
        ("Amount", _amount(document)),
        ("Card", document["card"]),
        ("Office", document["office"]),
        ("Declaration", document["declaration"] or "not known"),
        ("Why", document["reason"]),
        ("Incidents", ", ".join(str(number) for number in document["incidents"])),
    ]
    end = document["ended"]
    if end is not None:
        where = f" to {end['account']}" if end["account"] else "; nothing was booked"
        facts.append(("Ended", f"{end['outcome']}{where}, {end['at']}"))
    return facts


def _read_one(
    console: Console,
    document: dict[str, Any],
    evidence: list[EvidenceRow],
    *,
    full: bool,
) -> None:
    console.print(facts_table(_facts(document)))
    for one in document["proposals"]:
        where = f" to {one['account']}" if one["account"] else ""
        words = {None: "waits", True: "approved", False: "rejected"}[one["approved"]]
        by = f" by {one['decided_by']}" if one["decided_by"] else ""
        console.print(
            f"\nProposal {one['number']} of {one['officer']}: {one['outcome']}{where}; "
            f"{one['reason']}. {words.capitalize()}{by}.",
            markup=False,
        )
    show_evidence(console, evidence, full=full)


def _show_proposal(ctx: click.Context, made: ProposalRow) -> None:
    document = _proposal_document(made)
    approved = made.decision
    state = (
        "waits for another officer: raseed-bank suspense approve "
        f"{made.number} --officer NAME"
        if approved is None
        else f"rejected by {approved.officer}"
    )
    facts = [
        ("Proposal", str(made.number)),
        ("Outcome", f"{document['outcome']} {document['account'] or ''}".strip()),
        ("Proposed by", f"{made.officer}: {made.reason}"),
        ("Now", state),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))
