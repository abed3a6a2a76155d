"""The records that both cards compose alike: TX, and fields of fixed lengths.

TX (47 bytes) = ver1 type1 CID8 otc4 MID8 tsn4 amount4 currency2 datetime7 D8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from card.profile import PROFILE_VERSION, RecordType

__all__ = ["TX_BYTES", "TX_HEADER", "Transaction", "is_bcd", "split", "u32", "u64"]

TX_BYTES: Final = 47
TX_HEADER: Final = bytes((PROFILE_VERSION, RecordType.PURCHASE))
_TX_FIELDS: Final = (2, 8, 4, 8, 4, 4, 2, 7, 8)


def split(data: bytes, *lengths: int) -> list[bytes]:
    """Cut ``data`` into fields, which must fill it exactly.

    >>> split(b"abcdef", 1, 2, 3)
    [b'a', b'bc', b'def']
    """
    assert sum(lengths) == len(data)
    fields = []
    start = 0
    for length in lengths:
        fields.append(data[start : start + length])
        start += length
    return fields


def u32(number: int) -> bytes:
    """Four bytes, big-endian."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


def is_bcd(data: bytes) -> bool:
    """Whether every half byte is a decimal digit; a card has no calendar."""
    return data.hex().isdecimal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The fields of a TX as they lie in it; amounts and numbers stay bytes."""

    header: bytes = TX_HEADER
    cid: bytes = field(repr=False)
    otc: bytes
    mid: bytes
    tsn: bytes
    amount: bytes
    currency: bytes
    at: bytes
    digest: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Transaction:
        """Read 47 bytes; whether they make sense is for the caller to check."""
        header, cid, otc, mid, tsn, amount, currency, at, digest = split(
            raw, *_TX_FIELDS
        )
        return cls(
            header=header, cid=cid, otc=otc, mid=mid, tsn=tsn,
            amount=amount, currency=currency, at=at, digest=digest,
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """The 47 bytes."""
        return b"".join((self.header, self.cid, self.otc, self.mid, self.tsn,
                         self.amount, self.currency, self.at, self.digest))  # fmt: skip

    @property
    def context(self) -> bytes:
        """CID || otc || MID || tsn, which ACK, VREQ and VMAC are bound to."""
        return self.cid + self.otc + self.mid + self.tsn
