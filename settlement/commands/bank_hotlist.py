"""``raseed-bank hotlist``: cards that no counter and no card desk may serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_publish import check_size, published_facts, read_file
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    json_option,
    output_of,
    table,
)
from settlement.download import ENTRIES_MAX, DownloadKind
from settlement.errors import InputError
from settlement.publish_files import NOTHING, REASON_MAX, card_number, read_hotlist

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["hotlist"]

_FULL_NUMBER: str = "Show whole card numbers."


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank hotlist add 6400000000000001 --reason "reported stolen"
  raseed-bank hotlist remove 6400000000000001 --reason "found again"
  raseed-bank hotlist replace hotlist.txt
""",
)
def hotlist() -> None:
    """Stop cards everywhere: at card desks at once, at counters with their next call.

    A payment of such a card that still comes in is posted if its certificate is good,
    and raises an incident.
    """


@hotlist.command()
@click.argument("number", metavar="CID")
@bank_option
@click.option("--reason", required=True, help="Why, for people at the bank.")
@json_option
@click.pass_context
def add(ctx: click.Context, *, number: str, bank: Path, reason: str) -> None:
    """Put the card CID, 16 digits, on the hotlist."""
    _change(ctx, bank, on={card_number(number): reason[:REASON_MAX]})


@hotlist.command()
@click.argument("number", metavar="CID")
@bank_option
@click.option("--reason", required=True, help="Why, for people at the bank.")
@json_option
@click.pass_context
def remove(ctx: click.Context, *, number: str, bank: Path, reason: str) -> None:
    """Take the card CID, 16 digits, off the hotlist."""
    _change(ctx, bank, off={card_number(number): reason[:REASON_MAX]})


@hotlist.command()
@click.argument("file", type=click.Path(path_type=Path))
@bank_option
@json_option
@click.pass_context
def replace(ctx: click.Context, *, file: Path, bank: Path) -> None:
    """Make the cards in FILE the whole hotlist: one a line, the reason after it."""
    _change(ctx, bank, whole=read_hotlist(read_file(file)))


@hotlist.command("list")
@bank_option
@click.option("--full-number", is_flag=True, help=_FULL_NUMBER)
@json_option
@click.pass_context
def list_cards(ctx: click.Context, *, bank: Path, full_number: bool) -> None:
    """List the cards on the hotlist, with the reason and since when."""
    with open_bank(bank) as opened, opened.store.read() as books:
        rows = books.publications.hotlist()
        version = books.publications.newest(DownloadKind.HOTLIST)

    def shown(cid: bytes) -> str:
        return cid.hex() if full_number else mask_card_number(cid)

    document = {
        "version": version,
        "cards": [
            {
                "card": shown(row.cid),
                "reason": row.reason,
                "since": f"{row.since:%Y-%m-%dT%H:%M:%SZ}",
            }
            for row in rows
        ],
    }
    lines = [(shown(row.cid), f"{row.since:%Y-%m-%d}", row.reason) for row in rows]
    output_of(ctx).show(
        document,
        lambda console: console.print(table(["Card", "Since", "Reason"], lines)),
    )


def _change(
    ctx: click.Context,
    bank: Path,
    *,
    on: Mapping[bytes, str] | None = None,
    off: Mapping[bytes, str] | None = None,
    whole: Mapping[bytes, str] | None = None,
) -> None:
    """List cards, take some off, or make ``whole`` the list; one version each way."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.write() as books:
        tables = books.publications
        before = tables.newest(DownloadKind.HOTLIST)
        listed = tables.entries(DownloadKind.HOTLIST, before)
        if whole is not None:
            on = whole
            off = dict.fromkeys(listed.keys() - whole.keys(), "not in the new list")
        wanted = {cid: why for cid, why in (on or {}).items() if cid not in listed}
        gone = {cid: why for cid, why in (off or {}).items() if cid in listed}
        entries = (listed.keys() | wanted.keys()) - gone.keys()
        if len(entries) > ENTRIES_MAX:
            raise InputError(f"More than {ENTRIES_MAX} cards. {NOTHING}")
        check_size(DownloadKind.HOTLIST, dict.fromkeys(entries, b""))
        tables.list_cards(gone, listed=False, since=now)
        version = tables.list_cards(wanted, listed=True, since=now)
    published_facts(
        ctx,
        DownloadKind.HOTLIST,
        before=before,
        version=version,
        entries=len(entries),
    )
