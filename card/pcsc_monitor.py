"""Cards coming and going: a thread that waits on the PC/SC service.

The service tells changes by itself; nothing is polled here. What was in the readers
at the start is told first, as insertions, so that a listener needs no second way to
learn it. A card exchanged for another faster than we looked shows in the service's
event count, and is told as removal and insertion.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from smartcard import scard

from card.errors import CardError
from card.pcsc import context, reader_error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CardEvent", "CardMonitor", "EventKind"]

_WAIT_MS: Final = 1000
_CANCEL_AGAIN_S: Final = 0.02
"""A cancel that comes before the wait begins is lost, so `stop` repeats it."""
_RETRY_S: Final = 1.0
_NEW_READERS: Final = "\\\\?PnP?\\Notification"
_COUNT_SHIFT: Final = 16
# What we tell the service that we know. Not told is whether someone uses the card, so
# no payment wakes us; all else is, or the service reports the same news for ever (a
# card that does not answer, a reader in trouble).
_KNOWN: Final = 0xFFFF0000 | (
    scard.SCARD_STATE_PRESENT
    | scard.SCARD_STATE_EMPTY
    | scard.SCARD_STATE_MUTE
    | scard.SCARD_STATE_UNAVAILABLE
    | scard.SCARD_STATE_UNKNOWN
)


@unique
class EventKind(StrEnum):
    """What happened to a reader."""

    INSERTED = "inserted"
    REMOVED = "removed"
    READER_ADDED = "reader added"
    READER_GONE = "reader gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEvent:
    """One change, in the order in which the service saw it."""

    reader: str
    kind: EventKind


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reader's state word: SCARD_STATE_* bits below, the event count above."""

    state: int

    @property
    def present(self) -> bool:
        return bool(self.state & scard.SCARD_STATE_PRESENT)

    @property
    def count(self) -> int:
        return self.state >> _COUNT_SHIFT & 0xFFFF


class CardMonitor:
    """Calls ``listener`` from its own thread for every change, until `stop`."""

    def __init__(self, listener: Callable[[CardEvent], None]) -> None:
        """Make a monitor that has not begun yet; `start` begins."""
        self._listener = listener
        self._stopping = threading.Event()
        self._handle: int | None = None
        self._seen: dict[str, _Seen] = {}
        self._thread = threading.Thread(
            target=self._run, name="card monitor", daemon=True
        )

    def start(self) -> None:
        """Begin; the first calls tell the readers and cards that are there already."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the thread; no call is made after this returns."""
        self._stopping.set()
        while self._thread.is_alive():
            handle = self._handle
            if handle is not None:
                scard.SCardCancel(handle)
            self._thread.join(_CANCEL_AGAIN_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
            except CardError:
                # The service is gone: so are its readers, until it answers again.
                self._forget(set(self._seen))
                self._stopping.wait(_RETRY_S)

    def _watch(self) -> None:
        with context() as ctx:
            self._handle = ctx.handle
            try:
                while not self._stopping.is_set():
                    self._look(ctx.handle)
            finally:
                self._handle = None

    def _look(self, handle: int) -> None:
        code, names = scard.SCardListReaders(handle, [])
        if code == scard.SCARD_E_NO_READERS_AVAILABLE:
            names = []
        elif code != scard.SCARD_S_SUCCESS:
            raise reader_error(code, None)
        self._forget(set(self._seen) - set(names))
        states = [(name, self._known_state(name)) for name in names]
        code, changed = scard.SCardGetStatusChange(
            handle, _WAIT_MS, [*states, (_NEW_READERS, scard.SCARD_STATE_UNAWARE)]
        )
        if code == scard.SCARD_E_CANCELLED:
            return
        if code == scard.SCARD_E_UNKNOWN_READER:
            return  # It left between the two calls; the next list says so.
        # A count of 0 wakes nobody when it changes (a card that was there before the
        # service); the time-out brings the new count all the same.
        if code not in {scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT}:
            raise reader_error(code, None)
        for name, state, _atr in changed:
            if name != _NEW_READERS:
                self._compare(name, state)

    def _known_state(self, name: str) -> int:
        seen = self._seen.get(name)
        return int(scard.SCARD_STATE_UNAWARE) if seen is None else seen.state & _KNOWN

    def _compare(self, name: str, state: int) -> None:
        before = self._seen.get(name)
        now = self._seen[name] = _Seen(state)
        if before is None:
            self._tell(name, EventKind.READER_ADDED)
            before = _Seen(scard.SCARD_STATE_EMPTY)
        swapped = before.present and now.present and before.count != now.count
        if before.present and (swapped or not now.present):
            self._tell(name, EventKind.REMOVED)
        if now.present and (swapped or not before.present):
            self._tell(name, EventKind.INSERTED)

    def _forget(self, gone: set[str]) -> None:
        for name in sorted(gone):
            if self._seen.pop(name).present:
                self._tell(name, EventKind.REMOVED)
            self._tell(name, EventKind.READER_GONE)

    def _tell(self, name: str, kind: EventKind) -> None:
        if not self._stopping.is_set():
            self._listener(CardEvent(reader=name, kind=kind))
