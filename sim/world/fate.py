"""What goes wrong, and where: the one place that decides it in a simulated world.

Everything that can fail asks the `Fate` of its world at each *point* it passes: a
command to a card, a commit of a card's memory, a write of the journal, a message of a
call, a transaction of the bank. Points are counted from 0 in the order in which they
are passed, so a fault is named by a number and a kind, and the same faults always
strike in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Fate", "Fault", "FaultKind", "Point", "PowerOffError", "Site"]


class PowerOffError(BaseException):
    """The program's machine loses power here; nothing in the program may catch this."""


@unique
class FaultKind(Enum):
    """What can happen at a point; the words are those of a story."""

    LOST_IN = "the command is lost on its way in"
    LOST_OUT = "the response is lost on its way out"
    TAKEN = "the card is out of its reader before the command"
    TORN_BEFORE = "the card is torn out just before the commit"
    TORN_AFTER = "the card is torn out just after the commit"
    OFF_BEFORE = "the machine loses power just before"
    OFF_AFTER = "the machine loses power just after"
    FULL = "the disk is full"
    CUT_BEFORE = "the call is cut and the message is lost"
    CUT_AFTER = "the message arrives, and then the call is cut"
    SILENT = "the answer is lost and the call goes on"


@unique
class Site(Enum):
    """The sorts of points, each with what can go wrong there."""

    COMMAND = "command"
    COMMIT = "commit"
    JOURNAL = "journal"
    MESSAGE = "message"
    BOOKS = "books"

    @property
    def kinds(self) -> tuple[FaultKind, ...]:
        """What can go wrong at such a point."""
        return _KINDS[self]


_KINDS: Final = {
    Site.COMMAND: (FaultKind.LOST_IN, FaultKind.LOST_OUT, FaultKind.TAKEN),
    Site.COMMIT: (FaultKind.TORN_BEFORE, FaultKind.TORN_AFTER),
    Site.JOURNAL: (FaultKind.OFF_BEFORE, FaultKind.OFF_AFTER, FaultKind.FULL),
    Site.MESSAGE: (FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER, FaultKind.SILENT),
    Site.BOOKS: (FaultKind.OFF_BEFORE, FaultKind.OFF_AFTER),
}


@dataclass(frozen=True, slots=True)
class Point:
    """A place where something could have gone wrong: of which sort, and its name."""

    site: Site
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What goes wrong at the ``at``-th point (from 0)."""

    at: int
    kind: FaultKind

    def __str__(self) -> str:
        return f"{self.at}:{self.kind.name}"


class Fate:
    """Counts the points that a world passes and says what goes wrong at them.

    Attributes:
        points: all points passed since `arm`.
        struck: the faults that have struck, each with its point.
    """

    def __init__(self) -> None:
        """Begin with nothing that goes wrong and nothing that counts."""
        self._pending: list[Fault] = []
        self._surprises: list[tuple[int, int]] = []
        self._awaited: list[tuple[FaultKind, list[str]]] = []
        self._is_armed = False
        self.points: list[Point] = []
        self.struck: list[tuple[Fault, Point]] = []

    def arm(self, faults: Sequence[Fault]) -> None:
        """From now on count, and let ``faults`` strike."""
        self._pending = list(faults)
        self._is_armed = True
        self.points.clear()
        self.struck.clear()

    def arm_any(self, ahead: int, choice: int) -> None:
        """Let something strike at a point that nobody knows yet.

        Args:
            ahead: how many points are passed before, from 0.
            choice: which of the things that can go wrong there; any number will do.
        """
        self._is_armed = True
        self._surprises.append((len(self.points) + ahead, choice))

    def arm_next(self, kind: FaultKind, *names: str) -> None:
        """Let ``kind`` strike where points of these names have come one after another.

        Args:
            kind: what goes wrong at the last of them.
            names: of points; others may come in between.
        """
        self._is_armed = True
        self._awaited.append((kind, list(names)))

    def heal(self) -> None:
        """From now on nothing goes wrong, and nothing counts."""
        self._awaited = []
        self._is_armed = False
        self._pending = []
        self._surprises = []

    @property
    def all_struck(self) -> bool:
        """Whether every fault that was asked for has come to pass."""
        return not self._pending and not any(names for _, names in self._awaited)

    def at(self, site: Site, name: str) -> FaultKind | None:
        """Pass a point; what goes wrong there, or None."""
        if not self._is_armed:
            return None
        here = len(self.points)
        point = Point(site, name)
        self.points.append(point)
        for surprise in [one for one in self._surprises if one[0] == here]:
            self._surprises.remove(surprise)
            kind = site.kinds[surprise[1] % len(site.kinds)]
            self._pending.append(Fault(here, kind))
        for kind, names in self._awaited:
            if names and names[0] == name:
                names.pop(0)
                if not names:
                    self._pending.append(Fault(here, kind))
        for fault in self._pending:
            if fault.at == here:
                assert fault.kind in site.kinds, "a fault of another sort of point"
                self._pending.remove(fault)
                self.struck.append((fault, point))
                return fault.kind
        return None
