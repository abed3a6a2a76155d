"""Who may use a purse: changing, resetting, blocking, unblocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement.issuing import Issuing
from sim.cards.issue import issue_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    World = Any


def _tries(world: World) -> int:
    shown = world.json(world.desk("show", "--reader", "A", "--json"))
    tries = shown["pin_tries_left"]
    assert isinstance(tries, int)
    return tries


def test_a_changed_pin_is_the_one_that_counts(issued: World) -> None:
    assert issued.desk("change-pin", pins="731946 91827364").exit_code == 0
    assert "PIN is wrong" in issued.desk("load", "5", pins="731946").output
    assert issued.desk("load", "5", pins="91827364").exit_code == 0


def test_a_wrong_present_pin_changes_nothing_and_costs_a_try(issued: World) -> None:
    result = issued.desk("change-pin", pins="1111 91827364")
    assert result.exit_code == 1
    assert "2 tries are left" in result.output
    assert issued.desk("load", "5", pins="731946").exit_code == 0


@pytest.mark.parametrize("new", ["123", "1234567890123", "12345x"])
def test_a_new_pin_that_is_none_changes_nothing(issued: World, new: str) -> None:
    result = issued.desk("change-pin", pins=f"731946 {new}")
    assert result.exit_code == 1
    assert "no try was spent" in result.output
    assert _tries(issued) == 3


def test_a_missing_new_pin_changes_nothing(issued: World) -> None:
    result = issued.desk("change-pin", pins="731946")
    assert result.exit_code == 1
    assert "Nothing was changed" in result.output
    assert _tries(issued) == 3


def test_a_used_up_pin_is_reset(issued: World) -> None:
    for _ in range(3):
        issued.desk("load", "5", pins="1111")
    assert _tries(issued) == 0
    assert "reset-pin" in issued.desk("unblock").output
    assert issued.desk("reset-pin", pins="4711").exit_code == 0
    assert _tries(issued) == 3
    assert issued.desk("load", "5", pins="4711").exit_code == 0


def test_a_blocked_purse_takes_part_again_when_unblocked(issued: World) -> None:
    assert issued.desk("block").exit_code == 0
    for arguments in (("load", "5"), ("change-pin",), ("log",)):
        result = issued.desk(*arguments, "--reader", "A", pins="731946 2581")
        assert result.exit_code == 1
        assert "is blocked" in result.output
    assert issued.json(issued.desk("unblock", "--json"))["done"] == "unblocked"
    assert issued.desk("load", "5", pins="731946").exit_code == 0


def test_unblocking_what_is_not_blocked_changes_nothing(issued: World) -> None:
    result = issued.desk("unblock")
    assert result.exit_code == 0
    assert "was not blocked" in result.output


@pytest.mark.parametrize("command", ["reset-pin", "unblock", "block"])
def test_only_the_issuer_maintains_a_card(branch: World, command: str) -> None:
    branch.purse.card = issue_purse(Memory())
    pins = "4711" if command == "reset-pin" else None
    result = branch.desk(command, pins=pins)
    assert result.exit_code == 1
    assert "did not issue" in result.output


@pytest.mark.parametrize("command", ["reset-pin", "unblock"])
def test_a_card_on_the_hotlist_is_kept(
    issued: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    status = Issuing.status

    def hotlisted(self: Issuing, cid: bytes) -> Any:
        self.hotlist(cid, reason="reported stolen")
        return status(self, cid)

    monkeypatch.setattr(Issuing, "status", hotlisted)
    pins = "4711" if command == "reset-pin" else None
    result = issued.desk(command, pins=pins)
    assert result.exit_code == 1
    assert "on the hotlist (reported stolen)" in result.output
