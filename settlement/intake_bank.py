"""What the intake of a call asks of the bank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery, Offer
    from settlement.messages import (
        BatchAnswer,
        BatchHeader,
        BatchTotals,
        LogonAnswer,
        OpenAnswer,
        ReconcileAnswer,
        RecordAnswer,
        RefusedMessage,
        TerminalVersions,
    )
    from settlement.payment import OpenItem, PaymentRecord

__all__ = ["IntakeBank"]


class IntakeBank(Protocol):
    """What the intake machine asks of the bank.

    Every method is idempotent: the same question again has the same answer and no
    further effect. A method returns after what it answers is durable. It raises
    `settlement.errors.BankUnavailableError` when it cannot store now; the machine
    then answers TRY_LATER and the terminal asks again later.
    """

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: datetime
    ) -> LogonAnswer:
        """Whether this terminal, known by its certificate, may send batches."""
        ...

    def begin_batch(
        self, header: BatchHeader, now: datetime, audit_head: AuditHead | None = None
    ) -> BatchAnswer:
        """Open a batch, or find it again: same number, same CLOSE data.

        Where the terminal's audit log stood is kept with it. What the bank holds of
        the batch already is part of the answer.
        """
        ...

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        """Post a group of payments in one transaction; one answer each, in order.

        A bank whose posting is behind receives it for the time being.
        """
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

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        """What leads from what a terminal holds to what is wanted, or is newest."""
        ...

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: datetime
    ) -> None:
        """Keep a message that was refused, for a person to look at."""
        ...

    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: datetime
    ) -> RecordAnswer:
        """Keep that a counter declined a payment request, and decline it."""
        ...
