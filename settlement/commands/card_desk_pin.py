"""``raseed-card change-pin, reset-pin, block, unblock``: who may use a purse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from card.maintenance import MaintenanceKey, MaintenanceSession
from card.pin import pin_block
from card.profile import CardState, KeyUse, Role
from settlement.commands.bank_access import bank_option, passphrase_option
from settlement.commands.card_desk_access import (
    CardDeskError,
    hold_card,
    reader_option,
    require_active,
    require_personalised,
)
from settlement.commands.card_desk_bank import open_desk, settle_card
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.commands.secret_input import pin_options, pin_source, wipe

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk

__all__ = ["block", "change_pin", "reset_pin", "unblock"]


@click.command(
    "change-pin",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-card change-pin
  printf '1234\\n5678\\n' | raseed-card change-pin --pin-stdin
""",
)
@reader_option
@pin_options
@json_option
@click.pass_context
def change_pin(
    ctx: click.Context, *, reader: str | None, pin_fd: int | None, pin_stdin: bool
) -> None:
    """Change a purse's PIN; the customer knows the present one.

    Asks for the present PIN, then twice for the new one; --pin-stdin and --pin-fd read
    one line each. A wrong present PIN costs a try.
    """
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with hold_card(environment_of(ctx), reader, Role.PURSE) as held:
        require_active(held)
        old = pins.read("Present PIN")
        new = bytearray()
        try:
            new = pins.read_new("New PIN")
            held.purse().change_pin(pin_block(old), pin_block(new))
        finally:
            wipe(old)
            wipe(new)
    _report(ctx, held, "the PIN is changed")


@click.command("reset-pin", cls=ExampleCommand)
@bank_option
@reader_option
@pin_options
@passphrase_option
@json_option
@click.pass_context
def reset_pin(
    ctx: click.Context,
    *,
    bank: Path,
    reader: str | None,
    pin_fd: int | None,
    pin_stdin: bool,
    passphrase_file: str | None,
) -> None:
    """Give a purse a new PIN with all its tries, without the old one.

    For a customer who has forgotten it or used up the tries. Check who the customer is
    first.
    """
    environment = environment_of(ctx)
    pins = pin_source(pin_fd=pin_fd, pin_stdin=pin_stdin)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        maintenance = _maintenance(desk, held)
        new = pins.read_new("New PIN")
        try:
            maintenance.reset_pin(pin_block(new))
        finally:
            wipe(new)
    _report(ctx, held, "the PIN is new and has all its tries")


@click.command("unblock", cls=ExampleCommand)
@bank_option
@reader_option
@passphrase_option
@json_option
@click.pass_context
def unblock(
    ctx: click.Context, *, bank: Path, reader: str | None, passphrase_file: str | None
) -> None:
    """Let a blocked purse pay again; its PIN and value stay as they are.

    A purse whose PIN has no tries left needs reset-pin instead.
    """
    environment = environment_of(ctx)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        maintenance = _maintenance(desk, held)
        if held.info.state is CardState.BLOCKED:
            maintenance.unblock()
            done = "unblocked"
        else:
            done = "it was not blocked, nothing was changed"
        if held.info.tries_left == 0:
            done += "; its PIN has no tries left: raseed-card reset-pin"
    _report(ctx, held, done)


@click.command("block", cls=ExampleCommand)
@bank_option
@reader_option
@passphrase_option
@json_option
@click.pass_context
def block(
    ctx: click.Context, *, bank: Path, reader: str | None, passphrase_file: str | None
) -> None:
    """Stop a purse from paying and loading until it is unblocked.

    What it holds stays on it and in its float.
    """
    environment = environment_of(ctx)
    with (
        open_desk(environment, bank, passphrase_file) as desk,
        hold_card(environment, reader, Role.PURSE) as held,
    ):
        _maintenance(desk, held).block()
    _report(ctx, held, "blocked")


def _maintenance(desk: Desk, held: HeldCard) -> MaintenanceSession:
    """The card under its own maintenance key, when this bank has issued it."""
    require_personalised(held)
    settle_card(desk, held)
    status = desk.issuing.status(held.info.card_id)
    if status.hotlisted is not None:
        raise CardDeskError(
            f"Card {held.info.card_number_masked} is on the hotlist "
            f"({status.hotlisted}). Nothing was changed and no money moved. Keep the "
            "card and ask bank operations."
        )
    km = desk.keys.card_key(KeyUse.MAINTENANCE, status.purse.kv, status.purse.cid)
    key = MaintenanceKey(key=km, card_id=status.purse.cid)
    return MaintenanceSession(held.channel, key)


def _report(ctx: click.Context, held: HeldCard, done: str) -> None:
    number = held.info.card_number_masked
    output_of(ctx).show(
        {"card": number, "done": done},
        lambda console: console.print(facts_table([("Card", number), ("Now", done)])),
    )
