"""``raseed-bank office``: the customs offices that the bank collects for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

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
from settlement.money import CURRENCIES, currency_by_code, currency_by_number
from settlement.offices import Offices
from settlement.store.offices import OfficeRow

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["office"]

_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,14}")
_NAME_MAX: Final = 70


@click.group(cls=PlainErrorsGroup)
def office() -> None:
    """Name the customs offices that the bank collects for."""


@office.command(
    "add",
    epilog="""
Example:
  raseed-bank office add SOHAR --name "Sohar Port Customs" \\
      --name-ar "جمارك ميناء صحار"
""",
)
@click.argument("code")
@bank_option
@click.option("--name", required=True, help="The office's name in English.")
@click.option("--name-ar", default="", help="Its name in Arabic.")
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="What it collects, for ever. [default: as before, else the bank's]",
)
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    *,
    code: str,
    bank: Path,
    name: str,
    name_ar: str,
    currency: str | None,
) -> None:
    """Note the office CODE and open its accounts, or give it these names from now on.

    Terminals are bound to an office by its code. An office that a terminal has named
    first is called by its code until then. Doing it again changes nothing.
    """
    if not _CODE.fullmatch(code):
        raise InputError(
            f"'{code}' is no office code: 1 to 15 digits, capital letters or dashes. "
            "Nothing was changed."
        )
    names = (_name(name), _name(name_ar) if name_ar else "")
    environment = environment_of(ctx)
    with open_bank(bank) as opened:
        offices = Offices(opened.store, environment.clock)
        known = {row.code: row.currency for row in offices.offices()}
        chosen = known.get(code, opened.directory.currency.number)
        if currency is not None:
            chosen = currency_by_code(currency).number
        row = OfficeRow(code=code, name=names[0], name_ar=names[1], currency=chosen)
        offices.add(row, by=environment.user())
    facts = [
        ("Office", f"{row.code}, {row.name}"),
        ("In Arabic", row.name_ar or "not given"),
        ("Collects", currency_by_number(row.currency).code),
        ("Accounts", f"revenue:{code}, deposits:{code}, merchant:{code}"),
    ]
    output_of(ctx).show(
        _document(row), lambda console: console.print(facts_table(facts))
    )


@office.command("list")
@bank_option
@json_option
@click.pass_context
def list_offices(ctx: click.Context, *, bank: Path) -> None:
    """List the offices with their names and currencies."""
    with open_bank(bank) as opened:
        rows = Offices(opened.store, environment_of(ctx).clock).offices()
    output_of(ctx).show(
        {"offices": [_document(row) for row in rows]},
        lambda console: console.print(
            table(
                ["Office", "Name", "Arabic name", "Currency"],
                [
                    (
                        row.code,
                        row.name,
                        row.name_ar,
                        currency_by_number(row.currency).code,
                    )
                    for row in rows
                ],
            )
        ),
    )


def _name(text: str) -> str:
    if not text.strip() or len(text) > _NAME_MAX or not text.isprintable():
        raise InputError(
            f"An office's name has 1 to {_NAME_MAX} printable characters. Nothing was "
            "changed."
        )
    return text.strip()


def _document(row: OfficeRow) -> dict[str, str]:
    return {
        "office": row.code,
        "name": row.name,
        "name_ar": row.name_ar,
        "currency": currency_by_number(row.currency).code,
    }
