"""What dialled calls come to: a script, one entry for each attempt.

A script is text, one attempt a line, ``#`` begins a comment::

    # the second number is engaged once; the third call breaks off and goes half dead
    no-answer
    5554321: busy
    connect garbage=40 cut-after=2500
    connect near-dead-after=600 rate=2400 bit-error-rate=1e-4

The first entry that fits the number that is dialled is used up; with none left, calls
connect and stay up, unless something else is said for them.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.modems.line import LineSettings

__all__ = ["Attempt", "Outcome", "Script", "ScriptError", "read_script"]

_MS_PER_S: Final = 1000


@unique
class Outcome(StrEnum):
    """What a dialled call comes to, as written in a script."""

    CONNECT = "connect"
    BUSY = "busy"
    NO_DIALTONE = "no-dialtone"
    STRANGE_DIALTONE = "strange-dialtone"
    NO_ANSWER = "no-answer"
    NO_CARRIER = "no-carrier"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One entry of a script. Bytes are those of both directions together.

    Attributes:
        outcome: what the call comes to; all the rest is for one that connects.
        number: only for calls to this number (its digits are compared), or None.
        garbage_bytes: random bytes that each computer gets before CONNECT, and as
            many again after it.
        cut_after_bytes: when so many have arrived, both modems lose the carrier, and
            all that is under way is lost.
        cut_after_ms: the same, so long after CONNECT.
        near_hangs_up_after_bytes: when so many have arrived, the calling modem hangs
            up; what is on the line by then still arrives.
        far_hangs_up_after_bytes: the same for the answering modem.
        near_dead_after_bytes: of what the calling side sends, so many bytes arrive;
            then the line is half open.
        far_dead_after_bytes: the same for the answering side.
        rate_bps: of this call's line; None: as the exchange has it. So the next two.
        delay_ms: from end to end.
        bit_error_rate: share of bits that arrive turned over.
    """

    outcome: Outcome = Outcome.CONNECT
    number: str | None = None
    garbage_bytes: int = 0
    cut_after_bytes: int | None = None
    cut_after_ms: int | None = None
    near_hangs_up_after_bytes: int | None = None
    far_hangs_up_after_bytes: int | None = None
    near_dead_after_bytes: int | None = None
    far_dead_after_bytes: int | None = None
    rate_bps: int | None = None
    delay_ms: int | None = None
    bit_error_rate: float | None = None

    def fits(self, number: str) -> bool:
        """Whether this entry is for a call to ``number``."""
        return self.number is None or _digits(self.number) == _digits(number)

    def on(self, line: LineSettings) -> LineSettings:
        """The line of this call, where the exchange's own is ``line``.

        Raises:
            ValueError: no such line can be.
        """
        return dataclasses.replace(
            line,
            rate_bps=line.rate_bps if self.rate_bps is None else self.rate_bps,
            delay_ms=line.delay_ms if self.delay_ms is None else self.delay_ms,
            bit_error_rate=(
                line.bit_error_rate
                if self.bit_error_rate is None
                else self.bit_error_rate
            ),
        )


class Script:
    """The attempts that are still to come."""

    def __init__(
        self, entries: Iterable[Attempt | Outcome] = (), later: Attempt | None = None
    ) -> None:
        """Take the entries in order; an outcome alone stands for an attempt.

        Args:
            entries: one for each call that comes to something else than others.
            later: what all other calls come to; None: they connect and stay up.
        """
        self._later = later or Attempt()
        self._left = deque(
            entry if isinstance(entry, Attempt) else Attempt(outcome=entry)
            for entry in entries
        )

    def take(self, number: str) -> Attempt:
        """Use up the first entry for ``number``; what others come to when none is."""
        for entry in self._left:
            if entry.fits(number):
                self._left.remove(entry)
                return entry
        return self._later


class ScriptError(Exception):
    """A script cannot be read; the message says where and why."""


_BYTES_MAX: Final = 1_000_000_000
"""Four months of a line at 1,000 bit/s: whoever means never leaves the word out."""


class _Word(NamedTuple):
    """A word of a script: the field of `Attempt` it is written to, and its range."""

    field: str
    most: float = _BYTES_MAX
    least: float = 0
    is_whole: bool = True


_WORDS: Final = {
    # So many bytes come from the source of randomness, and wait at once.
    "garbage": _Word("garbage_bytes", 1_000_000),
    "cut-after": _Word("cut_after_bytes"),
    # In seconds, all others in the unit of the field.
    "cut-at": _Word("cut_after_ms", 1_000_000, is_whole=False),
    "near-hangs-up-after": _Word("near_hangs_up_after_bytes"),
    "far-hangs-up-after": _Word("far_hangs_up_after_bytes"),
    "near-dead-after": _Word("near_dead_after_bytes"),
    "far-dead-after": _Word("far_dead_after_bytes"),
    "rate": _Word("rate_bps", 1_000_000, least=1),
    "delay": _Word("delay_ms", 10_000),
    "bit-error-rate": _Word("bit_error_rate", 0.5, is_whole=False),
}
_CONNECTS: Final = frozenset({Outcome.CONNECT, Outcome.STRANGE_DIALTONE})
"""Outcomes of which a line comes about, which the words describe."""


def read_script(text: str) -> tuple[Attempt, ...]:
    r"""The attempts of a script.

    >>> read_script("5554321: busy\nconnect cut-at=1.5  # soon")[1].cut_after_ms
    1500

    Raises:
        ScriptError: a line is none of a script.
    """
    attempts = []
    for index, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].strip()
        if words:
            try:
                attempts.append(_read_attempt(words))
            except ValueError as error:
                raise ScriptError(f"line {index}: {error}") from None
    return tuple(attempts)


def _read_attempt(text: str) -> Attempt:
    head, colon, rest = text.rpartition(":")
    number = head.strip() if colon else None
    if number is not None and not _digits(number):
        raise ValueError(f"{number!r} is no number")
    outcome, *options = rest.split() or [""]
    if outcome not in set(Outcome):
        choices = ", ".join(outcome.value for outcome in Outcome)
        raise ValueError(f"{outcome!r} is none of {choices}")
    if options and outcome not in _CONNECTS:
        raise ValueError(
            f"{options[0]!r} has no meaning after {outcome}: no line stands"
        )
    values: dict[str, int | float] = {}
    for option in options:
        field, value = _read_option(option)
        if field in values:
            word = option.partition("=")[0]
            raise ValueError(f"{word!r} is there twice: which one counts?")
        values[field] = value
    # Which field takes which type is a table, which a type checker cannot follow.
    return Attempt(outcome=Outcome(outcome), number=number, **values)  # type: ignore[arg-type]


def _read_option(option: str) -> tuple[str, int | float]:
    name, _, value = option.partition("=")
    word = _WORDS.get(name)
    if word is None:
        raise ValueError(f"{name!r} is none of {', '.join(_WORDS)}")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{option!r} needs a number") from None
    # Nan is in no range.
    if not word.least <= number <= word.most:
        raise ValueError(
            f"{option!r} is out of range: {word.least:g} to {word.most:,.15g}"
        )
    if word.is_whole and number != int(number):
        raise ValueError(f"{option!r} needs a whole number")
    if name == "bit-error-rate":
        return word.field, number
    return word.field, round(number * _MS_PER_S if name == "cut-at" else number)


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdigit())
