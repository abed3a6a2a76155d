"""A customs card that has been at another counter: what this one may conclude of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import certificates, customs
from card.profile import KeyUse, Role
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from terminal.entries import PaymentState
from terminal.orders import InterruptedState, Unknown
from tests.fake_readers import Stopped
from tests.terminal.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminal.entries import JournalBatch

AMOUNT = 1_234
MID = bytes.fromhex("43555300 00000007")
DEBIT = 3
COMMANDS_MAX = 40
SELECT = bytes.fromhex("00 A4 04 00 08 F0 52 41 53 45 45 44 02")


@pytest.fixture
def elsewhere(running: Bench, quick_path: Path) -> Iterator[Bench]:
    """Another counter, without cards; its journal is its own."""
    (quick_path / "elsewhere").mkdir()
    other = Bench(quick_path / "elsewhere")
    other.purse, other.customs = running.purse, running.customs
    other.readers.cards.clear()
    other.start()
    yield other
    other.stop()


def move(before: Bench, after: Bench, *roles: Role) -> None:
    """Carry cards from one counter to the other."""
    cards = {Role.PURSE: before.purse, Role.CUSTOMS: before.customs}
    for role in roles:
        before.readers.remove(role)
        after.readers.insert(role, cards[role])


def bank_takes(bench: Bench, batch: JournalBatch) -> None:
    """The bank acknowledges ``batch``: the customs card lets go of its credits."""
    key = MasterKeyStore(TEST_MASTERS).card_key(KeyUse.BATCH, 1, MID)
    mac = certificates.bank_ack_mac(key, mid=MID, close=batch.close)
    bench.customs.reset()
    bench.customs.process(SELECT)
    answer = bench.customs.process(customs.bank_ack(batch.number, mac).to_bytes())
    assert answer[-2:].hex() == "9000"


def stop_when_the_batch_is_known(bench: Bench) -> None:
    """Power goes as soon as the journal knows batch 1 of the card in the reader."""
    for at in range(COMMANDS_MAX):
        bench.readers.insert(Role.CUSTOMS, bench.customs)
        bench.faults.arm("stop-before", at)
        with pytest.raises(Stopped):
            bench.counter.on_card_inserted()
        bench.readers.remove(Role.CUSTOMS)
        if bench.journal.batches.find(MID, 1) is not None:
            bench.faults.disarm()
            return
        bench.restart()
    raise AssertionError("the batch was never taken in")


def test_a_batch_whose_credits_were_never_read_is_no_proof_of_a_void(
    running: Bench, elsewhere: Bench
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", DEBIT, removes=True)
    unknown = running.pay(seen=seen)
    assert isinstance(unknown, Unknown)
    running.faults.disarm()
    # The other counter settles it as paid, and closes the batch that holds it.
    move(running, elsewhere, Role.PURSE, Role.CUSTOMS)
    elsewhere.counter.on_card_inserted()
    elsewhere.counter.close_day(lambda _: None)
    batch = elsewhere.journal.batches.find(MID, 1)
    assert batch is not None
    assert (batch.close.count, batch.close.sum_minor) == (1, AMOUNT)
    # Here power fails between the batch's being taken in and its credits' being read.
    move(elsewhere, running, Role.CUSTOMS)
    stop_when_the_batch_is_known(running)
    assert running.journal.payments.get(unknown.number).state is PaymentState.OPENED
    # By the time the card is back the bank has that batch, and the card forgot it.
    bank_takes(running, batch)
    assert running.held() == 0
    running.readers.insert(Role.CUSTOMS, running.customs)
    running.restart()
    assert "nothing was taken" not in " ".join(
        str(told.advice).lower() for told in running.news
    )
    (left,) = running.counter.interrupted()
    assert (left.number, left.state) == (unknown.number, InterruptedState.UNKNOWN)
    assert 500_000 - running.balance() == AMOUNT
