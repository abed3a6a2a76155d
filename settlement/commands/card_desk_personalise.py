"""``raseed-card personalise``: a blank chip becomes a customer's or a terminal's card.

The order makes every interruption harmless (`settlement.commands.card_desk_register`):
note what is to be made, write it to the card, activate the card, register it at the
bank. Running the same command again goes on from wherever it stopped.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import click

from card.maintenance import MaintenanceKey
from card.personalisation import personalise
from card.pin import pin_block
from card.profile import CardState, Role
from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, passphrase_option
from settlement.commands.card_desk_access import (
    CardDeskError,
    full_number_option,
    hold_card,
    reader_option,
)
from settlement.commands.card_desk_bank import finish_making, open_desk
from settlement.commands.card_desk_plan import (
    Wishes,
    card_data,
    plan_card,
    refuse_taken,
)
from settlement.commands.card_desk_register import MakingState, RegisteredCard
from settlement.commands.environment import environment_of, today
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.commands.secret_input import pin_options, pin_source, wipe
from settlement.money import currency_by_number, format_amount

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk
    from settlement.commands.secret_input import PINSource

__all__ = ["personalise_command"]

_YEARS: Final = 5


@click.command(
    "personalise",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-card personalise --account 100200300 --bank bank
  raseed-card personalise --account 100200300 --holder "AL NOOR 2" --limit 500
  raseed-card personalise --kind customs --terminal T0000007 --reader customs
""",
)
@click.option(
    "--kind",
    type=click.Choice([role.value for role in Role]),
    default=Role.PURSE.value,
    show_default=True,
    help="A customer's purse, or the customs card of a terminal.",
)
@click.option("--account", metavar="NUMBER", help="Purse: account that loads it.")
@click.option("--terminal", metavar="ID", help="Customs card: the terminal it is for.")
@click.option(
    "--holder",
    help="Name on the card, up to 24 bytes. [default: the account's holder, or the "
    "office]",
)
@click.option(
    "--number",
    metavar="DIGITS",
    help="Purse: its card number, 16 digits. [default: the next free one]",
)
@click.option(
    "--limit",
    default="2000",
    show_default=True,
    metavar="AMOUNT",
    help="Purse: most that it may hold.",
)
@click.option(
    "--payment-limit",
    metavar="AMOUNT",
    help="Purse: most that one payment may be. [default: the same as --limit]",
)
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day of use. [default: today]",
)
@click.option(
    "--expiry",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day of use. [default: the end of the fifth year from now]",
)
@click.option("--language", default="en", show_default=True, metavar="CODE")
@click.option(
    "--activation-code",
    "with_code",
    is_flag=True,
    help="Customs card: it takes payments only after a code, which is asked for.",
)
@bank_option
@reader_option
@pin_options
@passphrase_option
@full_number_option
@json_option
@click.pass_context
def personalise_command(  # noqa: PLR0913 - one argument for each option
    ctx: click.Context,
    *,
    kind: str,
    account: str | None,
    terminal: str | None,
    holder: str | None,
    number: str | None,
    limit: str,
    payment_limit: str | None,
    valid_from: dt.datetime | None,
    expiry: dt.datetime | None,
    language: str,
    with_code: bool,
    bank: Path,
    reader: str | None,
    pin_fd: int | None,
    pin_stdin: bool,
    passphrase_file: str | None,
    full_number: bool,
) -> None:
    """Make the blank card in the reader a purse or a customs card.

    A purse gets its PIN from the customer (asked for twice, or read once from
    --pin-stdin or --pin-fd), no value, and is registered at the bank. When the command
    is interrupted, run it again: it goes on with the same card and the same number.
    """
    role = Role(kind)
    if (account is None) == (role is Role.PURSE):
        raise click.UsageError("A purse, and only a purse, needs --account.")
    if (terminal is None) == (role is Role.CUSTOMS):
        raise click.UsageError("A customs card, and only that, needs --terminal.")
    environment = environment_of(ctx)
    first_day = today(environment)
    wishes = Wishes(
        role=role,
        account=account,
        terminal=terminal,
        holder=holder,
        number=number,
        limit=limit,
        payment_limit=payment_limit,
        valid_from=valid_from.date() if valid_from else first_day,
        expiry=expiry.date() if expiry else dt.date(first_day.year + _YEARS, 12, 31),
        language=language,
        with_code=with_code,
    )
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, role) as held,
    ):
        card = _make_or_finish(desk, held, wishes, pins)
    _report(ctx, desk, card, full_number=full_number)


def _make_or_finish(
    desk: Desk, held: HeldCard, wishes: Wishes, pins: PINSource
) -> RegisteredCard:
    if held.info.state is CardState.INITIALISED:
        return _make(desk, held, wishes, pins)
    making = desk.register.find(held.role, held.info.card_id)
    if making is not None and making.state is MakingState.PENDING:
        # The card was activated and then left before the bank could register it.
        return finish_making(desk, making)
    raise CardDeskError(
        f"Card {held.info.card_number_masked} is personalised already. It was left as "
        "it is and no money moved. Insert a blank card."
    )


def _make(
    desk: Desk, held: HeldCard, wishes: Wishes, pins: PINSource
) -> RegisteredCard:
    serial = held.info.card_id
    # Once to tell the officer what cannot be before the customer chooses a PIN, and
    # again where no other desk can take the same number meanwhile.
    plan_card(desk, serial, wishes)
    code = _ask_code(wishes, pins)
    with desk.register.locked():
        making = plan_card(desk, serial, wishes)
        refuse_taken(desk, making)
        data = card_data(desk, making, code)
        desk.register.write(making)
    key = MaintenanceKey(key=desk.keys.transport_key(serial), card_id=serial)
    session = held.purse() if held.role is Role.PURSE else held.customs()
    personalise(session, key, data)
    info = session.select()
    if info.state is not CardState.ACTIVE or info.card_id != making.card_id:
        raise CardDeskError(
            "The card took all data and is not what it was to become. It holds no "
            "value and is not registered. Keep it aside and take another."
        )
    return finish_making(desk, making)


def _ask_code(wishes: Wishes, pins: PINSource) -> bytes | None:
    """The PIN block of the card to be; None for a customs card without a code."""
    if wishes.role is Role.CUSTOMS and not wishes.with_code:
        return None
    what = "New PIN" if wishes.role is Role.PURSE else "Activation code"
    pin = pins.read_new(what)
    try:
        return pin_block(pin)
    finally:
        wipe(pin)


def _report(
    ctx: click.Context, desk: Desk, card: RegisteredCard, *, full_number: bool
) -> None:
    number = (
        card.card_id.hex().upper() if full_number else mask_card_number(card.card_id)
    )
    currency = desk.directory.currency
    if card.currency:
        currency = currency_by_number(card.currency)
    document: dict[str, Any] = {
        "kind": card.role.value,
        "card": number,
        "holder": card.holder,
        "valid_from": card.valid_from.isoformat(),
        "expiry": card.expiry.isoformat(),
        "key_version": card.kv,
    }
    facts = [
        ("Card", f"{number}, {card.holder}"),
        ("Valid", f"{card.valid_from} to {card.expiry}"),
    ]
    if card.role is Role.PURSE:
        document |= {
            "account": card.account,
            "balance_limit_minor": card.balance_limit_minor,
            "payment_limit_minor": card.payment_limit_minor,
            "currency": currency.code,
        }
        limit = format_amount(card.balance_limit_minor, currency)
        facts += [
            ("Account", card.account),
            ("May hold", f"{limit} {currency}"),
            ("Next", "raseed-card load AMOUNT"),
        ]
    else:
        document["terminal"] = card.account
        facts.append(("Terminal", card.account))
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))
