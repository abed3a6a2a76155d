"""The end of day as the clerk sees it: phases, progress, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from settlement.messages import ResponseCode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from settlement.money import Money
    from terminal.downloads import DownloadsResult
    from terminal.errors import Advice

__all__ = [
    "BatchOutcome",
    "DayPhase",
    "DayProgress",
    "DayResult",
    "DayVerdict",
    "Share",
]


@unique
class DayPhase(StrEnum):
    """What is being done, in this order; SENDING to ACKNOWLEDGING for each batch."""

    CLOSING = "closing"
    DIALLING = "dialling"
    SECURING = "securing"
    SENDING = "sending"
    RECONCILING = "reconciling"
    ACKNOWLEDGING = "acknowledging"
    FETCHING = "fetching"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayProgress:
    """One step forward.

    Attributes:
        batch: the batch number concerned, or None while there is no one batch.
        done: payments answered so far; 0 in phases that do not count.
        total: payments to send; 0 in phases that do not count.
        detail: what the line says, such as the number dialled or the line's rate.
    """

    phase: DayPhase
    batch: int | None = None
    done: int = 0
    total: int = 0
    detail: str = ""


@unique
class DayVerdict(StrEnum):
    """How an end of day ended."""

    COLLECTED = "collected"
    """The bank has taken every waiting batch."""
    NOTHING_TO_SEND = "nothing-to-send"
    PENDING = "pending"
    """A batch still waits: send it again later, or ask then what was posted of it."""
    REFUSED = "refused"
    """The bank answered that a batch differs; it waits until that is resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Part of the payments: how many, and their sum."""

    count: int
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """One batch: what it holds, and what the bank answered.

    Attributes:
        open_count: payments that went up with it as not known yet.
        posted: what the bank has posted of it; None while there is no answer.
        suspended: what the bank holds in suspense until it is cleared there; None
            when it holds nothing, or has not answered.
        code: the bank's response code, empty while there is no answer.
        text: the bank's own words, or empty.
    """

    number: int
    count: int
    total: Money
    open_count: int
    collected: bool
    code: str = ""
    text: str = ""
    posted: Share | None = None
    suspended: Share | None = None

    @property
    def received(self) -> bool:
        """The bank has stored all of it, and has yet to say what it posted."""
        return self.code == ResponseCode.RECEIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The end of an end of day.

    Attributes:
        batches: those that were sent, then those that still wait.
        failed_phase: where it went wrong; None when nothing did, or nothing was to
            be done.
        certificate_until: the end of this terminal's certificate when that is near.
        downloads: what came from the bank; None when no call came so far.
    """

    verdict: DayVerdict
    batches: tuple[BatchOutcome, ...]
    advice: Advice
    failed_phase: DayPhase | None = None
    certificate_until: datetime | None = None
    downloads: DownloadsResult | None = None

    @property
    def posted(self) -> Share | None:
        """What the bank has posted of all batches; None when it took none."""
        return _sum(batch.posted for batch in self.batches)

    @property
    def suspended(self) -> Share | None:
        """What the bank holds in suspense of all batches; None when nothing."""
        return _sum(batch.suspended for batch in self.batches)


def _sum(shares: Iterable[Share | None]) -> Share | None:
    told = [share for share in shares if share is not None]
    if not told:
        return None
    total = told[0].total
    for share in told[1:]:
        total += share.total
    return Share(count=sum(share.count for share in told), total=total)
