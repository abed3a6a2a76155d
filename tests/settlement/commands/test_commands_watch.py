"""``raseed-bank batches``, ``terminals``, ``alarms``, ``purse``: what people see."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.settlement.commands.paper_branch import issue, pay, reconcile
from tests.settlement.conftest import CID

if TYPE_CHECKING:
    from click.testing import Result

    from tests.settlement.conftest import Desk as PaperDesk

    World = Any

MASKED = "640000******0001"


def words(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_batches_are_listed_with_how_far_they_have_come(
    branch: World, paper: PaperDesk
) -> None:
    purse = issue(branch, paper)
    header = pay(paper, purse, 12_500, 700)
    told = words(branch.bank("batches"))
    assert (
        "T0000007 1 SOHAR 2026-03-04 08:30 open, 1 of 2 came 2 13.200 1 12.500" in told
    )
    reconcile(paper, header)
    pay(paper, purse, 300)
    shown = branch.json(branch.bank("batches", "--json"))["batches"]
    assert [(one["batch"], one["state"]) for one in shown] == [
        (2, "pending"),
        (1, "reconciled"),
    ] or [(one["batch"], one["state"]) for one in shown] == [
        (1, "reconciled"),
        (2, "pending"),
    ]
    for state, number in (("pending", 2), ("reconciled", 1)):
        [one] = branch.json(branch.bank("batches", "--state", state, "--json"))[
            "batches"
        ]
        assert one["batch"] == number
    assert "There is no such batch." in words(branch.bank("batches", "--state", "open"))
    assert "no such batch" in words(branch.bank("batches", "--since", "2026-03-06"))


def test_one_batch_is_shown_with_its_payments_and_masked_cards(
    branch: World, paper: PaperDesk
) -> None:
    reconcile(paper, pay(paper, issue(branch, paper), 12_500, 700))
    one = ("batches", "--terminal", "T0000007", "--number", "1")
    told = words(branch.bank(*one))
    assert f"{MASKED} 12.500 DEC-2025-000001 posted" in told
    shown = branch.json(branch.bank(*one, "--json"))
    assert [row["amount_minor"] for row in shown["records"]] == [12_500, 700]
    unknown = branch.bank("batches", "--terminal", "T0000007", "--number", "9")
    assert unknown.exit_code == 1
    assert "has heard of no batch 9" in unknown.output


def test_terminals_are_listed_and_one_is_overdue_when_it_was_used(
    branch: World, paper: PaperDesk
) -> None:
    assert "never used" in words(branch.bank("terminals"))
    assert branch.bank("alarms").exit_code == 0
    pay(paper, issue(branch, paper), 12_500)
    branch.now += timedelta(hours=25)
    assert "No alarm." in words(branch.bank("alarms"))
    assert branch.bank("alarms", "--quiet").output == ""
    late = branch.bank("alarms", "--hours", "24", "--quiet")
    assert late.exit_code == 1
    assert "T0000007" in late.output
    assert "run the end of day" in late.output
    [alarm] = branch.json(branch.bank("alarms", "--hours", "24", "--json"))["alarms"]
    assert (alarm["kind"], alarm["since"]) == ("not settled", "2026-03-04T08:30:00Z")
    told = words(branch.bank("terminals", "--overdue", "--hours", "24"))
    assert "OVERDUE, 1 days 1 hours" in told
    assert "no such terminal" in words(branch.bank("terminals", "--overdue"))


def test_the_bound_of_the_alarm_is_the_banks_own(
    branch: World, paper: PaperDesk
) -> None:
    pay(paper, issue(branch, paper), 12_500)
    branch.now += timedelta(hours=25)
    settings = branch.bank_folder / "bank.toml"
    text = settings.read_text()
    assert "not_settled_hours = 72" in text
    settings.write_text(
        text.replace("not_settled_hours = 72", "not_settled_hours = 24")
    )
    assert branch.bank("alarms").exit_code == 1


def test_a_revoked_terminal_is_no_alarm(branch: World, paper: PaperDesk) -> None:
    pay(paper, issue(branch, paper), 12_500)
    branch.now += timedelta(days=30)
    assert branch.bank("alarms").exit_code == 1
    branch.bank("terminal", "revoke", "T0000007", "--reason", "stolen")
    assert branch.bank("alarms").exit_code == 0
    assert "shut out" in words(branch.bank("terminals"))


def test_a_terminal_that_is_not_there_is_told_so(branch: World) -> None:
    result = branch.bank("terminals", "--id", "T9999999")
    assert result.exit_code == 1
    assert "has no terminal T9999999" in result.output


def test_a_purse_is_found_by_its_masked_number_and_shown_whole(
    branch: World, paper: PaperDesk
) -> None:
    purse = issue(branch, paper)
    reconcile(paper, pay(paper, purse, 12_500, 700))
    shown = branch.json(branch.bank("purse", MASKED, "--json"))
    assert shown == branch.json(branch.bank("purse", CID.hex(), "--json"))
    assert shown["balance_minor"] == 86_800
    assert [one["amount_minor"] for one in shown["payments"]] == [12_500, 700]
    assert [one["outcome"] for one in shown["loads"]] == ["completed"]
    told = words(branch.bank("purse", MASKED))
    assert "86.800 OMR, by its latest certificates" in told
    assert "12.500 87.500 T0000007 1" in told


def test_a_purse_shows_what_is_open_and_its_incidents(
    branch: World, paper: PaperDesk
) -> None:
    purse = issue(branch, paper)
    paper.customs.pay(purse, 500, at=paper.clock())
    item = paper.customs.begin(purse, 900)
    paper.send(item)
    shown = branch.json(branch.bank("purse", MASKED, "--json"))
    [opened] = shown["open_records"]
    assert (opened["amount_minor"], opened["terminal"]) == (900, "T0000007")
    [incident] = [one for one in shown["incidents"] if one["code"] == "outcome open"]
    assert incident["number"] == opened["incident"]
    told = words(branch.bank("purse", MASKED))
    assert "Outcome open: " in told
    assert "Incidents of cards that look like this one:" in told


def test_several_cards_that_look_alike_are_named_and_none_is_shown(
    branch: World, paper: PaperDesk
) -> None:
    issue(branch, paper)
    issue(branch, paper, bytes.fromhex("6400000012340001"))
    result = branch.bank("purse", MASKED)
    assert result.exit_code == 1
    assert "2 cards look like" in result.output
    assert "AL NOOR TRADING, account 100200300" in result.output


@pytest.mark.parametrize("number", ["64", "6400000000000x01", "640000*******0001", "é"])
def test_what_is_no_card_number_is_refused(branch: World, number: str) -> None:
    result = branch.bank("purse", number)
    assert result.exit_code == 1
    assert "A card number is 16 digits, or masked" in result.output


def test_a_card_that_is_not_there_is_told_so(branch: World) -> None:
    result = branch.bank("purse", MASKED)
    assert result.exit_code == 1
    assert "no card of this bank looks like" in result.output.lower()
