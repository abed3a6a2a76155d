"""The examples of docs/ledger.md are what the commands print, one after the other."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from settlement.ledger import EntryKind
from settlement.payment import PaymentKind
from settlement.postings import ENTRY_SIDES
from tests.branch import at_work

if TYPE_CHECKING:
    from collections.abc import Iterator

    World = Any
    Desk = Any

TEXT = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def at_the_bank(world: World, staffed_desk: Desk) -> Iterator[World]:
    """A bank with officers, one payment of fees and one of deposits."""
    desk = staffed_desk
    purse = desk.loaded_purse(100_000)
    desk.customs.pay(purse, 3_500)
    desk.customs.pay(purse, 5_000, kind=PaymentKind.DEPOSITS)
    desk.send()
    with at_work(world):
        assert world.bank("init", str(world.bank_folder), "--test-keys").exit_code == 0
        with (
            closing(sqlite3.connect(desk.place)) as made,
            closing(sqlite3.connect(world.bank_folder / "bank.sqlite")) as books,
        ):
            made.backup(books)
        world.now = desk.clock()
        world.environment = replace(world.environment, user=lambda: "ops")
        yield world


def examples() -> list[tuple[str, str]]:
    """Each command line with what is printed under it."""
    found = []
    for block in BLOCKS:
        for part in block.split("$ ")[1:]:
            line, _, printed = part.partition("\n")
            found.append((line, printed))
    return found


def printed_by(world: World, line: str) -> str:
    program, *arguments = shlex.split(line)
    assert program == "raseed-bank"
    result = world.bank(*arguments)
    assert result.exit_code == 0, result.output
    return "".join(f"{row.rstrip()}\n" for row in result.stdout.splitlines())


def test_the_examples_are_what_the_commands_print(at_the_bank: World) -> None:
    lines = examples()
    assert len(lines) >= 10
    for line, printed in lines:
        assert printed_by(at_the_bank, line) == printed, line
    checked = at_the_bank.bank("check", "--without-keys")
    assert checked.exit_code == 0, checked.output


def test_every_kind_of_entry_is_in_the_table_and_has_its_sides() -> None:
    section = TEXT.split("\n## Entries\n")[1].split("\n## ")[0]
    documented = {
        row.split(" | ")[0]
        for row in re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    }
    assert {kind.value for kind in EntryKind} <= documented
    assert set(ENTRY_SIDES) == set(EntryKind)
