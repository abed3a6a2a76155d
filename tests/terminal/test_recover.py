"""Recovery: whatever becomes of the journal, the customs card makes it whole again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.store.books import BankStore
from sim.cards.issue import CustomsData, issue_customs_card
from terminal.day import DayVerdict
from terminal.entries import BatchState
from terminal.errors import CardProblemError, JournalDamagedError, JournalError
from terminal.journal import Journal, audit_journal, newest_entries
from terminal.journal_database import JournalDatabase
from terminal.journal_files import JournalFiles
from terminal.machine import recover_journal
from terminal.orders import Paid, RecoveryVerdict
from tests.fake_readers import Stopped
from tests.terminal.test_audit import tamper
from tests.terminal.test_day_flow import OMR, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from terminal.rebuild import RecoverProgress, RecoverResult
    from tests.terminal.conftest import Bench

MID = bytes.fromhex("43555300 00000007")


@pytest.fixture
def world(running: Bench, quick_path: Path) -> Iterator[World]:
    """A counter that is running, and a bank in the same process."""
    with BankStore.create(quick_path / "bank.sqlite") as store:
        yield World(running, store)


def recover(
    bench: Bench,
    *sources: Path,
    on_progress: Callable[[RecoverProgress], None] = lambda _: None,
) -> RecoverResult:
    bench.faults.disarm()
    bench.stop()
    return recover_journal(
        bench.config,
        sources,
        on_progress=on_progress,
        layer=bench.readers,
        clock=bench.clock,
    )


def a_day(bench: Bench) -> None:
    """One closed batch of two payments, three payments since, one open record."""
    bench.pay("1.000", "INV-2025-000001")
    bench.pay("2.000", "INV-2025-000002")
    bench.counter.close_day(lambda _: None)
    for number in (3, 4, 5):
        bench.pay(f"{number}.000", f"INV-2025-{number:06d}")
    seen = bench.counter.read_purse()
    # The answer to DEBIT is lost and the card is gone with it.
    bench.faults.arm("lost", 3, removes=True)
    bench.pay("6.000", "INV-2025-000006", seen=seen)
    bench.faults.disarm()


def lose(bench: Bench) -> None:
    """The machine is gone, and with it everything that it held."""
    bench.stop()
    shutil.rmtree(bench.config.state_directory)


def damage(bench: Bench, name: str = "payments_by_place") -> None:
    """Zero the first page of a table or index of the database."""
    bench.stop()
    path = JournalFiles(bench.config.state_directory).database
    with closing(sqlite3.connect(path)) as database:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = database.execute(sql, (name,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))


def declarations(bench: Bench) -> dict[int, str]:
    """What the journal knows of the card's payments, by receipt or payment number."""
    journal = Journal.open(bench.config.state_directory, os.urandom)
    book = journal.payments
    found = [*book.credited_in(MID, 1), *book.credited_in(MID, 2), *book.unfinished()]
    journal.close()
    return {payment.number: payment.declaration for payment in found}


def facts(bench: Bench) -> list[object]:
    """All that a journal says, but for the times and the seals."""
    journal = Journal.open(bench.config.state_directory, os.urandom)
    book = journal.payments
    payments = [*book.credited_in(MID, 1), *book.credited_in(MID, 2)]
    found: list[object] = [
        (one.number, one.receipt, one.details, one.tx, one.state, one.position)
        for one in (*payments, *book.unfinished())
    ]
    found += [
        (batch.close, batch.opens, batch.state)
        for batch in journal.batches.in_state(*BatchState)
    ]
    journal.close()
    return found


def test_a_lost_machine_is_replaced_from_the_customs_card_alone(
    running: Bench,
) -> None:
    a_day(running)
    lose(running)
    result = recover(running)
    assert (result.credited, result.total.amount_minor) == (5, 15_000)
    assert (result.open_count, result.waiting) == (1, (1,))
    assert (result.declared, result.set_aside) == (0, None)
    assert "5 payments of 15.000 OMR" in result.advice.happened
    assert "1 open record" in result.advice.happened
    assert "Put the card of the open record back" in result.advice.next_step
    assert set(declarations(running).values()) == {""}


def test_a_damaged_journal_gives_what_can_be_read_of_it(running: Bench) -> None:
    a_day(running)
    before = declarations_running(running)
    damage(running)
    with pytest.raises(JournalDamagedError, match="raseed-terminal recover"):
        Journal.open(running.config.state_directory, os.urandom)
    result = recover(running)
    assert (result.credited, result.open_count, result.declared) == (5, 1, 6)
    assert declarations(running) == before
    assert result.set_aside is not None
    kept = {path.name for path in result.set_aside.iterdir()}
    assert {"journal.sqlite", "journal.key", "journal.head"} <= kept
    assert not (running.config.state_directory / "rebuilding").exists()


def declarations_running(bench: Bench) -> dict[int, str]:
    book = bench.journal.payments
    found = [*book.credited_in(MID, 1), *book.credited_in(MID, 2), *book.unfinished()]
    return {payment.number: payment.declaration for payment in found}


def test_numbers_of_a_damaged_journal_are_never_given_again(running: Bench) -> None:
    a_day(running)
    last = max(declarations_running(running))
    damage(running)
    recover(running)
    running.start()
    running.settle()
    result = running.pay("0.500", "INV-NEXT")
    assert isinstance(result, Paid)
    assert result.number is not None
    assert result.number > last
    assert result.receipt_number > 6


def test_the_old_log_is_named_by_the_new_one(running: Bench) -> None:
    a_day(running)
    old = running.journal.audit_head()
    assert old is not None
    damage(running)
    recover(running)
    report = audit_journal(running.config.state_directory)
    assert report.is_whole
    assert report.beginning is not None
    assert report.beginning.replaces == old.journal
    kinds = [row[2] for row in newest_entries(running.config.state_directory, 99)]
    assert kinds[0] == "journal-begun"
    assert kinds[-1] == "recovered"


@pytest.mark.parametrize("how", ["missing", "damaged", "foreign"])
def test_without_the_key_the_signed_declarations_are_still_known(
    running: Bench, how: str
) -> None:
    a_day(running)
    before = declarations_running(running)
    running.stop()
    key = running.config.state_directory / "journal.key"
    content = key.read_bytes()
    if how == "missing":
        key.unlink()
    elif how == "damaged":
        key.write_bytes(content[:-9])
    else:
        digit = b"1" if content[-2:-1] == b"0" else b"0"
        key.write_bytes(content[:-2] + digit + b"\n")
    with pytest.raises(JournalDamagedError, match="key file"):
        running.start()
    result = recover(running)
    assert (result.credited, result.open_count, result.declared) == (5, 1, 6)
    assert declarations(running) == before


def test_a_lost_machines_disk_gives_its_declarations_later(running: Bench) -> None:
    a_day(running)
    before = declarations_running(running)
    running.stop()
    disk = running.folder / "old disk"
    shutil.move(running.config.state_directory, disk)
    result = recover(running, disk)
    assert result.declared == 6
    assert declarations(running) == before


def test_a_row_that_was_altered_is_not_taken_over(running: Bench) -> None:
    a_day(running)
    running.stop()
    folder = running.config.state_directory
    tamper(folder, "UPDATE payments SET details = replace(details, 'fees', 'deposits')")
    with pytest.raises(JournalDamagedError, match="altered"):
        running.start()
    assert recover(running).declared == 0


def test_amounts_are_the_cards_and_a_row_with_another_is_left_alone(
    running: Bench,
) -> None:
    a_day(running)
    running.stop()
    folder = running.config.state_directory
    tamper(folder, "UPDATE payments SET amount_minor = 9 WHERE number = 1")
    result = recover(running)
    assert (result.total.amount_minor, result.declared) == (15_000, 5)


def test_a_declaration_that_the_cards_did_not_sign_is_left_out(running: Bench) -> None:
    a_day(running)
    running.stop()
    folder = running.config.state_directory
    tamper(
        folder,
        "DELETE FROM events WHERE payment IS NOT NULL",
        "UPDATE payments SET details = replace(details, '000001', '000009')",
    )
    result = recover(running)
    assert (result.declared, result.unvouched) == (5, 5)


def test_recovery_of_a_whole_journal_changes_nothing_in_it(running: Bench) -> None:
    a_day(running)
    running.stop()
    before = facts(running)
    first = recover(running)
    assert first.set_aside is None
    assert (first.credited, first.open_count, first.declared) == (5, 1, 6)
    assert facts(running) == before
    assert recover(running).advice == first.advice


def test_the_clerk_goes_on_with_the_open_record_afterwards(running: Bench) -> None:
    a_day(running)
    damage(running)
    recover(running)
    running.start()
    (open_one,) = running.counter.interrupted()
    assert open_one.declaration == "INV-2025-000006"
    news = running.settle()
    assert [outcome.verdict for outcome in news] == [RecoveryVerdict.PAID]
    assert news[0].declaration == "INV-2025-000006"
    assert running.assert_all_value_is_accounted() == 21_000


def test_a_proof_that_the_old_journal_held_is_credited_without_the_purse(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    # CREDIT never reaches the customs card; the journal has the purse's proof.
    running.faults.arm("stop-before", 4)
    with pytest.raises(Stopped):
        running.pay("1.000", seen=seen)
    running.readers.remove(Role.PURSE)
    damage_table(running)
    result = recover(running)
    assert (result.credited, result.open_count, result.declared) == (1, 0, 1)
    assert [outcome.verdict for outcome in result.settled] == [RecoveryVerdict.PAID]
    assert running.held() == 1_000


def damage_table(bench: Bench) -> None:
    """Spoil the log, and leave the rows as they are."""
    bench.stop()
    tamper(bench.config.state_directory, "UPDATE events SET at = 'x' WHERE id = 1")


def test_without_a_customs_card_nothing_is_changed(running: Bench) -> None:
    a_day(running)
    damage(running)
    running.readers.remove(Role.CUSTOMS)
    folder = running.config.state_directory
    before = (folder / "journal.sqlite").read_bytes()
    with pytest.raises(CardProblemError, match="customs card"):
        recover(running)
    assert (folder / "journal.sqlite").read_bytes() == before
    running.readers.insert(Role.CUSTOMS, running.customs)
    assert recover(running).credited == 5


def test_a_counter_that_runs_is_left_alone(running: Bench) -> None:
    with pytest.raises(JournalError, match="Another program"):
        recover_journal(
            running.config,
            on_progress=lambda _: None,
            layer=running.readers,
            clock=running.clock,
        )


def test_payments_on_another_customs_card_are_told_of(running: Bench) -> None:
    a_day(running)
    damage(running)
    running.readers.remove(Role.CUSTOMS)
    other = issue_customs_card(None, CustomsData(merchant_id="4355530000000008"))
    running.readers.insert(Role.CUSTOMS, other)
    result = recover(running)
    assert (result.credited, result.elsewhere) == (0, 1)
    assert result.set_aside is not None
    running.readers.remove(Role.CUSTOMS)
    running.readers.insert(Role.CUSTOMS, running.customs)
    again = recover(running, result.set_aside)
    assert (again.credited, again.open_count, again.declared) == (5, 1, 6)


def test_a_disk_on_which_no_new_journal_can_be_made_is_told_of(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day(running)
    damage(running)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", full)
        with pytest.raises(JournalError, match="No space left"):
            recover(running)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(JournalError, match="No space left"):
            recover(running)
    assert recover(running).declared == 6


class Killed(BaseException):
    """The process ends here; nothing may catch this."""


def kill_at(place: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop at the ``place``-th step that changes a file or the database."""
    count = [0]

    def counted(step: Callable[..., object]) -> Callable[..., object]:
        def step_or_die(*args: object, **named: object) -> object:
            if count[0] == place:
                raise Killed
            count[0] += 1
            return step(*args, **named)

        return step_or_die

    for owner, name in (
        (Path, "rename"),
        (Path, "mkdir"),
        (Path, "unlink"),
        (shutil, "rmtree"),
        (JournalDatabase, "_append"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return count


def test_a_recovery_killed_anywhere_and_run_again_ends_in_the_same_place(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day(running)
    damage(running)
    state = running.config.state_directory
    saved = running.folder / "saved"
    shutil.copytree(state, saved)
    recover(running)
    expected = facts(running)
    for place in range(1000):
        shutil.rmtree(state)
        shutil.copytree(saved, state)
        with monkeypatch.context() as patch:
            kill_at(place, patch)
            try:
                recover(running)
            except Killed:
                killed = True
            else:
                killed = False
        if not killed:
            break
        if place % 2:
            # The counter is started in between: it must not begin with nothing.
            with suppress(JournalDamagedError):
                Journal.open(state, os.urandom).close()
        recover(running)
        assert facts(running) == expected, place
        assert len(list(state.glob("replaced-*"))) == 1, place
        assert audit_journal(state).is_whole
    assert place > 20


def assert_all_is_posted(world: World, amount_minor: int) -> None:
    """All of it is with the bank, once, and nothing is left here."""
    assert world.posted() == amount_minor
    assert world.bench.held() == 0
    assert 500_000 - world.bench.balance() == amount_minor
    assert check_bank(world.store, MasterKeyStore(TEST_MASTERS)).ok


def open_incidents(world: World) -> list[str]:
    with world.store.read() as books:
        noted = books.batches.noted_incidents()
    return [one.incident.code for one in noted if one.is_open]


def test_after_recovery_the_bank_takes_everything(world: World) -> None:
    bench = world.bench
    a_day(bench)
    damage(bench)
    recover(bench)
    bench.start()
    bench.settle()
    result = world.close_day()
    assert result.verdict is DayVerdict.COLLECTED, result.advice
    assert result.suspended is None
    assert_all_is_posted(world, 21_000)
    assert open_incidents(world) == [IncidentCode.JOURNAL_REPLACED]


@pytest.mark.parametrize("how", ["lost", "damaged", "no key", "cut tail"])
@pytest.mark.parametrize("cut_at", [3, 4, 5])
def test_a_batch_that_was_sent_in_part_before_the_loss_is_posted_once(
    world: World, how: str, cut_at: int
) -> None:
    bench = world.bench
    for number in (1, 2, 3, 4):
        bench.pay(f"{number}.000", f"INV-2025-{number:06d}")
    world.line.cut_at = cut_at
    assert world.close_day().verdict is DayVerdict.PENDING
    world.line.cut_at = -1
    if how == "lost":
        lose(bench)
    elif how == "no key":
        bench.stop()
        (bench.config.state_directory / "journal.key").unlink()
    elif how == "damaged":
        damage_table(bench)
    else:
        bench.stop()
        tamper(bench.config.state_directory, "DELETE FROM payments WHERE number > 2")
    result = recover(bench)
    assert (result.credited, result.waiting) == (4, (1,))
    bench.start()
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert bench.held() == 0
    with world.store.read() as books:
        held_minor = books.ledger.balance_minor(Account.suspense(OMR))
    # What the bank knew of a payment before the loss it keeps; it never pays twice.
    assert world.posted() + held_minor == 10_000
    assert held_minor == 0 or result.declared < 4
    assert check_bank(world.store, MasterKeyStore(TEST_MASTERS)).ok


def test_a_batch_found_on_the_card_has_only_the_records_open_when_it_was_closed(
    world: World,
) -> None:
    """Records opened since are not of it: with them the bank would never take it."""
    world.line.busy = True
    a_day(world.bench)
    lose(world.bench)
    result = recover(world.bench)
    assert (result.open_count, result.waiting) == (1, (1,))
    world.line.busy = False
    world.bench.start()
    assert world.close_day().verdict is DayVerdict.COLLECTED
    world.bench.settle()
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert world.bench.held() == 0
    assert check_bank(world.store, MasterKeyStore(TEST_MASTERS)).ok


def test_records_open_at_a_close_and_settled_since_come_from_the_old_journal(
    world: World,
) -> None:
    """The card has forgotten them; the bank waits for them with the batch."""
    world.line.busy = True
    bench = world.bench
    seen = bench.counter.read_purse()
    bench.faults.arm("lost", 3, removes=True)
    bench.pay("6.000", "INV-2025-000006", seen=seen)
    bench.faults.disarm()
    world.close_day()
    bench.settle()
    damage(bench)
    result = recover(bench)
    assert (result.credited, result.open_count, result.waiting) == (1, 0, (1,))
    world.line.busy = False
    bench.start()
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert_all_is_posted(world, 6_000)
    assert open_incidents(world) == []
