"""The order of checks that every command of both cards goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.drivers import CustomsDriver, Driver, PurseDriver

# Header and number of data bytes.
PURSE_COMMANDS = [
    ("00 20 00 80", 0x08),
    ("00 24 00 80", 0x10),
    ("80 5C 00 02", 0),
    ("80 50 01 02", 0x17),
    ("80 54 01 00", 0x13),
    ("80 56 00 00", 0x18),
    ("80 5A 00 06", 0x10),
    ("80 5A 01 06", 0x37),
    ("80 50 00 02", 0x0F),
    ("80 52 00 00", 0x13),
    ("80 5A 00 02", 0x10),
    ("80 5A 01 02", 0x18),
    ("80 B2 01 00", 0),
    ("84 1E 00 00", 8),
    ("84 18 00 00", 8),
    ("84 2C 00 80", 24),
    ("00 84 00 00", 0),
]
CUSTOMS_COMMANDS = [
    ("00 20 00 81", 0x08),
    ("80 70 00 00", 0x33),
    ("80 72 00 00", 0x20),
    ("80 74 00 00", 0),
    ("80 76 00 00", 0x0C),
    ("80 78 01 00", 0),
    ("80 79 00 01", 0),
    ("80 7A 00 00", 0),
    ("80 7A 01 01", 0),
    ("80 7C 00 00", 0x14),
    ("00 84 00 00", 0),
]
ANY_P2 = {"80 79 00 01", "80 7A 01 01"}


def check_order(card: Driver, header: str, count: int) -> None:
    """Send one command with more and more of it right."""
    cla, ins, p1, p2 = bytes.fromhex(header)
    data = bytes(count)
    lc = bytes((count,)) if count else b""
    too_long = bytes((count + 1,)) + bytes(count + 1)
    wrong_p2 = p2 if header in ANY_P2 else 0x55
    wrong_p1 = 0x55 if header == "80 7A 01 01" else p1
    wrong_p = header != "80 79 00 01"

    assert card.send(bytes((0xB0, 0xFF, 0x55, 0x55)), too_long) == "6E00"
    assert card.send(bytes((0xB0, ins, p1, p2)), lc, data) == "6E00"
    assert card.send(bytes((0x0C, ins, p1, p2)), lc, data) == "6E00"
    assert card.send("80 FF 55 55", too_long) == "6D00"
    if wrong_p:
        wrong = bytes((cla, ins, wrong_p1, wrong_p2))
        assert card.send(wrong, too_long) == "6A86"
        assert card.send(wrong, lc, data) == "6A86"
    right = bytes((cla, ins, p1, p2))
    assert card.send(right, too_long) == "6700"
    assert card.send(right, "05 01 02") == "6700", "cut off"
    if count:
        assert card.send(right) == "6700"
        assert card.send(right, bytes((count - 1,)), data[1:]) == "6700"
        assert card.send(right, lc, data, "00 00") == "6700"
    assert card.send(right, lc, data) == "6985", "not selected"
    assert card.send(right, lc, data, "00") == "6985", "Le changes nothing"
    assert card.select().sw == "9000"
    with_le = card.send(right, lc, data, "00").sw
    card.restart()
    assert card.send(right, lc, data).sw == with_le, "Le is optional"
    assert with_le not in {"6E00", "6D00", "6A86", "6700"}


@pytest.mark.parametrize(("header", "count"), PURSE_COMMANDS, ids=str)
def test_purse_checks_class_instruction_parameters_length_selection_in_order(
    purse: PurseDriver, header: str, count: int
) -> None:
    purse.reset()
    check_order(purse, header, count)


@pytest.mark.parametrize(("header", "count"), CUSTOMS_COMMANDS, ids=str)
def test_customs_card_checks_class_instruction_parameters_length_selection_in_order(
    customs: CustomsDriver, header: str, count: int
) -> None:
    customs.reset()
    check_order(customs, header, count)


def test_an_instruction_is_unknown_in_a_class_that_is_not_its_own(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    assert purse.send("80 1E 00 00 08", bytes(8)) == "6D00"
    assert purse.send("84 50 01 02 17", bytes(0x17)) == "6D00"
    assert purse.send("84 FF 00 00") == "6D00"
    assert customs.send("84 1E 00 00 08", bytes(8)) == "6E00", "it has no such class"


def test_a_command_that_fails_the_common_checks_changes_nothing(
    purse: PurseDriver,
) -> None:
    begun = purse.begin()
    assert purse.send("80 50 02 02") == "6A86"
    assert purse.send("80 50 01 02 01 01") == "6700"
    assert purse.send("80 54 01 00 01 01") == "6700"
    assert purse.send("84 1E 00 01 08", bytes(8)) == "6A86"
    assert purse.send("84 1E 00 00 07", bytes(7)) == "6700"
    assert purse.debit(begun) == begun.proof


@pytest.mark.parametrize(
    "apdu",
    ["00 A4 04", "00 A4 04 00", "00 A4 04 00 00", "00 A4 04 00 08 F0 52",
     "00 A4 04 00 11 F0 52 41 53 45 45 44 01 00 00 00 00 00 00 00 00 00"],
    ids=["no header", "no AID", "only Le", "cut off", "17 bytes"],
)  # fmt: skip
def test_select_of_a_wrong_length_is_6700(purse: PurseDriver, apdu: str) -> None:
    assert purse.send(apdu) == "6700"


@pytest.mark.parametrize(
    "aid",
    ["F0 52 41 53 45 45 44 02", "F0 52 41 53 45 45 44", "F0 52 41 53 45 45 44 01 00",
     "A0 00 00 00 03"],
    ids=["the other card's", "cut off", "longer", "foreign"],
)  # fmt: skip
def test_select_matches_the_aid_exactly_and_else_changes_nothing(
    purse: PurseDriver, aid: str
) -> None:
    begun = purse.begin()
    assert purse.command("00 A4 04 00", bytes.fromhex(aid)) == "6A82"
    assert purse.debit(begun) == begun.proof, "PIN and session are still there"


def test_a_failed_first_select_selects_nothing(purse: PurseDriver) -> None:
    purse.reset()
    assert purse.send("00 A4 04 00 05 A0 00 00 00 03 00") == "6A82"
    assert purse.send("80 5C 00 02 00") == "6985"


def test_select_may_carry_no_le_and_answers_the_same(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    for card in (purse, customs):
        assert card.send(card.select_apdu[:-3]) == card.select().data


def test_get_challenge_answers_eight_new_bytes_each_time(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    for card in (purse, customs):
        challenges = {card.challenge() for _ in range(5)}
        assert len(challenges) == 5
        assert {len(challenge) for challenge in challenges} == {8}
