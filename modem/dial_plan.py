"""How to dial and how to answer: what the configuration says about a modem."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["AnswerPlan", "DialPlan"]

_NUMBER: Final = re.compile(r"[0-9*#ABCDabcd,WwPpTt!@ ()./-]{1,40}")
"""Digits, tones, `,` for a pause, `W` for a second dial tone, and grouping marks."""
_INIT: Final = re.compile(r"AT[ -~]{0,78}", re.IGNORECASE)
_NUMBERS_MAX: Final = 8
_ROUNDS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPlan:
    """Which numbers to dial, in turn, and how often.

    Attributes:
        numbers: 1 to 8 numbers, tried in this order; `,` is a pause of 2 s.
        init: command that brings the modem into its stored state.
        baud: speed of the serial port in bit/s.
        prefix: dialled before each number, such as ``"0,"`` behind an exchange.
        tone: tone dialling; pulse dialling when False.
        rounds: how often the whole list is tried.
        pause_ms: rest between two attempts.
        connect_timeout_ms: patience from the last digit to CONNECT.
    """

    numbers: tuple[str, ...]
    init: str = "ATZ"
    baud: int = 9600
    prefix: str = ""
    tone: bool = True
    rounds: int = 2
    pause_ms: int = 2_000
    connect_timeout_ms: int = 60_000

    def __post_init__(self) -> None:
        if not 1 <= len(self.numbers) <= _NUMBERS_MAX:
            raise ValueError(f"give 1 to {_NUMBERS_MAX} telephone numbers")
        for number in self.numbers:
            if not _NUMBER.fullmatch(number):
                raise ValueError(f"not a telephone number: {number!r}")
        if self.prefix and not _NUMBER.fullmatch(self.prefix):
            raise ValueError(f"not a dialling prefix: {self.prefix!r}")
        if not 1 <= self.rounds <= _ROUNDS_MAX:
            raise ValueError(f"rounds must be 1 to {_ROUNDS_MAX}")
        _check_modem(self.init, self.baud)

    def dial_command(self, number: str) -> str:
        """The V.250 dial command for ``number``.

        >>> DialPlan(numbers=("5551234",), prefix="0,").dial_command("5551234")
        'ATDT0,5551234'
        """
        return f"ATD{'T' if self.tone else 'P'}{self.prefix}{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """How a modem that takes calls is set up; see `DialPlan` for the fields."""

    init: str = "ATZ"
    baud: int = 9600
    connect_timeout_ms: int = 60_000

    def __post_init__(self) -> None:
        _check_modem(self.init, self.baud)


def _check_modem(init: str, baud: int) -> None:
    if not _INIT.fullmatch(init):
        raise ValueError(f"not a modem command, which begins with AT: {init!r}")
    if baud <= 0:
        raise ValueError("baud must be above 0")
