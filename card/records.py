"""What the cards keep and answer, as values (card profile 1).

Each record has ``to_bytes()``, the exact bytes of the profile, and ``parse()``, which
raises `MalformedResponseError` and nothing else. No ``repr`` shows a full card number
or a MAC, so that records may be logged. Those that are signed (`card.transaction`) and
those of a batch (`card.batch`) can be imported from here as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from card.batch import CHAIN_START, BatchClose, CustomsStatus, chain_next
from card.fields import UINT4_MAX, FieldReader, uint4
from card.profile import LogKind
from card.transaction import (
    TX_BYTES,
    LoadRecord,
    LoadRequest,
    TransactionRecord,
    mask_card_number,
    payment_digest,
)

__all__ = [
    "CHAIN_START",
    "TX_BYTES",
    "BatchClose",
    "CreditedRecord",
    "CustomsStatus",
    "DebitProof",
    "LoadRecord",
    "LoadRequest",
    "LogEntry",
    "OpenRecord",
    "TransactionRecord",
    "chain_next",
    "mask_card_number",
    "payment_digest",
]

_UINT8_MAX: Final = 0xFFFFFFFFFFFFFFFF
_LOG_KINDS: Final = frozenset(int(kind) for kind in LogKind)
_BOOLEANS: Final = frozenset({0, 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitProof:
    """What DEBIT and PROVE answer: the purse was debited, 28 bytes.

    Attributes:
        balance_after_minor: the purse's balance after the debit.
        cumulative_debit_minor: all that this purse was ever debited, this included.
        tac: certificate towards the bank, 8 bytes.
        mac2: proof towards the customs card, 8 bytes.
    """

    balance_after_minor: int
    cumulative_debit_minor: int
    tac: bytes = field(repr=False)
    mac2: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.tac) == len(self.mac2) == 8
        assert 0 <= self.balance_after_minor <= UINT4_MAX, "a balance has 4 bytes"
        assert 0 <= self.cumulative_debit_minor <= _UINT8_MAX, "a sum has 8 bytes"

    def to_bytes(self) -> bytes:
        """The answer's bytes: balanceAfter4 cumulativeDebit8 TAC8 MAC2_8."""
        return (
            uint4(self.balance_after_minor)
            + self.cumulative_debit_minor.to_bytes(8, "big")
            + self.tac
            + self.mac2
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 28 bytes that DEBIT or PROVE answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "proof of debit") as reader:
            return cls(
                balance_after_minor=reader.uint(4),
                cumulative_debit_minor=reader.uint(8),
                tac=reader.take(8),
                mac2=reader.take(8),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecord:
    """A payment that a customs card opened and has not closed, 64 bytes.

    Attributes:
        tx: the payment.
        kv: version of the purse's keys.
        rc: the purse's challenge, with which the bank can compute MAC2, 8 bytes.
        vreq: what the purse's VOID wants to see, 8 bytes.
    """

    tx: TransactionRecord
    kv: int
    rc: bytes = field(repr=False)
    vreq: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.rc) == len(self.vreq) == 8
        assert 0 <= self.kv <= 0xFF, "a key version has one byte"

    def to_bytes(self) -> bytes:
        """LIST OPEN's bytes: TX47 kv1 Rc8 VREQ8."""
        return self.tx.to_bytes() + bytes((self.kv,)) + self.rc + self.vreq

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 64 bytes that LIST OPEN answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "open record") as reader:
            return cls(
                tx=TransactionRecord.parse(reader.take(TX_BYTES)),
                kv=reader.uint(1),
                rc=reader.take(8),
                vreq=reader.take(8),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedRecord:
    """A payment that a customs card has credited, 72 bytes.

    Attributes:
        batch: the batch it belongs to.
        tx: the payment.
        kv: version of the purse's keys.
        balance_after_minor: the purse's balance after the debit.
        cumulative_debit_minor: all that the purse was ever debited.
        tac: the purse's certificate towards the bank, 8 bytes.
    """

    batch: int
    tx: TransactionRecord
    kv: int
    balance_after_minor: int
    cumulative_debit_minor: int
    tac: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.tac) == 8, "a TAC has 8 bytes"
        assert 0 <= self.kv <= 0xFF, "a key version has one byte"

    def to_bytes(self) -> bytes:
        """READ CREDITED's bytes: batch4 TX47 kv1 balance4 cumulativeDebit8 TAC8."""
        return (
            uint4(self.batch)
            + self.tx.to_bytes()
            + bytes((self.kv,))
            + uint4(self.balance_after_minor)
            + self.cumulative_debit_minor.to_bytes(8, "big")
            + self.tac
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 72 bytes that READ CREDITED answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "credited record") as reader:
            return cls(
                batch=reader.uint(4),
                tx=TransactionRecord.parse(reader.take(TX_BYTES)),
                kv=reader.uint(1),
                balance_after_minor=reader.uint(4),
                cumulative_debit_minor=reader.uint(8),
                tac=reader.take(8),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of a purse's log, 53 bytes.

    Attributes:
        kind: purchase, or void: a number burned without a debit.
        tx: the payment; that of a void is no evidence.
        balance_after_minor: the balance then.
        acked: the customs card is known to have credited it; never for a void.
    """

    kind: LogKind
    tx: TransactionRecord
    balance_after_minor: int
    acked: bool

    def to_bytes(self) -> bytes:
        """READ LOG's bytes: type1 TX47 balanceAfter4 acked1."""
        return (
            bytes((self.kind,))
            + self.tx.to_bytes()
            + uint4(self.balance_after_minor)
            + bytes((self.acked,))
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 53 bytes that READ LOG answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "log entry") as reader:
            return cls(
                kind=LogKind(reader.one_of(_LOG_KINDS)),
                tx=TransactionRecord.parse(reader.take(TX_BYTES)),
                balance_after_minor=reader.uint(4),
                acked=bool(reader.one_of(_BOOLEANS)),
            )
