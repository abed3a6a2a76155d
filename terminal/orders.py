"""What a payment asks for, the card it is taken from, and how it ended.

All values here are immutable and safe to show: a card number appears only masked,
and a PIN never gets this far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import date, datetime

    from settlement.money import Money
    from settlement.payment import PaymentDetails, PaymentKind
    from terminal.errors import Advice

__all__ = [
    "InterruptedPayment",
    "InterruptedState",
    "Paid",
    "PaymentOrder",
    "PaymentResult",
    "PurseSeen",
    "Receipt",
    "RecoveryOutcome",
    "RecoveryVerdict",
    "RefusalReason",
    "Refused",
    "Unknown",
    "Warned",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """An earlier payment of the same declaration that the clerk was warned of.

    Attributes:
        number: its payment number.
        paid: whether it was known to be paid when the warning was given.
    """

    number: int
    paid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """A payment that may be taken: checked by `Counter.check_order`.

    Attributes:
        warned: the earlier payments that the clerk goes on in spite of, see
            `CounterService.go_on_all_the_same`.
    """

    details: PaymentDetails
    amount: Money
    warned: frozenset[Warned] = frozenset()

    @property
    def declaration(self) -> str:
        """The declaration number, the reference that goes into the card's record."""
        return self.details.declaration

    @property
    def kind(self) -> PaymentKind:
        """Fees, deposits, or a purchase."""
        return self.details.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseSeen:
    """A purse in the reader that can be used, as it was when it was read.

    Attributes:
        insertion: which insertion of a card this was read from; a payment is refused
            when the card has left the reader since.
        card_id: the full card number (8 bytes), for comparison only; never shown.
    """

    card_number_masked: str
    holder: str
    language: str
    expiry: date
    balance: Money
    payment_limit: Money
    tries_left: int
    insertion: int
    card_id: bytes = field(repr=False)


@unique
class RefusalReason(StrEnum):
    """Why nothing was taken from the card."""

    PIN_WRONG = "pin-wrong"
    PIN_BLOCKED = "pin-blocked"
    PIN_MALFORMED = "pin-malformed"
    BALANCE_TOO_LOW = "balance-too-low"
    OVER_CARD_LIMIT = "over-card-limit"
    CARD_STOPPED = "card-stopped"
    CARD_BLOCKED = "card-blocked"
    CARD_REMOVED = "card-removed"
    OTHER_CARD = "other-card"
    CARD_CANNOT_PAY = "card-cannot-pay"
    NO_CUSTOMS_CARD = "no-customs-card"
    CUSTOMS_CARD_FULL = "customs-card-full"
    CUSTOMS_CARD_REFUSED = "customs-card-refused"
    UNRESOLVED_PAYMENT = "unresolved-payment"
    EARLIER_PAYMENT = "earlier-payment"
    DISK_FULL = "disk-full"
    DISK_READ_ONLY = "disk-read-only"
    DISK_NO_PERMISSION = "disk-no-permission"
    DISK_MISSING = "disk-missing"
    DISK_FAILED = "disk-failed"
    JOURNAL_FAILED = "journal-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The amount left the purse, and the journal holds the proof.

    Attributes:
        number: the payment number, given to every attempt.
        receipt_number: counts paid payments only.
        credited: False when the customs card has not taken the value over yet; the
            customer has paid all the same, and the counter finishes it by itself.
        approval: the purse's approval for the receipt, 6 digits.
    """

    number: int
    receipt_number: int
    order: PaymentOrder
    card_number_masked: str
    balance_after: Money
    at: datetime
    approval: str
    credited: bool
    advice: Advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was taken from the card.

    Attributes:
        tries_left: PIN tries left after a wrong PIN, or None.
        can_retry: the same order may be tried again with this card as it stands.
    """

    number: int | None
    order: PaymentOrder
    reason: RefusalReason
    tries_left: int | None
    can_retry: bool
    advice: Advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Not known yet whether money moved: the same card must be put back."""

    number: int
    order: PaymentOrder
    card_number_masked: str
    advice: Advice


PaymentResult: TypeAlias = Paid | Refused | Unknown


@unique
class InterruptedState(StrEnum):
    """What is still open about a payment that was cut short."""

    UNKNOWN = "unknown"
    """Not known whether the purse was debited; the purse must come back."""
    PAID_NOT_CREDITED = "paid-not-credited"
    """The customer has paid; the customs card must take the value over."""
    LEFT_TO_BANK = "left-to-bank"
    """The purse cannot tell any more; the bank decides after the next call."""
    PAID = "paid"
    """Settled since: it was paid. Not open any more, and yet a reason for a warning."""

    @property
    def is_paid(self) -> bool:
        """Whether the customer has paid for sure."""
        return self in {InterruptedState.PAID_NOT_CREDITED, InterruptedState.PAID}


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptedPayment:
    """One payment that was cut short, most often with its end still open.

    Attributes:
        number: payment number; a record found on the customs card that this journal
            did not know has been given one.
        declaration: empty when the journal does not know it, as with such a record.
    """

    number: int
    declaration: str
    amount: Money
    card_number_masked: str
    at: datetime
    state: InterruptedState
    advice: Advice


@unique
class RecoveryVerdict(StrEnum):
    """How a payment that was cut short has ended, or that it has not."""

    PAID = "paid"
    NOT_PAID = "not-paid"
    LEFT_TO_BANK = "left-to-bank"
    STILL_UNKNOWN = "still-unknown"

    @property
    def is_known(self) -> bool:
        """Whether it is known for sure whether the customer has paid."""
        return self in {RecoveryVerdict.PAID, RecoveryVerdict.NOT_PAID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What stands on the receipt of a payment beside the order itself.

    Attributes:
        number: counts paid payments only.
        at: when the card was debited.
        approval: the purse's approval, 6 digits.
    """

    number: int
    at: datetime
    approval: str
    balance_after: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryOutcome:
    """What the counter found out about one interrupted payment.

    Attributes:
        number: the payment number.
        receipt: of a paid one.
        declaration: empty when this journal does not know it.
        kind: likewise None.
    """

    verdict: RecoveryVerdict
    number: int
    receipt: Receipt | None
    declaration: str
    kind: PaymentKind | None
    amount: Money
    card_number_masked: str
    advice: Advice

    @property
    def receipt_number(self) -> int | None:
        """The receipt's number, None unless it is paid."""
        return None if self.receipt is None else self.receipt.number
