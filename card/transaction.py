"""TX, LX and what a load starts with: the records that both sides of a MAC compose.

Each has ``to_bytes()``, the exact bytes of card profile 1, and ``parse()``, which
raises `MalformedResponseError` and nothing else. No ``repr`` shows a full card number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from struct import Struct
from typing import Final, Self

from card.fields import (
    CURRENCY_MAX,
    UINT4_MAX,
    FieldReader,
    currency_bytes,
    datetime_bytes,
    uint4,
)
from card.profile import AMOUNT_MINOR_MAX, PROFILE_VERSION, RecordType

__all__ = [
    "TX_BYTES",
    "LoadRecord",
    "LoadRequest",
    "TransactionRecord",
    "mask_card_number",
    "payment_digest",
]

TX_BYTES: Final = 47

_TX: Final = Struct(">BB8sI8sII2s7s8s")


def mask_card_number(cid: bytes) -> str:
    """A CID as people may see it: first six digits, last four.

    >>> mask_card_number(bytes.fromhex("6400000000000001"))
    '640000******0001'
    """
    digits = cid.hex().upper()
    return f"{digits[:6]}******{digits[-4:]}"


def payment_digest(reference: str) -> bytes:
    """D, which ties a TX to its payment reference: 8 bytes.

    >>> payment_digest("INV-2025-000001").hex()
    '436f2e589042e71c'
    """
    return hashlib.sha256(reference.encode()).digest()[:8]


def _as_it_travels(at: datetime) -> datetime:
    """``at`` in UTC and whole seconds, so that a record equals what is read back."""
    if at.tzinfo is UTC and not at.microsecond:
        return at
    assert at.tzinfo is not None, "a time without its zone is no moment"
    return at.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """TX: what purse and customs card agree on, 47 bytes.

    Attributes:
        cid: the purse's number, 8 bytes.
        otc: the purse's number of this debit, from 1.
        mid: the customs card's id, 8 bytes.
        tsn: the customs card's number of it, from 1.
        amount_minor: 1 to 7FFFFFFF.
        currency: ISO 4217 number.
        at: aware; kept in UTC and whole seconds, as it travels.
        digest: D, 8 bytes; see `payment_digest`.
    """

    cid: bytes
    otc: int
    mid: bytes
    tsn: int
    amount_minor: int
    currency: int
    at: datetime
    digest: bytes

    def __post_init__(self) -> None:
        assert len(self.cid) == len(self.mid) == len(self.digest) == 8
        assert 0 <= self.otc <= UINT4_MAX, "a counter has 4 bytes"
        assert 0 <= self.tsn <= UINT4_MAX, "a counter has 4 bytes"
        assert 1 <= self.amount_minor <= AMOUNT_MINOR_MAX, "an amount is 1 to 7FFFFFFF"
        assert 0 <= self.currency <= CURRENCY_MAX, "a currency has three digits"
        object.__setattr__(self, "at", _as_it_travels(self.at))

    def __repr__(self) -> str:
        return (
            f"TransactionRecord(cid={self.card_number_masked}, otc={self.otc}, "
            f"mid={self.mid.hex().upper()}, tsn={self.tsn}, "
            f"amount_minor={self.amount_minor}, currency={self.currency}, "
            f"at={self.at.isoformat()}, digest={self.digest.hex().upper()})"
        )

    @property
    def card_number_masked(self) -> str:
        """The purse's number as people may see it."""
        return mask_card_number(self.cid)

    def to_bytes(self) -> bytes:
        """01 06 CID8 otc4 MID8 tsn4 amount4 currency2 datetime7 D8."""
        return _TX.pack(
            PROFILE_VERSION,
            RecordType.PURCHASE,
            self.cid,
            self.otc,
            self.mid,
            self.tsn,
            self.amount_minor,
            currency_bytes(self.currency),
            datetime_bytes(self.at),
            self.digest,
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 47 bytes of a TX.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "TX") as reader:
            reader.constant(PROFILE_VERSION)
            reader.constant(RecordType.PURCHASE)
            return cls(
                cid=reader.take(8),
                otc=reader.uint(4),
                mid=reader.take(8),
                tsn=reader.uint(4),
                amount_minor=reader.amount(),
                currency=reader.currency(),
                at=reader.moment(),
                digest=reader.take(8),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """LX: what purse and bank agree on in a load, 39 bytes.

    Attributes:
        cid: the purse's number, 8 bytes.
        ltc: the purse's number of this load, from 1.
        lid: the load desk's id, 8 bytes.
        lsn: the bank's number of it.
        amount_minor: 1 to 7FFFFFFF.
        currency: ISO 4217 number.
        at: aware; kept in UTC and whole seconds, as it travels.
    """

    cid: bytes
    ltc: int
    lid: bytes
    lsn: int
    amount_minor: int
    currency: int
    at: datetime

    def __post_init__(self) -> None:
        assert len(self.cid) == len(self.lid) == 8
        assert 0 <= self.ltc <= UINT4_MAX, "a counter has 4 bytes"
        assert 0 <= self.lsn <= UINT4_MAX, "a counter has 4 bytes"
        assert 1 <= self.amount_minor <= AMOUNT_MINOR_MAX, "an amount is 1 to 7FFFFFFF"
        assert 0 <= self.currency <= CURRENCY_MAX, "a currency has three digits"
        object.__setattr__(self, "at", _as_it_travels(self.at))

    def __repr__(self) -> str:
        return (
            f"LoadRecord(cid={mask_card_number(self.cid)}, ltc={self.ltc}, "
            f"lid={self.lid.hex().upper()}, lsn={self.lsn}, "
            f"amount_minor={self.amount_minor}, currency={self.currency}, "
            f"at={self.at.isoformat()})"
        )

    def to_bytes(self) -> bytes:
        """01 02 CID8 ltc4 LID8 lsn4 amount4 currency2 datetime7."""
        return b"".join(
            (
                bytes((PROFILE_VERSION, RecordType.LOAD)),
                self.cid,
                uint4(self.ltc),
                self.lid,
                uint4(self.lsn),
                uint4(self.amount_minor),
                currency_bytes(self.currency),
                datetime_bytes(self.at),
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 39 bytes of an LX.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "LX") as reader:
            reader.constant(PROFILE_VERSION)
            reader.constant(RecordType.LOAD)
            return cls(
                cid=reader.take(8),
                ltc=reader.uint(4),
                lid=reader.take(8),
                lsn=reader.uint(4),
                amount_minor=reader.amount(),
                currency=reader.currency(),
                at=reader.moment(),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What a purse says when it asks for a load; the bank checks M1 before it books.

    Attributes:
        cid: the purse's number, 8 bytes.
        ltc: the purse's number of this load.
        lid: the load desk's id, 8 bytes.
        amount_minor: what is to be loaded, 1 to 7FFFFFFF.
        currency: ISO 4217 number.
        balance_minor: the purse's balance before the load.
        kv: version of the purse's keys.
        alg: algorithm of its MACs.
        rc: the purse's challenge, 8 bytes.
        m1: the purse's MAC over all this, 8 bytes.
    """

    cid: bytes = field(repr=False)
    ltc: int
    lid: bytes
    amount_minor: int
    currency: int
    balance_minor: int
    kv: int
    alg: int
    rc: bytes = field(repr=False)
    m1: bytes = field(repr=False)

    @property
    def card_number_masked(self) -> str:
        """The purse's number as people may see it."""
        return mask_card_number(self.cid)
