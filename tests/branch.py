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
from sim.cards.memory import Memory
from sim.cards.purse import SimulatedPurse

if TYPE_CHECKING:
    from collections.abc import Iterator
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
            argon2_kib=64,
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

    def bank(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        typed: str | None = None,
    ) -> Result:
        """Run ``raseed-bank``; ``typed`` is what a person answers."""
        return self._run(bank_program, arguments, env, typed)

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
        typed: str | None = None,
    ) -> Result:
        result = CliRunner().invoke(
            program,
            arguments,
            input=typed,
            obj=self.environment,
            env=env,
            catch_exceptions=True,
        )
        if not {"--full-number", "--help"} & set(arguments):
            self.said.append(result.output)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@contextmanager
def at_work(world: World) -> Iterator[None]:
    """Directory and passphrase are in the environment; in the end nothing leaked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASEED_PASSPHRASE", PASSPHRASE)
        patch.setenv("RASEED_BANK", str(world.bank_folder))
        yield
        world.assert_nothing_secret_was_said()
