"""The vocabulary of card profile 1: names and numbers, no behaviour.

This is the only part of the package, besides `card.sw`, that the simulated cards
share with the terminal: instruction bytes, identifiers, tags, labels and limits.
What the bytes between them mean is written twice, once in `card/` and once in
`sim/`, so that neither side can hide a mistake of the other.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum, unique
from typing import Final

__all__ = [
    "ALGORITHM_AES_CMAC",
    "AMOUNT_MINOR_MAX",
    "BATCH_CREDITS_MAX",
    "COUNTER_NEVER_USED",
    "CUSTOMS_AID",
    "INS",
    "PIN_DIGITS_MAX",
    "PIN_DIGITS_MIN",
    "PIN_TRIES",
    "PROFILE_VERSION",
    "PURSE_AID",
    "WAITING_BATCHES_MAX",
    "CardState",
    "KeyUse",
    "LogKind",
    "RecordType",
    "Role",
    "Tag",
]

PROFILE_VERSION: Final = 1
PURSE_AID: Final = bytes.fromhex("F0 52 41 53 45 45 44 01")
CUSTOMS_AID: Final = bytes.fromhex("F0 52 41 53 45 45 44 02")

ALGORITHM_AES_CMAC: Final = 0x01
AMOUNT_MINOR_MAX: Final = 0x7FFFFFFF
COUNTER_NEVER_USED: Final = 0xFFFFFFFF
"""The otc, ltc and tsn at which a card stops instead of starting again."""
PIN_DIGITS_MIN: Final = 4
PIN_DIGITS_MAX: Final = 12
PIN_TRIES: Final = 3
BATCH_CREDITS_MAX: Final = 999
"""Credits and open records of one batch: ISO 8583 field 63 counts in 3 digits."""
WAITING_BATCHES_MAX: Final = 8
"""Closed batches that may wait for their BANK ACK on a customs card."""


@unique
class Role(StrEnum):
    """Which of the two cards of a payment is meant."""

    PURSE = "purse"
    CUSTOMS = "customs"


@unique
class INS(IntEnum):
    """Instruction bytes; one byte may serve both cards with other P1 P2."""

    BLOCK = 0x1E
    UNBLOCK = 0x18
    VERIFY = 0x20
    CHANGE_PIN = 0x24
    RESET_PIN = 0x2C
    INIT = 0x50
    CREDIT_LOAD = 0x52
    DEBIT = 0x54
    ACK = 0x56
    PROVE_OR_VOID = 0x5A
    GET_BALANCE = 0x5C
    INIT_SAM = 0x70
    CREDIT = 0x72
    STATUS = 0x74
    VOID_OPEN = 0x76
    LIST_OPEN = 0x78
    READ_CREDITED = 0x79
    CLOSE_BATCH = 0x7A
    BANK_ACK = 0x7C
    GET_CHALLENGE = 0x84
    SELECT = 0xA4
    READ_LOG = 0xB2
    GET_RESPONSE = 0xC0
    PUT_DATA = 0xDA


@unique
class Tag(IntEnum):
    """BER-TLV tags of the FCI that SELECT answers."""

    FCI = 0x6F
    AID = 0x84
    PROPRIETARY = 0xA5
    PROFILE_VERSION = 0xC0
    CARD_ID = 0xC1
    CURRENCY = 0xC2
    VALID_FROM = 0xC3
    EXPIRY = 0xC4
    STATE = 0xC5
    BALANCE_LIMIT = 0xC6
    PAYMENT_LIMIT = 0xC7
    PIN_TRIES_LEFT = 0xC8
    KEY_VERSION = 0xC9
    HOLDER_NAME = 0xCA
    LANGUAGE = 0xCB


@unique
class CardState(IntEnum):
    """Data object C5, the life-cycle state of an application."""

    INITIALISED = 0x01
    ACTIVE = 0x03
    BLOCKED = 0x0F


@unique
class RecordType(IntEnum):
    """The second byte of a TX or LX."""

    LOAD = 0x02
    PURCHASE = 0x06


@unique
class LogKind(IntEnum):
    """The first byte of a READ LOG answer."""

    PURCHASE = 0x06
    VOID = 0x07


@unique
class KeyUse(StrEnum):
    """KDF label of each master: IMK-P, -L, -T, -M, -B, and the chip maker's."""

    PURCHASE = "PUR"
    LOAD = "LOD"
    TRANSACTION_CERTIFICATE = "TAC"
    MAINTENANCE = "MNT"
    BATCH = "BAT"
    TRANSPORT = "TRN"
