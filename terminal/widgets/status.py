"""The status line: what a clerk may have to worry about, on every screen.

Each item is a symbol and words; its colour only repeats them. First row: the
machine (both readers, the line). Second row: the money (batch, what waits for the
bank, what is interrupted), and the disk where it keeps payments from being taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, assert_never

from textual.containers import Horizontal, Vertical

from terminal.catalogue import tr, trn
from terminal.disk import DiskTrouble
from terminal.snapshot import LineState, ReaderState
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.snapshot import CounterSnapshot


@unique
class Level(StrEnum):
    """How much an item asks for attention; each has its symbol."""

    GOOD = "good"
    QUIET = "quiet"
    BUSY = "busy"
    WARNING = "warning"
    BAD = "bad"


SYMBOLS = {
    Level.GOOD: "✓",
    Level.QUIET: "○",
    Level.BUSY: "●",
    Level.WARNING: "▲",
    Level.BAD: "✗",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the status line."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"{SYMBOLS[self.level]} {self.text}"


class StatusLine(Vertical):
    """Two rows at the bottom of every screen, above the function keys."""

    def compose(self) -> ComposeResult:
        """Six items in two rows, and before the second one trouble with the disk."""
        with Horizontal(classes="status-row"):
            yield Words(id="status-purse", classes="status-item")
            yield Words(id="status-customs", classes="status-item")
            yield Words(id="status-line", classes="status-item")
        with Horizontal(classes="status-row"):
            yield Words(id="status-disk", classes="status-item")
            yield Words(id="status-batch", classes="status-item")
            yield Words(id="status-waiting", classes="status-item")
            yield Words(id="status-interrupted", classes="status-item")

    def show(self, picture: CounterSnapshot) -> None:
        """Draw all items."""
        self._put("status-purse", purse_item(picture))
        self._put("status-customs", customs_item(picture))
        self._put("status-line", line_item(picture))
        disk = disk_item(picture)
        self.query_one("#status-disk").display = disk is not None
        if disk is not None:
            self._put("status-disk", disk)
        self._put("status-batch", batch_item(picture))
        self._put("status-waiting", waiting_item(picture))
        self._put("status-interrupted", interrupted_item(picture))

    def _put(self, name: str, item: Item) -> None:
        words = self.query_one(f"#{name}", Words)
        words.show(str(item))
        for level in Level:
            words.set_class(level is item.level, f"-{level}")


def purse_item(picture: CounterSnapshot) -> Item:
    """The customer's reader."""
    match picture.purse_reader.state:
        case ReaderState.MISSING:
            return Item(level=Level.BAD, text=tr("Card reader missing"))
        case ReaderState.EMPTY:
            return Item(level=Level.QUIET, text=tr("No card inserted"))
        case ReaderState.CARD_PRESENT:
            return Item(level=Level.BUSY, text=tr("Card inserted"))
        case ReaderState.READY:
            return Item(level=Level.GOOD, text=tr("Card ready"))
        case ReaderState.WRONG_CARD:
            return Item(level=Level.BAD, text=tr("Wrong card inserted"))
        case _:
            assert_never(picture.purse_reader.state)


def customs_item(picture: CounterSnapshot) -> Item:
    """The customs card in its own reader."""
    if picture.customs is not None:
        merchant = picture.customs.merchant_masked
        return Item(level=Level.GOOD, text=tr("Customs card {number}", number=merchant))
    match picture.customs_reader.state:
        case ReaderState.CARD_PRESENT | ReaderState.READY if picture.trouble:
            return Item(level=Level.BAD, text=tr("Customs card not usable"))
        case ReaderState.MISSING:
            return Item(level=Level.BAD, text=tr("Customs card reader missing"))
        case ReaderState.EMPTY:
            return Item(level=Level.BAD, text=tr("No customs card"))
        case ReaderState.CARD_PRESENT | ReaderState.READY:
            return Item(level=Level.BUSY, text=tr("Customs card being read"))
        case ReaderState.WRONG_CARD:
            return Item(level=Level.BAD, text=tr("Wrong customs card"))
        case _:
            assert_never(picture.customs_reader.state)


def line_item(picture: CounterSnapshot) -> Item:
    """The telephone line."""
    match picture.line:
        case LineState.IDLE:
            return Item(level=Level.QUIET, text=tr("Line idle"))
        case LineState.DIALLING:
            return Item(level=Level.BUSY, text=tr("Line dialling"))
        case LineState.CONNECTED:
            return Item(level=Level.BUSY, text=tr("Line connected"))
        case _:
            assert_never(picture.line)


def disk_item(picture: CounterSnapshot) -> Item | None:
    """Trouble with the disk; a good one is not worth the room."""
    match picture.disk:
        case None:
            return None
        case DiskTrouble.FULL:
            return Item(level=Level.BAD, text=tr("Disk full"))
        case DiskTrouble.READ_ONLY:
            return Item(level=Level.BAD, text=tr("Disk read-only"))
        case DiskTrouble.NO_PERMISSION:
            return Item(level=Level.BAD, text=tr("Disk: no access"))
        case DiskTrouble.MISSING:
            return Item(level=Level.BAD, text=tr("Disk missing"))
        case DiskTrouble.FAILED:
            return Item(level=Level.BAD, text=tr("Disk error"))
        case _:
            assert_never(picture.disk)


def batch_item(picture: CounterSnapshot) -> Item:
    """The open batch: number, count and sum."""
    if picture.batch is None:
        return Item(level=Level.QUIET, text=tr("Batch not known yet"))
    text = tr(
        "Batch {number} · {count} paid · {total}",
        count=picture.batch.count,
        number=picture.batch.number,
        total=picture.batch.total,
    )
    return Item(level=Level.GOOD, text=text)


def waiting_item(picture: CounterSnapshot) -> Item:
    """Closed batches that the bank has not taken."""
    count = len(picture.unsettled)
    if count == 0:
        return Item(level=Level.GOOD, text=tr("{count} waiting", count=0))
    text = trn("{count} batch waiting", "{count} batches waiting", count=count)
    return Item(level=Level.WARNING, text=text)


def interrupted_item(picture: CounterSnapshot) -> Item:
    """Payments whose end is still open."""
    if picture.interrupted == 0:
        return Item(level=Level.GOOD, text=tr("{count} interrupted", count=0))
    text = tr("{count} interrupted", count=picture.interrupted)
    return Item(level=Level.WARNING, text=text)
