"""What the two ends of a call say to each other, as typed values.

Seven requests go up (logon, batch header, a group of payments, one record, totals, a
chunk of what the bank publishes, a declined payment request); each has one answer.
`settlement.message_codec` turns these values into ISO 8583 messages and back, and
``docs/iso8583.md`` is the reference for every field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Self

from settlement.decline_report import DeclineReport
from settlement.download import DownloadQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from card.records import BatchClose
    from settlement.audit_head import AuditHead
    from settlement.download import DownloadKind, Held
    from settlement.payment import BatchToUpload, Closure, OpenItem, PaymentRecord

__all__ = [
    "BatchAnswer",
    "BatchHeader",
    "BatchTotals",
    "DetailRequest",
    "GroupRequest",
    "HeaderRequest",
    "HeldRecord",
    "LogonAnswer",
    "LogonRequest",
    "OpenAnswer",
    "ReconcileAnswer",
    "RecordAnswer",
    "RefusedMessage",
    "Request",
    "ResponseCode",
    "TerminalVersions",
    "Total",
    "TotalsRequest",
]


@unique
class ResponseCode(StrEnum):
    """Field 39. What each code means to the terminal is in ``docs/iso8583.md``."""

    ACCEPTED = "00"
    WRONG_MERCHANT = "03"
    SUSPENDED = "05"
    RECEIVED = "09"
    INVALID = "12"
    FORMAT_ERROR = "30"
    NOT_PERMITTED = "58"
    MAC_WRONG = "63"
    INCOMPLETE = "77"
    BATCH_UNKNOWN = "80"
    TRY_LATER = "91"
    CONFLICT = "94"
    SUMS_DIFFER = "95"
    FAILURE = "96"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalVersions:
    """Versions of what is published, at the terminal or the bank."""

    parameters: int = 0
    hotlist: int = 0
    catalogue: int = 0
    requests: int = 0

    @classmethod
    def of_held(cls, held: Mapping[DownloadKind, Held]) -> Self:
        """What a logon tells of what a terminal holds."""
        return cls(**{kind.name.lower(): one.version for kind, one in held.items()})

    def of(self, kind: DownloadKind) -> int:
        """The version of one kind."""
        return self.in_order[kind - 1]

    @property
    def in_order(self) -> tuple[int, int, int, int]:
        """All of them in the order of `settlement.download.DownloadKind`."""
        return self.parameters, self.hotlist, self.catalogue, self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedMessage:
    """A message that the host refused by itself, so that the bank may keep it.

    Attributes:
        code: what was answered; FORMAT_ERROR also when nothing could be.
        text: why, in plain words.
        data: the message as it came.
        batch: the batch that was open, or None.
    """

    code: ResponseCode
    text: str
    data: bytes = field(repr=False)
    batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many payments, and their sum in minor units."""

    count: int = 0
    sum_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTotals:
    """What a batch holds, by kind, as the terminal has sent it (field 63).

    Attributes:
        unknown: credited payments whose details the terminal does not know.
        opened: open records, whose outcome is not known yet.
    """

    fees: Total
    deposits: Total
    purchase: Total
    unknown: Total
    opened: Total


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeader:
    """What opens a batch at the bank: whose it is and what the customs card closed.

    Attributes:
        terminal_id: 8 characters, equal to the name in the terminal's certificate.
        office: customs office code, up to 15 characters.
        mid: the customs card's number, 8 bytes.
        currency: ISO 4217 number.
        close: what the customs card's CLOSE BATCH answered, MAC included.
    """

    terminal_id: str
    office: str
    mid: bytes
    currency: int
    close: BatchClose

    @classmethod
    def of(cls, batch: BatchToUpload) -> Self:
        """The header of a batch that is to be sent."""
        return cls(
            terminal_id=batch.terminal_id,
            office=batch.office,
            mid=batch.mid,
            currency=batch.currency,
            close=batch.close,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogonRequest:
    """0800: a terminal names itself and what it holds."""

    versions: TerminalVersions


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRequest:
    """0500/920000: a batch is to come.

    Attributes:
        header: what names the batch; the same in every call that sends it.
        audit_head: where the terminal's audit log stands in this call, or None.
    """

    header: BatchHeader
    audit_head: AuditHead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailRequest:
    """0320: one record of a batch."""

    batch: int
    record: PaymentRecord | OpenItem


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRequest:
    """0320/930000: several payments of a batch, still packed.

    Attributes:
        columns: field 61; see `settlement.group_layout`.
        tacs: field 62, 8 bytes for each payment.
    """

    batch: int
    columns: bytes = field(repr=False)
    tacs: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsRequest:
    """0500/960000: the batch is complete."""

    batch: int
    totals: BatchTotals


Request = (
    LogonRequest
    | HeaderRequest
    | GroupRequest
    | DetailRequest
    | TotalsRequest
    | DownloadQuery
    | DeclineReport
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogonAnswer:
    """Whether the terminal may go on, and what the bank holds.

    Attributes:
        digests: of each published content the first 8 bytes of its digest, in the
            order of `settlement.download.DownloadKind`; empty when none are told.
    """

    code: ResponseCode
    versions: TerminalVersions
    text: str = ""
    digests: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """What became of one payment: ACCEPTED, RECEIVED, SUSPENDED, CONFLICT, ..."""

    code: ResponseCode
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRecord:
    """A payment that the bank holds durably from an earlier call.

    Attributes:
        record: as it was received.
        answer: what it was answered then, and would be answered again.
    """

    record: PaymentRecord
    answer: RecordAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """Whether the details of this batch may come, and which are there already."""

    code: ResponseCode
    text: str = ""
    held: tuple[HeldRecord, ...] = ()


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
        code: ACCEPTED, or RECEIVED, INCOMPLETE, BATCH_UNKNOWN, CONFLICT, SUMS_DIFFER.
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
