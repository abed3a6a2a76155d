"""The real bank in the process, and the calls of a counter that reach it.

Books, keys, clearing, intake and card desk are the production code on a SQLite file;
only the telephone line is left out: a message is a function call that can be cut.
"""

from __future__ import annotations

import shutil
from collections import deque
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final, cast

from modem.errors import CallLostError, CallTimeoutError, NoDialToneError
from settlement.bank import Bank
from settlement.bank_config import BankDirectory, BankSettings
from settlement.commands.card_desk_bank import Desk
from settlement.commands.card_desk_register import CardRegister
from settlement.intake import IntakeMachine
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, FileKeyStore, MasterKeyStore
from settlement.ledger import Account
from settlement.open_desk import OpenDesk
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from sim.world.books import BooksReader
from sim.world.fate import Fate, FaultKind, PowerOffError, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from modem.events import CallEvent
    from settlement.store.books import Books
    from sim.cards.issue import CustomsData, PurseData

__all__ = [
    "ACCOUNT",
    "OFFICE",
    "TERMINAL_ID",
    "WatchedStore",
    "WorldBank",
    "WorldCall",
    "found_bank",
    "open_books",
]

TERMINAL_ID: Final = "T0000007"
OFFICE: Final = "SOHAR"
ACCOUNT: Final = "0100000001"
_FUNDS_MINOR: Final = 50_000_000
_SESSION_KEY: Final = bytes(range(0x60, 0x70))
_BOOKS: Final = "bank.sqlite"


class WatchedStore(BankStore):
    """The bank's database, each of its transactions a point of the world's fate.

    In a call it is not: a host answers each message after one transaction, so losing
    power before or after that is the call cut before or after the message.

    One store serves one world after the other, since compiling its statements takes
    longer than a whole story; `refill` gives it other books.
    """

    fate: Fate
    auditor: BooksReader | None = None
    serves_call = False

    def refill(self, template: Path, folder: Path, fate: Fate) -> None:
        """Close the file in ``folder`` and begin with a copy of another one's."""
        self.close()
        for left_behind in folder.glob(f"{_BOOKS}*"):
            left_behind.unlink()
        shutil.copy(template / _BOOKS, folder / _BOOKS)
        self.auditor = BooksReader(folder / _BOOKS)
        self.fate = fate

    def close(self) -> None:
        """See `BankStore.close`."""
        super().close()
        if self.auditor is not None:
            self.auditor.close()
            self.auditor = None

    @contextmanager
    def write(self) -> Iterator[Books]:
        """See `BankStore.write`."""
        if self.serves_call:
            with super().write() as books:
                yield books
            return
        kind = self.fate.at(Site.BOOKS, "transaction of the bank")
        if kind is FaultKind.OFF_BEFORE:
            raise PowerOffError
        with super().write() as books:
            yield books
        if kind is FaultKind.OFF_AFTER:
            raise PowerOffError


def open_books(folder: Path) -> WatchedStore:
    """The books that `found_bank` made in ``folder``."""
    return WatchedStore.open(folder / _BOOKS)


def found_bank(
    folder: Path,
    *,
    purses: Sequence[PurseData],
    customs: CustomsData,
    now: datetime,
) -> None:
    """Make a bank's books in ``folder`` that know these cards and their value."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = MasterKeyStore(TEST_MASTERS)
    currency = int(customs.currency)
    with BankStore.create(folder / _BOOKS) as store:
        issuing = Issuing(store, keys, lambda: now)
        issuing.open_account(
            number=ACCOUNT,
            holder="ALI TRADING",
            currency=currency,
            deposit_minor=_FUNDS_MINOR,
        )
        issuing.register_customs_card(
            mid=bytes.fromhex(customs.merchant_id),
            terminal_id=TERMINAL_ID,
            office=OFFICE,
            currency=currency,
            kv=customs.kv,
        )
        for purse in purses:
            issuing.register_card(_row(purse), brought_minor=purse.balance_minor)


def _row(purse: PurseData) -> PurseRow:
    currency = int(purse.currency)
    return PurseRow(
        cid=bytes.fromhex(purse.card_id),
        account=Account.customer(ACCOUNT, currency),
        holder=purse.holder_name,
        currency=currency,
        kv=purse.kv,
        balance_limit_minor=purse.balance_limit_minor,
        payment_limit_minor=purse.payment_limit_minor,
        valid_from=_day(purse.valid_from),
        expiry=_day(purse.expiry),
    )


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


class WorldBank:
    """A bank whose host and card desk can lose power at every transaction.

    Attributes:
        auditor: reads the books past all of the bank's programs.
        line_is_dead: no call comes about.
    """

    def __init__(
        self, store: WatchedStore, folder: Path, clock: Callable[[], datetime]
    ) -> None:
        """Be the bank whose books ``store`` keeps in ``folder``."""
        self.keys: Final = MasterKeyStore(TEST_MASTERS)
        self.store: Final = store
        self.bank: Final = Bank(self.store, self.keys)
        self.issuing: Final = Issuing(self.store, self.keys, clock)
        settings = BankSettings(currency="OMR", test_keys=True)
        self.desk: Final = Desk(
            directory=BankDirectory(folder, settings),
            store=self.store,
            # The desk asks its key store for nothing that this one lacks.
            keys=cast("FileKeyStore", self.keys),
            issuing=self.issuing,
            opens=OpenDesk(self.store, self.keys, clock),
            register=CardRegister(folder),
            clock=clock,
            user="desk",
        )
        assert store.auditor is not None, "the store was filled with this world's books"
        self.auditor: Final = store.auditor
        self.line_is_dead = False
        self._clock = clock

    def dial(self, on_event: Callable[[CallEvent], None]) -> WorldCall:
        """See `terminal.day_calls.Dial`."""
        del on_event  # There is no line of which anything could be told.
        if self.line_is_dead:
            raise NoDialToneError("5551234")
        machine = IntakeMachine(TERMINAL_ID, self.bank, _SESSION_KEY)
        return WorldCall(machine, self.store, self._clock)


class WorldCall:
    """One call; a `terminal.day_calls.MessageCall`."""

    def __init__(
        self, machine: IntakeMachine, store: WatchedStore, clock: Callable[[], datetime]
    ) -> None:
        """Be connected to ``machine``, which keeps its books in ``store``."""
        self._machine: IntakeMachine | None = machine
        self._store = store
        self._fate = store.fate
        self._clock = clock
        self._answers: deque[bytes] = deque()

    def send(self, message: bytes) -> None:
        """See `terminal.day_calls.MessageCall`."""
        machine = self._machine
        if machine is None:
            raise CallLostError("the call is over")
        kind = self._fate.at(Site.MESSAGE, "message to the bank")
        if kind is FaultKind.CUT_BEFORE:
            raise self._lost()
        self._store.serves_call = True
        try:
            answers = machine.receive(message, self._clock())
        finally:
            self._store.serves_call = False
        if kind is FaultKind.CUT_AFTER:
            raise self._lost()
        if kind is not FaultKind.SILENT:
            self._answers.extend(answers)

    def receive(self, timeout_ms: int) -> bytes:
        """See `terminal.day_calls.MessageCall`."""
        if self._answers:
            return self._answers.popleft()
        if self._machine is None:
            raise CallLostError("the call is over")
        raise CallTimeoutError(timeout_ms)

    def close(self) -> None:
        """See `terminal.day_calls.MessageCall`."""
        self._machine = None

    def _lost(self) -> CallLostError:
        self._machine = None
        return CallLostError("the line is dead")
