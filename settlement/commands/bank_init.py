"""``raseed-bank init``: a new bank, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from settlement.bank_config import BankSettings, create_directory, write_file
from settlement.commands.bank_access import (
    database_option,
    given_database,
    passphrase_option,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.commands.secret_input import read_passphrase, wipe
from settlement.errors import KeyStoreError
from settlement.keystore import TEST_MASTERS, FileKeyStore, IssuerMasters
from settlement.money import CURRENCIES
from settlement.pki import Authority
from settlement.store.books import BankStore
from settlement.store.place import without_password

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["init"]

_KEY_BYTES: Final = 16


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank init bank --test-keys
  raseed-bank init /srv/bank --transport-key-file chips.key \\
      --passphrase-file /run/secrets/bank
""",
)
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--currency",
    type=click.Choice(sorted(CURRENCIES)),
    default="OMR",
    show_default=True,
    help="The one currency of this bank.",
)
@click.option(
    "--test-keys",
    is_flag=True,
    help="Use the published test keys: for simulated cards, never for money.",
)
@click.option(
    "--transport-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The chip maker's transport key, 32 hex digits: opens blank chips.",
)
@database_option(
    "Keep the books in this empty PostgreSQL database, not in a file: "
    "postgresql+psycopg://USER@HOST/NAME."
)
@passphrase_option
@json_option
@click.pass_context
def init(
    ctx: click.Context,
    *,
    directory: Path,
    currency: str,
    test_keys: bool,
    transport_key_file: Path | None,
    passphrase_file: str | None,
) -> None:
    """Make a new bank in DIRECTORY: books, keys, certificates, settings.

    The directory must not exist, or be empty. It appears complete or not at all; an
    interrupted init leaves nothing and can be run again.

    The books are a file in DIRECTORY unless --database names a PostgreSQL database
    (15 or newer, in UTF8 and sorted by C). Its password is not kept: leave it to
    ~/.pgpass or PGPASSWORD, or give the whole URL in RASEED_DATABASE.
    """
    if test_keys == (transport_key_file is not None):
        raise click.UsageError(
            "Give either --transport-key-file (it comes with the chips) or --test-keys."
        )
    environment = environment_of(ctx)
    database = given_database()
    bare, had_password = without_password(database or "")
    settings = BankSettings(currency=currency, test_keys=test_keys, database=bare)
    masters = _masters(transport_key_file, settings.key_version)
    with create_directory(directory, what="a bank") as folder:
        passphrase = read_passphrase(passphrase_file, new=True)
        try:
            FileKeyStore.create(
                folder / "keys.json",
                bytes(passphrase),
                masters,
                scrypt_cost=environment.scrypt_cost,
            )
            now = environment.clock()
            _write_certificates(folder, settings, bytes(passphrase), now)
        finally:
            wipe(passphrase)
        write_file(folder / "bank.toml", settings.to_toml().encode(), private=False)
        # Last: what is made on a server stays there when something else fails.
        BankStore.create(database or folder / "bank.sqlite").close()
    document = {
        "bank": str(directory),
        "currency": currency,
        "test_keys": test_keys,
        "server_name": settings.server_name,
        "key_version": settings.key_version,
        "database": bare or None,
    }
    facts = [
        ("Bank", f"{directory}, complete"),
        ("Currency", str(CURRENCIES[currency])),
        ("Books", _about_books(bare, had_password=had_password)),
        ("Keys", _about_keys(test_keys)),
        ("Host's name on the line", settings.server_name),
        (
            "Next",
            f"raseed-bank account open, raseed-bank terminal add (--bank {directory})",
        ),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def _about_books(database: str, *, had_password: bool) -> str:
    if not database:
        return "bank.sqlite in it"
    kept = "; the password was not kept, see --help" if had_password else ""
    return f"{database}{kept}"


def _about_keys(test_keys: bool) -> str:
    if test_keys:
        return "the published test keys, version 1: never for money"
    return "new, version 1; without the passphrase they are lost"


def _masters(transport_key_file: Path | None, kv: int) -> IssuerMasters:
    if transport_key_file is None:
        return TEST_MASTERS
    try:
        transport = bytes.fromhex(transport_key_file.read_text("ascii"))
    except ValueError:
        transport = b""
    if len(transport) != _KEY_BYTES:
        raise KeyStoreError(
            f"'{transport_key_file}' does not hold a transport key, which is 32 hex "
            "digits. No bank was made; use the file that came with the chips."
        )
    return replace(IssuerMasters.random(kv), transport=transport)


def _write_certificates(
    folder: Path, settings: BankSettings, passphrase: bytes, now: dt.datetime
) -> None:
    authority = Authority.create(now)
    host = authority.issue_host(settings.server_name, now)
    key_pem = authority.encrypted_key_pem(passphrase)
    write_file(folder / "ca.pem", authority.certificate_pem, private=False)
    terminals_pem = authority.terminals_certificate_pem
    write_file(folder / "ca-terminals.pem", terminals_pem, private=False)
    write_file(folder / "ca.key", key_pem, private=True)
    write_file(folder / "host.pem", host.certificate_pem, private=False)
    write_file(folder / "host.key", host.key_pem, private=True)
