"""A counter on a small disk of its own, which fills up or fails in the middle.

Run by `test_full_disk` in a mount namespace where ``FOLDER/disk`` is that disk:
``python -m tests.terminal.small_disk CASE NUMBER FOLDER``. It ends with 0 when all that
the case claims is true, else with the claim that is not.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from card.profile import Role
from settlement.store.books import BankStore
from terminal.disk import FREE_BYTES_MIN, DiskTrouble
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.orders import Paid, RecoveryVerdict, RefusalReason, Refused, Unknown
from tests.terminal.conftest import Bench
from tests.terminal.test_day_flow import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from terminal.orders import PaymentResult

AMOUNT: Final = 1_234
_PAGE: Final = bytes(4096)
_WRITES: Final = {
    "payments": ("intend", "write", "adopt", "place"),
    "batches": ("add", "collected", "refused", "acknowledged"),
}


class SmallDisk:
    """The disk below a bench, and how to spoil it at the n-th write to the journal."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "disk"
        self.bench = Bench(self.folder)
        self._filler = self.folder / "filler"
        self._count = -1
        self._at = -1
        self._failed = False
        self._spoil: Callable[[], None] = lambda: None

    def fill(self, *, leave: int = 0) -> None:
        """Fill it up, but for ``leave`` bytes."""
        with self._filler.open("ab", buffering=0) as file:
            while leave == 0 or self.free_bytes() > leave:
                try:
                    file.write(_PAGE)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def free(self) -> None:
        self._filler.unlink()

    def break_down(self) -> None:
        """What an error of the disk makes of a file system in use: read-only."""
        mount("-o", "remount,abort", str(self.folder))

    def spoil_at(self, at: int, spoil: Callable[[], None]) -> None:
        """From now on count the writes, and spoil the disk just before the n-th."""
        self._count, self._at, self._spoil = 0, at, spoil
        journal = self.bench.journal
        for part, names in _WRITES.items():
            for name in names:
                self._watch(getattr(journal, part), name)
        self._watch(journal, "note")

    def assert_spoilt(self) -> None:
        """The write at which the disk was spoilt did fail, and was there at all."""
        assert self._count > self._at, f"there were only {self._count} writes"
        assert self._failed, "it could be written on the spoilt disk"

    def _watch(self, owner: object, name: str) -> None:
        write = getattr(owner, name)

        def watched(*arguments: object, **named: object) -> object:
            is_last = self._count == self._at
            if is_last:
                self._spoil()
            self._count += 1
            try:
                return write(*arguments, **named)
            except JournalError:
                self._failed = self._failed or is_last
                raise

        setattr(owner, name, watched)


def mount(*arguments: str) -> None:
    subprocess.run(["/usr/bin/mount", *arguments], check=True)  # noqa: S603


def assert_true_words(bench: Bench, result: PaymentResult) -> None:
    """What was said while nothing could be written is what the cards say later."""
    debited = 500_000 - bench.balance()
    match result:
        case Paid():
            assert debited == AMOUNT
        case Refused():
            assert debited == 0
            assert result.reason is RefusalReason.JOURNAL_FAILED
            assert "Nothing was taken" in result.advice.money
        case Unknown():
            assert "not known yet" in result.advice.money
    if not isinstance(result, Paid):
        assert "disk is full" in result.advice.happened
        assert "free space" in result.advice.next_step


def assert_goes_on(bench: Bench) -> None:
    assert bench.counter.snapshot().disk is None
    assert bench.assert_all_value_is_accounted() in {0, AMOUNT}
    before = bench.balance()
    assert isinstance(bench.pay("0.100", "INV-NEXT"), Paid)
    assert bench.balance() == before - 100


def pull_out_at_debit(bench: Bench) -> None:
    seen = bench.counter.read_purse()
    bench.faults.arm("lost", 3, removes=True)
    assert isinstance(bench.pay(seen=seen), Unknown)
    bench.faults.disarm()


def payment(disk: SmallDisk, at: int) -> None:
    """The disk is full from the n-th write of a payment on."""
    bench = disk.bench
    bench.start()
    seen = bench.counter.read_purse()
    disk.spoil_at(at, disk.fill)
    result = bench.pay(seen=seen)
    disk.assert_spoilt()
    assert_true_words(bench, result)
    assert bench.counter.snapshot().disk is DiskTrouble.FULL
    assert bench.counter.on_card_inserted() == []
    disk.free()
    bench.settle()
    assert_true_words(bench, result)
    assert_goes_on(bench)


def settling(disk: SmallDisk, at: int) -> None:
    """... from the n-th write of a recovery on."""
    bench = disk.bench
    bench.start()
    pull_out_at_debit(bench)
    disk.spoil_at(at, disk.fill)
    bench.readers.insert(Role.PURSE, bench.purse)
    told = bench.counter.on_card_inserted()
    disk.assert_spoilt()
    assert told == []
    assert bench.counter.snapshot().disk is DiskTrouble.FULL
    assert len(bench.counter.interrupted()) == 1
    disk.free()
    told = bench.counter.on_card_inserted() or bench.settle()
    assert [each.verdict for each in told] == [RecoveryVerdict.PAID]
    assert_goes_on(bench)


def closing(disk: SmallDisk, at: int) -> None:
    """... from the n-th write of an end of day on."""
    bench = disk.bench
    bench.start()
    with BankStore.create(disk.folder.parent / "bank.sqlite") as store:
        world = World(bench, store)
        assert isinstance(bench.pay(), Paid)
        disk.spoil_at(at, disk.fill)
        result = world.close_day()
        disk.assert_spoilt()
        assert "disk is full" in result.advice.happened
        assert "Nothing is lost" in result.advice.money
        disk.free()
        assert isinstance(bench.pay("0.100", "INV-NEXT"), Paid)
        world.close_day()
        world.close_day()
        world.assert_settled(AMOUNT + 100)


def low(disk: SmallDisk, _: int) -> None:
    """A payment is refused in time, before any card is touched."""
    bench = disk.bench
    bench.start()
    order = bench.order()
    seen = bench.counter.read_purse()
    disk.fill(leave=FREE_BYTES_MIN - 1)
    assert 0 < disk.free_bytes() < FREE_BYTES_MIN
    assert bench.counter.snapshot().disk is DiskTrouble.FULL
    bench.faults.log.clear()
    result = bench.counter.pay(order, seen, bytearray(b"1234"))
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.DISK_FULL
    assert "disk is full" in result.advice.happened
    assert "Nothing was taken" in result.advice.money
    try:
        bench.counter.read_purse()
    except CardProblemError as problem:
        assert problem.code is CardProblemCode.DISK_FULL  # noqa: PT017  no pytest here
    else:
        raise AssertionError("the card was read")
    assert bench.faults.log == []
    disk.free()
    assert_goes_on(bench)


def finished(disk: SmallDisk, _: int) -> None:
    """What is left below the limit is enough to settle what was begun before."""
    bench = disk.bench
    bench.start()
    pull_out_at_debit(bench)
    disk.fill(leave=FREE_BYTES_MIN - 1)
    bench.readers.insert(Role.PURSE, bench.purse)
    (told,) = bench.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.PAID
    assert bench.assert_all_value_is_accounted() == AMOUNT


def started_full(disk: SmallDisk, _: int) -> None:
    """Started on a full disk it says so, and loses nothing."""
    bench = disk.bench
    bench.start()
    pull_out_at_debit(bench)
    bench.stop()
    disk.fill()
    try:
        bench.start()
    except JournalError as error:
        assert "Check the disk (full" in str(error)  # noqa: PT017  no pytest here
    else:
        assert bench.counter.snapshot().disk is DiskTrouble.FULL
        bench.stop()
    disk.free()
    bench.readers.insert(Role.PURSE, bench.purse)
    bench.start()
    assert [each.verdict for each in bench.news] == [RecoveryVerdict.PAID]
    assert_goes_on(bench)


def started_read_only(disk: SmallDisk, _: int) -> None:
    """Started on a read-only disk it says so, and loses nothing."""
    bench = disk.bench
    bench.start()
    pull_out_at_debit(bench)
    bench.stop()
    mount("-o", "remount,ro", str(disk.folder))
    try:
        bench.start()
    except JournalError as error:
        assert "Read-only file system" in str(error)  # noqa: PT017  no pytest here
    else:
        raise AssertionError("it started")
    mount("-o", "remount,rw", str(disk.folder))
    bench.readers.insert(Role.PURSE, bench.purse)
    bench.start()
    assert [each.verdict for each in bench.news] == [RecoveryVerdict.PAID]
    assert_goes_on(bench)


def broken_down(disk: SmallDisk, at: int) -> None:
    """The disk turns read-only at the n-th write of a payment, files open as they are.

    Mended and mounted again it holds what was on it, and everything ends accounted.
    """
    bench = disk.bench
    bench.start()
    seen = bench.counter.read_purse()
    disk.spoil_at(at, disk.break_down)
    result = bench.pay(seen=seen)
    disk.assert_spoilt()
    assert_true_words(bench, result)
    assert bench.counter.snapshot().disk is DiskTrouble.READ_ONLY
    bench.faults.log.clear()
    refused = bench.counter.pay(bench.order("1", "INV-2"), seen, bytearray(b"1234"))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.DISK_READ_ONLY
    assert bench.faults.log == []
    bench.stop()
    image = disk.folder.parent / "image"
    subprocess.run(["/usr/bin/umount", str(disk.folder)], check=True)  # noqa: S603
    mount("-o", "loop", str(image), str(disk.folder))
    bench.start()
    assert_true_words(bench, result)
    assert_goes_on(bench)


CASES: Final = {
    case.__name__: case
    for case in (
        payment,
        settling,
        closing,
        low,
        finished,
        started_full,
        started_read_only,
        broken_down,
    )
}


def main() -> None:
    name, at, folder = sys.argv[1:]
    disk = SmallDisk(Path(folder))
    try:
        CASES[name](disk, int(at))
    finally:
        disk.bench.stop()


if __name__ == "__main__":
    main()
