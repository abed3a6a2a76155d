"""The end of day against the real bank: resumable anywhere, nothing twice or lost."""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from modem.errors import BusyError, CallLostError, CallTimeoutError
from modem.events import Connected, DialFailed, Dialling, Secured, Securing
from modem.result_codes import ResultCode
from settlement.bank import Bank
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.intake import IntakeMachine
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account, payee_account
from settlement.payment import PaymentKind
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from terminal.day import DayPhase, DayVerdict
from terminal.entries import BatchState
from terminal.errors import CounterStateError, JournalError
from terminal.journal import audit_journal, newest_entries
from terminal.orders import InterruptedState, Paid, RecoveryVerdict, Unknown
from terminal.redial import FRUITLESS_CALLS_MAX
from terminal.snapshot import LineState
from tests.fake_readers import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modem.events import CallEvent
    from terminal.day import DayProgress, DayResult
    from terminal.entries import JournalBatch
    from tests.terminal.conftest import Bench

OMR = 512
CID = bytes.fromhex("64000000 00000001")
MID = bytes.fromhex("43555300 00000007")
WAIT_S = 20
NOW = datetime(2025, 11, 22, 15, 0, tzinfo=UTC)


def events(bench: Bench, kind: str) -> str:
    """The details of all events of ``kind`` in the journal."""
    path = bench.config.state_directory / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT detail FROM events WHERE kind = ?", (kind,))
        return "\n".join(detail for (detail,) in rows)


class Line:
    """Calls to the bank inside the process, which can break off at any message.

    Attributes:
        cut_at: the message, counted from 0 over both ways, at which the call is lost.
        cuts: the same for the first calls, one each; later ones are not cut.
        holds_bytes: so many go over it in each call, both ways together.
        deaf: answers that get lost on their way while the call stays up.
        during: called at every message, as the world goes on during a call.
        certificate_until: the end of the terminal's certificate, as TLS tells it.
        bank: that answers the next call.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.terminal_id = "T0000007"
        self.cut_at = -1
        self.cuts: list[int] = []
        self.holds_bytes = 2**31
        self.bytes = 0
        self.deaf = 0
        self.busy = False
        self.certificate_until: datetime | None = None
        self.calls = 0
        self.count = 0
        self.during: Callable[[], None] = lambda: None

    def dial(self, on_event: Callable[[CallEvent], None]) -> LoopCall:
        on_event(Dialling(number="5551234", attempt=1))
        if self.busy:
            raise BusyError("5551234")
        on_event(Connected(rate_bps=9600))
        on_event(Securing())
        on_event(Secured(peer_name="host", own_until=self.certificate_until))
        self.calls += 1
        self.count = 0
        self.bytes = 0
        if self.cuts:
            self.cut_at = self.cuts.pop(0)
        return LoopCall(self, IntakeMachine(self.terminal_id, self.bank, bytes(16)))

    def step(self) -> None:
        self.during()
        self.count += 1
        if self.count - 1 == self.cut_at:
            raise CallLostError("the line is dead")

    def carry(self, message: bytes) -> None:
        self.bytes += len(message)
        if self.bytes > self.holds_bytes:
            raise CallLostError("the line is dead")


class LoopCall:
    def __init__(self, line: Line, machine: IntakeMachine) -> None:
        self._line = line
        self._machine = machine
        self._answers: deque[bytes] = deque()

    def send(self, message: bytes) -> None:
        self._line.step()
        self._line.carry(message)
        self._answers.extend(self._machine.receive(message, NOW))

    def receive(self, timeout_ms: int) -> bytes:
        self._line.step()
        while self._answers:
            answer = self._answers.popleft()
            if self._line.deaf == 0:
                self._line.carry(answer)
                return answer
            self._line.deaf -= 1
        raise CallTimeoutError(timeout_ms)

    def close(self) -> None:
        pass


class World:
    """A bench, a bank, and the line between them."""

    def __init__(self, bench: Bench, store: BankStore) -> None:
        keys = MasterKeyStore(TEST_MASTERS)
        self.bench = bench
        self.store = store
        self.line = Line(Bank(store, keys))
        issuing = Issuing(store, keys, lambda: NOW)
        issuing.open_account(
            number="0100000001", holder="ALI", currency=OMR, deposit_minor=5_000_000
        )
        issuing.register_customs_card(
            mid=MID, terminal_id="T0000007", office="SOHAR", currency=OMR, kv=1
        )
        purse = PurseRow(
            cid=CID,
            account=Account.customer("0100000001", OMR),
            holder="TEST PURSE",
            currency=OMR,
            kv=1,
            balance_limit_minor=2_000_000,
            payment_limit_minor=2_000_000,
            valid_from=date(2025, 1, 1),
            expiry=date(2030, 12, 31),
        )
        issuing.register_card(purse, brought_minor=500_000)
        bench.dial = self.line.dial

    def close_day(self) -> DayResult:
        return self.bench.counter.close_day(lambda _: None)

    def posted(self) -> int:
        with self.store.read() as books:
            account = payee_account(PaymentKind.FEES, "SOHAR", OMR)
            return books.ledger.balance_minor(account)

    def assert_settled(
        self, amount_minor: int, *, incidents: tuple[IncidentCode, ...] = ()
    ) -> None:
        """All of it is with the bank, once; nothing is left here.

        Args:
            amount_minor: all that was paid.
            incidents: everything that the bank has to look into, and no more.
        """
        assert self.posted() == amount_minor
        assert self.bench.held() == 0
        assert 500_000 - self.bench.balance() == amount_minor
        assert self.bench.counter.snapshot().unsettled == ()
        with self.store.read() as books:
            noted = tuple(one.code for one in books.batches.incidents())
            assert noted == incidents
        assert check_bank(self.store, MasterKeyStore(TEST_MASTERS)).ok


@pytest.fixture
def world(running: Bench, quick_path: Path) -> Iterator[World]:
    with BankStore.create(quick_path / "bank.sqlite") as store:
        yield World(running, store)


def test_the_bank_keeps_where_the_audit_log_stood_with_each_batch(
    world: World,
) -> None:
    for amount in ("1.000", "2.000"):
        world.bench.pay(amount)
        assert world.close_day().verdict is DayVerdict.COLLECTED
    with world.store.read() as books:
        kept = [one.head for one in books.heads.of_terminal("T0000007")]
    assert len(kept) == 2
    folder = world.bench.config.state_directory
    report = audit_journal(folder, {head.entries for head in kept})
    assert all(report.fits(head) for head in kept)
    kinds = [row[2] for row in newest_entries(folder, 99)]
    assert "batch-closed" in kinds[: kept[0].entries]
    assert "batch-collected" not in kinds[: kept[0].entries]


@pytest.mark.parametrize(
    ("days", "is_told"), [(29, True), (-1, True), (30, False), (900, False)]
)
def test_a_certificate_that_ends_within_30_days_is_told_at_the_end_of_day(
    world: World, days: int, is_told: bool
) -> None:
    until = NOW + timedelta(days=days)
    world.line.certificate_until = until
    world.bench.pay("1.000")
    result = world.close_day()
    assert result.verdict is DayVerdict.COLLECTED
    assert result.certificate_until == (until if is_told else None)


def test_every_end_of_day_is_in_the_log_with_how_it_ended(world: World) -> None:
    world.line.busy = True
    world.bench.pay("1.000")
    world.close_day()
    world.line.busy = False
    world.close_day()
    assert events(world.bench, "day-begun") == "\n"
    assert events(world.bench, "day-ended") == "pending\ncollected"


def test_every_payment_of_the_day_reaches_the_customs_account(world: World) -> None:
    for amount in ("1.000", "2.500", "0.001"):
        world.bench.pay(amount)
    progress: list[DayProgress] = []
    result = world.bench.counter.close_day(progress.append)
    assert result.verdict is DayVerdict.COLLECTED
    (batch,) = result.batches
    assert (batch.number, batch.count, batch.total.amount_minor) == (1, 3, 3_501)
    assert batch.collected
    assert "3.501 OMR" in result.advice.money
    assert batch.posted is not None
    assert (batch.posted.count, batch.posted.total.amount_minor) == (3, 3_501)
    assert (result.suspended, result.failed_phase) == (None, None)
    assert result.advice.next_step == "Nothing is left to do."
    phases = list(dict.fromkeys(step.phase for step in progress))
    assert phases == list(DayPhase)
    sending = [step for step in progress if step.phase is DayPhase.SENDING]
    assert [step.done for step in sending] == [0, 3]
    assert {step.total for step in sending} == {3}
    world.assert_settled(3_501)


def test_a_batch_that_the_bank_only_receives_waits_until_it_is_posted(
    world: World,
) -> None:
    world.bench.pay("1.000")
    world.bench.pay("2.500")
    prompt = world.line.bank
    world.line.bank = Bank(world.store, MasterKeyStore(TEST_MASTERS), groups_max=0)
    result = world.close_day()
    assert result.verdict is DayVerdict.PENDING
    (batch,) = result.batches
    assert (batch.number, batch.collected, batch.received) == (1, False, True)
    assert batch.posted is None
    assert "has received 2 payments" in result.advice.happened
    assert "Nothing is lost" in result.advice.money
    assert events(world.bench, "batch-received") == ""
    assert events(world.bench, "record-refused") == ""
    assert world.posted() == 0
    [waiting] = world.bench.counter.snapshot().unsettled
    assert waiting.code == "09"
    # The counter works on meanwhile, and the next call ends both batches.
    world.bench.pay("0.500")
    world.line.bank = prompt
    result = world.close_day()
    assert result.verdict is DayVerdict.COLLECTED
    assert [one.number for one in result.batches] == [1, 2]
    assert result.posted is not None
    assert result.posted.count == 3
    world.assert_settled(4_000)


def test_a_day_without_payments_has_nothing_to_send_and_calls_for_the_lists_alone(
    world: World,
) -> None:
    assert world.close_day().verdict is DayVerdict.NOTHING_TO_SEND
    world.bench.pay()
    world.close_day()
    result = world.close_day()
    assert result.verdict is DayVerdict.NOTHING_TO_SEND
    assert result.downloads is not None
    assert result.downloads.is_complete
    assert world.line.calls == 3


def test_a_line_that_fails_when_there_was_nothing_to_send_is_told_and_fails_no_batch(
    world: World,
) -> None:
    world.line.busy = True
    result = world.close_day()
    assert result.verdict is DayVerdict.NOTHING_TO_SEND
    assert result.downloads is not None
    assert result.downloads.trouble == "The bank's number is busy."


def test_a_busy_line_leaves_the_batch_and_payments_go_on_in_the_next(
    world: World,
) -> None:
    world.bench.pay("1.000")
    world.line.busy = True
    result = world.close_day()
    assert result.verdict is DayVerdict.PENDING
    assert "busy" in result.advice.happened
    assert result.failed_phase is DayPhase.DIALLING
    (batch,) = result.batches
    assert (batch.number, batch.count, batch.collected) == (1, 1, False)
    assert (batch.total.amount_minor, batch.posted) == (1_000, None)
    assert "Nothing is lost" in result.advice.money
    assert isinstance(world.bench.pay("2.000"), Paid)
    snapshot = world.bench.counter.snapshot()
    assert [batch.number for batch in snapshot.unsettled] == [1]
    assert snapshot.batch is not None
    assert (snapshot.batch.number, snapshot.batch.count) == (2, 1)
    assert snapshot.line is LineState.IDLE
    world.line.busy = False
    world.bench.restart()
    result = world.close_day()
    assert [batch.number for batch in result.batches] == [1, 2]
    world.assert_settled(3_000)


@pytest.mark.parametrize("cut_at", range(18))
def test_a_call_cut_at_any_message_is_made_again_and_nothing_counts_twice(
    world: World, cut_at: int
) -> None:
    for _ in range(3):
        world.bench.pay("1.000")
    world.line.cut_at = cut_at
    first = world.close_day()
    assert first.verdict in {DayVerdict.PENDING, DayVerdict.COLLECTED}
    world.line.cut_at = -1
    world.bench.restart()
    world.close_day()
    world.assert_settled(3_000)


@pytest.mark.parametrize("cut_at", range(8))
def test_a_call_that_is_cut_once_is_made_again_in_the_same_end_of_day(
    world: World, cut_at: int
) -> None:
    for _ in range(3):
        world.bench.pay("1.000")
    world.line.cuts = [cut_at, -1]
    progress: list[DayProgress] = []
    result = world.bench.counter.close_day(progress.append)
    assert result.verdict is DayVerdict.COLLECTED
    assert world.line.calls == 2
    details = [step.detail for step in progress if step.phase is DayPhase.DIALLING]
    assert (
        "The call was cut; nothing is lost. Dialling again (call 2 of at most 12)"
        in details
    )
    assert events(world.bench, "call-cut") == "the line is dead"
    world.assert_settled(3_000)


def test_progress_goes_on_where_the_bank_says_that_it_stood(world: World) -> None:
    for _ in range(3):
        world.bench.pay("1.000")
    # The payments arrive, their answer does not.
    world.line.cuts = [5, -1]
    progress: list[DayProgress] = []
    world.bench.counter.close_day(progress.append)
    sending = [step.done for step in progress if step.phase is DayPhase.SENDING]
    assert sending == [0, 0, 3]
    # Logon, header and totals: no payment went up again.
    assert world.line.count == 6
    world.assert_settled(3_000)


def test_progress_never_goes_back_when_a_call_is_cut(world: World) -> None:
    for _ in range(3):
        world.bench.pay("1.000")
    # The answer to the totals is lost, and so is the first answer after that.
    world.line.cuts = [7, 1, -1]
    progress: list[DayProgress] = []
    world.bench.counter.close_day(progress.append)
    sending = [step.done for step in progress if step.phase is DayPhase.SENDING]
    assert sending == [0, 3, 3, 3, 3]
    world.assert_settled(3_000)


def test_a_line_that_brings_nothing_is_given_up_after_some_calls(world: World) -> None:
    world.bench.pay("1.000")
    world.line.cut_at = 3
    result = world.close_day()
    assert result.verdict is DayVerdict.PENDING
    assert "was lost" in result.advice.happened
    assert "Nothing is lost" in result.advice.money
    assert world.line.calls == FRUITLESS_CALLS_MAX
    world.line.cut_at = -1
    world.close_day()
    world.assert_settled(1_000)


def test_what_became_of_a_payment_is_noted_once_in_however_many_calls(
    world: World,
) -> None:
    world.bench.pay("1.000")
    world.bench.stop()
    for path in world.bench.config.state_directory.iterdir():
        path.unlink()
    world.bench.restart()
    # Without its declaration the payment is suspended, and each call tells it again.
    world.line.cuts = [7, 5, -1]
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert world.line.calls == 3
    noted = events(world.bench, "record-refused").splitlines()
    assert len(noted) == 1
    assert noted[0].endswith(": 05")


def test_a_line_that_holds_for_half_a_group_brings_the_day_through(
    world: World,
) -> None:
    for _ in range(34):
        world.bench.pay("1.000")
    world.line.holds_bytes = 1_000
    progress: list[DayProgress] = []
    result = world.bench.counter.close_day(progress.append)
    assert result.verdict is DayVerdict.COLLECTED
    sending = [step for step in progress if step.phase is DayPhase.SENDING]
    assert list(dict.fromkeys(step.done for step in sending)) == [0, 16, 32, 34]
    world.assert_settled(34_000)


@pytest.mark.parametrize("deaf", [1, 2, 3])
def test_lost_answers_are_asked_for_again_in_the_same_call(
    world: World, deaf: int
) -> None:
    for _ in range(3):
        world.bench.pay("1.000")
    world.line.deaf = deaf
    assert world.close_day().verdict is DayVerdict.COLLECTED
    world.assert_settled(3_000)


def test_a_bank_that_falls_silent_leaves_the_batch_pending(world: World) -> None:
    world.bench.pay("1.000")
    world.line.deaf = 1_000_000
    result = world.close_day()
    assert result.verdict is DayVerdict.PENDING
    assert "Nothing is lost" in result.advice.money
    world.line.deaf = 0
    world.close_day()
    world.assert_settled(1_000)


@pytest.mark.parametrize("kind", ["stop-before", "stop-after", "lost"])
@pytest.mark.parametrize("at", range(7))
def test_an_end_of_day_stopped_at_any_card_command_goes_on_at_the_next(
    world: World, at: int, kind: str
) -> None:
    for _ in range(2):
        world.bench.pay("1.000")
    world.bench.faults.arm(kind, at)
    with suppress(Stopped):
        world.close_day()
    world.bench.restart()
    world.close_day()
    world.assert_settled(2_000)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ["add", "collected", "acknowledged"])
def test_an_end_of_day_stopped_at_any_journal_write_goes_on_at_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool
) -> None:
    world.bench.pay("1.000")
    book = world.bench.journal.batches
    write = getattr(book, name)

    def stop(*args: object) -> object:
        if after:
            write(*args)
        raise Stopped

    monkeypatch.setattr(book, name, stop)
    with pytest.raises(Stopped):
        world.close_day()
    world.bench.restart()
    world.close_day()
    world.assert_settled(1_000)


def test_a_payment_taken_during_the_call_goes_into_the_next_batch(
    world: World,
) -> None:
    world.bench.pay("1.000")
    paid: list[object] = []

    def pay_once() -> None:
        if world.line.count == 3 and not paid:
            # In a thread of its own, as the screens do: the day must hold no lock.
            payer = Thread(target=lambda: paid.append(world.bench.pay("0.500")))
            payer.start()
            payer.join(WAIT_S)
            assert paid, "the payment waited for the line"

    world.line.during = pay_once
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert isinstance(paid[0], Paid)
    assert world.posted() == 1_000
    assert world.bench.held() == 500
    world.close_day()
    world.assert_settled(1_500)


def test_two_ends_of_day_at_a_time_are_refused(world: World) -> None:
    world.bench.pay("1.000")
    refused: list[bool] = []

    def again() -> None:
        with pytest.raises(CounterStateError):
            world.close_day()
        refused.append(True)

    world.line.during = again
    world.close_day()
    assert refused


def test_without_a_customs_card_a_waiting_batch_is_sent_and_acknowledged_later(
    world: World,
) -> None:
    world.bench.pay("1.000")
    world.line.busy = True
    world.close_day()
    world.line.busy = False
    world.bench.readers.remove(Role.CUSTOMS)
    result = world.close_day()
    assert result.verdict is DayVerdict.PENDING
    assert result.batches[0].collected
    assert "customs card" in result.advice.happened
    assert result.failed_phase is DayPhase.CLOSING
    assert world.bench.held() == 1_000
    assert world.bench.journal.batches.in_state(BatchState.COLLECTED)
    world.bench.readers.insert(Role.CUSTOMS, world.bench.customs)
    world.bench.counter.on_card_inserted()
    world.assert_settled(1_000)


def test_a_bank_ack_whose_answer_was_lost_long_ago_is_done_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = world.bench.journal.batches
    acknowledged = book.acknowledged

    def forgetful(batch: JournalBatch, at: datetime) -> None:
        """The card takes the first one, and nobody writes that down."""
        if batch.number != 1:
            acknowledged(batch, at)

    monkeypatch.setattr(book, "acknowledged", forgetful)
    for amount in ("1.000", "2.000"):
        world.bench.pay(amount)
        world.close_day()
    assert [one.number for one in book.in_state(BatchState.COLLECTED)] == [1]
    # Batch 2 was acknowledged since, so the card answers 6A83 for batch 1.
    world.bench.restart()
    assert world.bench.journal.batches.in_state(BatchState.COLLECTED) == []
    world.assert_settled(3_000)


def test_without_a_customs_card_and_a_batch_the_day_stays_open(world: World) -> None:
    world.bench.pay("1.000")
    world.bench.readers.remove(Role.CUSTOMS)
    result = world.close_day()
    assert (result.verdict, result.batches) == (DayVerdict.PENDING, ())
    assert world.line.calls == 0


def test_a_terminal_that_the_bank_does_not_know_is_told_so(world: World) -> None:
    world.bench.pay("1.000")
    world.line.terminal_id = "T9999999"
    result = world.close_day()
    assert result.verdict is DayVerdict.REFUSED
    assert "T" in result.batches[0].text
    (batch,) = world.bench.counter.snapshot().unsettled
    assert batch.code
    world.line.terminal_id = "T0000007"
    world.close_day()
    world.assert_settled(1_000, incidents=(IncidentCode.TERMINAL_REFUSED,))


def test_a_batch_whose_sums_differ_is_refused_by_name_and_stays(world: World) -> None:
    world.bench.pay("1.000")
    world.bench.pay("2.000")
    book = world.bench.journal.payments
    complete = book.credited_in
    world.bench.readers.remove(Role.CUSTOMS)
    world.bench.readers.insert(Role.CUSTOMS, world.bench.customs)
    book.credited_in = lambda mid, batch: complete(mid, batch)[:1]  # type: ignore[method-assign]  # a journal that lost a payment
    result = world.close_day()
    assert result.verdict is DayVerdict.REFUSED
    assert "did not take the batch" in result.advice.happened
    assert result.failed_phase is DayPhase.RECONCILING
    assert "Nothing is lost" in result.advice.money
    (batch,) = world.bench.counter.snapshot().unsettled
    assert (batch.number, batch.code) == (1, result.batches[0].code)
    assert world.bench.held() == 3_000


def test_a_lost_journal_still_sends_what_the_customs_card_credited(
    world: World,
) -> None:
    world.bench.pay("1.000")
    world.bench.stop()
    for path in world.bench.config.state_directory.iterdir():
        path.unlink()
    world.bench.restart()
    result = world.close_day()
    assert result.verdict is DayVerdict.COLLECTED
    assert world.bench.held() == 0
    # Without its declaration a payment cannot be posted to customs: it is in suspense.
    assert world.posted() == 0
    held = result.suspended
    assert held is not None
    assert (held.count, held.total.amount_minor) == (1, 1_000)
    assert "Nothing goes to the customs account" in result.advice.money
    assert "the bank holds 1.000 OMR" in result.advice.money
    assert "Call the bank" in result.advice.next_step
    assert "in suspense 1 (1000)" in events(world.bench, "batch-collected")
    assert check_bank(world.store).ok


def test_an_unknown_payment_goes_up_with_the_batch_and_the_bank_closes_it(
    world: World,
) -> None:
    bench = world.bench
    seen = bench.counter.read_purse()
    bench.faults.arm("unsent", 3, removes=True)
    assert isinstance(bench.pay("1.000", seen=seen), Unknown)
    # The purse comes back only after its number was used elsewhere.
    bench.purse.memory.commit({"otc": bench.purse.memory.integer("otc") + 1})
    bench.readers.insert(Role.PURSE, bench.purse)
    assert [one.verdict for one in bench.counter.on_card_inserted()] == [
        RecoveryVerdict.LEFT_TO_BANK
    ]
    result = world.close_day()
    assert result.batches[0].open_count == 1
    (interrupted,) = bench.counter.interrupted()
    assert interrupted.state is InterruptedState.LEFT_TO_BANK
    # As long as it is open, each end of day asks the bank again.
    calls = world.line.calls
    assert world.close_day().verdict is DayVerdict.NOTHING_TO_SEND
    assert world.line.calls == calls + 1


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        pytest.param("add", DayPhase.CLOSING, id="closing"),
        pytest.param("in_state", DayPhase.CLOSING, id="reading"),
        pytest.param("collected", DayPhase.RECONCILING, id="reconciling"),
        pytest.param("acknowledged", DayPhase.ACKNOWLEDGING, id="acknowledging"),
    ],
)
def test_a_journal_that_fails_in_the_end_of_day_is_not_blamed_on_the_card(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, phase: DayPhase
) -> None:
    world.bench.pay("1.000")

    def fail(*_: object) -> None:
        raise JournalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.bench.journal.batches, name, fail)
        result = world.close_day()
    assert (result.verdict, result.failed_phase) == (DayVerdict.PENDING, phase)
    assert "disk is full" in result.advice.happened
    assert "card" not in result.advice.next_step
    world.bench.restart()
    world.close_day()
    world.assert_settled(1_000)


def test_a_number_that_is_busy_is_told_in_words_while_dialling_goes_on(
    world: World,
) -> None:
    world.bench.pay("1.000")
    dial = world.line.dial

    def dial_twice(on_event: Callable[[CallEvent], None]) -> LoopCall:
        on_event(Dialling(number="5551234", attempt=1))
        on_event(DialFailed(number="5551234", code=ResultCode.BUSY, retry_in_ms=2_000))
        return dial(on_event)

    world.bench.dial = dial_twice
    progress: list[DayProgress] = []
    world.bench.counter.close_day(progress.append)
    details = [step.detail for step in progress if step.phase is DayPhase.DIALLING]
    assert "5551234: busy; trying again" in details
    world.assert_settled(1_000)
