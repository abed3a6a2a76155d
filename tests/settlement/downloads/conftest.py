"""A bank that publishes, a terminal's machine, and a line that can break off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from settlement.download import DownloadKind, DownloadQuery, Entries, Offer
from settlement.download_codec import nothing_held
from settlement.download_events import (
    ChunkReceived,
    DownloadBegun,
    Downloaded,
    DownloadEvent,
    DownloadFailed,
)
from settlement.download_machine import DownloadMachine, Partial, Stock
from settlement.download_offers import OfferMaker
from settlement.intake import IntakeMachine
from settlement.messages import LogonAnswer, ResponseCode
from settlement.store.publications import PublicationTables
from settlement.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.messages import RefusedMessage, TerminalVersions
    from settlement.terminal_call import Session

NOW = datetime(2025, 11, 22, 16, 30, tzinfo=UTC)
TERMINAL = "T0000007"
KEY = bytes(range(16))
HOTLIST = DownloadKind.HOTLIST


class PublishingBank:
    """A bank that answers logons and downloads, its tables in memory."""

    def __init__(self, tables: PublicationTables) -> None:
        self.tables = tables
        self.maker = OfferMaker()
        self.known = True
        self.questions: list[DownloadQuery] = []
        self.refused: list[RefusedMessage] = []

    def publish(self, kind: DownloadKind, entries: Entries) -> int:
        """Make ``entries`` the newest content of any kind."""
        if kind is not HOTLIST:
            return self.tables.publish(kind, entries, NOW)
        listed = self.tables.entries(kind, self.tables.newest(kind))
        gone = dict.fromkeys(listed.keys() - entries.keys(), "")
        wanted = dict.fromkeys(entries.keys() - listed.keys(), "")
        self.tables.list_cards(gone, listed=False, since=NOW)
        return self.tables.list_cards(wanted, listed=True, since=NOW)

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: datetime
    ) -> LogonAnswer:
        held, digests = self.maker.holdings(self.tables)
        if not self.known:
            text = "who is that?"
            return LogonAnswer(
                code=ResponseCode.NOT_PERMITTED, versions=held, text=text
            )
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=held, digests=digests)

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        self.questions.append(query)
        return self.maker.offer(self.tables, query)

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: datetime
    ) -> None:
        self.refused.append(refused)

    def intake(self) -> IntakeMachine:
        """The host's side of a new call."""
        return IntakeMachine(
            TERMINAL,
            self,  # type: ignore[arg-type]  # no batch comes in these calls
            KEY,
        )


class Counter:
    """What a terminal holds, and what it kept of an unfinished payload."""

    def __init__(self) -> None:
        self.stocks = {
            kind: Stock(kind=kind, held=nothing_held(kind), entries={})
            for kind in DownloadKind
        }
        self.events: list[DownloadEvent] = []
        self.bytes_down = 0
        self.messages = 0

    def entries(self, kind: DownloadKind = HOTLIST) -> Entries:
        return self.stocks[kind].entries

    def machine(self, session: Session | None = None) -> DownloadMachine:
        stocks = list(self.stocks.values())
        return DownloadMachine(TERMINAL, stocks, stan_start=1, session=session)

    def call(self, bank: PublishingBank, cut_after: int | None = None) -> None:
        """One call; the line is lost after so many answers."""
        machine, intake = self.machine(), bank.intake()
        self.events, self.bytes_down, self.messages = [], 0, 0
        while not machine.finished:
            for sent in machine.messages_to_send(NOW):
                for answer in intake.receive(sent, NOW):
                    if self.messages == cut_after:
                        return
                    self.messages += 1
                    self.bytes_down += len(answer)
                    for event in machine.receive(answer, NOW):
                        self.take(event)

    def take(self, event: DownloadEvent) -> None:
        self.events.append(event)
        match event:
            case DownloadBegun(kind=kind, base=base, head=head):
                self._keep(kind, Partial(base=base, head=head, data=b""))
            case ChunkReceived(kind=kind, data=data):
                part = self.stocks[kind].partial
                assert part is not None
                kept = Partial(base=part.base, head=part.head, data=part.data + data)
                self._keep(kind, kept)
            case Downloaded(kind=kind, held=held, entries=entries):
                self.stocks[kind] = Stock(kind=kind, held=held, entries=entries)
            case DownloadFailed(kind=kind):
                self._keep(kind, None)
            case _:
                pass

    def told(self, kind: type[DownloadEvent]) -> list[DownloadEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def _keep(self, kind: DownloadKind, partial: Partial | None) -> None:
        held = self.stocks[kind]
        self.stocks[kind] = Stock(
            kind=kind, held=held.held, entries=held.entries, partial=partial
        )


def make_bank(connection: sa.Connection) -> PublishingBank:
    metadata.create_all(connection)
    return PublishingBank(PublicationTables(connection))


@pytest.fixture
def bank() -> Iterator[PublishingBank]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        yield make_bank(connection)
    engine.dispose()


@pytest.fixture
def counter() -> Counter:
    return Counter()
