"""INIT LOAD, CREDIT LOAD, PROVE LOAD, VOID LOAD."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.drivers import PurseDriver
    from tests.conformance.formulas import Load

WRONG_MAC = bytes(8)


def test_a_load_answers_what_the_formulas_say(purse: PurseDriver) -> None:
    load = purse.begin_load()
    assert load.ltc == 1
    assert purse.credit_load(load) == load.proof
    assert purse.balance() == 505_000
    assert purse.prove_load(load) == load.proof


def test_init_load_checks_in_the_order_of_the_profile(
    purse: PurseDriver, load: type[Load]
) -> None:
    purse.issue(balance_limit_minor=500_000)
    purse.maintain("84 1E 00 00")
    assert purse.init_load() == "6A81"
    purse.maintain("84 18 00 00")
    assert purse.init_load() == "6982"
    purse.verify()
    wrong_kv = bytes.fromhex("02  00 00 00 00  09 99") + load().lid
    assert purse.command("80 50 00 02", wrong_kv) == "6A88"
    assert purse.init_load(load(currency=b"\x09\x99")) == "6A80"
    assert purse.init_load(load(amount=0)) == "6A80"
    assert purse.init_load(load(amount=0x8000_0000)) == "6A80"
    assert purse.init_load(load(amount=1)) == "9402"


def test_the_balance_limit_holds_exactly(purse: PurseDriver, load: type[Load]) -> None:
    purse.issue(balance_limit_minor=500_100, payment_limit_minor=10)
    purse.verify()
    assert purse.init_load(load(amount=101)) == "9402"
    assert purse.init_load(load(amount=100)).sw == "9000", "C7 does not limit loads"


def test_the_last_load_number_is_never_used(
    purse: PurseDriver, load: type[Load]
) -> None:
    purse.memory.commit({"ltc": 0xFFFF_FFFF})
    purse.verify()
    assert purse.init_load() == "9402"
    assert purse.void_load(load(ltc=0xFFFF_FFFF)) == "9406"


def test_credit_load_checks_in_the_order_of_the_profile(purse: PurseDriver) -> None:
    wrong_time = {"at": b"\xff" * 7}
    begun = purse.begin_load(**wrong_time)
    purse.maintain("84 1E 00 00")
    assert purse.credit_load(begun) == "6A81"
    purse.maintain("84 18 00 00")
    assert purse.credit_load(begun) == "6985"
    begun = purse.begin_load(**wrong_time)
    purse.wrong_pin()
    assert purse.credit_load(begun, WRONG_MAC) == "6982"
    begun = purse.begin_load(**wrong_time)
    assert purse.credit_load(begun, WRONG_MAC) == "9302"
    begun = purse.begin_load(**wrong_time)
    assert purse.credit_load(begun) == "6A80"
    begun = purse.begin_load()
    purse.memory.commit({"balance": 2_000_000})
    assert purse.credit_load(begun) == "9402"
    assert purse.balance() == 2_000_000


def test_credit_load_kills_the_session_first(purse: PurseDriver) -> None:
    begun = purse.begin_load()
    assert purse.credit_load(begun, WRONG_MAC) == "9302"
    purse.verify()
    assert purse.credit_load(begun) == "6985"


def test_a_purchase_session_does_not_credit(
    purse: PurseDriver, load: type[Load]
) -> None:
    purse.begin()
    assert purse.credit_load(load()) == "6985"


def test_the_same_load_is_never_done_twice(purse: PurseDriver) -> None:
    load = purse.load()
    purse.verify()
    assert purse.credit_load(load) == "6985"
    assert purse.balance() == 505_000


def test_the_last_four_loads_keep_their_proofs(purse: PurseDriver) -> None:
    loads = [purse.load(lsn=lsn) for lsn in range(1, 6)]
    assert purse.prove_load(loads[0]) == "9406"
    for load in loads[1:]:
        assert purse.prove_load(load) == load.proof


@pytest.mark.parametrize(
    "other", [{"ltc": 2}, {"lid": b"DESK0002"}, {"lsn": 8}], ids=str
)
def test_prove_of_an_unknown_load_is_9406(
    purse: PurseDriver, other: dict[str, int]
) -> None:
    load = replace(purse.load(), **other)  # type: ignore[arg-type]  # a table
    assert purse.prove_load(load) == "9406"


@pytest.mark.parametrize("kind", ["load", "purchase"])
def test_void_load_burns_the_next_number_and_kills_the_session(
    purse: PurseDriver, load: type[Load], kind: str
) -> None:
    begun = purse.begin() if kind == "purchase" else None
    pending = load() if begun else purse.begin_load()
    assert purse.void_load(pending) == pending.confirm(b"VOID")
    assert (purse.debit(begun) if begun else purse.credit_load(pending)) == "6985"
    assert purse.prove_load(pending) == "9406"
    assert purse.begin_load().ltc == 2
    assert purse.balance() == 500_000


def test_void_load_knows_the_last_four_burned_numbers(
    purse: PurseDriver, load: type[Load]
) -> None:
    burned = [load(ltc=ltc) for ltc in range(1, 6)]
    for pending in burned:
        assert purse.void_load(pending).sw == "9000"
    assert purse.void_load(burned[0]) == "9406"
    for pending in burned[1:]:
        assert purse.void_load(pending) == pending.confirm(b"VOID")
        elsewhere = replace(pending, lsn=99)
        assert purse.void_load(elsewhere) == elsewhere.confirm(b"VOID")
    assert purse.begin_load().ltc == 6


def test_burned_numbers_take_no_place_among_the_proofs(
    purse: PurseDriver, load: type[Load]
) -> None:
    loads = [purse.load() for _ in range(4)]
    for ltc in range(5, 12):
        assert purse.void_load(load(ltc=ltc)).sw == "9000"
    for kept in loads:
        assert purse.prove_load(kept) == kept.proof


def test_void_load_of_a_kept_load_answers_only_for_another_place_or_number(
    purse: PurseDriver,
) -> None:
    done = purse.load()
    assert purse.void_load(done) == "9406"
    for other in (replace(done, lid=b"DESK0002"), replace(done, lsn=99)):
        assert purse.void_load(other) == other.confirm(b"VOID")
    assert purse.void_load(replace(done, ltc=3)) == "9406", "not the next number yet"


def test_void_load_checks_vreq_first(purse: PurseDriver, load: type[Load]) -> None:
    assert purse.void_load(load(), WRONG_MAC) == "9302"
    assert purse.void_load(load(ltc=9), WRONG_MAC) == "9302"
    assert purse.begin_load().ltc == 1


def test_prove_load_and_void_load_go_on_when_blocked(
    purse: PurseDriver, load: type[Load]
) -> None:
    done = purse.load()
    purse.maintain("84 1E 00 00")
    purse.restart()
    assert purse.prove_load(done) == done.proof
    assert purse.void_load(load(ltc=2)) == load(ltc=2).confirm(b"VOID")
