"""``raseed-bank deposit``: refundable guarantees, and customs' orders about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.deposits import CustomsOrder, DepositRef, Deposits
from settlement.errors import InputError
from settlement.ledger import EntryKind
from settlement.message_codec import retrieval_reference
from settlement.money import currency_by_number, format_amount, parse_amount

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from settlement.deposits import Deposit
    from settlement.store.deposits import DepositOrderRow, DepositRow

__all__ = ["deposit"]

F = TypeVar("F", bound="Callable[..., Any]")

_ORDER: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,31}")
_OFFICER_MAX: Final = 70
_AMOUNT_MINOR_MAX: Final = 10**12
_ORDER_EPILOG: Final = """
Examples:
  raseed-bank deposit {verb} DEC-2026-000481 --order 2026/0117 \\
      --officer "S. AL HINAI"
  raseed-bank deposit {verb} DEC-2026-000482 --order 2026/0118 \\
      --officer "S. AL HINAI" --amount 40.500
"""


@click.group(cls=PlainErrorsGroup)
def deposit() -> None:
    """See the deposits that are held, give them back or forfeit them."""


@deposit.command(
    "list",
    epilog="""
Examples:
  raseed-bank deposit list --office SOHAR
  raseed-bank deposit list --all --json
""",
)
@bank_option
@click.option("--office", metavar="CODE", help="Only those held for this office.")
@click.option(
    "--all", "show_all", is_flag=True, help="Show those too of which nothing is left."
)
@json_option
@click.pass_context
def list_deposits(
    ctx: click.Context, *, bank: Path, office: str | None, show_all: bool
) -> None:
    """List deposits in the order of posting, with what is left of each."""
    with open_bank(bank) as opened:
        rows = [
            row
            for row in Deposits(opened.store, environment_of(ctx).clock).deposits(
                office
            )
            if show_all or row.left_minor
        ]
    output_of(ctx).show(
        {"deposits": [_row_document(row) for row in rows]},
        lambda console: _read_rows(console, rows),
    )


def _which(command: F) -> F:
    """Add DECLARATION and ``--entry``: the payment that was held."""
    command = click.option(
        "--entry",
        type=click.IntRange(min=1),
        help="Where several deposits were paid for DECLARATION: the entry of the one "
        "that is meant.",
    )(command)
    return click.argument("declaration")(command)


def _ordered(command: F) -> F:
    """Add what an order of customs says."""
    for option in (
        click.option(
            "--amount",
            metavar="AMOUNT",
            help="Only so much of it; all that is left when left out.",
        ),
        click.option(
            "--officer",
            required=True,
            metavar="NAME",
            help="The officer of customs who signed the order.",
        ),
        click.option(
            "--order",
            required=True,
            metavar="NUMBER",
            help="Customs' number of the order; each office gives it once.",
        ),
    ):
        command = option(command)
    return command


@deposit.command("show")
@_which
@bank_option
@json_option
@click.pass_context
def show(
    ctx: click.Context, *, declaration: str, entry: int | None, bank: Path
) -> None:
    """Show the deposit that was paid for DECLARATION, and every order about it."""
    ref = DepositRef(declaration=declaration, entry_id=entry)
    with open_bank(bank) as opened:
        found = Deposits(opened.store, environment_of(ctx).clock).deposit(ref)
    output_of(ctx).show(_document(found), lambda console: _read(console, found))


@deposit.command("refund", epilog=_ORDER_EPILOG.format(verb="refund"))
@_which
@bank_option
@_ordered
@json_option
@click.pass_context
def refund(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    declaration: str,
    entry: int | None,
    bank: Path,
    order: str,
    officer: str,
    amount: str | None,
) -> None:
    """Give the deposit of DECLARATION back to the account of the card's holder.

    Entering the same order again books nothing more; the same number with other content
    is refused.
    """
    ref = DepositRef(declaration=declaration, entry_id=entry)
    wanted = (EntryKind.DEPOSIT_REFUND, order, officer, amount)
    _carry_out(ctx, bank, ref, wanted)


@deposit.command("forfeit", epilog=_ORDER_EPILOG.format(verb="forfeit"))
@_which
@bank_option
@_ordered
@json_option
@click.pass_context
def forfeit(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    declaration: str,
    entry: int | None,
    bank: Path,
    order: str,
    officer: str,
    amount: str | None,
) -> None:
    """Move the deposit of DECLARATION to the revenue of the office that holds it.

    Entering the same order again books nothing more; the same number with other content
    is refused.
    """
    ref = DepositRef(declaration=declaration, entry_id=entry)
    wanted = (EntryKind.DEPOSIT_FORFEITURE, order, officer, amount)
    _carry_out(ctx, bank, ref, wanted)


def _carry_out(
    ctx: click.Context,
    bank: Path,
    ref: DepositRef,
    wanted: tuple[EntryKind, str, str, str | None],
) -> None:
    action, number, officer, amount = wanted
    environment = environment_of(ctx)
    if not _ORDER.fullmatch(number):
        raise InputError(
            f"'{number}' is no number of an order: 1 to 32 digits, capital letters, "
            "dots, strokes or dashes. No money moved."
        )
    if not officer.strip() or len(officer) > _OFFICER_MAX or not officer.isprintable():
        raise InputError(
            f"An officer's name has 1 to {_OFFICER_MAX} printable characters. No money "
            "moved."
        )
    with open_bank(bank) as opened:
        deposits = Deposits(opened.store, environment.clock)
        currency = deposits.deposit(ref).row.currency
        order = CustomsOrder(
            number=number,
            officer=officer.strip(),
            action=action,
            amount_minor=None if amount is None else _minor(amount, currency),
        )
        found, booked = deposits.carry_out(ref, order, by=environment.user())
    document = _document(found) | {"booked": _order_document(booked)}
    output_of(ctx).show(document, lambda console: _read(console, found))


def _minor(text: str, currency: int) -> int:
    try:
        money = parse_amount(
            text, currency_by_number(currency), max_minor=_AMOUNT_MINOR_MAX
        )
    except InputError as error:
        raise InputError(f"'{text}': {error}. No money moved.") from None
    return money.amount_minor


def _row_document(row: DepositRow) -> dict[str, Any]:
    return {
        "entry": row.origin_id,
        "declaration": row.declaration,
        "office": row.office,
        "card": mask_card_number(row.cid),
        "otc": row.otc,
        "terminal": row.terminal_id,
        "reference": _reference(row),
        "booked_at": f"{row.booked_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "currency": currency_by_number(row.currency).code,
        "paid_minor": row.paid_minor,
        "refunded_minor": row.refunded_minor,
        "forfeited_minor": row.forfeited_minor,
        "left_minor": row.left_minor,
    }


def _document(found: Deposit) -> dict[str, Any]:
    return _row_document(found.row) | {
        "account": found.account.owner,
        "holder": found.holder,
        "orders": [_order_document(order) for order in found.orders],
    }


def _order_document(order: DepositOrderRow) -> dict[str, Any]:
    return {
        "order": order.order_number,
        "number": order.number,
        "action": order.action.value,
        "amount_minor": order.amount_minor,
        "officer": order.officer,
        "noted_by": order.noted_by,
        "at": f"{order.at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def _read_rows(console: Console, rows: list[DepositRow]) -> None:
    if not rows:
        console.print("No deposit is held.")
        return
    headings = ["Declaration", ">Entry", "Office", "Card", ">Paid", ">Refunded"]
    headings += [">Forfeited", ">Left", "Currency"]
    console.print(
        table(
            headings,
            [
                (
                    row.declaration or "not known",
                    str(row.origin_id),
                    row.office,
                    mask_card_number(row.cid),
                    *(
                        format_amount(minor, currency_by_number(row.currency))
                        for minor in (
                            row.paid_minor,
                            row.refunded_minor,
                            row.forfeited_minor,
                            row.left_minor,
                        )
                    ),
                    currency_by_number(row.currency).code,
                )
                for row in rows
            ],
        )
    )


def _read(console: Console, found: Deposit) -> None:
    row = found.row
    currency = currency_by_number(row.currency)

    def amount(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, currency)} {currency}"

    facts = [
        ("Declaration", row.declaration),
        ("Held for", row.office),
        ("Paid", f"{amount(row.paid_minor)}, entry {row.origin_id}"),
        ("Payment", f"card {mask_card_number(row.cid)}, reference {_reference(row)}"),
        ("Given back", amount(row.refunded_minor)),
        ("Forfeited", amount(row.forfeited_minor)),
        ("Left", amount(row.left_minor)),
        ("Refunds go to", f"{found.account.owner}, {found.holder}"),
    ]
    console.print(facts_table(facts))
    if found.orders:
        console.print(
            table(
                ["Order", "What", ">Amount", "Officer", "Booked (UTC)"],
                [
                    (
                        order.order_number,
                        order.action.value,
                        amount(order.amount_minor),
                        order.officer,
                        f"{order.at:%Y-%m-%d %H:%M}",
                    )
                    for order in found.orders
                ],
            )
        )


def _reference(row: DepositRow) -> str:
    return retrieval_reference(row.terminal_id, row.batch, row.sequence)
