"""What the cards did and a full disk could not keep is taken in when there is room.

Each of these was found by striking every journal write of a story (`make faults`): the
counter went on with a customs card that it had compared with its journal before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card.profile import Role
from terminal.day import DayVerdict
from terminal.entries import BatchState
from terminal.errors import JournalError
from tests.terminal.conftest import WriteFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from terminal.journal import Journal
    from tests.terminal.conftest import Bench

INIT_SAM = 2


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
