"""``raseed-bank incidents``: what waits for a person, whose it is, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.evidence_view import evidence_document, show_evidence
from settlement.commands.officer_access import decided_by, officer_options
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.incident_desk import IncidentDesk, IncidentFilter
from settlement.incident_severity import Severity, severity_of
from settlement.money import format_amount
from settlement.store.incidents import IncidentOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from settlement.incident_desk import IncidentCase
    from settlement.money import Currency
    from settlement.store.batches import NotedIncident

__all__ = ["incident_document", "incident_table", "incidents"]

_OUTCOMES = [
    one.value for one in IncidentOutcome if one is not IncidentOutcome.SUSPENSE
]


class _IncidentsGroup(PlainErrorsGroup):
    """Without the name of a command it lists, with the options of list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command line apart.

        Raises:
            click.UsageError: it is wrong.
        """
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args.insert(0, "list")
        return super().parse_args(ctx, args)


@click.group(
    cls=_IncidentsGroup,
    epilog="""
Examples:
  raseed-bank incidents
  raseed-bank incidents list --severity critical --older-than 7 --json
  raseed-bank incidents show 12
  raseed-bank incidents assign 12 13 --to huda --officer said
  raseed-bank incidents note 12 --officer huda --text "the office was called"
  raseed-bank incidents resolve 12 explained --officer huda \\
      --text "the clerk had keyed another declaration"
""",
)
def incidents() -> None:
    """What a person has to look at. Without a command's name: list.

    A payment whose outcome is open closes its incident by itself, once the card's next
    payment, a load or the card desk has told the outcome; an incomplete batch, when it
    is complete; money in suspense, when two officers have resolved it.
    """


@incidents.command("list")
@bank_option
@click.option(
    "--all", "show_all", is_flag=True, help="Show those too that are closed, and why."
)
@click.option(
    "--severity",
    type=click.Choice([str(one) for one in Severity]),
    help="Only those at least so urgent.",
)
@click.option("--code", help="Only those of this kind, such as 'TAC wrong'.")
@click.option("--terminal", help="Only those of this terminal.")
@click.option("--owner", help="Only those given to this officer; '' for nobody's.")
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Only those noted more than so many days ago.",
)
@json_option
@click.pass_context
def list_incidents(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    bank: Path,
    show_all: bool,
    severity: str | None,
    code: str | None,
    terminal: str | None,
    owner: str | None,
    older_than: int | None,
) -> None:
    """List what a person has to look at, oldest first."""
    wanted = IncidentFilter(
        closed_too=True,
        least=None if severity is None else Severity[severity.upper()],
        code=code,
        terminal_id=terminal,
        owner=owner,
        older_than_days=older_than,
    )
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        found = IncidentDesk(opened.store).cases(wanted, now)
    waiting = [one for one in found if one.noted.is_open]
    closed = [one for one in found if not one.noted.is_open]
    document = {
        "open": len(waiting),
        "closed": len(closed),
        "incidents": [_case_document(one) for one in (found if show_all else waiting)],
    }
    output_of(ctx).show(
        document,
        lambda console: _read(console, waiting, closed if show_all else None, currency),
    )


@incidents.command()
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@click.option("--full-number", is_flag=True, help="Show whole card numbers.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, number: int, bank: Path, full_number: bool) -> None:
    """Show incident NUMBER, what was done about it, and the bytes that came."""
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        case = IncidentDesk(opened.store).case(number)
    document = _case_document(case)
    document["evidence"] = [
        evidence_document(one, full_number) for one in case.evidence
    ]

    def read(console: Console) -> None:
        console.print(facts_table(_facts(case, currency)))
        rows = [
            (
                f"{row.at:%Y-%m-%d %H:%M}",
                row.officer,
                f"{row.kind} {row.owner or row.outcome or ''}".rstrip(),
                row.text,
            )
            for row in case.work
        ]
        if rows:
            console.print()
            console.print(table(["When (UTC)", "Officer", "Did", "Words"], rows))
        show_evidence(console, case.evidence, full=full_number)

    output_of(ctx).show(document, read)


@incidents.command()
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True)
@bank_option
@click.option("--to", "owner", required=True, help="The officer who is to look at it.")
@officer_options
@click.option("--text", default="", help="What to look at, in words.")
@json_option
@click.pass_context
def assign(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    numbers: tuple[int, ...],
    bank: Path,
    owner: str,
    officer: str,
    password_file: str | None,
    text: str,
) -> None:
    """Give the incidents NUMBERS to an officer; all of them or none."""
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, text)
        IncidentDesk(opened.store).assign(numbers, owner, by)
    shown = ", ".join(str(number) for number in numbers)
    _done(ctx, {"incidents": list(numbers), "owner": owner}, f"{shown}: {owner}'s")


@incidents.command()
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@officer_options
@click.option("--text", required=True, help="What was found out, in words.")
@json_option
@click.pass_context
def note(
    ctx: click.Context,
    *,
    number: int,
    bank: Path,
    officer: str,
    password_file: str | None,
    text: str,
) -> None:
    """Add to incident NUMBER what was found out; also when it is closed."""
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, text)
        IncidentDesk(opened.store).note(number, by)
    _done(ctx, {"incident": number, "noted": text}, f"{number}: noted")


@incidents.command()
@click.argument("number", type=click.IntRange(min=1))
@click.argument("outcome", type=click.Choice(_OUTCOMES))
@bank_option
@officer_options
@click.option("--text", required=True, help="What was wrong and what was done.")
@json_option
@click.pass_context
def resolve(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    number: int,
    outcome: str,
    bank: Path,
    officer: str,
    password_file: str | None,
    text: str,
) -> None:
    """Close incident NUMBER with its OUTCOME. No money moves by this."""
    with open_bank(bank) as opened:
        by = decided_by(ctx, opened, officer, password_file, text)
        IncidentDesk(opened.store).resolve(number, IncidentOutcome(outcome), by)
    _done(ctx, {"incident": number, "outcome": outcome}, f"{number}: {outcome}")


def incident_document(noted: NotedIncident) -> dict[str, Any]:
    """An incident for machines."""
    incident = noted.incident
    closed_at = noted.closed_at
    return {
        "number": noted.number,
        "at": f"{incident.at:%Y-%m-%dT%H:%M:%SZ}",
        "severity": str(severity_of(incident.code)),
        "code": str(incident.code),
        "terminal": incident.terminal_id,
        "batch": incident.batch,
        "stan": incident.stan,
        "card": incident.masked_card,
        "amount_minor": incident.amount_minor,
        "text": incident.text,
        "closed_at": None if closed_at is None else f"{closed_at:%Y-%m-%dT%H:%M:%SZ}",
        "closed_because": noted.closed_because or None,
    }


def incident_table(
    console: Console,
    noted: Sequence[NotedIncident],
    currency: Currency,
    owners: dict[int, str] | None = None,
) -> None:
    """Print incidents for people; why one was closed stands after what it was."""
    rows = []
    for one in noted:
        incident = one.incident
        amount_minor = incident.amount_minor
        closed = f". Closed {one.closed_because}" if one.closed_because else ""
        rows.append(
            (
                str(one.number),
                f"{incident.at:%Y-%m-%d %H:%M}",
                str(severity_of(incident.code)),
                (owners or {}).get(one.number, ""),
                incident.terminal_id,
                "" if incident.batch is None else str(incident.batch),
                incident.masked_card,
                "" if amount_minor is None else format_amount(amount_minor, currency),
                f"{incident.code}: {incident.text}{closed}",
            )
        )
    headings = [
        *(">No.", "Since (UTC)", "Severity", "Owner", "Terminal"),
        *(">Batch", "Card", ">Amount", "What"),
    ]
    console.print(table(headings, rows))


def _case_document(case: IncidentCase) -> dict[str, Any]:
    return {
        **incident_document(case.noted),
        "owner": case.owner,
        "work": [
            {
                "at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
                "kind": row.kind.value,
                "officer": row.officer,
                "owner": row.owner,
                "outcome": None if row.outcome is None else row.outcome.value,
                "text": row.text,
            }
            for row in case.work
        ],
    }


def _facts(case: IncidentCase, currency: Currency) -> list[tuple[str, str]]:
    incident, minor = case.noted.incident, case.noted.incident.amount_minor
    facts = [
        ("Incident", f"{case.noted.number}, {case.severity}"),
        ("What", f"{incident.code}: {incident.text}"),
        ("Since (UTC)", f"{incident.at:%Y-%m-%d %H:%M}"),
        ("Terminal", incident.terminal_id),
        ("Batch, STAN", f"{incident.batch or '-'}, {incident.stan or '-'}"),
        ("Card", incident.masked_card or "-"),
        (
            "Amount",
            "-" if minor is None else f"{format_amount(minor, currency)} {currency}",
        ),
        ("Owner", case.owner or "nobody"),
    ]
    if case.noted.closed_at is not None:
        facts.append(
            (
                "Closed",
                f"{case.noted.closed_at:%Y-%m-%d %H:%M}, {case.noted.closed_because}",
            )
        )
    return facts


def _done(ctx: click.Context, document: dict[str, Any], words: str) -> None:
    output_of(ctx).show(
        document,
        lambda console: console.print(facts_table([("Incident", words)])),
    )


def _read(
    console: Console,
    waiting: Sequence[IncidentCase],
    closed: Sequence[IncidentCase] | None,
    currency: Currency,
) -> None:
    def show_all(cases: Sequence[IncidentCase]) -> None:
        owners = {case.noted.number: case.owner or "" for case in cases}
        incident_table(console, [case.noted for case in cases], currency, owners)

    if waiting:
        show_all(waiting)
    else:
        console.print("No incident is open.")
    if closed:
        console.print("\nClosed:")
        show_all(closed)
