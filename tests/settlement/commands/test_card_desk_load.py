"""Loads: the books first, then the purse; a tear loses and creates nothing."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pytest

from card.profile import CardState
from settlement.errors import BankUnavailableError
from settlement.issuing import Issuing
from sim.cards.issue import PurseData, issue_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    # The world of this folder's conftest: test folders are no packages.
    World = Any
    Books = Callable[[], dict[str, int]]


def test_a_load_moves_the_amount_from_account_to_float_and_card(
    issued: World, books: Books
) -> None:
    loaded = issued.desk("load", "500.125", "--json", pins="731946")
    assert loaded.exit_code == 0
    assert issued.json(loaded) == {
        "card": "640000******0001",
        "holder": "AL NOOR TRADING",
        "balance_minor": 500_125,
        "float_minor": 500_125,
        "account_minor": 399_875,
        "currency": "OMR",
        "settled": [],
        "open_payments": [],
        "loaded_minor": 500_125,
    }
    assert books() == {"account": 399_875, "float": 500_125, "card": 500_125}
    assert issued.bank("check").exit_code == 0


TEARS = [
    ("VERIFY", "before", 0),
    ("VERIFY", "after", 0),
    ("INIT", "before", 0),
    ("INIT", "after", 0),
    ("CREDIT LOAD", "before", 0),
    ("CREDIT LOAD", "after", 500_000),
]


@pytest.mark.parametrize(
    ("command", "when", "on_card_minor"), TEARS, ids=[f"{c} {w}" for c, w, _ in TEARS]
)
def test_a_torn_load_and_its_repetition_load_once(
    issued: World, books: Books, command: str, when: str, on_card_minor: int
) -> None:
    issued.purse.pull = (command, when)
    torn = issued.desk("load", "500", pins="731946")
    assert torn.exit_code == 1
    assert issued.json(issued.bank("check", "--json"))["value_accounted"]
    assert books()["card"] == on_card_minor
    assert books()["float"] >= on_card_minor

    again = issued.desk("load", "500", "--json", pins="731946")
    assert again.exit_code == 0, again.output
    assert books() == {"account": 400_000, "float": 500_000, "card": 500_000}
    report = issued.json(issued.bank("check", "--json"))
    assert report["ok"]
    assert report["totals"][0]["pending_minor"] == 0


@pytest.mark.parametrize(
    ("when", "outcome", "account_minor", "told"),
    [
        ("before", "voided", 900_000, "booked back"),
        ("after", "completed", 400_000, "proved: the card has it"),
    ],
    ids=["not taken", "taken"],
)
def test_recover_settles_a_torn_load_without_a_pin(
    issued: World,
    books: Books,
    when: str,
    outcome: str,
    account_minor: int,
    told: str,
) -> None:
    issued.purse.pull = ("CREDIT LOAD", when)
    torn = issued.desk("load", "500", pins="731946")
    assert "Put the card back and run: raseed-card recover" in torn.output
    assert "To be settled" in issued.desk("show", "--reader", "A").output
    recovered = issued.desk("recover")
    assert recovered.exit_code == 0
    assert told in recovered.output
    assert books()["account"] == account_minor
    assert books()["float"] == books()["card"] == 900_000 - account_minor
    again = issued.desk("recover", "--json")
    assert issued.json(again)["settled"] == []
    shown = issued.json(issued.bank("purse", "6400000000000001", "--json"))
    assert [load["outcome"] for load in shown["loads"]] == [outcome]


def test_a_tear_during_recovery_is_recovered_too(issued: World, books: Books) -> None:
    issued.purse.pull = ("CREDIT LOAD", "before")
    issued.desk("load", "500", pins="731946")
    issued.purse.pull = ("PROVE OR VOID", "after")
    assert issued.desk("recover").exit_code == 1
    assert issued.desk("recover").exit_code == 0
    assert books() == {"account": 900_000, "float": 0, "card": 0}


def test_a_blocked_card_is_recovered_all_the_same(issued: World, books: Books) -> None:
    issued.purse.pull = ("CREDIT LOAD", "after")
    issued.desk("load", "500", pins="731946")
    assert issued.desk("block").exit_code == 0
    assert issued.desk("recover").exit_code == 0
    assert books() == {"account": 400_000, "float": 500_000, "card": 500_000}


def test_again_loads_a_second_time_after_a_proved_one(
    issued: World, books: Books
) -> None:
    issued.purse.pull = ("CREDIT LOAD", "after")
    issued.desk("load", "100", pins="731946")
    assert issued.desk("load", "100", "--again", pins="731946").exit_code == 0
    assert books() == {"account": 700_000, "float": 200_000, "card": 200_000}


def test_a_command_that_was_done_before_its_desk_lost_power_does_not_load_twice(
    issued: World, books: Books
) -> None:
    """Everything was stored and answered; the officer never saw the last word."""
    assert issued.desk("load", "100", pins="731946").exit_code == 0
    repeated = issued.desk("load", "100", pins="731946")
    assert repeated.exit_code == 1
    assert "was loaded with 100.000 OMR at 08:30 UTC already" in repeated.output
    assert "No money moved now" in repeated.output
    assert books() == {"account": 800_000, "float": 100_000, "card": 100_000}
    assert issued.desk("load", "100", "--again", pins="731946").exit_code == 0
    issued.now += dt.timedelta(minutes=11)
    assert issued.desk("load", "100", pins="731946").exit_code == 0
    assert books() == {"account": 600_000, "float": 300_000, "card": 300_000}


def test_another_amount_is_loaded_beside_a_proved_one(
    issued: World, books: Books
) -> None:
    issued.purse.pull = ("CREDIT LOAD", "after")
    issued.desk("load", "100", pins="731946")
    assert issued.desk("load", "50", pins="731946").exit_code == 0
    assert books() == {"account": 750_000, "float": 150_000, "card": 150_000}


def _nothing_moved(issued: World, books: Books, result: Result, told: str) -> None:
    assert result.exit_code == 1
    assert told in result.output
    assert "No money moved" in result.output
    assert books() == {"account": 900_000, "float": 0, "card": 0}
    assert issued.bank("check").exit_code == 0


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("0", "more than zero"),
        ("-5", "cannot be negative"),
        ("1.2345", "3 decimals"),
        ("ten", "not an amount"),
        ("", "enter an amount"),
        ("1e3", "not an amount"),
        ("99999999", "too large"),
    ],
)
def test_what_is_no_amount_is_told(
    issued: World, books: Books, amount: str, told: str
) -> None:
    result = issued.desk("load", "--", amount, pins=None)
    _nothing_moved(issued, books, result, told)


def test_more_than_the_account_holds_is_refused(issued: World, books: Books) -> None:
    result = issued.desk("load", "900.001", pins="731946")
    _nothing_moved(issued, books, result, "does not cover")


def test_more_than_the_card_may_hold_is_refused(issued: World, books: Books) -> None:
    result = issued.desk("load", "2000.001", pins="731946")
    _nothing_moved(issued, books, result, "Load less")


def test_wrong_pins_are_counted_down_to_the_block(issued: World, books: Books) -> None:
    for told in ("2 tries are left", "1 try is left", "no tries are left"):
        result = issued.desk("load", "5", pins="1111")
        _nothing_moved(issued, books, result, told)
    result = issued.desk("load", "5", pins="731946")
    _nothing_moved(issued, books, result, "raseed-card reset-pin")


@pytest.mark.parametrize("pin", ["12", "12345678901234", "12a4"])
def test_what_is_no_pin_costs_no_try(issued: World, books: Books, pin: str) -> None:
    result = issued.desk("load", "5", pins=pin)
    assert result.exit_code == 1
    assert "no try was spent" in result.output
    assert pin not in result.output.replace("4 to 12 digits", "")
    shown = issued.json(issued.desk("show", "--reader", "A", "--json"))
    assert shown["pin_tries_left"] == 3
    assert books()["account"] == 900_000


def test_a_blank_card_is_not_loaded(branch: World) -> None:
    result = branch.desk("load", "5", pins="731946")
    assert result.exit_code == 1
    assert "blank" in result.output
    assert "raseed-card personalise" in result.output


def test_a_card_of_another_bank_is_not_loaded(branch: World) -> None:
    branch.purse.card = issue_purse(Memory())
    result = branch.desk("load", "5", pins="1234")
    assert result.exit_code == 1
    assert "did not issue card 640000******0001" in result.output
    assert "No money moved" in result.output


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (PurseData(state=CardState.BLOCKED), "is blocked"),
        (PurseData(expiry="20260303"), "to 2026-03-03 only"),
        (PurseData(valid_from="20260305"), "valid from 2026-03-05"),
        (PurseData(currency="0784"), "not of this bank's currency"),
    ],
    ids=["blocked", "expired", "not yet valid", "other currency"],
)
def test_a_card_that_cannot_be_used_is_told_so(
    branch: World, data: PurseData, told: str
) -> None:
    branch.purse.card = issue_purse(Memory(), data)
    result = branch.desk("load", "5", pins="1234")
    assert result.exit_code == 1
    assert told in result.output
    assert "o money moved" in result.output


def test_a_card_is_valid_by_the_banks_day(branch: World) -> None:
    # 22:00 UTC is the next day in Muscat, on which this card is valid.
    branch.purse.card = issue_purse(Memory(), PurseData(valid_from="20260305"))
    branch.now = branch.now.replace(hour=22)
    result = branch.desk("load", "5", pins="1234")
    assert "did not issue" in result.output


def test_a_bank_that_cannot_book_loads_nothing(
    issued: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BankUnavailableError("the bank's database cannot be used now")

    with monkeypatch.context() as patch:
        patch.setattr(Issuing, "authorise_load", fail)
        result = issued.desk("load", "5", pins="731946")
    assert result.exit_code == 1
    assert "cannot be used now. Nothing was loaded onto the card" in result.output
    assert books() == {"account": 900_000, "float": 0, "card": 0}


def test_a_bank_that_cannot_note_the_proof_notes_it_at_the_next_contact(
    issued: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BankUnavailableError("the bank's database cannot be used now")

    with monkeypatch.context() as patch:
        patch.setattr(Issuing, "complete_load", fail)
        result = issued.desk("load", "5", pins="731946")
    assert result.exit_code == 1
    assert "The card has taken the load of 5.000 OMR" in result.output
    assert issued.desk("recover").exit_code == 0
    assert books() == {"account": 895_000, "float": 5_000, "card": 5_000}
    assert issued.bank("check").exit_code == 0


def test_an_interrupted_officer_is_told_to_run_it_again(
    issued: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Issuing, "complete_load", interrupt)
        result = issued.desk("load", "5", pins="731946")
    assert result.exit_code == 1
    assert "run the same command again" in result.output
    assert issued.desk("load", "5", pins="731946").exit_code == 0
    assert books() == {"account": 895_000, "float": 5_000, "card": 5_000}


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_loads_and_tears_creates_or_loses_money(
    issued: World, books: Books, seed: int
) -> None:
    chance = random.Random(seed)
    commands = ("SELECT", "VERIFY", "INIT", "CREDIT LOAD", "PROVE OR VOID")
    for _ in range(20):
        if chance.random() < 0.6:
            when = chance.choice(("before", "after"))
            issued.purse.pull = (chance.choice(commands), when)
        if chance.random() < 0.7:
            amount_minor = chance.randrange(1, 90_000)
            amount = f"{amount_minor // 1000}.{amount_minor % 1000:03d}"
            issued.desk("load", amount, "--again", pins="731946")
        else:
            issued.desk(chance.choice(("recover", "block", "unblock")))
        issued.purse.pull = None
        held = books()
        assert held["account"] + held["float"] == 900_000
        assert held["float"] >= held["card"]
    assert issued.desk("unblock").exit_code == 0
    assert issued.desk("recover").exit_code == 0
    held = books()
    assert held["float"] == held["card"] == 900_000 - held["account"] > 0
    assert issued.bank("check").exit_code == 0


@pytest.mark.parametrize(
    "how", ["no card", "busy", "no such reader", "no reader", "no purse"]
)
def test_a_reader_that_cannot_be_used_moves_no_money_and_says_so(
    issued: World, how: str
) -> None:
    reader = ["--reader", "A"]
    if how == "no card":
        issued.purse.card = None
    elif how == "busy":
        issued.purse.is_busy = True
    elif how == "no reader":
        issued.readers.slots.clear()
        reader = []
    elif how == "no purse":
        issued.purse.card = None
        reader = []
    else:
        reader = ["--reader", "C"]
    result = issued.desk("load", "5", *reader, pins="731946")
    assert result.exit_code == 1
    assert "No money moved." in result.output
