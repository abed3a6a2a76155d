"""Whatever happens, in whatever order: no unit is lost, and none is made.

Random days at a bank: loads, torn loads, payments by two cards, forged payments,
batches that are sent in part, twice, late, or by two lines at once. After each of them
debits equal credits and every unit is where the certificates say; when all is healed at
the end, every batch reconciles and nothing is pending.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settlement.check.bank import check_bank
from settlement.ledger import payee_account
from settlement.messages import BatchHeader, BatchTotals, ResponseCode
from settlement.payment import PaymentKind, PaymentRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    Desk = Any
    Purse = Any

FUNDS = 5_000_000
CIDS = [
    bytes.fromhex("64 00 00 00 00 00 00 01"),
    bytes.fromhex("64 00 00 00 00 00 00 02"),
]
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)


class World:
    """A bank, two purses, a customs card, and what is under way between them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.purses: list[Purse] = [desk.loaded_purse(10_000, cid=cid) for cid in CIDS]
        self.torn: dict[bytes, tuple[Any, Any, bytes]] = {}
        self.waiting: list[tuple[BatchHeader, list[PaymentRecord], BatchTotals]] = []

    def load(self, purse: Purse, amount: int) -> None:
        self.settle(purse, amount)
        self.desk.load(purse, amount)

    def tear_load(self, purse: Purse, amount: int) -> None:
        """The desk dies after booking; the purse took the load, or did not."""
        self.settle(purse, amount)
        request = purse.ask_load(amount)
        given_ = self.desk.issuing.authorise_load(request)
        proof = purse.take_load(request, given_) if amount % 2 else b""
        self.torn[purse.cid] = request, given_, proof

    def settle(self, purse: Purse, _amount: int) -> None:
        if purse.cid not in self.torn:
            return
        request, given_, ltac = self.torn.pop(purse.cid)
        issuing = self.desk.issuing
        if ltac:
            after = request.balance_minor + request.amount_minor
            issuing.complete_load(
                purse.cid, ltc=request.ltc, balance_after_minor=after, ltac=ltac
            )
        else:
            vmac = purse.burn_load(request, given_)
            issuing.void_load(purse.cid, ltc=request.ltc, vmac=vmac)

    def pay(self, purse: Purse, amount: int) -> None:
        if amount <= purse.balance_minor:
            self.desk.customs.pay(purse, amount)

    def void(self, purse: Purse, _amount: int) -> None:
        """A number burned without a debit."""
        purse.otc += 1

    def forge(self, purse: Purse, amount: int) -> None:
        """A payment that no purse made, yet the customs card took it."""
        customs = self.desk.customs
        ghost = replace_purse(purse)
        record = customs.pay(ghost, amount)
        customs.records[-1] = replace(record, tac=bytes(8))

    def close(self, _purse: Purse, _amount: int) -> None:
        customs = self.desk.customs
        self.waiting.append((customs.close(), list(customs.records), customs.totals()))
        customs.next_batch()

    def send_part(self, _purse: Purse, amount: int) -> None:
        """A call that breaks off; some of it, in another order, was delivered."""
        for header, records, _ in self.waiting[-1:]:
            self.desk.bank.begin_batch(header, self.desk.clock())
            part = records[: amount % (len(records) + 1)][::-1]
            self.desk.bank.take_payments(header, part, self.desk.clock())

    def send(self, _purse: Purse, _amount: int) -> None:
        """The newest batch first: others follow late."""
        for batch in self.waiting[-1:]:
            self.deliver(batch)

    def send_twice_at_once(self, _purse: Purse, _amount: int) -> None:
        for batch in self.waiting[:1]:
            lines = [
                threading.Thread(target=self.deliver, args=(batch,)) for _ in range(2)
            ]
            for line in lines:
                line.start()
            for line in lines:
                line.join()

    def deliver(
        self, batch: tuple[BatchHeader, list[PaymentRecord], BatchTotals]
    ) -> None:
        header, records, totals = batch
        bank, now = self.desk.bank, self.desk.clock()
        bank.begin_batch(header, now)
        bank.take_payments(header, records, now)
        answer = bank.reconcile(header, totals, now)
        assert answer.code is ResponseCode.ACCEPTED
        assert answer.posted.count + answer.suspended.count == len(records)

    def assert_every_unit_is_somewhere(self) -> None:
        report = check_bank(self.desk.store)
        assert report.findings == ()
        (totals,) = report.totals
        kept = totals.customers_minor + totals.floats_minor
        assert kept + totals.payees_minor + totals.suspense_minor == FUNDS

    def heal(self) -> None:
        """Settle and deliver everything; then the cards and the books are one."""
        for purse in self.purses:
            self.settle(purse, 0)
        self.close(self.purses[0], 0)
        for batch in self.waiting:
            self.deliver(batch)
        self.assert_every_unit_is_somewhere()
        (totals,) = check_bank(self.desk.store, self.desk.keys).totals
        assert totals.pending_minor == totals.uncollected_minor == 0
        assert totals.purses_minor == sum(one.balance_minor for one in self.purses)
        paid = sum(one.cumulative_minor for one in self.purses)
        assert self.desk.balance(REVENUE) == paid


def replace_purse(purse: Purse) -> Purse:
    """Something that speaks like this purse, far along its numbers."""
    return replace(purse, otc=purse.otc + 1_000_000)


ACTIONS: list[Callable[[World, Purse, int], None]] = [
    World.load,
    World.tear_load,
    World.settle,
    World.pay,
    World.pay,
    World.pay,
    World.void,
    World.forge,
    World.close,
    World.send_part,
    World.send,
    World.send_twice_at_once,
]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1), st.integers(1, 3_000)),
        min_size=5,
        max_size=25,
    )
)
def test_no_history_loses_or_makes_a_unit(
    new_desk: Callable[[], Desk],
    history: list[tuple[Callable[[World, Purse, int], None], int, int]],
) -> None:
    world = World(new_desk())
    for action, card, amount in history:
        action(world, world.purses[card], amount)
        world.assert_every_unit_is_somewhere()
    world.heal()
