"""``raseed-bank incidents``: what waits for a person, and what closed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.output import (
    ExampleCommand,
    json_option,
    output_of,
    table,
)
from settlement.money import format_amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from settlement.money import Currency
    from settlement.store.batches import NotedIncident

__all__ = ["incident_document", "incident_table", "incidents"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank incidents --bank bank
  raseed-bank incidents --all --json
""",
)
@bank_option
@click.option(
    "--all", "show_all", is_flag=True, help="Show those too that are closed, and why."
)
@json_option
@click.pass_context
def incidents(ctx: click.Context, *, bank: Path, show_all: bool) -> None:
    """List what a person has to look at, oldest first.

    A payment whose outcome is open closes its incident by itself, once the card's next
    payment, a load or the card desk has told the outcome.
    """
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        with opened.store.read() as books:
            noted = books.batches.noted_incidents()
    waiting = [one for one in noted if one.is_open]
    closed = [one for one in noted if not one.is_open]
    document = {
        "open": len(waiting),
        "closed": len(closed),
        "incidents": [
            incident_document(one) for one in (noted if show_all else waiting)
        ],
    }
    output_of(ctx).show(
        document,
        lambda console: _read(console, waiting, closed if show_all else None, currency),
    )


def incident_document(noted: NotedIncident) -> dict[str, Any]:
    """An incident for machines."""
    incident = noted.incident
    closed_at = noted.closed_at
    return {
        "number": noted.number,
        "at": f"{incident.at:%Y-%m-%dT%H:%M:%SZ}",
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
    console: Console, noted: Sequence[NotedIncident], currency: Currency
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
                incident.terminal_id,
                "" if incident.batch is None else str(incident.batch),
                incident.masked_card,
                "" if amount_minor is None else format_amount(amount_minor, currency),
                f"{incident.code}: {incident.text}{closed}",
            )
        )
    headings = [">No.", "Since (UTC)", "Terminal", ">Batch", "Card", ">Amount", "What"]
    console.print(table(headings, rows))


def _read(
    console: Console,
    waiting: Sequence[NotedIncident],
    closed: Sequence[NotedIncident] | None,
    currency: Currency,
) -> None:
    if waiting:
        incident_table(console, waiting, currency)
    else:
        console.print("No incident is open.")
    if closed:
        console.print("\nClosed:")
        incident_table(console, closed, currency)
