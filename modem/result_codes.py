"""Result codes of a modem, verbose and numeric (ITU-T V.250, clauses 5.7 and 6.3).

The only part of this package that the simulated modems share with it. Modems agree
on the codes 0 to 4 and 6 to 8; the others are connection rates as most data modems
number them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

__all__ = ["CONNECT_RATES", "ModemResult", "ResultCode", "parse_result"]


@unique
class ResultCode(Enum):
    """The result codes by their standard names; the value is the numeric form."""

    OK = 0
    CONNECT = 1
    RING = 2
    NO_CARRIER = 3
    ERROR = 4
    NO_DIALTONE = 6
    BUSY = 7
    NO_ANSWER = 8

    @property
    def verbose(self) -> str:
        """The word a modem prints after ATV1.

        >>> ResultCode.NO_CARRIER.verbose
        'NO CARRIER'
        """
        return self.name.replace("_", " ")


CONNECT_RATES: Final[dict[int, int]] = {
    5: 1200,
    10: 2400,
    11: 4800,
    12: 9600,
    13: 7200,
    14: 12000,
    15: 14400,
    16: 19200,
    17: 38400,
    18: 57600,
}
"""Numeric CONNECT codes with a rate in bit/s (the numbering of most data modems)."""

_VERBOSE: Final = {code.verbose: code for code in ResultCode} | {
    "NO DIAL TONE": ResultCode.NO_DIALTONE,
}
_NUMERIC: Final = {code.value: code for code in ResultCode}
_CONNECT: Final = re.compile(r"CONNECT\b")
_RATE: Final = re.compile(r"\b[0-9]{3,7}\b")
"""A rate stands alone and is 300 at least: the 42 of V42BIS is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemResult:
    """One result line; ``rate_bps`` is told by some CONNECT lines only."""

    code: ResultCode
    rate_bps: int | None = None


def parse_result(line: str) -> ModemResult | None:
    """Read one line from a modem in command state; None when it is no result code.

    Echoed commands, banners and information text are no result codes.

    >>> parse_result("CONNECT 9600/ARQ")
    ModemResult(code=<ResultCode.CONNECT: 1>, rate_bps=9600)
    >>> parse_result("3").code.name
    'NO_CARRIER'
    >>> parse_result("ATZ") is None
    True
    """
    text = line.strip().upper()
    if text.isascii() and text.isdigit():
        return _parse_numeric(int(text[:4]))
    if text in _VERBOSE:
        return ModemResult(code=_VERBOSE[text])
    if _CONNECT.match(text) is None:
        return None
    rate = _RATE.search(text)
    rate_bps = int(rate[0]) if rate else 0
    return ModemResult(code=ResultCode.CONNECT, rate_bps=rate_bps or None)


def _parse_numeric(number: int) -> ModemResult | None:
    if number in CONNECT_RATES:
        return ModemResult(code=ResultCode.CONNECT, rate_bps=CONNECT_RATES[number])
    code = _NUMERIC.get(number)
    return None if code is None else ModemResult(code=code)
