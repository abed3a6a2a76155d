"""``raseed-bank requests``: what companies are asked to pay, and what came of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from settlement import request_desk
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_publish import read_published
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.decline_report import REASON_BYTES_MAX
from settlement.errors import InputError
from settlement.payment_requests import RequestState
from settlement.request_document import request_details, request_document
from settlement.request_files import read_requests

if TYPE_CHECKING:
    from rich.console import Console

    from settlement.payment_requests import Request
    from settlement.request_desk import Taken
    from settlement.store.books import BankStore
    from settlement.store.requests import StoredRequest

__all__ = ["requests"]

_LIST_MAX = 1000


class _TakenBackError(Exception):
    """Ends a transaction that was only tried; nothing of it stays."""

    def __init__(self, taken: Taken) -> None:
        self.taken = taken


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank requests import requests.csv --dry-run
  raseed-bank requests list --office SOHAR --state new
  raseed-bank requests cancel R-1001 --reason "sent in error"
""",
)
def requests() -> None:
    """Follow payment requests: import them, see what became of them, cancel them.

    A request is new, then paid, declined or cancelled, and never moves again. Counters
    of its office are told of it with their next call, and no longer offer it once it is
    not new.
    """


@requests.command(
    "import",
    epilog="""
The file, CSV or the same in JSON:
  number,declaration,kind,amount,office,payer,broker,due,lines
  R-1001,IMP-25-17,fees,125.500,SOHAR,AL NOOR,GULF,,customs duty=125.500
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@bank_option
@json_option
@click.pass_context
def import_(ctx: click.Context, *, file: Path, dry_run: bool, bank: Path) -> None:
    """Take the payment requests in FILE, all of them or none.

    Every mistake is named with its line. A request that the bank has already, with the
    same content, is passed over: the same file may be imported again.
    """
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        given = read_published(file, lambda text, _: read_requests(text, currency))
        now = environment_of(ctx).clock()
        taken = _take(opened.store, given, f"file {file.name}", now, dry_run=dry_run)
    document = {"added": taken.added, "known": taken.known, "dry_run": dry_run}
    told = "told to the counters of their office with its next call"
    facts = [
        ("Would be added" if dry_run else "Added", str(taken.added)),
        ("Known already", str(taken.known)),
        ("Next", "nothing was changed: import without --dry-run" if dry_run else told),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


@requests.command("list")
@bank_option
@click.option("--state", type=click.Choice([one.value for one in RequestState]))
@click.option("--office", multiple=True, help="Only of this office; may be repeated.")
@click.option(
    "--changed-since",
    type=click.DateTime(),
    metavar="UTC",
    help="Only what was sent or has moved since then, such as 2025-11-22.",
)
@click.option("--overdue", is_flag=True, help="Only new ones whose day is over.")
@click.option(
    "--after", type=click.IntRange(0), default=0, help="Go on after this number."
)
@click.option(
    "--limit", type=click.IntRange(1, _LIST_MAX), default=100, show_default=True
)
@json_option
@click.pass_context
def list_(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    *,
    bank: Path,
    state: str | None,
    office: tuple[str, ...],
    changed_since: dt.datetime | None,
    overdue: bool,
    after: int,
    limit: int,
) -> None:
    """List requests by their newest step, the earliest one first.

    A full page ends with the number after which the next one begins.
    """
    if overdue and state not in {None, RequestState.NEW.value}:
        raise InputError("Only a new request can be overdue: leave --state away.")
    wanted = RequestState.NEW if overdue else RequestState(state) if state else None
    since = None if changed_since is None else changed_since.replace(tzinfo=dt.UTC)
    day = today(environment_of(ctx)) if overdue else None
    with open_bank(bank) as opened, opened.store.read() as books:
        found = books.requests.page(
            after=after,
            limit=limit + 1,
            state=wanted,
            offices=office,
            since=since,
            due_before=day,
        )
    shown = found[:limit]
    following = shown[-1].changed if len(found) > limit else None
    document = {
        "requests": [request_document(one) for one in shown],
        "next_after": following,
    }
    output_of(ctx).show(document, lambda console: _read_list(console, shown, following))


@requests.command()
@click.argument("number")
@bank_option
@json_option
@click.pass_context
def show(ctx: click.Context, *, number: str, bank: Path) -> None:
    """Show the request NUMBER: its lines, each of its steps, each payment for it."""
    with open_bank(bank) as opened, opened.store.read() as books:
        stored = books.requests.get(number)
        if stored is None:
            raise InputError(f"There is no request {number}. Nothing was changed.")
        document = request_details(
            stored, books.requests.events(number), books.requests.payments(number)
        )
    output_of(ctx).show(document, lambda console: _read_one(console, document))


@requests.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@click.option("--reason", required=True, help="Why; kept with the request.")
@bank_option
@json_option
@click.pass_context
def cancel(
    ctx: click.Context, *, numbers: tuple[str, ...], reason: str, bank: Path
) -> None:
    """Cancel new requests, all of those named or none.

    Counters stop offering them with their next call. A payment that a counter takes
    before that is posted all the same, and is an incident.
    """
    if not 0 < len(reason.encode()) <= REASON_BYTES_MAX or not reason.isprintable():
        message = f"The reason is a text of 1 to {REASON_BYTES_MAX} bytes. "
        raise InputError(message + "Nothing was changed.")
    environment = environment_of(ctx)
    with open_bank(bank) as opened, opened.store.write() as books:
        who = f"bank operations ({environment.user()})"
        request_desk.cancel(books, set(numbers), who, reason, environment.clock())
    document = {"cancelled": sorted(set(numbers))}
    output_of(ctx).show(
        document,
        lambda console: console.print(
            facts_table([("Cancelled", ", ".join(document["cancelled"]))])
        ),
    )


def _take(
    store: BankStore,
    given: list[Request],
    source: str,
    now: dt.datetime,
    *,
    dry_run: bool,
) -> Taken:
    try:
        with store.write() as books:
            taken = request_desk.add_requests(books, given, source, now)
            if dry_run:
                raise _TakenBackError(taken)
    except _TakenBackError as tried:
        return tried.taken
    return taken


def _read_list(
    console: Console, shown: list[StoredRequest], following: int | None
) -> None:
    if not shown:
        console.print("There is no such request.")
        return
    rows = [
        (
            one.request.number,
            one.state.value,
            one.request.office,
            one.request.declaration,
            one.request.kind.value,
            str(one.request.money),
            one.request.payer,
            "" if one.request.due is None else one.request.due.isoformat(),
            f"{one.changed_at:%Y-%m-%d %H:%M}",
        )
        for one in shown
    ]
    headings = ["Number", "State", "Office", "Declaration", "Kind", ">Amount"]
    console.print(table([*headings, "Payer", "Due", "Since (UTC)"], rows))
    if following is not None:
        console.print(f"\nThere are more: --after {following}")


def _read_one(console: Console, document: dict[str, Any]) -> None:
    names = ("number", "state", "declaration", "kind", "office", "payer", "broker")
    facts = [(name.capitalize(), str(document[name])) for name in names]
    facts.append(("Amount", f"{document['amount']} {document['currency']}"))
    facts.append(("Delivery order", document["delivery_order"]))
    facts.append(("Due", document["due"]))
    facts += [(f"  {line['class']}", line["amount"]) for line in document["lines"]]
    console.print(facts_table([fact for fact in facts if fact[1]]))
    steps = [
        (one["at"], one["state"], one["who"], one["reason"])
        for one in document["steps"]
    ]
    console.print("")
    console.print(table(["When (UTC)", "State", "Who", "Why"], steps))
    if document["payments"]:
        paid = [
            (
                *(one["paid_at"], one["terminal"], str(one["batch"]), str(one["stan"])),
                *(one["card"], one["amount"], one["outcome"]),
            )
            for one in document["payments"]
        ]
        headings = ["Paid (UTC)", "Terminal", ">Batch", ">STAN", "Card", ">Amount"]
        console.print("")
        console.print(table([*headings, "What it did"], paid))
