"""Looking at cards, and what is told when there is none that can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sim.cards.issue import PurseData, issue_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    World = Any


class ForeignCard:
    """Somebody else's card: it knows no command of ours."""

    def reset(self) -> None:
        """Nothing to forget."""

    def process(self, apdu: bytes) -> bytes:
        return b"\x6a\x82" if apdu[1] == 0xA4 else b"\x6d\x00"


class NonsenseCard(ForeignCard):
    """A card that says yes to everything, and nothing that makes sense."""

    def process(self, apdu: bytes) -> bytes:
        return b"\x6f\x7f\x90\x00"


def test_a_blank_card_shows_its_serial_and_no_number(branch: World) -> None:
    shown = branch.json(branch.desk("show", "--reader", "A", "--json"))
    assert shown == {
        "reader": "Reader A",
        "kind": "purse",
        "state": "blank, not personalised",
        "serial": "0001020304050607",
    }


def test_a_purse_is_shown_without_any_bank(world: World) -> None:
    world.purse.card = issue_purse(Memory())
    shown = world.desk("show", "--reader", "A")
    assert shown.exit_code == 0
    assert "500.000 OMR" in shown.output
    assert "640000******0001" in shown.output
    assert "At the bank" not in shown.output


def test_a_purse_of_another_bank_is_shown_as_such(branch: World) -> None:
    branch.purse.card = issue_purse(Memory())
    assert "not issued by this bank" in branch.desk("show", "--reader", "A").output


def test_a_name_that_would_turn_the_line_around_is_shown_without_its_marks(
    world: World,
) -> None:
    world.purse.card = issue_purse(
        Memory(), PurseData(holder_name="A\u202e\x1b[31m0.500")
    )
    shown = world.desk("show", "--reader", "A").output
    assert "A[31m0.500" in shown
    assert "\x1b" not in shown


def test_the_only_reader_needs_no_name(world: World) -> None:
    world.purse.card = issue_purse(Memory())
    del world.readers.slots["Reader B"]
    assert world.desk("show").exit_code == 0


def test_among_several_readers_the_purse_is_looked_for(world: World) -> None:
    world.customs.card = issue_purse(Memory())
    shown = world.json(world.desk("show", "--json"))
    assert shown["reader"] == "Reader B"


def test_where_there_is_no_purse_the_customs_card_is_shown(branch: World) -> None:
    branch.purse.card = None
    shown = branch.json(branch.desk("show", "--json"))
    assert (shown["reader"], shown["kind"]) == ("Reader B", "customs")


@pytest.mark.parametrize("command", ["show", "log"])
def test_no_card_at_all_is_told_of_both_kinds(world: World, command: str) -> None:
    result = world.desk(command)
    assert result.exit_code == 1
    assert "a purse or customs card lies in none of them" in result.output
    assert "Reader A; Reader B" in result.output
    assert "No money moved." in result.output


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        ("Reader A", "no card in 'Reader A'"),
        ("Reader C", "Readers: Reader A; Reader B"),
        ("Reader", "Readers: Reader A; Reader B"),
    ],
    ids=["no card", "unknown reader", "two that fit"],
)
def test_a_reader_that_cannot_be_used_is_told(
    world: World, reader: str, told: str
) -> None:
    result = world.desk("show", "--reader", reader)
    assert result.exit_code == 1
    assert told in result.output


def test_no_reader_at_all_is_told(world: World) -> None:
    world.readers.slots.clear()
    result = world.desk("show")
    assert result.exit_code == 1
    assert "No card reader is connected" in result.output


def test_a_reader_in_use_is_told(world: World) -> None:
    world.purse.card = issue_purse(Memory())
    world.purse.is_busy = True
    result = world.desk("show", "--reader", "A")
    assert result.exit_code == 1
    assert "Another program uses 'Reader A'" in result.output


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (ForeignCard(), "not one of this system"),
        (NonsenseCard(), "answers what no card of this system answers"),
    ],
    ids=["foreign", "nonsense"],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("log",),
        ("load", "5"),
        ("recover",),
        ("change-pin",),
        ("reset-pin",),
        ("unblock",),
        ("personalise", "--account", "100200300"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_somebody_elses_card_is_left_alone(
    branch: World, card: Any, told: str, arguments: tuple[str, ...]
) -> None:
    branch.purse.card = card
    result = branch.desk(*arguments, "--reader", "A")
    assert result.exit_code == 1
    assert told in result.output


def test_a_customs_card_where_a_purse_is_needed_is_named(branch: World) -> None:
    result = branch.desk("load", "5", "--reader", "B")
    assert result.exit_code == 1
    assert "is a customs card; a purse card is needed here" in result.output


def test_the_log_of_a_new_purse_is_empty(issued: World) -> None:
    result = issued.desk("log", "--reader", "A", pins="731946")
    assert result.exit_code == 0
    assert result.output == "There is nothing in the log.\n"
    as_json = issued.desk("log", "--reader", "A", "--json", pins="731946")
    assert issued.json(as_json)["entries"] == []


def test_the_log_needs_the_pin(issued: World) -> None:
    result = issued.desk("log", "--reader", "A", pins="1111")
    assert result.exit_code == 1
    assert "The PIN is wrong; 2 tries are left" in result.output
