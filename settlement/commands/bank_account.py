"""``raseed-bank account``: the customers' current accounts, from which cards load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from settlement.commands.account_names import account_of
from settlement.commands.bank_access import NoKeys, bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import InputError
from settlement.issuing import Issuing
from settlement.ledger import AccountKind
from settlement.money import (
    CURRENCIES,
    currency_by_code,
    currency_by_number,
    format_amount,
    parse_amount,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from settlement.commands.bank_access import OpenBank
    from settlement.commands.environment import Environment
    from settlement.money import Currency
    from settlement.store.ledger import AccountRow

__all__ = ["account"]

_DEPOSIT_MINOR_MAX: Final = 10**12
"""Far above what any customer deposits, and far below what the books can hold."""
_NUMBER: Final = re.compile(r"[0-9A-Z][0-9A-Z-]{2,29}")
_HOLDER_MAX: Final = 70


@click.group(cls=PlainErrorsGroup)
def account() -> None:
    """Open customers' accounts and see what is on them."""


@account.command(
    "open",
    epilog="""
Example:
  raseed-bank account open 100200300 --holder "AL NOOR TRADING" --deposit 5000
""",
)
@click.argument("number")
@bank_option
@click.option("--holder", required=True, help="The customer's name.")
@click.option(
    "--deposit",
    metavar="AMOUNT",
    help="What the customer brings, such as 5000.000; nothing when left out.",
)
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Of the account. [default: the bank's]",
)
@json_option
@click.pass_context
def open_account(
    ctx: click.Context,
    *,
    number: str,
    bank: Path,
    holder: str,
    deposit: str | None,
    currency: str | None,
) -> None:
    """Open the account NUMBER for a customer."""
    with open_bank(bank) as opened:
        chosen = opened.directory.currency
        if currency is not None:
            chosen = currency_by_code(currency)
        row = _issuing(opened, environment_of(ctx)).open_account(
            number=_number(number),
            holder=_holder(holder),
            currency=chosen.number,
            deposit_minor=_minor(chosen, deposit) if deposit is not None else 0,
        )
    _show(ctx, row)


@account.command(
    "deposit",
    epilog="""
Example:
  raseed-bank account deposit 100200300 250.500
""",
)
@click.argument("number")
@click.argument("amount")
@bank_option
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Where NUMBER has several currencies: which one.",
)
@json_option
@click.pass_context
def deposit(
    ctx: click.Context, *, number: str, amount: str, bank: Path, currency: str | None
) -> None:
    """Book AMOUNT that came in for the account NUMBER.

    Every call books once: do not repeat a call that has succeeded.
    """
    with open_bank(bank) as opened:
        with opened.store.read() as books:
            chosen = account_of(books, _number(number), currency).account.currency
        row = _issuing(opened, environment_of(ctx)).deposit(
            number=number,
            currency=chosen,
            amount_minor=_minor(currency_by_number(chosen), amount),
        )
    _show(ctx, row)


@account.command("list")
@bank_option
@json_option
@click.pass_context
def list_accounts(ctx: click.Context, *, bank: Path) -> None:
    """List the customers' accounts with their balances."""
    with open_bank(bank) as opened, opened.store.read() as books:
        rows = [
            row
            for row in books.ledger.accounts()
            if row.account.kind is AccountKind.CUSTOMER
        ]
    output_of(ctx).show(
        {"accounts": [_document(row) for row in rows]},
        lambda console: console.print(
            table(
                ["Account", "Holder", ">Balance", "Currency"],
                [
                    (
                        row.account.owner,
                        row.name,
                        _balance(row),
                        currency_by_number(row.account.currency).code,
                    )
                    for row in rows
                ],
            )
        ),
    )


def _issuing(opened: OpenBank, environment: Environment) -> Issuing:
    # Accounts need no keys, so nobody is asked for the passphrase.
    return Issuing(opened.store, NoKeys(), environment.clock)


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise InputError(
            f"'{text}' is no account number: 3 to 30 digits, capital letters or "
            "dashes. Nothing was booked."
        )
    return text


def _holder(text: str) -> str:
    if not text.strip() or len(text) > _HOLDER_MAX or not text.isprintable():
        raise InputError(
            f"A holder's name has 1 to {_HOLDER_MAX} printable characters. Nothing was "
            "booked."
        )
    return text.strip()


def _minor(currency: Currency, text: str) -> int:
    try:
        money = parse_amount(text, currency, max_minor=_DEPOSIT_MINOR_MAX)
    except InputError as error:
        raise InputError(f"'{text}': {error}. Nothing was booked.") from None
    return money.amount_minor


def _show(ctx: click.Context, row: AccountRow) -> None:
    facts = [
        ("Account", row.account.owner),
        ("Holder", row.name),
        ("Balance", f"{_balance(row)} {currency_by_number(row.account.currency)}"),
    ]
    output_of(ctx).show(
        _document(row), lambda console: console.print(facts_table(facts))
    )


def _document(row: AccountRow) -> dict[str, Any]:
    return {
        "account": row.account.owner,
        "holder": row.name,
        "balance_minor": row.balance_minor,
        "balance": _balance(row),
        "currency": currency_by_number(row.account.currency).code,
    }


def _balance(row: AccountRow) -> str:
    return format_amount(row.balance_minor, currency_by_number(row.account.currency))
