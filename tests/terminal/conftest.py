"""A whole counter in one process: simulated cards, readers that can fail, a clock."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from modem.errors import NoDialToneError
from settlement.payment import PaymentKind
from sim.cards.issue import (
    CustomsData,
    PurseData,
    issue_customs_card,
    issue_purse,
)
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
from terminal.journal import Journal
from tests.fake_readers import Clock, FakeReaders, Faults, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modem.events import CallEvent
    from terminal.day_calls import Dial, MessageCall
    from terminal.orders import PaymentOrder, PaymentResult, PurseSeen, RecoveryOutcome

PIN = b"1234"
CONFIG_TEXT = """
[terminal]
id = "T0000007"
office = "SOHAR"
currency = "OMR"
[readers]
purse = "00 00"
customs = "00 01"
[modem]
port = "/dev/null"
numbers = ["5551234"]
server_name = "host.bank.raseed"
[security]
ca = "ca.pem"
certificate = "terminal.pem"
key = "terminal.key"
[state]
directory = "state"
[payment]
limit = "2000.000"
"""


@dataclass
class WriteFaults:
    """Stops the program at the n-th write (from 0) to the journal's payments.

    With ``stays`` every later write fails, too.
    """

    at: int = -1
    after: bool = False
    error: type[Exception] | None = None
    count: int = 0
    stays: bool = False

    def wrap(self, write: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **named: object) -> object:
            self.count += 1
            place = self.count - 1
            if place != self.at and not (self.stays and place > self.at):
                return write(*args, **named)
            if self.error is not None:
                raise self.error("the disk is full")
            if self.after:
                write(*args, **named)
            raise Stopped

        return counted

    def watch(self, journal: Journal) -> None:
        """From now on count, and strike at, every write to ``journal``."""
        for name in ("intend", "write"):
            method = getattr(journal.payments, name)
            setattr(journal.payments, name, self.wrap(method))


def no_line(on_event: Callable[[CallEvent], None]) -> MessageCall:
    raise NoDialToneError("5551234")


def config_in(folder: Path) -> TerminalConfig:
    return TerminalConfig(
        terminal=TerminalSection(
            id="T0000007", office="SOHAR", currency="OMR", clerk="7"
        ),
        readers=ReadersSection(purse="00 00", customs="00 01"),
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


class Bench:
    """One counter on a bench: its readers, its journal's folder, its two cards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = config_in(folder)
        self.readers = FakeReaders()
        self.clock = Clock()
        self.dial: Dial = no_line
        self.purse = issue_purse(None, PurseData())
        self.customs = issue_customs_card(None, CustomsData())
        self.readers.insert(Role.PURSE, self.purse)
        self.readers.insert(Role.CUSTOMS, self.customs)
        self.journal: Journal
        self.counter: Counter
        self.news: list[RecoveryOutcome] = []
        self._running = False

    @property
    def faults(self) -> Faults:
        return self.readers.faults

    def start(self) -> Counter:
        """Start the program, as after switching the machine on."""
        self.journal = Journal.open(self.config.state_directory, os.urandom)
        self.counter = Counter(
            self.config, self.journal, self.readers, self._call, self.clock
        )
        self._running = True
        self.news = self.counter.start()
        return self.counter

    def stop(self) -> None:
        """Stop the program: in order, or after `Stopped` as if the power had gone."""
        if self._running:
            self._running = False
            self.counter.stop()

    def restart(self) -> Counter:
        """Power off and on: cards lose their sessions, memories and disk stay."""
        self.faults.disarm()
        self.stop()
        return self.start()

    def order(
        self, amount: str = "1.234", declaration: str = "INV-2025-000001"
    ) -> PaymentOrder:
        return self.counter.check_order(declaration, amount, PaymentKind.FEES)

    def pay(
        self,
        amount: str = "1.234",
        declaration: str = "INV-2025-000001",
        *,
        pin: bytes = PIN,
        seen: PurseSeen | None = None,
    ) -> PaymentResult:
        """One payment the way the screens make it."""
        seen = seen or self.counter.read_purse()
        # The clerk of these tests goes on in spite of every warning.
        order = self.counter.go_on_all_the_same(self.order(amount, declaration))
        typed = bytearray(pin)
        try:
            return self.counter.pay(order, seen, typed)
        finally:
            assert not any(typed), "the PIN is wiped whatever happens"

    def balance(self) -> int:
        return self.purse.memory.integer("balance")

    def held(self) -> int:
        """What the customs card holds and the bank has not acknowledged."""
        self.customs.reset()
        self.customs.process(bytes.fromhex("00A4040008F052415345454402"))
        answer = self.customs.process(bytes.fromhex("8074000000"))
        return int.from_bytes(answer[28:36], "big")

    def open_count(self) -> int:
        self.customs.reset()
        self.customs.process(bytes.fromhex("00A4040008F052415345454402"))
        answer = self.customs.process(bytes.fromhex("8074000000"))
        return int.from_bytes(answer[36:38], "big")

    def settle(self) -> list[RecoveryOutcome]:
        """Take both cards out, put them back, and let the counter settle."""
        self.faults.disarm()
        news = []
        for role, card in ((Role.CUSTOMS, self.customs), (Role.PURSE, self.purse)):
            self.readers.remove(role)
            self.readers.insert(role, card)
            news += self.counter.on_card_inserted()
        return news

    def assert_all_value_is_accounted(self) -> int:
        """What left the purse is on the customs card, nothing is open; how much."""
        debited = 500_000 - self.balance()
        assert self.held() == debited
        assert self.open_count() == 0
        assert self.counter.interrupted() == []
        return debited

    def _call(self, on_event: Callable[[CallEvent], None]) -> MessageCall:
        return self.dial(on_event)


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of journals are synced here."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder of our own in it
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def bench(quick_path: Path) -> Iterator[Bench]:
    """A bench that is not switched on yet."""
    bench = Bench(quick_path)
    yield bench
    bench.stop()


@pytest.fixture
def running(bench: Bench) -> Bench:
    """A bench whose counter has been started."""
    bench.start()
    return bench
