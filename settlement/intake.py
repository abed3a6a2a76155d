"""The host's side of an upload: what it asks of the bank, and the machine itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from settlement.messages import BatchHeader, BatchTotals, ResponseCode, Total

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.payment import Closure, OpenItem, PaymentRecord

__all__ = [
    "BatchAnswer",
    "BatchHeader",
    "BatchTotals",
    "IntakeBank",
    "LogonAnswer",
    "OpenAnswer",
    "ReconcileAnswer",
    "RecordAnswer",
    "ResponseCode",
    "TerminalVersions",
    "Total",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalVersions:
    """What the terminal holds now: versions of its parameters and hotlist."""

    parameters: int = 0
    hotlist: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogonAnswer:
    """Whether the terminal may go on, and the versions that the bank holds."""

    code: ResponseCode
    versions: TerminalVersions
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """Whether the details of this batch may come."""

    code: ResponseCode
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """What became of one payment: ACCEPTED, SUSPENDED, CONFLICT, ..."""

    code: ResponseCode
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAnswer:
    """What the bank knows about an open record; no closure while it knows nothing."""

    code: ResponseCode
    closure: Closure | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileAnswer:
    """The end of a batch.

    Attributes:
        code: ACCEPTED, or INCOMPLETE, BATCH_UNKNOWN, CONFLICT, SUMS_DIFFER.
        ack_mac: BANK ACK MAC for the customs card, 16 bytes, when accepted.
        posted: what of this batch the ledger holds.
        suspended: what of this batch waits in suspense; posted and suspended
            together are what the customs card closed.
        text: what differs, naming the payment, when not accepted.
    """

    code: ResponseCode
    ack_mac: bytes | None = field(default=None, repr=False)
    posted: Total = field(default_factory=Total)
    suspended: Total = field(default_factory=Total)
    text: str = ""


class IntakeBank(Protocol):
    """What the intake machine asks of the bank.

    Every method is idempotent: the same question again has the same answer and no
    further effect. A method returns after what it answers is durable. It raises
    `settlement.errors.BankUnavailableError` when it cannot store now; the machine
    then answers FAILURE and the terminal asks again later.
    """

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: datetime
    ) -> LogonAnswer:
        """Whether this terminal, known by its certificate, may send batches."""
        ...

    def begin_batch(self, header: BatchHeader, now: datetime) -> BatchAnswer:
        """Open a batch, or find it again: same number, same CLOSE data."""
        ...

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        """Post a group of payments in one transaction; one answer each, in order."""
        ...

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: datetime
    ) -> OpenAnswer:
        """Take note of an open record, or give the closure for it."""
        ...

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        """Compare what was posted with what the customs card closed."""
        ...
