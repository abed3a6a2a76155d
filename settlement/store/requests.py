"""Payment requests in the database: what was asked, and every step after that."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.messages import RecordAnswer, ResponseCode
from settlement.payment import LineClass, PaymentKind, PaymentLine
from settlement.payment_requests import PaymentOutcome, Request, RequestState
from settlement.store.numbers import next_number
from settlement.store.schema import payment
from settlement.store.schema_requests import (
    payment_request,
    request_decline,
    request_event,
    request_payment,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from settlement.decline_report import DeclineReport

__all__ = ["RequestEvent", "RequestPayment", "RequestTables", "StoredRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidBy:
    """The payment that paid a request.

    Attributes:
        cid: the purse, 8 bytes; masked before anybody sees it.
        otc: the purse's number of it.
        terminal_id: of the counter.
        batch: that brought it.
        stan: the counter's number of it.
        paid_at: the counter's time.
    """

    cid: bytes = field(repr=False)
    otc: int
    terminal_id: str
    batch: int
    stan: int
    paid_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request and where it stands.

    Attributes:
        source: who sent it.
        sent_at: when it came, the bank's time.
        changed: number of its newest step among all steps of all requests.
        changed_at: when that was.
        reason: why it was declined or cancelled, or empty.
        paid_by: what paid it, or None.
    """

    request: Request
    state: RequestState
    source: str
    sent_at: datetime
    changed: int
    changed_at: datetime
    reason: str = ""
    paid_by: PaidBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent:
    """One step of a request.

    Attributes:
        who: who or what moved it, in plain words.
    """

    state: RequestState
    who: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPayment:
    """A posted payment that named the request."""

    outcome: PaymentOutcome
    amount_minor: int
    paid_by: PaidBy


_later: Final = request_event.alias("later")
_NEWEST: Final = ~sa.exists().where(
    _later.c.number == request_event.c.number, _later.c.serial > request_event.c.serial
)
_PAYMENT_COLUMNS: Final = (
    payment.c.terminal_id,
    payment.c.batch,
    payment.c.stan,
    payment.c.paid_at,
)
_STORED: Final = (
    sa.select(
        payment_request,
        request_event.c.id,
        request_event.c.state,
        request_event.c.reason,
        request_event.c.cid,
        request_event.c.otc,
        request_event.c.at.label("changed_at"),
        *_PAYMENT_COLUMNS,
    )
    .select_from(
        request_event.join(payment_request).outerjoin(
            payment,
            sa.and_(
                payment.c.cid == request_event.c.cid,
                payment.c.otc == request_event.c.otc,
            ),
        )
    )
    .where(_NEWEST)
    .order_by(request_event.c.id)
)
_SERIAL: Final = sa.select(sa.func.max(request_event.c.serial)).where(
    request_event.c.number == sa.bindparam("of_number")
)


class RequestTables:
    """Requests within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(self, request: Request, source: str, at: datetime) -> None:
        """Keep a request that is new to the bank, as *new*.

        Raises:
            LedgerError: at the end of the transaction, when its number is taken.
        """
        self._connection.execute(
            sa.insert(payment_request),
            {
                "number": request.number,
                "office": request.office,
                "declaration": request.declaration,
                "kind": request.kind.value,
                "amount_minor": request.amount_minor,
                "currency": request.currency,
                "payer": request.payer,
                "broker": request.broker,
                "delivery_order": request.delivery_order,
                "lines": json.dumps(
                    [[one.line_class.value, one.amount_minor] for one in request.lines]
                ),
                "due": "" if request.due is None else request.due.isoformat(),
                "content": request.content,
                "source": source,
                "at": at,
            },
        )
        self.move(request.number, RequestState.NEW, who=source, at=at)

    def move(
        self,
        number: str,
        state: RequestState,
        *,
        who: str,
        at: datetime,
        reason: str = "",
        paid_by: tuple[bytes, int] | None = None,
    ) -> None:
        """Append a step; the database refuses one that is none.

        Args:
            number: of the request.
            state: where it stands from now on.
            who: who or what moved it.
            at: the bank's time.
            reason: why, or empty.
            paid_by: card number and otc of the payment that paid it.
        """
        serial = self._connection.execute(_SERIAL, {"of_number": number}).scalar() or 0
        cid, otc = paid_by or (None, None)
        self._connection.execute(
            sa.insert(request_event),
            {
                "id": next_number(self._connection, request_event.c.id),
                "number": number,
                "serial": serial + 1,
                "state": state.value,
                "who": who,
                "reason": reason,
                "cid": cid,
                "otc": otc,
                "at": at,
            },
        )

    def offices(self, numbers: Collection[str]) -> set[str]:
        """The offices of those of these numbers that the bank has, to be held."""
        query = sa.select(payment_request.c.office).where(
            payment_request.c.number.in_(list(numbers))
        )
        return set(self._connection.execute(query).scalars())

    def find(self, numbers: Collection[str]) -> dict[str, StoredRequest]:
        """Those of these numbers that the bank has, by number."""
        query = _STORED.where(payment_request.c.number.in_(list(numbers)))
        found = [_stored(row) for row in self._connection.execute(query)]
        return {one.request.number: one for one in found}

    def get(self, number: str) -> StoredRequest | None:
        """The request of this number, or None."""
        return self.find([number]).get(number)

    def page(
        self,
        *,
        after: int,
        limit: int,
        state: RequestState | None = None,
        offices: Sequence[str] = (),
        since: datetime | None = None,
        due_before: date | None = None,
    ) -> list[StoredRequest]:
        """Requests by their newest step, the earliest one first.

        Args:
            after: only steps after this number; `StoredRequest.changed` of the last
                one of a page begins the next page.
            limit: the most.
            state: only those that stand there.
            offices: only those of these; all when there are none.
            since: only those that changed then or later.
            due_before: only those whose day was before this one.
        """
        query = _STORED.where(request_event.c.id > after).limit(limit)
        if state is not None:
            query = query.where(request_event.c.state == state.value)
        if offices:
            query = query.where(payment_request.c.office.in_(offices))
        if since is not None:
            query = query.where(request_event.c.at >= since)
        if due_before is not None:
            day = payment_request.c.due
            query = query.where(day != "", day < due_before.isoformat())
        return [_stored(row) for row in self._connection.execute(query)]

    def events(self, number: str) -> list[RequestEvent]:
        """Every step of a request, the first one first."""
        query = (
            sa.select(request_event)
            .where(request_event.c.number == number)
            .order_by(request_event.c.serial)
        )
        return [
            RequestEvent(
                state=RequestState(row.state), who=row.who, reason=row.reason, at=row.at
            )
            for row in self._connection.execute(query)
        ]

    def add_payment(
        self, number: str, cid: bytes, otc: int, outcome: PaymentOutcome, at: datetime
    ) -> None:
        """Note that a posted payment named a request."""
        self._connection.execute(
            sa.insert(request_payment),
            {
                "cid": cid,
                "otc": otc,
                "number": number,
                "outcome": outcome.value,
                "at": at,
            },
        )

    def payments(self, number: str) -> list[RequestPayment]:
        """Every posted payment that named a request, as they came."""
        named = request_payment
        query = (
            sa.select(
                named.c.cid,
                named.c.otc,
                named.c.outcome,
                payment.c.amount_minor,
                *_PAYMENT_COLUMNS,
            )
            .select_from(named.join(payment))
            .where(named.c.number == number)
            .order_by(named.c.at, named.c.cid, named.c.otc)
        )
        return [
            RequestPayment(
                outcome=PaymentOutcome(row.outcome),
                amount_minor=row.amount_minor,
                paid_by=_paid_by(row),
            )
            for row in self._connection.execute(query)
        ]

    def decline_answer(self, terminal_id: str, content: bytes) -> RecordAnswer | None:
        """What a counter was answered to the same decline before, or None."""
        query = sa.select(request_decline.c.code, request_decline.c.text).where(
            request_decline.c.terminal_id == terminal_id,
            request_decline.c.content == content,
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return RecordAnswer(code=ResponseCode(row.code), text=row.text)

    def add_decline(
        self,
        terminal_id: str,
        report: DeclineReport,
        answer: RecordAnswer,
        at: datetime,
    ) -> None:
        """Keep what a counter told, and what it is answered."""
        self._connection.execute(
            sa.insert(request_decline),
            {
                "terminal_id": terminal_id,
                "content": report.content,
                "number": report.number,
                "reason": report.reason,
                "clerk": report.clerk,
                "declined_at": report.at,
                "code": answer.code.value,
                "text": answer.text,
                "received_at": at,
            },
        )


def _stored(row: Any) -> StoredRequest:
    return StoredRequest(
        request=request_row(row),
        state=RequestState(row.state),
        source=row.source,
        sent_at=row.at,
        changed=row.id,
        changed_at=row.changed_at,
        reason=row.reason,
        paid_by=None if row.cid is None else _paid_by(row),
    )


def _paid_by(row: Any) -> PaidBy:
    return PaidBy(
        cid=row.cid,
        otc=row.otc,
        terminal_id=row.terminal_id,
        batch=row.batch,
        stan=row.stan,
        paid_at=row.paid_at,
    )


def request_row(row: Any) -> Request:
    """The value of a stored row."""
    return Request(
        number=row.number,
        declaration=row.declaration,
        kind=PaymentKind(row.kind),
        amount_minor=row.amount_minor,
        currency=row.currency,
        office=row.office,
        payer=row.payer,
        broker=row.broker,
        delivery_order=row.delivery_order,
        lines=tuple(
            PaymentLine(line_class=LineClass(line_class), amount_minor=line_minor)
            for line_class, line_minor in json.loads(row.lines)
        ),
        due=date.fromisoformat(row.due) if row.due else None,
    )
