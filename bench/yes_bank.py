"""A bank that takes all, at once: what a call costs without any books behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.messages import (
    BatchAnswer,
    LogonAnswer,
    OpenAnswer,
    ReconcileAnswer,
    RecordAnswer,
    RefusedMessage,
    ResponseCode,
    Total,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from modem.certificates import PeerCertificate
    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery, Offer
    from settlement.messages import BatchHeader, BatchTotals, TerminalVersions
    from settlement.payment import OpenItem, PaymentRecord

__all__ = ["OpenDoor", "YesBank"]

_ACK_BYTES: Final = 16


class OpenDoor:
    """Lets in every terminal that TLS has nothing against, and notes nothing."""

    def admit(self, terminal: PeerCertificate) -> None:
        """See `settlement.host.Doorkeeper`."""

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> None:
        """See `settlement.host.Doorkeeper`."""


class YesBank:
    """Accepts whatever it is asked, and publishes nothing.

    It keeps nothing either, so any number of calls may use one.
    """

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        """See `settlement.intake.IntakeBank`."""
        del terminal_id, now
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=versions)

    def begin_batch(
        self,
        header: BatchHeader,
        now: dt.datetime,
        audit_head: AuditHead | None = None,
    ) -> BatchAnswer:
        """See `settlement.intake.IntakeBank`."""
        del header, now, audit_head
        return BatchAnswer(code=ResponseCode.ACCEPTED)

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: dt.datetime
    ) -> Sequence[RecordAnswer]:
        """See `settlement.intake.IntakeBank`."""
        del header, now
        return [RecordAnswer(code=ResponseCode.ACCEPTED)] * len(payments)

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: dt.datetime
    ) -> OpenAnswer:
        """See `settlement.intake.IntakeBank`."""
        raise AssertionError("no batch of a benchmark has open records")

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: dt.datetime
    ) -> ReconcileAnswer:
        """See `settlement.intake.IntakeBank`."""
        del totals, now
        close = header.close
        posted = Total(count=close.count, sum_minor=close.sum_minor)
        return ReconcileAnswer(
            code=ResponseCode.ACCEPTED, ack_mac=bytes(_ACK_BYTES), posted=posted
        )

    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: dt.datetime
    ) -> RecordAnswer:
        """See `settlement.intake.IntakeBank`."""
        raise AssertionError("no counter of a benchmark declines anything")

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        """See `settlement.intake.IntakeBank`."""
        raise AssertionError("this bank publishes nothing, so nobody asks")

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: dt.datetime
    ) -> None:
        """See `settlement.intake.IntakeBank`."""
        raise AssertionError(f"{terminal_id} sends nothing to refuse: {refused} {now}")
