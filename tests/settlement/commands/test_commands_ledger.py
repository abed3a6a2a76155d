"""``raseed-bank``: offices, deposits, fees, corrections and the books of any moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from settlement.payment import PaymentKind
from tests.branch import at_work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    World = Any
    Desk = Any

ORDER = ("--order", "2025/1", "--officer", "S. AL HINAI", "--json")
DEPOSIT = "DEC-2025-000002"


@pytest.fixture
def books(world: World, staffed_desk: Desk) -> Iterator[World]:
    """A bank with officers, one payment of fees and one of deposits, of 5.000 OMR."""
    desk = staffed_desk
    purse = desk.loaded_purse(100_000)
    desk.customs.pay(purse, 3_500)
    desk.customs.pay(purse, 5_000, kind=PaymentKind.DEPOSITS)
    desk.send()
    with at_work(world):
        assert world.bank("init", str(world.bank_folder), "--test-keys").exit_code == 0
        with (
            closing(sqlite3.connect(desk.place)) as made,
            closing(sqlite3.connect(world.bank_folder / "bank.sqlite")) as target,
        ):
            made.backup(target)
        world.now = desk.clock()
        yield world


def done(world: World, *arguments: str) -> Any:
    result = world.bank(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return world.json(result)


def refused(world: World, *arguments: str) -> str:
    result = world.bank(*arguments)
    assert result.exit_code == 1, result.output
    return str(result.output)


def test_a_deposit_is_followed_from_payment_to_refund(books: World) -> None:
    (held,) = done(books, "deposit", "list")["deposits"]
    assert (held["declaration"], held["left_minor"]) == (DEPOSIT, 5_000)
    first = done(books, "deposit", "refund", DEPOSIT, *ORDER, "--amount", "1.250")
    again = done(books, "deposit", "refund", DEPOSIT, *ORDER, "--amount", "1.25")
    assert first == again
    assert first["booked"]["amount_minor"] == 1_250
    assert first["left_minor"] == 3_750
    told = refused(books, "deposit", "refund", DEPOSIT, *ORDER)
    assert "booked already" in told
    done(books, "deposit", "forfeit", DEPOSIT, "--order", "2", "--officer", "H")
    assert done(books, "deposit", "list")["deposits"] == []
    (row,) = done(books, "deposit", "list", "--all")["deposits"]
    assert (row["refunded_minor"], row["forfeited_minor"]) == (1_250, 3_750)
    shown = done(books, "deposit", "show", DEPOSIT, "--entry", str(row["entry"]))
    assert [order["order"] for order in shown["orders"]] == ["2025/1", "2"]
    assert done(books, "check", "--without-keys")["ok"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((DEPOSIT, "--order", "a b", "--officer", "H"), "no number of an order"),
        ((DEPOSIT, "--order", "1", "--officer", " "), "An officer's name"),
        ((DEPOSIT, "--order", "1", "--officer", "H", "--amount", "1.2345"), "decimals"),
        (
            (DEPOSIT, "--order", "1", "--officer", "H", "--amount", "5.001"),
            "nly 5.000",
        ),
        (("DEC-2025-000001", "--order", "1", "--officer", "H"), "No deposit was paid"),
    ],
    ids=["order", "officer", "decimals", "too much", "fees"],
)
def test_an_order_that_cannot_be_booked_moves_nothing(
    books: World, arguments: tuple[str, ...], told: str
) -> None:
    said = refused(books, "deposit", "refund", *arguments)
    assert told in said
    assert "o money moved" in said
    assert done(books, "deposit", "list")["deposits"][0]["left_minor"] == 5_000


def test_offices_are_named_and_have_accounts(books: World) -> None:
    done(books, "office", "add", "MCT", "--name", "Airport", "--currency", "AED")
    assert "collects AED, not OMR" in refused(
        books, "office", "add", "MCT", "--name", "x", "--currency", "OMR"
    )
    done(books, "office", "add", "MCT", "--name", "Airport 2", "--name-ar", "مطار")
    offices = done(books, "office", "list")["offices"]
    assert offices[0] == {
        "office": "MCT",
        "name": "Airport 2",
        "name_ar": "مطار",
        "currency": "AED",
    }
    rows = done(books, "accounts", "--office", "MCT")["accounts"]
    assert [row["account"] for row in rows] == [
        "deposits:MCT",
        "revenue:MCT",
        "merchant:MCT",
    ]
    assert {(row["currency"], row["balance"]) for row in rows} == {("AED", "0.00")}
    kinds = done(books, "accounts", "--kind", "bank fees")["accounts"]
    assert kinds == []
    assert "no office code" in refused(books, "office", "add", "mct", "--name", "x")


def test_a_tariff_charges_and_fees_are_listed(books: World) -> None:
    done(books, "tariff", "set", "other service", "1.5")
    charge = ("fee", "charge", "other service", "0100000001", "--reference", "L-1")
    assert done(books, *charge)["amount_minor"] == 1_500
    assert done(books, *charge)["number"] == 1
    assert len(done(books, "fee", "list")["fees"]) == 1
    done(books, "tariff", "set", "other service", "0")
    assert [row["amount_minor"] for row in done(books, "tariff", "list")["tariff"]] == [
        1_500,
        0,
    ]
    told = refused(
        books, "fee", "charge", "other service", "0100000001", "--reference", "L-2"
    )
    assert "tariff has no" in told
    told = refused(
        books, "fee", "charge", "other service", "suspense", "--reference", "L-2"
    )
    assert "no customer's account" in told


def test_a_correction_takes_two_officers(books: World) -> None:
    asked = done(
        books,
        *("correction", "propose", "3", "--to", "deposits:SOHAR", "--amount", "1"),
        *("--officer", "zahra", "--reason", "is a guarantee"),
    )
    assert (asked["from"], asked["decision"]) == ("revenue:SOHAR", None)
    told = refused(books, "correction", "approve", "1", "--officer", "zahra")
    assert "cannot approve" in told
    told = refused(books, "correction", "approve", "1", "--officer", "huda")
    assert "of operations and may not approve" in told
    approved = done(books, "correction", "approve", "1", "--officer", "said")
    assert approved["decided_by"] == "said"
    assert "approved already" in refused(
        books, "correction", "reject", "1", "--officer", "said", "--reason", "no"
    )
    assert len(done(books, "correction", "list")["corrections"]) == 1
    assert "no entry 99" in refused(
        books, "correction", "propose", "99", "--officer", "zahra", "--reason", "x"
    )


def test_a_correction_takes_the_officers_password(books: World, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password\n")
    told = refused(
        books,
        *("correction", "propose", "3", "--to", "deposits:SOHAR", "--reason", "x"),
        *("--officer", "huda", "--password-file", str(wrong)),
    )
    assert "the password is wrong" in told
    assert done(books, "correction", "list")["corrections"] == []


def test_the_trial_balance_of_a_moment(books: World) -> None:
    booked = books.now
    books.now = booked.replace(year=2026)
    done(books, "account", "deposit", "0100000001", "7")
    now = done(books, "trial-balance")
    then = done(books, "trial-balance", "--at", "2025-11-22")
    assert now["equal"]
    assert then["equal"]
    assert now["totals"][0]["debit_minor"] - then["totals"][0]["debit_minor"] == 7_000
    assert then["at"] == "2025-11-22T19:59:59.999999Z"
    before = done(books, "trial-balance", "--at", "2025-11-22T14:14:59")
    assert before["totals"] == []
    assert "no day or time" in refused(books, "trial-balance", "--at", "yesterday")


def test_a_trial_balance_that_is_not_equal_ends_with_1(books: World) -> None:
    with closing(sqlite3.connect(books.bank_folder / "bank.sqlite")) as raw:
        raw.execute("DROP TRIGGER leg_no_update")
        raw.execute("UPDATE leg SET debit_minor = 1 WHERE entry_id = 1 AND number = 1")
        raw.commit()
    result = books.bank("trial-balance")
    assert result.exit_code == 1
    assert "NOT EQUAL" in result.output


def test_the_history_of_an_account_adds_up(books: World) -> None:
    done(books, "deposit", "refund", DEPOSIT, *ORDER, "--amount", "1.250")
    made = done(books, "account", "history", "deposits:SOHAR")
    assert [line["balance_minor"] for line in made["entries"]] == [5_000, 3_750]
    assert made["entries"][0]["paid_at"] == "2025-11-22T10:15:00.000000Z"
    held = done(books, "account", "history", "float:6400000000000001")
    assert held["account"] == "float:640000******0001"
    assert held["balance_minor"] == 91_500
    customer = done(books, "account", "history", "0100000001", "--as-of", "2025-11-21")
    assert (customer["balance_minor"], customer["entries"]) == (0, [])
    later = done(books, "account", "history", "0100000001", "--from", "2025-11-23")
    assert later["opening_minor"] == later["closing_minor"] == 5_000_000 - 98_750
    told = refused(
        books,
        *("account", "history", "fees", "--from", "2025-11-23", "--to", "2025-11-22"),
    )
    assert "ends before it begins" in told
    assert "There is no account 777" in refused(books, "account", "history", "777")


def test_accounts_of_two_currencies_are_told_apart(books: World) -> None:
    done(
        books,
        *("account", "open", "0100000001", "--holder", "A", "--currency", "AED"),
        *("--deposit", "12.34"),
    )
    listed = done(books, "account", "list")["accounts"]
    assert [(row["balance"], row["currency"]) for row in listed] == [
        ("4,900.000", "OMR"),
        ("12.34", "AED"),
    ]
    for command in (
        ("account", "history", "0100000001"),
        ("account", "deposit", "0100000001", "1"),
        ("statement", "--account", "0100000001"),
    ):
        assert "--currency" in refused(books, *command)
    made = done(books, "account", "deposit", "0100000001", "1.10", "--currency", "AED")
    assert made["balance"] == "13.44"
    statement = done(
        books,
        *("statement", "--account", "0100000001", "--currency", "AED"),
        *("--from", "2025-11-22", "--to", "2025-11-22"),
    )
    assert (statement["currency"], statement["closing_minor"]) == ("AED", 1_344)


def test_a_card_of_another_currency_is_issued_and_loaded(branch: World) -> None:
    branch.bank("account", "open", "7001", "--holder", "A", "--currency", "AED")
    branch.bank("account", "deposit", "7001", "50")
    done(branch, "tariff", "set", "card issue", "1.50", "--currency", "AED")
    done(branch, "tariff", "set", "load", "0.25", "--currency", "AED")
    made = branch.desk(
        "personalise", "--account", "7001", "--limit", "300.25", "--json", pins="731946"
    )
    assert made.exit_code == 0, made.output
    assert branch.json(made)["currency"] == "AED"
    loaded = branch.desk("load", "12.34", "--json", pins="731946")
    assert loaded.exit_code == 0, loaded.output
    told = branch.json(loaded)
    assert (told["loaded_minor"], told["currency"]) == (1_234, "AED")
    assert told["account_minor"] == 5_000 - 150 - 1_234 - 25
    assert "decimals" in branch.desk("load", "1.234", pins="731946").output
    assert done(branch, "check")["ok"]


def test_a_card_that_the_account_cannot_pay_is_left_blank(branch: World) -> None:
    done(branch, "tariff", "set", "card issue", "900.001")
    result = branch.desk("personalise", "--account", "100200300", pins="731946")
    assert result.exit_code == 1
    assert "No card was touched" in result.output


def test_a_terminal_takes_the_currency_of_its_office(branch: World) -> None:
    done(branch, "office", "add", "MCT", "--name", "Airport", "--currency", "AED")
    folder = branch.folder / "terminal-8"
    made = branch.bank(
        *("terminal", "add", "T0000008", "--office", "MCT", "--limit", "99.50"),
        *("--mid", "4355530000000008", "--number", "1", "--output", str(folder)),
    )
    assert made.exit_code == 0, made.output
    text = (folder / "terminal.toml").read_text(encoding="utf-8")
    assert 'currency = "AED"' in text
    assert "99.50" in text
