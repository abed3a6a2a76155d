"""``raseed-bank host``: the certificate by which terminals know the bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from settlement.bank_config import BankDirectory, BankDirectoryError, replace_file
from settlement.commands.bank_access import (
    bank_option,
    open_authority,
    passphrase_option,
    unlocked,
)
from settlement.commands.bank_certificates import days_option
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
)
from settlement.pki_files import read_facts

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.pki_files import CertificateFacts

__all__ = ["host"]


@click.group(cls=PlainErrorsGroup)
def host() -> None:
    """The host's own certificate, which every terminal checks."""


@host.command("show")
@bank_option
@json_option
@click.pass_context
def show(ctx: click.Context, *, bank: Path) -> None:
    """Show the name in the host's certificate, and until when it is valid."""
    _show(ctx, _facts(BankDirectory.open(bank)), ())


@host.command(
    "renew",
    epilog="""
Example:
  raseed-bank host renew
""",
)
@bank_option
@days_option
@passphrase_option
@json_option
@click.pass_context
def renew(
    ctx: click.Context, *, bank: Path, days: int, passphrase_file: str | None
) -> None:
    """Give the host its next certificate, for the same name and key.

    Terminals need nothing new: they trust the authority. A host that runs goes on with
    the old certificate until it is started again. Of the directory only host.pem
    changes, in one step.
    """
    directory = BankDirectory.open(bank)
    with unlocked(directory, passphrase_file) as (_keys, passphrase):
        authority = open_authority(directory, passphrase)
        try:
            pem = authority.renew_host(
                directory.host_certificate.read_bytes(),
                environment_of(ctx).clock(),
                days,
            )
        except ValueError:
            raise _damaged(directory) from None
        replace_file(directory.host_certificate, pem)
    next_step = "start raseed-bank serve again; terminals need nothing new"
    _show(ctx, read_facts(pem), (("Next", next_step),))


def _facts(directory: BankDirectory) -> CertificateFacts:
    try:
        return read_facts(directory.host_certificate.read_bytes())
    except ValueError:
        raise _damaged(directory) from None


def _damaged(directory: BankDirectory) -> BankDirectoryError:
    return BankDirectoryError(
        f"'{directory.host_certificate}' is no certificate of this bank's host. "
        "Nothing was changed and no money moved. Restore the directory from its backup."
    )


def _show(
    ctx: click.Context, facts: CertificateFacts, more: tuple[tuple[str, str], ...]
) -> None:
    document = {
        "name": facts.name,
        "serial": f"{facts.serial:040X}",
        "not_before": f"{facts.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{facts.not_after:%Y-%m-%dT%H:%M:%SZ}",
    }
    rows = [
        ("Host's name on the line", facts.name),
        ("Certificate", f"until {facts.not_after:%Y-%m-%d}"),
        *more,
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(rows)))
