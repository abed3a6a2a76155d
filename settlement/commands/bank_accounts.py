"""``raseed-bank accounts``, ``trial-balance``, ``account history``: the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from settlement.commands.account_names import (
    account_of,
    account_text,
    moment,
    owner_text,
)
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import InputError
from settlement.ledger import AccountKind
from settlement.money import CURRENCIES, currency_by_number, format_amount
from settlement.trial_balance import AccountHistory, account_history, trial_balance

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from rich.console import Console

    from settlement.store.ledger import AccountRow
    from settlement.trial_balance import TrialBalance

__all__ = ["accounts", "history", "trial_balance_command"]

_MOMENT: Final = (
    "A day is meant with all of it; a time without a zone is the bank's (UTC+04:00)."
)


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank accounts --office SOHAR
  raseed-bank accounts --kind "customs deposits" --json
""",
)
@bank_option
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in AccountKind]),
    metavar="KIND",
    help=f"Only accounts of this kind: {', '.join(AccountKind)}.",
)
@click.option("--office", metavar="CODE", help="Only the accounts of this office.")
@json_option
@click.pass_context
def accounts(
    ctx: click.Context, *, bank: Path, kind: str | None, office: str | None
) -> None:
    """Show the chart of accounts: every account with what is on it.

    An account can be named to other commands as in the first column.
    """
    with open_bank(bank) as opened, opened.store.read() as books:
        rows = [
            row
            for row in books.ledger.accounts()
            if (kind is None or row.account.kind.value == kind)
            and (
                office is None
                or (row.account.kind.is_of_office and row.account.owner == office)
            )
        ]
    output_of(ctx).show(
        {"accounts": [_account_document(row) for row in rows]},
        lambda console: console.print(
            table(
                ["Account", "Kind", "Name", ">Balance", "Currency"],
                [
                    (
                        account_text(row.account),
                        row.account.kind.value,
                        row.name,
                        _amount(row.balance_minor, row.account.currency),
                        currency_by_number(row.account.currency).code,
                    )
                    for row in rows
                ],
            )
        ),
    )


@click.command(
    "trial-balance",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank trial-balance
  raseed-bank trial-balance --at 2026-03-31
  raseed-bank trial-balance --at 2026-03-04T12:30:00Z --json
""",
)
@bank_option
@click.option(
    "--at",
    metavar="TIME",
    help=f"As the books stood then; now when left out. {_MOMENT}",
)
@json_option
@click.pass_context
def trial_balance_command(ctx: click.Context, *, bank: Path, at: str | None) -> None:
    """Sum debits and credits of every account; both sides must be equal.

    Exit code 1 when they are not in any currency. With --at, what the bank had booked
    up to that moment by its own clock, that very moment included.
    """
    until = None if at is None else moment(at, end_of_day=True)
    with open_bank(bank) as opened, opened.store.read() as books:
        made = trial_balance(books, until)
    output_of(ctx).show(
        _trial_document(made), lambda console: _read_trial(console, made)
    )
    if not made.is_equal:
        ctx.exit(EXIT_OFF)


@click.command(
    "history",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank account history 100200300
  raseed-bank account history deposits:SOHAR --from 2026-03-01 --to 2026-03-31
  raseed-bank account history revenue:SOHAR --as-of 2026-03-04T16:30 --json
""",
)
@click.argument("account")
@bank_option
@click.option("--from", "first", metavar="TIME", help="Show what was booked from then.")
@click.option(
    "--to",
    "last",
    metavar="TIME",
    help=f"Show what was booked up to then, included. {_MOMENT}",
)
@click.option(
    "--as-of",
    "as_of",
    metavar="TIME",
    help="Know only what was booked up to then, included.",
)
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    help="Where ACCOUNT has several currencies: which one.",
)
@json_option
@click.pass_context
def history(  # noqa: PLR0913 - one argument for each option
    ctx: click.Context,
    *,
    account: str,
    bank: Path,
    first: str | None,
    last: str | None,
    as_of: str | None,
    currency: str | None,
) -> None:
    """Show what was booked on ACCOUNT, with the balance after each entry.

    ACCOUNT is a customer's account number, revenue:OFFICE, deposits:OFFICE,
    merchant:OFFICE, float:CID, fees, suspense or clearing. Times are those of booking
    by the bank's clock, never the counter's; entries of the same microsecond stand in
    the order of their numbers.
    """
    ends = [moment(text, end_of_day=True) for text in (last, as_of) if text is not None]
    start = None if first is None else moment(first, end_of_day=False)
    if start is not None and any(end < start for end in ends):
        raise InputError(
            "The period ends before it begins: --from is after --to or --as-of. "
            "Nothing was done."
        )
    with open_bank(bank) as opened, opened.store.read() as books:
        row = account_of(books, account, currency)
        made = account_history(books, row, start=start, end=min(ends) if ends else None)
    output_of(ctx).show(
        _history_document(made), lambda console: _read_history(console, made)
    )


def _account_document(row: AccountRow) -> dict[str, Any]:
    currency = currency_by_number(row.account.currency)
    return {
        "account": account_text(row.account),
        "kind": row.account.kind.value,
        "owner": owner_text(row.account),
        "name": row.name,
        "currency": currency.code,
        "decimals": currency.exponent,
        "debit_minor": row.debit_minor,
        "credit_minor": row.credit_minor,
        "balance_minor": row.balance_minor,
        "balance": format_amount(row.balance_minor, currency),
    }


def _trial_document(made: TrialBalance) -> dict[str, Any]:
    return {
        "at": None if made.at is None else _time(made.at),
        "equal": made.is_equal,
        "newest_entry": made.newest_entry,
        "written_late": made.written_late,
        "accounts": [_account_document(row) for row in made.accounts],
        "totals": [
            {
                "currency": currency_by_number(total.currency).code,
                "debit_minor": total.debit_minor,
                "credit_minor": total.credit_minor,
                "equal": total.is_equal,
            }
            for total in made.totals
        ],
    }


def _read_trial(console: Console, made: TrialBalance) -> None:
    rows = [
        (
            account_text(row.account),
            row.account.kind.value,
            _amount(row.debit_minor, row.account.currency),
            _amount(row.credit_minor, row.account.currency),
            _amount(row.balance_minor, row.account.currency),
            currency_by_number(row.account.currency).code,
        )
        for row in made.accounts
    ]
    rows += [
        (
            "All accounts",
            "equal" if total.is_equal else "NOT EQUAL",
            _amount(total.debit_minor, total.currency),
            _amount(total.credit_minor, total.currency),
            "",
            currency_by_number(total.currency).code,
        )
        for total in made.totals
    ]
    headings = ["Account", "Kind", ">Debits", ">Credits", ">Balance", "Currency"]
    console.print(table(headings, rows))
    told = "now" if made.at is None else _time(made.at)
    facts = [("As of", f"{told}, up to entry {made.newest_entry}")]
    facts += _late(made.written_late)
    console.print(facts_table(facts))


def _history_document(made: AccountHistory) -> dict[str, Any]:
    return {
        **_account_document(made.account),
        # Of the moment that was asked for, not of now.
        "debit_minor": made.debit_minor,
        "credit_minor": made.credit_minor,
        "balance_minor": made.closing_minor,
        "balance": _amount(made.closing_minor, made.account.account.currency),
        "from": None if made.start is None else _time(made.start),
        "to": None if made.end is None else _time(made.end),
        "opening_minor": made.opening_minor,
        "closing_minor": made.closing_minor,
        "written_late": made.written_late,
        "entries": [
            {
                "entry": line.row.entry_id,
                "kind": line.row.kind.value,
                "booked_at": _time(line.row.booked_at),
                "paid_at": None
                if line.row.paid_at is None
                else _time(line.row.paid_at),
                "memo": line.row.memo,
                "debit_minor": line.row.debit_minor,
                "credit_minor": line.row.credit_minor,
                "balance_minor": line.balance_minor,
            }
            for line in made.lines
        ],
    }


def _read_history(console: Console, made: AccountHistory) -> None:
    account = made.account.account
    code = currency_by_number(account.currency).code

    def side(amount_minor: int) -> str:
        return _amount(amount_minor, account.currency) if amount_minor else ""

    opening = f"{_amount(made.opening_minor, account.currency)} {code}"
    facts = [
        ("Account", f"{account_text(account)}, {made.account.name}"),
        ("Opening", opening),
    ]
    console.print(facts_table(facts))
    if made.lines:
        headings = [">Entry", "Booked (UTC)", "What", ">Debit", ">Credit", ">Balance"]
        rows = [
            (
                str(line.row.entry_id),
                f"{line.row.booked_at:%Y-%m-%d %H:%M:%S.%f}",
                " ".join(filter(None, (line.row.kind.value, line.row.memo))),
                side(line.row.debit_minor),
                side(line.row.credit_minor),
                _amount(line.balance_minor, account.currency),
            )
            for line in made.lines
        ]
        console.print(table(headings, rows))
    else:
        console.print("Nothing was booked in this period.")
    closing = f"{_amount(made.closing_minor, account.currency)} {code}"
    console.print(facts_table([("Closing", closing), *_late(made.written_late)]))


def _late(written_late: int) -> list[tuple[str, str]]:
    if not written_late:
        return []
    text = f"{written_late} entries of this time were written after a later one"
    return [("Known since", text)]


def _amount(amount_minor: int, currency: int) -> str:
    return format_amount(amount_minor, currency_by_number(currency))


def _time(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
