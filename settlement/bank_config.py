"""The bank's directory: one folder that holds everything the bank is.

======================  ===========================================================
``bank.toml``           settings, read at every start (`BankSettings`)
``bank.sqlite``         the books, unless the settings name a PostgreSQL database
``keys.json``           the issuer's master keys, encrypted under the passphrase
``ca.pem``, ``ca.key``  the certificate authority; its key encrypted likewise
``ca-terminals.pem``    the same authority under the name that signs terminals
``host.pem``,           the host's certificate and key (mode 0600) for the line
``host.key``
======================  ===========================================================

`create_directory` makes it whole or not at all: everything is written to a folder
beside it, which gets its name in one rename at the very end.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from modem.dial_plan import AnswerPlan
from modem.network import NetworkAddress
from settlement.errors import CurrencyError, SettlementError
from settlement.money import Currency, currency_by_code
from settlement.pki import HOST_DNS_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BankDirectory",
    "BankDirectoryError",
    "BankSettings",
    "create_directory",
    "refuse_existing",
    "replace_file",
    "sync_folder",
    "write_file",
]

PRIVATE_FILE_MODE: Final = 0o600
PUBLIC_FILE_MODE: Final = 0o644
_DIRECTORY_MODE: Final = 0o700


class BankDirectoryError(SettlementError):
    """The bank's directory is missing, incomplete, or already there."""


class BankSettings(BaseModel):
    """What ``bank.toml`` says; an unknown key or a wrong value is an error.

    Attributes:
        database: URL of the PostgreSQL database with the books, without a password;
            empty for ``bank.sqlite`` in the directory.
        desk_id: LID, the load desk's id on the cards, 8 ASCII characters.
        key_version: kv of the master keys that new cards get, 1 to 255.
        test_keys: whether the masters are the published test keys.
        modem_profile: kind of the modems that take calls, see `modem.profiles`.
        modem_init: the command that brings them to their stored settings.
        modem_baud: speed of their ports in bit/s, 300 to 921600.
        modem_connect_seconds: patience from picking up to a connection, 10 to 255.
        listen: where connections over a network are taken, each ``address:port``.
        network_calls: how many of them at once, 1 to 1000.
        metrics: where health and metrics are told, ``address:port``; empty: nowhere.
        stop_seconds: how long calls may take to end when the host stops, 1 to 600.
        posting_groups: groups of payments that are being posted at once, beyond which
            further ones are only received and posted later; 0: never, 1 to 1000.
        not_settled_hours: how long a terminal in use may go without a reconciled
            batch before that is an alarm, 1 hour to a year.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    currency: str
    server_name: Annotated[str, StringConstraints(min_length=1, max_length=253)] = (
        HOST_DNS_NAME
    )
    desk_id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8}$")] = "DESK0001"
    key_version: Annotated[int, Field(ge=1, le=255)] = 1
    test_keys: bool = False
    database: Annotated[str, StringConstraints(pattern=r"^(postgresql.*)?$")] = ""
    modem_profile: Literal["generic", "fax", "gsm", "direct"] = "generic"
    modem_init: str = "ATZ"
    modem_baud: Annotated[int, Field(ge=300, le=921_600)] = 9600
    modem_connect_seconds: Annotated[int, Field(ge=10, le=255)] = 60
    listen: list[str] = []
    network_calls: Annotated[int, Field(ge=1, le=1000)] = 200
    metrics: str = ""
    stop_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    posting_groups: Annotated[int, Field(ge=0, le=1000)] = 100
    not_settled_hours: Annotated[int, Field(ge=1, le=8784)] = 72

    @field_validator("modem_init")
    @classmethod
    def _is_command(cls, init: str) -> str:
        AnswerPlan(init=init)
        return init

    @field_validator("listen")
    @classmethod
    def _are_addresses(cls, addresses: list[str]) -> list[str]:
        for address in addresses:
            NetworkAddress.parse(address)
        return addresses

    @field_validator("metrics")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if address:
            NetworkAddress.parse(address)
        return address

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, code: str) -> str:
        try:
            currency_by_code(code)
        except CurrencyError as error:
            raise ValueError(str(error)) from None
        return code

    def to_toml(self) -> str:
        """The text of a ``bank.toml`` with these settings and what they mean."""
        return (
            "# The settings of this bank. The currency and the key version are fixed\n"
            "# by the cards that were issued: do not change them by hand.\n"
            f"format = {self.format}\n"
            f'currency = "{self.currency}"\n'
            f'server_name = "{self.server_name}"  # the host certificate\'s DNS name\n'
            f'desk_id = "{self.desk_id}"  # the load desk\'s id (LID) on the cards\n'
            f"key_version = {self.key_version}  # kv of newly issued cards\n"
            f"test_keys = {str(self.test_keys).lower()}  # true: published, no money\n"
            "# The books: a PostgreSQL database, or empty for bank.sqlite here. Its\n"
            "# password does not belong into this file: see raseed-bank init --help.\n"
            f"database = {json.dumps(self.database)}\n"
            "# The modems that take calls; raseed-bank serve can be told otherwise.\n"
            f'modem_profile = "{self.modem_profile}"  # generic, fax, gsm, direct\n'
            f"modem_init = {json.dumps(self.modem_init)}  # begins with AT\n"
            f"modem_baud = {self.modem_baud}  # 300 to 921600 bit/s\n"
            f"modem_connect_seconds = {self.modem_connect_seconds}  # 10 to 255\n"
            "# What raseed-bank serve does besides; see docs/operations.md.\n"
            f'listen = {json.dumps(self.listen)}  # TLS over TCP: ["0.0.0.0:7890"]\n'
            f"network_calls = {self.network_calls}  # of them at once, 1 to 1000\n"
            f'metrics = "{self.metrics}"  # health and metrics: "127.0.0.1:9187"\n'
            f"stop_seconds = {self.stop_seconds}  # for calls to end in, 1 to 600\n"
            "# Groups posted at once; more are received, and posted later. 0: never.\n"
            f"posting_groups = {self.posting_groups}  # 0 to 1000\n"
            f"not_settled_hours = {self.not_settled_hours}  # then it is an alarm\n"
        )


class BankDirectory:
    """A complete bank directory, checked when it is opened."""

    def __init__(self, path: Path, settings: BankSettings) -> None:
        """Hold the path and its settings; see `open`."""
        self.path: Final = path
        self.settings: Final = settings

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open ``path`` and read its settings.

        Raises:
            BankDirectoryError: it is missing, a file of it is missing, or a setting
                is wrong; the message names what and says what to do.
        """
        missing = _missing(path)
        if "bank.toml" in missing:
            raise _incomplete(path, missing)
        settings = _read_settings(path / "bank.toml")
        if settings.database:
            missing = [name for name in missing if name != _BOOKS]
        if missing:
            raise _incomplete(path, missing)
        return cls(path, settings)

    @property
    def currency(self) -> Currency:
        """The one currency of this bank."""
        return currency_by_code(self.settings.currency)

    @property
    def database(self) -> Path | str:
        """The books: a file, or the URL of a database without its password."""
        return self.settings.database or self.path / _BOOKS

    @property
    def key_store(self) -> Path:
        """The encrypted master keys."""
        return self.path / "keys.json"

    @property
    def authority_certificate(self) -> Path:
        """The certificate authority of hosts, which every terminal gets."""
        return self.path / "ca.pem"

    @property
    def terminals_authority_certificate(self) -> Path:
        """The certificate authority of terminals, which the host trusts."""
        return self.path / "ca-terminals.pem"

    @property
    def authority_key(self) -> Path:
        """The certificate authority's key, encrypted."""
        return self.path / "ca.key"

    @property
    def host_certificate(self) -> Path:
        """The host's certificate."""
        return self.path / "host.pem"

    @property
    def host_key(self) -> Path:
        """The host's key, plain, mode 0600."""
        return self.path / "host.key"


_BOOKS: Final = "bank.sqlite"
_FILES: Final = (
    "bank.toml",
    _BOOKS,
    "keys.json",
    "ca.pem",
    "ca-terminals.pem",
    "ca.key",
    "host.pem",
    "host.key",
)


@contextmanager
def create_directory(path: Path, *, what: str) -> Iterator[Path]:
    """Fill a new folder that becomes ``path`` only when the block ends well.

    Yields:
        A folder beside ``path``, for this user only, to be filled.

    Raises:
        BankDirectoryError: something with that name is already there (an empty folder
            is taken). It was left as it is.
    """
    refuse_existing(path, what=what)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield unfinished
        sync_folder(unfinished)
        refuse_existing(path, what=what)
        unfinished.rename(path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def refuse_existing(path: Path, *, what: str) -> None:
    """Raise `BankDirectoryError` unless ``path`` is free or an empty folder."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    raise BankDirectoryError(
        f"'{path}' is already there; {what} is never written over another. Nothing was "
        "changed. Choose another name, or move that away first."
    )


def write_file(path: Path, content: bytes, *, private: bool) -> None:
    """Write a new file durably, readable by its owner only when ``private``.

    Raises:
        FileExistsError: it is already there and was left as it is.
    """
    mode = PRIVATE_FILE_MODE if private else PUBLIC_FILE_MODE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file that everyone may read, durably.

    Whoever reads it meanwhile finds the old content or the new one, whole.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, PUBLIC_FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _missing(path: Path) -> list[str]:
    """The files of a bank that are not in its directory."""
    if not path.is_dir():
        raise BankDirectoryError(
            f"There is no bank in '{path}'. Name its directory with --bank (or in "
            f"RASEED_BANK), or make one: raseed-bank init {path}"
        )
    missing = [name for name in _FILES if not (path / name).is_file()]
    if len(missing) == len(_FILES):
        raise BankDirectoryError(
            f"'{path}' is not a bank's directory: none of its files is there. "
            "Name the right one with --bank (or in RASEED_BANK)."
        )
    return missing


def _incomplete(path: Path, missing: Sequence[str]) -> BankDirectoryError:
    return BankDirectoryError(
        f"The bank in '{path}' is not complete: {', '.join(missing)} missing. "
        "Nothing was changed and no money moved. Restore the directory from its "
        "backup; do not initialise it again, the books in it count."
    )


def _read_settings(path: Path) -> BankSettings:
    try:
        return BankSettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BankDirectoryError(f"'{path}' is not valid TOML: {error}.") from None
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in found["loc"]) or "(file)"
        raise BankDirectoryError(
            f"'{path}': {key} = {found['input']!r}: {found['msg']}. Put it right, then "
            "run the command again; nothing was done."
        ) from None


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; their files must be synced before."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
