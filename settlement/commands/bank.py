"""``raseed-bank``: what bank operations do; the entry point and its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from settlement.commands.bank_account import account
from settlement.commands.bank_accounts import accounts, history, trial_balance_command
from settlement.commands.bank_api import api
from settlement.commands.bank_audit import audit
from settlement.commands.bank_backup import backup, restore
from settlement.commands.bank_batches import batches
from settlement.commands.bank_check import check, status
from settlement.commands.bank_correction import correction
from settlement.commands.bank_deposit import deposit
from settlement.commands.bank_fee import fee, tariff
from settlement.commands.bank_host import host
from settlement.commands.bank_hotlist import hotlist
from settlement.commands.bank_incidents import incidents
from settlement.commands.bank_init import init
from settlement.commands.bank_migrate import migrate
from settlement.commands.bank_office import office
from settlement.commands.bank_officer import officer
from settlement.commands.bank_post import post_pending
from settlement.commands.bank_proof import batch_proof
from settlement.commands.bank_publish import publish
from settlement.commands.bank_purse import purse
from settlement.commands.bank_requests import requests
from settlement.commands.bank_serve import serve
from settlement.commands.bank_services import services
from settlement.commands.bank_statement import statement
from settlement.commands.bank_suspense import suspense
from settlement.commands.bank_terminal import terminal
from settlement.commands.bank_watch import alarms, terminals
from settlement.commands.environment import real_environment
from settlement.commands.output import PlainErrorsGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bank", "main"]


_EPILOG: Final = """\

A bank from nothing:
  raseed-bank init bank --test-keys
  export RASEED_BANK=bank
  raseed-bank account open 100200300 --holder "AL NOOR TRADING" --deposit 5000
  raseed-bank terminal add T0000007 --office SOHAR --mid 4355530000000007 \\
      --number 5551234 --output terminal-7
  raseed-bank serve --port /dev/ttyS0
  raseed-bank statement --office SOHAR --pdf statement.pdf
  raseed-bank check
"""


@click.group(cls=PlainErrorsGroup, epilog=_EPILOG)
@click.version_option(package_name="raseed")
def bank() -> None:
    """Run the bank: books, terminals, calls, statements.

    Every command but init takes --bank DIR, or the variable RASEED_BANK, and --json.

    Exit codes: 0 done; 1 something is off, and the message says what; 2 the command
    line is wrong.
    """


for _command in (
    init,
    account,
    terminal,
    host,
    serve,
    post_pending,
    statement,
    check,
    status,
    incidents,
    purse,
    audit,
    publish,
    requests,
    services,
    api,
    hotlist,
    office,
    accounts,
    trial_balance_command,
    deposit,
    tariff,
    fee,
    correction,
    officer,
    suspense,
    batch_proof,
    batches,
    terminals,
    alarms,
    backup,
    restore,
    migrate,
):
    bank.add_command(_command)

account.add_command(history)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``raseed-bank`` on the real machine and exit."""
    bank.main(arguments, prog_name="raseed-bank", obj=real_environment())
