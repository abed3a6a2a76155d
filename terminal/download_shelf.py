"""What the bank has published, as this counter uses it.

The shelf is a copy: the bank owns what stands on it. It is asked by the counter (is
this card stopped? what is the limit?) and by whatever lists services and payment
requests. Any thread may ask; the one that makes the call puts new contents on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from settlement.download import DownloadKind
from settlement.download_codec import nothing_held
from settlement.download_items import (
    Parameters,
    parse_parameters,
    parse_request,
    parse_service,
)
from settlement.download_machine import Stock
from settlement.errors import DownloadError
from settlement.messages import TerminalVersions
from terminal.catalogue import plain
from terminal.download_failures import note_failure
from terminal.download_files import ClockNote, DownloadFiles, Kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from settlement.download import Entries, Held, OfferHead
    from settlement.download_events import ChunkReceived, DownloadBegun, Downloaded
    from settlement.download_items import PaymentRequest, Service
    from terminal.download_failures import FailureNote

__all__ = ["CLOCK_LIMIT_DEFAULT", "Shelf", "ShelfState"]

CLOCK_LIMIT_DEFAULT: Final = timedelta(minutes=2)
"""How far the clocks may be apart before the clerk is told, when the bank says nothing:
a payment's time goes onto the customer's statement."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfState:
    """One kind as it stands.

    Attributes:
        version: 0 when nothing was ever fetched.
        count: entries.
        fetched_at: when it came down, aware UTC; None when it never did.
        is_damaged: its file cannot be used and is fetched again with the next call.
        unfinished_bytes: what has come of a newer one so far.
        failure: a newer one that came and could not be used, or None.
    """

    kind: DownloadKind
    version: int
    count: int
    fetched_at: datetime | None
    is_damaged: bool
    unfinished_bytes: int
    failure: FailureNote | None = None


class Shelf:
    """All kinds, read once from their files and replaced when something comes."""

    def __init__(self, state: Path) -> None:
        """Read what is in the counter's state folder."""
        self._files = DownloadFiles(state)
        found = {kind: self._files.read(kind) for kind in DownloadKind}
        self._kept = {kind: kept for kind, kept in found.items() if kept is not None}
        self._clock = self._files.read_clock()

    # What the counter asks.

    def is_stopped(self, card_id: bytes) -> bool:
        """Whether a card is on the hotlist."""
        return card_id in self._entries(DownloadKind.HOTLIST)

    @property
    def parameters(self) -> Parameters:
        """The bank's rules for this counter."""
        return parse_parameters(self._entries(DownloadKind.PARAMETERS))

    @property
    def clock(self) -> ClockNote | None:
        """How the clocks stood at the last call."""
        return self._clock

    @property
    def clock_limit(self) -> timedelta:
        """By how much the clocks may differ."""
        seconds = self.parameters.clock_limit_s
        return CLOCK_LIMIT_DEFAULT if seconds is None else timedelta(seconds=seconds)

    @property
    def is_clock_off(self) -> bool:
        """Whether the clocks differed by more than that."""
        return self._clock is not None and abs(self._clock.ahead) > self.clock_limit

    def services(self) -> list[Service]:
        """The catalogue, by code."""
        return _items(self._entries(DownloadKind.CATALOGUE), parse_service)

    def requests(self, office: str = "") -> list[PaymentRequest]:
        """The payment requests, by number.

        Args:
            office: only those that can be paid at this office, when it is named.
        """
        found = _items(self._entries(DownloadKind.REQUESTS), parse_request)
        return [one for one in found if not office or one.office in {"", office}]

    def stopped_cards(self) -> list[bytes]:
        """The numbers on the hotlist, ascending."""
        return sorted(self._entries(DownloadKind.HOTLIST))

    def parameter_texts(self) -> dict[str, str]:
        """All parameters as the bank wrote them, those not known here among them."""
        entries = self._entries(DownloadKind.PARAMETERS)
        return {_plain(name): _plain(entries[name]) for name in sorted(entries)}

    def state(self, kind: DownloadKind) -> ShelfState:
        """How one kind stands, its files looked at."""
        kept = self._kept.get(kind)
        partial = self._files.read_partial(kind)
        return ShelfState(
            kind=kind,
            version=kept.held.version if kept else 0,
            count=len(kept.entries) if kept else 0,
            fetched_at=kept.at if kept else None,
            is_damaged=self._files.is_damaged(kind),
            unfinished_bytes=len(partial.data) if partial else 0,
            failure=self.failure(kind),
        )

    # What the call brings.

    def versions(self) -> TerminalVersions:
        """What a logon tells of what is held."""
        return TerminalVersions.of_held({k: self._held(k) for k in DownloadKind})

    def stocks(self, now: datetime) -> list[Stock]:
        """What is held, for the machine: the short ones before the long ones."""
        failures = {kind: self.failure(kind) for kind in DownloadKind}
        useless = {
            kind: note.target
            for kind, note in failures.items()
            if note is not None and not note.is_due(now)
        }
        order = (
            DownloadKind.PARAMETERS,
            DownloadKind.HOTLIST,
            DownloadKind.CATALOGUE,
            DownloadKind.REQUESTS,
        )
        return [
            Stock(
                kind=kind,
                held=self._held(kind),
                entries=self._entries(kind),
                partial=self._files.resume_partial(kind),
                failed=useless.get(kind),
            )
            for kind in order
        ]

    def begin(self, event: DownloadBegun) -> None:
        """A payload begins. Raises DownloadStoreError when it cannot be kept."""
        self._files.begin_partial(event.kind, event.base, event.head)

    def add(self, event: ChunkReceived) -> None:
        """The next chunk. Raises DownloadStoreError when it cannot be kept."""
        self._files.add_chunk(event.kind, event.data)

    def forget(self, kind: DownloadKind) -> None:
        """A payload that was begun is of no use."""
        self._files.forget_partial(kind)

    def failure(self, kind: DownloadKind) -> FailureNote | None:
        """What came of this kind and could not be used, unless it is in use by now."""
        note = self._files.read_failure(kind)
        return None if note is None or note.target == self._held(kind) else note

    def note_failure(
        self, kind: DownloadKind, head: OfferHead, reason: str, now: datetime
    ) -> FailureNote:
        """Remember what could not be used.

        Raises:
            DownloadStoreError: it could not be written; it would be fetched again.
        """
        note = note_failure(self.failure(kind), head, reason, now)
        self._files.write_failure(kind, note)
        return note

    def put(self, event: Downloaded, now: datetime) -> None:
        """Take a new content into use, once it is durable.

        Raises:
            DownloadStoreError: it could not be written; the one before stays in use.
        """
        kept = Kept(
            kind=event.kind,
            held=event.held,
            at=now.astimezone(UTC).replace(microsecond=0),
            entries=event.entries,
        )
        self._files.write(kept)
        self._kept = {**self._kept, event.kind: kept}

    def note_clock(self, ahead: timedelta, now: datetime) -> None:
        """Keep how the clocks stand. Raises DownloadStoreError when it cannot."""
        self._clock = ClockNote(ahead=ahead, at=now.astimezone(UTC))
        self._files.write_clock(self._clock)

    def _entries(self, kind: DownloadKind) -> Entries:
        kept = self._kept.get(kind)
        return kept.entries if kept else {}

    def _held(self, kind: DownloadKind) -> Held:
        kept = self._kept.get(kind)
        return kept.held if kept else nothing_held(kind)


def _plain(text: bytes) -> str:
    return plain(text.decode(errors="replace"))


def _items(entries: Entries, parse: Callable[[bytes, bytes], ItemT]) -> list[ItemT]:
    """What can be read; an item of a newer bank that cannot be is passed over."""
    items = []
    for key in sorted(entries):
        try:
            items.append(parse(key, entries[key]))
        except DownloadError:
            continue
    return items
