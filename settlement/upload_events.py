"""What an upload tells the counter, as it goes on (see `settlement.upload`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from settlement.messages import ResponseCode, Total
    from settlement.payment import Closure

__all__ = [
    "ClosureReceived",
    "Collected",
    "LoggedOn",
    "Progress",
    "Received",
    "RecordRefused",
    "Refused",
    "ResponseDiscarded",
    "UploadEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOn:
    """The bank knows this terminal.

    Attributes:
        bank_time: the bank's clock, aware UTC.
        clock_offset: by how much it is ahead of the terminal's.
        parameters_version: version of the parameters that the bank holds.
        hotlist_version: version of the hotlist that the bank holds.
    """

    bank_time: datetime
    clock_offset: timedelta
    parameters_version: int
    hotlist_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the details are; `answered` never goes back.

    What the bank holds from calls before counts as sent and answered.
    """

    sent: int
    answered: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefused:
    """One record was not accepted; the upload goes on, the text says why."""

    stan: int
    code: ResponseCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureReceived:
    """The bank resolved an open record: pass it to the customs card."""

    stan: int
    closure: Closure


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The bank holds the whole batch: run BANK ACK on the customs card, then mark it.

    Attributes:
        batch: number of the batch.
        ack_mac: BANK ACK MAC, 16 bytes.
        posted: what the bank has posted, payment by payment.
        suspended: what the bank holds in suspense, to be resolved there.
    """

    batch: int
    ack_mac: bytes = field(repr=False)
    posted: Total
    suspended: Total

    @property
    def posted_count(self) -> int:
        """Payments posted."""
        return self.posted.count

    @property
    def posted_sum(self) -> int:
        """Sum posted, in minor units."""
        return self.posted.sum_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The bank has stored all of the batch, and posts it later.

    It stays pending here; the bank says what it posted in the next call.
    """

    batch: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The bank did not take the batch: it stays pending; nothing is lost."""

    code: ResponseCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDiscarded:
    """Something arrived that answers nothing that was asked; it was not used."""

    reason: str


UploadEvent = (
    LoggedOn
    | Progress
    | RecordRefused
    | ClosureReceived
    | Collected
    | Received
    | Refused
    | ResponseDiscarded
)
