"""A batch is acknowledged when it is what the customs card closed, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.ledger import payee_account
from settlement.messages import (
    BatchHeader,
    BatchTotals,
    ReconcileAnswer,
    ResponseCode,
    TerminalVersions,
    Total,
)
from settlement.payment import OpenItem, PaymentKind, PaymentRecord, VoidClosure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")
RC = bytes.fromhex("B1 B2 B3 B4 B5 B6 B7 B8")
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)


@pytest.fixture
def purse(desk: Desk) -> Purse:
    purse = desk.loaded_purse()
    for amount in (100, 250, 375):
        desk.customs.pay(purse, amount)
    return purse


def upload(
    desk: Desk,
    header: BatchHeader,
    records: Sequence[PaymentRecord],
    totals: BatchTotals | None = None,
) -> ReconcileAnswer:
    now = desk.clock()
    assert desk.bank.begin_batch(header, now).code is ResponseCode.ACCEPTED
    desk.bank.take_payments(header, records, now)
    answer: ReconcileAnswer = desk.bank.reconcile(
        header, totals or desk.customs.totals(), now
    )
    return answer


def test_a_known_terminal_may_log_on(desk: Desk) -> None:
    answer = desk.bank.logon("T0000007", TerminalVersions(), desk.clock())
    assert answer.code is ResponseCode.ACCEPTED
    desk.issuing.hotlist(CID, reason="lost")
    newer = desk.bank.logon("T0000007", TerminalVersions(), desk.clock())
    assert newer.versions.hotlist > answer.versions.hotlist


def test_an_unknown_terminal_may_not_log_on(desk: Desk) -> None:
    answer = desk.bank.logon("T0000099", TerminalVersions(), desk.clock())
    assert answer.code is ResponseCode.NOT_PERMITTED
    assert "T0000099" in answer.text


def test_a_whole_batch_is_acknowledged(desk: Desk, purse: Purse) -> None:
    header = desk.customs.close()
    answer = upload(desk, header, desk.customs.records)
    key = desk.keys.card_key(KeyUse.BATCH, 1, header.mid)
    assert answer.code is ResponseCode.ACCEPTED
    assert answer.ack_mac == certificates.bank_ack_mac(
        key, mid=header.mid, close=header.close
    )
    assert answer.posted == Total(count=3, sum_minor=725)
    assert answer.suspended == Total()
    assert desk.balance(REVENUE) == 725


def test_an_empty_batch_is_acknowledged(desk: Desk) -> None:
    answer = upload(desk, desk.customs.close(), [])
    assert (answer.code, answer.posted) == (ResponseCode.ACCEPTED, Total())


def test_everything_again_gets_the_same_answers_and_posts_nothing(
    desk: Desk, purse: Purse
) -> None:
    header = desk.customs.close()
    first = upload(desk, header, desk.customs.records)
    desk.clock.advance(days=3)
    assert upload(desk, header, desk.customs.records) == first
    assert desk.balance(REVENUE) == 725
    assert desk.incidents() == []


def test_a_forged_payment_is_suspended_and_the_rest_acknowledged(
    desk: Desk, purse: Purse
) -> None:
    """A forged purse that the customs card took: chain and sum contain it."""
    desk.customs.records[1] = replace(desk.customs.records[1], tac=bytes(8))
    answer = upload(desk, desk.customs.close(), desk.customs.records)
    assert answer.code is ResponseCode.ACCEPTED
    assert answer.posted == Total(count=2, sum_minor=475)
    assert answer.suspended == Total(count=1, sum_minor=250)
    assert desk.balance(REVENUE) == 475


def forged(records: list[PaymentRecord]) -> list[PaymentRecord]:
    return [replace(records[0], tac=bytes(8)), *records[1:]]


def cut(records: list[PaymentRecord]) -> list[PaymentRecord]:
    return records[:1] + records[2:]


def reordered(records: list[PaymentRecord]) -> list[PaymentRecord]:
    first, second, third = records
    return [replace(first, sequence=2), replace(second, sequence=1), third]


def raised(records: list[PaymentRecord]) -> list[PaymentRecord]:
    tx = replace(records[2].tx, amount_minor=376)
    return [*records[:2], replace(records[2], tx=tx)]


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (cut, ResponseCode.INCOMPLETE, "missing: number 2"),
        (forged, ResponseCode.SUMS_DIFFER, "chain); look at STAN 1 (DEC-2025-000001)"),
        (reordered, ResponseCode.SUMS_DIFFER, "chain"),
        (raised, ResponseCode.SUMS_DIFFER, "sum is 726, the customs card's is 725"),
        (raised, ResponseCode.SUMS_DIFFER, "look at STAN 3"),
    ],
    ids=["one missing", "TAC changed", "order changed", "amount raised", "named"],
)
def test_a_batch_that_differs_is_not_acknowledged_and_the_difference_named(
    desk: Desk,
    purse: Purse,
    change: Callable[[list[PaymentRecord]], list[PaymentRecord]],
    code: ResponseCode,
    named: str,
) -> None:
    answer = upload(desk, desk.customs.close(), change(desk.customs.records))
    assert (answer.code, answer.ack_mac) == (code, None)
    assert named in answer.text
    assert len(answer.text.encode()) <= 200
    with desk.store.read() as books:
        assert books.batches.collected(desk.customs.close()) is None


def test_what_was_missing_can_follow(desk: Desk, purse: Purse) -> None:
    header = desk.customs.close()
    assert upload(desk, header, desk.customs.records[:2]).code == "77"
    assert desk.open_incidents() == [IncidentCode.BATCH_INCOMPLETE]
    assert upload(desk, header, desk.customs.records).code == "00"
    assert desk.open_incidents() == []
    assert check_bank(desk.store, desk.keys).ok


def test_a_payment_too_many_is_named(desk: Desk, purse: Purse) -> None:
    header = desk.customs.close()
    extra = desk.customs.pay(purse, 50)
    answer = upload(desk, header, [*desk.customs.records[:3], extra])
    assert answer.code is ResponseCode.SUMS_DIFFER
    assert "STAN 4" in answer.text


def test_a_refused_payment_is_named_when_the_batch_differs(
    desk: Desk, purse: Purse
) -> None:
    header = desk.customs.close()
    first, *rest = desk.customs.records
    moved = purse.sign(replace(first, tx=replace(first.tx, mid=OTHER_MID)))
    answer = upload(desk, header, [moved, *rest])
    assert answer.code is ResponseCode.SUMS_DIFFER
    assert "STAN 1" in answer.text
    assert "another customs card" in answer.text


def test_a_replayed_payment_does_not_keep_an_honest_batch_from_its_end(
    desk: Desk, purse: Purse
) -> None:
    upload(desk, desk.customs.close(), desk.customs.records)
    old = desk.customs.records[0]
    desk.customs.next_batch()
    desk.customs.pay(purse, 60)
    replayed = replace(old, stan=90, sequence=2)
    answer = upload(desk, desk.customs.close(), [*desk.customs.records, replayed])
    assert answer.code is ResponseCode.ACCEPTED
    assert answer.posted == Total(count=1, sum_minor=60)
    assert desk.incidents() == [IncidentCode.REPLAYED]


def test_totals_by_kind_must_agree(desk: Desk, purse: Purse) -> None:
    totals = desk.customs.totals()
    wrong = replace(totals, fees=Total(count=2, sum_minor=350), deposits=totals.fees)
    answer = upload(desk, desk.customs.close(), desk.customs.records, wrong)
    assert answer.code is ResponseCode.SUMS_DIFFER
    assert answer.text.startswith("fees:")


@pytest.mark.parametrize(
    ("lost", "new"), [(0, 500), (500, 0)], ids=["higher STANs", "lower STANs"]
)
def test_a_lost_journal_is_rebuilt_from_the_customs_card(
    desk: Desk, purse: Purse, lost: int, new: int
) -> None:
    """Some payments came with details; all come again under new STANs, without."""
    records = desk.customs.records
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    sent = [replace(record, stan=record.stan + lost) for record in records]
    desk.bank.take_payments(header, sent[:2], desk.clock())
    desk.customs.records = [
        replace(record, stan=record.stan + new, details=None) for record in records
    ]
    answer = upload(desk, header, desk.customs.records)
    assert answer.code is ResponseCode.ACCEPTED
    assert answer.posted == Total(count=2, sum_minor=350)
    assert answer.suspended == Total(count=1, sum_minor=375)
    assert desk.balance(REVENUE) == 350


@pytest.mark.parametrize(
    ("change", "code", "incident"),
    [
        ({"terminal_id": "T0000099"}, "03", IncidentCode.WRONG_MERCHANT),
        ({"mid": OTHER_MID}, "03", IncidentCode.WRONG_MERCHANT),
        ({"office": "SEEB"}, "03", IncidentCode.WRONG_MERCHANT),
        ({"currency": 784}, "12", IncidentCode.WRONG_CURRENCY),
    ],
    ids=["terminal", "customs card", "office", "currency"],
)
def test_a_batch_of_another_terminal_card_office_or_currency_is_not_opened(
    desk: Desk, purse: Purse, change: dict[str, Any], code: str, incident: str
) -> None:
    header = replace(desk.customs.close(), **change)
    assert desk.bank.begin_batch(header, desk.clock()).code == code
    answers = desk.bank.take_payments(header, desk.customs.records, desk.clock())
    assert {answer.code for answer in answers} == {ResponseCode.BATCH_UNKNOWN}
    totals = desk.customs.totals()
    assert desk.bank.reconcile(header, totals, desk.clock()).code == "80"
    assert desk.incidents() == [incident]
    assert desk.balance(REVENUE) == 0


def test_a_batch_that_the_customs_card_did_not_close_is_not_opened(
    desk: Desk, purse: Purse
) -> None:
    header = desk.customs.close()
    changed = replace(header, close=replace(header.close, sum_minor=1))
    answer = desk.bank.begin_batch(changed, desk.clock())
    assert answer.code is ResponseCode.SUMS_DIFFER
    assert "CLOSE MAC" in answer.text


def test_the_same_batch_number_with_other_content_is_a_conflict(
    desk: Desk, purse: Purse
) -> None:
    upload(desk, desk.customs.close(), desk.customs.records)
    desk.customs.pay(purse, 5)
    answer = desk.bank.begin_batch(desk.customs.close(), desk.clock())
    assert answer.code is ResponseCode.CONFLICT
    assert desk.incidents() == [IncidentCode.BATCH_CONFLICT]


def test_a_batch_of_a_replaced_customs_card_is_still_taken(
    desk: Desk, purse: Purse
) -> None:
    header = desk.customs.close()
    desk.issuing.register_customs_card(
        mid=OTHER_MID, terminal_id="T0000007", office="SOHAR", currency=512, kv=1
    )
    assert upload(desk, header, desk.customs.records).code is ResponseCode.ACCEPTED


def test_the_new_customs_card_begins_again_with_batch_1(
    desk: Desk, purse: Purse
) -> None:
    upload(desk, desk.customs.close(), desk.customs.records)
    desk.issuing.register_customs_card(
        mid=OTHER_MID, terminal_id="T0000007", office="SOHAR", currency=512, kv=1
    )
    desk.customs.mid, desk.customs.records, desk.customs.tsn = OTHER_MID, [], 1
    desk.customs.pay(purse, 40)
    answer = upload(desk, desk.customs.close(), desk.customs.records)
    assert answer.posted == Total(count=1, sum_minor=40)


def an_open(
    desk: Desk, purse: Purse, amount: int, *, mid: bytes | None = None
) -> OpenItem:
    """An open record as the customs card lists it; the purse was not debited."""
    item: OpenItem = desk.customs.begin(purse, amount, mid=mid)
    return item


def test_an_open_record_is_noted_and_counted(desk: Desk, purse: Purse) -> None:
    item = an_open(desk, purse, 70)
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.bank.begin_batch(header, desk.clock())
    totals = desk.customs.totals(opened=Total(count=1, sum_minor=70))
    incomplete = upload(desk, header, desk.customs.records, totals)
    assert incomplete.code is ResponseCode.INCOMPLETE
    assert "open records" in incomplete.text
    for _ in range(2):
        answer = desk.bank.take_open(header, item, desk.clock())
        assert (answer.code, answer.closure) == (ResponseCode.ACCEPTED, None)
    assert upload(desk, header, desk.customs.records, totals).code == "00"


def test_an_open_record_is_closed_once_the_purse_went_on(
    desk: Desk, purse: Purse
) -> None:
    item = an_open(desk, purse, 70)
    purse.otc += 1
    desk.customs.pay(purse, 30)
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, desk.customs.records, desk.clock())
    answer = desk.bank.take_open(header, item, desk.clock())
    key = desk.keys.card_key(KeyUse.PURCHASE, 1, CID)
    assert isinstance(answer.closure, VoidClosure)
    assert certificates.verify_vmac(key, item.open_record.tx, answer.closure.vmac)


def test_an_open_record_that_may_have_been_debited_is_left_open(
    desk: Desk, purse: Purse
) -> None:
    item = an_open(desk, purse, 70)
    purse.balance_minor -= 70
    purse.cumulative_minor += 70
    purse.otc += 1
    desk.customs.pay(purse, 30)
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, desk.customs.records, desk.clock())
    assert desk.bank.take_open(header, item, desk.clock()).closure is None


@pytest.mark.parametrize(
    ("spoil", "code"),
    [("vreq", "12"), ("kv", "03"), ("mid", "03")],
)
def test_an_open_record_that_is_not_authentic_is_not_noted(
    desk: Desk, purse: Purse, spoil: str, code: str
) -> None:
    item = an_open(desk, purse, 70, mid=OTHER_MID if spoil == "mid" else None)
    changes: dict[str, dict[str, Any]] = {"vreq": {"vreq": bytes(8)}, "kv": {"kv": 9}}
    record = replace(item.open_record, **changes.get(spoil, {}))
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.bank.begin_batch(header, desk.clock())
    item = replace(item, open_record=record)
    assert desk.bank.take_open(header, item, desk.clock()).code == code
    assert desk.incidents() == [IncidentCode.OPEN_RECORD]


def test_an_open_record_needs_its_batch(desk: Desk, purse: Purse) -> None:
    item = an_open(desk, purse, 70)
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    assert desk.bank.take_open(header, item, desk.clock()).code == "80"


def test_another_open_record_under_the_same_number_is_a_conflict(
    desk: Desk, purse: Purse
) -> None:
    item = an_open(desk, purse, 70)
    desk.customs.tsn -= 1
    other = an_open(desk, purse, 80)
    header = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_open(header, item, desk.clock())
    assert desk.bank.take_open(header, other, desk.clock()).code == "94"


def test_no_incident_shows_a_card_number(desk: Desk, purse: Purse) -> None:
    desk.customs.records[0] = replace(desk.customs.records[0], tac=bytes(8))
    upload(desk, desk.customs.close(), desk.customs.records)
    with desk.store.read() as books:
        (incident,) = books.batches.incidents()
    assert incident.masked_card == "640000******0001"
    assert CID.hex() not in repr(incident).lower()
