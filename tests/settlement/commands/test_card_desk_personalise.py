"""A blank chip becomes a card the bank knows, whenever it is interrupted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from settlement.errors import BankUnavailableError
from settlement.issuing import Issuing
from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    World = Any
    Books = Callable[[], dict[str, int]]

MAKE = ("personalise", "--account", "100200300")
MAKE_CUSTOMS = ("personalise", "--kind", "customs", "--terminal", "T0000007")
NUMBER = "6400000000000001"


def _registered(world: World) -> list[dict[str, Any]]:
    files = sorted((world.bank_folder / "cards").glob("*/*.json"))
    return [json.loads(file.read_text()) for file in files]


def test_a_purse_is_made_registered_and_empty(branch: World) -> None:
    made = branch.desk(*MAKE, "--json", pins="731946")
    assert made.exit_code == 0
    assert branch.json(made) == {
        "kind": "purse",
        "card": "640000******0001",
        "holder": "AL NOOR TRADING",
        "valid_from": "2026-03-04",
        "expiry": "2031-12-31",
        "key_version": 1,
        "account": "100200300",
        "balance_limit_minor": 2_000_000,
        "payment_limit_minor": 2_000_000,
        "currency": "OMR",
    }
    shown = branch.json(branch.desk("show", "--reader", "A", "--json"))
    assert shown["state"] == "active"
    assert shown["balance_minor"] == 0
    assert shown["bank"]["account"] == "100200300"
    assert [card["state"] for card in _registered(branch)] == ["issued"]


def test_a_purse_gets_what_was_asked_for(branch: World) -> None:
    wishes = (
        *("--holder", "شركة النور", "--number", "6400123412341234"),
        *("--limit", "750.5", "--payment-limit", "50", "--language", "ar"),
        *("--valid-from", "2026-04-01", "--expiry", "2027-03-31"),
    )
    made = branch.desk(*MAKE, *wishes, "--full-number", "--json", pins="731946")
    assert made.exit_code == 0, made.output
    assert branch.json(made)["card"] == "6400123412341234"
    shown = branch.json(branch.desk("show", "--reader", "A", "--full-number", "--json"))
    assert shown["card"] == "6400123412341234"
    assert shown["holder"] == "شركة النور"
    assert shown["language"] == "ar"
    assert shown["balance_limit_minor"] == 750_500
    assert shown["payment_limit_minor"] == 50_000
    assert (shown["valid_from"], shown["expiry"]) == ("2026-04-01", "2027-03-31")
    assert shown["valid_today"] is False


def test_every_purse_gets_a_number_of_its_own(issued: World) -> None:
    issued.purse.card = blank_purse(Memory(), bytes.fromhex("0000000000000777"))
    made = issued.desk(*MAKE, "--full-number", "--json", pins="731946")
    assert issued.json(made)["card"] == "6400000000000002"


def test_a_customs_card_is_made_for_its_terminal(branch: World) -> None:
    made = branch.desk(*MAKE_CUSTOMS, "--json")
    assert made.exit_code == 0
    assert branch.json(made)["card"] == "435553******0007"
    shown = branch.json(branch.desk("show", "--reader", "customs", "--json"))
    assert shown["holder"] == "SOHAR CUSTOMS"
    assert shown["uncollected_minor"] == 0
    assert shown["activation_tries_left"] is None


def test_a_customs_card_can_have_an_activation_code(branch: World) -> None:
    made = branch.desk(*MAKE_CUSTOMS, "--activation-code", pins="778899")
    assert made.exit_code == 0, made.output
    shown = branch.json(branch.desk("show", "--reader", "customs", "--json"))
    assert shown["activation_tries_left"] == 3


STEPS = [
    ("GET CHALLENGE", "before", 0),
    *(("PUT DATA", when, place) for place in range(4) for when in ("before", "after")),
]
"""Every group of a personalisation, the card pulled out before and after it."""


@pytest.mark.parametrize(("command", "when", "place"), STEPS, ids=str)
def test_an_interrupted_purse_is_finished_by_the_same_command(
    branch: World, command: str, when: str, place: int
) -> None:
    branch.purse.pull = (command, when)
    branch.purse.pull_after = place
    torn = branch.desk(*MAKE, pins="731946")
    assert torn.exit_code == 1
    assert "Run the same command again" in torn.output
    assert [card["state"] for card in _registered(branch)] == ["pending"]
    # No load goes onto it before the bank knows it: at once, or not at all.
    early = branch.desk("load", "5", pins="731946")
    was_active = (command, when, place) == ("PUT DATA", "after", 3)
    assert early.exit_code == (0 if was_active else 1)
    if not was_active:
        again = branch.desk(*MAKE, "--full-number", "--json", pins="731946")
        assert again.exit_code == 0, again.output
        assert branch.json(again)["card"] == NUMBER
    assert [card["state"] for card in _registered(branch)] == ["issued"]
    assert branch.desk("load", "5", "--again", pins="731946").exit_code == 0
    assert branch.bank("check").exit_code == 0


def test_a_card_activated_unseen_is_registered_by_the_same_command(
    branch: World,
) -> None:
    branch.purse.pull, branch.purse.pull_after = ("PUT DATA", "after"), 3
    assert branch.desk(*MAKE, pins="731946").exit_code == 1
    again = branch.desk(*MAKE, "--full-number", "--json", pins="731946")
    assert again.exit_code == 0
    assert branch.json(again)["card"] == NUMBER
    assert branch.desk("load", "5", pins="731946").exit_code == 0


def test_a_card_the_bank_could_not_register_is_registered_at_the_next_contact(
    branch: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BankUnavailableError("the bank's database cannot be used now")

    with monkeypatch.context() as patch:
        patch.setattr(Issuing, "register_card", fail)
        assert branch.desk(*MAKE, pins="731946").exit_code == 1
    assert branch.desk("load", "5", pins="731946").exit_code == 0
    assert [card["state"] for card in _registered(branch)] == ["issued"]


def test_an_interrupted_customs_card_is_finished_by_the_same_command(
    branch: World,
) -> None:
    branch.customs.pull, branch.customs.pull_after = ("PUT DATA", "before"), 1
    assert branch.desk(*MAKE_CUSTOMS).exit_code == 1
    assert branch.desk(*MAKE_CUSTOMS).exit_code == 0
    assert [card["state"] for card in _registered(branch)] == ["issued"]


def test_a_personalised_card_is_left_as_it_is(issued: World) -> None:
    before = dict(issued.purse.memory._values)
    result = issued.desk(*MAKE, pins="1111")
    assert result.exit_code == 1
    assert "personalised already" in result.output
    assert issued.purse.memory._values == before


def test_a_number_is_given_only_once(issued: World) -> None:
    issued.purse.card = blank_purse(Memory(), bytes.fromhex("0000000000000777"))
    result = issued.desk(*MAKE, "--number", NUMBER, pins="731946")
    assert result.exit_code == 1
    assert "taken by another card" in result.output
    assert "left blank" in result.output


def test_a_terminal_gets_only_one_customs_card(branch: World) -> None:
    assert branch.desk(*MAKE_CUSTOMS).exit_code == 0
    serial = bytes.fromhex("0000000000000777")
    branch.customs.card = blank_customs_card(Memory(), serial)
    result = branch.desk(*MAKE_CUSTOMS)
    assert result.exit_code == 1
    assert "raseed-bank terminal add --again" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--account", "555"), "There is no account 555"),
        (("--account", "100200300", "--number", "1234"), "16 decimal digits"),
        (("--account", "100200300", "--holder", "ن" * 13), "24 bytes"),
        (("--account", "100200300", "--holder", " "), "24 bytes"),
        (("--account", "100200300", "--limit", "0"), "--limit '0': "),
        (
            ("--account", "100200300", "--payment-limit", "x"),
            "--payment-limit 'x': ",
        ),
        (
            ("--account", "100200300", "--limit", "50", "--payment-limit", "50.001"),
            "--payment-limit is 50.001 OMR, --limit is 50.000 OMR",
        ),
        (("--account", "100200300", "--language", "EN"), "two small letters"),
        (("--account", "100200300", "--expiry", "2020-01-01"), "expires before"),
        (("--kind", "customs", "--terminal", "T9999999"), "There is no terminal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wishes_that_cannot_be_met_touch_no_card(
    branch: World, arguments: tuple[str, ...], told: str
) -> None:
    result = branch.desk("personalise", *arguments, pins="731946")
    assert result.exit_code == 1
    assert told in result.output
    assert _registered(branch) == []
    shown = branch.json(branch.desk("show", "--reader", "A", "--json"))
    assert shown["state"] == "blank, not personalised"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--kind", "customs"),
        ("--kind", "customs", "--account", "100200300"),
        ("--account", "100200300", "--terminal", "T0000007"),
        ("--kind", "salary"),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_a_wrong_command_line_ends_with_2(
    branch: World, arguments: tuple[str, ...]
) -> None:
    assert branch.desk("personalise", *arguments).exit_code == 2


def test_a_chip_of_another_maker_stays_blank(branch: World) -> None:
    branch.purse.memory.commit({"transport_key": bytes(16)})
    result = branch.desk(*MAKE, pins="731946")
    assert result.exit_code == 1
    assert "does not accept the bank's keys" in result.output


def test_a_purse_with_a_low_limit_pays_as_much_as_it_holds(branch: World) -> None:
    options = ("--account", "100200300", "--limit", "50", "--json")
    made = branch.json(branch.desk("personalise", *options, pins="731946"))
    assert (made["balance_limit_minor"], made["payment_limit_minor"]) == (50_000,) * 2


def test_no_file_is_named_after_a_card_number(branch: World) -> None:
    branch.desk("personalise", "--account", "100200300", pins="731946")
    branch.desk("personalise", "--kind", "customs", "--terminal", "T0000007")
    names = [path.name for path in (branch.bank_folder / "cards").rglob("*.json")]
    assert len(names) == 2
    for name in names:
        assert NUMBER not in name
        assert "4355530000000007" not in name
