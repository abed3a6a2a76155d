"""What a purchase is asked to do, and the four ways in which it can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from card.profile import Role
    from card.records import DebitProof, TransactionRecord

__all__ = [
    "Approved",
    "CreditPending",
    "DeclineReason",
    "Declined",
    "OutcomeUnknown",
    "PurchaseResult",
    "PurchaseTerms",
    "Stage",
]


@unique
class DeclineReason(StrEnum):
    """Why nothing was debited; ``Declined.role`` says on which card."""

    CARD_REMOVED = "card removed"
    OTHER_CARD = "another card answered"
    PIN_WRONG = "PIN wrong"
    PIN_BLOCKED = "PIN blocked"
    CARD_BLOCKED = "card blocked"
    NOT_READY = "card not personalised, or not in the state to do this"
    NOT_ACTIVATED = "customs card not activated"
    KEY_VERSION = "key version unknown to the card"
    AMOUNT_OR_CURRENCY = "amount, limit or currency refused"
    BALANCE_TOO_LOW = "balance too low"
    COUNTER_AT_END = "card has used up its numbers"
    FULL = "no room left on the customs card"
    NOT_AUTHENTIC = "one card does not accept the other as genuine"
    CARD_FAULT = "card answered what the profile does not foresee"


@unique
class Stage(StrEnum):
    """The command whose answer is missing."""

    INIT_SAM = "INIT SAM"
    DEBIT = "DEBIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseTerms:
    """What is to be paid, to whom, with which card.

    Attributes:
        amount_minor: 1 to 7FFFFFFF.
        currency: ISO 4217 number.
        mid: the customs card's id, 8 bytes.
        kv: version of the purse's keys, from its FCI.
        digest: D of the payment reference, 8 bytes.
        at: when, aware.
        cid: of the purse that was selected, 8 bytes; no other may answer.
    """

    amount_minor: int
    currency: int
    mid: bytes
    kv: int
    digest: bytes
    at: datetime
    cid: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Debited and credited.

    Attributes:
        tx: the payment.
        proof: the purse's proof of it.
        kv: version of the purse's keys.
        acked: the purse knows that it is credited; only housekeeping.
    """

    tx: TransactionRecord
    proof: DebitProof
    kv: int
    acked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """Nothing was debited, for certain.

    Attributes:
        reason: why.
        role: the card that refused, was gone or answered wrongly.
        sw: its status word; None when no answer came or 9000 came with wrong data.
        tries_left: PIN tries, after a wrong PIN.
        open_left: the customs card holds, or may hold, an open record to void now.
    """

    reason: DeclineReason
    role: Role
    sw: int | None = None
    tries_left: int | None = None
    open_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """No usable answer came: the cards have to be asked before this purse pays again.

    Attributes:
        stage: INIT SAM, when no DEBIT was sent, or DEBIT, also when the customs card
            does not accept what the purse answered to it.
        tx: the payment, when its tsn is known.
        sw: a status word that says nothing certain, or None when no answer came.
    """

    stage: Stage
    tx: TransactionRecord | None
    sw: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPending:
    """Debited and proved, not known to be credited: the customer has paid.

    Attributes:
        tx: the payment.
        proof: the purse's proof of it; CREDIT can be repeated with it any time.
        kv: version of the purse's keys.
        sw: what CREDIT answered, or None when no answer came.
    """

    tx: TransactionRecord
    proof: DebitProof
    kv: int
    sw: int | None = None


PurchaseResult = Approved | Declined | OutcomeUnknown | CreditPending
"""How a purchase can end; each says whether money moved."""
