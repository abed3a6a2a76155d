"""Status words of card profile 1 (ISO/IEC 7816-4, clause 5.6, and EN 1546).

The two-byte trailer SW1 SW2 of every response, by name. A card may answer a word
that is not here: it stays a plain integer and is still reported.
"""

from __future__ import annotations

from enum import IntEnum, unique

__all__ = ["SW", "describe", "tries_left"]


@unique
class SW(IntEnum):
    """Every status word that the two card applications answer."""

    OK = 0x9000
    PIN_WRONG_NONE_LEFT = 0x63C0
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    PIN_NEEDED = 0x6982
    PIN_BLOCKED = 0x6983
    CONDITIONS_NOT_SATISFIED = 0x6985
    WRONG_DATA = 0x6A80
    APPLICATION_BLOCKED = 0x6A81
    NO_APPLICATION = 0x6A82
    NO_RECORD = 0x6A83
    FULL = 0x6A84
    WRONG_P1_P2 = 0x6A86
    NO_KEY_VERSION = 0x6A88
    WRONG_INS = 0x6D00
    WRONG_CLA = 0x6E00
    MAC_WRONG = 0x9302
    BALANCE_TOO_LOW = 0x9401
    COUNTER_OR_LIMIT = 0x9402
    NO_PROOF = 0x9406


_MEANINGS: dict[int, str] = {
    SW.OK: "done",
    SW.MEMORY_FAILURE: "the card's memory failed",
    SW.WRONG_LENGTH: "wrong length",
    SW.PIN_NEEDED: "the PIN is needed first",
    SW.PIN_BLOCKED: "the PIN is blocked",
    SW.CONDITIONS_NOT_SATISFIED: "no session, or not possible in this state",
    SW.WRONG_DATA: "wrong data, currency or limit",
    SW.APPLICATION_BLOCKED: "the card is blocked",
    SW.NO_APPLICATION: "no such application on this card",
    SW.NO_RECORD: "no such record",
    SW.FULL: "no room left",
    SW.WRONG_P1_P2: "wrong P1 P2",
    SW.NO_KEY_VERSION: "unknown key version",
    SW.WRONG_INS: "unknown instruction",
    SW.WRONG_CLA: "unknown class",
    SW.MAC_WRONG: "authentication failed",
    SW.BALANCE_TOO_LOW: "the balance is too low",
    SW.COUNTER_OR_LIMIT: "a counter is at its end or the balance limit is passed",
    SW.NO_PROOF: "the card holds no proof of it",
}


def tries_left(sw: int) -> int | None:
    """PIN tries left, when ``sw`` is 63Cx; None for every other word.

    >>> tries_left(0x63C2)
    2
    """
    return sw & 0x0F if sw & 0xFFF0 == SW.PIN_WRONG_NONE_LEFT else None


def describe(sw: int) -> str:
    """The word in hex with its meaning, for messages and logs.

    >>> describe(0x9401)
    '9401 (the balance is too low)'
    >>> describe(0x63C1)
    '63C1 (wrong PIN, 1 left)'
    >>> describe(0x1234)
    '1234 (not in the card profile)'
    """
    left = tries_left(sw)
    if left is not None:
        return f"{sw:04X} (wrong PIN, {left} left)"
    return f"{sw:04X} ({_MEANINGS.get(sw, 'not in the card profile')})"
