"""The commands with books on PostgreSQL, and with books of an older version."""

from __future__ import annotations

import secrets
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.postgres import PrivatePostgres

    World = Any

FORMAT_4 = Path(__file__).parents[2] / "vectors" / "bank-format-4.sql"
PASSWORD = "gh31mnis"


@pytest.fixture
def url(postgres: PrivatePostgres) -> Iterator[str]:
    """An empty database; nobody asks for a password on a socket of one's own."""
    name = f"commands_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def with_password(url: str) -> str:
    return url.replace("raseed@", f"raseed:{PASSWORD}@")


def test_a_bank_on_a_server_works_like_one_in_a_file(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(world.bank_folder)
    made = world.bank("init", folder, "--test-keys", "--database", with_password(url))
    assert made.exit_code == 0, made.output
    assert not (world.bank_folder / "bank.sqlite").exists()
    monkeypatch.setenv("RASEED_BANK", folder)
    opened = world.bank(
        *("account", "open", "100200300", "--holder", "AL NOOR", "--deposit", "900"),
        "--json",
    )
    assert world.json(opened)["balance_minor"] == 900_000
    report = world.json(world.bank("check", "--json"))
    assert report["ok"], report
    assert [total["customers_minor"] for total in report["totals"]] == [900_000]


def test_the_password_is_not_kept_and_not_shown(world: World, url: str) -> None:
    made = world.bank(
        "init", str(world.bank_folder), "--test-keys", "--database", with_password(url)
    )
    assert "the password was not kept" in made.output
    settings = (world.bank_folder / "bank.toml").read_text()
    assert tomllib.loads(settings)["database"].startswith(
        "postgresql+psycopg://raseed@"
    )
    assert PASSWORD not in made.output + settings


def test_a_server_that_cannot_be_reached_is_told_and_nothing_is_made(
    world: World, tmp_path: Path
) -> None:
    url = f"postgresql+psycopg://raseed:{PASSWORD}@/books?host={tmp_path}"
    made = world.bank("init", str(world.bank_folder), "--test-keys", "--database", url)
    assert made.exit_code == 1
    assert "Cannot make the bank" in made.output
    assert PASSWORD not in made.output
    assert not world.bank_folder.exists()


@pytest.mark.parametrize("way", ["option", "environment"])
def test_another_database_than_the_banks_own_is_refused(
    world: World, url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has other keys: what it would post could not be proved."""
    folder = str(world.bank_folder)
    world.bank("init", folder, "--test-keys", "--database", url)
    other = f"postgresql+psycopg://raseed:{PASSWORD}@/others"
    given = ("--database", other) if way == "option" else ()
    if way == "environment":
        monkeypatch.setenv("RASEED_DATABASE", other)
    asked = world.bank("status", "--bank", folder, *given)
    assert asked.exit_code == 1
    assert "names 'others'. Nothing was done" in asked.output
    assert PASSWORD not in asked.output


def test_the_same_database_by_another_way_is_taken(world: World, url: str) -> None:
    folder = str(world.bank_folder)
    world.bank("init", folder, "--test-keys", "--database", url)
    asked = world.bank("status", "--bank", folder, "--database", with_password(url))
    assert asked.exit_code == 0, asked.output


def test_a_bank_in_a_file_takes_no_database(branch: World, url: str) -> None:
    asked = branch.bank("status", "--database", url)
    assert asked.exit_code == 1
    assert "are the file bank.sqlite" in asked.output


@pytest.fixture
def older(branch: World) -> World:
    """A bank whose books are of format 4."""
    books: Path = branch.bank_folder / "bank.sqlite"
    books.unlink()
    with closing(sqlite3.connect(books)) as connection:
        connection.executescript(FORMAT_4.read_text("utf-8"))
    return branch


def test_older_books_are_migrated_when_a_command_says_so(older: World) -> None:
    refused = older.bank("status")
    assert refused.exit_code == 1
    assert "raseed-bank migrate" in refused.output
    planned = older.json(older.bank("migrate", "--plan", "--json"))
    assert (planned["before"], planned["after"], planned["done"]) == (
        *("0001", "0001"),
        False,
    )
    assert older.bank("status").exit_code == 1
    done = older.json(older.bank("migrate", "--json"))
    assert done["steps"] == planned["steps"] != []
    assert (done["before"], done["after"], done["done"]) == (
        *("0001", planned["newest"]),
        True,
    )
    report = older.json(older.bank("check", "--json"))
    assert report["ok"], report
    again = older.bank("migrate")
    assert "nothing, they are up to date" in again.output


@pytest.fixture
def on_server(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """A bank on a server, with an account."""
    folder = str(world.bank_folder)
    made = world.bank("init", folder, "--test-keys", "--database", with_password(url))
    assert made.exit_code == 0, made.output
    monkeypatch.setenv("RASEED_BANK", folder)
    opened = ("100200300", "--holder", "AL NOOR", "--deposit", "900")
    assert world.bank("account", "open", *opened).exit_code == 0
    return world


def test_a_bank_on_a_server_is_backed_up_and_restored_into_another_database(
    on_server: World, postgres: PrivatePostgres, tmp_path: Path
) -> None:
    file, drill = tmp_path / "bank.tar", str(tmp_path / "drill")
    made = on_server.json(on_server.bank("backup", str(file), "--json"))
    assert "bank.pgdump" in made["files"]
    assert made["rows"]["entry"] == 1
    # What comes later is not in it.
    more = ("100200301", "--holder", "GULF", "--deposit", "7")
    assert on_server.bank("account", "open", *more).exit_code == 0
    name = f"drill_{secrets.token_hex(6)}"
    target = with_password(postgres.create_database(name))
    try:
        place = ("--database", target)
        restored = on_server.bank("restore", str(file), "--bank", drill, *place)
        assert restored.exit_code == 0, restored.output
        assert "everything adds up" in restored.output
        settings = (Path(drill) / "bank.toml").read_text()
        assert f"/{name}?" in tomllib.loads(settings)["database"]
        assert PASSWORD not in settings + restored.output
        assert not list(Path(drill).glob("*.pgdump"))
        report = on_server.json(on_server.bank("check", "--bank", drill, "--json"))
        assert report["ok"], report
        assert [total["customers_minor"] for total in report["totals"]] == [900_000]
        again = on_server.bank("restore", str(file), "--bank", f"{drill}-2", *place)
        assert again.exit_code == 1
        assert "holds tables already" in again.output
        assert not Path(f"{drill}-2").exists()
    finally:
        postgres.drop_database(name)


def test_a_backup_of_a_server_needs_a_database_and_one_of_a_file_none(
    on_server: World, tmp_path: Path
) -> None:
    file = tmp_path / "server.tar"
    target = ("--bank", str(tmp_path / "made"))
    assert on_server.bank("backup", str(file)).exit_code == 0
    told = on_server.bank("restore", str(file), *target)
    assert told.exit_code == 1
    assert "Make an empty database and name it: --database" in told.output
    place = ("--database", str(tmp_path / "a.sqlite"))
    told = on_server.bank("restore", str(file), *target, *place)
    assert told.exit_code == 1
    assert "Name an empty database" in told.output
    other = tmp_path / "file"
    assert on_server.bank("init", str(other), "--test-keys").exit_code == 0
    file = tmp_path / "file.tar"
    assert on_server.bank("backup", str(file), "--bank", str(other)).exit_code == 0
    place = ("--database", "postgresql+psycopg://raseed@/x")
    told = on_server.bank("restore", str(file), *target, *place)
    assert told.exit_code == 1
    assert "Leave --database out" in told.output
    assert not (tmp_path / "made").exists()


def test_without_the_servers_tools_nothing_is_backed_up_and_it_is_said(
    on_server: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bank.tar"
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    told = on_server.bank("backup", str(file))
    assert told.exit_code == 1
    assert (
        "The program pg_dump is not on this machine. Nothing was changed" in told.output
    )
    assert "postgresql-client" in told.output
    broken = tools / "pg_dump"
    words = "the server is of another version"
    broken.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    broken.chmod(0o755)
    told = on_server.bank("backup", str(file))
    assert told.exit_code == 1
    assert f"The program pg_dump has failed: {words}" in told.output
    assert [one.name for one in tmp_path.glob("*bank.tar*")] == []
