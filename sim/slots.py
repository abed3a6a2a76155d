"""The two slots of the simulated reader, and a hand that puts cards in and out.

pcscd looks at its readers every 400 ms, so a card taken out and another put in at once
would be seen as no change at all. The hand therefore waits, on the PC/SC side, until
each movement has been seen.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

from card.pcsc_monitor import CardEvent, CardMonitor, EventKind
from card.profile import Role
from sim.cards.vpcd import VPCDCard

if TYPE_CHECKING:
    from types import TracebackType

    from sim.cards.t0 import Card
    from sim.pcscd import PrivatePCSCD

__all__ = ["Slots", "SlotsError"]

_SEEN_TIMEOUT_S: Final = 15.0


class SlotsError(Exception):
    """The PC/SC service did not notice a card."""


class Slots:
    """The customer's slot and the customs card's, seen from both sides."""

    def __init__(self, pcscd: PrivatePCSCD) -> None:
        """Watch the readers of ``pcscd``; both slots are empty."""
        self._readers: Final = dict(zip(Role, pcscd.readers, strict=True))
        self._ports: Final = {Role.PURSE: pcscd.port, Role.CUSTOMS: pcscd.port + 1}
        self._inside: dict[Role, VPCDCard] = {}
        self._present: set[str] = set()
        self._changed = threading.Condition()
        self._monitor = CardMonitor(self._heard)

    def __enter__(self) -> Self:
        self._monitor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._monitor.stop()
        for slot in self._inside.values():
            slot.close()
        self._inside.clear()

    def reader(self, role: Role) -> str:
        """Name of the reader slot for that role."""
        return self._readers[role]

    def insert(self, role: Role, card: Card) -> None:
        """Put a card in, after taking out what was there; wait until it is seen."""
        self.remove(role)
        slot = VPCDCard(card, self._ports[role])
        self._inside[role] = slot
        slot.insert()
        self._wait(role, present=True)

    def remove(self, role: Role) -> None:
        """Take the card out, if there is one; wait until that is seen."""
        slot = self._inside.pop(role, None)
        if slot is not None:
            slot.close()
            self._wait(role, present=False)

    def _wait(self, role: Role, *, present: bool) -> None:
        name = self._readers[role]
        with self._changed:
            seen = self._changed.wait_for(
                lambda: (name in self._present) is present, _SEEN_TIMEOUT_S
            )
        if not seen:
            change = "inserted" if present else "removed"
            raise SlotsError(f"the card {change} at '{name}' was not noticed")

    def _heard(self, event: CardEvent) -> None:
        with self._changed:
            match event.kind:
                case EventKind.INSERTED:
                    self._present.add(event.reader)
                case EventKind.REMOVED | EventKind.READER_GONE:
                    self._present.discard(event.reader)
                case EventKind.READER_ADDED:
                    pass
            self._changed.notify_all()
