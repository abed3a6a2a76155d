"""Cards ready to use."""

from __future__ import annotations

import pytest

from sim.cards.issue import (
    PurseData,
    blank_customs_card,
    blank_purse,
    default_customs_card,
    default_purse,
    issue_purse,
    masked,
)
from sim.cards.memory import Memory

SERIAL = bytes.fromhex("52 53 00 00 00 00 00 99")


def test_a_memory_that_holds_a_card_is_left_as_it_is() -> None:
    memory = Memory()
    issue_purse(memory, PurseData(balance_minor=7))
    again = default_purse(memory)
    assert again.memory.integer("balance") == 7
    assert blank_purse(memory, SERIAL).memory.integer("balance") == 7


def test_cards_without_a_memory_get_one_each() -> None:
    assert default_purse().memory is not default_purse().memory
    assert default_customs_card().memory is not default_customs_card().memory


def test_a_blank_card_wants_the_serial_number_of_its_chip() -> None:
    with pytest.raises(AssertionError):
        blank_customs_card(Memory(), b"short")


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4"])
def test_no_card_is_issued_with_a_pin_that_cannot_be_typed(pin: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        issue_purse(None, PurseData(pin=pin))


def test_issue_data_hides_pin_and_card_number() -> None:
    shown = repr(PurseData())
    assert "1234" not in shown
    assert "6400000000000001" not in shown


def test_card_numbers_are_shown_masked() -> None:
    assert masked(bytes.fromhex("64 00 00 12 34 56 00 01")) == "640000******0001"
