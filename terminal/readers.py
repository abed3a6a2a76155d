"""The two readers by role: cards stay connected while they lie in their reader.

A connection is made once for each insertion and kept, because powering a card up costs
more than a whole payment. Every connection has an *insertion* number; who holds an old
one knows that the card was out in between, and that a verified PIN, a session and even
the card may be another's.

The thread that watches the readers only marks: a connection belongs to the thread that
runs a payment, and is closed and made anew there, under the counter's card lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, Protocol

from card.errors import CardError, NoCardError, ReaderError
from card.profile import Role
from terminal.snapshot import ReaderState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import CommandAPDU, ResponseAPDU
    from card.channel import Channel

__all__ = [
    "CardConnection",
    "CardSlots",
    "OpenCards",
    "PCSCReaders",
    "ReaderEvent",
    "ReaderEventKind",
    "ReaderLayer",
    "ReaderWatch",
    "SlotConnection",
]


@unique
class ReaderEventKind(StrEnum):
    """What happened to a reader."""

    INSERTED = "inserted"
    REMOVED = "removed"
    READER_ADDED = "reader added"
    READER_GONE = "reader gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderEvent:
    """One change of one reader, by the reader's name."""

    reader: str
    kind: ReaderEventKind


class CardConnection(Protocol):
    """An open card, held for this program alone."""

    @property
    def channel(self) -> Channel:
        """Commands go here."""
        ...

    def close(self) -> None:
        """Power the card down and let it go; may be called again."""
        ...


class ReaderWatch(Protocol):
    """A watch over the readers, to be started and stopped once."""

    def start(self) -> None:
        """Begin to tell; cards that are there already are told as inserted."""
        ...

    def stop(self) -> None:
        """End; nothing is told after this returns."""
        ...


class ReaderLayer(Protocol):
    """The readers of this machine: PC/SC, or simulated ones inside the process."""

    def readers(self) -> list[str]:
        """Names of the readers connected now."""
        ...

    def open_card(self, reader: str) -> CardConnection:
        """Connect to the card in ``reader``.

        Raises:
            NoCardError: there is none.
            ReaderError: the reader cannot be used.
        """
        ...

    def watch(self, listener: Callable[[ReaderEvent], None]) -> ReaderWatch:
        """A watch that calls ``listener`` from a thread of its own."""
        ...


class PCSCReaders:
    """The readers of the PC/SC service."""

    def readers(self) -> list[str]:
        """See `ReaderLayer.readers`."""
        from card import pcsc  # noqa: PLC0415  loads the PC/SC library: shells only

        return pcsc.readers()

    def open_card(self, reader: str) -> CardConnection:
        """See `ReaderLayer.open_card`."""
        from card import pcsc  # noqa: PLC0415  loads the PC/SC library: shells only

        return pcsc.open_card(reader)

    def watch(self, listener: Callable[[ReaderEvent], None]) -> ReaderWatch:
        """See `ReaderLayer.watch`."""
        from card import (  # noqa: PLC0415  loads the PC/SC library: shells only
            pcsc_monitor,
        )

        def translate(event: pcsc_monitor.CardEvent) -> None:
            kind = ReaderEventKind(event.kind.value)
            listener(ReaderEvent(reader=event.reader, kind=kind))

        return pcsc_monitor.CardMonitor(translate)


@dataclass(frozen=True, slots=True)
class SlotConnection:
    """A connection and the number of the insertion that it belongs to."""

    insertion: int
    card: CardConnection

    @property
    def channel(self) -> Channel:
        """Commands go here."""
        return self.card.channel


class _Slot:
    """One reader: what the configuration calls it, and what is known of it."""

    def __init__(self, wanted: str) -> None:
        self.wanted: Final = wanted
        self.reader: str | None = None
        self.present: bool | None = None
        self.connection: SlotConnection | None = None
        self.stale = False


class CardSlots:
    """The purse's and the customs card's reader.

    `connect` and `drop` are called under the counter's card lock; `state`, `name` and
    the events come from any thread.
    """

    def __init__(self, layer: ReaderLayer, wanted: Mapping[Role, str]) -> None:
        """Use readers of ``layer``, each named by a unique part of its name."""
        self._layer = layer
        self._slots = {role: _Slot(wanted[role]) for role in Role}
        self._insertions = 0
        self._lock = threading.Lock()
        self._watch: ReaderWatch | None = None

    def start(self, listener: Callable[[Role, ReaderEventKind], None]) -> None:
        """Watch both readers; ``listener`` is called from the watch's thread."""

        def on_event(event: ReaderEvent) -> None:
            role = self._note(event)
            if role is not None:
                listener(role, event.kind)

        self._watch = self._layer.watch(on_event)
        self._watch.start()

    def stop(self) -> None:
        """End the watch and let both cards go; may be called again."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        for role in Role:
            self.drop(role)

    def connect(self, role: Role) -> SlotConnection:
        """The connection with the card of ``role``, made anew when it was out.

        Raises:
            NoCardError: there is no card in that reader.
            ReaderError: there is no such reader, or it cannot be used.
        """
        slot = self._slots[role]
        if slot.stale:
            self.drop(role)
        if slot.connection is None:
            slot.connection = self._open(slot)
        return slot.connection

    def drop(self, role: Role) -> None:
        """Let the card of ``role`` go, which drops its sessions and verified PIN."""
        slot = self._slots[role]
        connection, slot.connection = slot.connection, None
        slot.stale = False
        if connection is not None:
            connection.card.close()

    def is_current(self, role: Role, insertion: int) -> bool:
        """Whether the card of ``role`` has been in its reader since ``insertion``."""
        slot = self._slots[role]
        connection = slot.connection
        if connection is None or slot.stale:
            return False
        return connection.insertion == insertion

    def name(self, role: Role) -> str:
        """The reader's name, or what the configuration calls it while it is missing."""
        slot = self._slots[role]
        return slot.reader or slot.wanted

    def state(self, role: Role) -> ReaderState:
        """What is known of the reader without asking it."""
        slot = self._slots[role]
        if slot.reader is None:
            return ReaderState.MISSING
        connected = slot.connection is not None and not slot.stale
        if connected or slot.present:
            return ReaderState.CARD_PRESENT
        return ReaderState.EMPTY

    def _open(self, slot: _Slot) -> SlotConnection:
        slot.reader = None
        slot.reader = self._find(slot.wanted)
        try:
            card = self._layer.open_card(slot.reader)
        except NoCardError:
            slot.present = False
            raise
        slot.present = True
        with self._lock:
            self._insertions += 1
            return SlotConnection(self._insertions, card)

    def _find(self, wanted: str) -> str:
        names = self._layer.readers()
        fitting = [name for name in names if wanted in name]
        if wanted in names:
            return wanted
        if len(fitting) == 1:
            return fitting[0]
        how_many = "Several readers fit" if fitting else "No reader fits"
        present = "; ".join(names) or "none"
        raise ReaderError(f"{how_many} '{wanted}'. Readers connected: {present}.")

    def _note(self, event: ReaderEvent) -> Role | None:
        """Keep what an event says; the role it concerns, or None."""
        for role, slot in self._slots.items():
            if slot.reader is None and slot.wanted in event.reader:
                slot.reader = self._found_again(slot)
            if slot.reader != event.reader:
                continue
            match event.kind:
                case ReaderEventKind.INSERTED:
                    slot.present = True
                case ReaderEventKind.REMOVED:
                    slot.present, slot.stale = False, slot.connection is not None
                case ReaderEventKind.READER_GONE:
                    slot.reader, slot.present = None, False
                    slot.stale = slot.connection is not None
                case ReaderEventKind.READER_ADDED:
                    pass
            return role
        return None

    def _found_again(self, slot: _Slot) -> str | None:
        try:
            return self._find(slot.wanted)
        except CardError:
            return None


class OpenCards:
    """The cards of one exchange: each stays the one it was when the exchange began.

    A card that fails to answer is let go at once, so that nothing later can take an old
    answer for its own; and a card that comes back in the middle of an exchange never
    gets the rest of it.
    """

    def __init__(self, slots: CardSlots, channels: Mapping[Role, Channel]) -> None:
        """Send to ``channels``, which belong to ``slots``."""
        self._slots = slots
        self._channels = dict(channels)

    def transmit(self, role: Role, command: CommandAPDU) -> ResponseAPDU:
        """Send ``command`` to the card of ``role``.

        Raises:
            CardError: no answer is known.
        """
        channel = self._channels.get(role)
        if channel is None:
            raise NoCardError(f"The {role} card has left this exchange.")
        try:
            return channel.transmit(command)
        except CardError:
            del self._channels[role]
            self._slots.drop(role)
            raise
