"""No true history leads the bank to a wrong conclusion about an open record.

A purse lives a random life: payments that some counters deliver late or not yet, open
records that are debited at once, later or never, loads that are asked for, authorised,
taken, given up. After every step the rules are asked about every record that was
reported, with what had reached the bank by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from card.records import TransactionRecord
from settlement.open_records import OpenFacts, settled_by
from settlement.store.batches import OpenRow
from settlement.store.cards import LoadOutcome, LoadRow
from settlement.store.opens import ResolvedBy
from settlement.store.records import PaymentRow

if TYPE_CHECKING:
    from collections.abc import Callable

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)
NEVER = {ResolvedBy.NEXT_PAYMENT, ResolvedBy.LOAD}


@dataclass
class Begun:
    """A payment that a customs card opened."""

    tx: TransactionRecord
    debited: PaymentRow | None = None
    lsn_then: int | None = None


@dataclass
class Life:
    """A purse that is honest, and the bank's rows about it."""

    balance: int = 0
    cumulative: int = 0
    otc: int = 1
    lsn: int = 0
    challenge: int = 0
    session: Begun | tuple[int, bytes] | None = None
    asked: tuple[int, bytes] | None = None
    begun: list[Begun] = field(default_factory=list)
    delivered: list[PaymentRow] = field(default_factory=list)
    loads: list[LoadRow] = field(default_factory=list)

    def begin(self, amount: int, counter: int) -> Begun:
        """INIT PURCHASE and INIT SAM: the record is open, the session alive."""
        tx = TransactionRecord(
            cid=CID,
            otc=self.otc,
            mid=counter.to_bytes(8, "big"),
            tsn=len(self.begun) + 1,
            amount_minor=amount,
            currency=512,
            at=NOON,
            digest=bytes(8),
        )
        begun = Begun(tx=tx)
        self.begun.append(begun)
        self.session = begun
        return begun

    def debit(self) -> None:
        """DEBIT, which only the latest INIT allows."""
        begun, self.session = self.session, None
        if not isinstance(begun, Begun) or begun.tx.amount_minor > self.balance:
            return
        tx = begun.tx
        self.balance -= tx.amount_minor
        self.cumulative += tx.amount_minor
        self.otc += 1
        begun.debited = PaymentRow(
            cid=CID,
            otc=tx.otc,
            mid=tx.mid,
            tsn=tx.tsn,
            terminal_id="T0000007",
            batch=1,
            stan=tx.tsn,
            amount_minor=tx.amount_minor,
            currency=512,
            balance_after_minor=self.balance,
            cumulative_debit_minor=self.cumulative,
            tac=bytes(8),
            evidence=bytes(32),
            paid_at=NOON,
        )

    def burn(self) -> None:
        """VOID of the next number."""
        self.otc += 1
        self.session = None

    def ask_load(self, amount: int) -> None:
        """INIT LOAD; what the bank is asked may reach it much later."""
        self.challenge += 1
        self.session = self.asked = (amount, self.challenge.to_bytes(8, "big"))

    def authorise(self) -> None:
        pending = any(row.outcome is None for row in self.loads)
        if self.asked is None or pending:
            return
        self.lsn += 1
        amount, challenge = self.asked
        self.loads.append(
            LoadRow(
                cid=CID,
                ltc=len(self.loads) + 1,
                lid=bytes(8),
                lsn=self.lsn,
                amount_minor=amount,
                currency=512,
                kv=1,
                card_balance_minor=self.balance,
                rc=challenge,
                m1=bytes(8),
                at=NOON,
            )
        )

    def finish_load(self) -> None:
        """CREDIT LOAD when its session lives, else VOID LOAD; the bank hears of it."""
        if not self.loads or self.loads[-1].outcome is not None:
            return
        pending = self.loads[-1]
        if self.session == (pending.amount_minor, pending.rc):
            self.balance += pending.amount_minor
            done = LoadOutcome.COMPLETED
        else:
            done = LoadOutcome.VOIDED
        self.session = self.asked = None
        self.loads[-1] = replace(
            pending,
            outcome=done,
            balance_after_minor=self.balance,
        )

    def deliver(self, index: int) -> None:
        row = self.begun[index % len(self.begun)].debited if self.begun else None
        if row is not None and row not in self.delivered:
            self.delivered.append(row)

    def report(self, index: int) -> None:
        if self.begun:
            begun = self.begun[index % len(self.begun)]
            if begun.lsn_then is None:
                begun.lsn_then = self.lsn

    def settled(self, begun: Begun) -> ResolvedBy | None:
        """What the bank concludes now."""
        assert begun.lsn_then is not None
        otc = begun.tx.otc
        there = {row.otc: row for row in self.delivered}
        before = max((number for number in there if number < otc), default=0)
        after = min((number for number in there if number > otc), default=0)
        facts = OpenFacts(
            same_otc=there.get(otc),
            before=there.get(before),
            after=there.get(after),
            loads=tuple(self.loads),
            lsn_then=begun.lsn_then,
        )
        report = OpenRow(stan=1, tx=begun.tx, kv=1, rc=bytes(8))
        return settled_by(report, facts)


def pay(life: Life, number: int) -> None:
    life.begin(number, number)
    life.debit()


def load(life: Life, number: int) -> None:
    """A whole load, after an earlier one was settled."""
    life.finish_load()
    life.ask_load(number)
    life.authorise()
    life.finish_load()


DEEDS: dict[str, Callable[[Life, int], object]] = {
    "begin": lambda life, number: life.begin(number, number),
    "pay": pay,
    "debit": lambda life, _: life.debit(),
    "burn": lambda life, _: life.burn(),
    "ask": lambda life, number: life.ask_load(number),
    "authorise": lambda life, _: life.authorise(),
    "finish": lambda life, _: life.finish_load(),
    "load": load,
    "deliver": lambda life, number: life.deliver(number),
    "report": lambda life, number: life.report(number),
}
STEPS = st.lists(
    st.tuples(st.sampled_from([*DEEDS, "begin", "load", "report"]), st.integers(1, 6)),
    max_size=25,
)


@settings(max_examples=400)
@given(STEPS)
def test_no_true_history_is_read_wrongly(steps: list[tuple[str, int]]) -> None:
    life = Life()
    concluded: dict[int, ResolvedBy] = {}
    load(life, 9)
    for name, number in steps:
        DEEDS[name](life, number)
        for begun in life.begun:
            if begun.lsn_then is None:
                continue
            by = life.settled(begun)
            known = concluded.get(begun.tx.tsn)
            assert (known is None) or by is not None, "what was known stays known"
            if by is not None:
                concluded[begun.tx.tsn] = by
            assert (by is ResolvedBy.DELIVERED) is (begun.debited in life.delivered)
    for begun in life.begun:
        by = concluded.get(begun.tx.tsn)
        assert begun.debited is None or by not in NEVER, "a debit was called impossible"


@given(STEPS)
def test_when_all_is_delivered_one_more_load_settles_every_record(
    steps: list[tuple[str, int]],
) -> None:
    life = Life()
    load(life, 9)
    for name, number in steps:
        DEEDS[name](life, number)
    for index in range(len(life.begun)):
        life.report(index)
        life.deliver(index)
    load(life, 1)
    for begun in life.begun:
        by = life.settled(begun)
        assert by is not None
        assert (by is ResolvedBy.DELIVERED) is (begun.debited is not None)
