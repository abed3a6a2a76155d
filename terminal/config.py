"""The terminal's one configuration file, checked whole before anything starts.

A TOML file; ``raseed-bank terminal add`` writes a complete one. Every problem names the
key, what was found there, and what would be right, and all problems are told at once.
Paths are relative to the file's own folder.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.types import StringConstraints

from modem.dial_plan import DialPlan
from modem.network import NetworkAddress, is_network_url
from modem.profiles import PROFILES
from settlement.errors import AmountError
from settlement.money import (
    CURRENCIES,
    Currency,
    Money,
    currency_by_code,
    parse_amount,
)
from settlement.payment import DeclarationFormat
from terminal.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

__all__ = [
    "ModemSection",
    "PaymentSection",
    "ReadersSection",
    "SecuritySection",
    "StateSection",
    "TerminalConfig",
    "TerminalSection",
    "field_problems",
    "load_config",
    "read_values",
]

_CONFIG_BYTES_MAX: Final = 64 * 1024
"""A terminal's file has one page; anything longer is not one."""
_DEFAULT_DECLARATION_PATTERN: Final = "[A-Z0-9][A-Z0-9/-]{3,23}"

_FOUND_CHARACTERS_MAX: Final = 60
_NUMBERS_MAX: Final = 8
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*"
    r"(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
"""RFC 1123, clause 2.1; the last part is never a number, which would be an address."""

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
    currency: str = Field(description=f"one of {', '.join(CURRENCIES)}")
    clerk: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,12}$")] = Field(
        default="1", description="the clerk's number, 1 to 12 letters or digits: 1"
    )

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, code: str) -> str:
        if code not in CURRENCIES:
            raise ValueError("not known here")
        return code


class ReadersSection(_Section):
    """Names of the two card readers, or unique parts of them."""

    purse: Text = Field(description="the customer's reader: a part of its name")
    customs: Text = Field(description="the customs card's reader: a part of its name")


class ModemSection(_Section):
    """The modem and whom it calls."""

    port: Text = Field(
        description="a device or URL: /dev/ttyS0, rfc2217://host:port, or "
        "tls://host:port for a bank that is reached over a network"
    )
    profile: str = Field(
        default="generic", description=f"one of {', '.join(PROFILES)}; direct: no modem"
    )
    baud: Annotated[int, Field(ge=300, le=921_600)] = Field(
        default=9600, description="bits a second, 300 to 921600: 9600"
    )
    init: Text = Field(default="ATZ", description="a command beginning with AT: ATZ")
    numbers: Annotated[list[Text], Field(max_length=_NUMBERS_MAX)] = Field(
        default=[],
        description='1 to 8 telephone numbers, tried in turn: ["5551234"]; none '
        "with the profile direct, or with a port tls://host:port",
    )
    prefix: Annotated[str, StringConstraints(max_length=40)] = Field(
        default="", description='what is dialled before each number: "0,"'
    )
    dialling: Literal["tone", "pulse"] = Field(
        default="tone", description="tone or pulse"
    )
    wait_for_dial_tone: bool = Field(
        default=True,
        description="true, or false where the modem does not know the dial tone",
    )
    rounds: Annotated[int, Field(ge=1, le=10)] = Field(
        default=2, description="how often all numbers are tried, 1 to 10: 2"
    )
    pause_seconds: Annotated[int, Field(ge=1, le=600)] = Field(
        default=2, description="the first pause between two attempts, 1 to 600: 2"
    )
    pause_seconds_max: Annotated[int, Field(ge=1, le=600)] = Field(
        default=60,
        description="the longest pause, 1 to 600 and not below pause_seconds: 60",
    )
    connect_seconds: Annotated[int, Field(ge=10, le=255)] = Field(
        default=60, description="patience for a connection, 10 to 255: 60"
    )
    server_name: Text = Field(
        description="the DNS name in the bank's certificate: host.bank.raseed"
    )

    @field_validator("port")
    @classmethod
    def _is_address(cls, port: str) -> str:
        if is_network_url(port):
            NetworkAddress.parse(port)
        return port

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, name: str) -> str:
        if name not in PROFILES:
            raise ValueError("not known here")
        return name

    @field_validator("init")
    @classmethod
    def _is_command(cls, init: str) -> str:
        DialPlan(numbers=("0",), init=init)
        return init

    @field_validator("numbers")
    @classmethod
    def _can_be_dialled(cls, numbers: list[str]) -> list[str]:
        for number in numbers:
            DialPlan(numbers=(number,))
        return numbers

    @field_validator("prefix")
    @classmethod
    def _is_prefix(cls, prefix: str) -> str:
        DialPlan(numbers=("0",), prefix=prefix)
        return prefix

    @field_validator("server_name")
    @classmethod
    def _is_dns_name(cls, name: str) -> str:
        if not _DNS_NAME.fullmatch(name):
            raise ValueError("not a DNS name")
        return name

    @property
    def is_network(self) -> bool:
        """Whether the bank is reached over a network: there is no modem."""
        return is_network_url(self.port)

    @property
    def dial_plan(self) -> DialPlan:
        """Whom the modem calls, and how."""
        return DialPlan(
            numbers=tuple(self.numbers),
            profile=PROFILES["direct" if self.is_network else self.profile],
            init=self.init,
            baud=self.baud,
            prefix=self.prefix,
            tone=self.dialling == "tone",
            blind=not self.wait_for_dial_tone,
            rounds=self.rounds,
            pause_ms=1000 * self.pause_seconds,
            pause_ms_max=1000 * self.pause_seconds_max,
            connect_timeout_ms=1000 * self.connect_seconds,
        )


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
        description=(
            "a regular expression that a whole declaration number matches: "
            f"{_DEFAULT_DECLARATION_PATTERN}"
        ),
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
        return self.modem.dial_plan

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
    values = read_values(path)
    problems = field_problems(values)
    if problems:
        raise ConfigError(problems)
    return TerminalConfig.model_validate({**values, "folder": path.resolve().parent})


def field_problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything that is wrong in the file itself, one sentence or two for each key.

    Nothing outside the file is looked at; see `terminal.config_check` for that.
    """
    problems = []
    if "folder" in values:
        problems.append(_unknown("folder", values["folder"]))
    try:
        TerminalConfig.model_validate({**values, "folder": Path()})
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += dict.fromkeys(_sentence(detail) for detail in details)
    return (
        *problems,
        *_dialling_problems(values),
        *_amount_problems(values),
        *_reader_problems(values),
    )


def read_values(path: Path) -> dict[str, Any]:
    """What stands in the TOML file ``path``, unchecked.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
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
    place = detail["loc"]
    key = _key(place)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(key, detail["input"])
    right = f"Right would be: {_what_is_right(place)}."
    if kind == "missing":
        return f"{key} is missing. {right}"
    found = f"{key} is {_shown(detail['input'])}"
    # Only our own checks say why; what the library says is not meant for a clerk.
    if kind == "value_error":
        return f"{found}: {detail['msg'].removeprefix('Value error, ')}. {right}"
    return f"{found}. {right}"


def _key(place: tuple[int | str, ...]) -> str:
    """The name of ``place``; entries of a list are counted from 1, as people do."""
    names = ".".join(part for part in place if isinstance(part, str))
    entries = [f", entry {part + 1}" for part in place if isinstance(part, int)]
    return names + "".join(entries)


def _shown(found: object) -> str:
    """A value as the file has it, shortened."""
    if isinstance(found, bool):
        text = str(found).lower()
    elif isinstance(found, str | int | float | list | dict):
        text = repr(found)
    else:
        text = str(found)
    if len(text) > _FOUND_CHARACTERS_MAX:
        return f"{text[:_FOUND_CHARACTERS_MAX]}..."
    return text


def _unknown(key: str, found: object) -> str:
    *sections, _ = key.split(".")
    known = _known_keys(tuple(sections))
    return (
        f"{key} is not a key of this file (found {_shown(found)}). "
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


def _amount_problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    limit = _text(values, "payment", "limit")
    code = _text(values, "terminal", "currency")
    # What is no text, or no currency, has been told already.
    if not limit or code is None or code not in CURRENCIES:
        return ()
    try:
        parse_amount(limit, currency_by_code(code))
    except AmountError as error:
        reason = str(error).rstrip(".")
        right = _what_is_right(("payment", "limit"))
        return (
            f"payment.limit is {_shown(limit)}: {reason}. Right would be: {right}.",
        )
    return ()


def _dialling_problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    """What does not fit together in the section of the modem."""
    modem = values.get("modem")
    if not isinstance(modem, dict):
        return ()
    problems = []
    numbers = modem.get("numbers", [])
    port = modem.get("port")
    over_network = isinstance(port, str) and is_network_url(port)
    direct = over_network or modem.get("profile") == "direct"
    if isinstance(numbers, list) and direct == bool(numbers):
        right = _what_is_right(("modem", "numbers"))
        found = f"is {_shown(numbers)}" if "numbers" in modem else "is missing"
        problems.append(f"modem.numbers {found}. Right would be: {right}.")
    first, longest = modem.get("pause_seconds", 2), modem.get("pause_seconds_max", 60)
    if isinstance(first, int) and isinstance(longest, int) and first > longest >= 1:
        right = _what_is_right(("modem", "pause_seconds_max"))
        found = _shown(longest) if "pause_seconds_max" in modem else "left at 60"
        problems.append(
            f"modem.pause_seconds_max is {found}, and modem.pause_seconds is "
            f"{_shown(first)}. Right would be: {right}."
        )
    return tuple(problems)


def _reader_problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    customs = _text(values, "readers", "customs")
    if not customs or customs != _text(values, "readers", "purse"):
        return ()
    return (
        f"readers.customs is {_shown(customs)}, the same as readers.purse. Right "
        "would be: two different readers.",
    )


def _text(values: Mapping[str, Any], section: str, key: str) -> str | None:
    """One value, when it is a text where one is expected."""
    table = values.get(section)
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, str) else None
