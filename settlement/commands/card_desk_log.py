"""``raseed-card log``: what a card has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from card.pin import pin_block
from card.profile import LogKind, Role
from card.records import mask_card_number
from settlement.commands.card_desk_access import (
    full_number_option,
    hold_card,
    reader_option,
    require_active,
    require_personalised,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    ExampleCommand,
    json_option,
    output_of,
    table,
)
from settlement.commands.secret_input import pin_options, pin_source, wipe
from settlement.money import currency_by_number, format_amount

if TYPE_CHECKING:
    from rich.console import Console

    from card.records import TransactionRecord
    from settlement.commands.card_desk_access import HeldCard
    from settlement.money import Currency

__all__ = ["log"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-card log
  raseed-card log --reader customs --json
""",
)
@reader_option
@pin_options
@full_number_option
@json_option
@click.pass_context
def log(
    ctx: click.Context,
    *,
    reader: str | None,
    pin_fd: int | None,
    pin_stdin: bool,
    full_number: bool,
) -> None:
    """Show what the card in the reader has done.

    Of a purse its latest payments, newest first; its PIN is needed. Of a customs card
    the payments that the bank has not collected, and those whose outcome is open.
    """
    environment = environment_of(ctx)
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with hold_card(environment, reader, Role.PURSE, Role.CUSTOMS) as held:
        require_personalised(held)
        if held.role is Role.PURSE:
            require_active(held)
            pin = pins.read("PIN of the card")
            try:
                held.purse().verify(pin_block(pin))
            finally:
                wipe(pin)
            rows = _purse_log(held, full=full_number)
        else:
            rows = _customs_log(held, full=full_number)
        assert held.info.currency is not None, "a personalised card has one"
        currency = currency_by_number(held.info.currency)
    output_of(ctx).show(
        {"kind": held.role.value, "currency": currency.code, "entries": rows},
        lambda console: _read(console, rows, currency),
    )


def _read(console: Console, rows: list[dict[str, Any]], currency: Currency) -> None:
    if not rows:
        console.print("There is nothing in the log.")
        return
    cells = [
        (
            row["what"],
            row["at"],
            format_amount(row["amount_minor"], currency),
            row["card"],
            str(row["number"]),
            row["state"],
        )
        for row in rows
    ]
    headings = ["What", "Time (UTC)", ">Amount", "Card", "Number", "State"]
    console.print(table(headings, cells))


def _purse_log(held: HeldCard, *, full: bool) -> list[dict[str, Any]]:
    rows = []
    for entry in held.purse().read_log():
        if entry.kind is LogKind.VOID:
            what, state = "void", "never debited"
        else:
            what, state = "payment", "confirmed" if entry.acked else "debited"
        row = _row(entry.tx, entry.tx.mid, full=full)
        row |= {"what": what, "state": state, "number": entry.tx.otc}
        rows.append(row | {"balance_after_minor": entry.balance_after_minor})
    return rows


def _customs_log(held: HeldCard, *, full: bool) -> list[dict[str, Any]]:
    customs = held.customs()
    rows = []
    for credited in customs.read_credited():
        row = _row(credited.tx, credited.tx.cid, full=full)
        state = f"in batch {credited.batch}"
        rows.append(row | {"what": "payment", "state": state})
    for opened in customs.list_open():
        row = _row(opened.tx, opened.tx.cid, full=full)
        rows.append(row | {"what": "open", "state": "outcome not known yet"})
    return rows


def _row(tx: TransactionRecord, other: bytes, *, full: bool) -> dict[str, Any]:
    """What is told of a payment, with the number of the *other* card in it."""
    return {
        "at": f"{tx.at:%Y-%m-%d %H:%M:%S}",
        "amount_minor": tx.amount_minor,
        "card": other.hex().upper() if full else mask_card_number(other),
        "number": tx.tsn,
    }
