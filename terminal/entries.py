"""What the journal holds: payments, batches, and the entries that move them on.

Theory of operation. A payment goes through states; each entry below is one durable
step, written before the next command goes to a card. The table `TRANSITIONS` is the
whole life of a payment; any other step is a bug and raises.

* INTENDED: the clerk asked for it; no value command has been sent.
* BEGUN: INIT PURCHASE was answered; INIT SAM may have been sent. The purse cannot have
  been debited, but the customs card may hold an open record.
* OPENED: the customs card holds an open record; DEBIT may have been sent. *Unknown*
  until the purse answers PROVE or VOID.
* DEBITED: the purse's proof is here: the customer has paid. CREDIT may have been sent.
  Back to OPENED, or on to LEFT_TO_BANK, only when the customs card calls the proof
  wrong.
* CREDITED: the customs card has taken the value over. The end of a paid payment.
* REFUSED: it ended before an open record; nothing was taken. An end.
* NOT_DEBITED: the open record is gone and the purse was never debited. An end.
* LEFT_TO_BANK: the purse cannot tell any more (9406); the bank's closure will.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from card.records import BatchClose, DebitProof, OpenRecord, TransactionRecord
    from settlement.payment import PaymentDetails

__all__ = [
    "ASK_THE_BANK",
    "RESOLVED",
    "TRANSITIONS",
    "BatchState",
    "Begun",
    "Credited",
    "Debited",
    "Entry",
    "Intent",
    "JournalBatch",
    "JournalPayment",
    "LeftToBank",
    "NotDebited",
    "Opened",
    "OutcomeLost",
    "PaymentState",
    "PaymentStep",
    "ProofRefused",
    "Recalled",
    "RefusedEntry",
]


@unique
class PaymentState(StrEnum):
    """Where a payment stands; the module's docstring explains each."""

    INTENDED = "intended"
    BEGUN = "begun"
    OPENED = "opened"
    DEBITED = "debited"
    CREDITED = "credited"
    REFUSED = "refused"
    NOT_DEBITED = "not-debited"
    LEFT_TO_BANK = "left-to-bank"


_S = PaymentState
TRANSITIONS: Final[Mapping[PaymentState, frozenset[PaymentState]]] = MappingProxyType(
    {
        _S.INTENDED: frozenset({_S.BEGUN, _S.REFUSED}),
        _S.BEGUN: frozenset(
            {_S.OPENED, _S.DEBITED, _S.REFUSED, _S.NOT_DEBITED, _S.LEFT_TO_BANK}
        ),
        _S.OPENED: frozenset(
            {_S.DEBITED, _S.CREDITED, _S.NOT_DEBITED, _S.LEFT_TO_BANK}
        ),
        _S.DEBITED: frozenset({_S.OPENED, _S.CREDITED, _S.LEFT_TO_BANK}),
        _S.LEFT_TO_BANK: frozenset(
            {_S.LEFT_TO_BANK, _S.DEBITED, _S.CREDITED, _S.NOT_DEBITED}
        ),
        _S.CREDITED: frozenset(),
        _S.REFUSED: frozenset(),
        _S.NOT_DEBITED: frozenset(),
    }
)
RESOLVED: Final = frozenset({_S.CREDITED, _S.REFUSED, _S.NOT_DEBITED})
ASK_THE_BANK: Final = frozenset({_S.OPENED, _S.LEFT_TO_BANK})
"""What has an open record, and no proof: the purse can tell, or the bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A payment about to be started; the journal answers with its number.

    Attributes:
        card_id: the purse's CID (8 bytes), journalled sealed and as a keyed digest.
        details: None for a record that was found on a customs card.
        mid: the customs card's number (8 bytes), journalled likewise.
        batch: the customs card's batch as far as is known.
    """

    details: PaymentDetails | None
    amount_minor: int
    currency: int
    card_id: bytes = field(repr=False)
    mid: bytes = field(repr=False)
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """INIT PURCHASE was answered; written before INIT SAM."""

    otc: int
    rc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """INIT SAM was answered; written before DEBIT."""

    tx: TransactionRecord
    kv: int
    rc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debited:
    """The purse proved its debit; written before CREDIT."""

    tx: TransactionRecord
    proof: DebitProof
    kv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited:
    """The customs card took the value over; written before ACK.

    Attributes:
        batch: the batch that was current at that moment.
    """

    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEntry:
    """It ended before an open record; nothing was taken."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDebited:
    """No debit took place and none can any more.

    Attributes:
        how: the evidence: ``"void"``, ``"no-open-record"`` or ``"bank"``.
    """

    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftToBank:
    """The purse holds no proof any more (9406); the record stays open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRefused:
    """The customs card does not accept the proof (9302): back to OPENED, unknown.

    Something between the cards spoiled the proof; the purse is asked for it again.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeLost:
    """No answer came; the state stays what it was, only the event is written."""

    stage: str


PaymentStep: TypeAlias = (
    Begun
    | Opened
    | Debited
    | Credited
    | RefusedEntry
    | NotDebited
    | LeftToBank
    | ProofRefused
)
"""The entries that change the state of a payment."""
Entry: TypeAlias = PaymentStep | OutcomeLost


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPayment:
    """One payment as the journal knows it.

    Attributes:
        number: payment number, from 1, never used again.
        details: None for a record found on a customs card that this journal did not
            know.
        otc: the purse's number of it; None before INIT PURCHASE was answered.
        batch: the batch that holds it; before it is credited, the batch that was
            current when it began.
        position: place among the batch's credits, from 1; None until credited.
        receipt: receipt number, given when the purse was debited.
    """

    number: int
    stan: int
    state: PaymentState
    details: PaymentDetails | None
    amount_minor: int
    currency: int
    card_masked: str
    at: datetime
    batch: int
    position: int | None
    receipt: int | None
    otc: int | None
    tx: TransactionRecord | None
    kv: int | None
    proof: DebitProof | None
    card_id: bytes = field(repr=False)
    rc: bytes | None = field(repr=False)

    @property
    def declaration(self) -> str:
        """The declaration number, empty when it is not known here."""
        return "" if self.details is None else self.details.declaration

    def matches(self, record: OpenRecord) -> bool:
        """Whether ``record`` of the customs card is this payment's."""
        if self.tx is not None:
            return self.tx == record.tx
        same_card = self.card_id == record.tx.cid
        return same_card and self.otc == record.tx.otc and self.rc == record.rc


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What an older journal tells of a payment that a customs card still holds.

    Attributes:
        number: its payment number there.
        receipt: its receipt number, when it was given one.
        details: what the clerk typed.
        at: when the payment was begun, in the office's zone.
    """

    number: int
    receipt: int | None
    details: PaymentDetails | None
    at: datetime


@unique
class BatchState(StrEnum):
    """Where a closed batch stands."""

    CLOSED = "closed"
    """It waits for the bank."""
    COLLECTED = "collected"
    """The bank has it; BANK ACK must still reach the customs card."""
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBatch:
    """One closed batch.

    Attributes:
        mid: the customs card it comes from, 8 bytes.
        opens: its open records at the moment of closing.
        ack_mac: BANK ACK MAC (16 bytes), once collected.
        code: the bank's last response code, empty when there was none.
        text: the bank's words with it.
    """

    close: BatchClose
    state: BatchState
    closed_at: datetime
    opens: tuple[OpenRecord, ...]
    code: str
    text: str
    mid: bytes = field(repr=False)
    ack_mac: bytes | None = field(repr=False)

    @property
    def number(self) -> int:
        """The batch number, counted by its customs card from 1."""
        return self.close.batch
