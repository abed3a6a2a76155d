"""``raseed-card load`` and ``recover``: value onto a purse, and what a tear left.

The bank books first (customer to the card's float) and only then tells the purse to
take the value, so a card pulled out at any moment holds at most what the float covers.
What the purse did with a load is settled by its own proof, at once if it is still
there, else at its next contact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from card.errors import CardError
from card.profile import Role
from settlement.commands.bank_access import bank_option, passphrase_option
from settlement.commands.card_desk_access import (
    CardDeskError,
    NumberStyle,
    full_number_option,
    hold_card,
    printable,
    reader_option,
    require_active,
    require_personalised,
)
from settlement.commands.card_desk_bank import open_desk, settle_card
from settlement.commands.card_desk_loader import loaded_just_now, run_load
from settlement.commands.card_desk_opens import settle_opens
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.commands.secret_input import pin_options, pin_source
from settlement.errors import InputError
from settlement.fees import FeeCode
from settlement.money import currency_by_number, format_amount, parse_amount
from settlement.store.cards import LoadOutcome

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk, SettledLoad
    from settlement.commands.card_desk_opens import SettledOpen
    from settlement.commands.output import Output
    from settlement.ledger import Account
    from settlement.money import Money

__all__ = ["load", "recover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What an interruption had left with the card, after it was settled."""

    loads: list[SettledLoad]
    opens: list[SettledOpen] = field(default_factory=list)


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-card load 500 --bank bank
  echo 1234 | raseed-card load 250.500 --reader purse --pin-stdin --json
""",
)
@click.argument("amount")
@bank_option
@reader_option
@click.option(
    "--again",
    is_flag=True,
    help="Load even if a load of the same amount was done just before.",
)
@pin_options
@passphrase_option
@full_number_option
@json_option
@click.pass_context
def load(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    amount: str,
    bank: Path,
    reader: str | None,
    again: bool,
    pin_fd: int | None,
    pin_stdin: bool,
    passphrase_file: str | None,
    full_number: bool,
) -> None:
    """Load AMOUNT from the customer's account onto the purse.

    The customer enters the card's PIN. If an earlier load of this card was interrupted,
    it is settled first; when that one was of the same amount and the card has it, the
    command ends there, so that repeating an interrupted command loads once. Payments
    that were interrupted at a counter are settled too, as by recover.
    """
    environment = environment_of(ctx)
    output = output_of(ctx)
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        require_active(held)
        money = _amount(held, amount)
        left = _settle(desk, held, output)
        _require_not_hotlisted(desk, held)
        done_before = (money, LoadOutcome.COMPLETED) in [
            (earlier.amount, earlier.outcome) for earlier in left.loads
        ]
        if again or not done_before:
            _require_loadable(desk, held, today(environment))
            if not again:
                now = environment.clock()
                _require_not_loaded_just_now(desk, held, money, now)
            output.note(f"{_who(held)}: load {money}.")
            run_load(desk, held, money, pins)
        _report(ctx, desk, held, left, NumberStyle(full=full_number), money)


@click.command(
    cls=ExampleCommand,
    epilog="""
Example:
  raseed-card recover --bank bank
""",
)
@bank_option
@reader_option
@passphrase_option
@full_number_option
@json_option
@click.pass_context
def recover(
    ctx: click.Context,
    *,
    bank: Path,
    reader: str | None,
    passphrase_file: str | None,
    full_number: bool,
) -> None:
    """Settle what an interruption left with the card, without loading anything.

    Two things can be left: a load that the bank has booked, and a payment of which the
    counter does not know whether the card was debited. The card proves it or gives it
    up for ever. Needs no PIN and works with a blocked card too. Running it again
    changes nothing.
    """
    environment = environment_of(ctx)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        require_personalised(held)
        left = _settle(desk, held, output_of(ctx))
        reason = _hotlisted(desk, held)
        if reason is not None:
            output_of(ctx).note(
                f"This card is on the hotlist ({reason}) and is blocked. Keep it and "
                "ask bank operations."
            )
        if not (left.loads or left.opens):
            output_of(ctx).note("There was nothing to settle.")
        _report(ctx, desk, held, left, NumberStyle(full=full_number), None)


def _settle(desk: Desk, held: HeldCard, output: Output) -> _Left:
    """Settle what was left, and tell each thing as soon as it is stored."""
    left = _Left(loads=settle_card(desk, held))
    for load in left.loads:
        output.note(str(load))
    for opened in settle_opens(desk, held):
        left.opens.append(opened)
        output.note(str(opened))
    return left


def _hotlisted(desk: Desk, held: HeldCard) -> str | None:
    with desk.store.read() as books:
        return books.cards.hotlisted(held.info.card_id)


def _require_not_hotlisted(desk: Desk, held: HeldCard) -> None:
    reason = _hotlisted(desk, held)
    if reason is not None:
        raise CardDeskError(
            f"Card {held.info.card_number_masked} is on the hotlist ({reason}) and is "
            "blocked now. No money moved; what it holds is still there. Keep the card "
            "and ask bank operations."
        )


def _amount(held: HeldCard, text: str) -> Money:
    assert held.info.currency is not None, "a personalised card has one"
    try:
        return parse_amount(text, currency_by_number(held.info.currency))
    except InputError as error:
        raise InputError(f"'{text}': {error}. No money moved.") from None


def _who(held: HeldCard) -> str:
    name = held.info.holder_name or ""
    return f"Card {held.info.card_number_masked}, {printable(name)}"


def _require_loadable(desk: Desk, held: HeldCard, day: date) -> None:
    info = held.info
    with desk.store.read() as books:
        purse = books.cards.purse(info.card_id)
    ours = desk.directory.currency.number if purse is None else purse.currency
    if info.currency != ours:
        raise CardDeskError(
            f"Card {info.card_number_masked} is not of this bank's currency. No money "
            "moved. Load it where it was issued."
        )
    if not info.is_valid_on(day):
        raise CardDeskError(
            f"Card {info.card_number_masked} is valid from {info.valid_from} to "
            f"{info.expiry} only. No money moved. Issue a new card."
        )


def _require_not_loaded_just_now(
    desk: Desk, held: HeldCard, money: Money, now: datetime
) -> None:
    """Refuse what may be the repetition of a command that was done before it ended."""
    done = loaded_just_now(desk, held.info.card_id, money, now)
    if done is not None:
        raise CardDeskError(
            f"Card {held.info.card_number_masked} was loaded with {money} at "
            f"{done.at:%H:%M} UTC already, and has it. No money moved now. If that is "
            "the load you want, nothing is left to do; to load as much once more, "
            "repeat the command with --again"
        )


def _report(
    ctx: click.Context,
    desk: Desk,
    held: HeldCard,
    left: _Left,
    numbers: NumberStyle,
    loaded: Money | None,
) -> None:
    status = desk.issuing.status(held.info.card_id)
    balance_minor = _balance_or_none(held)
    account_minor = _account_minor(desk, status.purse.account)
    currency = currency_by_number(status.purse.currency)
    document: dict[str, Any] = {
        "card": numbers.show(held.info),
        "holder": held.info.holder_name,
        "balance_minor": balance_minor,
        "float_minor": status.float_minor,
        "account_minor": account_minor,
        "currency": currency.code,
        "settled": [
            {
                "ltc": load.ltc,
                "amount_minor": load.amount.amount_minor,
                "outcome": load.outcome.value,
            }
            for load in left.loads
        ],
        "open_payments": [opened.document() for opened in left.opens],
    }
    facts = [
        ("Card", f"{numbers.show(held.info)}, {printable(status.purse.holder)}"),
        (
            "On the card",
            "not read: the card is gone"
            if balance_minor is None
            else f"{format_amount(balance_minor, currency)} {currency}",
        ),
        (
            "On the account",
            f"{format_amount(account_minor, currency)} {currency}",
        ),
    ]
    if loaded is not None:
        document["loaded_minor"] = loaded.amount_minor
        facts.insert(1, ("Loaded", str(loaded)))
        newest = max((row.ltc for row in status.loads), default=0)
        fee_minor = _fee_minor(desk, held.info.card_id, newest)
        if fee_minor:
            document["fee_minor"] = fee_minor
            charged = f"{format_amount(fee_minor, currency)} {currency}"
            facts.insert(2, ("Fee", charged))
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def _balance_or_none(held: HeldCard) -> int | None:
    """The purse's balance; None when it left after the work was done."""
    try:
        return held.purse().balance()
    except CardError:
        return None


def _fee_minor(desk: Desk, cid: bytes, ltc: int) -> int:
    """What the bank charged for a load, in minor units."""
    with desk.store.read() as books:
        fee = books.fees.fee(FeeCode.LOAD, cid.hex().upper(), ltc)
    return 0 if fee is None else fee.amount_minor


def _account_minor(desk: Desk, account: Account) -> int:
    with desk.store.read() as books:
        return books.ledger.balance_minor(account)
