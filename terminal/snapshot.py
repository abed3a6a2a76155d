"""What the screens draw: an immutable picture of the counter at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from card.profile import Role
    from settlement.money import Currency, Money
    from terminal.disk import DiskTrouble
    from terminal.errors import Advice

__all__ = [
    "BatchView",
    "CounterEvent",
    "CounterEventKind",
    "CounterSnapshot",
    "CustomsCardView",
    "LineState",
    "ReaderState",
    "ReaderView",
    "UnsettledBatch",
]


@unique
class ReaderState(StrEnum):
    """What is known of a reader and the card in it."""

    MISSING = "missing"
    """No reader of the configured name."""
    EMPTY = "empty"
    CARD_PRESENT = "card-present"
    """A card is there; for a purse it has not been judged yet."""
    READY = "ready"
    """The card has been read and is of the right kind."""
    WRONG_CARD = "wrong-card"
    """The card has been read and is not of the right kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderView:
    """One of the two readers."""

    role: Role
    name: str
    state: ReaderState


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsCardView:
    """The customs card that is ready in its reader."""

    merchant_masked: str
    holder: str
    expiry: date
    open_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """The batch that payments go into now."""

    number: int
    count: int
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsettledBatch:
    """A closed batch that the bank has not taken yet.

    Attributes:
        code: the bank's last response code, empty when there was none.
        text: the bank's own words with it, or empty.
    """

    number: int
    count: int
    total: Money
    closed_at: datetime
    code: str = ""
    text: str = ""


@unique
class LineState(StrEnum):
    """The telephone line."""

    IDLE = "idle"
    DIALLING = "dialling"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSnapshot:
    """Everything on the status line, and what the screens branch on.

    Attributes:
        customs: None while no customs card is ready.
        batch: None while no customs card has been read since the start.
        interrupted: payments whose end is still open.
        trouble: why the card in the customs reader takes no payments, known as soon
            as that card was read; None while there is nothing to say.
        disk: why no new payment can be kept, and none is begun; None when all is well.
    """

    terminal_id: str
    office: str
    clerk: str
    currency: Currency
    purse_reader: ReaderView
    customs_reader: ReaderView
    customs: CustomsCardView | None
    batch: BatchView | None
    unsettled: tuple[UnsettledBatch, ...]
    interrupted: int
    line: LineState
    last_paid_at: datetime | None = None
    trouble: Advice | None = None
    disk: DiskTrouble | None = None


@unique
class CounterEventKind(StrEnum):
    """What changed; the screens take a new snapshot after each."""

    CARD_INSERTED = "card-inserted"
    CARD_REMOVED = "card-removed"
    READERS_CHANGED = "readers-changed"
    STATE_CHANGED = "state-changed"
    NEWS = "news"
    """Interrupted payments were settled by the way: `on_card_inserted` has the news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterEvent:
    """Told to listeners from another thread than theirs: only post it on.

    Attributes:
        role: whose reader, or None when the event is about neither.
    """

    kind: CounterEventKind
    role: Role | None = None
