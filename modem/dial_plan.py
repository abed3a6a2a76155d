"""How to dial and how to answer: what the configuration says about a modem."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from modem.profiles import GENERIC, ModemProfile

__all__ = ["AnswerPlan", "DialPlan"]

_NUMBER: Final = re.compile(r"[0-9*#+ABCDabcd,WwPpTt!@ ()./-]{1,40}")
"""Digits, tones, `,` for a pause, `W` for a second dial tone, `+` before a country's
code on GSM, and grouping marks."""
_INIT: Final = re.compile(r"AT[ -~]{0,78}", re.IGNORECASE)
_NUMBERS_MAX: Final = 8
_ROUNDS_MAX: Final = 10
_PAUSE_MS_MIN: Final = 1_000
"""A modem that has hung up needs a moment before it hears a dial tone again."""
_PAUSE_MS_MAX: Final = 600_000
_CONNECT_MS_MIN: Final = 10_000
_CONNECT_MS_MAX: Final = 255_000
"""What register S7 can hold: a modem waits no longer by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPlan:
    """Which numbers to dial, in turn, and how often.

    Attributes:
        numbers: 1 to 8 numbers, tried in this order; `,` is a pause of 2 s. None of
            them for a profile without a modem.
        profile: the kind of modem.
        init: command that brings the modem into its stored state; None is that of
            the profile.
        baud: speed of the serial port in bit/s.
        prefix: dialled before each number, such as ``"0,"`` behind an exchange.
        tone: tone dialling; pulse dialling when False.
        blind: dial without waiting for a dial tone.
        rounds: how often the whole list is tried, 1 to 10.
        pause_ms: rest after the first attempt in vain, 1 s to 10 min; it doubles with
            each round.
        pause_ms_max: the longest rest, not below ``pause_ms``.
        connect_timeout_ms: patience from the last digit to CONNECT, 10 to 255 s.
    """

    numbers: tuple[str, ...] = ()
    profile: ModemProfile = GENERIC
    init: str | None = None
    baud: int = 9600
    prefix: str = ""
    tone: bool = True
    blind: bool = False
    rounds: int = 2
    pause_ms: int = 2_000
    pause_ms_max: int = 60_000
    connect_timeout_ms: int = 60_000

    def __post_init__(self) -> None:
        if self.profile.is_modem and not 1 <= len(self.numbers) <= _NUMBERS_MAX:
            raise ValueError(f"give 1 to {_NUMBERS_MAX} telephone numbers")
        if self.numbers and not self.profile.is_modem:
            raise ValueError("a direct line has no telephone numbers")
        for number in self.numbers:
            if not _NUMBER.fullmatch(number):
                raise ValueError(f"not a telephone number: {number!r}")
        if self.prefix and not _NUMBER.fullmatch(self.prefix):
            raise ValueError(f"not a dialling prefix: {self.prefix!r}")
        if not 1 <= self.rounds <= _ROUNDS_MAX:
            raise ValueError(f"rounds must be 1 to {_ROUNDS_MAX}")
        if not _PAUSE_MS_MIN <= self.pause_ms <= self.pause_ms_max <= _PAUSE_MS_MAX:
            raise ValueError("pauses must be 1 to 600 s, the longest not the shorter")
        _check_timeout(self.connect_timeout_ms)
        _check_modem(self.init, self.baud)

    @property
    def init_command(self) -> str:
        """The init command that is said."""
        return self.profile.init if self.init is None else self.init

    def dial_command(self, number: str) -> str:
        """The V.250 dial command for ``number``.

        >>> DialPlan(numbers=("5551234",), prefix="0,").dial_command("5551234")
        'ATDT0,5551234'
        """
        way = ("T" if self.tone else "P") if self.profile.has_dial_tone else ""
        return f"ATD{way}{self.prefix}{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """How a modem that takes calls is set up; see `DialPlan` for the fields."""

    profile: ModemProfile = GENERIC
    init: str | None = None
    baud: int = 9600
    connect_timeout_ms: int = 60_000

    def __post_init__(self) -> None:
        _check_timeout(self.connect_timeout_ms)
        _check_modem(self.init, self.baud)

    @property
    def init_command(self) -> str:
        """The init command that is said."""
        return self.profile.init if self.init is None else self.init


def _check_timeout(connect_timeout_ms: int) -> None:
    if not _CONNECT_MS_MIN <= connect_timeout_ms <= _CONNECT_MS_MAX:
        raise ValueError("the patience for CONNECT must be 10 to 255 s")


def _check_modem(init: str | None, baud: int) -> None:
    if init is not None and not _INIT.fullmatch(init):
        raise ValueError(f"not a modem command, which begins with AT: {init!r}")
    if baud <= 0:
        raise ValueError("baud must be above 0")
