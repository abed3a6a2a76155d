"""``raseed-bank audit``: where a terminal's audit log stood, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.output import (
    ExampleCommand,
    json_option,
    output_of,
    table,
)
from settlement.errors import IssuingError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from settlement.store.heads import KeptHead

__all__ = ["audit"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank audit T0000007 --bank bank
  raseed-bank audit T0000007 --json > heads.json
""",
)
@click.argument("terminal_id", metavar="TERMINAL")
@bank_option
@json_option
@click.pass_context
def audit(ctx: click.Context, *, terminal_id: str, bank: Path) -> None:
    """List where the audit log of TERMINAL stood with each batch, oldest first.

    The list that --json writes is what raseed-terminal audit verify --heads takes: a
    log whose entries are not those that the bank was told of is not the log it was.
    """
    with open_bank(bank) as opened, opened.store.read() as books:
        known = books.cards.terminal(terminal_id) is not None
        kept = books.heads.of_terminal(terminal_id)
    if not known:
        raise IssuingError(
            f"the bank has no terminal {terminal_id}. Nothing was changed; "
            "raseed-bank terminal list shows those it has"
        )
    output_of(ctx).show(
        [_document(one) for one in kept], lambda console: _read(console, kept)
    )


def _document(kept: KeptHead) -> dict[str, Any]:
    return {
        "journal": kept.head.journal.hex().upper(),
        "entries": kept.head.entries,
        "digest": kept.head.digest.hex().upper(),
        "batch": kept.batch,
        "received_at": f"{kept.received_at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _read(console: Console, kept: list[KeptHead]) -> None:
    if not kept:
        console.print("This terminal has not told the bank of an audit log yet.")
        return
    rows = [
        (
            f"{one.received_at:%Y-%m-%d %H:%M}",
            str(one.batch),
            one.head.journal.hex().upper(),
            str(one.head.entries),
            one.head.digest.hex().upper(),
        )
        for one in kept
    ]
    headings = ["Received (UTC)", ">Batch", "Journal", ">Entries", "Link of the newest"]
    console.print(table(headings, rows))
