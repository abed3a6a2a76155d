"""Cards made for one test, and a watch that waits for what the readers tell."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from card.pcsc_monitor import CardEvent, CardMonitor, EventKind
from sim.cards.errors import CardTakenError

if TYPE_CHECKING:
    from types import TracebackType

    from sim.cards.t0 import Card

WAIT_S = 10


class ScriptedCard:
    """Answers what it is told to, by instruction; every other word is 6D00."""

    def __init__(self, answers: dict[int, str] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def reset(self) -> None:
        pass

    def process(self, apdu: bytes, /) -> bytes:
        self.asked.append(apdu.hex(" ").upper())
        return bytes.fromhex(self.answers.get(apdu[1], "6D 00"))


class Contacts:
    """What lies in a slot: another card for each test, without any waiting."""

    def __init__(self) -> None:
        self.card: Card = ScriptedCard()
        self.asked: list[int] = []
        self.taken_at: int | None = None
        self.carries_out = False

    def reset(self) -> None:
        self.card.reset()

    def process(self, apdu: bytes, /) -> bytes:
        """Pass a command on; the card is pulled at instruction ``taken_at``."""
        self.asked.append(apdu[1])
        taken = apdu[1] == self.taken_at
        if taken and not self.carries_out:
            raise CardTakenError
        answer = self.card.process(apdu)
        if taken:
            raise CardTakenError
        return answer


class Watch:
    """A card monitor, and everything that it told."""

    def __init__(self) -> None:
        self.told: list[CardEvent] = []
        self.monitor = CardMonitor(self._hear)
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self.monitor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.monitor.stop()

    def wait_for(self, reader: str, kind: EventKind) -> None:
        """Wait until the last thing told about ``reader`` is ``kind``."""

        def is_last() -> bool:
            kinds = self.kinds(reader)
            return bool(kinds) and kinds[-1] is kind

        with self._changed:
            assert self._changed.wait_for(is_last, WAIT_S), self.told

    def kinds(self, reader: str) -> list[EventKind]:
        """What was told about ``reader``, in order."""
        return [event.kind for event in self.told if event.reader == reader]

    def _hear(self, event: CardEvent) -> None:
        with self._changed:
            self.told.append(event)
            self._changed.notify_all()
