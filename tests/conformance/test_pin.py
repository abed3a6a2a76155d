"""The PIN: when it is needed, what clears it, what its try counter does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.drivers import CustomsDriver, PurseDriver

OLD = "24 12 34 FF FF FF FF FF"
NEW = "26 98 76 54 FF FF FF FF"
WRONG = "24 99 99 FF FF FF FF FF"
MALFORMED = {
    "format 0": "04 12 34 FF FF FF FF FF",
    "three digits": "23 12 3F FF FF FF FF FF",
    "thirteen digits": "2D 12 34 56 78 90 12 3F",
    "letter among digits": "24 12 3A FF FF FF FF FF",
    "fill is not F": "24 12 34 FF FF FF FF F0",
    "one digit too many": "24 12 34 5F FF FF FF FF",
}


def tries(card: PurseDriver | CustomsDriver) -> int:
    """C8 of the FCI."""
    data = card.select().data
    return data[data.index(bytes.fromhex("C8 01")) + 2]


def test_each_wrong_pin_costs_a_try_and_the_third_blocks(purse: PurseDriver) -> None:
    assert [purse.wrong_pin().sw for _ in range(5)] == [
        "63C2", "63C1", "63C0", "6983", "6983",
    ]  # fmt: skip
    assert purse.verify() == "6983"
    assert tries(purse) == 0


def test_the_right_pin_restores_the_tries(purse: PurseDriver) -> None:
    purse.wrong_pin()
    purse.wrong_pin()
    assert tries(purse) == 1
    assert purse.verify() == "9000"
    assert tries(purse) == 3


def test_the_tries_survive_a_reset(purse: PurseDriver) -> None:
    purse.wrong_pin()
    purse.restart()
    assert purse.wrong_pin() == "63C1"


@pytest.mark.parametrize("block", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_block_is_6A80_and_costs_no_try(  # noqa: N802  a status word
    purse: PurseDriver, block: str
) -> None:
    assert purse.verify(block) == "6A80"
    for change in (block + OLD, OLD + block):
        assert purse.command("00 24 00 80", bytes.fromhex(change)) == "6A80"
    assert tries(purse) == 3


def test_a_pin_of_twelve_digits_is_taken(purse: PurseDriver) -> None:
    long = "2C 12 34 56 78 90 12 FF"
    assert purse.command("00 24 00 80", bytes.fromhex(OLD + long)) == "9000"
    assert purse.verify(long) == "9000"


def test_change_pin_takes_the_new_one_and_clears_the_pin(purse: PurseDriver) -> None:
    purse.verify()
    assert purse.command("00 24 00 80", bytes.fromhex(OLD + NEW)) == "9000"
    assert purse.init() == "6982"
    assert purse.verify(OLD) == "63C2"
    assert purse.verify(NEW) == "9000"


def test_change_pin_with_a_wrong_old_one_costs_a_try(purse: PurseDriver) -> None:
    answers = [
        purse.command("00 24 00 80", bytes.fromhex(WRONG + NEW)).sw for _ in range(4)
    ]
    assert answers == ["63C2", "63C1", "63C0", "6983"]
    assert purse.verify() == "6983"


@pytest.mark.parametrize(
    "clearing",
    [
        "reset",
        "select",
        "failed verify",
        "change pin",
        "debit",
        "credit load",
        "block and unblock",
        "reset pin",
    ],
)
def test_what_clears_the_pin(purse: PurseDriver, clearing: str) -> None:
    purse.verify()
    assert purse.read_log(1) == "6A83"
    actions: dict[str, Callable[[], object]] = {
        "reset": purse.restart,
        "select": purse.select,
        "failed verify": purse.wrong_pin,
        "change pin": lambda: purse.command("00 24 00 80", bytes.fromhex(OLD + OLD)),
        "debit": purse.pay,
        "credit load": purse.load,
        "block and unblock": lambda: (
            purse.maintain("84 1E 00 00"),
            purse.maintain("84 18 00 00"),
        ),
        "reset pin": lambda: purse.reset_pin(OLD),
    }
    actions[clearing]()
    assert purse.read_log(1) == "6982"
    assert purse.init() == "6982"
    assert purse.init_load() == "6982"


def test_reads_and_the_balance_do_not_clear_the_pin(purse: PurseDriver) -> None:
    purse.verify()
    purse.balance()
    purse.challenge()
    purse.read_log(1)
    assert purse.init().sw == "9000"


def test_read_log_asks_for_the_pin_before_it_looks_at_the_index(
    purse: PurseDriver,
) -> None:
    assert purse.read_log(0) == "6982"
    purse.verify()
    assert purse.read_log(0) == "6A83"
    assert purse.read_log(1) == "6A83"


def test_activation_code_gates_init_sam_only(customs: CustomsDriver) -> None:
    from_bank = {"activation_code": "777777"}
    customs.issue(**from_bank)
    right, wrong = "26 77 77 77 FF FF FF FF", "26 77 77 78 FF FF FF FF"

    def verify(block: str) -> str:
        return customs.command("00 20 00 81", bytes.fromhex(block)).sw

    init_sam = "80 70 00 00 33"
    assert tries(customs) == 3
    assert customs.send(init_sam, bytes(0x33)) == "6982"
    assert customs.status()["count"] == 0
    assert verify(wrong) == "63C2"
    assert verify(right) == "9000"
    assert customs.send(init_sam, bytes(0x33)) == "6A88", "kv 00 comes next"
    customs.select()
    assert customs.send(init_sam, bytes(0x33)) == "6A88", "until power-off"
    customs.restart()
    assert customs.send(init_sam, bytes(0x33)) == "6982"
    assert [verify(wrong) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert customs.send(init_sam, bytes(0x33)) == "6982"
    assert customs.close().sw == "9000", "all else goes on"


def test_customs_card_without_a_code_answers_6985_to_verify(
    customs: CustomsDriver,
) -> None:
    assert customs.command("00 20 00 81", bytes.fromhex(OLD)) == "6985"
