"""What a load is asked to do, what it asks the bank, and the ways in which it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.records import LoadRecord, LoadRequest

__all__ = [
    "Authorise",
    "LoadDeclineReason",
    "LoadDeclined",
    "LoadDone",
    "LoadProved",
    "LoadRecoveryResult",
    "LoadResult",
    "LoadTerms",
    "LoadUnknown",
    "LoadVoided",
]


@unique
class LoadDeclineReason(StrEnum):
    """Why nothing was loaded and nothing is booked."""

    CARD_REMOVED = "card removed"
    OTHER_CARD = "another card answered"
    PIN_WRONG = "PIN wrong"
    PIN_BLOCKED = "PIN blocked"
    CARD_BLOCKED = "card blocked"
    NOT_READY = "card not personalised, or not in the state to do this"
    KEY_VERSION = "key version unknown to the card"
    AMOUNT_OR_CURRENCY = "amount or currency refused"
    LIMIT_OR_COUNTER = "balance limit passed, or card has used up its numbers"
    BANK_REFUSED = "refused by the bank"
    CARD_FAULT = "card answered what the profile does not foresee"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTerms:
    """What is to be loaded, where, on which purse.

    Attributes:
        kv: version of the purse's keys, from its FCI.
        amount_minor: 1 to 7FFFFFFF.
        currency: ISO 4217 number.
        lid: the load desk's id, 8 bytes.
        cid: of the purse that was selected, 8 bytes; no other may answer.
    """

    kv: int
    amount_minor: int
    currency: int
    lid: bytes
    cid: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorise:
    """Ask the bank; then ``authorised(...)`` or ``refused()``."""

    request: LoadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDone:
    """Loaded; the bank keeps LTAC.

    Attributes:
        lx: the load.
        balance_after_minor: the purse's balance after it.
        ltac: its certificate towards the bank, 8 bytes.
    """

    lx: LoadRecord
    balance_after_minor: int
    ltac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDeclined:
    """Nothing is loaded and nothing is booked, for certain.

    Attributes:
        reason: why.
        sw: the purse's status word, when one says it.
        tries_left: PIN tries, after a wrong PIN.
    """

    reason: LoadDeclineReason
    sw: int | None = None
    tries_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadUnknown:
    """Booked, and the purse has neither proved nor burned it: run `LoadRecovery`.

    Attributes:
        ltc: the purse's number of this load.
        lsn: the bank's.
        sw: what the purse answered, or None when no answer came.
    """

    ltc: int
    lsn: int
    sw: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProved:
    """The purse proves an earlier load; the bank knows the rest of its LX.

    Attributes:
        ltc: the purse's number of this load.
        lid: the load desk's id, 8 bytes.
        lsn: the bank's number.
        balance_after_minor: the purse's balance after it.
        ltac: its certificate towards the bank, 8 bytes.
    """

    ltc: int
    lid: bytes
    lsn: int
    balance_after_minor: int
    ltac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadVoided:
    """The purse certifies that an earlier load can never happen.

    Attributes:
        ltc: the purse's number of this load.
        lid: the load desk's id, 8 bytes.
        lsn: the bank's number.
        vmac: against which the bank takes its booking back, 8 bytes.
    """

    ltc: int
    lid: bytes
    lsn: int
    vmac: bytes = field(repr=False)


LoadResult = LoadDone | LoadDeclined | LoadUnknown
"""How a load can end."""

LoadRecoveryResult = LoadProved | LoadVoided | LoadUnknown
"""How the recovery of a load can end."""
