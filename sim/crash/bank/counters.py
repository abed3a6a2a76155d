"""Counters that have taken payments: batches as simulated cards close them.

Each counter has a customs card of its own; all share the customers' purses. A purse
pays through the production machine `card.purchase`, so that every record, TAC, open
record and CLOSE MAC is one that cards really give. Some payments are awkward on
purpose: of a purse whose certificates are wrong, of a terminal that lost the details,
or opened on the customs card and never debited.
"""

from __future__ import annotations

import datetime as dt
import secrets
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final

from card.apdu import ResponseAPDU
from card.application import select
from card.customs import CustomsSession
from card.exchange import Finished, Record
from card.fci import parse_fci
from card.keys import KEY_BYTES
from card.pin import pin_block
from card.profile import ALGORITHM_AES_CMAC, INS, Role
from card.purchase import Approved, OutcomeUnknown, PurchaseExchange, PurchaseTerms
from card.records import payment_digest
from settlement.clearing import IncidentCode
from settlement.payment import (
    BatchToUpload,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
)
from settlement.store.records import Decision
from sim.cards.customs import SimulatedCustomsCard
from sim.cards.issue import CustomsData, PurseData, issue_customs_card, issue_purse
from sim.cards.memory import Memory
from sim.cards.purse_runtime import KEY_CERTIFICATE

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from card.apdu import CommandAPDU
    from card.purchase import PurchaseResult
    from sim.cards.purse import SimulatedPurse

__all__ = ["CURRENCY", "MORNING", "PURSE_MINOR", "Counter", "Delivery", "open_counters"]

CURRENCY: Final = 512
MORNING: Final = dt.datetime(2025, 11, 22, 4, 0, tzinfo=dt.UTC)
"""When the first payment is made; every clock of a run is set by this."""
PURSE_MINOR: Final = 1_500_000
"""What each purse holds at first."""

_OFFICES: Final = ("SOHAR", "MUSCAT", "SALALAH")
_PURSES: Final = 5
_SPOILT: Final = _PURSES - 1
"""The purse whose certificates the bank cannot verify: never paid, always told."""
_BATCHES: Final = 2
_PAYMENTS_MIN, _PAYMENTS_MAX = 4, 11
_AMOUNT_MAX: Final = 20_000
_FORGOTTEN: Final = 0.08
"""Share of payments whose details the terminal has lost."""
_PIN: Final = b"1234"
_KINDS: Final = tuple(PaymentKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One closed batch, and what must become of each of its payments.

    Attributes:
        batch: what the terminal sends.
        decisions: what the bank must decide, by STAN.
        incidents: what the bank must tell a person, by STAN.
        debited: open records of which the purse was debited, by number of the customs
            card; the bank may not know it, but must never say the opposite.
    """

    batch: BatchToUpload
    decisions: Mapping[int, Decision]
    incidents: Mapping[int, IncidentCode]
    debited: frozenset[int]


@dataclass(slots=True, kw_only=True)
class Counter:
    """One terminal with its customs card and the batches that it has closed."""

    terminal_id: str
    office: str
    mid: bytes
    memory: Memory = field(default_factory=Memory, repr=False)
    deliveries: list[Delivery] = field(default_factory=list)

    def customs_card(self) -> CustomsSession:
        """The customs card as it was after the last close; each call gives its own."""
        card = SimulatedCustomsCard(deepcopy(self.memory), secrets.token_bytes)
        session = CustomsSession(_CustomsReader(card))
        session.select()
        return session


class _Contacts:
    """Both cards of one payment in their readers; the purse may leave at DEBIT."""

    def __init__(
        self,
        cards: Mapping[Role, SimulatedPurse | SimulatedCustomsCard],
        leaves: _Leaves | None = None,
    ) -> None:
        self._cards = cards
        self._leaves = leaves

    def send(self, role: Role, command: CommandAPDU) -> ResponseAPDU | None:
        """The answer, or None when the purse was taken out around this command."""
        if self._leaves is None or command.ins != INS.DEBIT:
            return self._process(role, command)
        if self._leaves is _Leaves.AFTER_DEBIT:
            self._process(role, command)
        return None

    def _process(self, role: Role, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self._cards[role].process(command.to_bytes()))


class _CustomsReader:
    """A `card.channel.Channel` to the customs card alone."""

    def __init__(self, card: SimulatedCustomsCard) -> None:
        self._card = card

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self._card.process(command.to_bytes()))


@unique
class _Leaves(Enum):
    """When a purse is taken out too early; both leave an open record."""

    BEFORE_DEBIT = auto()
    AFTER_DEBIT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purse:
    cid: bytes
    card: SimulatedPurse


class _Day:
    """One terminal's day: payments one after another, and the batches closed."""

    def __init__(
        self, counter: Counter, rng: random.Random, purses: list[_Purse]
    ) -> None:
        self._counter = counter
        self._rng = rng
        self._purses = purses
        self._customs = _issue_customs_card(counter.memory, counter.mid, rng)
        self._session = CustomsSession(_CustomsReader(self._customs))
        self._session.select()
        self._at = MORNING
        self._stan = 0
        self._opened: dict[int, tuple[int, PaymentDetails]] = {}
        self._debited: set[int] = set()

    def deliver(self, payments: int, opens: int) -> Delivery:
        """Take so many payments, leave so many open ones, and close the batch."""
        leaving = set(self._rng.sample(range(payments + opens), opens))
        paid: list[PaymentRecord] = []
        for place in range(payments + opens):
            if place in leaving:
                self._leave_open()
            else:
                paid.append(self._pay(len(paid) + 1))
        batch = BatchToUpload(
            terminal_id=self._counter.terminal_id,
            office=self._counter.office,
            mid=self._counter.mid,
            currency=CURRENCY,
            payments=tuple(paid),
            opens=self._open_items(len(paid)),
            close=self._session.close_batch(),
        )
        spoilt = self._purses[_SPOILT].cid
        return _with_decisions(batch, spoilt, frozenset(self._debited))

    def _pay(self, sequence: int) -> PaymentRecord:
        details = self._next_details()
        result = self._run(self._rng.choice(self._purses), details)
        assert isinstance(result, Approved), result
        forgotten = self._rng.random() < _FORGOTTEN
        return PaymentRecord(
            stan=self._stan,
            sequence=sequence,
            details=None if forgotten else details,
            tx=result.tx,
            kv=result.kv,
            alg=ALGORITHM_AES_CMAC,
            balance_after_minor=result.proof.balance_after_minor,
            cumulative_debit_minor=result.proof.cumulative_debit_minor,
            tac=result.proof.tac,
        )

    def _leave_open(self) -> None:
        details = self._next_details()
        # A purse that cannot be verified would leave what nobody can judge.
        purse = self._rng.choice(self._purses[:_SPOILT])
        leaves = self._rng.choice(tuple(_Leaves))
        result = self._run(purse, details, leaves)
        assert isinstance(result, OutcomeUnknown), result
        assert result.tx is not None, "the customs card has numbered it"
        self._opened[result.tx.tsn] = (self._stan, details)
        if leaves is _Leaves.AFTER_DEBIT:
            self._debited.add(result.tx.tsn)

    def _open_items(self, payments: int) -> tuple[OpenItem, ...]:
        """Every record that is open now, also those of an earlier batch."""
        items = []
        for place, record in enumerate(self._session.list_open(), payments + 1):
            stan, details = self._opened[record.tx.tsn]
            items.append(
                OpenItem(stan=stan, sequence=place, details=details, open_record=record)
            )
        return tuple(items)

    def _next_details(self) -> PaymentDetails:
        self._stan += 1
        self._at += dt.timedelta(minutes=1)
        return PaymentDetails(
            declaration=f"IM-{self._counter.terminal_id[-2:]}-{self._stan:06d}",
            kind=self._rng.choice(_KINDS),
            clerk=str(self._rng.randint(1, 9)),
        )

    def _run(
        self, purse: _Purse, details: PaymentDetails, leaves: _Leaves | None = None
    ) -> PurchaseResult:
        """One purchase over both cards, as a counter's loop runs it."""
        purse.card.reset()
        channel = _Contacts(
            {Role.PURSE: purse.card, Role.CUSTOMS: self._customs}, leaves
        )
        info = parse_fci(_data(channel.send(Role.PURSE, select(Role.PURSE))))
        terms = PurchaseTerms(
            amount_minor=self._rng.randint(1, _AMOUNT_MAX),
            currency=CURRENCY,
            mid=self._counter.mid,
            kv=info.key_version or 0,
            digest=payment_digest(details.declaration),
            at=self._at,
            cid=purse.cid,
        )
        machine = PurchaseExchange(terms, pin_block(_PIN))
        while not isinstance(action := machine.next_action(), Finished):
            if isinstance(action, Record):
                machine.recorded()
                continue
            answer = channel.send(action.role, action.command)
            if answer is None:
                machine.lost()
            else:
                machine.receive(answer)
        return action.result


def open_counters(rng: random.Random) -> tuple[list[Counter], list[bytes]]:
    """All counters with their closed batches, and the numbers of the purses."""
    purses = [_issue_purse(number, rng) for number in range(1, _PURSES + 1)]
    counters = []
    for number, office in enumerate(_OFFICES, 1):
        counter = Counter(
            terminal_id=f"T000000{number}",
            office=office,
            mid=bytes.fromhex(f"435553000000000{number}"),
        )
        day = _Day(counter, rng, purses)
        for _ in range(_BATCHES):
            payments = rng.randint(_PAYMENTS_MIN, _PAYMENTS_MAX)
            counter.deliveries.append(day.deliver(payments, rng.randint(0, 2)))
        counters.append(counter)
    return counters, [purse.cid for purse in purses]


def _with_decisions(
    batch: BatchToUpload, spoilt: bytes, debited: frozenset[int]
) -> Delivery:
    """What the rules of clearing say of each payment, told without asking them."""
    decisions: dict[int, Decision] = {}
    incidents: dict[int, IncidentCode] = {}
    for payment in batch.payments:
        decisions[payment.stan] = Decision.POSTED
        if payment.tx.cid == spoilt:
            decisions[payment.stan] = Decision.SUSPENDED
            incidents[payment.stan] = IncidentCode.TAC_WRONG
        elif payment.details is None:
            decisions[payment.stan] = Decision.HELD
            incidents[payment.stan] = IncidentCode.DETAILS_UNKNOWN
    return Delivery(
        batch=batch, decisions=decisions, incidents=incidents, debited=debited
    )


def _issue_purse(number: int, rng: random.Random) -> _Purse:
    memory = Memory()
    data = PurseData(
        card_id=f"640000000000000{number}",
        balance_minor=PURSE_MINOR,
        holder_name=f"CUSTOMER {number}",
    )
    card = issue_purse(memory, data, rng.randbytes)
    if number == _PURSES:
        memory.commit({KEY_CERTIFICATE: rng.randbytes(KEY_BYTES)})
    return _Purse(cid=bytes.fromhex(data.card_id), card=card)


def _issue_customs_card(
    memory: Memory, mid: bytes, rng: random.Random
) -> SimulatedCustomsCard:
    """The customs card in ``memory``, issued there when the memory is blank."""
    data = CustomsData(merchant_id=mid.hex().upper())
    return issue_customs_card(memory, data, rng.randbytes)


def _data(response: ResponseAPDU | None) -> bytes:
    assert response is not None, "a card that was just put in answers"
    assert response.ok, response
    return response.data
