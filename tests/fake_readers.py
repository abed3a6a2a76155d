"""Two readers and a clock inside the process, for tests with a whole counter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self

from card.apdu import CommandAPDU, ResponseAPDU
from card.errors import CardRemovedError, NoCardError, ReaderError
from card.profile import Role
from terminal.readers import ReaderEvent, ReaderEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {Role.PURSE: "Desk Reader 00 00", Role.CUSTOMS: "Desk Reader 00 01"}
# Real clocks never stand on a whole second; cards know nothing else.
START = datetime(2025, 11, 22, 14, 15, 0, 123_456, tzinfo=UTC)


class Stopped(BaseException):
    """The program stops here, as at a power cut; nothing in it may catch this."""


class SimulatedCard(Protocol):
    """Bytes in, bytes out; the part of a simulated card that a reader sees."""

    def process(self, apdu: bytes) -> bytes: ...

    def reset(self) -> None: ...


@dataclass
class Faults:
    """What goes wrong at the n-th command (from 0) after `arm`.

    Attributes:
        kind: ``"lost"`` carries the command out and loses the answer, ``"unsent"``
            loses the command, ``"stop-before"`` and ``"stop-after"`` stop the program.
        removes: the card is out of its reader afterwards.
    """

    kind: str = ""
    at: int = -1
    removes: bool = False
    count: int = 0
    log: list[tuple[Role, str]] = field(default_factory=list)

    def arm(self, kind: str, at: int, *, removes: bool = False) -> None:
        self.kind, self.at, self.removes, self.count = kind, at, removes, 0
        self.log.clear()

    def disarm(self) -> None:
        self.kind = ""

    def strikes(self) -> bool:
        self.count += 1
        return bool(self.kind) and self.count - 1 == self.at


class FakeConnection:
    """A connection that dies with its card's removal."""

    def __init__(self, readers: FakeReaders, role: Role, card: SimulatedCard) -> None:
        self._readers = readers
        self._role = role
        self._card: SimulatedCard | None = card
        card.reset()

    @property
    def channel(self) -> Self:
        return self

    def close(self) -> None:
        if self._card is not None:
            self._card.reset()
            self._card = None

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        if self._card is None or self._readers.cards.get(self._role) is not self._card:
            self._card = None
            raise NoCardError("the connection has ended")
        faults = self._readers.faults
        faults.log.append((self._role, command.name))
        if not faults.strikes():
            return ResponseAPDU.parse(self._card.process(command.to_bytes()))
        return self._strike(command, faults)

    def _strike(self, command: CommandAPDU, faults: Faults) -> ResponseAPDU:
        assert self._card is not None
        if faults.kind == "stop-before":
            raise Stopped
        if faults.kind != "unsent":
            self._card.process(command.to_bytes())
        if faults.kind == "stop-after":
            raise Stopped
        self._card = None
        if faults.removes:
            self._readers.remove(self._role)
        raise CardRemovedError("the card left")


class FakeReaders:
    """Two readers inside the process, with a watch that tells at once."""

    def __init__(self) -> None:
        self.cards: dict[Role, SimulatedCard] = {}
        self.faults = Faults()
        self.present = set(NAMES.values())
        self._listeners: list[Callable[[ReaderEvent], None]] = []

    def insert(self, role: Role, card: SimulatedCard) -> None:
        self.cards[role] = card
        self._tell(role, ReaderEventKind.INSERTED)

    def remove(self, role: Role) -> SimulatedCard | None:
        card = self.cards.pop(role, None)
        self._tell(role, ReaderEventKind.REMOVED)
        return card

    def readers(self) -> list[str]:
        return sorted(self.present)

    def open_card(self, reader: str) -> FakeConnection:
        if reader not in self.present:
            raise ReaderError("gone")
        role = next(role for role, name in NAMES.items() if name == reader)
        if role not in self.cards:
            raise NoCardError("empty")
        return FakeConnection(self, role, self.cards[role])

    def watch(self, listener: Callable[[ReaderEvent], None]) -> FakeWatch:
        return FakeWatch(self, listener)

    def _tell(self, role: Role, kind: ReaderEventKind) -> None:
        for listener in list(self._listeners):
            listener(ReaderEvent(reader=NAMES[role], kind=kind))


class FakeWatch:
    """Tells from the thread that moves a card; what lies there first."""

    def __init__(
        self, readers: FakeReaders, listener: Callable[[ReaderEvent], None]
    ) -> None:
        self._readers = readers
        self._listener = listener

    def start(self) -> None:
        self._readers._listeners.append(self._listener)
        for role, name in NAMES.items():
            event = ReaderEvent(reader=name, kind=ReaderEventKind.READER_ADDED)
            self._listener(event)
            if role in self._readers.cards:
                event = ReaderEvent(reader=name, kind=ReaderEventKind.INSERTED)
                self._listener(event)

    def stop(self) -> None:
        if self._listener in self._readers._listeners:
            self._readers._listeners.remove(self._listener)


class Clock:
    """A clock that goes on one second with every look."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now
