"""``raseed-bank correction``: what was booked wrongly is put right by two officers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from settlement.commands.account_names import account_of, account_text
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.officer_access import acting_officer, officer_options
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.corrections import Corrections, Wish
from settlement.errors import InputError
from settlement.money import currency_by_number, format_amount, parse_amount

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.commands.bank_access import OpenBank
    from settlement.ledger import Account
    from settlement.store.corrections import CorrectionRow

__all__ = ["correction"]

_AMOUNT_MINOR_MAX: Final = 10**12


@click.group(cls=PlainErrorsGroup)
def correction() -> None:
    """Put right what was booked wrongly: one officer proposes, another one approves."""


@correction.command(
    "propose",
    epilog="""
Examples:
  raseed-bank correction propose 17 --to deposits:SOHAR --officer huda \\
      --reason "paid as fees, is a deposit"
  raseed-bank correction propose 21 --amount 4.500 --officer huda \\
      --reason "paid twice"
""",
)
@click.argument("entry", type=click.IntRange(min=1))
@bank_option
@officer_options
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept.")
@click.option(
    "--from",
    "debited",
    metavar="ACCOUNT",
    help="Where the money lies wrongly. [default: where ENTRY put it]",
)
@click.option(
    "--to",
    "credited",
    metavar="ACCOUNT",
    help="Where it belongs. [default: back; of a payment, the card holder's account]",
)
@click.option("--amount", metavar="AMOUNT", help="[default: all that lies there]")
@json_option
@click.pass_context
def propose(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    entry: int,
    bank: Path,
    officer: str,
    password_file: str | None,
    reason: str,
    debited: str | None,
    credited: str | None,
    amount: str | None,
) -> None:
    """Propose to move money of the entry number ENTRY; nothing is booked yet.

    ACCOUNT is written as raseed-bank accounts shows it. Never more can be moved than
    lies there of that entry's money.
    """
    with open_bank(bank) as opened:
        wish = _wish(opened, entry, reason, (debited, credited), amount)
        clock = environment_of(ctx).clock
        by = acting_officer(ctx, opened, officer, password_file)
        row = Corrections(opened.store, clock).propose(wish, by=by)
    _show(ctx, row)


@correction.command("approve")
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@officer_options
@json_option
@click.pass_context
def approve(
    ctx: click.Context,
    *,
    number: int,
    bank: Path,
    officer: str,
    password_file: str | None,
) -> None:
    """Book the correction NUMBER, which another officer proposed."""
    with open_bank(bank) as opened:
        clock = environment_of(ctx).clock
        by = acting_officer(ctx, opened, officer, password_file)
        row = Corrections(opened.store, clock).approve(number, by=by)
    _show(ctx, row)


@correction.command("reject")
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@officer_options
@click.option("--reason", required=True, metavar="TEXT", help="Why not; it is kept.")
@json_option
@click.pass_context
def reject(
    ctx: click.Context,
    *,
    number: int,
    bank: Path,
    officer: str,
    password_file: str | None,
    reason: str,
) -> None:
    """See to it that the correction NUMBER is never booked."""
    with open_bank(bank) as opened:
        clock = environment_of(ctx).clock
        by = acting_officer(ctx, opened, officer, password_file)
        row = Corrections(opened.store, clock).reject(number, by=by, reason=reason)
    _show(ctx, row)


@correction.command("list")
@bank_option
@json_option
@click.pass_context
def list_corrections(ctx: click.Context, *, bank: Path) -> None:
    """List every correction that was ever proposed, and what became of it."""
    with open_bank(bank) as opened:
        rows = Corrections(opened.store, environment_of(ctx).clock).corrections()
    headings = [">No.", ">Entry", "From", "To", ">Amount", "Currency", "Reason"]
    headings += ["Proposed by", "What became of it"]
    output_of(ctx).show(
        {"corrections": [_document(row) for row in rows]},
        lambda console: console.print(
            table(
                headings,
                [
                    (
                        str(row.number),
                        str(row.entry_id),
                        account_text(row.debited),
                        account_text(row.credited),
                        _amount(row),
                        currency_by_number(row.debited.currency).code,
                        row.reason,
                        row.proposed_by,
                        _outcome(row),
                    )
                    for row in rows
                ],
            )
        ),
    )


def _wish(
    opened: OpenBank,
    entry: int,
    reason: str,
    sides: tuple[str | None, str | None],
    amount: str | None,
) -> Wish:
    with opened.store.read() as books:
        found = books.history.entry(entry)
        if found is None:
            raise InputError(f"There is no entry {entry}. No money moved.")
        currency = currency_by_number(found.currency)

        def named(text: str | None) -> Account | None:
            if text is None:
                return None
            return account_of(books, text, currency.code).account

        debited, credited = (named(side) for side in sides)
    amount_minor = None
    if amount is not None:
        try:
            money = parse_amount(amount, currency, max_minor=_AMOUNT_MINOR_MAX)
        except InputError as error:
            raise InputError(f"'{amount}': {error}. No money moved.") from None
        amount_minor = money.amount_minor
    return Wish(
        entry_id=entry,
        reason=reason,
        debited=debited,
        credited=credited,
        amount_minor=amount_minor,
    )


def _show(ctx: click.Context, row: CorrectionRow) -> None:
    code = currency_by_number(row.debited.currency).code
    facts = [
        ("Correction", f"{row.number}, of entry {row.entry_id}"),
        ("From", account_text(row.debited)),
        ("To", account_text(row.credited)),
        ("Amount", f"{_amount(row)} {code}"),
        ("Reason", row.reason),
        ("Proposed", f"{row.at:%Y-%m-%d %H:%M} UTC by {row.proposed_by}"),
        ("What became of it", _outcome(row)),
    ]
    output_of(ctx).show(
        _document(row), lambda console: console.print(facts_table(facts))
    )


def _outcome(row: CorrectionRow) -> str:
    if row.decision is None:
        return f"not booked yet: raseed-bank correction approve {row.number}"
    because = f": {row.decided_because}" if row.decided_because else ""
    return f"{row.decision} by {row.decided_by}{because}"


def _document(row: CorrectionRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "entry": row.entry_id,
        "origin": row.origin_id,
        "from": account_text(row.debited),
        "to": account_text(row.credited),
        "currency": currency_by_number(row.debited.currency).code,
        "amount_minor": row.amount_minor,
        "reason": row.reason,
        "proposed_by": row.proposed_by,
        "proposed_at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "decision": None if row.decision is None else row.decision.value,
        "decided_by": row.decided_by or None,
        "decided_at": None
        if row.decided_at is None
        else f"{row.decided_at:%Y-%m-%dT%H:%M:%SZ}",
        "decided_because": row.decided_because or None,
    }


def _amount(row: CorrectionRow) -> str:
    return format_amount(row.amount_minor, currency_by_number(row.debited.currency))
