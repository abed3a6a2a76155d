"""Payment requests at the bank: taken, cancelled, paid and declined.

Every function here works within a transaction of the caller's and leaves the books in a
state that fits together: the request's steps, what its office's counters are told, and
the incidents. The rules themselves are in `settlement.payment_requests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.clearing import IncidentCode
from settlement.download import DownloadKind
from settlement.download_items import encode_request
from settlement.errors import DownloadError, InputError
from settlement.payment_requests import (
    PaymentOutcome,
    RequestState,
    counter_item,
    judge_decline,
    judge_payment,
    may_move,
)
from settlement.service_catalogue import check_fits
from settlement.store.batches import IncidentRow
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from settlement.decline_report import DeclineReport
    from settlement.messages import RecordAnswer
    from settlement.payment import PaymentRecord
    from settlement.payment_requests import Request
    from settlement.store.books import Books
    from settlement.store.records import RecordRow
    from settlement.store.requests import StoredRequest

__all__ = [
    "Taken",
    "add_requests",
    "after_posting",
    "cancel",
    "hold",
    "take_decline",
]

_INCIDENTS: Final = {
    PaymentOutcome.OVER: IncidentCode.REQUEST_AMOUNT,
    PaymentOutcome.UNDER: IncidentCode.REQUEST_AMOUNT,
    PaymentOutcome.DIFFERS: IncidentCode.REQUEST_DIFFERS,
    PaymentOutcome.TWICE: IncidentCode.REQUEST_PAID_TWICE,
    PaymentOutcome.NOT_OPEN: IncidentCode.REQUEST_NOT_OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of requests that were sent.

    Attributes:
        added: how many are new.
        known: how many were there before with the same content.
    """

    added: int
    known: int


def add_requests(
    books: Books, requests: Sequence[Request], source: str, now: datetime
) -> Taken:
    """Take requests, all of them or none; one that is there already stays as it is.

    Args:
        books: of a writing transaction.
        requests: with numbers that differ.
        source: who sends them, in plain words.
        now: the bank's time.

    Raises:
        InputError: a number is taken by another request, or an office gets more than
            its counters can fetch. Nothing was taken.
    """
    books.holds.offices(one.office for one in requests)
    known = books.requests.find([one.number for one in requests])
    taken = [
        one.number
        for one in requests
        if one.number in known and known[one.number].request.content != one.content
    ]
    if taken:
        lines = [f"{number}: the bank has another request with it" for number in taken]
        raise InputError("\n".join(["Numbers are taken. Nothing was taken.", *lines]))
    added = [one for one in requests if one.number not in known]
    for request in added:
        books.requests.add(request, source, now)
    offered: dict[str, dict[str, bytes | None]] = {}
    for request in added:
        _, value = encode_request(counter_item(request))
        offered.setdefault(request.office, {})[request.number] = value
    for office, changes in sorted(offered.items()):
        version = books.request_lists.publish(office, changes, now)
        _check_size(office, books.request_lists.entries(office, version))
    return Taken(added=len(added), known=len(requests) - len(added))


def cancel(
    books: Books, numbers: Collection[str], who: str, reason: str, now: datetime
) -> None:
    """Take new requests back; counters are told with their next call.

    Raises:
        InputError: there is none of such a number, or it is not new any more. Nothing
            was cancelled.
    """
    books.holds.offices(books.requests.offices(numbers))
    found = books.requests.find(numbers)
    missing = [number for number in numbers if number not in found]
    if missing:
        names = ", ".join(missing)
        raise InputError(f"There is no request {names}. Nothing was changed.")
    gone = list(found.values())
    for one in gone:
        if not may_move(one.state, RequestState.CANCELLED):
            raise InputError(
                f"Request {one.request.number} is {one.state} since "
                f"{one.changed_at:%Y-%m-%d %H:%M} UTC and cannot be cancelled. Nothing "
                "was changed."
            )
        books.requests.move(
            one.request.number,
            RequestState.CANCELLED,
            who=who,
            reason=reason,
            at=now,
        )
    _withdraw(books, gone, now)


def hold(books: Books, office: str, payments: Iterable[PaymentRecord]) -> None:
    """Hold an office's requests when one of these payments names any.

    Before anything is posted: incidents are numbered on the way, and numbers come last.
    """
    if any(one.details is not None and one.details.request_number for one in payments):
        books.holds.offices([office])


def after_posting(books: Books, rows: Iterable[RecordRow], now: datetime) -> None:
    """Move the requests that posted payments name, in the transaction that posts them.

    It comes last in that transaction: what it holds, others wait for.

    Args:
        books: of that transaction.
        rows: records that became payments, in the order in which they were posted.
        now: the bank's time.
    """
    named = [
        row
        for row in rows
        if row.decision is Decision.POSTED
        and row.payment.details is not None
        and row.payment.details.request_number
    ]
    if not named:
        return
    numbers = {_number_of(row) for row in named}
    books.holds.offices(books.requests.offices(numbers))
    known = books.requests.find(numbers)
    paid: list[StoredRequest] = []
    states = {number: one.state for number, one in known.items()}
    has_list: dict[tuple[str, bytes], bool] = {}
    for row in named:
        stored = known.get(_number_of(row))
        if stored is None:
            sender = row.terminal_id, row.mid
            if sender not in has_list:
                has_list[sender] = _office_has_list(books, row)
            if has_list[sender]:
                _note_unknown(books, row, now)
            continue
        outcome = _take_payment(books, stored, states[stored.request.number], row, now)
        if outcome.pays:
            states[stored.request.number] = RequestState.PAID
            paid.append(stored)
    _withdraw(books, paid, now)


def take_decline(
    books: Books, terminal_id: str, report: DeclineReport, now: datetime
) -> RecordAnswer:
    """Keep what a counter tells, and decline the request when it can be declined.

    The same report again gets the same answer and does nothing. A request of another
    office is none that this counter was told of.
    """
    books.holds.terminals([terminal_id])
    answered = books.requests.decline_answer(terminal_id, report.content)
    if answered is not None:
        return answered
    bound = books.cards.terminal(terminal_id)
    if bound is not None:
        books.holds.offices([bound.office])
    stored = books.requests.get(report.number)
    if stored is not None and (bound is None or bound.office != stored.request.office):
        stored = None
    answer = judge_decline(report.number, None if stored is None else stored.state)
    books.requests.add_decline(terminal_id, report, answer, now)
    if stored is None or not may_move(stored.state, RequestState.DECLINED):
        _note_decline(books, terminal_id, stored, answer, now)
        return answer
    books.requests.move(
        report.number,
        RequestState.DECLINED,
        who=f"terminal {terminal_id}, clerk {report.clerk or 'not named'}",
        reason=report.reason,
        at=now,
    )
    _withdraw(books, [stored], now)
    return answer


def _take_payment(
    books: Books,
    stored: StoredRequest,
    state: RequestState,
    row: RecordRow,
    now: datetime,
) -> PaymentOutcome:
    tx, details = row.payment.tx, row.payment.details
    assert details is not None, "it named the request"
    request = stored.request
    outcome, text = judge_payment(
        request,
        state,
        details=details,
        amount_minor=tx.amount_minor,
        currency=tx.currency,
    )
    if outcome.pays:
        books.requests.move(
            request.number,
            RequestState.PAID,
            who=f"terminal {row.terminal_id}, batch {row.batch}",
            at=now,
            paid_by=(tx.cid, tx.otc),
        )
    books.requests.add_payment(request.number, tx.cid, tx.otc, outcome, now)
    if text:
        _note(books, row, _INCIDENTS[outcome], text, now)
    return outcome


def _withdraw(books: Books, gone: Iterable[StoredRequest], now: datetime) -> None:
    """Have counters offer these no longer."""
    offices: dict[str, dict[str, bytes | None]] = {}
    for one in gone:
        offices.setdefault(one.request.office, {})[one.request.number] = None
    for office, changes in sorted(offices.items()):
        books.request_lists.publish(office, changes, now)


def _number_of(row: RecordRow) -> str:
    assert row.payment.details is not None, "only those are asked"
    return row.payment.details.request_number


def _office_has_list(books: Books, row: RecordRow) -> bool:
    """Whether requests were ever sent to the office of a record's terminal.

    Where none was, clerks key numbers that the bank has nothing to do with.
    """
    bound = books.cards.binding(row.terminal_id, row.mid)
    return bound is not None and books.request_lists.newest(bound.office) > 0


def _note_unknown(books: Books, row: RecordRow, now: datetime) -> None:
    """A number that the bank neither follows nor has in the list that it publishes."""
    number = _number_of(row)
    if books.publications.has(DownloadKind.REQUESTS, number.encode()):
        return
    text = f"the payment names request {number}, which the bank does not have"
    _note(books, row, IncidentCode.REQUEST_UNKNOWN, text, now)


def _note(
    books: Books, row: RecordRow, code: IncidentCode, text: str, now: datetime
) -> None:
    books.batches.add_incident(
        IncidentRow(
            code=code,
            terminal_id=row.terminal_id,
            batch=row.batch,
            stan=row.payment.stan,
            masked_card=row.payment.tx.card_number_masked,
            amount_minor=row.payment.tx.amount_minor,
            text=text,
            at=now,
        )
    )


def _note_decline(
    books: Books,
    terminal_id: str,
    stored: StoredRequest | None,
    answer: RecordAnswer,
    now: datetime,
) -> None:
    """A decline that changed nothing, when it contradicts what the bank has."""
    if stored is not None and stored.state is not RequestState.PAID:
        return
    books.batches.add_incident(
        IncidentRow(
            code=IncidentCode.REQUEST_DECLINE,
            terminal_id=terminal_id,
            amount_minor=None if stored is None else stored.request.amount_minor,
            text=f"a counter declined it, but {answer.text}",
            at=now,
        )
    )


def _check_size(office: str, entries: dict[bytes, bytes]) -> None:
    """Refuse what no counter of an office could fetch.

    Raises:
        InputError: there is too much of it.
    """
    try:
        check_fits(DownloadKind.REQUESTS, entries)
    except DownloadError as error:
        raise InputError(
            f"Office {office} would have {len(entries)} open requests for each of its "
            f"counters to fetch: {error}. Nothing was taken. Cancel what is out of "
            "date, and send the rest."
        ) from None
