"""``raseed-bank batches``: what counters have sent, and how far each batch has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import IssuingError
from settlement.money import currency_by_number, format_amount
from settlement.operations.batch_state import BatchState, batch_state
from settlement.statements import BANK_ZONE
from settlement.store.overview import BatchFilter

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from rich.console import Console

    from settlement.messages import BatchHeader, Total
    from settlement.store.overview import BatchFacts
    from settlement.store.records import RecordRow

__all__ = ["batches"]

_LIMIT_DEFAULT: Final = 50


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank batches --state pending
  raseed-bank batches --terminal T0000007 --since 2026-03-01 --json
  raseed-bank batches --terminal T0000007 --number 12
""",
)
@bank_option
@click.option("--terminal", metavar="ID", help="Only of this terminal.")
@click.option("--office", help="Only of this customs office.")
@click.option(
    "--number",
    type=click.IntRange(min=1),
    help="Only with this number; with --terminal its payments are shown too.",
)
@click.option(
    "--state",
    type=click.Choice([state.value for state in BatchState]),
    help="Only those that have come so far: open, some of it has not come; pending, "
    "all has come and it is not reconciled; reconciled, acknowledged.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Only those that the bank has heard of since that day.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIMIT_DEFAULT,
    show_default=True,
    help="How many, the newest first.",
)
@json_option
@click.pass_context
def batches(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    bank: Path,
    terminal: str | None,
    office: str | None,
    number: int | None,
    state: str | None,
    since: dt.datetime | None,
    limit: int,
) -> None:
    """List the batches of terminals, the newest first.

    Posted is what reached a payee's account; suspended is what waits in suspense. Both
    grow while a batch comes in. What was received and is to be posted is in neither.
    """
    wanted = BatchFilter(
        terminal_id=terminal,
        office=office,
        number=number,
        since=None if since is None else since.replace(tzinfo=BANK_ZONE),
        reconciled=None if state is None else state == BatchState.RECONCILED,
    )
    # Few batches are under way at a time: which of them are whole is seen here.
    most = limit if state in {None, BatchState.RECONCILED} else None
    with open_bank(bank) as opened, opened.store.read() as books:
        found = books.overview.batches(wanted, most)
        if state is not None:
            found = [one for one in found if batch_state(one) == state]
        found = found[:limit]
        records = []
        if terminal is not None and number is not None:
            records = [
                row
                for one in found
                if (
                    header := _header(
                        books.batches.batches_of_card(one.mid, number), one
                    )
                )
                for row in (
                    *books.records.records(header),
                    *books.staged.waiting(header),
                )
            ]
    if not found and terminal is not None and number is not None:
        raise IssuingError(
            f"the bank has heard of no batch {number} of terminal {terminal}. Nothing "
            "was changed; raseed-bank batches shows those that it knows"
        )
    document: dict[str, Any] = {"batches": [_document(one) for one in found]}
    if terminal is not None and number is not None:
        document["records"] = [_record_document(row) for row in records]
    output_of(ctx).show(document, lambda console: _read(console, found, records))


def _header(headers: list[BatchHeader], one: BatchFacts) -> BatchHeader | None:
    return next((h for h in headers if h.terminal_id == one.terminal_id), None)


def _document(one: BatchFacts) -> dict[str, Any]:
    return {
        "terminal": one.terminal_id,
        "batch": one.number,
        "customs_card": mask_card_number(one.mid),
        "office": one.office,
        "currency": currency_by_number(one.currency).code,
        "state": batch_state(one).value,
        "count": one.closed.count,
        "sum_minor": one.closed.sum_minor,
        "received": one.received,
        "waiting": one.waiting,
        "posted_count": one.posted.count,
        "posted_minor": one.posted.sum_minor,
        "suspended_count": one.suspended.count,
        "suspended_minor": one.suspended.sum_minor,
        "open_records": one.opened.count,
        "open_records_minor": one.opened.sum_minor,
        "opened_at": _stamp(one.opened_at),
        "reconciled_at": None
        if one.reconciled_at is None
        else _stamp(one.reconciled_at),
    }


def _record_document(row: RecordRow) -> dict[str, Any]:
    tx = row.payment.tx
    return {
        "stan": row.payment.stan,
        "sequence": row.payment.sequence,
        "card": mask_card_number(tx.cid),
        "otc": tx.otc,
        "amount_minor": tx.amount_minor,
        "declaration": None
        if row.payment.details is None
        else row.payment.details.declaration,
        "decision": row.decision.value,
        "reason": row.reason or None,
        "received_at": _stamp(row.received_at),
    }


def _read(console: Console, found: list[BatchFacts], records: list[RecordRow]) -> None:
    if not found:
        console.print("There is no such batch.")
        return
    rows = [
        (
            one.terminal_id,
            str(one.number),
            one.office,
            f"{one.opened_at:%Y-%m-%d %H:%M}",
            _progress(one),
            *_told(one.closed, one.currency),
            *_told(one.posted, one.currency),
            *_told(one.suspended, one.currency),
            str(one.opened.count) if one.opened.count else "",
        )
        for one in found
    ]
    headings = [
        *("Terminal", ">Batch", "Office", "Since (UTC)", "State"),
        *(">Count", ">Sum", ">Posted", ">Sum", ">Suspended", ">Sum", ">Open"),
    ]
    console.print(table(headings, rows))
    if records:
        currency = currency_by_number(found[0].currency)
        console.print()
        lines = [
            (
                str(row.payment.stan),
                mask_card_number(row.payment.tx.cid),
                format_amount(row.payment.tx.amount_minor, currency),
                "" if row.payment.details is None else row.payment.details.declaration,
                row.decision.value,
                row.reason,
            )
            for row in records
        ]
        headings = [">STAN", "Card", ">Amount", "Declaration", "Decision", "Why"]
        console.print(table(headings, lines))
    elif len(found) == 1:
        console.print(facts_table([("Customs card", mask_card_number(found[0].mid))]))


def _progress(one: BatchFacts) -> str:
    state = batch_state(one)
    if state is BatchState.OPEN:
        told = f"open, {one.received} of {one.closed.count} came"
        return f"{told}, {one.waiting} to be posted" if one.waiting else told
    if one.waiting:
        return f"{state.value}, {one.waiting} to be posted"
    return state.value


def _told(total: Total, currency: int) -> tuple[str, str]:
    amount = format_amount(total.sum_minor, currency_by_number(currency))
    return (str(total.count), amount) if total.count else ("", "")


def _stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
