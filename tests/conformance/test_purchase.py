"""INIT PURCHASE, DEBIT, ACK, PROVE on the purse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.drivers import PurseDriver
    from tests.conformance.formulas import Purchase

WRONG_MAC = bytes(8)


def test_a_purchase_answers_what_the_formulas_say(purse: PurseDriver) -> None:
    purse.verify()
    answer = purse.init()
    begun = purse.begin()
    assert len(answer.data) == 0x22
    assert answer.data[:18] == bytes.fromhex(
        "64 00 00 00 00 00 00 01  00 07 A1 20  00 00 00 01  01 01"
    )
    assert begun.otc == 1
    assert purse.debit(begun) == begun.proof
    assert purse.balance() == 498_766
    assert purse.prove(begun) == begun.proof


def test_init_purchase_signs_the_terms(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.verify()
    answer = purse.init()
    assert answer.data[26:] == purchase(rc=answer.data[18:26]).s


@pytest.mark.parametrize(
    ("terms", "sw"),
    [
        ({"kv": 2, "currency": b"\x08\x40"}, "6A88"),
        ({"currency": b"\x08\x40"}, "6A80"),
        ({"amount": 0}, "6A80"),
        ({"amount": 2_000_001}, "6A80"),
        ({"amount": 0x8000_0000}, "6A80"),
        ({"amount": 500_001}, "9401"),
        ({"amount": 500_000}, "9000"),
        ({"amount": 1}, "9000"),
    ],
    ids=str,
)
def test_init_purchase_refuses_a_hopeless_payment(
    purse: PurseDriver, purchase: type[Purchase], terms: dict[str, int], sw: str
) -> None:
    purse.verify()
    assert purse.init(purchase(**terms)).sw == sw  # type: ignore[arg-type]  # a table


def test_init_purchase_checks_in_the_order_of_the_profile(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    wrong = purchase(kv=9, currency=b"\x09\x99", amount=0)
    purse.issue(balance_minor=0)
    purse.memory.commit({"otc": 0xFFFFFFFF})
    purse.maintain("84 1E 00 00")
    assert purse.init(wrong) == "6A81"
    purse.maintain("84 18 00 00")
    assert purse.init(wrong) == "6982"
    purse.verify()
    assert purse.init(wrong) == "6A88"
    assert purse.init(replace(wrong, kv=1)) == "6A80"
    assert purse.init(purchase()) == "9402"
    purse.memory.commit({"otc": 1})
    assert purse.init(purchase()) == "9401"


def test_the_payment_limit_holds_exactly(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.issue(payment_limit_minor=1000)
    purse.verify()
    assert purse.init(purchase(amount=1001)) == "6A80"
    assert purse.init(purchase(amount=1000)).sw == "9000"


def test_a_limit_above_the_profiles_highest_amount_does_not_raise_it(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.issue(payment_limit_minor=0xFFFF_FFFF, balance_minor=0xFFFF_FFFF)
    purse.verify()
    assert purse.init(purchase(amount=0x8000_0000)) == "6A80"
    assert purse.init(purchase(amount=0x7FFF_FFFF)).sw == "9000"


def test_the_last_number_is_never_used(purse: PurseDriver) -> None:
    purse.memory.commit({"otc": 0xFFFF_FFFE})
    last = purse.pay()
    assert last.otc == 0xFFFF_FFFE
    purse.verify()
    assert purse.init() == "9402"
    never = replace(last, otc=0xFFFF_FFFF, tsn=2)
    assert purse.void(never) == "9406"


def test_a_repeated_init_replaces_the_session_with_the_same_number(
    purse: PurseDriver,
) -> None:
    first = purse.begin()
    second = purse.begin()
    assert first.otc == second.otc
    assert first.rc != second.rc
    assert purse.debit(second, first.mac1) == "9302"


@pytest.mark.parametrize("refusal", ["currency", "balance", "load"], ids=str)
def test_another_init_ends_the_session(
    purse: PurseDriver, purchase: type[Purchase], refusal: str
) -> None:
    begun = purse.begin()
    match refusal:
        case "currency":
            assert purse.init(purchase(currency=b"\x09\x99")) == "6A80"
        case "balance":
            assert purse.init(purchase(amount=500_001)) == "9401"
        case _:
            assert purse.init_load().sw == "9000"
    assert purse.debit(begun) == "6985"
    assert purse.balance() == 500_000


def test_verify_leaves_the_session(purse: PurseDriver) -> None:
    begun = purse.begin()
    assert purse.verify() == "9000"
    assert purse.debit(begun) == begun.proof


def test_a_failed_verify_leaves_the_session_but_takes_the_pin(
    purse: PurseDriver,
) -> None:
    begun = purse.begin()
    purse.wrong_pin()
    assert purse.debit(begun) == "6982"
    purse.verify()
    assert purse.debit(begun) == "6985", "the session went with the refused DEBIT"


def test_a_good_verify_after_a_failed_one_saves_the_payment(purse: PurseDriver) -> None:
    begun = purse.begin()
    purse.wrong_pin()
    purse.verify()
    assert purse.debit(begun) == begun.proof


def test_get_challenge_does_not_touch_the_session(purse: PurseDriver) -> None:
    begun = purse.begin()
    purse.challenge()
    assert purse.debit(begun) == begun.proof


@pytest.mark.parametrize("ending", ["reset", "select", "block"])
def test_what_ends_the_session(purse: PurseDriver, ending: str) -> None:
    begun = purse.begin()
    match ending:
        case "reset":
            purse.restart()
        case "select":
            purse.select()
        case _:
            purse.maintain("84 1E 00 00")
            assert purse.debit(begun) == "6A81"
            purse.maintain("84 18 00 00")
    purse.verify()
    assert purse.debit(begun) == "6985"


def test_debit_kills_the_session_before_it_checks(purse: PurseDriver) -> None:
    begun = purse.begin()
    assert purse.debit(begun, WRONG_MAC) == "9302"
    purse.verify()
    assert purse.debit(begun) == "6985"
    assert purse.balance() == 500_000


def test_debit_checks_in_the_order_of_the_profile(purse: PurseDriver) -> None:
    wrong_time = {"at": bytes.fromhex("20 25 11 22 10 15 0A")}
    begun = purse.begin(**wrong_time)
    purse.maintain("84 1E 00 00")
    assert purse.debit(begun) == "6A81"
    purse.maintain("84 18 00 00")
    assert purse.debit(begun) == "6985"
    begun = purse.begin(**wrong_time)
    purse.wrong_pin()
    assert purse.debit(begun, WRONG_MAC) == "6982"
    begun = purse.begin(**wrong_time)
    assert purse.debit(begun, WRONG_MAC) == "9302"
    begun = purse.begin(**wrong_time)
    assert purse.debit(begun) == "6A80"
    assert purse.balance() == 500_000
    begun = purse.begin(amount=500_000)
    purse.memory.commit({"balance": 499_999})
    assert purse.debit(begun) == "9401"


def test_the_same_debit_is_never_done_twice(purse: PurseDriver) -> None:
    begun = purse.pay()
    purse.verify()
    assert purse.debit(begun) == "6985"
    assert purse.balance() == 498_766


def test_a_load_session_does_not_debit(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.begin_load()
    assert purse.debit(purchase()) == "6985"


def test_numbers_balance_and_cumulative_debit_go_on(purse: PurseDriver) -> None:
    payments = [purse.pay(amount=1000, tsn=tsn) for tsn in (5, 6, 9)]
    assert [p.otc for p in payments] == [1, 2, 3]
    assert payments[-1].cumulative == 3000
    assert purse.balance() == 497_000


def test_ten_wrong_macs_in_a_row_block_the_purse(purse: PurseDriver) -> None:
    for _ in range(9):
        assert purse.debit(purse.begin(), WRONG_MAC) == "9302"
    assert purse.select().data.find(bytes.fromhex("C5 01 03")) > 0
    assert purse.debit(purse.begin(), WRONG_MAC) == "9302"
    assert purse.select().data.find(bytes.fromhex("C5 01 0F")) > 0
    assert purse.verify() == "6A81"


def test_m2_and_mac1_count_together_and_across_resets(purse: PurseDriver) -> None:
    for _ in range(5):
        assert purse.debit(purse.begin(), WRONG_MAC) == "9302"
        purse.restart()
        assert purse.credit_load(purse.begin_load(), WRONG_MAC) == "9302"
        purse.restart()
    assert purse.verify() == "6A81"


@pytest.mark.parametrize("good", ["debit", "load", "refused debit", "unblock"])
def test_a_good_mac_or_unblock_clears_the_count(purse: PurseDriver, good: str) -> None:
    for _ in range(9):
        purse.debit(purse.begin(), WRONG_MAC)
    match good:
        case "debit":
            purse.pay()
        case "load":
            purse.load()
        case "refused debit":
            assert purse.debit(purse.begin(at=b"\xff" * 7)) == "6A80"
        case _:
            purse.maintain("84 18 00 00")
    purse.debit(purse.begin(), WRONG_MAC)
    assert purse.verify() == "9000"


def test_other_wrong_macs_do_not_count(purse: PurseDriver) -> None:
    paid = purse.pay()
    load = purse.load()
    for _ in range(12):
        assert purse.ack(paid, WRONG_MAC) == "9302"
        assert purse.void(paid, WRONG_MAC) == "9302"
        assert purse.void_load(load, WRONG_MAC) == "9302"
        assert purse.command("84 1E 00 00", WRONG_MAC) in ("6985",)
    assert purse.verify() == "9000"


def test_ack_marks_the_purchase_and_may_be_repeated(purse: PurseDriver) -> None:
    paid = purse.pay()
    purse.verify()
    assert purse.read_log(1).data[-1] == 0
    assert purse.ack(paid) == "9000"
    assert purse.ack(paid) == "9000"
    assert purse.read_log(1).data[-1] == 1
    assert purse.ack(paid, WRONG_MAC) == "9302"
    assert purse.prove(paid) == paid.proof, "an acknowledged entry can be proved"


@pytest.mark.parametrize("other", [{"otc": 2}, {"tsn": 2}, {"mid": bytes(8)}], ids=str)
def test_ack_and_prove_of_an_unknown_purchase_are_9406(
    purse: PurseDriver, other: dict[str, int]
) -> None:
    paid = replace(purse.pay(), **other)  # type: ignore[arg-type]  # a table
    assert purse.ack(paid) == "9406"
    assert purse.ack(paid, WRONG_MAC) == "9406"
    assert purse.prove(paid) == "9406"


def test_ack_and_prove_need_no_pin_and_survive_reset_and_blocking(
    purse: PurseDriver,
) -> None:
    paid = purse.pay()
    purse.maintain("84 1E 00 00")
    purse.restart()
    assert purse.prove(paid) == paid.proof
    assert purse.ack(paid) == "9000"
    assert purse.balance() == 498_766
    assert purse.read_log(1) == "6982"
