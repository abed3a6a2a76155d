"""Kill points: where in a story a process is killed, and how that is written down.

    journal:57:before    at the 57th call that changes the journal's files
    apdu:8:after         at the 8th command to a card
    link:3:before        at the 3rd step of a call: dial, send, receive, hang up

*Before* and *after*: the process dies before it was carried out, or after it but before
it learns so. *Halfway* cuts a write in half. Each point is counted from the beginning
of the story or, when another kill came before, from that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Self

from sim.crash.kill_points import Moment

__all__ = ["KillPoint", "PointKind", "kills_from", "kills_text"]


@unique
class PointKind(StrEnum):
    """What the process is killed at."""

    JOURNAL = "journal"
    APDU = "apdu"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """One kill.

    Attributes:
        kind: what it is killed at.
        at: which one of that kind, from 1.
        moment: halfway only at writes.
    """

    kind: PointKind
    at: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.kind}:{self.at}:{self.moment.name.lower()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read back what `str` made.

        Raises:
            ValueError: it is none.

        >>> str(KillPoint.parse("journal:57:before"))
        'journal:57:before'
        """
        kind, at, moment = text.split(":")
        point = cls(kind=PointKind(kind), at=int(at), moment=_moment(moment))
        if point.at < 1:
            raise ValueError("points are counted from 1")
        return point


def kills_text(kills: tuple[KillPoint, ...]) -> str:
    """Several kills in one word, as ``--point`` takes them."""
    return "+".join(map(str, kills)) or "none"


def kills_from(text: str) -> tuple[KillPoint, ...]:
    """Read back what `kills_text` made.

    Raises:
        ValueError: it is none.
    """
    if text == "none":
        return ()
    return tuple(KillPoint.parse(part) for part in text.split("+"))


def _moment(text: str) -> Moment:
    for moment in Moment:
        if moment.name.lower() == text:
            return moment
    raise ValueError(f"no such moment: {text}")
