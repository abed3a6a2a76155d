"""The life of a payment request at the bank, from being sent to being paid or not."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement import request_desk
from settlement.decline_report import DeclineReport
from settlement.errors import InputError, LedgerError
from settlement.messages import RecordAnswer, ResponseCode
from settlement.payment import PaymentKind
from settlement.payment_requests import TRANSITIONS, RequestState, may_move
from tests.databases import RawIntegrityError, raw_connection
from tests.settlement.conftest import CID, START, TERMINAL
from tests.settlement.requests.conftest import RequestDesk, request

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER_TERMINAL = "T0000099"
DATABASES = ("sqlite", "postgresql")


# Paid.


def test_a_payment_in_full_pays_its_request_and_takes_it_off_the_list(
    requests: RequestDesk,
) -> None:
    requests.take(request("R-1"), request("R-2"))
    requests.pay("R-1")
    requests.desk.send()
    stored = requests.stored("R-1")
    assert stored.state is RequestState.PAID
    assert stored.paid_by is not None
    assert stored.paid_by.terminal_id == TERMINAL
    assert (stored.paid_by.cid, stored.paid_by.otc) == (CID, 1)
    assert stored.paid_by.batch == 1
    assert requests.offered() == ["R-2"]
    assert requests.desk.incidents() == []
    assert requests.desk.found() == {}


def test_a_batch_that_is_sent_again_pays_nothing_twice(requests: RequestDesk) -> None:
    requests.take(request())
    requests.pay()
    batch = requests.desk.closed()
    header = requests.desk.customs.close()
    for _ in range(3):
        requests.desk.bank.begin_batch(header, START)
        requests.desk.bank.take_payments(header, batch.payments, START)
    with requests.desk.store.read() as books:
        assert len(books.requests.payments("R-1")) == 1
        steps = [event.state for event in books.requests.events("R-1")]
    assert steps == [RequestState.NEW, RequestState.PAID]
    assert requests.desk.incidents() == []


def test_a_payment_of_less_leaves_it_open_and_is_an_incident(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    requests.pay(amount_minor=1_499)
    requests.desk.send()
    assert requests.state() == "new"
    assert requests.offered() == ["R-1"]
    assert requests.desk.incidents() == ["request not paid exactly"]
    # It can be paid in full yet.
    requests.pay()
    requests.desk.send()
    assert requests.state() == "paid"


def test_a_payment_of_more_pays_it_and_is_an_incident(requests: RequestDesk) -> None:
    requests.take(request())
    requests.pay(amount_minor=1_501)
    requests.desk.send()
    assert requests.state() == "paid"
    assert requests.desk.incidents() == ["request not paid exactly"]


def test_a_second_payment_is_posted_and_is_an_incident(requests: RequestDesk) -> None:
    requests.take(request())
    first = requests.pay()
    second = requests.pay()
    requests.desk.send()
    stored = requests.stored()
    assert stored.paid_by is not None
    assert stored.paid_by.otc == first.tx.otc
    assert requests.desk.incidents() == ["request paid twice"]
    with requests.desk.store.read() as books:
        named = [one.paid_by.otc for one in books.requests.payments("R-1")]
        assert books.records.payment(CID, second.tx.otc) is not None
    assert sorted(named) == [first.tx.otc, second.tx.otc]


@pytest.mark.parametrize(
    ("declaration", "kind", "what"),
    [
        ("IMP-OTHER", PaymentKind.FEES, "declaration"),
        ("", PaymentKind.DEPOSITS, "kind"),
        ("IMP-OTHER", PaymentKind.DEPOSITS, "declaration and kind"),
    ],
)
def test_a_payment_of_something_else_pays_nothing_and_is_an_incident(
    requests: RequestDesk, declaration: str, kind: PaymentKind, what: str
) -> None:
    requests.take(request())
    requests.pay(declaration=declaration, kind=kind)
    requests.desk.send()
    assert requests.state() == "new"
    with requests.desk.store.read() as books:
        (noted,) = books.batches.incidents()
    assert noted.code == "payment not as the request"
    assert f"another {what};" in noted.text
    assert noted.masked_card == "640000******0001"


def test_where_nobody_sends_requests_their_numbers_are_the_clerks_own(
    requests: RequestDesk,
) -> None:
    requests.take(request("M-1", office="MUSCAT"))
    requests.pay("R-404")
    requests.desk.send()
    assert requests.desk.incidents() == []


def test_a_payment_of_a_request_that_nobody_sent_is_an_incident(
    requests: RequestDesk,
) -> None:
    requests.take(request("R-1"))
    requests.pay("R-404")
    requests.desk.send()
    assert requests.desk.incidents() == ["request unknown"]


def test_a_forged_payment_pays_no_request(requests: RequestDesk) -> None:
    requests.take(request())
    forged = replace(requests.pay(), tac=bytes(8))
    requests.desk.customs.records[-1] = forged
    header = requests.desk.customs.close()
    requests.desk.bank.begin_batch(header, START)
    requests.desk.bank.take_payments(header, [forged], START)
    assert requests.state() == "new"
    assert requests.desk.incidents() == ["TAC wrong"]


# Declined and cancelled.


def test_a_counter_declines_a_request_of_its_office_once(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    assert [requests.decline().code for _ in range(3)] == ["00"] * 3
    stored = requests.stored()
    assert (stored.state.value, stored.reason) == ("declined", "wrong payer")
    assert requests.offered() == []
    with requests.desk.store.read() as books:
        (_, step) = books.requests.events("R-1")
    assert step.who == "terminal T0000007, clerk 7"
    assert requests.desk.incidents() == []


def test_a_paid_request_is_never_declined(requests: RequestDesk) -> None:
    requests.take(request())
    requests.pay()
    requests.desk.send()
    answer = requests.decline()
    assert answer.code == "94"
    assert "R-1 is paid" in answer.text
    assert requests.state() == "paid"
    assert requests.desk.incidents() == ["decline without effect"]


def test_the_answer_to_a_decline_stays_what_it_was(requests: RequestDesk) -> None:
    requests.take(request())
    assert requests.decline().code == "00"
    # Another report about it is another one, and comes too late.
    assert requests.decline(reason="changed his mind").code == "94"
    assert requests.decline().code == "00"


def test_a_declined_request_that_is_paid_all_the_same_stays_declined(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    requests.decline()
    requests.pay()
    requests.desk.send()
    assert requests.state() == "declined"
    assert requests.desk.incidents() == ["request was not open"]


def test_a_counter_cannot_decline_what_another_office_was_asked(
    requests: RequestDesk,
) -> None:
    requests.take(request("R-1", office="MUSCAT"))
    answer = requests.decline()
    assert answer.code == "12"
    assert requests.state() == "new"


def test_a_new_request_is_cancelled_and_no_other(requests: RequestDesk) -> None:
    requests.take(request("R-1"), request("R-2"))
    requests.decline("R-2")
    with requests.desk.store.write() as books:
        request_desk.cancel(books, ["R-1"], "bank", "sent in error", START)
    assert requests.state("R-1") == "cancelled"
    assert requests.offered() == []
    with requests.desk.store.write() as books:
        with pytest.raises(InputError, match=r"R-2 is declined since .* be cancelled"):
            request_desk.cancel(books, ["R-2"], "bank", "", START)
        with pytest.raises(InputError, match=r"no request R-404"):
            request_desk.cancel(books, ["R-404"], "bank", "", START)


def test_of_many_counters_that_decline_at_once_one_declines(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    codes: list[str] = []

    def decline(at: int) -> None:
        codes.append(requests.decline(reason=f"reason {at}").code)

    threads = [threading.Thread(target=decline, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["00", *["94"] * 7]
    with requests.desk.store.read() as books:
        assert len(books.requests.events("R-1")) == 2


# Taken.


def test_the_same_request_sent_again_changes_nothing(requests: RequestDesk) -> None:
    for _ in range(2):
        requests.take(request())
    with requests.desk.store.read() as books:
        assert len(books.requests.events("R-1")) == 1
        assert books.request_lists.newest("SOHAR") == 1


def test_another_request_with_a_number_that_is_taken_takes_none(
    requests: RequestDesk,
) -> None:
    requests.take(request("R-1"))
    with pytest.raises(InputError, match="R-1: the bank has another request"):
        requests.take(request("R-2"), request("R-1", amount_minor=2_000))
    with requests.desk.store.read() as books:
        assert books.requests.get("R-2") is None
    assert requests.stored("R-1").request == request("R-1")


# The database's own rules.


def step(number: str, serial: int, state: str, *, otc: int = 0) -> str:
    """A statement that moves a request; ``PURSE`` stands for the purse's number."""
    payment = f"PURSE, {otc}" if otc else "NULL, NULL"
    return (
        "INSERT INTO request_event"  # noqa: S608  our own words
        " (id, number, serial, state, who, reason, cid, otc, at)"
        f" VALUES (999, '{number}', {serial}, '{state}', 'x', '', {payment}, "
        "'2025-11-22T10:15:00.000000Z')"
    )


def refuse(requests: RequestDesk, statement: str) -> str:
    with raw_connection(requests.desk.place) as raw:
        purse = f"X'{CID.hex()}'" if raw.is_sqlite else f"'\\x{CID.hex()}'::bytea"
        with pytest.raises(RawIntegrityError) as caught:
            raw.execute(statement.replace("PURSE", purse))
        raw.rollback()
    return str(caught.value)


def reach(requests: RequestDesk, state: RequestState) -> None:
    """Have R-1 in this state."""
    requests.take(request())
    if state is RequestState.PAID:
        requests.pay()
        requests.desk.send()
    elif state is RequestState.DECLINED:
        requests.decline()
    elif state is RequestState.CANCELLED:
        with requests.desk.store.write() as books:
            request_desk.cancel(books, ["R-1"], "bank", "", START)
    assert requests.state() == state.value


ENDS = [state for state, followers in TRANSITIONS.items() if not followers]


@pytest.mark.parametrize(
    ("before", "after"), itertools.product(ENDS, RequestState), ids=str
)
def test_the_database_lets_no_request_move_that_is_not_new(
    requests: RequestDesk, before: RequestState, after: RequestState
) -> None:
    assert not may_move(before, after)
    # All else that a step needs is there: a payment in full, and a decline.
    spare = requests.pay("R-404")
    requests.desk.send()
    reach(requests, before)
    report = DeclineReport(number="R-1", reason="no", clerk="8", at=START)
    with requests.desk.store.write() as books:
        accepted = RecordAnswer(code=ResponseCode.ACCEPTED)
        books.requests.add_decline(OTHER_TERMINAL, report, accepted, START)
    otc = spare.tx.otc if after is RequestState.PAID else 0
    # Neither next, nor after a gap, nor in the place of a step that is taken.
    for serial in (3, 4):
        told = refuse(requests, step("R-1", serial, after.value, otc=otc))
        assert "cannot move any more" in told
    refuse(requests, step("R-1", 2, after.value, otc=otc))
    with requests.desk.store.read() as books:
        assert len(books.requests.events("R-1")) == 2


def test_the_database_lets_no_request_begin_otherwise_than_new(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    with requests.desk.store.read() as books:
        assert books.requests.get("R-1") is not None
    requests.desk.tamper("DELETE FROM request_event")
    assert "begins as new" in refuse(requests, step("R-1", 1, "cancelled"))
    assert "cannot move" in refuse(requests, step("R-1", 7, "cancelled"))


def test_the_database_takes_no_request_for_paid_without_its_payment(
    requests: RequestDesk,
) -> None:
    requests.take(request("R-1"), request("R-2"), request("R-3", amount_minor=9_000))
    told = refuse(requests, step("R-1", 2, "paid", otc=1))
    assert "paid by a posted payment, in full" in told or "foreign key" in told
    requests.pay("R-1")
    requests.pay("R-404")
    requests.desk.send()
    # One payment pays one request, and none that asks for more.
    told = refuse(requests, step("R-2", 2, "paid", otc=1))
    assert "unique" in told.lower()
    told = refuse(requests, step("R-3", 2, "paid", otc=2))
    assert "in full" in told


def test_the_database_takes_no_request_for_declined_that_no_counter_declined(
    requests: RequestDesk,
) -> None:
    requests.take(request())
    told = refuse(requests, step("R-1", 2, "declined"))
    assert "declined by what a counter told" in told


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payment_request SET amount_minor = 1",
        "DELETE FROM payment_request",
        "UPDATE request_event SET state = 'new'",
        "DELETE FROM request_event",
        "UPDATE request_published SET value = NULL",
        "DELETE FROM request_payment",
        "UPDATE request_decline SET code = '94'",
    ],
)
def test_nothing_about_a_request_is_ever_changed_or_deleted(
    requests: RequestDesk, statement: str
) -> None:
    requests.take(request("R-1"), request("R-2"))
    requests.decline("R-2")
    requests.pay("R-1")
    requests.desk.send()
    assert "append-only" in refuse(requests, statement)


def test_the_check_finds_a_request_that_was_changed(requests: RequestDesk) -> None:
    requests.take(request())
    assert requests.desk.found() == {}
    requests.desk.tamper("UPDATE payment_request SET amount_minor = 2000, lines = '[]'")
    (text,) = requests.desk.found().values()
    assert "payment_request row 1" in text


def test_a_step_that_is_none_leaves_the_store_as_a_ledger_error(
    requests: RequestDesk, desk_write: Callable[[RequestDesk], None]
) -> None:
    requests.take(request())
    with pytest.raises(LedgerError, match="declined by what a counter told"):
        desk_write(requests)
    assert requests.state() == "new"


@pytest.fixture
def desk_write() -> Callable[[RequestDesk], None]:
    def write(requests: RequestDesk) -> None:
        with requests.desk.store.write() as books:
            books.requests.move("R-1", RequestState.DECLINED, who="x", at=START)

    return write


def test_a_report_is_the_same_only_when_all_of_it_is() -> None:
    report = DeclineReport(number="R-1", reason="no", clerk="7", at=START)
    assert report.content == replace(report).content
    others = [
        replace(report, number="R-2"),
        replace(report, reason="not"),
        replace(report, clerk=""),
        replace(report, at=START.replace(second=1)),
    ]
    assert len({one.content for one in [report, *others]}) == 5
