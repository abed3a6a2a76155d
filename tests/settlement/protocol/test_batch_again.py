"""A batch that comes again, whole or changed: each payment is posted once, or never."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.audit_head import AuditHead
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.errors import NoAnswerError
from settlement.intake import ResponseCode
from settlement.ledger import payee_account
from settlement.open_desk import OpenDesk
from settlement.payment import (
    BatchToUpload,
    DebitClosure,
    PaymentKind,
    VoidClosure,
)
from settlement.upload import (
    ClosureReceived,
    Collected,
    RecordRefused,
    Refused,
    UploadEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.payment import Closure, PaymentRecord

    RunCall = Callable[..., list[UploadEvent]]
    CutAfter = Callable[[int], Callable[[list[bytes]], list[bytes]]]

REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
HEAD = AuditHead(journal=b"JOURNAL1", entries=5, digest=bytes(32))
SUM = 100 + 200 + 300


@pytest.fixture
def batch(desk: Any) -> BatchToUpload:
    """Three payments of two purses, and an open record."""
    purses = [desk.loaded_purse(5_000), desk.loaded_purse(5_000, cid=OTHER_CID)]
    for index, amount in enumerate((100, 200, 300)):
        desk.customs.pay(purses[index % 2], amount)
    item = desk.customs.begin(purses[0], 70)
    made: BatchToUpload = desk.closed(item, head=HEAD)
    return made


@pytest.fixture
def purse(desk: Any) -> Any:
    return desk.loaded_purse(5_000)


def assert_posted_once(desk: Any, *incidents: str) -> None:
    assert desk.balance(REVENUE) == SUM
    report = check_bank(desk.store, desk.keys)
    assert (report.findings, report.payments) == ((), 3)
    assert desk.incidents() == [IncidentCode.OUTCOME_OPEN, *incidents]


MESSAGES = range(7)
"""Logon, header, four details, totals."""


@pytest.mark.parametrize("passed", MESSAGES)
@pytest.mark.parametrize("line", ["up", "down"], ids=["questions", "answers"])
def test_a_call_that_dies_at_any_point_is_made_good_by_the_next(
    desk: Any,
    batch: BatchToUpload,
    call: RunCall,
    cut_after: CutAfter,
    passed: int,
    line: str,
) -> None:
    with pytest.raises(NoAnswerError):
        call(batch, **{line: cut_after(passed)})
    again = [call(batch)[-1] for _ in range(2)]
    assert isinstance(again[0], Collected)
    assert again[0] == again[1], "the same batch has the same answer for ever"
    assert (again[0].posted_count, again[0].posted_sum) == (3, SUM)
    assert_posted_once(desk)


@pytest.mark.parametrize("index", MESSAGES)
def test_an_answer_that_is_lost_once_is_given_again_in_the_same_call(
    desk: Any, batch: BatchToUpload, call: RunCall, index: int
) -> None:
    passed: list[bytes] = []

    def lose(messages: list[bytes]) -> list[bytes]:
        kept = [
            message
            for number, message in enumerate(messages, len(passed))
            if number != index
        ]
        passed.extend(messages)
        return kept

    assert isinstance(call(batch, down=lose)[-1], Collected)
    assert len(passed) > len(MESSAGES), "something was asked and answered again"
    assert_posted_once(desk)


@pytest.mark.parametrize("passed", [2, 4, 7], ids=["opened", "half sent", "collected"])
@pytest.mark.parametrize(
    "changes",
    [{"count": 4}, {"sum_minor": 601}, {"chain": bytes(16)}, {"open_count": 0}],
    ids=["count", "sum", "chain", "open records"],
)
def test_a_changed_header_under_the_same_number_is_refused(
    desk: Any,
    batch: BatchToUpload,
    call: RunCall,
    cut_after: CutAfter,
    changes: Any,
    passed: int,
) -> None:
    """Signed by the customs card, as only a broken one could; the first one stays."""
    with suppress(NoAnswerError):
        call(batch, up=cut_after(passed))
    changed = desk.customs.header(replace(batch.close, **changes))
    refused = call(replace(batch, close=changed.close))[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.CONFLICT
    assert "came with other content" in refused.text
    assert isinstance(call(batch)[-1], Collected)
    assert desk.balance(REVENUE) == SUM
    assert IncidentCode.BATCH_CONFLICT in desk.incidents()
    assert check_bank(desk.store, desk.keys).findings == ()


def test_a_header_that_the_customs_card_did_not_sign_is_refused(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    call(batch)
    forged = replace(batch, close=replace(batch.close, sum_minor=601))
    refused = call(forged)[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.SUMS_DIFFER
    assert "CLOSE MAC" in refused.text
    assert_posted_once(desk, IncidentCode.BATCH_DIFFERS)


def with_payment(batch: BatchToUpload, changed: PaymentRecord) -> BatchToUpload:
    payments = tuple(
        changed if payment.stan == changed.stan else payment
        for payment in batch.payments
    )
    return replace(batch, payments=payments)


@pytest.mark.parametrize("part", ["declaration", "kind", "amount", "counters", "TAC"])
def test_one_changed_record_is_refused_and_the_first_one_stays(
    desk: Any, batch: BatchToUpload, call: RunCall, part: str
) -> None:
    call(batch)
    second = batch.payments[1]
    assert second.details is not None
    changed = {
        "declaration": replace(
            second, details=replace(second.details, declaration="ANOTHER-1")
        ),
        "kind": replace(
            second, details=replace(second.details, kind=PaymentKind.DEPOSITS)
        ),
        "amount": replace(second, tx=replace(second.tx, amount_minor=2)),
        "counters": replace(second, cumulative_debit_minor=9_999),
        "TAC": replace(second, tac=bytes(8)),
    }[part]
    events = call(with_payment(batch, changed))
    told = [event for event in events if isinstance(event, RecordRefused)]
    assert [(one.stan, one.code) for one in told] == [
        (second.stan, ResponseCode.CONFLICT)
    ]
    assert_posted_once(desk, IncidentCode.CONFLICT)


def test_records_in_another_order_are_refused_and_the_first_ones_stay(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    call(batch)
    first, second, third = batch.payments
    swapped = replace(second, sequence=1), replace(first, sequence=2), third
    events = call(replace(batch, payments=swapped))
    told = [event.stan for event in events if isinstance(event, RecordRefused)]
    assert told == [second.stan, first.stan]
    assert_posted_once(desk, *[IncidentCode.CONFLICT] * 2)


def test_a_batch_in_another_order_from_the_start_gets_no_acknowledgement(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    """Each payment is posted once, on its TAC; but this is not what was closed."""
    first, second, third = batch.payments
    swapped = replace(second, sequence=1), replace(first, sequence=2), third
    refused = call(replace(batch, payments=swapped))[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.SUMS_DIFFER
    assert "chain" in refused.text
    assert_posted_once(desk, IncidentCode.BATCH_DIFFERS)


def test_the_same_batch_from_a_terminal_that_is_not_bound_to_the_card_is_refused(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    call(batch)
    refused = call(replace(batch, terminal_id="T0000008"))[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.NOT_PERMITTED
    desk.issuing.register_customs_card(
        mid=OTHER_MID, terminal_id="T0000008", office="SOHAR", currency=512, kv=1
    )
    refused = call(replace(batch, terminal_id="T0000008"))[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.WRONG_MERCHANT
    codes = IncidentCode.TERMINAL_REFUSED, IncidentCode.WRONG_MERCHANT
    assert_posted_once(desk, *codes)


def test_the_same_batch_from_the_terminal_that_has_the_card_now_is_paid_once(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    """The computer was replaced, and the customs card put into the new one."""
    first = call(batch)[-1]
    desk.issuing.register_customs_card(
        mid=batch.mid, terminal_id="T0000008", office="SOHAR", currency=512, kv=1
    )
    again = call(replace(batch, terminal_id="T0000008"))[-1]
    assert isinstance(first, Collected)
    assert again == first
    assert_posted_once(desk)


def test_the_head_of_the_audit_log_arrives_with_the_batch(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    call(batch)
    later = replace(batch, audit_head=replace(HEAD, entries=6))
    call(later)
    call(replace(batch, audit_head=None))
    with desk.store.read() as books:
        kept = books.heads.of_terminal("T0000007")
    assert [one.head for one in kept] == [HEAD, later.audit_head]
    assert_posted_once(desk)


def closures(events: list[UploadEvent]) -> list[Closure]:
    return [event.closure for event in events if isinstance(event, ClosureReceived)]


def test_an_open_record_is_closed_by_the_cards_next_payment(
    desk: Any, purse: Any, call: RunCall
) -> None:
    item = desk.customs.begin(purse, 70)
    waiting = desk.closed(item)
    assert closures(call(waiting)) == []
    assert desk.open_incidents() == [IncidentCode.OUTCOME_OPEN]
    desk.customs.next_batch()
    desk.customs.pay(purse, 30)
    (closure,) = closures(call(desk.closed(item)))
    assert isinstance(closure, VoidClosure)
    assert desk.open_incidents() == []
    assert closures(call(waiting)) == [closure], "also when the first comes again"
    assert check_bank(desk.store, desk.keys).findings == ()


def test_an_open_record_is_closed_by_a_load(
    desk: Any, purse: Any, call: RunCall
) -> None:
    item = desk.customs.begin(purse, 70)
    waiting = desk.closed(item)
    assert closures(call(waiting)) == []
    desk.load(purse, 5)
    (closure,) = closures(call(waiting))
    assert isinstance(closure, VoidClosure)
    assert desk.open_incidents() == []
    assert check_bank(desk.store, desk.keys).findings == ()


def test_an_open_record_that_the_purse_proves_is_credited_and_paid_once(
    desk: Any, purse: Any, call: RunCall
) -> None:
    item = desk.customs.begin(purse, 70)
    proof = purse.debit(item)
    waiting = desk.closed(item)
    assert closures(call(waiting)) == []
    ask = OpenDesk(desk.store, desk.keys, desk.clock)
    ask.debited(item.open_record.tx, proof)
    assert closures(call(waiting)) == [
        DebitClosure(tx=item.open_record.tx, proof=proof)
    ]
    desk.customs.next_batch()
    desk.customs.credit(item, proof)
    credited = desk.closed()
    for sent in (credited, waiting, credited):
        assert isinstance(call(sent)[-1], Collected)
    assert desk.balance(REVENUE) == 70
    assert check_bank(desk.store, desk.keys).findings == ()
