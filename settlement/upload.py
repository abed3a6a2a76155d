"""The terminal's side of an upload, as a machine without line, clock or journal.

Theory of operation. One machine sends one closed batch. It goes through the phases
below and never back; a phase is left when its last request has been answered:

    LOGON    0800         -> 0810  session key, bank time, versions
    HEADER   0500/920000  -> 0510  the bank takes, or finds again, the batch, and tells
                                   what of it is there from calls before
    DETAILS  0320 ...     -> 0330  the other payments, a group in each message, then the
                                   open records; up to ``window`` unanswered at a time,
                                   or one (`settlement.upload_pace`)
    TOTALS   0500/960000  -> 0510  BANK ACK MAC, or what differs
    DONE     nothing more is sent; the last event was `Collected` or `Refused`

What was sent and not answered is kept byte for byte. When the line stays silent the
caller asks for `repeat_unanswered`: the same messages, marked as repeats. A response
counts once and only when its MAC verifies and it matches an unanswered request; all
else is told as `ResponseDiscarded` and changes nothing.

Nothing here can lose money. The batch is collected only by `Collected`; whatever else
happens, or when the call breaks off at any point, the batch stays pending and a later
call goes on with it, from the logon on. What the bank then says that it holds, and
proves by a digest to be the same, is not sent again, and its outcomes are told as they
were. If the digest is another one, all is sent, and the bank finds what was changed.
Open records are sent in each call, for each asks what the bank knows by now.

For several batches in one call, give the `session` and `next_stan` of the machine
before to the next one, which then starts with HEADER.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Final

from settlement import answers, iso8583
from settlement.message_codec import (
    batch_totals,
    header_message,
    logon_message,
    totals_message,
)
from settlement.messages import (
    BatchHeader,
    ReconcileAnswer,
    ResponseCode,
    TerminalVersions,
)
from settlement.terminal_call import (
    Request,
    Session,
    refused,
)
from settlement.terminal_machine import TerminalMachine
from settlement.upload_details import Detail, DetailQueue
from settlement.upload_events import (
    ClosureReceived,
    Collected,
    LoggedOn,
    Progress,
    Received,
    RecordRefused,
    Refused,
    ResponseDiscarded,
    UploadEvent,
)
from settlement.upload_pace import UploadPace

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.message_codec import MessageKey
    from settlement.payment import BatchToUpload, OpenItem, PaymentRecord


__all__ = [
    "ClosureReceived",
    "Collected",
    "LoggedOn",
    "Progress",
    "Received",
    "RecordRefused",
    "Refused",
    "ResponseDiscarded",
    "Session",
    "UploadEvent",
    "UploadMachine",
    "UploadPhase",
]

WINDOW_DEFAULT: Final = 4
"""Unanswered messages of details at a time: 4 kB, four seconds of a 9600 bit/s line."""


@unique
class UploadPhase(Enum):
    """Where an upload stands."""

    LOGON = "logon"
    HEADER = "header"
    DETAILS = "details"
    TOTALS = "totals"
    DONE = "done"


_NEXT_PHASE: Final = {
    UploadPhase.LOGON: UploadPhase.HEADER,
    UploadPhase.HEADER: UploadPhase.DETAILS,
    UploadPhase.DETAILS: UploadPhase.TOTALS,
    UploadPhase.TOTALS: UploadPhase.DONE,
}


class UploadMachine(TerminalMachine["Detail", "UploadEvent"]):
    """Sends one batch; see the module's theory of operation."""

    def __init__(
        self,
        batch: BatchToUpload,
        *,
        stan_start: int,
        versions: TerminalVersions | None = None,
        window: int = WINDOW_DEFAULT,
        pace: UploadPace | None = None,
        session: Session | None = None,
    ) -> None:
        """Prepare to send a batch.

        Args:
            batch: what to send.
            stan_start: first STAN for logon, header and totals; those that the batch
                uses for its records are passed over.
            versions: what the terminal holds, by default nothing.
            window: messages of details that may be unanswered at a time, from 1.
            pace: how many payments go in one message, by what the calls before have
                shown; by default as many as may.
            session: of an earlier machine of the same call, which logged on.
        """
        super().__init__(
            stan_start=stan_start,
            session=session,
            in_vain="the bank stopped answering; no money is lost, the batch stays "
            "here and can be sent again",
        )
        assert window > 0, "something must be sent"
        self._header = BatchHeader.of(batch)
        self._audit_head = batch.audit_head
        self._records: tuple[PaymentRecord | OpenItem, ...] = (
            *batch.payments,
            *batch.opens,
        )
        self._pace = pace or UploadPace()
        self._details = DetailQueue(batch, self._header, self._pace)
        self._taken_stans = {record.stan for record in self._records}
        self._versions = versions or TerminalVersions()
        self._window = window
        self._phase = UploadPhase.HEADER if session else UploadPhase.LOGON

    @property
    def phase(self) -> UploadPhase:
        """Where the upload stands."""
        return self._phase

    @property
    def finished(self) -> bool:
        """Whether the bank has spoken its last word on this batch in this call."""
        return self._phase is UploadPhase.DONE

    @property
    def progress(self) -> Progress:
        """How far the details are."""
        sent = len(self._records) - self._details.waiting
        on_the_way = sum(
            request.carries.record_count
            for request in self._unanswered.values()
            if request.carries is not None
        )
        return Progress(sent=sent, answered=sent - on_the_way, total=len(self._records))

    def _next_request(self, now: datetime) -> Request[Detail | None] | None:
        """The next request that may go out, or None."""
        if self._phase is UploadPhase.DETAILS:
            window = 1 if self._pace.one_at_a_time else self._window
            if len(self._unanswered) >= window:
                return None
            detail = self._details.next_detail(self._take_stan, now)
            if detail is None:
                return None
            return Request(message=detail.message, carries=detail)
        if self._phase is UploadPhase.DONE or self._unanswered:
            return None
        message = self._control_message(self._take_stan(), now)
        return Request(message=message, carries=None)

    def _control_message(self, stan: int, now: datetime) -> iso8583.Message:
        """The one request of each phase that is not of details."""
        header = self._header
        if self._phase is UploadPhase.LOGON:
            return logon_message(header.terminal_id, stan, self._versions, now)
        if self._phase is UploadPhase.HEADER:
            return header_message(header, stan, now, self._audit_head)
        totals = batch_totals(self._records)
        return totals_message(header, totals, stan, now)

    def _take_stan(self) -> int:
        """A STAN that no record of this batch has; after 999999 comes 1."""
        while (stan := super()._take_stan()) in self._taken_stans:
            pass
        return stan

    def _on_response(
        self, key: MessageKey, response: iso8583.Message, carried: Detail | None
    ) -> list[UploadEvent]:
        events = self._handle(response, carried)
        self._unanswered.remove(key)
        is_refused = any(isinstance(event, Refused) for event in events)
        if carried is not None and carried.payments and not is_refused:
            self._pace.group_acknowledged()
        self._advance(refused=is_refused)
        if carried is not None:
            events.append(self.progress)
        return events

    def _handle(
        self, response: iso8583.Message, detail: Detail | None
    ) -> list[UploadEvent]:
        """What an answer tells; raises before anything is changed."""
        match self._phase:
            case UploadPhase.HEADER:
                return self._on_header(response)
            case UploadPhase.DETAILS:
                assert detail is not None, "nothing else is sent in this phase"
                return self._details.settle(detail, response)
            case UploadPhase.TOTALS:
                return [self._on_totals(response)]
            case UploadPhase.LOGON | UploadPhase.DONE:
                raise AssertionError("nothing else is unanswered then")

    def _after_logon(self, *, accepted: bool) -> None:
        self._advance(refused=not accepted)

    def _on_header(self, response: iso8583.Message) -> list[UploadEvent]:
        if answers.parse_code(response) is not ResponseCode.ACCEPTED:
            return [refused(response)]
        before = self._details.waiting
        told = self._details.leave_out_held(response)
        return [*told, self.progress] if self._details.waiting < before else []

    def _on_totals(self, response: iso8583.Message) -> UploadEvent:
        answer = answers.parse_reconcile(response)
        if answer.code is ResponseCode.RECEIVED:
            return Received(batch=self._header.close.batch, text=answer.text)
        if answer.code is not ResponseCode.ACCEPTED:
            return Refused(code=answer.code, text=answer.text)
        difference = self._difference(answer)
        if difference:
            return Refused(code=ResponseCode.SUMS_DIFFER, text=difference)
        assert answer.ack_mac is not None, "an accepted batch has its MAC"
        return Collected(
            batch=self._header.close.batch,
            ack_mac=answer.ack_mac,
            posted=answer.posted,
            suspended=answer.suspended,
        )

    def _difference(self, answer: ReconcileAnswer) -> str:
        """What the bank says it holds against what the customs card closed."""
        close = self._header.close
        count = answer.posted.count + answer.suspended.count
        sum_minor = answer.posted.sum_minor + answer.suspended.sum_minor
        if (count, sum_minor) == (close.count, close.sum_minor):
            return ""
        return (
            f"the bank says it holds {count} payments of {sum_minor} minor units, the "
            f"customs card closed {close.count} of {close.sum_minor}"
        )

    def _advance(self, *, refused: bool) -> None:
        """Leave the phase when all it asked is answered; pass over empty details."""
        if refused:
            self._phase = UploadPhase.DONE
            self._unanswered.clear()
            return
        left = self._details.waiting
        if self._unanswered or (self._phase is UploadPhase.DETAILS and left):
            return
        self._phase = _NEXT_PHASE[self._phase]
        if self._phase is UploadPhase.DETAILS and not left:
            self._phase = UploadPhase.TOTALS
