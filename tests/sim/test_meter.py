"""A meter on a card's contacts counts what went over them."""

from __future__ import annotations

import pytest

from sim.cards.errors import CardTakenError
from sim.meter import Metered, Reading
from tests.card_slots import Contacts, ScriptedCard

BALANCE = bytes.fromhex("80 5C 00 02 04")


class Clock:
    """Goes on by 5 ns whenever it is read."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        self.ns += 5
        return self.ns


def test_commands_answers_and_the_cards_time_are_counted() -> None:
    card = ScriptedCard({0x5C: "00 07 A1 20 90 00"})
    meter = Metered(card, Clock())
    meter.reset()
    assert meter.process(BALANCE) == bytes.fromhex("00 07 A1 20 90 00")
    assert meter.process(bytes.fromhex("00 84 00 00")) == bytes.fromhex("6D 00")
    assert meter.read() == Reading(
        instructions=(0x5C, 0x84), bytes_moved=5 + 6 + 4 + 2, card_ns=10, resets=1
    )
    assert card.asked == ["80 5C 00 02 04", "00 84 00 00"]


def test_zero_begins_anew_and_old_readings_stay() -> None:
    meter = Metered(ScriptedCard(), Clock())
    meter.reset()
    meter.process(BALANCE)
    before = meter.read()
    meter.zero()
    assert meter.read() == Reading()
    assert before.instructions == (0x5C,)


def test_a_command_that_the_card_never_answers_went_over_all_the_same() -> None:
    contacts = Contacts()
    contacts.taken_at = 0x5C
    meter = Metered(contacts, Clock())
    with pytest.raises(CardTakenError):
        meter.process(BALANCE)
    assert meter.read().instructions == (0x5C,)
    assert meter.read().bytes_moved == len(BALANCE)


def test_a_single_byte_has_no_instruction() -> None:
    meter = Metered(ScriptedCardOfAnything(), Clock())
    meter.process(b"\x00")
    assert meter.read().instructions == (0,)


class ScriptedCardOfAnything:
    """Answers 6700 to whatever comes."""

    def reset(self) -> None:
        pass

    def process(self, apdu: bytes, /) -> bytes:
        assert apdu
        return b"\x67\x00"


def test_no_repr_shows_what_went_over() -> None:
    meter = Metered(ScriptedCard({0x20: "63 C2"}), Clock())
    meter.process(bytes.fromhex("00 20 00 80 08 26 73 19 46 FF FF FF FF"))
    assert "731946" not in repr(meter.read())
