"""``raseed-terminal certificate``: the next certificate of this terminal."""

from __future__ import annotations

from pathlib import Path

import click

from terminal.commands.shared import config_option, json_option, say_json
from terminal.config import load_config
from terminal.errors import RenewalError
from terminal.machine import local_now
from terminal.wording_security import (
    certificate_installed,
    file_unusable,
    request_written,
)

__all__ = ["certificate"]


@click.group()
def certificate() -> None:
    """Renew this terminal's certificate, with a key that never leaves this machine.

    Make a request, have the bank answer it (raseed-bank terminal renew --csr), install
    what comes back. The present certificate is good until the new one is first used.
    """


@certificate.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def request(config_path: Path, file: Path, *, as_json: bool) -> None:
    """Write a certificate request to FILE, for the bank.

    The new private key is made beside the present one, which stays in use. Asking again
    asks for the same key.
    """
    # Only this command needs certificates as such.
    from terminal.renewal import make_request  # noqa: PLC0415

    config = load_config(config_path)
    try:
        file.write_bytes(make_request(config))
    except OSError as error:
        raise _unusable(error) from None
    if as_json:
        say_json({"terminal": config.terminal.id, "request": str(file)})
    else:
        click.echo(request_written(str(file), config.terminal.id))


@certificate.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
def install(config_path: Path, file: Path, *, as_json: bool) -> None:
    """Put the certificate in FILE, which the bank sent, and its key in place.

    A certificate for another terminal, bank, time or key changes nothing. The counter
    takes up the new one at its next call.
    """
    from terminal.renewal import install as install_certificate  # noqa: PLC0415

    config = load_config(config_path)
    try:
        until = install_certificate(config, file, local_now())
    except OSError as error:
        raise _unusable(error) from None
    if as_json:
        day = f"{until:%Y-%m-%d}"
        say_json({"terminal": config.terminal.id, "certificate_until": day})
    else:
        click.echo(certificate_installed(until))


def _unusable(error: OSError) -> RenewalError:
    return RenewalError(file_unusable(str(error.filename), error.strerror or ""))
