"""Open records are settled by what the bank learns anyway, and never wrongly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.errors import LedgerError
from settlement.ledger import payee_account
from settlement.payment import OpenItem, PaymentKind, VoidClosure
from settlement.store.opens import Resolution, ResolvedBy

if TYPE_CHECKING:
    from settlement.payment import Closure

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")
NEVER_BY_PAYMENT = ("next payment", False)
NEVER_BY_LOAD = ("load", False)


@pytest.fixture
def purse(desk: Desk) -> Purse:
    return desk.loaded_purse(1_000)


def closes(desk: Desk, closure: Closure | None, item: OpenItem) -> bool:
    """Whether this is the VMAC that the item's customs card wants to see."""
    tx = item.open_record.tx
    key = desk.keys.card_key(KeyUse.PURCHASE, 1, tx.cid)
    return isinstance(closure, VoidClosure) and certificates.verify_vmac(
        key, tx, closure.vmac
    )


def resolve(desk: Desk, item: OpenItem, made: Resolution) -> None:
    """Store a resolution as a careless program would."""
    tx = item.open_record.tx
    with desk.store.write() as books:
        books.opens.resolve(books.opens.known(tx.mid, tx.tsn), made)


def assert_adds_up(desk: Desk) -> None:
    assert check_bank(desk.store, desk.keys).findings == ()


def test_an_open_record_is_one_incident_however_often_it_is_reported(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    for _ in range(3):
        assert desk.send(item) == [None]
    with desk.store.read() as books:
        (noted,) = books.batches.noted_incidents()
    assert noted.is_open
    told = noted.incident
    assert told.code == IncidentCode.OUTCOME_OPEN
    assert (told.terminal_id, told.batch, told.stan) == ("T0000007", 1, item.stan)
    assert (told.masked_card, told.amount_minor) == ("640000******0001", 70)
    assert told.at == desk.clock()
    assert "2025-11-22 10:15" in told.text
    (totals,) = check_bank(desk.store).totals
    assert totals.open_minor == 70
    assert_adds_up(desk)


def test_two_open_records_are_two_incidents(desk: Desk, purse: Purse) -> None:
    desk.send(desk.customs.begin(purse, 70), desk.customs.begin(purse, 70))
    assert desk.open_incidents() == [IncidentCode.OUTCOME_OPEN] * 2


def test_the_next_payment_closes_record_and_incident_by_itself(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    purse.otc += 1  # It was voided at another counter.
    desk.customs.pay(purse, 30)
    (closure,) = desk.send(item)
    assert closes(desk, closure, item)
    assert desk.outcome(item) == NEVER_BY_PAYMENT
    with desk.store.read() as books:
        (noted,) = books.batches.noted_incidents()
    assert noted.closed_at == desk.clock()
    assert noted.closed_because == (
        "by itself (next payment): the purse was not debited and never can be"
    )
    report = check_bank(desk.store, desk.keys)
    assert (report.incidents, report.incidents_closed) == (0, 1)
    assert report.totals[0].open_minor == 0
    assert report.findings == ()


def test_a_payment_that_came_before_the_report_settles_it_at_once(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.customs.pay(purse, 30)
    (closure,) = desk.send(item)
    assert closes(desk, closure, item)
    assert desk.open_incidents() == []


def test_the_payment_itself_settles_its_record_as_debited(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    proof = purse.debit(item)
    desk.send(item)
    desk.customs.credit(item, proof)
    desk.send()
    assert desk.outcome(item) == ("delivered", True)
    assert desk.balance(REVENUE) == 70
    assert desk.open_incidents() == []
    (totals,) = check_bank(desk.store).totals
    assert (totals.open_minor, totals.proved_minor) == (0, 0)
    assert_adds_up(desk)


def test_a_record_that_was_delivered_gets_no_closure_when_an_old_batch_comes_again(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    proof = purse.debit(item)
    old = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.send(item)
    desk.customs.credit(item, proof)
    desk.send()
    answer = desk.bank.take_open(old, item, desk.clock())
    assert (answer.code, answer.closure) == ("00", None)
    assert desk.balance(REVENUE) == 70


def test_a_load_settles_a_record_that_was_never_debited(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.load(purse, 5)
    assert desk.outcome(item) == NEVER_BY_LOAD
    assert desk.open_incidents() == []
    (closure,) = desk.send(item)
    assert closes(desk, closure, item)
    assert_adds_up(desk)


def test_a_load_leaves_a_record_open_that_was_debited(desk: Desk, purse: Purse) -> None:
    item = desk.customs.begin(purse, 70)
    purse.debit(item)
    desk.send(item)
    desk.load(purse, 5)
    assert desk.send(item) == [None]
    assert desk.outcome(item) is None
    assert_adds_up(desk)


def test_a_load_before_the_report_proves_nothing(desk: Desk, purse: Purse) -> None:
    """It may be older than the record: the debit may have come after it."""
    item = desk.customs.begin(purse, 70)
    desk.load(purse, 5)
    desk.send(item)
    assert desk.outcome(item) is None
    desk.load(purse, 5)
    assert desk.outcome(item) == NEVER_BY_LOAD


def test_a_load_that_was_authorised_before_the_report_proves_nothing(
    desk: Desk, purse: Purse
) -> None:
    request = purse.ask_load(5)
    given = desk.issuing.authorise_load(request)
    ltac = purse.take_load(request, given)
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.issuing.complete_load(
        purse.cid, ltc=request.ltc, balance_after_minor=purse.balance_minor, ltac=ltac
    )
    assert desk.outcome(item) is None


def test_a_pending_load_proves_nothing_until_its_certificate_comes(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    request = purse.ask_load(5)
    given = desk.issuing.authorise_load(request)
    assert desk.outcome(item) is None
    ltac = purse.take_load(request, given)
    desk.send(item)
    assert desk.outcome(item) is None
    desk.issuing.complete_load(
        purse.cid, ltc=request.ltc, balance_after_minor=purse.balance_minor, ltac=ltac
    )
    assert desk.outcome(item) == NEVER_BY_LOAD


def test_a_load_that_was_given_up_proves_nothing(desk: Desk, purse: Purse) -> None:
    """Its request can have been made before the record was opened."""
    early = purse.ask_load(5)
    item = desk.customs.begin(purse, 70)
    purse.debit(item)
    desk.send(item)
    given = desk.issuing.authorise_load(early)
    vmac = purse.burn_load(early, given)
    desk.issuing.void_load(purse.cid, ltc=early.ltc, vmac=vmac)
    assert desk.outcome(item) is None
    assert_adds_up(desk)


def test_a_load_of_another_card_proves_nothing(desk: Desk, purse: Purse) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.loaded_purse(500, cid=OTHER_CID)
    assert desk.outcome(item) is None


def test_what_another_counter_has_yet_to_deliver_may_hide_the_debit(
    desk: Desk, purse: Purse
) -> None:
    other = replace(desk.customs, mid=OTHER_MID, records=[], tsn=1, stan=900)
    late = other.pay(purse, 70)
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.load(purse, 5)
    assert desk.outcome(item) is None, "seventy are missing, and it asks for seventy"
    desk.issuing.register_customs_card(
        mid=OTHER_MID, terminal_id="T0000007", office="SOHAR", currency=512, kv=1
    )
    header = other.close()
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, [late], desk.clock())
    assert desk.outcome(item) == NEVER_BY_LOAD
    assert desk.open_incidents() == []


def test_what_is_worth_less_cannot_hide_the_debit(desk: Desk, purse: Purse) -> None:
    other = replace(desk.customs, mid=OTHER_MID, records=[], tsn=1, stan=900)
    other.pay(purse, 69)
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.load(purse, 5)
    assert desk.outcome(item) == NEVER_BY_LOAD


def test_of_two_equal_records_a_load_does_not_tell_which_was_debited(
    desk: Desk, purse: Purse
) -> None:
    first = desk.customs.begin(purse, 70)
    purse.debit(first)
    second = desk.customs.begin(purse, 70)
    desk.send(first, second)
    desk.load(purse, 5)
    assert [desk.outcome(item) for item in (first, second)] == [None, None]
    assert_adds_up(desk)


def test_of_two_records_a_load_settles_the_one_that_is_worth_too_much(
    desk: Desk, purse: Purse
) -> None:
    debited = desk.customs.begin(purse, 70)
    proof = purse.debit(debited)
    dearer = desk.customs.begin(purse, 100)
    desk.send(debited, dearer)
    desk.load(purse, 5)
    assert [desk.outcome(item) for item in (debited, dearer)] == [None, NEVER_BY_LOAD]
    desk.customs.credit(debited, proof)
    desk.send(dearer)
    assert desk.outcome(debited) == ("delivered", True)
    assert_adds_up(desk)


def test_a_load_of_a_card_that_brought_value_proves_nothing(desk: Desk) -> None:
    """What it was debited before it was registered here, no certificate says."""
    purse = desk.issue()
    with desk.store.read() as books:
        row = replace(books.cards.purse(purse.cid), cid=OTHER_CID)
    desk.issuing.register_card(row, brought_minor=500)
    brought = replace(purse, cid=OTHER_CID, balance_minor=500)
    item = desk.customs.begin(brought, 70)
    desk.send(item)
    desk.load(brought, 5)
    assert desk.outcome(item) is None


def test_a_debit_that_was_settled_as_impossible_is_paid_all_the_same(
    desk: Desk, purse: Purse
) -> None:
    """Only a purse that breaks its own counters can do this; its TAC counts."""
    item = desk.customs.begin(purse, 70)
    proof = purse.debit(item)
    purse.cumulative_minor -= 70
    purse.balance_minor += 70
    desk.customs.pay(purse, 30)
    desk.send(item)
    assert desk.outcome(item) == NEVER_BY_PAYMENT
    desk.customs.credit(item, proof)
    desk.send()
    assert desk.balance(REVENUE) == 100
    assert IncidentCode.OPEN_CONTRADICTED in desk.open_incidents()
    codes = {
        finding.code.value for finding in check_bank(desk.store, desk.keys).findings
    }
    assert "open record not as settled" not in codes


def test_a_number_of_the_customs_card_has_one_payment_in_all_batches(
    desk: Desk, purse: Purse
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.customs.tsn -= 1
    other = desk.customs.begin(purse, 80)
    header = desk.customs.close(open_count=1, open_sum_minor=80)
    desk.bank.begin_batch(header, desk.clock())
    assert desk.bank.take_open(header, other, desk.clock()).code == "94"
    assert IncidentCode.OPEN_RECORD in desk.open_incidents()


@pytest.mark.parametrize(
    ("how", "debited"),
    [
        pytest.param(ResolvedBy.DELIVERED, True, id="delivered, and no payment"),
        pytest.param(ResolvedBy.LOAD, True, id="a load that proves a debit"),
        pytest.param(ResolvedBy.CARD_DESK, True, id="card desk, no proof"),
        pytest.param(ResolvedBy.CARD_DESK, False, id="card desk, no VMAC"),
    ],
)
def test_the_database_takes_no_resolution_without_its_reason(
    desk: Desk, purse: Purse, how: ResolvedBy, debited: bool
) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    made = Resolution(how=how, debited=debited, at=desk.clock())
    with pytest.raises(LedgerError):
        resolve(desk, item, made)
    assert desk.outcome(item) is None


def test_a_resolution_is_never_made_twice(desk: Desk, purse: Purse) -> None:
    item = desk.customs.begin(purse, 70)
    desk.send(item)
    desk.load(purse, 5)
    again = Resolution(how=ResolvedBy.NEXT_PAYMENT, debited=False, at=desk.clock())
    with pytest.raises(LedgerError):
        resolve(desk, item, again)
    assert desk.outcome(item) == NEVER_BY_LOAD
