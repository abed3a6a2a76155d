"""GET CHALLENGE and the commands it protects: BLOCK, UNBLOCK, RESET PIN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.drivers import PurseDriver
    from tests.conformance.formulas import Bank

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
BLOCK = "84 1E 00 00"
UNBLOCK = "84 18 00 00"
RESET_PIN = "84 2C 00 80"
NEW = "25 43 21 0F FF FF FF FF"


def test_without_a_challenge_maintenance_is_6985(purse: PurseDriver) -> None:
    for header in (BLOCK, UNBLOCK):
        assert purse.command(header, bytes(8)) == "6985"
    assert purse.command(RESET_PIN, bytes(24)) == "6985"


def test_block_and_unblock(purse: PurseDriver) -> None:
    assert purse.maintain(BLOCK) == "9000"
    assert purse.verify() == "6A81"
    assert purse.maintain(BLOCK) == "9000"
    assert purse.maintain(UNBLOCK) == "9000"
    assert purse.verify() == "9000"
    assert purse.maintain(UNBLOCK) == "9000"


@pytest.mark.parametrize("spending", ["good", "wrong MAC", "wrong PIN block"])
def test_any_maintenance_command_spends_the_challenge(
    purse: PurseDriver, spending: str
) -> None:
    challenge = purse.challenge()
    match spending:
        case "good":
            assert purse.maintain(UNBLOCK, challenge=challenge) == "9000"
        case "wrong MAC":
            assert purse.command(UNBLOCK, bytes(8)) == "9302"
        case _:
            assert purse.maintain(RESET_PIN, bytes(16), challenge=challenge) == "6A80"
    assert purse.maintain(BLOCK, challenge=challenge) == "6985"


@pytest.mark.parametrize("header", [BLOCK, UNBLOCK, RESET_PIN, "84 DA 01 00"])
@pytest.mark.parametrize("wrong", ["P1", "P2", "Lc", "no data"])
def test_a_maintenance_command_that_is_refused_for_its_form_spends_the_challenge(
    purse: PurseDriver, header: str, wrong: str
) -> None:
    cla, ins, p1, p2 = bytes.fromhex(header)
    challenge = purse.challenge()
    match wrong:
        case "P1":
            answer = purse.command(bytes((cla, ins, 0x55, p2)).hex(), bytes(8))
        case "P2":
            answer = purse.command(bytes((cla, ins, p1, 0x55)).hex(), bytes(8))
        case "Lc":
            answer = purse.command(header, bytes(7))
        case _:
            answer = purse.command(header)
    assert answer.sw == ("6A86" if wrong in {"P1", "P2"} else "6700")
    assert purse.maintain(BLOCK, challenge=challenge) == "6985"


@pytest.mark.parametrize("apdu", ["84 FF 00 00", "80 1E 00 00", "0C 1E 00 00"])
def test_a_command_that_the_purse_does_not_have_leaves_the_challenge(
    purse: PurseDriver, apdu: str
) -> None:
    challenge = purse.challenge()
    assert purse.send(apdu).sw in {"6D00", "6E00"}
    assert purse.maintain(BLOCK, challenge=challenge) == "9000"


@pytest.mark.parametrize("dropping", ["reset", "select"])
def test_reset_and_select_drop_the_challenge(purse: PurseDriver, dropping: str) -> None:
    challenge = purse.challenge()
    if dropping == "reset":
        purse.reset()
    purse.select()
    assert purse.maintain(BLOCK, challenge=challenge) == "6985"


def test_a_failed_select_and_other_commands_leave_the_challenge(
    purse: PurseDriver,
) -> None:
    challenge = purse.challenge()
    assert purse.send("00 A4 04 00 05 A0 00 00 00 03 00") == "6A82"
    purse.pay()
    purse.balance()
    purse.wrong_pin()
    assert purse.maintain(BLOCK, challenge=challenge) == "9000"


def test_only_the_last_challenge_counts(purse: PurseDriver) -> None:
    old = purse.challenge()
    new = purse.challenge()
    assert purse.maintain(BLOCK, challenge=old) == "9302"
    assert purse.maintain(BLOCK, challenge=new) == "6985"


def test_the_mac_covers_the_header(purse: PurseDriver, bank: Bank) -> None:
    challenge = purse.challenge()
    key = bank.card_key(b"MNT", CID)
    mac = bank.protect(key, CID, challenge, bytes.fromhex(UNBLOCK))
    assert purse.command(BLOCK, mac) == "9302"
    assert purse.verify() == "9000"


def test_reset_pin_sets_the_pin_and_three_tries(purse: PurseDriver) -> None:
    for _ in range(3):
        purse.wrong_pin()
    assert purse.verify() == "6983"
    assert purse.reset_pin(NEW) == "9000"
    assert purse.wrong_pin() == "63C2"
    assert purse.verify(NEW) == "9000"


def test_reset_pin_leaves_the_session_and_clears_the_pin(purse: PurseDriver) -> None:
    begun = purse.begin()
    assert purse.reset_pin(NEW) == "9000"
    assert purse.debit(begun) == "6982"
    begun_again = purse.verify(NEW)
    assert begun_again == "9000"


def test_reset_pin_works_when_blocked_and_does_not_unblock(purse: PurseDriver) -> None:
    purse.maintain(BLOCK)
    assert purse.reset_pin(NEW) == "9000"
    assert purse.verify(NEW) == "6A81"
    purse.maintain(UNBLOCK)
    assert purse.verify(NEW) == "9000"


def test_unblock_leaves_the_tries(purse: PurseDriver) -> None:
    purse.wrong_pin()
    purse.wrong_pin()
    purse.maintain(BLOCK)
    assert purse.maintain(UNBLOCK) == "9000"
    assert purse.wrong_pin() == "63C0"


def test_reset_pin_of_something_else_than_a_pin_block_is_6A80(  # noqa: N802  SW
    purse: PurseDriver, bank: Bank
) -> None:
    assert purse.reset_pin("04 12 34 FF FF FF FF FF") == "6A80"
    challenge = purse.challenge()
    key = bank.card_key(b"MNT", CID)
    unpadded = bytes.fromhex(NEW) + bytes(8)
    data = bank.encrypt(key, CID, challenge, unpadded)
    assert purse.maintain(RESET_PIN, data, challenge=challenge) == "6A80"
    assert purse.verify() == "9000"


def test_unblock_clears_the_count_of_failed_macs(purse: PurseDriver) -> None:
    for _ in range(10):
        purse.debit(purse.begin(), bytes(8))
    assert purse.verify() == "6A81"
    purse.maintain(UNBLOCK)
    for _ in range(9):
        assert purse.debit(purse.begin(), bytes(8)) == "9302"
    assert purse.verify() == "9000"
