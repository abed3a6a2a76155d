"""``raseed-card``: the card desk at a bank's branch; the entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from settlement.commands.card_desk_load import load, recover
from settlement.commands.card_desk_log import log
from settlement.commands.card_desk_personalise import personalise_command
from settlement.commands.card_desk_pin import block, change_pin, reset_pin, unblock
from settlement.commands.card_desk_show import show
from settlement.commands.environment import real_environment
from settlement.commands.output import PlainErrorsGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["card_desk", "main"]

_EPILOG: Final = """
A card from blank to loaded:
  export RASEED_BANK=bank
  raseed-card personalise --account 100200300
  raseed-card load 500
  raseed-card show
"""


@click.group(cls=PlainErrorsGroup, epilog=_EPILOG)
@click.version_option(package_name="raseed")
def card_desk() -> None:
    """Issue, load and look after cards on a card reader.

    --reader names the reader (or purse, customs: the reader that card is in) and may
    be left out when there is only one. PINs are asked for without echo, or read with
    --pin-stdin or --pin-fd N, and are never arguments. Every command takes --json.

    Exit codes: 0 done; 1 something is off, and the message says what, whether money
    moved and what to do; 2 the command line is wrong.
    """


for _command in (
    personalise_command,
    load,
    recover,
    show,
    log,
    change_pin,
    reset_pin,
    block,
    unblock,
):
    card_desk.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``raseed-card`` on the real machine and exit."""
    card_desk.main(arguments, prog_name="raseed-card", obj=real_environment())
