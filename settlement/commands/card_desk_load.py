"""``raseed-card load`` and ``recover``: value onto a purse, and what a tear left.

The bank books first (customer to the card's float) and only then tells the purse to
take the value, so a card pulled out at any moment holds at most what the float covers.
What the purse did with a load is settled by its own proof, at once if it is still
there, else at its next contact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

import click

from card.errors import CardError
from card.exchange import Finished
from card.load import (
    Authorise,
    LoadDeclined,
    LoadDeclineReason,
    LoadDone,
    LoadExchange,
    LoadTerms,
    LoadUnknown,
    Transmit,
)
from card.pin import pin_block
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
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.commands.secret_input import pin_options, pin_source, wipe
from settlement.errors import InputError, IssuingError, SettlementError
from settlement.money import format_amount, parse_amount
from settlement.store_cards import LoadOutcome

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from card.channel import Channel
    from card.load import LoadRequest, LoadResult
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk, SettledLoad
    from settlement.commands.secret_input import PINSource
    from settlement.ledger import Account
    from settlement.money import Money

__all__ = ["load", "recover"]


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
    help="Load even if an interrupted load of the same amount turns out to be done.",
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
    command ends there, so that repeating an interrupted command loads once.
    """
    environment = environment_of(ctx)
    output = output_of(ctx)
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with open_desk(environment, bank, passphrase_file) as desk:
        money = _amount(desk, amount)
        with hold_card(environment, reader, Role.PURSE) as held:
            require_active(held)
            settled = settle_card(desk, held)
            for earlier in settled:
                output.note(str(earlier))
            done_before = (money, LoadOutcome.COMPLETED) in [
                (earlier.amount, earlier.outcome) for earlier in settled
            ]
            if not done_before or again:
                _require_loadable(desk, held, today(environment))
                output.note(f"{_who(held)}: load {money}.")
                _load(desk, held, money, pins)
            _report(ctx, desk, held, settled, NumberStyle(full=full_number), money)


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

    Needs no PIN and works with a blocked card too. Running it again changes nothing.
    """
    environment = environment_of(ctx)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        require_personalised(held)
        settled = settle_card(desk, held)
        for earlier in settled:
            output_of(ctx).note(str(earlier))
        if not settled:
            output_of(ctx).note("There was nothing to settle.")
        _report(ctx, desk, held, settled, NumberStyle(full=full_number), None)


def _amount(desk: Desk, text: str) -> Money:
    try:
        return parse_amount(text, desk.directory.currency)
    except InputError as error:
        raise InputError(f"'{text}': {error}. No money moved.") from None


def _who(held: HeldCard) -> str:
    name = held.info.holder_name or ""
    return f"Card {held.info.card_number_masked}, {printable(name)}"


def _require_loadable(desk: Desk, held: HeldCard, day: date) -> None:
    info = held.info
    if info.currency != desk.directory.currency.number:
        raise CardDeskError(
            f"Card {info.card_number_masked} is not of this bank's currency. No money "
            "moved. Load it where it was issued."
        )
    if not info.is_valid_on(day):
        raise CardDeskError(
            f"Card {info.card_number_masked} is valid from {info.valid_from} to "
            f"{info.expiry} only. No money moved. Issue a new card."
        )


@dataclass(slots=True)
class _Bank:
    """Answers the machine's one question, and keeps why it said no."""

    desk: Desk
    refusal: SettlementError | None = field(default=None)

    def answer(self, exchange: LoadExchange, request: LoadRequest) -> None:
        try:
            authorisation = self.desk.issuing.authorise_load(request)
        except SettlementError as error:
            self.refusal = error
            exchange.refused()
        else:
            exchange.authorised(
                lsn=authorisation.lsn, at=authorisation.at, m2=authorisation.m2
            )


def _load(desk: Desk, held: HeldCard, money: Money, pins: PINSource) -> None:
    """Run one load to its end, with all that the bank has to book for it.

    Raises:
        SettlementError: nothing was loaded, or it is not known yet; the message says
            which.
    """
    pin = pins.read("PIN of the card")
    try:
        block = pin_block(pin)
    finally:
        wipe(pin)
    assert held.info.key_version is not None, "an active card has one"
    terms = LoadTerms(
        kv=held.info.key_version,
        amount_minor=money.amount_minor,
        currency=money.currency.number,
        lid=desk.lid,
        cid=held.info.card_id,
    )
    bank = _Bank(desk)
    result = _exchange(LoadExchange(terms, block), held.channel, bank)
    match result:
        case LoadDone():
            _complete(desk, result, money)
        case LoadDeclined():
            raise _declined(result, money, bank.refusal)
        case LoadUnknown():
            _resolve(desk, held, money)
        case _:
            assert_never(result)


def _complete(desk: Desk, done: LoadDone, money: Money) -> None:
    try:
        desk.issuing.complete_load(
            done.lx.cid,
            ltc=done.lx.ltc,
            balance_after_minor=done.balance_after_minor,
            ltac=done.ltac,
        )
    except SettlementError as error:
        raise CardDeskError(
            f"The card has taken the load of {money} and the amount was booked, but "
            f"the bank could not note the card's proof: {error}. No money is lost. "
            "When the bank works again, run: raseed-card recover"
        ) from None


def _exchange(exchange: LoadExchange, channel: Channel, bank: _Bank) -> LoadResult:
    while not isinstance(action := exchange.next_action(), Finished):
        match action:
            case Transmit(command=command):
                try:
                    response = channel.transmit(command)
                except CardError:
                    exchange.lost()
                else:
                    exchange.receive(response)
            case Authorise(request=request):
                bank.answer(exchange, request)
            case _:
                assert_never(action)
    return action.result


def _resolve(desk: Desk, held: HeldCard, money: Money) -> None:
    """Ask the purse at once what became of the load that was just booked."""
    settled = settle_card(desk, held)
    if any(load.outcome is LoadOutcome.VOIDED for load in settled):
        raise CardDeskError(
            f"The card did not take the load of {money}; it is booked back to the "
            "customer's account. No money was lost. Try again."
        )


_DECLINES = {
    LoadDeclineReason.CARD_REMOVED: "The card was taken out or does not answer. Put "
    "it back and try again.",
    LoadDeclineReason.OTHER_CARD: "Another card was put in. Start again with one card.",
    LoadDeclineReason.PIN_BLOCKED: "The PIN is blocked: no tries are left. The "
    "customer gets a new one with raseed-card reset-pin.",
    LoadDeclineReason.CARD_BLOCKED: "The card is blocked; see raseed-card unblock.",
    LoadDeclineReason.NOT_READY: "The card is not ready for a load. Take it out, put "
    "it back and try again.",
    LoadDeclineReason.KEY_VERSION: "The card has keys of another version than it says; "
    "keep it and report it.",
    LoadDeclineReason.AMOUNT_OR_CURRENCY: "The card does not take this amount or "
    "currency.",
    LoadDeclineReason.CARD_FAULT: "The card answers what it should not. Try again; if "
    "it stays so, replace the card.",
}


def _declined(
    declined: LoadDeclined, money: Money, refusal: SettlementError | None
) -> SettlementError:
    if declined.reason is LoadDeclineReason.BANK_REFUSED and refusal is not None:
        if isinstance(refusal, IssuingError):
            return refusal
        return CardDeskError(
            f"The bank cannot book the load of {money}: {refusal}. Nothing was loaded "
            "onto the card; should it be booked after all, raseed-card recover books "
            "it back. Try again when the bank works."
        )
    if declined.reason is LoadDeclineReason.PIN_WRONG:
        tries = declined.tries_left
        left = "1 try is" if tries == 1 else f"{tries} tries are"
        told = f"The PIN is wrong; {left} left."
    elif declined.reason is LoadDeclineReason.LIMIT_OR_COUNTER:
        told = f"With {money} more the card would hold more than it may. Load less."
    else:
        told = _DECLINES[declined.reason]
    return CardDeskError(f"{told} No money moved.")


def _report(
    ctx: click.Context,
    desk: Desk,
    held: HeldCard,
    settled: list[SettledLoad],
    numbers: NumberStyle,
    loaded: Money | None,
) -> None:
    status = desk.issuing.status(held.info.card_id)
    balance_minor = _balance_or_none(held)
    account_minor = _account_minor(desk, status.purse.account)
    currency = desk.directory.currency
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
            for load in settled
        ],
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
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def _balance_or_none(held: HeldCard) -> int | None:
    """The purse's balance; None when it left after the work was done."""
    try:
        return held.purse().balance()
    except CardError:
        return None


def _account_minor(desk: Desk, account: Account) -> int:
    with desk.store.read() as books:
        return books.ledger.balance_minor(account)
