"""From the cards to the ledger: simulated cards, real machines, a real bank.

A purse pays at a customs card, the customs card closes its batch, the upload and intake
machines carry it, the bank posts it and answers; the customs card takes the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card.apdu import CommandAPDU, ResponseAPDU
from card.customs import CustomsSession
from card.exchange import Finished, Transmit
from card.load import LoadExchange, LoadTerms
from card.pin import pin_block
from card.profile import Role
from card.purchase import PurchaseExchange
from card.purchase_result import Approved, OutcomeUnknown, PurchaseTerms
from card.records import payment_digest
from settlement.check.bank import check_bank
from settlement.intake import IntakeMachine
from settlement.ledger import payee_account
from settlement.messages import Total
from settlement.payment import (
    BatchToUpload,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
)
from settlement.upload import UploadMachine
from settlement.upload_events import ClosureReceived, Collected, Refused
from sim.cards.issue import PurseData, default_customs_card, issue_purse

if TYPE_CHECKING:
    from sim.cards.purse import SimulatedPurse

    Desk = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")
SELECT_PURSE = bytes.fromhex("00 A4 04 00 08 F0 52 41 53 45 45 44 01")
SELECT_CUSTOMS = bytes.fromhex("00 A4 04 00 08 F0 52 41 53 45 45 44 02")
BROUGHT = 500_000
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)


class Counter:
    """A purse, a customs card and the little of a terminal that this needs."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.customs = default_customs_card()
        self.customs.process(SELECT_CUSTOMS)
        self.session = CustomsSession(self)
        self.purses: dict[bytes, SimulatedPurse] = {}
        self.stan = 0
        self.payments: list[PaymentRecord] = []

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """The channel to the customs card."""
        return ResponseAPDU.parse(self.customs.process(command.to_bytes()))

    def issue(self, cid: bytes) -> None:
        """A registered purse, empty."""
        self.desk.issue(cid)
        data = PurseData(card_id=cid.hex().upper(), balance_minor=0)
        self.purses[cid] = issue_purse(None, data)

    def pay(self, cid: bytes, amount: int, *, lose: str = "") -> object:
        """One payment; with ``lose``, the answer to that command never comes."""
        purse = self.purses[cid]
        purse.reset()
        purse.process(SELECT_PURSE)
        declaration = f"DEC-{self.stan + 1:04d}"
        terms = PurchaseTerms(
            amount_minor=amount,
            currency=512,
            mid=MID,
            kv=1,
            digest=payment_digest(declaration),
            at=self.desk.clock(),
            cid=cid,
        )
        exchange = PurchaseExchange(terms, pin_block(b"1234"))
        while not isinstance(action := exchange.next_action(), Finished):
            if not isinstance(action, Transmit):
                exchange.recorded()
                continue
            card = purse if action.role is Role.PURSE else self.customs
            if lose and action.command.name == lose:
                exchange.lost()
                continue
            answer = card.process(action.command.to_bytes())
            exchange.receive(ResponseAPDU.parse(answer))
        result = action.result
        if isinstance(result, Approved):
            self.keep(result, declaration)
        return result

    def keep(self, paid: Approved, declaration: str) -> None:
        self.stan += 1
        self.payments.append(
            PaymentRecord(
                stan=self.stan,
                sequence=len(self.payments) + 1,
                details=PaymentDetails(
                    declaration=declaration, kind=PaymentKind.FEES, clerk="3"
                ),
                tx=paid.tx,
                kv=paid.kv,
                alg=1,
                balance_after_minor=paid.proof.balance_after_minor,
                cumulative_debit_minor=paid.proof.cumulative_debit_minor,
                tac=paid.proof.tac,
            )
        )

    def close(self) -> BatchToUpload:
        close = self.session.close_batch()
        opens = tuple(
            OpenItem(
                stan=900 + place,
                sequence=len(self.payments) + place,
                details=None,
                open_record=record,
            )
            for place, record in enumerate(self.session.list_open(), start=1)
        )
        payments, self.payments = tuple(self.payments), []
        return BatchToUpload(
            terminal_id="T0000007",
            office="SOHAR",
            mid=MID,
            currency=512,
            close=close,
            payments=payments,
            opens=opens,
        )

    def upload(self, batch: BatchToUpload) -> list[object]:
        """One call to the bank, without any line between."""
        now = self.desk.clock()
        upload = UploadMachine(batch, stan_start=500)
        intake = IntakeMachine("T0000007", self.desk.bank, bytes(16))
        events: list[object] = []
        while not upload.finished:
            messages = upload.messages_to_send(now)
            assert messages, "the upload goes on"
            for answer in intake.receive_group(messages, now):
                events += upload.receive(answer, now)
        return events


@pytest.fixture
def counter(desk: Desk) -> Counter:
    counter = Counter(desk)
    counter.issue(CID)
    load(desk, counter.purses[CID])
    return counter


def load(desk: Desk, purse: SimulatedPurse) -> None:
    """Put value on a simulated purse through the bank's own desk."""
    purse.process(SELECT_PURSE)
    terms = LoadTerms(
        kv=1, amount_minor=BROUGHT, currency=512, lid=b"DESK0001", cid=CID
    )
    exchange = LoadExchange(terms, pin_block(b"1234"))
    while not isinstance(action := exchange.next_action(), Finished):
        if isinstance(action, Transmit):
            answer = purse.process(action.command.to_bytes())
            exchange.receive(ResponseAPDU.parse(answer))
        else:
            given = desk.issuing.authorise_load(action.request)
            exchange.authorised(lsn=given.lsn, at=given.at, m2=given.m2)
    done: Any = action.result
    desk.issuing.complete_load(
        CID,
        ltc=done.lx.ltc,
        balance_after_minor=done.balance_after_minor,
        ltac=done.ltac,
    )


def test_payments_reach_the_ledger_and_the_customs_card_lets_go_of_them(
    desk: Desk, counter: Counter
) -> None:
    for amount in (1_000, 2_000, 500):
        assert isinstance(counter.pay(CID, amount), Approved)
    batch = counter.close()
    collected = counter.upload(batch)[-1]
    assert isinstance(collected, Collected)
    assert collected.posted == Total(count=3, sum_minor=3_500)
    assert counter.session.status().total_minor == 3_500
    assert counter.session.bank_ack(batch.close.batch, collected.ack_mac) == 0
    assert desk.balance(REVENUE) == 3_500
    assert desk.issuing.status(CID).float_minor == BROUGHT - 3_500
    assert check_bank(desk.store, desk.keys).ok
    assert desk.incidents() == []


def test_a_call_repeated_after_its_answer_was_lost_posts_nothing_twice(
    desk: Desk, counter: Counter
) -> None:
    counter.pay(CID, 1_000)
    batch = counter.close()
    first, again = counter.upload(batch), counter.upload(batch)
    assert first == again
    assert desk.balance(REVENUE) == 1_000


def test_an_interrupted_payment_goes_up_open_and_comes_down_closed(
    desk: Desk, counter: Counter
) -> None:
    """The purse left before DEBIT, and paid again later: the bank proves the void."""
    counter.pay(CID, 1_000)
    assert isinstance(counter.pay(CID, 700, lose="DEBIT"), OutcomeUnknown)
    first = counter.upload(counter.close())
    assert isinstance(first[-1], Collected)
    assert not any(isinstance(event, ClosureReceived) for event in first)
    # The purse has not burned the number: its next payment uses the same one.
    assert isinstance(counter.pay(CID, 300), Approved)
    events = counter.upload(counter.close())
    (closure,) = [event for event in events if isinstance(event, ClosureReceived)]
    assert isinstance(events[-1], Collected)
    counter.session.void(closure.closure.tx.tsn, closure.closure.vmac)  # type: ignore[union-attr]  # a void is what is asked for
    assert counter.session.status().open_count == 0
    assert check_bank(desk.store, desk.keys).value_accounted


def test_value_that_is_not_delivered_yet_is_accounted(
    desk: Desk, counter: Counter
) -> None:
    counter.pay(CID, 1_000)
    late = counter.payments.pop()
    counter.pay(CID, 200)
    (on_time,) = counter.payments
    batch = counter.close()
    late_too = BatchToUpload(
        terminal_id=batch.terminal_id,
        office=batch.office,
        mid=MID,
        currency=512,
        close=batch.close,
        payments=(on_time,),
    )
    answer = counter.upload(late_too)[-1]
    assert isinstance(answer, Refused)
    assert "missing" in answer.text
    (totals,) = check_bank(desk.store, desk.keys).totals
    assert totals.uncollected_minor == late.tx.amount_minor
    assert check_bank(desk.store, desk.keys).ok
