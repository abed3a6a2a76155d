"""INIT SAM, CREDIT, VOID and LIST OPEN on the customs card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sim.cards.customs import CustomsLimits
from sim.cards.issue import issue_customs_card

if TYPE_CHECKING:
    from tests.conformance.drivers import CustomsDriver, PurseDriver
    from tests.conformance.formulas import Purchase

WRONG_MAC = bytes(8)


def test_a_whole_payment_over_both_cards(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    begun = purse.begin()
    customs.open(begun)
    assert purse.debit(begun) == begun.proof
    assert customs.credit(begun).data == (1234).to_bytes(8, "big") + begun.confirm(
        b"ACK"
    )
    assert purse.ack(begun) == "9000"
    status = customs.status()
    assert (status["count"], status["sum"], status["total"]) == (1, 1234, 1234)
    assert (status["open"], status["tsn"]) == (0, 2)


@pytest.mark.parametrize(
    ("terms", "sw"),
    [
        ({"kv": 2}, "6A88"),
        ({"alg": 2}, "6A80"),
        ({"currency": b"\x08\x40"}, "6A80"),
        ({"amount": 0}, "6A80"),
        ({"amount": 0x8000_0000}, "6A80"),
        ({"at": bytes.fromhex("20 25 11 22 10 15 0A")}, "6A80"),
        ({"otc": 0}, "6A80"),
        ({"otc": 0xFFFF_FFFF}, "6A80"),
        ({"otc": 0xFFFF_FFFE}, "9000"),
        ({"amount": 0x7FFF_FFFF}, "9000"),
        ({"amount": 1}, "9000"),
    ],
    ids=str,
)
def test_init_sam_refuses_what_no_purse_should_pay(
    customs: CustomsDriver, purchase: type[Purchase], terms: dict[str, int], sw: str
) -> None:
    p = purchase(**terms)  # type: ignore[arg-type]  # a table
    assert customs.init(p).sw == sw
    assert customs.status()["open"] == (sw == "9000")


def test_init_sam_checks_in_the_order_of_the_profile(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    wrong = purchase(kv=9, alg=9, currency=b"\x09\x99", amount=0, at=b"\xff" * 7)
    customs.issue(activation_code="4711")
    customs.memory.commit({"tsn": 0xFFFF_FFFF})
    assert customs.init(wrong, WRONG_MAC) == "6982"
    customs.command("00 20 00 81", bytes.fromhex("24 47 11 FF FF FF FF FF"))
    assert customs.init(wrong, WRONG_MAC) == "6A88"
    wrong = replace(wrong, kv=1)
    assert customs.init(wrong, WRONG_MAC) == "9302"
    assert customs.init(wrong) == "6A80"
    assert customs.init(purchase()) == "9402"
    assert customs.status()["open"] == 0


def test_a_purse_without_the_key_opens_no_record(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    for other in ({"amount": 1}, {"digest": bytes(8)}, {"rc": bytes(8)}, {"otc": 2}):
        wrong = replace(p, **other)
        assert customs.init(wrong, p.s) == "9302"
    assert customs.status()["open"] == 0


def test_each_key_version_has_its_own_master(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    customs.issue(purchase_kvs=(1, 7))
    customs.open(purchase(kv=7))
    customs.open(purchase(kv=1, otc=2, tsn=2))
    assert customs.init(purchase(kv=2)) == "6A88"


def test_the_same_init_sam_answers_the_open_record_again(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    customs.restart()
    customs.open(p)
    assert customs.status()["open"] == 1
    assert customs.status()["tsn"] == 2


def test_other_terms_for_an_open_record_are_6985(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    later = bytes.fromhex("20 25 11 22 10 15 01")
    for other in (replace(p, at=later), replace(p, amount=5)):
        assert customs.init(other) == "6985"
    assert customs.init(replace(p, rc=bytes(8))).sw == "9000", "another session"
    assert customs.status()["open"] == 2


def test_a_repeated_init_sam_is_answered_even_when_there_is_no_room(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    records = [purchase(otc=n, tsn=n) for n in range(1, 33)]
    for record in records:
        customs.open(record)
    assert customs.init(purchase(otc=33)) == "6A84"
    customs.open(records[0])
    assert customs.status()["open"] == 32 == customs.status()["capacity"]
    assert customs.void(records[3]) == "9000"
    assert customs.init(purchase(otc=33)).sw == "9000"


def test_the_last_tsn_is_never_used(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    customs.memory.commit({"tsn": 0xFFFF_FFFE})
    customs.open(purchase(tsn=0xFFFF_FFFE))
    assert customs.init(purchase(otc=2)) == "9402"


def test_credit_checks_mac2_over_all_of_the_proof(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    assert customs.credit(p, WRONG_MAC) == "9302"
    for other in ({"balance_after": 1}, {"cumulative": 2}):
        wrong = replace(p, **other)  # type: ignore[arg-type]  # a table
        assert customs.credit(wrong, p.mac2) == "9302"
    assert customs.status()["open"] == 1
    assert customs.credit(p).sw == "9000"


def test_credit_of_what_is_not_open_is_6A83(  # noqa: N802  a status word
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    assert customs.credit(purchase()) == "6A83"
    assert customs.void(purchase()) == "6A83"


def test_a_repeated_credit_answers_the_same_ack_and_changes_nothing(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    first, second = purchase(), purchase(otc=2, tsn=2, amount=6)
    customs.take(first)
    customs.take(second)
    before = customs.status()
    again = customs.credit(first)
    assert again == (1240).to_bytes(8, "big") + first.confirm(b"ACK")
    assert customs.status() == before
    assert customs.credit(replace(first, balance_after=7)) == "6A83", "another TAC"
    assert customs.void(first) == "6A83"


def test_a_repeated_credit_is_known_until_its_bank_ack(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.take(p)
    close = customs.close().data
    assert customs.credit(p).sw == "9000"
    customs.bank_ack(close)
    assert customs.credit(p) == "6A83"


def test_credit_works_after_a_reset_and_in_any_order(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    records = [purchase(otc=n, tsn=n, amount=n) for n in (1, 2, 3)]
    for record in records:
        customs.open(record)
    customs.restart()
    for record in reversed(records):
        assert customs.credit(record).sw == "9000"
    assert [customs.read_credited(i).data[26:30] for i in (1, 2, 3)] == [
        n.to_bytes(4, "big") for n in (3, 2, 1)
    ]


def test_void_removes_the_record_on_a_good_vmac_only(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    assert customs.void(p, WRONG_MAC) == "9302"
    assert customs.void(p, p.confirm(b"VREQ")) == "9302"
    assert customs.void(p) == "9000"
    assert customs.void(p) == "6A83"
    assert customs.credit(p) == "6A83"
    assert customs.status()["total"] == 0


def test_list_open_is_in_tsn_order_and_renumbers(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    records = [purchase(otc=n, tsn=n) for n in (1, 2, 3)]
    for record in records:
        customs.open(record)
    for index, record in enumerate(records, 1):
        expected = record.tx + b"\x01" + record.rc + record.confirm(b"VREQ")
        assert customs.list_open(index) == expected
    assert customs.list_open(0) == "6A83"
    assert customs.list_open(4) == "6A83"
    customs.void(records[0])
    assert customs.list_open(1).data[:47] == records[1].tx
    assert customs.list_open(3) == "6A83"


def test_a_lost_debit_is_proved_and_credited_after_both_cards_were_reset(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    begun = purse.begin()
    customs.open(begun)
    purse.debit(begun)
    purse.restart()
    customs.restart()
    assert purse.prove(begun) == begun.proof
    assert customs.credit(begun).sw == "9000"


def test_a_payment_that_never_was_is_voided_on_both_cards(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    begun = purse.begin()
    customs.open(begun)
    purse.restart()
    vreq = customs.list_open(1).data[-8:]
    assert purse.prove(begun) == "9406"
    vmac = purse.void(begun, vreq).data
    assert customs.void(begun, vmac) == "9000"
    assert purse.balance() == 500_000


def test_a_batch_takes_999_payments_and_not_one_more(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    first = purchase()
    if customs.over_pcsc:
        # The limit is the card's, not the way's: there the batch begins nearly full.
        customs.memory.commit({"count": 990})
    for n in range(1, 998 - customs.status()["count"] + 1):
        customs.take(replace(first, otc=n, tsn=n))
    last = replace(first, otc=5001, tsn=customs.status()["tsn"])
    customs.open(last)
    assert customs.init(replace(first, otc=5002)) == "6A84", "count + nOpen"
    assert customs.credit(last).sw == "9000", "CREDIT never lacks room"
    assert customs.status()["count"] == 999
    assert customs.init(replace(first, otc=5002)) == "6A84"
    assert customs.close().sw == "9000"
    assert customs.init(replace(first, otc=5002)).sw == "9000"


def test_the_memory_for_credits_is_kept_free_for_open_records(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    customs.put(issue_customs_card(None, limits=CustomsLimits(credits=5)))
    customs.select()
    records = [purchase(otc=n, tsn=n) for n in range(1, 8)]
    for record in records[:3]:
        customs.take(record)
    close = customs.close().data
    customs.open(records[3])
    customs.take(records[4])
    assert customs.init(records[5]) == "6A84"
    assert customs.credit(records[3]).sw == "9000"
    assert customs.init(records[5]) == "6A84"
    customs.bank_ack(close)
    customs.open(records[5])
