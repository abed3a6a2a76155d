"""A customs card that was replaced, with a payment still open on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from card.profile import Role
from card.purse import PurseSession
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.open_desk import OpenDesk
from settlement.store.books import BankStore
from sim.cards.issue import (
    CustomsData,
    PurseData,
    issue_customs_card,
    issue_purse,
)
from terminal import __main__ as program
from terminal.counter import Counter
from terminal.day import DayVerdict
from terminal.entries import BatchState
from terminal.errors import CardProblemCode, CardProblemError
from terminal.journal import Journal
from terminal.orders import (
    InterruptedState,
    Paid,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from tests.terminal.conftest import CONFIG_TEXT, PIN
from tests.terminal.test_day_flow import CID, MID, NOW, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from card.records import DebitProof
    from settlement.store.batches import NotedIncident
    from sim.cards.customs import SimulatedCustomsCard
    from terminal.day import DayProgress, DayResult
    from tests.terminal.conftest import Bench

AMOUNT = 1_234
DECLARATION = "INV-2025-000001"
OTHER = "INV-OTHER"
CARD = "640000******0001"
DEBIT = 3
CREDIT = 4
NEW_MID = "4355530000000008"


OMR = 512


@pytest.fixture
def world(running: Bench, quick_path: Path) -> Iterator[World]:
    """A bank that has both customs cards at this counter."""
    with BankStore.create(quick_path / "bank.sqlite") as store:
        world = World(running, store)
        issuing = Issuing(store, MasterKeyStore(TEST_MASTERS), lambda: NOW)
        issuing.register_customs_card(
            mid=bytes.fromhex(NEW_MID),
            terminal_id="T0000007",
            office="SOHAR",
            currency=OMR,
            kv=1,
        )
        yield world


class Replacement:
    """A counter whose customs card was replaced while a payment was open on it."""

    def __init__(
        self,
        bench: Bench,
        kind: str,
        at: int = DEBIT,
        *,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Interrupt a payment and replace the customs card.

        Args:
            bench: the counter.
            kind: of the fault, see `Faults`.
            at: the command that it strikes.
            before: what is done with the old card before it is replaced.
        """
        self.bench = bench
        seen = bench.counter.read_purse()
        bench.faults.arm(kind, at, removes=True)
        self.result = bench.pay(seen=seen)
        bench.faults.disarm()
        before()
        self.old = bench.customs
        self.new = issue_customs_card(None, CustomsData(merchant_id=NEW_MID))
        self.put(self.new)
        bench.readers.insert(Role.PURSE, bench.purse)
        bench.counter.on_card_inserted()

    def put(self, customs: SimulatedCustomsCard) -> None:
        """Put ``customs`` into its reader, in the place of the other one."""
        self.bench.readers.remove(Role.CUSTOMS)
        self.bench.customs = customs
        self.bench.readers.insert(Role.CUSTOMS, customs)

    def held_by_both(self) -> int:
        both = []
        for card in (self.old, self.new):
            self.bench.customs = card
            both.append(self.bench.held())
        return sum(both)


def test_a_purse_whose_payment_a_replaced_customs_card_holds_pays_another_declaration(
    running: Bench,
) -> None:
    replaced = Replacement(running, "lost")
    assert isinstance(replaced.result, Unknown)
    assert isinstance(running.pay("0.500", OTHER), Paid)
    assert 500_000 - running.balance() == AMOUNT + 500
    assert running.held() == 500
    # The first stays what it is, and where it is.
    (left,) = running.counter.interrupted()
    assert left.number == replaced.result.number
    assert left.state is InterruptedState.UNKNOWN


def test_with_its_customs_card_in_the_device_the_purse_pays_nothing_else(
    running: Bench,
) -> None:
    replaced = Replacement(running, "unsent")
    # The purse cannot tell any more: its numbers went on at other counters.
    running.purse.memory.commit({"otc": 9})
    replaced.put(replaced.old)
    (told,) = running.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.LEFT_TO_BANK
    with pytest.raises(CardProblemError) as caught:
        running.counter.read_purse()
    assert caught.value.code is CardProblemCode.UNRESOLVED_PAYMENT
    replaced.put(replaced.new)
    assert isinstance(running.pay("0.500", OTHER), Paid)


@pytest.mark.parametrize("kind", ["lost", "unsent"])
def test_the_same_declaration_is_never_paid_again_there_without_a_warning(
    running: Bench, kind: str
) -> None:
    replaced = Replacement(running, kind)
    before = running.balance()
    order = running.order()
    seen = running.counter.read_purse()
    running.faults.log.clear()
    for refused in (
        running.counter.check_purse(order, seen),
        running.counter.pay(order, seen, bytearray(PIN)),
    ):
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.EARLIER_PAYMENT
    assert running.faults.log == []
    (earlier,) = running.counter.earlier_payments(order)
    assert earlier.number == replaced.result.number
    assert "another customs card than the one in the reader" in earlier.advice.happened
    assert "not known yet" in earlier.advice.money
    assert f"Put that customs card back first, with card {CARD}" in (
        earlier.advice.next_step
    )
    assert running.balance() == before


@pytest.mark.parametrize(
    ("kind", "verdict", "taken"),
    [("lost", RecoveryVerdict.PAID, AMOUNT), ("unsent", RecoveryVerdict.NOT_PAID, 0)],
)
def test_a_payment_taken_meanwhile_does_not_keep_the_first_from_being_settled(
    running: Bench, kind: str, verdict: RecoveryVerdict, taken: int
) -> None:
    replaced = Replacement(running, kind)
    assert isinstance(running.pay("0.500", OTHER), Paid)
    replaced.put(replaced.old)
    (told,) = running.counter.on_card_inserted()
    assert (told.number, told.verdict) == (replaced.result.number, verdict)
    assert running.counter.interrupted() == []
    assert 500_000 - running.balance() == taken + 500
    assert replaced.held_by_both() == taken + 500


def test_nobody_is_sent_for_a_card_that_cannot_settle_it(running: Bench) -> None:
    Replacement(running, "lost")
    (listed,) = running.counter.interrupted()
    running.restart()
    (told,) = running.news
    for advice in (listed.advice, told.advice):
        assert "another customs card than the one in the reader" in advice.happened
        assert "not known yet" in advice.money
        assert "Put that customs card back" in advice.next_step
        assert "end of day" in advice.next_step


def test_one_that_was_paid_is_called_so_with_the_customs_card_that_must_come_back(
    running: Bench,
) -> None:
    replaced = Replacement(running, "unsent", CREDIT)
    assert isinstance(replaced.result, Paid)
    running.readers.insert(Role.PURSE, running.purse)
    (listed,) = running.counter.interrupted()
    assert listed.state is InterruptedState.PAID_NOT_CREDITED
    assert "Put that customs card back" in listed.advice.next_step
    (earlier,) = running.counter.earlier_payments(running.order())
    assert "paid already" in earlier.advice.happened
    assert isinstance(running.pay("0.500", OTHER), Paid)
    assert 500_000 - running.balance() == AMOUNT + 500


# The bank, which finds out what became of it.


def asked_at_the_desk(world: World) -> DebitProof:
    """The customer goes to the card desk: the purse proves the debit there."""
    desk = OpenDesk(world.store, MasterKeyStore(TEST_MASTERS), lambda: NOW)
    (opened,) = desk.open_payments(CID)
    purse = PurseSession(world.bench.readers.open_card("Desk Reader 00 00"))
    purse.select()
    proof = purse.prove(opened.tx)
    desk.debited(opened.tx, proof)
    return proof


def open_incidents(world: World) -> list[NotedIncident]:
    with world.store.read() as books:
        return [one for one in books.batches.noted_incidents() if one.is_open]


def test_the_purses_next_payment_settles_it_and_the_list_shows_it_as_settled(
    world: World,
) -> None:
    bench = world.bench
    replaced = Replacement(bench, "unsent", before=world.close_day)
    assert isinstance(bench.pay("0.500", OTHER), Paid)
    result = world.close_day()
    assert result.verdict is DayVerdict.COLLECTED
    # The old batch was sent again only to ask: it is not called taken once more.
    assert [batch.count for batch in result.batches] == [1]
    (told,) = bench.counter.on_card_inserted()
    assert (told.number, told.verdict) == (
        replaced.result.number,
        RecoveryVerdict.NOT_PAID,
    )
    assert bench.counter.interrupted() == []
    assert bench.counter.earlier_payments(bench.order()) == []
    assert open_incidents(world) == []
    # Whoever takes it again now is debited for it once.
    assert isinstance(bench.pay(), Paid)
    assert 500_000 - bench.balance() == AMOUNT + 500


def test_a_record_that_the_bank_closed_is_closed_on_its_card_when_that_is_back(
    world: World,
) -> None:
    bench = world.bench
    replaced = Replacement(bench, "unsent", before=world.close_day)
    bench.pay("0.500", OTHER)
    world.close_day()
    bench.counter.on_card_inserted()
    replaced.put(replaced.old)
    assert bench.open_count() == 1
    # It has been told, and is not told again by the card that did not know.
    assert bench.counter.on_card_inserted() == []
    world.close_day()
    assert bench.counter.on_card_inserted() == []
    assert bench.open_count() == 0
    assert isinstance(bench.pay(), Paid)


def test_a_debit_that_the_bank_knows_of_is_told_as_paid_and_credited_later(
    world: World,
) -> None:
    bench = world.bench
    replaced = Replacement(bench, "lost", before=world.close_day)
    asked_at_the_desk(world)
    result = world.close_day()
    assert result.verdict is DayVerdict.NOTHING_TO_SEND
    (told,) = bench.counter.on_card_inserted()
    assert (told.verdict, told.receipt_number) == (RecoveryVerdict.PAID, 1)
    (earlier,) = bench.counter.earlier_payments(bench.order())
    assert earlier.state.is_paid
    replaced.put(replaced.old)
    bench.readers.remove(Role.PURSE)
    (told,) = bench.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.PAID
    assert bench.counter.interrupted() == []
    assert world.close_day().verdict is DayVerdict.COLLECTED
    assert (world.posted(), replaced.held_by_both()) == (AMOUNT, 0)
    assert 500_000 - bench.balance() == AMOUNT
    assert open_incidents(world) == []


def test_a_debit_that_the_bank_proved_is_warned_of_like_any_other(
    world: World,
) -> None:
    bench = world.bench
    seen = bench.counter.read_purse()
    bench.faults.arm("lost", DEBIT, removes=True)
    bench.pay(seen=seen)
    bench.faults.disarm()
    world.close_day()
    bench.readers.insert(Role.PURSE, bench.purse)
    asked_at_the_desk(world)
    bench.readers.remove(Role.PURSE)
    # The customs card never left: it credits the payment in the end of day itself.
    world.close_day()
    assert bench.counter.interrupted() == []
    (earlier,) = bench.counter.earlier_payments(bench.order())
    assert earlier.state is InterruptedState.PAID


def test_a_batch_that_was_sent_again_only_to_ask_is_not_taken_twice(
    world: World,
) -> None:
    bench = world.bench
    assert isinstance(bench.pay("2.000", OTHER), Paid)

    def customs_card_leaves() -> None:
        bench.readers.remove(Role.CUSTOMS)

    def close_without_acknowledging() -> None:
        world.line.during = customs_card_leaves
        assert world.close_day().verdict is DayVerdict.COLLECTED
        world.line.during = lambda: None

    Replacement(bench, "lost", before=close_without_acknowledging)
    (batch,) = bench.journal.batches.in_state(BatchState.COLLECTED)
    assert (batch.close.count, batch.close.open_count) == (1, 1)
    calls = world.line.calls
    result = world.close_day()
    assert world.line.calls == calls + 1
    assert (result.verdict, result.batches) == (DayVerdict.NOTHING_TO_SEND, ())
    assert world.posted() == 2_000


def test_the_smallest_batch_that_reports_the_record_is_the_one_sent_again(
    world: World,
) -> None:
    bench = world.bench

    def close_twice() -> None:
        world.close_day()
        other = issue_purse(None, PurseData(card_id="6400000000000002"))
        bench.readers.insert(Role.PURSE, other)
        bench.counter.on_card_inserted()
        assert isinstance(bench.pay("0.500", OTHER), Paid)
        world.close_day()

    Replacement(bench, "lost", before=close_twice)
    reports = bench.journal.batches.since(MID, 1)
    assert [(one.close.count, one.close.open_count) for one in reports] == [
        (0, 1),
        (1, 1),
    ]
    told: list[DayProgress] = []
    bench.counter.close_day(told.append)
    assert {one.batch for one in told if one.batch is not None} == {1}


def test_close_without_screens_tells_what_the_banks_answer_has_settled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = world.bench
    replaced = Replacement(bench, "lost", before=world.close_day)
    asked_at_the_desk(world)
    bench.stop()
    config = bench.folder / "terminal.toml"
    config.write_text(CONFIG_TEXT)

    def open_counter(_: object) -> Counter:
        journal = Journal.open(bench.config.state_directory, os.urandom)
        parts = bench.config, journal, bench.readers, bench.dial, bench.clock
        return Counter(*parts)

    monkeypatch.setattr(program, "open_counter", open_counter)
    done = CliRunner().invoke(program.terminal, ["close", "--config", str(config)])
    assert done.exit_code == 0
    assert f"{DECLARATION}, 1.234 OMR: The customer had been debited" in done.stderr
    bench.start()
    (listed,) = bench.counter.interrupted()
    assert (listed.number, listed.state) == (
        replaced.result.number,
        InterruptedState.PAID_NOT_CREDITED,
    )


def test_an_end_of_day_that_only_asks_says_what_it_asked_and_what_came_of_it(
    world: World,
) -> None:
    bench = world.bench
    results: list[DayResult] = []
    Replacement(bench, "lost", before=lambda: results.append(world.close_day()))
    calls = world.line.calls
    results.append(world.close_day())
    assert world.line.calls == calls + 1
    # The first took a batch with nothing but an open record; the second only asked.
    assert [result.verdict for result in results] == [
        DayVerdict.COLLECTED,
        DayVerdict.NOTHING_TO_SEND,
    ]
    for result in results:
        assert result.advice.happened == (
            "There was no payment to send; the bank was asked about 1 interrupted "
            "payment. It cannot tell the end yet."
        )
        assert "not known yet" in result.advice.money
    asked_at_the_desk(world)
    result = world.close_day()
    assert result.verdict is DayVerdict.NOTHING_TO_SEND
    assert result.advice.happened.endswith("It knew the end of 1.")
    # Nothing is left to ask: the next one calls for the bank's lists alone.
    result = world.close_day()
    assert world.line.calls == calls + 3
    assert "nothing to send" in result.advice.happened
