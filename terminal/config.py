"""The terminal's one configuration file, checked whole before anything starts.

A TOML file; ``raseed-bank terminal add`` writes a complete one. Every problem names the
key, what was found there, and what would be right, and all problems are told at once.
Paths are relative to the file's own folder.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path  # noqa: TC003  pydantic reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.types import StringConstraints

from modem.dial_plan import DialPlan
from settlement.errors import SettlementError
from settlement.money import Currency, Money, currency_by_code, parse_amount
from settlement.payment import DeclarationFormat
from terminal.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "ModemSection",
    "PaymentSection",
    "ReadersSection",
    "SecuritySection",
    "StateSection",
    "TerminalConfig",
    "TerminalSection",
    "load_config",
]

_CONFIG_BYTES_MAX: Final = 64 * 1024
"""A terminal's file has one page; anything longer is not one."""
_DEFAULT_DECLARATION_PATTERN: Final = "[A-Z0-9][A-Z0-9/-]{3,23}"

Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TerminalSection(_Section):
    """Which terminal this is."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8}$")] = Field(
        description="8 capital letters or digits, as in the certificate: T0000007"
    )
    office: Annotated[
        str, StringConstraints(pattern=r"^[A-Z0-9]([A-Z0-9 /-]{0,13}[A-Z0-9])?$")
    ] = Field(
        description="the customs office, 1 to 15 capital letters or digits: SOHAR"
    )
    currency: str = Field(description="a currency code the program knows: OMR")
    clerk: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,12}$")] = Field(
        default="1", description="the clerk's number, 1 to 12 letters or digits: 1"
    )

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, code: str) -> str:
        try:
            currency_by_code(code)
        except SettlementError as error:
            raise ValueError(str(error)) from None
        return code


class ReadersSection(_Section):
    """Names of the two card readers, or unique parts of them."""

    purse: Text = Field(description="the customer's reader: a part of its name")
    customs: Text = Field(description="the customs card's reader: a part of its name")


class ModemSection(_Section):
    """The modem and whom it calls."""

    port: Text = Field(description="a device or URL: /dev/ttyS0, rfc2217://host:port")
    baud: Annotated[int, Field(ge=300, le=921_600)] = Field(
        default=9600, description="bits a second, 300 to 921600: 9600"
    )
    init: Text = Field(default="ATZ", description="the modem's set-up command: ATZ")
    numbers: list[Text] = Field(
        description='1 to 8 telephone numbers, tried in turn: ["5551234"]'
    )
    server_name: Text = Field(description="the name in the bank's certificate")


class SecuritySection(_Section):
    """Files of this terminal's certificate."""

    ca: Text = Field(description="file of the bank's certificate authority: ca.pem")
    certificate: Text = Field(description="file of the certificate: terminal.pem")
    key: Text = Field(description="file of the certificate's key: terminal.key")


class StateSection(_Section):
    """Where the journal is kept."""

    directory: Text = Field(description="a folder on this machine's disk: state")


class PaymentSection(_Section):
    """Bounds of one payment."""

    limit: Text = Field(
        description='the largest payment, as text with its decimals: "2000.000"'
    )
    declaration_pattern: Text = Field(
        default=_DEFAULT_DECLARATION_PATTERN,
        description="a regular expression that a whole declaration number matches",
    )

    @field_validator("declaration_pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern


class TerminalConfig(_Section):
    """A whole, valid configuration; `folder` is where its file lies."""

    terminal: TerminalSection
    readers: ReadersSection
    modem: ModemSection
    security: SecuritySection
    state: StateSection
    payment: PaymentSection
    folder: Path = Field(exclude=True, repr=False)

    @property
    def currency(self) -> Currency:
        """The one currency of this terminal."""
        return currency_by_code(self.terminal.currency)

    @property
    def limit(self) -> Money:
        """The largest single payment."""
        return parse_amount(self.payment.limit, self.currency)

    @property
    def dial_plan(self) -> DialPlan:
        """Whom the modem calls."""
        return DialPlan(
            numbers=tuple(self.modem.numbers),
            init=self.modem.init,
            baud=self.modem.baud,
        )

    @property
    def declaration_format(self) -> DeclarationFormat:
        """The form of declaration numbers at this office."""
        return DeclarationFormat(pattern=self.payment.declaration_pattern)

    @property
    def state_directory(self) -> Path:
        """The folder of the journal."""
        return self.folder / self.state.directory

    @property
    def ca(self) -> Path:
        """The certificate authority's file."""
        return self.folder / self.security.ca

    @property
    def certificate(self) -> Path:
        """The terminal's certificate file."""
        return self.folder / self.security.certificate

    @property
    def key(self) -> Path:
        """The terminal's key file."""
        return self.folder / self.security.key


def load_config(path: Path) -> TerminalConfig:
    """Read and check ``path``.

    Raises:
        ConfigError: it cannot be read, or a key is unknown, missing or wrong; nothing
            has been started.
    """
    values = _read_toml(path)
    if "folder" in values:
        raise ConfigError((_unknown("folder", values["folder"]),))
    try:
        config = TerminalConfig.model_validate(
            {**values, "folder": path.resolve().parent}
        )
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigError(tuple(_sentence(detail) for detail in details)) from None
    problems = (
        *_amount_problems(config),
        *_reader_problems(config),
        *_modem_problems(config),
    )
    if problems:
        raise ConfigError(problems)
    return config


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            (
                f"'{path}' cannot be read: {error.strerror}. Name the terminal's "
                "configuration file with --config.",
            )
        ) from None
    if len(raw) > _CONFIG_BYTES_MAX:
        raise ConfigError((f"'{path}' is too long to be a configuration file.",))
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError((f"'{path}' is not valid TOML: {error}.",)) from None


def _sentence(detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(key, detail["input"])
    right = _what_is_right(detail["loc"])
    if kind == "missing":
        return f"{key} is missing. Right would be: {right}."
    found = f"{key} is {detail['input']!r}"
    if kind == "value_error":
        return f"{found}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{found}: {detail['msg'].lower()}. Right would be: {right}."


def _unknown(key: str, found: object) -> str:
    *sections, _ = key.split(".")
    known = _known_keys(tuple(sections))
    return (
        f"{key} is not a key of this file (found {found!r}). "
        f"Known here: {', '.join(known)}. Remove it, or correct its spelling."
    )


def _known_keys(sections: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = TerminalConfig
    for name in sections:
        model = _section_model(name) or model
    return [name for name in model.model_fields if name != "folder"]


def _section_model(name: str) -> type[BaseModel] | None:
    field = TerminalConfig.model_fields.get(name)
    annotation = None if field is None else field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _what_is_right(place: tuple[int | str, ...]) -> str:
    model = _section_model(str(place[0]))
    if model is None or len(place) == 1:
        return f"a section [{place[0]}]"
    field = model.model_fields.get(str(place[1]))
    return (field.description if field else None) or "see the documentation"


def _amount_problems(config: TerminalConfig) -> tuple[str, ...]:
    try:
        parse_amount(config.payment.limit, config.currency)
    except SettlementError as error:
        found = config.payment.limit
        return (
            f"payment.limit is {found!r}: {error} "
            f"Right would be: {_what_is_right(('payment', 'limit'))}.",
        )
    return ()


def _reader_problems(config: TerminalConfig) -> tuple[str, ...]:
    if config.readers.purse == config.readers.customs:
        return (
            f"readers.customs is {config.readers.customs!r}, the same as "
            "readers.purse. Right would be: two different readers.",
        )
    return ()


def _modem_problems(config: TerminalConfig) -> tuple[str, ...]:
    try:
        _ = config.dial_plan
    except ValueError as error:
        return (f"modem: {error}. Correct init or numbers in that section.",)
    return ()
