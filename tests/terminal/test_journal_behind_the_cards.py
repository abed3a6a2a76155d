"""What the cards did and a full disk could not keep is taken in when there is room.

Each of these was found by striking every journal write of a story (`make faults`): the
counter went on with a customs card that it had compared with its journal before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card.profile import Role
from card.purse import PurseSession
from settlement.commands.card_desk_bank import ask_purse
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.open_desk import OpenDesk
from settlement.open_inquiry import OpenInquiry, PurseProved
from settlement.store.books import BankStore
from terminal.day import DayVerdict
from terminal.entries import BatchState
from terminal.errors import JournalError
from tests.fake_readers import NAMES
from tests.terminal.conftest import WriteFaults
from tests.terminal.test_day_flow import CID, NOW, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from terminal.journal import Journal
    from tests.terminal.conftest import Bench

INIT_SAM = 2
DEBIT = 3


class FullForOnce:
    """A disk that takes one batch less than it is given."""

    def __init__(self, journal: Journal) -> None:
        self._add: Callable[..., bool] = journal.batches.add
        self.failed = 0

    def add(self, *arguments: Any, **named: Any) -> Any:
        if not self.failed:
            self.failed += 1
            raise JournalError("the disk is full")
        return self._add(*arguments, **named)


def full_for_once(bench: Bench) -> FullForOnce:
    disk = FullForOnce(bench.journal)
    bench.journal.batches.add = disk.add  # type: ignore[method-assign]  # a fake disk
    return disk


def test_a_record_closed_on_the_card_but_not_here_is_closed_when_there_is_room(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", INIT_SAM, removes=True)
    running.pay(seen=seen)
    running.faults.disarm()
    running.readers.insert(Role.CUSTOMS, running.customs)
    book, write = running.journal.payments, running.journal.payments.write
    # The next writes: the open record is taken in, then its end is not.
    WriteFaults(at=1, error=JournalError).watch(running.journal)
    with pytest.raises(JournalError):
        running.counter.on_card_inserted()
    book.write = write  # type: ignore[method-assign]  # the real disk again
    assert running.counter.interrupted() != []
    running.counter.on_card_inserted()
    assert running.assert_all_value_is_accounted() == 0


def test_a_batch_closed_on_the_card_but_not_here_is_sent_with_the_next_end_of_day(
    running: Bench,
) -> None:
    running.pay()
    disk = full_for_once(running)
    assert running.counter.close_day(lambda _: None).verdict is DayVerdict.PENDING
    assert (disk.failed, running.counter.snapshot().unsettled) == (1, ())
    running.pay(declaration="INV-2025-000002")
    running.counter.close_day(lambda _: None)
    waiting = running.journal.batches.in_state(BatchState.CLOSED)
    assert [batch.number for batch in waiting] == [1, 2]


def test_a_customs_card_that_was_taken_up_on_a_full_disk_is_taken_up_anew(
    running: Bench,
) -> None:
    running.pay()
    running.counter.close_day(lambda _: None)
    running.stop()
    for file in running.config.state_directory.glob("journal.*"):
        file.unlink()
    running.readers.remove(Role.CUSTOMS)
    running.start()
    disk = full_for_once(running)
    running.readers.insert(Role.CUSTOMS, running.customs)
    with pytest.raises(JournalError):
        running.counter.on_card_inserted()
    assert disk.failed == 1
    running.counter.on_card_inserted()
    waiting = running.journal.batches.in_state(BatchState.CLOSED)
    assert [batch.number for batch in waiting] == [1]


def ask_at_the_card_desk(bench: Bench, store: BankStore) -> None:
    """The purse proves at the card desk what became of its one open payment."""
    desk = OpenDesk(store, MasterKeyStore(TEST_MASTERS), lambda: NOW)
    (payment,) = desk.open_payments(CID)
    bench.readers.insert(Role.PURSE, bench.purse)
    channel = bench.readers.open_card(NAMES[Role.PURSE])
    PurseSession(channel).select()
    answer = ask_purse(OpenInquiry(payment.tx, payment.vreq), channel)
    assert isinstance(answer, PurseProved)
    desk.debited(payment.tx, answer.proof)
    bench.readers.remove(Role.PURSE)


def test_a_record_that_the_bank_closed_while_the_disk_was_full_is_closed_here_too(
    running: Bench, quick_path: Path
) -> None:
    with BankStore.create(quick_path / "bank.sqlite") as store:
        world = World(running, store)
        seen = running.counter.read_purse()
        running.faults.arm("lost", DEBIT, removes=True)
        running.pay(seen=seen)
        running.faults.disarm()
        world.close_day()
        ask_at_the_card_desk(running, store)
        book, write = running.journal.payments, running.journal.payments.write
        # The card credits what the bank proves, and the journal misses that.
        WriteFaults(at=1, error=JournalError).watch(running.journal)
        assert world.close_day().verdict is DayVerdict.PENDING
        assert (running.open_count(), len(running.counter.interrupted())) == (0, 1)
        book.write = write  # type: ignore[method-assign]  # the real disk again
        running.counter.on_card_inserted()
        assert running.assert_all_value_is_accounted() == 1_234
