"""The messages of the settlement profile as typed values.

`settlement.iso8583` turns bytes into numbered fields; this module gives the fields
their meaning, both ways. ``docs/iso8583.md`` is the reference for every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.records import BatchClose

__all__ = [
    "BatchHeader",
    "BatchTotals",
    "ResponseCode",
    "Total",
]


@unique
class ResponseCode(StrEnum):
    """Field 39. What each code means to the terminal is in ``docs/iso8583.md``."""

    ACCEPTED = "00"
    WRONG_MERCHANT = "03"
    SUSPENDED = "05"
    INVALID = "12"
    FORMAT_ERROR = "30"
    NOT_PERMITTED = "58"
    MAC_WRONG = "63"
    INCOMPLETE = "77"
    BATCH_UNKNOWN = "80"
    TRY_LATER = "91"
    CONFLICT = "94"
    SUMS_DIFFER = "95"
    FAILURE = "96"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many payments, and their sum in minor units."""

    count: int = 0
    sum_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTotals:
    """What a batch holds, by kind, as the terminal has sent it (field 63).

    Attributes:
        unknown: credited payments whose details the terminal does not know.
        opened: open records, whose outcome is not known yet.
    """

    fees: Total
    deposits: Total
    purchase: Total
    unknown: Total
    opened: Total


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeader:
    """What opens a batch at the bank: whose it is and what the customs card closed.

    Attributes:
        terminal_id: 8 characters, equal to the name in the terminal's certificate.
        office: customs office code, up to 15 characters.
        mid: the customs card's number, 8 bytes.
        currency: ISO 4217 number.
        close: what the customs card's CLOSE BATCH answered, MAC included.
    """

    terminal_id: str
    office: str
    mid: bytes
    currency: int
    close: BatchClose
