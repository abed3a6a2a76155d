"""A card behind vpcd's wire: insertion, reset, commands, removal."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from sim.cards.errors import CardTakenError
from sim.cards.issue import default_customs_card, default_purse
from sim.cards.vpcd import CardProtocol, VPCDCard

if TYPE_CHECKING:
    from sim.cards.t0 import Card
    from sim.pcscd import PrivatePCSCD
    from tests.sim.cards.conftest import FakeSlot

POWER_OFF, POWER_ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"
SELECT = "00 A4 04 00 08 F0 52 41 53 45 45 44 01 00"
GET_BALANCE = "80 5C 00 02 00"
_TIMEOUT_S = 20


class CountingCard:
    """Counts its resets; leaves the reader on a command it is told."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1
        self._card.reset()

    def process(self, apdu: bytes, /) -> bytes:
        if apdu == b"take me":
            raise CardTakenError
        return self._card.process(apdu)


def test_the_card_answers_atr_and_commands(slot: FakeSlot) -> None:
    with VPCDCard(default_purse(), slot.port) as card:
        slot.wait_for_card()
        assert card.wait_connected(_TIMEOUT_S)
        assert slot.ask(ATR) == "3B860152415345454483"
        slot.send(POWER_ON)
        answer = slot.ask(SELECT)
        assert answer is not None
        assert answer.startswith("6F4E")
        assert slot.ask(GET_BALANCE) == "0007A1209000"


def test_the_atr_of_t0_and_its_61xx(slot: FakeSlot) -> None:
    with VPCDCard(default_purse(), slot.port, protocol="T0"):
        slot.wait_for_card()
        assert slot.ask(ATR) == "3B06524153454544"
        assert slot.ask(SELECT) == "6150"
        assert slot.ask(GET_BALANCE) == "6C04"


def test_tck_makes_the_atr_come_out_even() -> None:
    total = 0
    for byte in CardProtocol.T1.atr[1:]:
        total ^= byte
    assert total == 0


@pytest.mark.parametrize("control", [POWER_OFF, POWER_ON, RESET])
def test_power_and_reset_reset_the_card_and_answer_nothing(
    slot: FakeSlot, control: bytes
) -> None:
    card = CountingCard(default_purse())
    with VPCDCard(card, slot.port):
        slot.wait_for_card()
        slot.ask(SELECT)
        before = card.resets
        slot.send(control)
        assert slot.ask(GET_BALANCE) == "6985", "no longer selected"
        assert card.resets == before + 1


@pytest.mark.parametrize("control", [b"\x03", b"\x05", b"\xff"], ids=bytes.hex)
def test_a_control_that_is_none_of_vpcds_is_ignored(
    slot: FakeSlot, control: bytes
) -> None:
    card = CountingCard(default_purse())
    with VPCDCard(card, slot.port):
        slot.wait_for_card()
        slot.ask(SELECT)
        before = card.resets
        slot.send(control)
        assert slot.ask(GET_BALANCE) == "0007A1209000", "still selected"
        assert card.resets == before


def test_a_message_may_come_byte_by_byte(slot: FakeSlot) -> None:
    with VPCDCard(default_purse(), slot.port):
        slot.wait_for_card()
        slot.ask(SELECT, byte_by_byte=True)
        assert slot.ask(GET_BALANCE, byte_by_byte=True) == "0007A1209000"


def test_removal_closes_the_connection_and_insertion_makes_a_new_one(
    slot: FakeSlot,
) -> None:
    with VPCDCard(default_purse(), slot.port) as card:
        slot.wait_for_card()
        slot.ask(SELECT)
        card.remove()
        assert slot.receive() is None
        card.remove()
        card.insert()
        card.insert()
        slot.wait_for_card()
        assert slot.ask(GET_BALANCE) == "6985"


def test_a_card_that_was_taken_out_is_not_inserted(slot: FakeSlot) -> None:
    with VPCDCard(default_purse(), slot.port) as card:
        slot.wait_for_card()
        assert card.inserted
    assert not card.inserted


def test_another_card_may_be_put_into_the_same_slot(slot: FakeSlot) -> None:
    with VPCDCard(default_purse(), slot.port) as card:
        slot.wait_for_card()
        card.remove()
        card.insert(default_customs_card())
        slot.wait_for_card()
        assert slot.ask(SELECT) == "6A82"


def test_the_card_waits_for_pcscd_and_comes_back_to_a_new_one(slot: FakeSlot) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with VPCDCard(default_purse(), port) as card:
        assert card.inserted
        assert not card.wait_connected(0)
    with VPCDCard(default_purse(), slot.port):
        slot.wait_for_card()
        slot.drop()
        slot.wait_for_card()
        assert slot.ask(ATR) == "3B860152415345454483"


def test_a_card_that_is_taken_during_a_command_leaves_no_answer(slot: FakeSlot) -> None:
    with VPCDCard(CountingCard(default_purse()), slot.port) as card:
        slot.wait_for_card()
        assert slot.ask(b"take me") is None
        card.remove()
        card.insert()
        slot.wait_for_card()
        assert slot.ask(ATR) == "3B860152415345454483"


@pytest.mark.pcsc
@pytest.mark.parametrize("protocol", list(CardProtocol), ids=lambda p: p.value)
def test_pcscd_speaks_both_protocols_with_it(
    private_pcscd: PrivatePCSCD, protocol: CardProtocol
) -> None:
    from smartcard import scard  # noqa: PLC0415  only where it is needed

    wanted = {
        CardProtocol.T0: scard.SCARD_PROTOCOL_T0,
        CardProtocol.T1: scard.SCARD_PROTOCOL_T1,
    }[protocol]
    reader = private_pcscd.readers[0]
    _code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)

    def wait_while(state: int) -> None:
        known = scard.SCARD_STATE_UNAWARE
        while True:
            _code, [(_name, now, _atr)] = scard.SCardGetStatusChange(
                context, _TIMEOUT_S * 1000, [(reader, known)]
            )
            if not now & state:
                return
            known = now & ~scard.SCARD_STATE_CHANGED

    with VPCDCard(default_purse(), private_pcscd.port, protocol=protocol):
        wait_while(scard.SCARD_STATE_EMPTY)
        code, handle, active = scard.SCardConnect(
            context, reader, scard.SCARD_SHARE_EXCLUSIVE, wanted
        )
        assert code == scard.SCARD_S_SUCCESS
        assert active == wanted
        select = list(bytes.fromhex(SELECT))
        code, answer = scard.SCardTransmit(handle, active, select)
        assert code == scard.SCARD_S_SUCCESS
        short = protocol is CardProtocol.T0
        assert bytes(answer[:2]) == (b"\x61\x50" if short else b"\x6f\x4e")
        scard.SCardDisconnect(handle, scard.SCARD_UNPOWER_CARD)
    wait_while(scard.SCARD_STATE_PRESENT)
    scard.SCardReleaseContext(context)
