"""How a command gets at the bank: its directory, its books and its keys."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from settlement.bank_config import BankDirectory, BankDirectoryError
from settlement.commands.secret_input import read_passphrase, wipe
from settlement.errors import KeyStoreError
from settlement.keystore import FileKeyStore
from settlement.pki import Authority
from settlement.store.books import BankStore
from settlement.store.place import database_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from card.profile import KeyUse

__all__ = [
    "NoKeys",
    "OpenBank",
    "bank_option",
    "database_option",
    "given_database",
    "open_authority",
    "open_bank",
    "open_keys",
    "passphrase_option",
    "place_of",
    "unlocked",
]

_DATABASE: Final = "settlement.database"
"""Under which a command's context keeps what ``--database`` was given."""

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBank:
    """A bank whose books are open."""

    directory: BankDirectory
    store: BankStore


def bank_option(command: F) -> F:
    """Add ``--bank DIR``, which arrives as ``bank``, a path, and ``--database URL``.

    The URL goes past the command, to `open_bank`.
    """
    option = database_option(
        "The bank's PostgreSQL database, where bank.toml cannot say it all (its "
        "password, another way to the server)."
    )
    return click.option(
        "--bank",
        type=click.Path(path_type=Path),
        required=True,
        envvar="RASEED_BANK",
        show_envvar=True,
        metavar="DIR",
        help="The bank's directory, made by raseed-bank init.",
    )(option(command))


def database_option(words: str) -> Callable[[F], F]:
    """Add ``--database URL``, which arrives in `given_database`."""
    return click.option(
        "--database",
        envvar="RASEED_DATABASE",
        show_envvar=True,
        metavar="URL",
        expose_value=False,
        callback=_remember_database,
        help=words,
    )


def given_database() -> str | None:
    """What ``--database`` was given in this run, or None."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_DATABASE)


def _remember_database(
    ctx: click.Context, _parameter: click.Parameter, url: str | None
) -> None:
    if url is not None:
        ctx.meta[_DATABASE] = url


def passphrase_option(command: F) -> F:
    """Add ``--passphrase-file``, which arrives as ``passphrase_file``."""
    return click.option(
        "--passphrase-file",
        metavar="FILE",
        help="File whose first line opens the bank's keys; else the variable "
        "RASEED_PASSPHRASE, else a hidden prompt.",
    )(command)


class NoKeys:
    """Stands for the key store where a command needs none: nobody is asked for it."""

    def card_key(self, use: KeyUse, kv: int, card_id: bytes) -> bytes:
        """See `settlement.keystore.KeyStore`; always raises."""
        raise KeyStoreError("this command was given no keys")

    def card_keys(self, use: KeyUse, kv: int, card_ids: Sequence[bytes]) -> list[bytes]:
        """See `settlement.keystore.KeyStore`; always raises."""
        raise KeyStoreError("this command was given no keys")

    def purchase_master(self, kv: int) -> bytes:
        """See `settlement.keystore.KeyStore`; always raises."""
        raise KeyStoreError("this command was given no keys")

    def transport_key(self, serial: bytes) -> bytes:
        """See `settlement.keystore.KeyStore`; always raises."""
        raise KeyStoreError("this command was given no keys")


@contextmanager
def open_bank(path: Path) -> Iterator[OpenBank]:
    """Open the bank in ``path`` and close its books afterwards.

    Raises:
        BankDirectoryError: there is no complete bank.
        StoreError: the books cannot be read.
    """
    directory = BankDirectory.open(path)
    with BankStore.open(place_of(directory)) as store:
        yield OpenBank(directory=directory, store=store)


def place_of(directory: BankDirectory) -> Path | str:
    """Where the books of a bank are: by its settings, or as ``--database`` says.

    Raises:
        BankDirectoryError: ``--database`` names other books than the settings.
        StoreError: it is no URL of a database.
    """
    place = directory.database
    given = given_database()
    if given is None:
        return place
    if isinstance(place, Path):
        raise BankDirectoryError(
            f"The books of the bank in '{directory.path}' are the file {place.name} in "
            "it, and --database (or RASEED_DATABASE) names others. Nothing was done. "
            "Leave it out, or name the right directory with --bank."
        )
    if database_name(given) != database_name(place):
        raise BankDirectoryError(
            f"The books of the bank in '{directory.path}' are in the database "
            f"'{database_name(place)}', and --database (or RASEED_DATABASE) names "
            f"'{database_name(given)}'. Nothing was done. Put one of the two right."
        )
    return given


def open_keys(directory: BankDirectory, passphrase_file: str | None) -> FileKeyStore:
    """Open the bank's master keys; asks for the passphrase where it has to.

    Raises:
        KeyStoreError: wrong passphrase, or a damaged key store. Nothing was done.
    """
    with unlocked(directory, passphrase_file) as (keys, _passphrase):
        return keys


def open_authority(directory: BankDirectory, passphrase: bytes) -> Authority:
    """The bank's certificate authority, ready to issue.

    Raises:
        AuthorityKeyError: wrong passphrase, or damaged files. Nothing was issued.
    """
    return Authority.load(
        directory.authority_certificate.read_bytes(),
        directory.terminals_authority_certificate.read_bytes(),
        directory.authority_key.read_bytes(),
        passphrase,
    )


@contextmanager
def unlocked(
    directory: BankDirectory, passphrase_file: str | None
) -> Iterator[tuple[FileKeyStore, bytes]]:
    """The bank's master keys, and the passphrase that opened them.

    Raises:
        KeyStoreError: wrong passphrase, or a damaged key store. Nothing was done.
    """
    passphrase = read_passphrase(passphrase_file)
    try:
        keys = FileKeyStore.open(directory.key_store, bytes(passphrase))
    except KeyStoreError as error:
        wipe(passphrase)
        raise KeyStoreError(
            f"The bank's keys do not open: {error}. No money moved and no card was "
            "touched. Give the passphrase that was chosen at raseed-bank init."
        ) from None
    try:
        yield keys, bytes(passphrase)
    finally:
        wipe(passphrase)
