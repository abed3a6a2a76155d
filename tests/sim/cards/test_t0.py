"""T=0: 61xx with GET RESPONSE, 6Cxx with the right length."""

from __future__ import annotations

import pytest

from card.apdu import CommandAPDU
from card.channel import T0Channel
from sim.cards.issue import default_customs_card, default_purse
from sim.cards.t0 import T0Card

SELECT = "00 A4 04 00 08 F0 52 41 53 45 45 44 01"
GET_RESPONSE = "00 C0 00 00"


def send(card: T0Card, apdu: str) -> str:
    return card.process(bytes.fromhex(apdu)).hex().upper()


@pytest.fixture
def card() -> T0Card:
    card = T0Card(default_purse())
    card.reset()
    assert send(card, SELECT) == "6150"
    return card


def test_a_command_with_data_keeps_its_response(card: T0Card) -> None:
    whole = send(card, GET_RESPONSE + "50")
    assert whole.startswith("6F4E")
    assert whole.endswith("9000")
    assert send(card, GET_RESPONSE + "50") == "6D00", "it is fetched once"


def test_le_behind_the_data_changes_nothing(card: T0Card) -> None:
    assert send(card, SELECT + "00") == "6150"


def test_get_response_in_parts_and_with_a_wrong_length(card: T0Card) -> None:
    assert send(card, GET_RESPONSE + "51") == "6C50"
    first = send(card, GET_RESPONSE + "10")
    assert first.endswith("6140")
    second = send(card, GET_RESPONSE + "40")
    assert second.endswith("9000")
    assert len(first + second) == 2 * (0x50 + 4)
    send(card, SELECT)
    assert send(card, "00 C0 01 00 50") == "6A86"


def test_a_response_is_dropped_by_the_next_command_and_by_reset(card: T0Card) -> None:
    assert send(card, "80 5C 00 02 04") == "0007A1209000"
    assert send(card, GET_RESPONSE + "50") == "6D00"
    send(card, SELECT)
    card.reset()
    assert send(card, GET_RESPONSE + "50") == "6D00"


@pytest.mark.parametrize("le", ["", "00", "03", "05"])
def test_a_command_without_data_tells_the_right_length(card: T0Card, le: str) -> None:
    assert send(card, "80 5C 00 02" + le) == "6C04"
    assert send(card, "80 5C 00 02 04") == "0007A1209000"


def test_asked_again_a_command_is_not_carried_out_twice() -> None:
    card = T0Card(default_customs_card())
    send(card, SELECT[:-2] + "02")
    assert send(card, "00 84 00 00") == "6C08"
    challenge = send(card, "00 84 00 00 08")
    assert challenge != send(card, "00 84 00 00 08")
    assert send(card, "80 7A 00 00 00") == "6C3C"
    closed = send(card, "80 7A 00 00 3C")
    assert closed.startswith("00000001")
    assert send(card, "80 74 00 00 29")[16:24] == "00000002"


def test_refusals_come_at_once(card: T0Card) -> None:
    assert send(card, "00 20 00 80 08 24 99 99 FF FF FF FF FF") == "63C2"
    assert send(card, "80 B2 01 00 35") == "6982"
    assert send(card, "B0 00 00 00") == "6E00"
    assert send(card, "00 20 00 80 08") == "6700"


def test_the_channel_of_the_terminal_sees_whole_answers() -> None:
    channel = T0Channel(T0Card(default_purse()).process)
    aid = bytes.fromhex("F0 52 41 53 45 45 44 01")
    select = CommandAPDU(cla=0, ins=0xA4, p1=4, data=aid, le=256)
    assert len(channel.transmit(select).data) == 0x50
    balance = CommandAPDU(cla=0x80, ins=0x5C, p2=2, le=256)
    assert channel.transmit(balance).data == bytes.fromhex("00 07 A1 20")
