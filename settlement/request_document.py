"""A payment request for machines: what the commands and the API show alike.

Amounts are texts in the major unit with all decimals of the currency, digits and one
point; times are UTC. A card number is masked. An empty text means that there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from card.records import mask_card_number
from settlement.money import Money, currency_by_number
from settlement.service_catalogue import plain_amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.store.requests import (
        PaidBy,
        RequestEvent,
        RequestPayment,
        StoredRequest,
    )

__all__ = ["moment", "request_details", "request_document"]


def moment(at: datetime) -> str:
    """A time as documents write it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def request_document(stored: StoredRequest) -> dict[str, Any]:
    """A request and where it stands."""
    request = stored.request
    currency = currency_by_number(request.currency)

    def amount(minor: int) -> str:
        return plain_amount(Money(amount_minor=minor, currency=currency))

    return {
        "number": request.number,
        "state": stored.state.value,
        "declaration": request.declaration,
        "kind": request.kind.value,
        "amount": amount(request.amount_minor),
        "currency": currency.code,
        "office": request.office,
        "payer": request.payer,
        "broker": request.broker,
        "delivery_order": request.delivery_order,
        "due": "" if request.due is None else request.due.isoformat(),
        "lines": [
            {"class": line.line_class.value, "amount": amount(line.amount_minor)}
            for line in request.lines
        ],
        "source": stored.source,
        "sent_at": moment(stored.sent_at),
        "changed_at": moment(stored.changed_at),
        "reason": stored.reason,
        "paid_by": None if stored.paid_by is None else _paid_by(stored.paid_by),
    }


def request_details(
    stored: StoredRequest,
    events: Sequence[RequestEvent],
    payments: Sequence[RequestPayment],
) -> dict[str, Any]:
    """The same with every step, and every posted payment that named it."""
    currency = currency_by_number(stored.request.currency)
    return {
        **request_document(stored),
        "steps": [
            {
                "state": event.state.value,
                "who": event.who,
                "reason": event.reason,
                "at": moment(event.at),
            }
            for event in events
        ],
        "payments": [
            {
                "outcome": one.outcome.value,
                "amount": plain_amount(
                    Money(amount_minor=one.amount_minor, currency=currency)
                ),
                **_paid_by(one.paid_by),
            }
            for one in payments
        ],
    }


def _paid_by(paid: PaidBy) -> dict[str, Any]:
    return {
        "card": mask_card_number(paid.cid),
        "otc": paid.otc,
        "terminal": paid.terminal_id,
        "batch": paid.batch,
        "stan": paid.stan,
        "paid_at": moment(paid.paid_at),
    }
