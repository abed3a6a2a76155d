"""What the verifier that Spin makes, ``pan``, prints about a search.

A search is *complete* when pan says that it is, stored a state, found no state that had
to be cut off, and passed through every step that the model names. Anything else is not
taken for an answer.

    >>> text = '''pan:1: assertion violated (2==0) (at depth 40)
    ... Warning: Search not completed
    ... State-vector 108 byte, depth reached 40, errors: 1
    ...       332 states, stored
    ...      3564 transitions (= stored+matched)
    ... pan: elapsed time 0.01 seconds
    ... '''
    >>> report = PanReport.parse(text)
    >>> report.violated, report.states, report.transitions
    (2, 332, 3564)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["PanReport", "PanReportError"]

_ERRORS: Final = re.compile(r"errors: (\d+)")
_STATES: Final = re.compile(r"^\s*(\S+) states, stored", re.MULTILINE)
_TRANSITIONS: Final = re.compile(r"^\s*(\S+) transitions", re.MULTILINE)
_DEPTH: Final = re.compile(r"depth reached (\d+)")
_SECONDS: Final = re.compile(r"elapsed time (\S+) seconds")
_MEMORY: Final = re.compile(r"^\s*(\S+)\s+total actual memory usage", re.MULTILINE)
_PROPERTY: Final = re.compile(r"assertion violated \(?(\d)==0\)?")
_WITNESS: Final = re.compile(r"assertion violated\s+!\(?1\)?")
_STOPPED: Final = re.compile(
    r"max search depth too small|MEMLIM|out of memory|vector too large|VECTORSZ",
    re.IGNORECASE,
)
_UNREACHED: Final = re.compile(r'^\t(\S+:\d+), state \d+, "(.*)"$', re.MULTILINE)
_NEVER_MEANT: Final = re.compile(r"^(-end-|assert\(\(\d==0\)\)|\(?[01]\)?|\S+ == 0)$")
"""Ends of endless processes, the alarms themselves, and `false` of an idle monitor."""


class PanReportError(Exception):
    """pan printed something that is no report of a search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanReport:
    """One search.

    Attributes:
        errors: violations found; pan stops at the first.
        violated: number of the property that was violated, or None.
        is_witnessed: the error is that what was sought does happen.
        states: states stored.
        transitions: steps tried.
        depth: longest history, in steps.
        seconds: processor time of the search, by pan itself.
        memory_mb: peak, in megabytes, by pan itself.
        completed: the whole state space was searched.
        why_not: pan's own word for why it was not, or None.
        unreached: steps of the model that no history takes, as ``file:line step``.
    """

    errors: int
    violated: int | None
    is_witnessed: bool
    states: int
    transitions: int
    depth: int
    seconds: str
    memory_mb: str
    completed: bool
    why_not: str | None
    unreached: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> PanReport:
        """Read what pan printed.

        Raises:
            PanReportError: it is not the report of a search; the message has its end.
        """
        stopped = _STOPPED.search(text)
        violated = _PROPERTY.search(text)
        return cls(
            errors=int(_find(_ERRORS, text)),
            violated=int(violated[1]) if violated else None,
            is_witnessed=_WITNESS.search(text) is not None,
            states=_count(_find(_STATES, text)),
            transitions=_count(_find(_TRANSITIONS, text)),
            depth=int(_find(_DEPTH, text)),
            seconds=_find(_SECONDS, text),
            memory_mb=_find(_MEMORY, text, "0"),
            completed=stopped is None and "Search not completed" not in text,
            why_not=stopped[0] if stopped else None,
            unreached=tuple(
                f"{place.rpartition('/')[2]} {step}"
                for place, step in _UNREACHED.findall(text)
                if not _NEVER_MEANT.match(step)
            ),
        )


def _count(digits: str) -> int:
    """Large counts are printed as ``1.1468576e+08``."""
    return int(float(digits))


def _find(pattern: re.Pattern[str], text: str, default: str | None = None) -> str:
    found = pattern.search(text)
    if found:
        return found[1]
    if default is None:
        raise PanReportError(f"no {pattern.pattern!r} in: ...{text[-300:]}")
    return default
