"""``raseed-bank tariff`` and ``fee``: what the bank charges its customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from settlement.commands.account_names import account_of
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import InputError
from settlement.fees import FeeCode, Fees
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

    from settlement.money import Currency
    from settlement.store.fees import FeeRow, TariffRow

__all__ = ["fee", "tariff"]

_REFERENCE_MAX: Final = 40
_BY_HAND: Final = [code.value for code in FeeCode if not code.is_automatic]


@click.group(cls=PlainErrorsGroup)
def tariff() -> None:
    """Say what the bank charges, from now on."""


@tariff.command(
    "set",
    epilog="""
Examples:
  raseed-bank tariff set "card issue" 2.000
  raseed-bank tariff set load 0
""",
)
@click.argument("code", type=click.Choice([code.value for code in FeeCode]))
@click.argument("amount")
@bank_option
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Of the accounts that it is charged to. [default: the bank's]",
)
@json_option
@click.pass_context
def set_tariff(
    ctx: click.Context, *, code: str, amount: str, bank: Path, currency: str | None
) -> None:
    """Charge AMOUNT for CODE from now on; 0 charges nothing any more.

    The fees "card issue" and "load" are then charged by themselves, with the card or
    the load. What was charged before stays as it was.
    """
    environment = environment_of(ctx)
    with open_bank(bank) as opened:
        chosen = opened.directory.currency
        if currency is not None:
            chosen = currency_by_code(currency)
        row = Fees(opened.store, environment.clock).set_tariff(
            FeeCode(code), chosen.number, _minor(amount, chosen), by=environment.user()
        )
    facts = [
        ("Fee", row.code),
        ("From now on", f"{format_amount(row.amount_minor, chosen)} {chosen}"),
        ("Set", f"{row.at:%Y-%m-%d %H:%M} UTC by {row.noted_by}"),
    ]
    output_of(ctx).show(
        _tariff_document(row), lambda console: console.print(facts_table(facts))
    )


@tariff.command("list")
@bank_option
@json_option
@click.pass_context
def list_tariffs(ctx: click.Context, *, bank: Path) -> None:
    """List every line that the tariff ever had; the newest of each fee holds."""
    with open_bank(bank) as opened:
        rows = Fees(opened.store, environment_of(ctx).clock).tariffs()
    output_of(ctx).show(
        {"tariff": [_tariff_document(row) for row in rows]},
        lambda console: console.print(
            table(
                ["Fee", ">Amount", "Currency", "From (UTC)", "Set by"],
                [
                    (
                        row.code,
                        _amount(row.amount_minor, row.currency),
                        currency_by_number(row.currency).code,
                        f"{row.at:%Y-%m-%d %H:%M}",
                        row.noted_by,
                    )
                    for row in rows
                ],
            )
        ),
    )


@click.group(cls=PlainErrorsGroup)
def fee() -> None:
    """Charge a customer by the tariff, and see what was charged."""


@fee.command(
    "charge",
    epilog="""
Example:
  raseed-bank fee charge "statement copy" 100200300 --reference LETTER-17
""",
)
@click.argument("code", type=click.Choice(_BY_HAND))
@click.argument("account")
@bank_option
@click.option(
    "--reference",
    required=True,
    metavar="TEXT",
    help="What it is for, such as the number of the customer's letter.",
)
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Where ACCOUNT has several currencies: which one.",
)
@json_option
@click.pass_context
def charge(
    ctx: click.Context,
    *,
    code: str,
    account: str,
    bank: Path,
    reference: str,
    currency: str | None,
) -> None:
    """Charge the fee CODE to the customer's ACCOUNT.

    The same fee with the same reference is charged once, however often it is entered.
    """
    if (
        not reference.strip()
        or len(reference) > _REFERENCE_MAX
        or not reference.isprintable()
    ):
        raise InputError(
            f"A reference has 1 to {_REFERENCE_MAX} printable characters. No money "
            "moved."
        )
    environment = environment_of(ctx)
    with open_bank(bank) as opened:
        with opened.store.read() as books:
            payer = account_of(books, account, currency).account
        if payer.kind is not AccountKind.CUSTOMER:
            raise InputError(
                f"'{account}' is no customer's account. No money moved. Give the "
                "account's number."
            )
        row = Fees(opened.store, environment.clock).charge(
            FeeCode(code), payer, reference=reference.strip(), by=environment.user()
        )
    amount = _amount(row.amount_minor, row.account.currency)
    facts = [
        ("Fee", f"{row.code}, number {row.number}"),
        ("Charged", f"{amount} {currency_by_number(row.account.currency)}"),
        ("Account", row.account.owner),
        ("For", _subject(row)),
    ]
    output_of(ctx).show(
        _fee_document(row), lambda console: console.print(facts_table(facts))
    )


@fee.command("list")
@bank_option
@json_option
@click.pass_context
def list_fees(ctx: click.Context, *, bank: Path) -> None:
    """List every fee that was charged, in the order of booking."""
    with open_bank(bank) as opened:
        rows = Fees(opened.store, environment_of(ctx).clock).fees()
    output_of(ctx).show(
        {"fees": [_fee_document(row) for row in rows]},
        lambda console: console.print(
            table(
                [">No.", "Fee", "For", "Account", ">Amount", "Currency", "At (UTC)"],
                [
                    (
                        str(row.number),
                        row.code,
                        _subject(row),
                        row.account.owner,
                        _amount(row.amount_minor, row.account.currency),
                        currency_by_number(row.account.currency).code,
                        f"{row.at:%Y-%m-%d %H:%M}",
                    )
                    for row in rows
                ],
            )
        ),
    )


def _minor(text: str, currency: Currency) -> int:
    if not text.strip("0.,"):
        return 0
    try:
        return parse_amount(text, currency).amount_minor
    except InputError as error:
        raise InputError(f"'{text}': {error}. Nothing was changed.") from None


def _tariff_document(row: TariffRow) -> dict[str, Any]:
    return {
        "code": row.code,
        "currency": currency_by_number(row.currency).code,
        "amount_minor": row.amount_minor,
        "since": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "noted_by": row.noted_by,
    }


def _fee_document(row: FeeRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "code": row.code,
        "for": _subject(row),
        "account": row.account.owner,
        "currency": currency_by_number(row.account.currency).code,
        "amount_minor": row.amount_minor,
        "at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "noted_by": row.noted_by or None,
    }


def _subject(row: FeeRow) -> str:
    if not FeeCode(row.code).is_automatic:
        return row.subject
    card = f"card {row.subject[:6]}******{row.subject[-4:]}"
    return f"{card}, load {row.event}" if row.event else card


def _amount(amount_minor: int, currency: int) -> str:
    return format_amount(amount_minor, currency_by_number(currency))
