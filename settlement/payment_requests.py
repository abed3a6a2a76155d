"""The life of a payment request at the bank: pure rules.

A request is what customs asks a company to pay for one declaration. It goes through
these states and never back; who moves it, and on what:

============  ==========================================  ==========================
state         what it means                               goes on to
============  ==========================================  ==========================
new           counters of its office offer it             paid, declined, cancelled
paid          a posted payment named it, in full          nothing
declined      a clerk told that the payer will not pay    nothing
cancelled     whoever sent it took it back                nothing
============  ==========================================  ==========================

Only a *new* request moves at all. A paid one is never declined, a declined one never
paid: the broker sends another one. Paid is paid in full. The bank's database enforces
the same table by a trigger (`settlement.store.triggers_requests`).

Money does not wait for that: a payment whose TAC is good is posted, whatever it names.
`judge_payment` says what becomes of the request, and what a person has to look at:

=====================================================  =========  ====================
the payment that names the request                     request    incident
=====================================================  =========  ====================
new; of its currency, declaration and kind; in full    paid       none
new; of these, and more than was asked                 paid       over
new; of these, and less than was asked                 stays new  under
new; another currency, declaration or kind             stays new  differs
paid by another payment already                        stays      twice
declined or cancelled                                  stays      not open
=====================================================  =========  ====================
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from card.profile import AMOUNT_MINOR_MAX
from settlement.download_items import PaymentRequest
from settlement.messages import RecordAnswer, ResponseCode
from settlement.money import Money, currency_by_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from settlement.payment import PaymentDetails, PaymentKind, PaymentLine

__all__ = [
    "NAME_BYTES_MAX",
    "TRANSITIONS",
    "PaymentOutcome",
    "Request",
    "RequestState",
    "counter_item",
    "judge_decline",
    "judge_payment",
    "may_move",
]

NAME_BYTES_MAX: Final = 120
"""Bytes of the name of a payer or a broker."""


@unique
class RequestState(StrEnum):
    """Where a request stands; the values are stored."""

    NEW = "new"
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"


_S = RequestState
TRANSITIONS: Final[Mapping[RequestState, frozenset[RequestState]]] = MappingProxyType(
    {
        _S.NEW: frozenset({_S.PAID, _S.DECLINED, _S.CANCELLED}),
        _S.PAID: frozenset(),
        _S.DECLINED: frozenset(),
        _S.CANCELLED: frozenset(),
    }
)


@unique
class PaymentOutcome(StrEnum):
    """What a posted payment did to the request that it names; the values are stored."""

    PAID = "paid"
    OVER = "over"
    UNDER = "under"
    DIFFERS = "differs"
    TWICE = "twice"
    NOT_OPEN = "not open"

    @property
    def pays(self) -> bool:
        """Whether the request is paid by it."""
        return self in {PaymentOutcome.PAID, PaymentOutcome.OVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One payment request as it was sent; it never changes.

    Attributes:
        number: 1 to 32 bytes; no other request of this bank has it.
        declaration: the payment reference, 1 to 48 bytes.
        kind: fees or deposits.
        amount_minor: to be paid, the sum of the lines when there are any.
        currency: ISO 4217 number.
        office: the customs office at which it is to be paid.
        payer: the company that is to pay, or empty.
        broker: who acts for it, or empty.
        delivery_order: or empty.
        lines: the assessment by class.
        due: the last day on which it should be paid, or None. Nothing moves by itself
            when it is over: a late payment is a payment.
    """

    number: str
    declaration: str
    kind: PaymentKind
    amount_minor: int
    currency: int
    office: str
    payer: str = ""
    broker: str = ""
    delivery_order: str = ""
    lines: tuple[PaymentLine, ...] = ()
    due: date | None = None

    def __post_init__(self) -> None:
        assert 0 < self.amount_minor <= AMOUNT_MINOR_MAX, "an amount that can be paid"
        assert not self.lines or self.lines_minor == self.amount_minor, "lines add up"

    @property
    def lines_minor(self) -> int:
        """Sum of the lines, in minor units."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def money(self) -> Money:
        """The amount with its currency."""
        return Money(
            amount_minor=self.amount_minor, currency=currency_by_number(self.currency)
        )

    @property
    def content(self) -> bytes:
        """Digest of all of it, 32 bytes: the same request sent again has the same."""
        facts = [
            *(self.number, self.declaration, self.kind.value, self.amount_minor),
            *(self.currency, self.office, self.payer, self.broker),
            self.delivery_order,
            [[line.line_class.value, line.amount_minor] for line in self.lines],
            None if self.due is None else self.due.isoformat(),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).digest()


def may_move(before: RequestState, after: RequestState) -> bool:
    """Whether a request may go from one state to another.

    >>> may_move(RequestState.NEW, RequestState.PAID)
    True
    >>> may_move(RequestState.PAID, RequestState.DECLINED)
    False
    """
    return after in TRANSITIONS[before]


def counter_item(request: Request) -> PaymentRequest:
    """What counters are told of a request."""
    return PaymentRequest(
        number=request.number,
        declaration=request.declaration,
        amount_minor=request.amount_minor,
        kind=request.kind,
        office=request.office,
        payer=request.payer,
        broker=request.broker,
        delivery_order=request.delivery_order,
        due=request.due,
        lines=request.lines,
    )


def judge_payment(
    request: Request,
    state: RequestState,
    *,
    details: PaymentDetails,
    amount_minor: int,
    currency: int,
) -> tuple[PaymentOutcome, str]:
    """What a posted payment does to the request that it names; see the table above.

    Args:
        request: the one named.
        state: where it stands.
        details: of the payment; ``details.request_number`` is the request's.
        amount_minor: that was paid.
        currency: ISO 4217 number of what was paid.

    Returns:
        The outcome, and what a person is told; empty when all is as it should be.
    """
    if state is RequestState.PAID:
        text = f"request {request.number} was paid already; this is a second payment"
        return PaymentOutcome.TWICE, text
    if not may_move(state, RequestState.PAID):
        text = f"request {request.number} is {state} and was paid all the same"
        return PaymentOutcome.NOT_OPEN, text
    differs = [
        what
        for what, is_same in (
            ("currency", currency == request.currency),
            ("declaration", details.declaration == request.declaration),
            ("kind", details.kind is request.kind),
        )
        if not is_same
    ]
    if differs:
        text = (
            f"a payment names request {request.number} but has another "
            f"{' and '.join(differs)}; the request stays open"
        )
        return PaymentOutcome.DIFFERS, text
    asked = f"request {request.number} asks for {request.money}"
    if amount_minor < request.amount_minor:
        return PaymentOutcome.UNDER, f"{asked}, less was paid; it stays open"
    if amount_minor > request.amount_minor:
        return PaymentOutcome.OVER, f"{asked}, more was paid"
    return PaymentOutcome.PAID, ""


def judge_decline(number: str, state: RequestState | None) -> RecordAnswer:
    """What a counter is answered that reports a decline.

    Args:
        number: of the request.
        state: where it stands; None when the bank has no such request.
    """
    if state is None:
        text = f"the bank has no request {number}; nothing was declined"
        return RecordAnswer(code=ResponseCode.INVALID, text=text)
    if not may_move(state, RequestState.DECLINED):
        text = f"request {number} is {state}; it cannot be declined any more"
        return RecordAnswer(code=ResponseCode.CONFLICT, text=text)
    return RecordAnswer(code=ResponseCode.ACCEPTED)
