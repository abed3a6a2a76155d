"""``raseed-bank``: a bank is made whole, is never overwritten, says what is off."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from settlement.commands.bank import bank as bank_program
from settlement.commands.card_desk import card_desk as desk_program
from settlement.pki import Authority
from settlement.store.books import BankStore
from terminal.config import load_config

if TYPE_CHECKING:
    import click

    World = Any

TRANSPORT_KEY = "505152535455565758595A5B5C5D5E5F"
INIT = ("init", "--test-keys")
GROUPS = (
    *("account", "terminal", "host", "hotlist", "publish"),
    *("officer", "incidents", "suspense"),
    *("office", "deposit", "tariff", "fee", "correction"),
    *("requests", "services", "api", "api token"),
)


def _init(world: World, *options: str) -> Any:
    return world.bank("init", str(world.bank_folder), *(options or ("--test-keys",)))


def test_init_makes_everything_and_keeps_secrets_private(world: World) -> None:
    made = _init(world, "--test-keys", "--currency", "AED", "--json")
    assert made.exit_code == 0
    assert world.json(made)["currency"] == "AED"
    assert oct(world.bank_folder.stat().st_mode)[-3:] == "700"
    for name in ("keys.json", "ca.key", "host.key"):
        assert oct((world.bank_folder / name).stat().st_mode)[-3:] == "600"
    assert world.bank("check", "--bank", str(world.bank_folder)).exit_code == 0


def test_a_bank_of_its_own_keys_takes_the_chip_makers_key(world: World) -> None:
    file = world.folder / "chips.key"
    file.write_text(f"{TRANSPORT_KEY}\n")
    assert _init(world, "--transport-key-file", str(file)).exit_code == 0
    settings = tomllib.loads((world.bank_folder / "bank.toml").read_text())
    assert settings["test_keys"] is False


@pytest.mark.parametrize("content", ["", "5051", "no hex at all", "ä"])
def test_a_transport_key_that_is_none_makes_no_bank(world: World, content: str) -> None:
    file = world.folder / "chips.key"
    file.write_text(content)
    result = _init(world, "--transport-key-file", str(file))
    assert result.exit_code == 1
    assert "32 hex digits" in result.output
    assert not world.bank_folder.exists()


def test_init_never_writes_over_a_bank(world: World) -> None:
    _init(world)
    before = (world.bank_folder / "keys.json").read_bytes()
    again = _init(world)
    assert again.exit_code == 1
    assert "never written over" in again.output
    assert (world.bank_folder / "keys.json").read_bytes() == before


def test_init_takes_an_empty_folder(world: World) -> None:
    world.bank_folder.mkdir()
    assert _init(world).exit_code == 0


def test_an_interrupted_init_leaves_nothing_and_can_be_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BankStore, "create", interrupt)
        assert _init(world).exit_code != 0
    assert list(world.folder.iterdir()) == []
    assert _init(world).exit_code == 0


def test_two_inits_at_once_make_one_bank(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Authority.create

    def meanwhile(now: Any) -> Authority:
        with monkeypatch.context() as patch:
            patch.setattr(Authority, "create", create)
            assert _init(world).exit_code == 0
        return create(now)

    monkeypatch.setattr(Authority, "create", meanwhile)
    assert _init(world).exit_code == 1
    assert [path.name for path in world.folder.iterdir()] == ["bank"]


def test_an_empty_passphrase_makes_no_bank(world: World) -> None:
    result = world.bank(*INIT, str(world.bank_folder), env={"RASEED_PASSPHRASE": ""})
    assert result.exit_code == 1
    assert "RASEED_PASSPHRASE is set, but empty. Nothing was changed." in result.output
    assert "--passphrase-file" in result.output
    assert not world.bank_folder.exists()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--test-keys", "--currency", "XYZ"),
        ("--test-keys", "--transport-key-file", "x"),
    ],
    ids=["no keys", "currency", "both keys"],
)
def test_a_wrong_init_ends_with_2(world: World, options: tuple[str, ...]) -> None:
    result = world.bank("init", str(world.bank_folder), *options)
    assert result.exit_code == 2
    assert not world.bank_folder.exists()


def _break(world: World, how: str) -> None:
    folder = world.bank_folder
    settings = folder / "bank.toml"
    if how == "missing file":
        (folder / "host.key").unlink()
    elif how == "unknown key":
        settings.write_text(settings.read_text() + 'colour = "blue"\n')
    elif how == "wrong value":
        settings.write_text(
            settings.read_text().replace("key_version = 1", "key_version = 0")
        )
    elif how == "unknown currency":
        settings.write_text(settings.read_text().replace("OMR", "XYZ"))
    elif how == "no TOML":
        settings.write_text("format = = 1")
    elif how == "no database":
        (folder / "bank.sqlite").write_bytes(b"hello, world" * 100)
    elif how == "other database":
        (folder / "bank.sqlite").unlink()
        sqlite3.connect(folder / "bank.sqlite").close()
    else:
        (folder / "keys.json").write_text("{}")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("missing file", "host.key missing"),
        ("unknown key", "colour"),
        ("wrong value", "key_version"),
        ("unknown currency", "known are OMR"),
        ("no TOML", "not valid TOML"),
        ("no database", "not a database"),
        ("other database", "not a bank's"),
        ("damaged keys", "keys do not open"),
    ],
    ids=lambda value: value,
)
@pytest.mark.parametrize("program", ["bank", "card"])
def test_a_damaged_bank_is_told_and_left_alone(
    branch: World, how: str, told: str, program: str
) -> None:
    _break(branch, how)
    run = branch.bank if program == "bank" else branch.desk
    result = run("check") if program == "bank" else run("recover")
    assert result.exit_code == 1
    assert told in result.output


@pytest.mark.parametrize("path", ["nowhere", "."], ids=["missing", "another folder"])
def test_a_bank_that_is_not_there_is_told(world: World, path: str) -> None:
    result = world.bank("check", "--bank", str(world.folder / path))
    assert result.exit_code == 1
    assert "--bank" in result.output


def test_no_bank_named_ends_with_2(world: World) -> None:
    assert world.bank("check").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("open", "100200300", "--holder", "X"), "open already"),
        (("open", "1", "--holder", "X"), "no account number"),
        (("open", "777888", "--holder", "\u202e"), "printable"),
        (("open", "777888", "--holder", "X", "--deposit", "-1"), "negative"),
        (("deposit", "777888", "5"), "no account 777888"),
        (("deposit", "100200300", "0"), "more than zero"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_booking_that_cannot_be_made_moves_nothing(
    branch: World, arguments: tuple[str, ...], told: str
) -> None:
    result = branch.bank("account", *arguments)
    assert result.exit_code == 1
    assert told in result.output
    [account] = branch.json(branch.bank("account", "list", "--json"))["accounts"]
    assert account["balance_minor"] == 900_000


def test_a_deposit_is_booked(branch: World) -> None:
    booked = branch.bank("account", "deposit", "100200300", "100.5", "--json")
    assert branch.json(booked)["balance"] == "1,000.500"


def test_only_what_an_account_was_opened_with_is_an_opening_deposit(
    branch: World,
) -> None:
    for amount in ("100.5", "7"):
        branch.bank("account", "deposit", "100200300", amount)
    made = branch.bank("statement", "--account", "100200300", "--json")
    kinds = [entry["kind"] for entry in branch.json(made)["entries"]]
    assert kinds == ["opening deposit", "deposit", "deposit"]
    assert branch.bank("check").exit_code == 0


@pytest.mark.parametrize("amount", ["-5", "-0.500", "-.5"])
@pytest.mark.parametrize(
    "command",
    [("account", "deposit", "100200300"), ("card", "load")],
    ids=["deposit", "load"],
)
def test_an_amount_below_zero_is_told_as_one(
    branch: World, command: tuple[str, ...], amount: str
) -> None:
    if command[0] == "card":
        result = branch.desk(*command[1:], amount)
    else:
        result = branch.bank(*command, amount)
    assert result.exit_code == 2
    assert f"'{amount}' is less than zero" in result.output
    assert "No money moved" in result.output
    assert "No such option" not in result.output


def test_an_option_that_is_none_is_still_told_as_one(branch: World) -> None:
    result = branch.bank("account", "deposit", "100200300", "--amuont", "5")
    assert result.exit_code == 2
    assert "No such option" in result.output


def _add(world: World, terminal: str, mid: str, folder: str, *options: str) -> Any:
    return world.bank(
        *("terminal", "add", terminal, "--office", "SOHAR", "--mid", mid),
        *("--number", "5551234", "--output", str(world.folder / folder), *options),
    )


def test_a_terminals_folder_is_complete_and_its_settings_as_asked(
    branch: World,
) -> None:
    options = ("--limit", "750.5", "--modem-port", "/dev/ttyUSB0", "--number", "2")
    added = _add(branch, "T0000008", "4355530000000008", "kit", *options, "--json")
    assert added.exit_code == 0, added.output
    folder = branch.folder / "kit"
    assert sorted(path.name for path in folder.iterdir()) == [
        "ca.pem",
        "terminal.key",
        "terminal.pem",
        "terminal.toml",
    ]
    assert oct((folder / "terminal.key").stat().st_mode)[-3:] == "600"
    assert tomllib.loads((folder / "terminal.toml").read_text()) == {
        "terminal": {
            "id": "T0000008",
            "office": "SOHAR",
            "currency": "OMR",
            "clerk": "1",
        },
        "readers": {"purse": "Raseed 00 00", "customs": "Raseed 00 01"},
        "modem": {
            "port": "/dev/ttyUSB0",
            "baud": 9600,
            "init": "ATZ",
            "numbers": ["5551234", "2"],
            "server_name": "host.bank.raseed",
        },
        "security": {
            "ca": "ca.pem",
            "certificate": "terminal.pem",
            "key": "terminal.key",
        },
        "state": {"directory": "state"},
        "payment": {
            "limit": "750.500",
            "declaration_pattern": "[A-Z0-9][A-Z0-9/-]{3,23}",
        },
    }


def test_the_counter_takes_the_settings_as_they_are(branch: World) -> None:
    config = load_config(branch.folder / "terminal" / "terminal.toml")
    assert config.terminal.id == "T0000007"
    assert config.modem.numbers == ["5551234"]


@pytest.mark.parametrize(
    "options",
    [
        ("--number", "bank"),
        ("--modem-init", "HELLO"),
        ("--baud", "0"),
        ("--customs-reader", "Raseed 00 00"),
    ],
    ids=lambda options: options[0],
)
def test_settings_the_counter_could_not_use_end_with_2(
    branch: World, options: tuple[str, ...]
) -> None:
    result = _add(branch, "T0000008", "4355530000000008", "kit", *options)
    assert result.exit_code == 2
    assert not (branch.folder / "kit").exists()


@pytest.mark.parametrize(
    ("terminal", "mid", "folder", "told"),
    [
        ("T0000007", "4355530000000007", "kit", "admitted already"),
        ("T0000008", "4355530000000007", "kit", "belongs to terminal T0000007"),
        ("t0000008", "4355530000000008", "kit", "no terminal id"),
        ("T0000008", "435553", "kit", "16 hex digits"),
        ("T0000008", "4355530000000008", "terminal", "already there"),
        ("T0000008", "4355530000000008", "bank/kit", "must not stay"),
    ],
    ids=["known", "customs card taken", "id", "MID", "folder there", "in the bank"],
)
def test_a_terminal_that_cannot_be_admitted_changes_nothing(
    branch: World, terminal: str, mid: str, folder: str, told: str
) -> None:
    before = branch.bank("terminal", "list", "--json").output
    result = _add(branch, terminal, mid, folder)
    assert result.exit_code == 1
    assert told in result.output
    assert branch.bank("terminal", "list", "--json").output == before
    assert not (branch.folder / "kit").exists()


def test_a_terminal_is_bound_anew_only_when_asked(branch: World) -> None:
    added = _add(branch, "T0000007", "4355530000000009", "kit", "--again", "--json")
    assert added.exit_code == 0
    [bound] = branch.json(branch.bank("terminal", "list", "--json"))["terminals"]
    assert bound["customs_card"] == "435553******0009"


def test_a_wrong_passphrase_admits_no_terminal(
    branch: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RASEED_PASSPHRASE", "not that one")
    result = _add(branch, "T0000008", "4355530000000008", "kit")
    assert result.exit_code == 1
    assert "keys do not open" in result.output
    assert "not that one" not in result.output
    assert not (branch.folder / "kit").exists()


def test_check_ends_with_1_when_a_unit_is_missing(issued: World) -> None:
    assert issued.desk("load", "500", pins="731946").exit_code == 0
    with sqlite3.connect(issued.bank_folder / "bank.sqlite") as database:
        database.execute("DROP TRIGGER leg_no_update")
        database.execute(
            "UPDATE leg SET credit_minor = 499999 WHERE credit_minor = 500000"
        )
    database.close()
    result = issued.bank("check", "--json")
    assert result.exit_code == 1
    report = issued.json(result)
    assert not report["ok"]
    assert not report["ledger_balanced"]
    assert "entry does not balance" in issued.bank("check").output


def test_status_tells_where_the_money_is(issued: World) -> None:
    issued.desk("load", "500", pins="731946")
    status = issued.json(issued.bank("status", "--json"))
    assert status["purses"] == 1
    assert status["terminals"] == 1
    assert status["totals"][0]["floats_minor"] == 500_000
    assert status["totals"][0]["customers_minor"] == 400_000
    assert issued.bank("status").exit_code == 0


def test_a_purse_is_looked_up_by_its_number(issued: World) -> None:
    assert issued.bank("purse", "6400000000000001").exit_code == 0
    for number, told in (("12", "16 digits"), ("6400000000000099", "did not issue")):
        result = issued.bank("purse", number)
        assert result.exit_code == 1
        assert told in result.output


def test_errors_are_json_where_json_was_asked_for(branch: World) -> None:
    result = branch.bank("statement", "--account", "555", "--json")
    assert result.exit_code == 1
    assert set(json.loads(result.stdout)["error"]) == {"kind", "message"}


def _commands(
    command: click.Command, name: tuple[str, ...] = ()
) -> list[tuple[str, ...]]:
    found = [name]
    for sub_name, sub_command in getattr(command, "commands", {}).items():
        found += _commands(sub_command, (*name, sub_name))
    return found


@pytest.mark.parametrize(
    "name",
    [("bank", *name) for name in _commands(bank_program)]
    + [("card", *name) for name in _commands(desk_program)],
    ids=" ".join,
)
def test_every_command_explains_itself(world: World, name: tuple[str, ...]) -> None:
    run = world.bank if name[0] == "bank" else world.desk
    result = run(*name[1:], "--help")
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.output.splitlines())
    is_group = name[1:] in {(), *(tuple(one.split()) for one in GROUPS)}
    assert is_group or "--json" in result.output


def _options(command: click.Command) -> set[str]:
    found = {
        name
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("--")
    }
    for sub_command in getattr(command, "commands", {}).values():
        found |= _options(sub_command)
    return found


@pytest.mark.parametrize(
    "program", [bank_program, desk_program], ids=["bank", "card desk"]
)
def test_every_command_and_option_is_documented(program: click.Command) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    names = [name[-1] for name in _commands(program) if name]
    assert [name for name in names if name not in page] == []
    assert sorted(o for o in _options(program) if f"`{o}" not in page) == ["--version"]


def test_every_setting_of_a_bank_is_documented(world: World) -> None:
    _init(world)
    settings = tomllib.loads((world.bank_folder / "bank.toml").read_text())
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    assert [key for key in settings if f"`{key}`" not in page] == []
