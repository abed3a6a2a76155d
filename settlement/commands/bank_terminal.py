"""``raseed-bank terminal``: the counters that may upload, and their certificates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from card.records import mask_card_number
from modem.dial_plan import DialPlan
from modem.network import NetworkAddress, is_network_url
from modem.profiles import GENERIC, PROFILES
from settlement.bank_config import create_directory
from settlement.commands.bank_access import (
    bank_option,
    open_authority,
    open_bank,
    passphrase_option,
    unlocked,
)
from settlement.commands.bank_certificates import (
    certificate_document,
    certificate_state,
    days_option,
    renew,
    revoke,
    show,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.commands.terminal_kit import (
    LineSettings,
    TerminalSettings,
    refuse_inside,
    write_kit,
)
from settlement.errors import InputError, IssuingError
from settlement.issuing import Issuing
from settlement.money import currency_by_number, parse_amount
from settlement.pki_files import read_facts
from settlement.store.certificates import IssuedFor

if TYPE_CHECKING:
    from typing import Any

    from settlement.commands.bank_access import OpenBank
    from settlement.money import Currency
    from settlement.store.cards import TerminalRow

__all__ = ["terminal"]

_TERMINAL_ID: Final = re.compile(r"[A-Z0-9]{8}")
_OFFICE: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,14}")
_MID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class _Kit:
    """What is made for a terminal: its customs card's id, its folder, for how long."""

    mid: bytes
    output: Path
    days: int


@click.group(cls=PlainErrorsGroup)
def terminal() -> None:
    """Admit counter terminals and see which there are."""


@terminal.command(
    "add",
    epilog="""
Example:
  raseed-bank terminal add T0000007 --office SOHAR --mid 4355530000000007 \\
      --number 5551234 --output terminal-7
""",
)
@click.argument("terminal_id", metavar="ID")
@bank_option
@click.option("--office", required=True, help="Customs office code, such as SOHAR.")
@click.option(
    "--mid",
    required=True,
    metavar="HEX",
    help="Id of the customs card in the terminal, 16 hex digits.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="New folder for the terminal's certificate, key and terminal.toml.",
)
@click.option(
    "--number",
    "numbers",
    multiple=True,
    metavar="PHONE",
    help="The bank's telephone number as the terminal dials it. Repeat for more. None "
    "for a terminal that has a network.",
)
@click.option(
    "--modem-port",
    default="/dev/ttyS0",
    show_default=True,
    metavar="TTY",
    help="The modem's port at the terminal, or tls://HOST:PORT to reach this bank over "
    "a network.",
)
@click.option("--baud", default=9600, show_default=True, type=click.IntRange(min=300))
@click.option("--modem-init", default="ATZ", show_default=True, metavar="AT...")
@click.option(
    "--purse-reader", default="Raseed 00 00", show_default=True, metavar="NAME"
)
@click.option(
    "--customs-reader", default="Raseed 00 01", show_default=True, metavar="NAME"
)
@click.option(
    "--limit",
    default="2000",
    show_default=True,
    metavar="AMOUNT",
    help="Largest payment that this counter takes.",
)
@days_option
@click.option(
    "--again",
    is_flag=True,
    help="The terminal is known: bind it anew, give it a new certificate. Its earlier "
    "ones stay good until the new one is first used; revoke them first if its machine "
    "was lost or stolen.",
)
@passphrase_option
@json_option
@click.pass_context
def add(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    terminal_id: str,
    bank: Path,
    office: str,
    mid: str,
    output: Path,
    numbers: tuple[str, ...],
    modem_port: str,
    baud: int,
    modem_init: str,
    purse_reader: str,
    customs_reader: str,
    limit: str,
    days: int,
    again: bool,
    passphrase_file: str | None,
) -> None:
    """Admit the terminal ID: bind it to its customs card and office, certify it.

    Writes ca.pem, terminal.pem, terminal.key and a ready terminal.toml to a new folder,
    to be carried to the counter. Payments of its customs card are posted to the
    office's accounts.
    """
    _check_line(modem_port, numbers, modem_init, baud)
    if purse_reader == customs_reader:
        raise click.UsageError("The two cards need two readers.")
    card_id = _mid(mid)
    _check(_TERMINAL_ID, terminal_id, "terminal id: 8 digits or capital letters")
    _check(_OFFICE, office, "office code: 1 to 15 digits, capital letters or dashes")
    with open_bank(bank) as opened:
        settings = TerminalSettings(
            terminal_id=terminal_id,
            office=office,
            limit=parse_amount(limit, _currency(opened, office)),
            purse_reader=purse_reader,
            customs_reader=customs_reader,
            line=LineSettings(
                port=modem_port,
                baud=baud,
                init=modem_init,
                numbers=numbers,
                server_name=opened.directory.settings.server_name,
            ),
        )
        _refuse_taken(opened, terminal_id, card_id, again=again)
        row = _admit(
            ctx, opened, settings, _Kit(card_id, output, days), passphrase_file
        )
    facts = [
        ("Terminal", f"{row.terminal_id}, admitted"),
        ("Customs card", mask_card_number(row.mid)),
        ("Office", row.office),
        ("Folder", f"{output}, to be carried to the counter"),
        (
            "Next",
            f"raseed-card personalise --kind customs --terminal {row.terminal_id}; at "
            "the counter: raseed-terminal run --config terminal.toml",
        ),
    ]
    document = _document(row) | {"directory": str(output)}
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


for _command in (renew, revoke, show):
    terminal.add_command(_command)


@terminal.command("list")
@bank_option
@json_option
@click.pass_context
def list_terminals(ctx: click.Context, *, bank: Path) -> None:
    """List the terminals with customs card, office and newest certificate of each."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.read() as books:
        rows = [
            (row, books.certificates.of_terminal(row.terminal_id))
            for row in books.cards.terminals()
        ]
    output_of(ctx).show(
        {
            "terminals": [
                _document(row)
                | {
                    "certificate": certificate_document(held[-1], held, now)
                    if held
                    else None
                }
                for row, held in rows
            ]
        },
        lambda console: console.print(
            table(
                ["Terminal", "Customs card", "Office", "Certificate"],
                [
                    (
                        row.terminal_id,
                        mask_card_number(row.mid),
                        row.office,
                        certificate_state(held[-1], held, now) if held else "none",
                    )
                    for row, held in rows
                ],
            )
        ),
    )


def _refuse_taken(
    opened: OpenBank, terminal_id: str, mid: bytes, *, again: bool
) -> None:
    with opened.store.read() as books:
        known = books.cards.terminal(terminal_id)
        holders = [row for row in books.cards.terminals() if row.mid == mid]
    for holder in holders:
        if holder.terminal_id == terminal_id:
            continue
        raise IssuingError(
            f"customs card {mask_card_number(mid)} belongs to terminal "
            f"{holder.terminal_id}. Nothing was changed; every terminal has a customs "
            "card of its own"
        )
    if known is not None and not again:
        raise IssuingError(
            f"terminal {terminal_id} is admitted already (office {known.office}, "
            f"customs card {mask_card_number(known.mid)}). Nothing was changed; with "
            "--again it gets a new certificate and the binding given now"
        )


def _admit(
    ctx: click.Context,
    opened: OpenBank,
    settings: TerminalSettings,
    kit: _Kit,
    passphrase_file: str | None,
) -> TerminalRow:
    environment = environment_of(ctx)
    output = kit.output
    directory = opened.directory
    refuse_inside(directory, output)
    with (
        create_directory(output, what="a terminal's folder") as folder,
        unlocked(directory, passphrase_file) as (keys, passphrase),
    ):
        authority = open_authority(directory, passphrase)
        now = environment.clock()
        identity = authority.issue_terminal(settings.terminal_id, now, kit.days)
        write_kit(folder, settings, authority, identity)
        with opened.store.write() as books:
            facts = read_facts(identity.certificate_pem)
            for_admission = IssuedFor.ADMISSION
            books.certificates.add(facts, for_admission, environment.user(), now)
        # Last before the folder gets its name: a terminal that is bound and has no
        # folder is put right with --again; one with a certificate the bank does not
        # know would be turned away at its first call.
        return Issuing(opened.store, keys, environment.clock).register_customs_card(
            mid=kit.mid,
            terminal_id=settings.terminal_id,
            office=settings.office,
            currency=settings.limit.currency.number,
            kv=directory.settings.key_version,
        )


def _currency(opened: OpenBank, office: str) -> Currency:
    """What an office collects; the bank's currency where it is not known yet."""
    with opened.store.read() as books:
        known = books.offices.office(office)
    if known is None:
        return opened.directory.currency
    return currency_by_number(known.currency)


def _check_line(
    port: str, numbers: tuple[str, ...], modem_init: str, baud: int
) -> None:
    """Refuse what the terminal could not call by."""
    profile = GENERIC
    try:
        if is_network_url(port):
            NetworkAddress.parse(port)
            profile = PROFILES["direct"]
        DialPlan(numbers=numbers, init=modem_init, baud=baud, profile=profile)
    except ValueError as error:
        raise click.UsageError(
            f"--modem-port, --number, --modem-init or --baud: {error}."
        ) from None


def _check(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise InputError(f"'{text}' is no {what}. Nothing was changed.")


def _mid(text: str) -> bytes:
    try:
        mid = bytes.fromhex(text)
    except ValueError:
        mid = b""
    if len(mid) != _MID_BYTES:
        raise InputError(
            "The MID of a customs card is 16 hex digits. Nothing was done."
        )
    return mid


def _document(row: TerminalRow) -> dict[str, Any]:
    return {
        "terminal": row.terminal_id,
        "customs_card": mask_card_number(row.mid),
        "office": row.office,
        "key_version": row.kv,
    }
