"""What a modem says: result codes and reports, verbose and numeric (ITU-T V.250).

The only part of this package that the simulated modems share with it. Modems agree
on the codes 0 to 4 and 6 to 8 (V.250, table 1); the other numbers are those of the
largest family of data modems, as its manuals list them. GSM modems add what 3GPP
27.007 and 27.005 name. A *result* ends a command or tells of the call; a *report*
only says something about it (V.250, clauses 6.4 to 6.6) and ends nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from typing import Final

__all__ = [
    "CONNECT_RATES",
    "ModemReport",
    "ModemResult",
    "ReportName",
    "ResultCode",
    "parse_report",
    "parse_result",
]

_NUMBERS_END: Final = 1000
"""From here on a value only tells codes apart: they have no numeric form."""


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
    DELAYED = 24
    BLACKLISTED = 32
    FAX = 33
    DATA = 35
    LINE_IN_USE = 83
    RINGING = 1000
    VOICE = 1001
    NO_PROMPTTONE = 1002
    BLACKLIST_FULL = 1003
    CME_ERROR = 1004
    CMS_ERROR = 1005

    @property
    def numeric(self) -> int | None:
        """The number a modem prints after ATV0, where there is one."""
        return self.value if self.value < _NUMBERS_END else None

    @property
    def verbose(self) -> str:
        """The word a modem prints after ATV1.

        >>> ResultCode.NO_CARRIER.verbose
        'NO CARRIER'
        >>> ResultCode.CME_ERROR.verbose
        '+CME ERROR'
        """
        words = self.name.replace("_", " ")
        return f"+{words}" if self in _OF_GSM else words


@unique
class ReportName(StrEnum):
    """What a report is about, as it stands before its colon or equals sign."""

    CARRIER = "CARRIER"
    PROTOCOL = "PROTOCOL"
    COMPRESSION = "COMPRESSION"
    MODULATION = "+MCR"
    MODULATION_RATE = "+MRR"
    ERROR_CONTROL = "+ER"
    DATA_COMPRESSION = "+DR"
    PORT_RATE = "+ILRR"
    CALLER_DATE = "DATE"
    CALLER_TIME = "TIME"
    CALLER_NUMBER = "NMBR"
    CALLER_NAME = "NAME"
    CALLER_MESSAGE = "MESG"
    CALLING_LINE = "+CLIP"


CONNECT_RATES: Final[dict[int, int]] = {
    5: 1200,
    9: 600,
    10: 2400,
    11: 4800,
    12: 9600,
    13: 7200,
    14: 12000,
    15: 14400,
    16: 19200,
    17: 38400,
    18: 57600,
    19: 115200,
    59: 16800,
    61: 21600,
    62: 24000,
    63: 26400,
    64: 28800,
    84: 33600,
    91: 31200,
}
"""Numeric CONNECT codes with a rate in bit/s."""

_OF_GSM: Final = frozenset({ResultCode.CME_ERROR, ResultCode.CMS_ERROR})
_VERBOSE: Final = {code.verbose: code for code in ResultCode} | {
    "NO DIAL TONE": ResultCode.NO_DIALTONE,
    "NO PROMPT TONE": ResultCode.NO_PROMPTTONE,
    "LINE-IN-USE": ResultCode.LINE_IN_USE,
    "BLACK LISTED": ResultCode.BLACKLISTED,
    "RINGBACK": ResultCode.RINGING,
}
_PREFIXES: Final = {
    "+CME ERROR:": ResultCode.CME_ERROR,
    "+CMS ERROR:": ResultCode.CMS_ERROR,
    "+CRING:": ResultCode.RING,
}
"""Results that say more after a colon."""
_NUMERIC: Final = {
    code.numeric: code for code in ResultCode if code.numeric is not None
}
_CARRIER_RATES: Final = {
    40: 300,
    46: 1200,
    47: 2400,
    48: 4800,
    49: 7200,
    50: 9600,
    51: 12000,
    52: 14400,
    53: 16800,
    54: 19200,
    55: 21600,
    56: 24000,
    57: 26400,
    58: 28800,
    78: 31200,
    79: 33600,
}
_NUMERIC_REPORTS: Final = {
    number: (ReportName.CARRIER, str(rate)) for number, rate in _CARRIER_RATES.items()
} | {
    66: (ReportName.COMPRESSION, "CLASS 5"),
    67: (ReportName.COMPRESSION, "V.42BIS"),
    69: (ReportName.COMPRESSION, "NONE"),
    70: (ReportName.PROTOCOL, "NONE"),
    76: (ReportName.PROTOCOL, "NONE"),
    77: (ReportName.PROTOCOL, "LAPM"),
    80: (ReportName.PROTOCOL, "ALT"),
    81: (ReportName.PROTOCOL, "ALT-CELLULAR"),
}
_OF_THE_LINE: Final = frozenset({ReportName.CARRIER, ReportName.MODULATION_RATE})
_CONNECT: Final = re.compile(r"CONNECT\b")
_RATE: Final = re.compile(r"\b[0-9]{3,7}\b")
"""A rate stands alone and is 300 at least: the 42 of V42BIS is none."""
_RATE_BPS_MIN: Final = 300
_REPORT: Final = re.compile(
    "(?P<name>"
    + "|".join(re.escape(name) for name in ReportName)
    + r")(?:\s*[:=]\s*|\s+)(?P<text>.+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemResult:
    """One result line.

    Attributes:
        code: which result.
        rate_bps: told by some CONNECT lines; the lowest of several, since the others
            are of the serial port.
        detail: what stands after the code, such as ``"9600/ARQ/V34/LAPM"``.
    """

    code: ResultCode
    rate_bps: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemReport:
    """One line that tells something about the call.

    Attributes:
        name: what it is about.
        text: what is said, in capitals.
        rate_bps: of the line, in reports that tell it.
    """

    name: ReportName
    text: str
    rate_bps: int | None = None


def parse_result(line: str) -> ModemResult | None:
    """Read one line from a modem in command state; None when it is no result code.

    Echoed commands, banners, reports and information text are no result codes.

    >>> parse_result("CONNECT 9600/ARQ")
    ModemResult(code=<ResultCode.CONNECT: 1>, rate_bps=9600, detail='9600/ARQ')
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
    for prefix, code in _PREFIXES.items():
        if text.startswith(prefix):
            return ModemResult(code=code, detail=text.removeprefix(prefix).strip())
    if _CONNECT.match(text) is None:
        return None
    detail = text.removeprefix("CONNECT").strip(" /")
    return ModemResult(
        code=ResultCode.CONNECT, rate_bps=_lowest_rate(detail), detail=detail
    )


def parse_report(line: str) -> ModemReport | None:
    """Read one line that tells of the call; None when it is none.

    >>> parse_report("CARRIER 33600").rate_bps
    33600
    >>> parse_report("+MCR: V34")
    ModemReport(name=<ReportName.MODULATION: '+MCR'>, text='V34', rate_bps=None)
    >>> parse_report("77").text
    'LAPM'
    """
    text = line.strip().upper()
    if text.isascii() and text.isdigit():
        found = _NUMERIC_REPORTS.get(int(text[:4]))
        return None if found is None else _report(*found)
    match = _REPORT.fullmatch(text)
    return None if match is None else _report(ReportName(match["name"]), match["text"])


def _report(name: ReportName, text: str) -> ModemReport:
    rate_bps = _lowest_rate(text) if name in _OF_THE_LINE else None
    return ModemReport(name=name, text=text, rate_bps=rate_bps)


def _lowest_rate(text: str) -> int | None:
    rates = [int(found) for found in _RATE.findall(text)]
    return min((rate for rate in rates if rate >= _RATE_BPS_MIN), default=None)


def _parse_numeric(number: int) -> ModemResult | None:
    if number in CONNECT_RATES:
        return ModemResult(code=ResultCode.CONNECT, rate_bps=CONNECT_RATES[number])
    code = _NUMERIC.get(number)
    return None if code is None else ModemResult(code=code)
