"""Each payment is judged on its TAC; what is not certified is never paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.ledger import Account, payee_account
from settlement.messages import RecordAnswer, ResponseCode
from settlement.payment import LineClass, PaymentKind, PaymentLine, PaymentRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")
FLOAT = Account.purse_float(CID, 512)
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
DEPOSITS = payee_account(PaymentKind.DEPOSITS, "SOHAR", 512)
SUSPENSE = Account.suspense(512)
LOADED = 500_000


def send(desk: Desk, records: Sequence[PaymentRecord]) -> list[RecordAnswer]:
    """Open the customs card's batch at the bank and send these records for it."""
    header = desk.customs.close()
    assert desk.bank.begin_batch(header, desk.clock()).code is ResponseCode.ACCEPTED
    return list(desk.bank.take_payments(header, records, desk.clock()))


def send_one(desk: Desk, record: PaymentRecord) -> RecordAnswer:
    (answer,) = send(desk, [record])
    return answer


def paid_to(desk: Desk) -> dict[str, int]:
    accounts = {"fees": REVENUE, "deposits": DEPOSITS, "suspense": SUSPENSE}
    sums = {name: desk.balance(account) for name, account in accounts.items()}
    return {name: minor for name, minor in sums.items() if minor}


@pytest.fixture
def purse(desk: Desk) -> Purse:
    return desk.loaded_purse(LOADED)


@pytest.mark.parametrize(
    ("kind", "account"),
    [(PaymentKind.FEES, "fees"), (PaymentKind.DEPOSITS, "deposits")],
    ids=["fees", "deposits"],
)
def test_a_certified_payment_reaches_its_account(
    desk: Desk, purse: Purse, kind: PaymentKind, account: str
) -> None:
    record = desk.customs.pay(purse, 1234, kind=kind)
    assert send_one(desk, record) == RecordAnswer(code=ResponseCode.ACCEPTED)
    assert paid_to(desk) == {account: 1234}
    assert desk.balance(FLOAT) == LOADED - 1234 == purse.balance_minor
    assert desk.incidents() == []


def test_each_amount_is_posted_on_its_own(desk: Desk, purse: Purse) -> None:
    records = [desk.customs.pay(purse, amount) for amount in (100, 200, 300)]
    send(desk, records)
    with desk.store.read() as books:
        assert [row.amount_minor for row in books.records.payments_of_purse(CID)] == [
            100,
            200,
            300,
        ]


def forge_tac(desk: Desk, record: PaymentRecord) -> PaymentRecord:
    return replace(record, tac=bytes(8))


def raise_amount(desk: Desk, record: PaymentRecord) -> PaymentRecord:
    return replace(record, tx=replace(record.tx, amount_minor=9_999))


def other_kv(desk: Desk, record: PaymentRecord) -> PaymentRecord:
    return replace(record, kv=9)


def stranger(desk: Desk, record: PaymentRecord) -> PaymentRecord:
    purse = desk.loaded_purse(1_000, cid=OTHER_CID)
    purse.cid = bytes.fromhex("64 00 00 00 00 00 00 09")
    moved: PaymentRecord = purse.sign(
        replace(record, tx=replace(record.tx, cid=purse.cid))
    )
    return moved


def dirhams(desk: Desk, record: PaymentRecord) -> PaymentRecord:
    purse = desk.loaded_purse(1_000, cid=OTHER_CID)
    purse.cid = CID
    signed: PaymentRecord = purse.sign(
        replace(record, tx=replace(record.tx, currency=784))
    )
    return signed


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (forge_tac, IncidentCode.TAC_WRONG),
        (raise_amount, IncidentCode.TAC_WRONG),
        (other_kv, IncidentCode.NO_KEY),
        (stranger, IncidentCode.UNKNOWN_CARD),
        (dirhams, IncidentCode.WRONG_CURRENCY),
    ],
    ids=["forged TAC", "raised amount", "no such keys", "unknown card", "currency"],
)
def test_what_is_not_proved_is_suspended_and_never_paid(
    desk: Desk,
    purse: Purse,
    spoil: Callable[[Desk, PaymentRecord], PaymentRecord],
    code: IncidentCode,
) -> None:
    record = spoil(desk, desk.customs.pay(purse, 1234))
    answer = send_one(desk, record)
    assert answer.code is ResponseCode.SUSPENDED
    assert answer.text
    assert paid_to(desk) == {}
    assert desk.balance(FLOAT) == LOADED
    assert desk.incidents() == [code]
    assert check_bank(desk.store, desk.keys).ok


def test_a_forged_record_does_not_stand_in_the_way_of_the_real_one(
    desk: Desk, purse: Purse
) -> None:
    record = desk.customs.pay(purse, 1234)
    assert send_one(desk, forge_tac(desk, record)).code is ResponseCode.SUSPENDED
    answer = send_one(desk, replace(record, stan=2))
    assert answer.code is ResponseCode.ACCEPTED
    assert paid_to(desk) == {"fees": 1234}


def test_a_payment_without_details_is_held_in_suspense(
    desk: Desk, purse: Purse
) -> None:
    record = replace(desk.customs.pay(purse, 1234), details=None)
    assert send_one(desk, record).code is ResponseCode.SUSPENDED
    assert paid_to(desk) == {"suspense": 1234}
    assert desk.balance(FLOAT) == LOADED - 1234
    assert desk.incidents() == [IncidentCode.DETAILS_UNKNOWN]
    assert check_bank(desk.store, desk.keys).ok


def other_declaration(record: PaymentRecord) -> PaymentRecord:
    assert record.details
    return replace(record, details=replace(record.details, declaration="DEC-OTHER"))


def wrong_lines(record: PaymentRecord) -> PaymentRecord:
    assert record.details
    line = PaymentLine(line_class=LineClass.FINES, amount_minor=5)
    return replace(record, details=replace(record.details, lines=(line,)))


def in_days(days: int) -> Callable[[PaymentRecord], PaymentRecord]:
    def move(record: PaymentRecord) -> PaymentRecord:
        at = record.tx.at + timedelta(days=days)
        return replace(record, tx=replace(record.tx, at=at))

    return move


def counters_off(record: PaymentRecord) -> PaymentRecord:
    return replace(record, cumulative_debit_minor=record.cumulative_debit_minor + 1)


def balance_off(record: PaymentRecord) -> PaymentRecord:
    return replace(record, balance_after_minor=record.balance_after_minor + 1)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (other_declaration, [IncidentCode.DECLARATION_UNPROVED]),
        (wrong_lines, [IncidentCode.LINES_DIFFER]),
        (in_days(2), [IncidentCode.CLOCK]),
        (in_days(-91), [IncidentCode.CLOCK]),
        (in_days(-400), [IncidentCode.CLOCK, IncidentCode.VALIDITY]),
        (counters_off, [IncidentCode.COUNTERS, IncidentCode.COUNTERS]),
        (balance_off, [IncidentCode.COUNTERS]),
    ],
    ids=[
        "declaration not as signed",
        "lines do not add up",
        "tomorrow's tomorrow",
        "months old",
        "before the card was valid",
        "debits do not follow",
        "balance from nowhere",
    ],
)
def test_a_certified_payment_with_an_irregularity_is_paid_and_reported(
    desk: Desk,
    purse: Purse,
    change: Callable[[PaymentRecord], PaymentRecord],
    codes: list[IncidentCode],
) -> None:
    record = purse.sign(change(desk.customs.pay(purse, 1234)))
    assert send_one(desk, record).code is ResponseCode.ACCEPTED
    assert paid_to(desk) == {"fees": 1234}
    assert desk.incidents() == codes


def test_a_payment_of_a_hotlisted_card_is_paid_and_reported(
    desk: Desk, purse: Purse
) -> None:
    desk.issuing.hotlist(CID, reason="reported lost")
    record = desk.customs.pay(purse, 1234)
    assert send_one(desk, record).code is ResponseCode.ACCEPTED
    assert paid_to(desk) == {"fees": 1234}
    assert desk.incidents() == [IncidentCode.HOTLISTED]


def test_a_payment_to_another_customs_card_is_refused(desk: Desk, purse: Purse) -> None:
    record = desk.customs.pay(purse, 1234)
    moved = purse.sign(replace(record, tx=replace(record.tx, mid=OTHER_MID)))
    assert send_one(desk, moved).code is ResponseCode.WRONG_MERCHANT
    assert paid_to(desk) == {}
    assert desk.incidents() == [IncidentCode.WRONG_MERCHANT]


def test_the_same_record_again_gets_the_same_answer_and_is_posted_once(
    desk: Desk, purse: Purse
) -> None:
    record = desk.customs.pay(purse, 1234)
    first = send_one(desk, record)
    desk.clock.advance(days=1)
    assert [send_one(desk, record) for _ in range(3)] == [first] * 3
    assert paid_to(desk) == {"fees": 1234}


def test_the_same_record_twice_in_one_group_is_posted_once(
    desk: Desk, purse: Purse
) -> None:
    record = desk.customs.pay(purse, 1234)
    answers = send(desk, [record, record])
    assert answers[0] == answers[1]
    assert paid_to(desk) == {"fees": 1234}


def test_the_same_payment_under_another_stan_is_posted_once(
    desk: Desk, purse: Purse
) -> None:
    record = desk.customs.pay(purse, 1234)
    again = replace(record, stan=77, details=None)
    codes = [send_one(desk, one).code for one in (record, again, again)]
    assert codes == [ResponseCode.ACCEPTED] * 3
    assert paid_to(desk) == {"fees": 1234}
    assert desk.incidents() == []


def test_another_payment_under_a_used_stan_is_a_conflict(
    desk: Desk, purse: Purse
) -> None:
    first = desk.customs.pay(purse, 1234)
    second = replace(desk.customs.pay(purse, 500), stan=first.stan)
    codes = [answer.code for answer in send(desk, [first, second])]
    assert codes == [ResponseCode.ACCEPTED, ResponseCode.CONFLICT]
    assert paid_to(desk) == {"fees": 1234}
    assert desk.incidents() == [IncidentCode.CONFLICT]


@pytest.mark.parametrize("number", ["otc", "tsn"])
def test_another_payment_under_a_used_card_number_is_a_conflict(
    desk: Desk, purse: Purse, number: str
) -> None:
    first = desk.customs.pay(purse, 1234)
    second = desk.customs.pay(purse, 500)
    same = {number: getattr(first.tx, number)}
    clone = purse.sign(replace(second, tx=replace(second.tx, **same)))
    codes = [answer.code for answer in send(desk, [first, clone])]
    assert codes == [ResponseCode.ACCEPTED, ResponseCode.CONFLICT]
    assert paid_to(desk) == {"fees": 1234}


def test_a_payment_replayed_in_a_later_batch_is_a_conflict(
    desk: Desk, purse: Purse
) -> None:
    record = desk.customs.pay(purse, 1234)
    send(desk, [record])
    desk.customs.next_batch()
    answer = send_one(desk, replace(record, stan=50))
    assert answer.code is ResponseCode.CONFLICT
    assert "batch 1" in answer.text
    assert desk.incidents() == [IncidentCode.REPLAYED]
    assert paid_to(desk) == {"fees": 1234}
