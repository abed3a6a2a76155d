"""A country's counters and purses, drawn from a seed: what the bank is measured with.

Every batch holds the payments of a day as `sim.nation.customs_day` draws them (details,
lines, texts), paid by purses of the whole country: each by one drawn evenly, whose
counters go on where its last payment left them. TACs and CLOSE data are those that real
cards would give, under the test masters.

A country may have a history: each purse has made the same number of payments before,
at counters of the past. `bench.bank_rows` writes it into the bank.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from card import certificates
from card.profile import KeyUse
from card.records import TransactionRecord, payment_digest
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.messages import BatchHeader
from settlement.payment import PaymentDetails, PaymentKind, PaymentRecord
from settlement.store.cards import PurseRow
from sim.nation.customs_day import OMR, close_of, draw_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "ACCOUNT",
    "BATCH_PAYMENTS",
    "BROUGHT_MINOR",
    "NOW",
    "Counter",
    "Country",
    "SentBatch",
    "purse_row",
]

BATCH_PAYMENTS: Final = 250
ACCOUNT: Final = "0100000001"
BROUGHT_MINOR: Final = 2_000_000_000
"""On each purse at the start: none runs out while it is measured."""
NOW: Final = datetime(2025, 11, 23, 3, 0, tzinfo=UTC)
_PAST: Final = datetime(2025, 11, 2, 8, 0, tzinfo=UTC)
_PAST_MINOR: Final = 7_500
_FIRST_CID: Final = 0x6400000000000000
_FIRST_MID: Final = 0x4355530000000000
_PAST_COUNTERS: Final = 1_000_000
"""Counters of the past are numbered from here."""
_PAST_BATCHES: Final = 40
"""Batches of each counter of the past."""
_DAYS_DRAWN: Final = 8
"""Different days; each is paid again and again, by other purses."""


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch as its terminal sends it."""

    header: BatchHeader
    payments: Sequence[PaymentRecord]


@dataclass(slots=True)
class Counter:
    """A terminal with its customs card, and where its numbers stand."""

    terminal_id: str
    mid: bytes
    key: bytes = field(repr=False)
    batch: int = 0
    tsn: int = 0
    stan: int = 0

    @property
    def office(self) -> str:
        """Its customs office: there are a hundred."""
        return f"OFFICE{int(self.terminal_id[1:]) % 100:02d}"

    def next_batch(self, payments: Sequence[PaymentRecord]) -> SentBatch:
        """Close a batch."""
        self.batch += 1
        close = close_of(self.batch, payments, mid=self.mid, key=self.key)
        header = BatchHeader(
            terminal_id=self.terminal_id,
            office=self.office,
            mid=self.mid,
            currency=OMR,
            close=close,
        )
        return SentBatch(header, payments)


@dataclass(slots=True)
class _Purse:
    cid: bytes
    key: bytes = field(repr=False)
    otc: int = 1
    debited_minor: int = 0

    def pay(
        self, counter: Counter, sent: PaymentRecord, place: int | None = None
    ) -> PaymentRecord:
        """Debit this purse for a payment like ``sent``, perhaps in another place."""
        counter.tsn += 1
        counter.stan = counter.stan % 999_999 + 1
        self.debited_minor += sent.tx.amount_minor
        # Spelled out, for there may be ten million of them.
        tx = TransactionRecord(
            cid=self.cid,
            otc=self.otc,
            mid=counter.mid,
            tsn=counter.tsn,
            amount_minor=sent.tx.amount_minor,
            currency=sent.tx.currency,
            at=sent.tx.at,
            digest=sent.tx.digest,
        )
        self.otc += 1
        left_minor = BROUGHT_MINOR - self.debited_minor
        tac = certificates.tac(
            self.key,
            tx,
            balance_after_minor=left_minor,
            cumulative_debit_minor=self.debited_minor,
        )
        return PaymentRecord(
            stan=counter.stan,
            sequence=sent.sequence if place is None else place,
            details=sent.details,
            tx=tx,
            kv=sent.kv,
            alg=sent.alg,
            balance_after_minor=left_minor,
            cumulative_debit_minor=self.debited_minor,
            tac=tac,
        )


class Country:
    """Purses, counters, and the keys of their bank."""

    def __init__(
        self,
        *,
        purses: int,
        counters: int,
        past_payments: int = 0,
        part: int = 0,
        seed: int = 1,
    ) -> None:
        """Draw a country, or a part of it.

        Args:
            purses: how many there are.
            counters: how many there are now.
            past_payments: what each purse has paid before; see `past`.
            part: which one of parts of that size, from 0; no two have anything in
                common, and together they are a country of the sum of their sizes.
            seed: of who pays what.
        """
        self.keys = MasterKeyStore(TEST_MASTERS)
        self.counters = self._counters(part * counters, counters)
        first = part * purses
        self.cids = [_id(_FIRST_CID, first + place) for place in range(purses)]
        self._past_payments = past_payments
        self._kts = self.keys.card_keys(KeyUse.TRANSACTION_CERTIFICATE, 1, self.cids)
        self._purses = [
            _Purse(cid, kt, past_payments + 1, past_payments * _PAST_MINOR)
            for cid, kt in zip(self.cids, self._kts, strict=True)
        ]
        self._source = random.Random(seed)
        self._days = [
            draw_day(seed, BATCH_PAYMENTS).batch.payments for seed in range(_DAYS_DRAWN)
        ]

    def batches(
        self, count: int, payments_each: int = BATCH_PAYMENTS
    ) -> Iterator[SentBatch]:
        """The next batches, of one counter after the other."""
        for place in range(count):
            counter = self.counters[place % len(self.counters)]
            day = self._days[counter.batch % _DAYS_DRAWN][:payments_each]
            payments = tuple(
                self._source.choice(self._purses).pay(counter, drawn) for drawn in day
            )
            yield counter.next_batch(payments)

    def paid(self) -> dict[bytes, tuple[int, int]]:
        """How often each purse that has paid did so, and how much in minor units."""
        return {
            purse.cid: (purse.otc - 1, purse.debited_minor)
            for purse in self._purses
            if purse.otc > 1
        }

    def past(self) -> Iterator[SentBatch]:
        """Everything that was paid before, purse by purse, in batches."""
        payments = self._past_of_all()
        number = 0
        while True:
            (counter,) = self._counters(_PAST_COUNTERS + number, 1)
            number += 1
            for _ in range(_PAST_BATCHES):
                batch = tuple(
                    purse.pay(counter, sent, place)
                    for place, (purse, sent) in enumerate(
                        islice(payments, BATCH_PAYMENTS), 1
                    )
                )
                if not batch:
                    return
                yield counter.next_batch(batch)

    def _past_of_all(self) -> Iterator[tuple[_Purse, PaymentRecord]]:
        sent = _past_payment()
        for cid, kt in zip(self.cids, self._kts, strict=True):
            purse = _Purse(cid, kt)
            for _ in range(self._past_payments):
                yield purse, sent

    def _counters(self, first: int, count: int) -> list[Counter]:
        mids = [_id(_FIRST_MID, first + place) for place in range(count)]
        kbs = self.keys.card_keys(KeyUse.BATCH, 1, mids)
        return [
            Counter(f"T{first + place:07d}", mid, kb)
            for place, (mid, kb) in enumerate(zip(mids, kbs, strict=True))
        ]


def purse_row(cid: bytes) -> PurseRow:
    """A purse of the country as it is issued."""
    return PurseRow(
        cid=cid,
        account=Account.customer(ACCOUNT, OMR),
        holder="Al Bahr Trading LLC",
        currency=OMR,
        kv=1,
        balance_limit_minor=BROUGHT_MINOR,
        payment_limit_minor=BROUGHT_MINOR,
        valid_from=date(2025, 1, 1),
        expiry=date(2030, 12, 31),
    )


def _past_payment() -> PaymentRecord:
    """What each payment of the past is like."""
    declaration = "IMP-2025-000417"
    tx = TransactionRecord(
        cid=bytes(8),
        otc=1,
        mid=bytes(8),
        tsn=1,
        amount_minor=_PAST_MINOR,
        currency=OMR,
        at=_PAST,
        digest=payment_digest(declaration),
    )
    return PaymentRecord(
        stan=1,
        sequence=1,
        details=PaymentDetails(
            declaration=declaration, kind=PaymentKind.FEES, clerk="11"
        ),
        tx=tx,
        kv=1,
        alg=1,
        balance_after_minor=0,
        cumulative_debit_minor=0,
        tac=bytes(8),
    )


def _id(first: int, place: int) -> bytes:
    return (first + place).to_bytes(8, "big")
