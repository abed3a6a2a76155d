"""Open payments at the card desk: the purse says what became of them, in words.

A small counter cuts a payment short between the two simulated cards, sends its batches
through the machines of both ends of a call, and passes on what the bank answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from card.apdu import ResponseAPDU
from card.customs import CustomsSession
from card.exchange import Finished, Transmit
from card.pin import pin_block
from card.profile import Role
from card.purchase import PurchaseExchange, PurchaseTerms
from card.purse import PurseSession
from card.records import payment_digest
from card.sw import SW
from settlement.bank import Bank
from settlement.intake import IntakeMachine
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.payment import (
    BatchToUpload,
    DebitClosure,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
    VoidClosure,
)
from settlement.store.books import BankStore
from settlement.upload import ClosureReceived, Collected, UploadEvent, UploadMachine

if TYPE_CHECKING:
    from card.apdu import CommandAPDU

    # The world of this folder's conftest: test folders are no packages.
    World = Any

MID = bytes.fromhex("43 55 53 00 00 00 00 07")
CID = bytes.fromhex("64 00 00 00 00 00 00 01")
PIN = "731946"
AMOUNT = 12_500


class Contacts:
    """A card in the counter's reader, until it leaves."""

    def __init__(self, card: Any) -> None:
        self._card = card
        card.reset()

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self._card.process(command.to_bytes()))


class SmallCounter:
    """Terminal T0000007, as far as a cut payment and its batches need it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stans: dict[int, int] = {}
        made = world.desk(
            *("personalise", "--kind", "customs", "--terminal", "T0000007"),
            *("--reader", "Reader B"),
        )
        assert made.exit_code == 0, made.output

    def begin(self, when: Literal["before", "after"]) -> None:
        """A payment whose DEBIT gets no answer: the purse is pulled before or after."""
        contacts = {
            Role.PURSE: Contacts(self._world.purse.card),
            Role.CUSTOMS: Contacts(self._world.customs.card),
        }
        PurseSession(contacts[Role.PURSE]).select()
        CustomsSession(contacts[Role.CUSTOMS]).select()
        terms = PurchaseTerms(
            amount_minor=AMOUNT,
            currency=512,
            mid=MID,
            kv=1,
            digest=payment_digest(self._declaration),
            at=self._world.now,
            cid=CID,
        )
        exchange = PurchaseExchange(terms, pin_block(bytearray(PIN.encode())))
        while not isinstance(action := exchange.next_action(), Finished):
            if not isinstance(action, Transmit):
                exchange.recorded()
                continue
            if action.command.name != "DEBIT":
                exchange.receive(contacts[action.role].transmit(action.command))
                continue
            if when == "after":
                contacts[action.role].transmit(action.command)
            exchange.lost()
        self._world.purse.card.reset()

    _declaration = "INV-2025-000001"

    def send(self) -> list[UploadEvent]:
        """Close the batch, send it, and pass on what comes back."""
        customs = self._customs()
        batch = self._batch(customs)
        path = self._world.bank_folder / "bank.sqlite"
        events: list[UploadEvent] = []
        with BankStore.open(path) as store:
            bank = Bank(store, MasterKeyStore(TEST_MASTERS))
            intake = IntakeMachine("T0000007", bank, bytes(range(16)))
            upload = UploadMachine(batch, stan_start=1)
            while not upload.finished:
                sent = upload.messages_to_send(self._world.now)
                for answer in intake.receive_group(sent, self._world.now):
                    events += upload.receive(answer, self._world.now)
        collected = events[-1]
        assert isinstance(collected, Collected), collected
        customs.bank_ack(collected.batch, collected.ack_mac)
        for event in events:
            if isinstance(event, ClosureReceived):
                self._close(customs, event)
        return events

    def holds(self) -> tuple[int, int]:
        """What the customs card holds uncollected, and how many records are open."""
        status = self._customs().status()
        return status.total_minor, status.open_count

    def _customs(self) -> CustomsSession:
        session = CustomsSession(Contacts(self._world.customs.card))
        session.select()
        return session

    def _close(self, customs: CustomsSession, event: ClosureReceived) -> None:
        match event.closure:
            case VoidClosure(tx=tx, vmac=vmac):
                customs.void(tx.tsn, vmac)
            case DebitClosure(tx=tx, proof=proof):
                customs.credit(tx.tsn, proof)

    def _batch(self, customs: CustomsSession) -> BatchToUpload:
        close = customs.close_batch()
        credited = [
            record for record in customs.read_credited() if record.batch == close.batch
        ]
        details = PaymentDetails(
            declaration=self._declaration, kind=PaymentKind.FEES, clerk="7"
        )
        payments = tuple(
            PaymentRecord(
                stan=100 + record.tx.tsn,
                sequence=place,
                details=details,
                tx=record.tx,
                kv=record.kv,
                alg=1,
                balance_after_minor=record.balance_after_minor,
                cumulative_debit_minor=record.cumulative_debit_minor,
                tac=record.tac,
            )
            for place, record in enumerate(credited, 1)
        )
        opens = tuple(
            OpenItem(
                stan=100 + record.tx.tsn,
                sequence=len(payments) + place,
                details=details,
                open_record=record,
            )
            for place, record in enumerate(customs.list_open(), 1)
        )
        return BatchToUpload(
            terminal_id="T0000007",
            office="SOHAR",
            mid=MID,
            currency=512,
            close=close,
            payments=payments,
            opens=opens,
        )


@pytest.fixture
def loaded(issued: World) -> World:
    assert issued.desk("load", "500", "--reader", "A", pins=PIN).exit_code == 0
    return issued


@pytest.fixture
def counter(loaded: World) -> SmallCounter:
    return SmallCounter(loaded)


def incidents(world: World, *options: str) -> Any:
    return world.json(world.bank("incidents", *options, "--json"))


def recover(world: World) -> Any:
    return world.json(world.desk("recover", "--reader", "A", "--json"))


def forget_payments(world: World) -> None:
    """From now on the purse answers PROVE and VOID of payments with 9406."""
    process = world.purse.card.process

    def answer(apdu: bytes) -> bytes:
        if apdu[1] == 0x5A and apdu[3] == 0x06:
            return SW.NO_PROOF.to_bytes(2, "big")
        answered: bytes = process(apdu)
        return answered

    world.purse.card.process = answer


OUTCOMES = [
    pytest.param("before", "not debited", 500_000, 0, id="not debited"),
    pytest.param("after", "debited", 487_500, AMOUNT, id="debited"),
]


@pytest.mark.parametrize(("when", "outcome", "on_card", "paid"), OUTCOMES)
def test_the_desk_asks_the_purse_and_the_counter_is_told(
    loaded: World,
    counter: SmallCounter,
    when: Literal["before", "after"],
    outcome: str,
    on_card: int,
    paid: int,
) -> None:
    counter.begin(when)
    assert not any(isinstance(one, ClosureReceived) for one in counter.send())
    (waiting,) = incidents(loaded)["incidents"]
    assert waiting["code"] == "outcome open"
    assert waiting["terminal"] == "T0000007"
    assert (waiting["amount_minor"], waiting["card"]) == (AMOUNT, "640000******0001")

    recovered = recover(loaded)
    assert recovered["balance_minor"] == on_card
    assert recovered["open_payments"] == [
        {
            "terminal": "T0000007",
            "at": "2026-03-04T08:30:00Z",
            "amount_minor": AMOUNT,
            "outcome": outcome,
        }
    ]
    assert recover(loaded)["open_payments"] == []
    assert incidents(loaded)["incidents"] == []
    (closed,) = incidents(loaded, "--all")["incidents"]
    assert closed["closed_because"].startswith("by itself (card desk)")
    totals = loaded.json(loaded.bank("status", "--json"))["totals"][0]
    assert (totals["open_minor"], totals["proved_minor"]) == (0, paid)

    counter.send()
    assert counter.holds() == (paid, 0)
    for _ in range(2):
        counter.send()
    assert counter.holds() == (0, 0)
    report = loaded.json(loaded.bank("check", "--json"))
    assert report["ok"], report
    assert report["payments"] == bool(paid)
    assert report["totals"][0]["payees_minor"] == paid
    assert report["totals"][0]["proved_minor"] == 0


def test_the_words_say_whether_money_moved_and_what_to_do(
    loaded: World, counter: SmallCounter
) -> None:
    counter.begin("after")
    counter.send()
    told = loaded.desk("recover", "--reader", "A").output
    assert "A payment of 12.500 OMR" in told
    assert "terminal T0000007, is proved: the card was debited, once." in told
    assert "must not pay it again" in told
    assert (
        "There was nothing to settle." in loaded.desk("recover", "--reader", "A").output
    )


def test_a_load_settles_open_payments_before_it_loads(
    loaded: World, counter: SmallCounter
) -> None:
    counter.begin("before")
    counter.send()
    told = loaded.desk("load", "1", "--reader", "A", pins=PIN)
    assert told.exit_code == 0
    assert (
        "never took place: the card was not debited and now never can be" in told.output
    )
    assert "The customer can pay again." in told.output
    assert incidents(loaded) == {"open": 0, "closed": 1, "incidents": []}
    counter.send()
    assert counter.holds() == (0, 0)


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_card_that_is_pulled_while_it_is_asked_can_be_asked_again(
    loaded: World, counter: SmallCounter, step: Literal["before", "after"]
) -> None:
    counter.begin("before")
    counter.send()
    loaded.purse.pull, loaded.purse.pull_after = ("PROVE OR VOID", step), 1
    torn = loaded.desk("recover", "--reader", "A")
    assert torn.exit_code == 1
    assert "stays open. Put the card back and run: raseed-card recover" in torn.output
    assert incidents(loaded)["open"] == 1
    assert recover(loaded)["open_payments"][0]["outcome"] == "not debited"


def test_a_blocked_card_is_asked_all_the_same(
    loaded: World, counter: SmallCounter
) -> None:
    counter.begin("after")
    counter.send()
    assert loaded.desk("block", "--reader", "A").exit_code == 0
    assert recover(loaded)["open_payments"][0]["outcome"] == "debited"


def test_a_card_that_can_no_longer_say_leaves_the_payment_open(
    loaded: World, counter: SmallCounter
) -> None:
    counter.begin("after")
    counter.send()
    forget_payments(loaded)
    told = loaded.desk("recover", "--reader", "A")
    assert told.exit_code == 0
    assert "the card can no longer say what became of it" in told.output
    assert incidents(loaded)["open"] == 1
    loads = loaded.desk("load", "1", "--reader", "A", pins=PIN)
    assert loads.exit_code == 0, "it does not keep the customer from loading"
    assert incidents(loaded)["open"] == 1, "the balance says that it may be debited"


def test_the_next_load_settles_what_the_card_can_no_longer_say(
    loaded: World, counter: SmallCounter
) -> None:
    counter.begin("before")
    counter.send()
    forget_payments(loaded)
    assert loaded.desk("load", "1", "--reader", "A", pins=PIN).exit_code == 0
    (closed,) = incidents(loaded, "--all")["incidents"]
    assert closed["closed_because"].startswith("by itself (load)")
    counter.send()
    assert counter.holds() == (0, 0)
    assert loaded.bank("check").exit_code == 0
