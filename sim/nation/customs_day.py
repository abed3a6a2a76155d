"""A day at a busy customs counter, drawn from a seed: purses, declarations, payments.

What is measured about a batch depends on what is in it, so the distributions are stated
here, and nothing in them is tuned to the way a batch is sent:

purses
    4000 of one bank, numbered one after the other; each payment is of one drawn evenly.
    A purse was used 1 to some hundred times before (exponential, mean 60) and loaded in
    round sums: multiples of 5 OMR, and one purse in eight once with an odd sum.
declarations
    ``IMP-2025-`` (70 %), ``EXP-2025-`` (20 %), ``TRN-2025-`` (10 %) and six digits,
    drawn evenly from the newest 8000 of the series: they are numbered for the country.
amounts
    Customs duty is lognormal around 18 OMR (sigma 1) to the baisa. Three of ten have
    unloading fees and four of ten certificates, both of a tariff; one of five has
    storage fees, 1.500 a day; one of thirty a fine. One of six was keyed by hand and
    has no lines. Deposits (8 %) are one line; purchases (4 %) are forms of 0.500.
the rest
    Payments are 40 to some hundred seconds apart (40 and exponential, mean 50). Three
    clerks take turns. Six of ten have a service code, one of 14 (the k-th in proportion
    to 1/k); one of four a request number, drawn evenly from the newest 3000; one of six
    a delivery order, drawn evenly from 20,000.

Every TAC is the one that a real card would give, under the test masters.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from card import certificates
from card.profile import KeyUse
from card.records import (
    CHAIN_START,
    BatchClose,
    TransactionRecord,
    chain_next,
    payment_digest,
)
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.payment import (
    BatchToUpload,
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    PaymentRecord,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MID",
    "OFFICE",
    "OMR",
    "TERMINAL",
    "CustomsDay",
    "PaidPurse",
    "close_of",
    "draw_day",
]

TERMINAL: Final = "T0000007"
OFFICE: Final = "SOHAR"
OMR: Final = 512
MID: Final = bytes.fromhex("43 55 53 00 00 00 00 07")
START: Final = datetime(2025, 11, 22, 3, 30, tzinfo=UTC)

_PURSES: Final = 4000
_FIRST_CID: Final = 0x6400000000010000
_CLERKS: Final = ("11", "12", "17")
_SERVICES: Final = tuple(f"C{number}" for number in range(101, 115))
_SERIES: Final = ("IMP", "EXP", "TRN")
_SERIES_WEIGHTS: Final = (70, 20, 10)
_TARIFF: Final = (2_000, 3_000, 5_000, 7_500, 10_000, 15_000)
_CERTIFICATES: Final = (1_000, 2_000, 5_000)
_LOAD_STEP: Final = 5_000


@dataclass(slots=True, kw_only=True)
class PaidPurse:
    """A purse as its counters stand.

    Attributes:
        loaded_minor: all that was ever loaded onto it.
        otc: number of its next debit.
    """

    cid: bytes
    loaded_minor: int
    cumulative_minor: int
    otc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsDay:
    """One batch, and the purses that paid in it."""

    batch: BatchToUpload
    purses: tuple[PaidPurse, ...]


def draw_day(seed: int, payments: int = 300, *, batch: int = 17) -> CustomsDay:
    """A batch of ``payments``, the same for the same seed."""
    counter = _Counter(random.Random(seed))
    records = tuple(counter.pay(place) for place in range(1, payments + 1))
    return CustomsDay(
        batch=BatchToUpload(
            terminal_id=TERMINAL,
            office=OFFICE,
            mid=MID,
            currency=OMR,
            close=close_of(batch, records),
            payments=records,
        ),
        purses=tuple(counter.purses.values()),
    )


def close_of(
    number: int,
    payments: Sequence[PaymentRecord],
    *,
    mid: bytes = MID,
    key: bytes | None = None,
) -> BatchClose:
    """What a customs card answers when it closes batch ``number`` with these.

    Args:
        number: of the batch.
        payments: credited on it, in order.
        mid: the card, by default the day's own.
        key: its batch key; derived when not given.
    """
    chain = CHAIN_START
    for payment in payments:
        chain = chain_next(
            chain,
            payment.tx,
            payment.balance_after_minor,
            payment.cumulative_debit_minor,
            payment.tac,
        )
    close = BatchClose(
        batch=number,
        count=len(payments),
        sum_minor=sum(payment.tx.amount_minor for payment in payments),
        open_count=0,
        open_sum_minor=0,
        chain=chain,
        mac=bytes(16),
    )
    key = key or MasterKeyStore(TEST_MASTERS).card_key(KeyUse.BATCH, 1, mid)
    return replace(close, mac=certificates.close_mac(key, mid=mid, close=close))


class _Counter:
    """A counter, its customs card, and the customers before it."""

    def __init__(self, source: random.Random) -> None:
        self.purses: dict[int, PaidPurse] = {}
        self._source = source
        self._keys = MasterKeyStore(TEST_MASTERS)
        self._at = START
        self._tsn = source.randrange(2_000, 60_000)
        self._stan = source.randrange(1_000, 900_000)
        self._declared = {name: source.randrange(20_000, 900_000) for name in _SERIES}
        self._requests = source.randrange(3_000, 90_000)

    def pay(self, sequence: int) -> PaymentRecord:
        source = self._source
        details, amount_minor = self._details()
        purse = self._purse(amount_minor)
        self._at += timedelta(seconds=40 + int(source.expovariate(1 / 50)))
        purse.cumulative_minor += amount_minor
        tx = TransactionRecord(
            cid=purse.cid,
            otc=purse.otc,
            mid=MID,
            tsn=self._tsn,
            amount_minor=amount_minor,
            currency=OMR,
            at=self._at,
            digest=payment_digest(details.declaration),
        )
        record = PaymentRecord(
            stan=self._stan,
            sequence=sequence,
            details=details,
            tx=tx,
            kv=1,
            alg=1,
            balance_after_minor=purse.loaded_minor - purse.cumulative_minor,
            cumulative_debit_minor=purse.cumulative_minor,
            tac=bytes(8),
        )
        purse.otc += 1
        # A payment that was refused has used up its numbers.
        self._tsn += 1 + (source.random() < 0.03)
        self._stan += 1 + (source.random() < 0.05)
        return self._signed(record)

    def _signed(self, record: PaymentRecord) -> PaymentRecord:
        key = self._keys.card_key(KeyUse.TRANSACTION_CERTIFICATE, 1, record.tx.cid)
        tac = certificates.tac(
            key,
            record.tx,
            balance_after_minor=record.balance_after_minor,
            cumulative_debit_minor=record.cumulative_debit_minor,
        )
        return replace(record, tac=tac)

    def _purse(self, amount_minor: int) -> PaidPurse:
        """One drawn evenly, with enough on it for ``amount_minor``."""
        number = self._source.randrange(_PURSES)
        purse = self.purses.get(number)
        if purse is None:
            purse = self.purses[number] = self._fresh_purse(number)
            spare = purse.loaded_minor - purse.cumulative_minor - amount_minor
            if spare < 0:
                purse.loaded_minor += _LOAD_STEP * (-spare // _LOAD_STEP + 1)
        if purse.loaded_minor - purse.cumulative_minor < amount_minor:
            return self._purse(amount_minor)
        return purse

    def _fresh_purse(self, number: int) -> PaidPurse:
        source = self._source
        used = int(source.expovariate(1 / 60))
        cumulative_minor = sum(_duty(source) for _ in range(used))
        left_minor = source.randrange(400_000)
        loaded_minor = cumulative_minor + left_minor
        loaded_minor += -loaded_minor % _LOAD_STEP
        if source.random() < 1 / 8:
            loaded_minor += source.randrange(_LOAD_STEP)
        return PaidPurse(
            cid=(_FIRST_CID + number).to_bytes(8, "big"),
            loaded_minor=loaded_minor,
            cumulative_minor=cumulative_minor,
            otc=used + 1,
        )

    def _details(self) -> tuple[PaymentDetails, int]:
        source = self._source
        (series,) = source.choices(_SERIES, _SERIES_WEIGHTS)
        number = self._declared[series] + source.randrange(8_000)
        kind, lines, amount_minor = self._assessment()
        details = PaymentDetails(
            declaration=f"{series}-2025-{number:06d}",
            kind=kind,
            lines=lines,
            clerk=source.choice(_CLERKS),
            request_number=self._request(),
            delivery_order=f"DO{source.randrange(20_000) + 300_000}"
            if source.random() < 1 / 6
            else "",
            service_code=self._service(),
        )
        return details, amount_minor

    def _request(self) -> str:
        if self._source.random() < 1 / 4:
            return f"R{self._requests + self._source.randrange(3_000):07d}"
        return ""

    def _service(self) -> str:
        if self._source.random() < 0.6:
            weights = [1 / rank for rank in range(1, len(_SERVICES) + 1)]
            return self._source.choices(_SERVICES, weights)[0]
        return ""

    def _assessment(self) -> tuple[PaymentKind, tuple[PaymentLine, ...], int]:
        source = self._source
        drawn = source.random()
        if drawn < 0.08:
            amount_minor = _LOAD_STEP * source.randrange(4, 60)
            line = PaymentLine(line_class=LineClass.DEPOSITS, amount_minor=amount_minor)
            return PaymentKind.DEPOSITS, (line,), amount_minor
        if drawn < 0.12:
            amount_minor = 500 * source.randrange(1, 9)
            return PaymentKind.PURCHASE, (), amount_minor
        lines = tuple(self._fee_lines())
        amount_minor = sum(line.amount_minor for line in lines)
        if source.random() < 1 / 6:
            lines = ()
        return PaymentKind.FEES, lines, amount_minor

    def _fee_lines(self) -> list[PaymentLine]:
        source = self._source
        parts = [(LineClass.CUSTOMS_DUTY, _duty(source))]
        if source.random() < 0.3:
            parts.append((LineClass.UNLOADING_FEES, source.choice(_TARIFF)))
        if source.random() < 0.2:
            parts.append((LineClass.STORAGE_FEES, 1_500 * source.randrange(1, 21)))
        if source.random() < 1 / 30:
            parts.append((LineClass.FINES, 5_000 * source.randrange(1, 21)))
        if source.random() < 0.4:
            parts.append((LineClass.CERTIFICATES, source.choice(_CERTIFICATES)))
        return [PaymentLine(line_class=c, amount_minor=a) for c, a in parts]


def _duty(source: random.Random) -> int:
    """Customs duty in baisa: lognormal around 18 OMR, at most what a card holds."""
    return min(350_000, max(1, int(source.lognormvariate(9.8, 1.0))))
