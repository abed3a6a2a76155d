"""What a new counter terminal gets from the bank: its certificate and its settings.

The kit is one folder: ``ca.pem``, ``terminal.pem``, ``terminal.key`` (mode 0600) and
``terminal.toml``, ready for ``raseed-terminal run --config``. It is made on the bank's
machine and carried to the counter; the key is nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settlement.bank_config import BankDirectoryError, write_file
from settlement.money import format_amount

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.bank_config import BankDirectory
    from settlement.money import Money
    from settlement.pki import Authority, Identity

__all__ = [
    "LineSettings",
    "TerminalSettings",
    "refuse_inside",
    "terminal_toml",
    "write_kit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """How a terminal dials; all of it can be changed at the counter."""

    port: str
    baud: int
    init: str
    numbers: tuple[str, ...]
    server_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSettings:
    """What one ``terminal.toml`` says.

    Attributes:
        terminal_id: 8 characters, also the certificate's common name.
        limit: the largest payment this counter takes.
    """

    terminal_id: str
    office: str
    limit: Money
    purse_reader: str
    customs_reader: str
    line: LineSettings


def refuse_inside(directory: BankDirectory, output: Path) -> None:
    """Refuse a terminal's folder within the bank's own, which is in every backup.

    Raises:
        BankDirectoryError: ``output`` lies there. Nothing was changed.
    """
    if output.resolve().is_relative_to(directory.path.resolve()):
        raise BankDirectoryError(
            f"'{output}' lies in the bank's own directory, where a terminal's key must "
            "not stay. Nothing was changed; name a folder elsewhere."
        )


def write_kit(
    folder: Path, settings: TerminalSettings, authority: Authority, identity: Identity
) -> None:
    """Fill ``folder``, which exists and is empty, with the terminal's four files."""
    write_file(folder / "ca.pem", authority.certificate_pem, private=False)
    write_file(folder / "terminal.pem", identity.certificate_pem, private=False)
    write_file(folder / "terminal.key", identity.key_pem, private=True)
    text = terminal_toml(settings)
    write_file(folder / "terminal.toml", text.encode(), private=False)


def terminal_toml(settings: TerminalSettings) -> str:
    """The text of ``terminal.toml``."""
    line = settings.line
    currency = settings.limit.currency
    limit = format_amount(settings.limit.amount_minor, currency).replace(",", "")
    return f"""\
# Settings of counter terminal {settings.terminal_id}; paths are relative to this file.

[terminal]
id = {_quoted(settings.terminal_id)}
office = {_quoted(settings.office)}
currency = {_quoted(currency.code)}
clerk = "1"

[readers]  # a reader's name, or a part that only one reader has
purse = {_quoted(settings.purse_reader)}
customs = {_quoted(settings.customs_reader)}

[modem]
port = {_quoted(line.port)}
baud = {line.baud}
init = {_quoted(line.init)}
numbers = [{", ".join(_quoted(number) for number in line.numbers)}]
server_name = {_quoted(line.server_name)}
# What follows has these defaults; take the mark away to change one.
# profile = "generic"          # generic, fax, gsm; direct: a line without a modem
# prefix = ""                  # dialled before each number, behind an exchange "0,"
# dialling = "tone"            # or "pulse"
# wait_for_dial_tone = true    # false where the modem does not know the dial tone
# rounds = 2                   # how often all numbers are tried, 1 to 10
# pause_seconds = 2            # after an attempt in vain; doubles with each round
# pause_seconds_max = 60       # the longest pause, up to 600
# connect_seconds = 60         # patience from dialling to a connection, 10 to 255

[security]
ca = "ca.pem"
certificate = "terminal.pem"
key = "terminal.key"

[state]
directory = "state"

[payment]
limit = {_quoted(limit)}
declaration_pattern = "[A-Z0-9][A-Z0-9/-]{{3,23}}"
"""


def _quoted(text: str) -> str:
    # A JSON string without bare control characters is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)
