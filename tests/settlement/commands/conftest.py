"""A bank, its desk and its readers, all within the test's own process."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from click.testing import CliRunner

from card.channel import T0Channel
from card.errors import CardRemovedError, NoCardError, ReaderError
from card.profile import CUSTOMS_AID, PURSE_AID, KeyUse
from settlement.commands.bank import bank as bank_program
from settlement.commands.card_desk import card_desk as desk_program
from settlement.commands.environment import Environment
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from sim.cards.customs import SimulatedCustomsCard
from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory
from sim.cards.purse import SimulatedPurse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import click
    from click.testing import Result

    from card.apdu import CommandAPDU, ResponseAPDU
    from card.channel import Channel

    SimulatedCard = SimulatedPurse | SimulatedCustomsCard

PASSPHRASE = "correct horse battery"
PIN = "731946"
NOW = dt.datetime(2026, 3, 4, 8, 30, tzinfo=dt.UTC)


@dataclass
class Slot:
    """One reader; its card can be pulled out around a command.

    Attributes:
        card: what lies in it, or None.
        memory: that of the card first put in.
        pull: name of the command at which the card is pulled out, and whether the
            card has carried it out by then; it counts only once.
        pull_after: how many such commands go well before.
    """

    name: str
    card: SimulatedCard | None = None
    memory: Memory = field(default_factory=Memory)
    pull: tuple[str, Literal["before", "after"]] | None = None
    pull_after: int = 0
    is_busy: bool = False

    @contextmanager
    def open(self) -> Iterator[_Held]:
        if self.is_busy:
            raise ReaderError(f"Another program uses '{self.name}'; close it.")
        if self.card is None:
            raise NoCardError(f"There is no card in '{self.name}'. Insert the card.")
        self.card.reset()
        yield _Held(self)
        if self.card is not None:
            self.card.reset()


@dataclass
class _Held:
    """A connection; dead for good once the card was pulled out."""

    slot: Slot
    is_dead: bool = field(default=False)

    @property
    def channel(self) -> Channel:
        return self

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        card = self.slot.card
        if self.is_dead or card is None:
            raise NoCardError("The connection has ended; nothing was sent.")
        if self._is_pulled(command):
            assert self.slot.pull is not None
            if self.slot.pull[1] == "after":
                card.process(command.to_bytes())
            self.slot.pull, self.is_dead = None, True
            raise CardRemovedError("The card left; not known yet. Put it back.")
        return T0Channel(card.process).transmit(command)

    def _is_pulled(self, command: CommandAPDU) -> bool:
        if self.slot.pull is None or self.slot.pull[0] != command.name:
            return False
        self.slot.pull_after -= 1
        return self.slot.pull_after < 0


@dataclass
class Readers:
    """The readers of the desk."""

    slots: dict[str, Slot]

    def names(self) -> list[str]:
        return list(self.slots)

    def find(self, wanted: str) -> str:
        aids = {"purse": PURSE_AID, "customs": CUSTOMS_AID}
        if wanted in self.slots:
            return wanted
        for name, slot in self.slots.items():
            if wanted in aids and slot.card is not None:
                select = b"\x00\xa4\x04\x00\x08" + aids[wanted] + b"\x00"
                if slot.card.process(select)[-2:] == b"\x90\x00":
                    return name
        fitting = [name for name in self.slots if wanted in name]
        if len(fitting) != 1:
            present = "; ".join(self.slots)
            raise ReaderError(f"No reader fits '{wanted}'. Readers: {present}.")
        return fitting[0]

    def open(self, name: str) -> Any:
        return self.slots[name].open()


def _keys() -> list[bytes]:
    keys = MasterKeyStore(TEST_MASTERS)
    return [
        keys.purchase_master(1),
        keys.transport_key(bytes(range(8))),
        *(
            keys.card_key(use, 1, number)
            for use in KeyUse
            if use is not KeyUse.TRANSPORT
            for number in (CID, MID)
        ),
    ]


CID, MID = bytes.fromhex("6400000000000001"), bytes.fromhex("4355530000000007")
KEYS = _keys()
SECRETS = [PASSPHRASE, PIN, CID.hex(), MID.hex(), *(key.hex() for key in KEYS)]


class World:
    """Both programs, and everything they have said so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bank_folder = folder / "bank"
        self.purse = Slot("Reader A")
        self.customs = Slot("Reader B")
        self.readers = Readers({slot.name: slot for slot in (self.purse, self.customs)})
        self.said: list[str] = []
        self.now = NOW
        self.environment = Environment(
            clock=lambda: self.now,
            readers=self.readers.names,
            find_reader=self.readers.find,
            open_card=self.readers.open,
            scrypt_cost=1024,
        )

    def copy(self, folder: Path) -> World:
        """The same bank and the same cards, apart from these."""
        other = World(folder)
        shutil.copytree(self.folder, other.folder, dirs_exist_ok=True)
        other.purse.memory = deepcopy(self.purse.memory)
        other.customs.memory = deepcopy(self.customs.memory)
        other.purse.card = SimulatedPurse(other.purse.memory)
        other.customs.card = SimulatedCustomsCard(other.customs.memory)
        return other

    def bank(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """Run ``raseed-bank``."""
        return self._run(bank_program, arguments, env)

    def desk(
        self,
        *arguments: str,
        pins: str | None = None,
        env: dict[str, str] | None = None,
    ) -> Result:
        """Run ``raseed-card``; ``pins`` are its lines on another descriptor."""
        if pins is None:
            return self._run(desk_program, arguments, env)
        near, far = os.pipe()
        try:
            os.write(far, "".join(f"{pin}\n" for pin in pins.split()).encode())
            os.close(far)
            return self._run(desk_program, (*arguments, "--pin-fd", str(near)), env)
        finally:
            os.close(near)

    def json(self, result: Result) -> Any:
        """The document of a run with ``--json``."""
        return json.loads(result.stdout)

    def assert_nothing_secret_was_said(self) -> None:
        """No PIN, passphrase, key or whole card number in any output so far."""
        said = "\n".join(self.said).upper()
        for secret in SECRETS:
            assert secret.upper() not in said

    def _run(
        self,
        program: click.Command,
        arguments: tuple[str, ...],
        env: dict[str, str] | None,
    ) -> Result:
        result = CliRunner().invoke(
            program, arguments, obj=self.environment, env=env, catch_exceptions=True
        )
        if not {"--full-number", "--help"} & set(arguments):
            self.said.append(result.output)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Nothing yet but two readers; the passphrase is in the environment."""
    monkeypatch.setenv("RASEED_PASSPHRASE", PASSPHRASE)
    monkeypatch.delenv("RASEED_BANK", raising=False)
    world = World(tmp_path)
    yield world
    world.assert_nothing_secret_was_said()


@pytest.fixture(scope="session")
def branch_template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made once: a test works on a copy, because making it takes a while."""
    world = World(tmp_path_factory.mktemp("branch"))
    with _secrets(world):
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
    with _secrets(world):
        made = world.desk("personalise", "--account", "100200300", pins="731946")
    assert made.exit_code == 0, made.output
    return world


@contextmanager
def _secrets(world: World) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASEED_PASSPHRASE", PASSPHRASE)
        patch.setenv("RASEED_BANK", str(world.bank_folder))
        yield
        world.assert_nothing_secret_was_said()


@pytest.fixture
def branch(branch_template: World, tmp_path: Path) -> Iterator[World]:
    """A bank with a customer, a terminal, and a blank card in each reader."""
    world = branch_template.copy(tmp_path)
    with _secrets(world):
        yield world


@pytest.fixture
def issued(issued_template: World, tmp_path: Path) -> Iterator[World]:
    """The branch after its purse was personalised with PIN 731946."""
    world = issued_template.copy(tmp_path)
    with _secrets(world):
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
