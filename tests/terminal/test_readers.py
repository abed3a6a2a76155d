"""The two readers by role: one connection an insertion, none outlives its card."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from card.apdu import CommandAPDU
from card.application import select
from card.errors import CardRemovedError, NoCardError, ReaderError
from card.profile import Role
from settlement.payment import PaymentKind
from sim.cards.issue import (
    CustomsData,
    PurseData,
    issue_customs_card,
    issue_purse,
)
from sim.cards.vpcd import VPCDCard
from terminal.counter import Counter
from terminal.journal import Journal
from terminal.orders import Paid
from terminal.readers import CardSlots, OpenCards, PCSCReaders, ReaderEventKind
from terminal.snapshot import CounterEventKind, ReaderState
from tests.fake_readers import NAMES, Clock, FakeReaders
from tests.terminal.conftest import config_in, no_line

if TYPE_CHECKING:
    from pathlib import Path

    from sim.pcscd import PrivatePCSCD
    from terminal.snapshot import CounterEvent

WANTED = {Role.PURSE: "00 00", Role.CUSTOMS: "00 01"}
WAIT_S = 20


@pytest.fixture
def readers() -> FakeReaders:
    readers = FakeReaders()
    readers.insert(Role.PURSE, issue_purse(None, PurseData()))
    readers.insert(Role.CUSTOMS, issue_customs_card(None, CustomsData()))
    return readers


@pytest.fixture
def slots(readers: FakeReaders) -> CardSlots:
    slots = CardSlots(readers, WANTED)
    slots.start(lambda role, kind: None)
    return slots


def test_a_card_stays_connected_while_it_lies_in_its_reader(slots: CardSlots) -> None:
    first = slots.connect(Role.PURSE)
    assert slots.connect(Role.PURSE) is first
    assert slots.is_current(Role.PURSE, first.insertion)
    assert slots.name(Role.PURSE) == NAMES[Role.PURSE]
    slots.stop()


def test_a_card_that_was_out_gets_a_new_insertion(
    slots: CardSlots, readers: FakeReaders
) -> None:
    first = slots.connect(Role.PURSE)
    card = readers.remove(Role.PURSE)
    assert not slots.is_current(Role.PURSE, first.insertion)
    assert slots.state(Role.PURSE) is ReaderState.EMPTY
    with pytest.raises(NoCardError):
        slots.connect(Role.PURSE)
    assert card is not None
    readers.insert(Role.PURSE, card)
    assert slots.state(Role.PURSE) is ReaderState.CARD_PRESENT
    second = slots.connect(Role.PURSE)
    assert second.insertion != first.insertion
    with pytest.raises(NoCardError):
        first.channel.transmit(select(Role.PURSE))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("Desk", "Several readers fit"), ("Gemalto", "No reader fits")],
)
def test_a_name_must_fit_exactly_one_reader(
    readers: FakeReaders, wanted: str, words: str
) -> None:
    slots = CardSlots(readers, {Role.PURSE: wanted, Role.CUSTOMS: "00 01"})
    with pytest.raises(ReaderError, match=words) as caught:
        slots.connect(Role.PURSE)
    assert "Desk Reader 00 01" in str(caught.value)
    assert slots.state(Role.PURSE) is ReaderState.MISSING
    assert slots.name(Role.PURSE) == wanted


def test_a_whole_name_wins_over_a_part(readers: FakeReaders) -> None:
    readers.present.add("Desk Reader 00 00 X")
    slots = CardSlots(readers, {**WANTED, Role.PURSE: "Desk Reader 00 00"})
    assert slots.connect(Role.PURSE).insertion == 1


def test_events_are_told_by_role(readers: FakeReaders) -> None:
    told: list[tuple[Role, ReaderEventKind]] = []
    slots = CardSlots(readers, WANTED)
    slots.start(lambda role, kind: told.append((role, kind)))
    assert (Role.CUSTOMS, ReaderEventKind.INSERTED) in told
    told.clear()
    readers.remove(Role.CUSTOMS)
    assert told == [(Role.CUSTOMS, ReaderEventKind.REMOVED)]
    slots.stop()
    readers.remove(Role.PURSE)
    assert len(told) == 1


def test_a_card_that_came_back_never_gets_the_rest_of_an_exchange(
    slots: CardSlots, readers: FakeReaders
) -> None:
    first = slots.connect(Role.PURSE)
    cards = OpenCards(slots, {Role.PURSE: first.channel})
    readers.faults.arm("lost", 0)
    with pytest.raises(CardRemovedError):
        cards.transmit(Role.PURSE, select(Role.PURSE))
    assert not slots.is_current(Role.PURSE, first.insertion)
    slots.connect(Role.PURSE)
    balance = CommandAPDU(cla=0x80, ins=0x5C, p2=2, le=256)
    with pytest.raises(NoCardError):
        cards.transmit(Role.PURSE, balance)


@pytest.mark.pcsc
def test_a_counter_takes_a_payment_over_real_pcsc_and_sees_the_card_go(
    private_pcscd: PrivatePCSCD, tmp_path: Path
) -> None:
    told: list[CounterEvent] = []
    news = threading.Condition()

    def listen(event: CounterEvent) -> None:
        with news:
            told.append(event)
            news.notify_all()

    def saw(kind: CounterEventKind, role: Role) -> bool:
        return any(event.kind is kind and event.role is role for event in told)

    def wait_for(kind: CounterEventKind, role: Role) -> None:
        with news:
            assert news.wait_for(lambda: saw(kind, role), WAIT_S)

    purse = issue_purse(None, PurseData())
    customs = issue_customs_card(None, CustomsData())
    journal = Journal.open(tmp_path / "state", os.urandom)
    counter = Counter(config_in(tmp_path), journal, PCSCReaders(), no_line, Clock())
    counter.subscribe(listen)
    slot = VPCDCard(purse, private_pcscd.port)
    with slot, VPCDCard(customs, private_pcscd.port + 1):
        counter.start()
        try:
            for role in Role:
                wait_for(CounterEventKind.CARD_INSERTED, role)
            counter.on_card_inserted()
            seen = counter.read_purse()
            order = counter.check_order("INV-1", "1.000", PaymentKind.FEES)
            assert isinstance(counter.pay(order, seen, bytearray(b"1234")), Paid)
            slot.remove()
            wait_for(CounterEventKind.CARD_REMOVED, Role.PURSE)
            assert counter.snapshot().purse_reader.state is ReaderState.EMPTY
        finally:
            counter.stop()
    assert purse.memory.integer("balance") == 499_000
