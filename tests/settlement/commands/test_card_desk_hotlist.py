"""A hotlisted card is blocked when the card desk sees it, and the bank knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.store.books import BankStore

if TYPE_CHECKING:
    World = Any

CARD = "6400000000000001"
PIN = "731946"


def listed(world: World) -> Any:
    (card,) = world.json(world.bank("hotlist", "list", "--json"))["cards"]
    return card


def state(world: World) -> str:
    said: str = world.json(world.desk("show", "--reader", "A", "--json"))["state"]
    return said


@pytest.fixture
def hotlisted(issued: World) -> World:
    issued.desk("load", "5", pins=PIN)
    issued.bank("hotlist", "add", CARD, "--reason", "reported stolen")
    return issued


@pytest.mark.parametrize("command", ["load", "recover", "reset-pin", "unblock"])
def test_a_hotlisted_card_is_blocked_at_its_next_contact(
    hotlisted: World, command: str
) -> None:
    assert listed(hotlisted)["blocked"] is None
    assert "not seen yet" in hotlisted.bank("hotlist", "list").output
    words = ("load", "7") if command == "load" else (command,)
    pins = {"load": PIN, "reset-pin": "4711"}.get(command)
    result = hotlisted.desk(*words, pins=pins)
    assert result.exit_code == (0 if command == "recover" else 1)
    assert "on the hotlist (reported stolen)" in result.output
    assert state(hotlisted) == "blocked"
    assert listed(hotlisted)["blocked"] == {
        "at": "2026-03-04T08:30:00Z",
        "contact": "card desk DESK0001",
        "how": "by command",
        "user": hotlisted.environment.user(),
    }
    assert "2026-03-04, card desk DESK0001" in hotlisted.bank("hotlist", "list").output
    assert hotlisted.bank("check").exit_code == 0


def test_it_is_noted_once_and_no_money_moves(hotlisted: World) -> None:
    before = hotlisted.bank("status", "--json").output
    for _ in range(3):
        assert hotlisted.desk("recover").exit_code == 0
    first = listed(hotlisted)["blocked"]
    hotlisted.now = hotlisted.now.replace(hour=9)
    hotlisted.desk("recover")
    assert listed(hotlisted)["blocked"] == first
    assert hotlisted.bank("status", "--json").output == before


def test_a_card_that_was_blocked_before_is_noted_as_found(issued: World) -> None:
    issued.desk("block")
    issued.bank("hotlist", "add", CARD, "--reason", "lost")
    issued.desk("recover")
    assert listed(issued)["blocked"]["how"] == "found blocked"


def test_a_card_pulled_out_before_it_could_be_blocked_is_blocked_the_next_time(
    hotlisted: World,
) -> None:
    hotlisted.purse.pull = ("BLOCK", "before")
    assert hotlisted.desk("recover").exit_code == 1
    assert state(hotlisted) == "active"
    assert listed(hotlisted)["blocked"] is None
    hotlisted.desk("recover")
    assert listed(hotlisted)["blocked"]["how"] == "by command"


def test_a_desk_that_died_after_the_block_finds_it_later(hotlisted: World) -> None:
    hotlisted.purse.pull = ("BLOCK", "after")
    assert hotlisted.desk("recover").exit_code == 1
    assert state(hotlisted) == "blocked"
    assert listed(hotlisted)["blocked"] is None
    hotlisted.desk("recover")
    assert listed(hotlisted)["blocked"]["how"] == "found blocked"


def test_off_the_list_it_can_be_unblocked_and_on_it_again_is_blocked_again(
    hotlisted: World,
) -> None:
    hotlisted.desk("recover")
    hotlisted.bank("hotlist", "remove", CARD, "--reason", "found again")
    assert hotlisted.desk("unblock").exit_code == 0
    assert hotlisted.desk("load", "5", "--again", pins=PIN).exit_code == 0
    hotlisted.bank("hotlist", "add", CARD, "--reason", "stolen after all")
    assert listed(hotlisted)["blocked"] is None
    hotlisted.desk("recover")
    assert state(hotlisted) == "blocked"
    assert listed(hotlisted)["blocked"]["how"] == "by command"


def test_a_card_that_is_not_listed_is_left_alone(issued: World) -> None:
    issued.bank("hotlist", "add", "6400000000000002", "--reason", "another")
    issued.desk("recover")
    assert state(issued) == "active"
    with BankStore.open(issued.bank_folder / "bank.sqlite") as store:
        assert check_bank(store).ok
