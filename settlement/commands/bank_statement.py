"""``raseed-bank statement``: what an office was paid, or what moved on an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_statement_files import StatementFiles
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import StatementError
from settlement.ledger import Account, EntryKind, payee_account
from settlement.money import CURRENCIES, currency_by_code, format_amount
from settlement.payment import PaymentKind
from settlement.statements import Statements

if TYPE_CHECKING:
    import datetime as dt

    from rich.console import Console

    from settlement.commands.bank_access import OpenBank
    from settlement.statement import Statement, StatementEntry

__all__ = ["statement"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank statement --office SOHAR
  raseed-bank statement --office SOHAR --kind deposits --from 2026-03-01 \\
      --to 2026-03-31 --pdf march.pdf --csv march.csv
  raseed-bank statement --account 100200300 --json
  raseed-bank statement --number 12 --pdf copy.pdf
  raseed-bank statement --number 12 --pdf - | lp
""",
)
@bank_option
@click.option("--office", metavar="CODE", help="The customs office paid into.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in PaymentKind]),
    default=PaymentKind.FEES.value,
    show_default=True,
    help="With --office: which of its accounts.",
)
@click.option("--account", metavar="NUMBER", help="A customer's account instead.")
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Where the account has several currencies: which one.",
)
@click.option(
    "--number", type=click.IntRange(min=1), help="A statement that was issued before."
)
@click.option(
    "--from",
    "first_day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day. [default: today]",
)
@click.option(
    "--to",
    "last_day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day, included. [default: today]",
)
@click.option(
    "--pdf",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write it as PDF; - is standard output.",
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write it as CSV; - is standard output.",
)
@json_option
@click.pass_context
def statement(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    bank: Path,
    office: str | None,
    kind: str,
    account: str | None,
    currency: str | None,
    number: int | None,
    first_day: dt.datetime | None,
    last_day: dt.datetime | None,
    pdf: Path | None,
    csv: Path | None,
) -> None:
    """Issue a statement: every payment with its declaration, opening and closing.

    A statement is numbered, stored, and never made differently again: the same account
    and period give the same statement until more is booked in that period.
    """
    if sum(choice is not None for choice in (office, account, number)) != 1:
        raise click.UsageError("Give one of --office, --account and --number.")
    output = output_of(ctx)
    targets = StatementFiles(pdf=pdf, csv=csv)
    if targets.to_stdout + output.as_json > 1:
        raise click.UsageError(
            "Only one of --json, --pdf - and --csv - can have standard output."
        )
    targets.require_writable()
    environment = environment_of(ctx)
    with open_bank(bank) as opened:
        statements = Statements(opened.store, environment.clock)
        if number is not None:
            made = statements.get(number)
        else:
            now = today(environment)
            made = statements.issue(
                _account(opened, (office, kind, account), currency),
                first_day.date() if first_day else now,
                last_day.date() if last_day else now,
            )
    files = targets.write(made)
    if targets.to_stdout:
        output.note(f"Statement {made.number}, {made.first_day} to {made.last_day}.")
        return
    document = _document(made) | {"files": files}
    output.show(document, lambda console: _read(console, made, files))


def _account(
    opened: OpenBank, named: tuple[str | None, str, str | None], code: str | None
) -> Account:
    """The account that was named; in the bank's currency when there is none."""
    office, kind, number = named

    def in_currency(currency: int) -> Account:
        if office is not None:
            return payee_account(PaymentKind(kind), office, currency)
        assert number is not None, "the command line was checked"
        return Account.customer(number, currency)

    if code is not None:
        return in_currency(currency_by_code(code).number)
    with opened.store.read() as books:
        found = [
            account
            for one in CURRENCIES.values()
            if books.ledger.account_id(account := in_currency(one.number)) is not None
        ]
    if len(found) > 1:
        raise StatementError(
            "that account has several currencies; say which one with --currency"
        )
    return found[0] if found else in_currency(opened.directory.currency.number)


def _document(made: Statement) -> dict[str, Any]:
    return {
        "number": made.number,
        "account_kind": made.account_kind.value,
        "owner": made.owner,
        "name": made.account_name,
        "currency": made.currency.code,
        "from": made.first_day.isoformat(),
        "to": made.last_day.isoformat(),
        "opening_minor": made.opening_minor,
        "debits_minor": made.debits_minor,
        "credits_minor": made.credits_minor,
        "closing_minor": made.closing_minor,
        "digest": made.digest.hex(),
        "entries": [_entry(entry) for entry in made.entries],
    }


def _entry(entry: StatementEntry) -> dict[str, Any]:
    document: dict[str, Any] = {
        "entry": entry.entry_id,
        "kind": entry.kind.value,
        "booked_at": f"{entry.booked_at:%Y-%m-%dT%H:%M:%SZ}",
        "memo": entry.memo,
        "debit_minor": entry.debit_minor,
        "credit_minor": entry.credit_minor,
        "balance_minor": entry.balance_minor,
    }
    if (payment := entry.payment) is not None:
        document["payment"] = {
            "declaration": payment.declaration,
            "kind": None if payment.kind is None else payment.kind.value,
            "card": payment.masked_card,
            "terminal": payment.terminal_id,
            "clerk": payment.clerk,
            "reference": payment.reference,
            "authorisation": payment.authorisation,
            "paid_at": f"{payment.paid_at:%Y-%m-%dT%H:%M:%SZ}",
            "held": payment.held,
        }
    return document


def _read(console: Console, made: Statement, files: dict[str, str]) -> None:
    def amount(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, made.currency)} {made.currency}"

    facts = [
        ("Statement", f"{made.number}, {made.first_day} to {made.last_day}"),
        ("Account", f"{made.account_kind} {made.owner}, {made.account_name}"),
        ("Opening", amount(made.opening_minor)),
    ]
    console.print(facts_table(facts))
    if made.entries:
        console.print(
            table(
                ["No.", "Declaration", "What", "Card", ">Debit", ">Credit", ">Balance"],
                [_cells(entry, made) for entry in made.entries],
            )
        )
    else:
        console.print("Nothing was booked in this period.")
    closing = [("Closing", amount(made.closing_minor))]
    closing += [(f"Written ({kind})", path) for kind, path in files.items()]
    console.print(facts_table(closing))


def _what(entry: StatementEntry) -> str:
    if entry.kind is EntryKind.LOAD:
        return entry.memo or entry.kind.value
    return " ".join(filter(None, (entry.kind.value, entry.memo)))


def _cells(entry: StatementEntry, made: Statement) -> tuple[str, ...]:
    def column(amount_minor: int) -> str:
        return format_amount(amount_minor, made.currency) if amount_minor else ""

    payment = entry.payment
    return (
        str(entry.position),
        payment.declaration if payment else "",
        _what(entry),
        payment.masked_card if payment else "",
        column(entry.debit_minor),
        column(entry.credit_minor),
        format_amount(entry.balance_minor, made.currency),
    )
