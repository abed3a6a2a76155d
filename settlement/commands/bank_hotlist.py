"""``raseed-bank hotlist``: cards that no counter and no card desk may serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_publish import (
    empty_option,
    published_facts,
    read_published,
    refuse_empty,
)
from settlement.commands.confirmation import confirm, yes_option
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    json_option,
    output_of,
    table,
)
from settlement.commands.reason import reason_option
from settlement.download import DownloadKind
from settlement.errors import InputError
from settlement.publish_check import check_publishable
from settlement.publish_files import card_number, read_hotlist

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from settlement.store.blocks import BlockRow
    from settlement.store.books import Books

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
@reason_option
@json_option
@click.pass_context
def add(ctx: click.Context, *, number: str, bank: Path, reason: str) -> None:
    """Put the card CID, 16 digits, on the hotlist."""
    _change_and_tell(ctx, bank, on={card_number(number): reason})


@hotlist.command()
@click.argument("number", metavar="CID")
@bank_option
@reason_option
@json_option
@click.pass_context
def remove(ctx: click.Context, *, number: str, bank: Path, reason: str) -> None:
    """Take the card CID, 16 digits, off the hotlist."""
    _change_and_tell(ctx, bank, off={card_number(number): reason})


@hotlist.command()
@click.argument("file", type=click.Path(path_type=Path))
@empty_option
@yes_option
@bank_option
@json_option
@click.pass_context
def replace(
    ctx: click.Context, *, file: Path, bank: Path, empty: bool, yes: bool
) -> None:
    """Make the cards in FILE the whole hotlist: one a line, the reason after it.

    Cards that are on the list now and not in FILE are let go: before that you are
    asked. A file without cards is refused unless --empty is given.
    """
    whole = read_published(file, read_hotlist)
    refuse_empty(file, len(whole), empty=empty)
    with open_bank(bank) as opened:
        with opened.store.read() as books:
            version = books.publications.newest(DownloadKind.HOTLIST)
            listed = books.publications.entries(DownloadKind.HOTLIST, version)
        gone = len(listed.keys() - whole.keys())
        if gone:
            question = (
                f"{_cards(gone)} of the {len(listed)} stopped now would be let go, and "
                "every counter serve them from its next call on. Go on?"
            )
            confirm(ctx, question, yes=yes)
        with opened.store.write() as books:
            books.publications.hold(DownloadKind.HOTLIST)
            if books.publications.newest(DownloadKind.HOTLIST) != version:
                raise InputError(
                    "Somebody has changed the hotlist meanwhile. Nothing was changed; "
                    "run the command again."
                )
            change = _change(books, environment_of(ctx).clock(), whole=whole)
    _tell(ctx, change)


@hotlist.command("list")
@bank_option
@click.option("--full-number", is_flag=True, help=_FULL_NUMBER)
@json_option
@click.pass_context
def list_cards(ctx: click.Context, *, bank: Path, full_number: bool) -> None:
    """List the cards on the hotlist: why, since when, and whether blocked by now.

    A card is blocked when a card desk sees it next; until then counters refuse it.
    """
    with open_bank(bank) as opened, opened.store.read() as books:
        rows = books.publications.hotlist()
        blocks = books.blocks.blocks()
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
                "blocked": _block_document(blocks.get(row.cid)),
            }
            for row in rows
        ],
    }
    lines = [
        (
            shown(row.cid),
            f"{row.since:%Y-%m-%d}",
            _block_words(blocks.get(row.cid)),
            row.reason,
        )
        for row in rows
    ]
    headings = ["Card", "Since", "Blocked", "Reason"]
    output_of(ctx).show(
        document,
        lambda console: console.print(table(headings, lines)),
    )


def _block_document(row: BlockRow | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {
        "at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "contact": row.contact,
        "how": "by command" if row.by_command else "found blocked",
        "user": row.user,
    }


def _block_words(row: BlockRow | None) -> str:
    if row is None:
        return "not seen yet"
    how = "" if row.by_command else ", was blocked before"
    return f"{row.at:%Y-%m-%d}, {row.contact}{how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What became of the hotlist: versions before and after, and numbers of cards."""

    before: int
    version: int
    added: int
    kept: int
    gone: int


def _change_and_tell(
    ctx: click.Context,
    bank: Path,
    *,
    on: Mapping[bytes, str] | None = None,
    off: Mapping[bytes, str] | None = None,
) -> None:
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.write() as books:
        change = _change(books, now, on=on, off=off)
    _tell(ctx, change)


def _change(
    books: Books,
    now: datetime,
    *,
    on: Mapping[bytes, str] | None = None,
    off: Mapping[bytes, str] | None = None,
    whole: Mapping[bytes, str] | None = None,
) -> _Change:
    """List cards, take some off, or make ``whole`` the list; one version each way."""
    tables = books.publications
    tables.hold(DownloadKind.HOTLIST)
    before = tables.newest(DownloadKind.HOTLIST)
    listed = tables.entries(DownloadKind.HOTLIST, before)
    if whole is not None:
        on = whole
        off = dict.fromkeys(listed.keys() - whole.keys(), "not in the new list")
    wanted = {cid: why for cid, why in (on or {}).items() if cid not in listed}
    gone = {cid: why for cid, why in (off or {}).items() if cid in listed}
    kept = listed.keys() - gone.keys()
    entries = dict.fromkeys(kept | wanted.keys(), b"")
    check_publishable(DownloadKind.HOTLIST, entries, listed)
    tables.list_cards(gone, listed=False, since=now)
    version = tables.list_cards(wanted, listed=True, since=now)
    return _Change(
        before=before,
        version=version,
        added=len(wanted),
        kept=len(kept),
        gone=len(gone),
    )


def _tell(ctx: click.Context, change: _Change) -> None:
    published_facts(
        ctx,
        DownloadKind.HOTLIST,
        before=change.before,
        version=change.version,
        entries=change.added + change.kept,
        counts={"added": change.added, "kept": change.kept, "let go": change.gone},
    )


def _cards(count: int) -> str:
    return "1 card" if count == 1 else f"{count} cards"
