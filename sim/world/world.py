"""One counter with its cards and, where a story needs it, its bank: all of it real.

The world stands for hands and mains: it switches the counter on and off, puts cards
into readers and takes them out. What people do with it is `sim.world.clerk`'s; whether
it did right is `sim.world.truth`'s.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from card.profile import Role
from modem.errors import NoDialToneError
from sim.cards.issue import CustomsData, PurseData, issue_customs_card, issue_purse
from sim.cards.tearing import TearingMemory
from sim.world.bank import OFFICE, TERMINAL_ID
from sim.world.clock import WorldClock
from sim.world.fate import Fate
from sim.world.journal import Disk, open_journal
from sim.world.readers import READERS, CardPower, WorldReaders
from sim.world.truth import DebitLog
from terminal.config import (
    ModemSection,
    PaymentSection,
    ReadersSection,
    SecuritySection,
    StateSection,
    TerminalConfig,
    TerminalSection,
)
from terminal.counter import Counter
from terminal.rebuild import Rebuilder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sim.cards.customs import SimulatedCustomsCard
    from sim.cards.memory import Value
    from sim.cards.purse import SimulatedPurse
    from sim.world.bank import WorldBank
    from terminal.day_calls import MessageCall
    from terminal.journal import Journal
    from terminal.orders import RecoveryOutcome
    from terminal.rebuild import RecoverResult

__all__ = ["CUSTOMS", "PIN", "PURSES", "World", "WorldImage", "counter_config"]

PIN: Final = b"1234"
PURSES: Final = (
    PurseData(),
    PurseData(card_id="6400000000000002", holder_name="SECOND PURSE"),
)
CUSTOMS: Final = CustomsData()
_SEED: Final = 20251122


def counter_config(folder: Path) -> TerminalConfig:
    """The settings of a counter that keeps its journal below ``folder``."""
    return TerminalConfig(
        terminal=TerminalSection(
            id=TERMINAL_ID, office=OFFICE, currency="OMR", clerk="7"
        ),
        readers=ReadersSection(
            purse=READERS[Role.PURSE], customs=READERS[Role.CUSTOMS]
        ),
        modem=ModemSection(
            port="/dev/null", numbers=["5551234"], server_name="host.bank.raseed"
        ),
        security=SecuritySection(
            ca="ca.pem", certificate="terminal.pem", key="terminal.key"
        ),
        state=StateSection(directory="state"),
        payment=PaymentSection(limit="2000.000"),
        folder=folder,
    )


@dataclass(frozen=True, slots=True)
class _Program:
    """The counter's program while it runs."""

    counter: Counter
    journal: Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldImage:
    """What of a world outlives its power, besides what is in its folder.

    Attributes:
        cards: the memories of both purses and of the customs card.
        time: where the clock stood.
        random_state: of `random.Random`.
    """

    cards: tuple[dict[str, Value], ...] = field(repr=False)
    time: datetime
    random_state: tuple[Any, ...] = field(repr=False)


class World:
    """See the module.

    Attributes:
        fate: what goes wrong, and where.
        readers: both readers; the customs card lies in its own from the beginning.
        purses: the customers' cards.
        customs: the card of the device.
        bank: whoever builds the world gives it one, if its story gets so far.
        debit_log: every debit of the purses, however long the story.
        loaded_minor: for each purse, every sum that it may have been loaded with.
    """

    def __init__(self, folder: Path, image: WorldImage | None = None) -> None:
        """Build the world; nothing is switched on.

        Args:
            folder: where the counter and the bank keep what they keep. It is empty, or
                holds what it held when ``image`` was taken.
            image: the cards and the time of an earlier world, or None for new ones.
        """
        self.folder: Final = folder
        self.fate: Final = Fate()
        self.disk: Final = Disk(self.fate)
        self.clock: Final = WorldClock() if image is None else WorldClock(image.time)
        self.readers: Final = WorldReaders(self.fate)
        self._random: Final = random.Random(_SEED)
        draw = self._random.randbytes
        if image is not None:
            self._random.setstate(image.random_state)
        memories = [
            TearingMemory(
                CardPower(self.fate, name),
                None if image is None else image.cards[place],
            )
            for place, name in enumerate(("purse", "other purse", "customs card"))
        ]
        self.purses: Final[tuple[SimulatedPurse, ...]] = tuple(
            issue_purse(memory, data, draw)
            for memory, data in zip(memories, PURSES, strict=False)
        )
        self.customs: Final[SimulatedCustomsCard] = issue_customs_card(
            memories[-1], CUSTOMS, draw
        )
        self.readers.insert(Role.CUSTOMS, self.customs)
        self.bank: WorldBank | None = None
        self.loaded_minor: Final[list[set[int]]] = [
            {data.balance_minor} for data in PURSES
        ]
        self.debit_log: Final = DebitLog()
        self._config = counter_config(folder)
        self._program: _Program | None = None

    def image(self) -> WorldImage:
        """What is left of the world when it is switched off, besides its folder."""
        assert not self.is_on, "a running program holds more than that"
        return WorldImage(
            cards=tuple(card.memory.image() for card in (*self.purses, self.customs)),
            time=self.clock.now,
            random_state=self._random.getstate(),
        )

    @property
    def is_on(self) -> bool:
        """Whether the counter's program runs."""
        return self._program is not None

    @property
    def counter(self) -> Counter:
        """The running counter."""
        assert self._program is not None, "the counter is switched on"
        return self._program.counter

    @property
    def journal(self) -> Journal:
        """The running counter's journal."""
        assert self._program is not None, "the counter is switched on"
        return self._program.journal

    def switch_on(self) -> list[RecoveryOutcome]:
        """Start the program; what it says at its start.

        Raises:
            PowerOffError: it lost power at once; it is off again.
            JournalError: its journal cannot be written; it is off again.
        """
        journal = open_journal(
            self._config.state_directory, self._random.randbytes, self.disk
        )
        counter = Counter(self._config, journal, self.readers, self._dial, self.clock)
        self._program = _Program(counter, journal)
        try:
            return counter.start()
        except BaseException:
            self.switch_off()
            raise

    def switch_off(self) -> None:
        """Take the mains away: nothing in the program gets to say a last word.

        Its database is closed in order, so that nothing of it is left in this process;
        what SQLite makes of a log that was cut off is tried by `sim.crash`.
        """
        if self._program is None:
            return
        self._program.journal.close()
        self._program = None
        self.readers.forget_listeners()
        for card in self.readers.cards.values():
            card.reset()

    def lose_machine(self) -> None:
        """The machine is gone, and with it all that stood on its disk."""
        self.switch_off()
        shutil.rmtree(self._config.state_directory, ignore_errors=True)

    def recover(self) -> RecoverResult:
        """What `raseed-terminal recover` does at this machine.

        Raises:
            PowerOffError: the machine lost power meanwhile.
            CardProblemError: the customs card cannot be read.
            JournalError: the journal cannot be written.
        """
        assert not self.is_on, "a running counter holds its journal"
        return Rebuilder(
            self._config,
            self.readers,
            clock=self.clock,
            random_bytes=self._random.randbytes,
            open_journal=partial(open_journal, disk=self.disk),
        ).run()

    def _dial(self, on_event: object) -> MessageCall:
        if self.bank is None:
            raise NoDialToneError("5551234")
        return self.bank.dial(on_event)  # type: ignore[arg-type]  # handed through
