"""Two readers inside the process, for a whole counter or desk without PC/SC.

A card in a reader is powered by a connection and loses its volatile state with it. A
fault of the channel ends the connection, as a failed transmit does; a card that is torn
out leaves its reader, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

from card.apdu import CommandAPDU, ResponseAPDU
from card.errors import CardRemovedError, NoCardError, OutcomeUnknownError
from card.profile import Role
from sim.cards.errors import CardTakenError
from sim.world.fate import Fate, FaultKind, Site
from terminal.readers import ReaderEvent, ReaderEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["READERS", "CardPower", "SimulatedCard", "WorldReaders"]

READERS: Final = {Role.PURSE: "Desk Reader 00 00", Role.CUSTOMS: "Desk Reader 00 01"}
"""A reader's name for each role, as PC/SC would list them."""


class SimulatedCard(Protocol):
    """The part of a simulated card that a reader sees."""

    def process(self, apdu: bytes) -> bytes:
        """Carry out one command; the response with SW1 SW2."""
        ...

    def reset(self) -> None:
        """Forget what is not in the memory."""
        ...


class CardPower:
    """A card's power, which the world's fate can cut around each commit."""

    def __init__(self, fate: Fate, name: str) -> None:
        """Be the power of the card called ``name`` in stories."""
        self._fate = fate
        self._name = name
        self._cuts_after = False

    def before_commit(self) -> None:
        """See `sim.cards.tearing.Power`."""
        kind = self._fate.at(Site.COMMIT, f"commit of the {self._name}")
        self._cuts_after = kind is FaultKind.TORN_AFTER
        if kind is FaultKind.TORN_BEFORE:
            raise CardTakenError

    def after_commit(self) -> None:
        """See `sim.cards.tearing.Power`."""
        if self._cuts_after:
            self._cuts_after = False
            raise CardTakenError


class WorldReaders:
    """Both readers, with a watch that tells at once; a `terminal.readers.ReaderLayer`.

    Attributes:
        cards: what lies in which reader.
    """

    def __init__(self, fate: Fate) -> None:
        """Begin with two empty readers."""
        self._fate = fate
        self.cards: dict[Role, SimulatedCard] = {}
        self._listeners: list[Callable[[ReaderEvent], None]] = []

    def insert(self, role: Role, card: SimulatedCard) -> None:
        """Put ``card`` in; a card that lies there already stays as it is."""
        if self.cards.get(role) is not card:
            self.remove(role)
            self.cards[role] = card
            self._tell(role, ReaderEventKind.INSERTED)

    def remove(self, role: Role) -> None:
        """Take the card out; nothing when there is none."""
        card = self.cards.pop(role, None)
        if card is not None:
            card.reset()
            self._tell(role, ReaderEventKind.REMOVED)

    def forget_listeners(self) -> None:
        """The program that watched is gone."""
        self._listeners.clear()

    def readers(self) -> list[str]:
        """See `terminal.readers.ReaderLayer`."""
        return sorted(READERS.values())

    def open_card(self, reader: str) -> WorldConnection:
        """See `terminal.readers.ReaderLayer`."""
        role = next(role for role, name in READERS.items() if name == reader)
        card = self.cards.get(role)
        if card is None:
            raise NoCardError(f"There is no card in '{reader}'.")
        return WorldConnection(self, self._fate, role, card)

    def watch(self, listener: Callable[[ReaderEvent], None]) -> WorldWatch:
        """See `terminal.readers.ReaderLayer`."""
        return WorldWatch(self._listeners, self.cards, listener)

    def _tell(self, role: Role, kind: ReaderEventKind) -> None:
        for listener in list(self._listeners):
            listener(ReaderEvent(reader=READERS[role], kind=kind))


class WorldConnection:
    """A powered card; its own channel."""

    def __init__(
        self, readers: WorldReaders, fate: Fate, role: Role, card: SimulatedCard
    ) -> None:
        """Power ``card`` up."""
        self._readers = readers
        self._fate = fate
        self._role = role
        self._card: SimulatedCard | None = card
        card.reset()

    @property
    def channel(self) -> Self:
        """Commands go here."""
        return self

    def close(self) -> None:
        """Power the card down; may be called again."""
        if self._card is not None:
            self._card.reset()
            self._card = None

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """See `card.channel.Channel`."""
        card = self._card
        if card is None or self._readers.cards.get(self._role) is not card:
            self._card = None
            raise NoCardError("The connection has ended; nothing was sent.")
        name = f"{command.name} to the {self._role.value} card"
        kind = self._fate.at(Site.COMMAND, name)
        if kind is FaultKind.TAKEN:
            raise self._taken()
        if kind is FaultKind.LOST_IN:
            raise self._lost()
        try:
            response = card.process(command.to_bytes())
        except CardTakenError:
            raise self._taken() from None
        if kind is FaultKind.LOST_OUT:
            raise self._lost()
        return ResponseAPDU.parse(response)

    def _taken(self) -> CardRemovedError:
        self._card = None
        self._readers.remove(self._role)
        return CardRemovedError("The card left the reader.")

    def _lost(self) -> OutcomeUnknownError:
        self.close()
        return OutcomeUnknownError("No answer came.")


class WorldWatch:
    """Tells from whoever moves a card; what lies there first."""

    def __init__(
        self,
        listeners: list[Callable[[ReaderEvent], None]],
        cards: dict[Role, SimulatedCard],
        listener: Callable[[ReaderEvent], None],
    ) -> None:
        """Watch for ``listener``; nothing is told before `start`."""
        self._listeners = listeners
        self._cards = cards
        self._listener = listener

    def start(self) -> None:
        """See `terminal.readers.ReaderWatch`."""
        self._listeners.append(self._listener)
        for role, name in READERS.items():
            added = ReaderEvent(reader=name, kind=ReaderEventKind.READER_ADDED)
            self._listener(added)
            if role in self._cards:
                there = ReaderEvent(reader=name, kind=ReaderEventKind.INSERTED)
                self._listener(there)

    def stop(self) -> None:
        """See `terminal.readers.ReaderWatch`."""
        if self._listener in self._listeners:
            self._listeners.remove(self._listener)
