"""What SELECT tells about a card, and what state 01 and 0F still do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from tests.conformance.drivers import CustomsDriver, Driver, PurseDriver

SERIAL = bytes.fromhex("52 53 00 00 00 00 00 99")
BLANK_FCI = "6F 1C 84 08 F0 52 41 53 45 45 44 {:02X} A5 10"
BLANK_OBJECTS = "C0 01 01 C1 08 52 53 00 00 00 00 00 99 C5 01 01"


def objects(card: Driver) -> dict[int, bytes]:
    """The data objects in A5 in the order they came, which must ascend."""
    data = card.select().data
    assert data[0] == 0x6F
    assert data[1] == len(data) - 2
    assert data[2:4] == bytes.fromhex("84 08")
    assert data[12] == 0xA5
    rest = data[14:]
    assert data[13] == len(rest)
    found: dict[int, bytes] = {}
    while rest:
        assert rest[0] > max(found, default=0)
        found[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return found


def test_purse_names_itself_and_its_limits(purse: PurseDriver) -> None:
    purse.issue(
        holder_name="شركة الشحن", language="ar", balance_limit_minor=5, kv=3,
        payment_limit_minor=4, currency="0414", valid_from="20260101",
        expiry="20270131",
    )  # fmt: skip
    assert objects(purse) == {
        0xC0: b"\x01",
        0xC1: bytes.fromhex("64 00 00 00 00 00 00 01"),
        0xC2: b"\x04\x14",
        0xC3: bytes.fromhex("20 26 01 01"),
        0xC4: bytes.fromhex("20 27 01 31"),
        0xC5: b"\x03",
        0xC6: bytes.fromhex("00 00 00 05"),
        0xC7: bytes.fromhex("00 00 00 04"),
        0xC8: b"\x03",
        0xC9: b"\x03",
        0xCA: "شركة الشحن".encode(),
        0xCB: b"ar",
    }


def test_customs_card_tells_tries_only_when_it_has_a_code(
    customs: CustomsDriver,
) -> None:
    without = {0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC9, 0xCA, 0xCB}
    assert set(objects(customs)) == without
    customs.issue(activation_code="123456")
    assert set(objects(customs)) == without | {0xC8}


def test_a_blank_card_tells_its_serial_number_and_state_only(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    purse.put(blank_purse(Memory(), SERIAL))
    customs.put(blank_customs_card(Memory(), SERIAL))
    for card, number in ((purse, 1), (customs, 2)):
        expected = bytes.fromhex(BLANK_FCI.format(number) + BLANK_OBJECTS)
        assert card.select() == expected


def test_a_blank_purse_answers_6985_to_value_and_pin_commands(
    purse: PurseDriver,
) -> None:
    done, load = purse.pay(), purse.load()
    purse.put(blank_purse(Memory(), SERIAL))
    purse.select()
    old_and_new = bytes.fromhex("24 12 34 FF FF FF FF FF") * 2
    answers = [
        purse.verify(), purse.command("00 24 00 80", old_and_new), purse.init(),
        purse.debit(done), purse.ack(done), purse.prove(done), purse.void(done),
        purse.init_load(), purse.credit_load(load), purse.prove_load(load),
        purse.void_load(load), purse.read_log(1), purse.send("80 5C 00 02 00"),
        purse.maintain("84 1E 00 00"), purse.maintain("84 18 00 00"),
    ]  # fmt: skip
    assert {answer.sw for answer in answers} == {"6985"}


def test_a_blank_customs_card_answers_6985_to_value_and_pin_commands(
    customs: CustomsDriver, purse: PurseDriver
) -> None:
    done = purse.pay()
    customs.put(blank_customs_card(Memory(), SERIAL))
    customs.select()
    answers = [
        customs.init(done), customs.credit(done), customs.void(done), customs.close(),
        customs.waiting(1), customs.bank_ack(bytes(60)), customs.list_open(1),
        customs.read_credited(1), customs.send("80 74 00 00 00"),
        customs.command("00 20 00 81", bytes.fromhex("24 12 34 FF FF FF FF FF")),
    ]  # fmt: skip
    assert {answer.sw for answer in answers} == {"6985"}


def test_a_blocked_purse_refuses_value_and_goes_on_with_the_rest(
    purse: PurseDriver,
) -> None:
    done, load = purse.pay(), purse.load()
    purse.verify()
    assert purse.maintain("84 1E 00 00") == "9000"
    assert objects(purse)[0xC5] == b"\x0f"
    old_and_new = bytes.fromhex("24 12 34 FF FF FF FF FF") * 2
    refused = [
        purse.verify(), purse.command("00 24 00 80", old_and_new), purse.init(),
        purse.debit(done), purse.init_load(), purse.credit_load(load),
    ]  # fmt: skip
    assert {answer.sw for answer in refused} == {"6A81"}
    assert purse.balance() == 503_766
    assert purse.prove(done) == done.proof
    assert purse.ack(done) == "9000"
    assert purse.prove_load(load) == load.proof
    assert purse.read_log(1) == "6982"
