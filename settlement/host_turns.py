"""The bank as all lines of one host ask it: one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from settlement.host_events import BatchEnded, BatchOpened, LoggedOn, PaymentsTaken

if TYPE_CHECKING:
    import datetime as dt
    import threading
    from collections.abc import Callable, Sequence

    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery, Offer
    from settlement.host_events import Answered
    from settlement.intake import (
        BatchAnswer,
        BatchHeader,
        BatchTotals,
        IntakeBank,
        LogonAnswer,
        OpenAnswer,
        ReconcileAnswer,
        RecordAnswer,
        RefusedMessage,
        TerminalVersions,
    )
    from settlement.payment import OpenItem, PaymentRecord

__all__ = ["Turns"]

_NS_PER_S: Final = 1_000_000_000


class Turns:
    """The bank asked by one line after the other, and its answers told to the log.

    The books take one writer at a time. Lines that wait here wait for each other in
    this process; in the database each would look again and again whether it is free,
    and of two hundred some would find it taken until they gave up.
    """

    def __init__(
        self,
        bank: IntakeBank,
        turn: threading.Lock,
        on_event: Callable[[Answered], None],
    ) -> None:
        """Ask ``bank``, holding ``turn``, which all lines of one host share."""
        self._bank = bank
        self._turn = turn
        self._on_event = on_event

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            answer = self._bank.logon(terminal_id, versions, now)
        self._on_event(LoggedOn(terminal_id=terminal_id, answer=answer))
        return answer

    def begin_batch(
        self,
        header: BatchHeader,
        now: dt.datetime,
        audit_head: AuditHead | None = None,
    ) -> BatchAnswer:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            answer = self._bank.begin_batch(header, now, audit_head)
        self._on_event(BatchOpened(header=header, answer=answer))
        return answer

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: dt.datetime
    ) -> Sequence[RecordAnswer]:
        """See `settlement.intake.IntakeBank`."""
        # Not in turn: groups that wait for the books are posted together.
        began_ns = time.perf_counter_ns()
        answers = self._bank.take_payments(header, payments, now)
        seconds = (time.perf_counter_ns() - began_ns) / _NS_PER_S
        self._on_event(PaymentsTaken(header=header, answers=answers, seconds=seconds))
        return answers

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: dt.datetime
    ) -> OpenAnswer:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            return self._bank.take_open(header, item, now)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: dt.datetime
    ) -> ReconcileAnswer:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            answer = self._bank.reconcile(header, totals, now)
        self._on_event(BatchEnded(header=header, answer=answer))
        return answer

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        """See `settlement.intake.IntakeBank`."""
        return self._bank.download(query, terminal_id)

    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: dt.datetime
    ) -> RecordAnswer:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            return self._bank.take_decline(terminal_id, report, now)

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: dt.datetime
    ) -> None:
        """See `settlement.intake.IntakeBank`."""
        with self._turn:
            self._bank.note_refused(terminal_id, refused, now)
