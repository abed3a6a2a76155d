"""The bank and its desk of `tests.branch`, in several stages of their life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory
from tests.branch import PASSPHRASE, World, at_work
from tests.settlement.acting import PASSWORD, keep_passwords
from tests.settlement.commands.paper_branch import paper_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.settlement.conftest import Desk as PaperDesk


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Nothing yet but two readers; the passphrase is in the environment."""
    monkeypatch.setenv("RASEED_PASSPHRASE", PASSPHRASE)
    monkeypatch.delenv("RASEED_BANK", raising=False)
    world = World(tmp_path)
    yield world
    world.assert_nothing_secret_was_said()


@pytest.fixture
def staffed_desk(desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bank with officers, whose passwords lie in a folder for the commands."""
    passwords = dict.fromkeys(desk.staff(), PASSWORD.decode())
    keep_passwords(tmp_path / "passwords", passwords, monkeypatch)
    return desk


@pytest.fixture(scope="session")
def branch_template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made once: a test works on a copy, because making it takes a while."""
    world = World(tmp_path_factory.mktemp("branch"))
    with at_work(world):
        made = [
            world.bank("init", str(world.bank_folder), "--test-keys"),
            world.bank(
                *("account", "open", "100200300"),
                *("--holder", "AL NOOR TRADING", "--deposit", "900"),
            ),
            world.bank(
                *("terminal", "add", "T0000007", "--office", "SOHAR"),
                *("--mid", "4355530000000007", "--number", "5551234"),
                *("--output", str(world.folder / "terminal")),
            ),
        ]
    assert [result.exit_code for result in made] == [0, 0, 0], world.said
    purse_serial, customs_serial = bytes(range(8)), bytes(range(8, 16))
    world.purse.memory, world.customs.memory = Memory(), Memory()
    world.purse.card = blank_purse(world.purse.memory, purse_serial)
    world.customs.card = blank_customs_card(world.customs.memory, customs_serial)
    return world


@pytest.fixture(scope="session")
def issued_template(
    branch_template: World, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The branch after its purse was personalised with PIN 731946, made once."""
    world = branch_template.copy(tmp_path_factory.mktemp("issued"))
    with at_work(world):
        made = world.desk("personalise", "--account", "100200300", pins="731946")
    assert made.exit_code == 0, made.output
    return world


@pytest.fixture
def branch(branch_template: World, tmp_path: Path) -> Iterator[World]:
    """A bank with a customer, a terminal, and a blank card in each reader."""
    world = branch_template.copy(tmp_path)
    with at_work(world):
        yield world


@pytest.fixture
def issued(issued_template: World, tmp_path: Path) -> Iterator[World]:
    """The branch after its purse was personalised with PIN 731946."""
    world = issued_template.copy(tmp_path)
    with at_work(world):
        yield world


@pytest.fixture
def books(issued: World) -> Callable[[], dict[str, int]]:
    """Reads what the account, the float and the card hold, in minor units."""

    def read() -> dict[str, int]:
        accounts = issued.json(issued.bank("account", "list", "--json"))["accounts"]
        shown = issued.json(issued.desk("show", "--reader", "A", "--json"))
        return {
            "account": accounts[0]["balance_minor"],
            "float": shown["bank"]["float_minor"],
            "card": shown["balance_minor"],
        }

    return read


@pytest.fixture
def paper(branch: World) -> Iterator[PaperDesk]:
    """The branch's own bank, with paper cards of account 100200300."""
    with paper_desk(branch) as desk:
        yield desk
