"""What every card machine says to the loop that runs it.

A machine (`card.purchase`, `card.recovery`, `card.load`, all on `card.machine`) decides
and does no I/O. The loop asks ``next_action()``, carries the action out and feeds back
what came of it:

* `Transmit`: send the command to the card of that role, then ``receive(response)``;
  or ``lost()`` when no answer came, whatever the reason.
* `Record`: make the step durable in the journal, then ``recorded()``. Nothing is sent
  to a card before that: the journal knows each step before the next one is taken.
* `Finished`: the result; the machine takes nothing more.

``next_action()`` gives the same action until it was fed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from card.errors import MalformedResponseError
from card.transaction import mask_card_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.apdu import CommandAPDU, ResponseAPDU
    from card.profile import Role
    from card.records import DebitProof, TransactionRecord

__all__ = [
    "CustomsCredited",
    "Finished",
    "JournalStep",
    "MachineMisuseError",
    "PurchaseBegun",
    "PurchaseOpened",
    "PurchaseVoided",
    "PurseDebited",
    "Record",
    "Transmit",
    "parse_or_none",
]

T = TypeVar("T")
Result_co = TypeVar("Result_co", covariant=True)


class MachineMisuseError(Exception):
    """The loop fed a machine what it did not ask for: a bug of ours, not of a card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseBegun:
    """The purse agreed to a payment; nothing is open yet.

    Attributes:
        otc: the purse's number of this debit.
        balance_minor: the purse's balance before it.
        rc: the purse's challenge, 8 bytes.
        cid: the purse's number, 8 bytes.
    """

    otc: int
    balance_minor: int
    rc: bytes = field(repr=False)
    cid: bytes

    def __repr__(self) -> str:
        cid = mask_card_number(self.cid)
        return f"PurchaseBegun(otc={self.otc}, cid={cid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOpened:
    """The customs card holds an open record; DEBIT comes next.

    Attributes:
        tx: the payment, with the customs card's number.
        kv: version of the purse's keys.
        rc: the purse's challenge, 8 bytes.
    """

    tx: TransactionRecord
    kv: int
    rc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseDebited:
    """The purse was debited and proved it: the customer has paid.

    Attributes:
        tx: the payment.
        proof: the purse's proof, TAC and MAC2 included.
        kv: version of the purse's keys.
        rc: the purse's challenge, 8 bytes.
    """

    tx: TransactionRecord
    proof: DebitProof
    kv: int
    rc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsCredited:
    """The customs card has credited the payment.

    Attributes:
        tx: the payment.
        proof: the purse's proof of it.
        total_minor: all that the customs card holds uncollected now.
    """

    tx: TransactionRecord
    proof: DebitProof
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseVoided:
    """Both cards agree that this payment can never happen."""

    tx: TransactionRecord


JournalStep = (
    PurchaseBegun | PurchaseOpened | PurseDebited | CustomsCredited | PurchaseVoided
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmit:
    """Send ``command`` to the card of ``role``."""

    role: Role
    command: CommandAPDU


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Make ``step`` durable before anything else happens."""

    step: JournalStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[Result_co]):
    """The machine is done; ``result`` says how it ended."""

    result: Result_co


def parse_or_none(parse: Callable[[bytes], T], response: ResponseAPDU) -> T | None:
    """The answer through ``parse``, or None: refused, or not of the profile's shape.

    For a machine a malformed answer is a fact to decide on, like any status word.
    """
    if not response.ok:
        return None
    try:
        return parse(response.data)
    except MalformedResponseError:
        return None
