"""The terminal's side of an upload, as a machine without line, clock or journal.

Theory of operation. One machine sends one closed batch. It goes through the phases
below and never back; a phase is left when its last request has been answered:

    LOGON    0800         -> 0810  session key, bank time, versions
    HEADER   0500/920000  -> 0510  the bank takes, or finds again, the batch, and tells
                                   what of it is there from calls before
    DETAILS  0320 ...     -> 0330  the other payments, a group in each message, then the
                                   open records; up to ``window`` unanswered at a time
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
from settlement.detail_groups import GROUP_PAYMENTS_MAX
from settlement.errors import (
    MessageError,
)
from settlement.message_codec import (
    batch_totals,
    header_message,
    logon_message,
    response_key,
    totals_message,
)
from settlement.messages import (
    BatchHeader,
    ReconcileAnswer,
    ResponseCode,
    TerminalVersions,
)
from settlement.payment import STAN_MAX, BatchToUpload, OpenItem, PaymentRecord
from settlement.terminal_call import (
    Request,
    RequestsUnderWay,
    Session,
    check_mac,
    encode,
    open_session,
)
from settlement.upload_details import Detail, DetailQueue, refused
from settlement.upload_events import (
    ClosureReceived,
    Collected,
    LoggedOn,
    Progress,
    RecordRefused,
    Refused,
    ResponseDiscarded,
    UploadEvent,
)

if TYPE_CHECKING:
    from datetime import datetime


__all__ = [
    "ClosureReceived",
    "Collected",
    "LoggedOn",
    "Progress",
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


class UploadMachine:
    """Sends one batch; see the module's theory of operation."""

    def __init__(
        self,
        batch: BatchToUpload,
        *,
        stan_start: int,
        versions: TerminalVersions | None = None,
        window: int = WINDOW_DEFAULT,
        group: int = GROUP_PAYMENTS_MAX,
        session: Session | None = None,
    ) -> None:
        """Prepare to send a batch.

        Args:
            batch: what to send.
            stan_start: first STAN for logon, header and totals; those that the batch
                uses for its records are passed over.
            versions: what the terminal holds, by default nothing.
            window: messages of details that may be unanswered at a time, from 1.
            group: payments in one message, 1 to `GROUP_PAYMENTS_MAX`.
            session: of an earlier machine of the same call, which logged on.
        """
        assert 0 < stan_start <= STAN_MAX, "a STAN has six digits"
        assert window > 0, "something must be sent"
        self._header = BatchHeader.of(batch)
        self._audit_head = batch.audit_head
        self._records: tuple[PaymentRecord | OpenItem, ...] = (
            *batch.payments,
            *batch.opens,
        )
        self._details = DetailQueue(batch, self._header, group)
        self._taken_stans = {record.stan for record in self._records}
        self._next_stan = stan_start
        self._versions = versions or TerminalVersions()
        self._window = window
        self._session = session
        self._phase = UploadPhase.HEADER if session else UploadPhase.LOGON
        self._unanswered = RequestsUnderWay[Detail | None](
            in_vain="the bank stopped answering; no money is lost, the batch stays "
            "here and can be sent again"
        )

    @property
    def phase(self) -> UploadPhase:
        """Where the upload stands."""
        return self._phase

    @property
    def finished(self) -> bool:
        """Whether the bank has spoken its last word on this batch in this call."""
        return self._phase is UploadPhase.DONE

    @property
    def session(self) -> Session | None:
        """For the next machine of the same call; None before the logon is answered."""
        return self._session

    @property
    def next_stan(self) -> int:
        """The next STAN that is free, for the journal and the next machine."""
        return self._next_stan

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

    def messages_to_send(self, now: datetime) -> list[bytes]:
        """What can be sent now; empty while answers are awaited, and at the end.

        Args:
            now: aware, in the office's zone (fields 7, 12 and 13).
        """
        messages: list[bytes] = []
        while (request := self._next_request(now)) is not None:
            self._unanswered.add(request)
            messages.append(encode(request.message, self._session))
        return messages

    def repeat_unanswered(self) -> list[bytes]:
        """Everything unanswered once more, marked as a repeat and otherwise the same.

        Raises:
            NoAnswerError: A message was repeated `REPEATS_MAX` times already. The
                batch stays pending; hang up and send it again in a later call.
        """
        return [encode(one, self._session) for one in self._unanswered.repeat()]

    def receive(self, data: bytes, now: datetime) -> list[UploadEvent]:
        """Take one message from the bank; never raises on what it contains.

        Args:
            data: one whole message.
            now: aware; compared with the bank's clock at the logon.
        """
        try:
            return self._receive(data, now)
        except MessageError as error:
            return [ResponseDiscarded(reason=str(error))]

    def _next_request(self, now: datetime) -> Request[Detail | None] | None:
        """The next request that may go out, or None."""
        if self._phase is UploadPhase.DETAILS:
            if len(self._unanswered) >= self._window:
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
        stan = self._next_stan
        while stan in self._taken_stans:
            stan = stan % STAN_MAX + 1
        self._next_stan = stan % STAN_MAX + 1
        return stan

    def _receive(self, data: bytes, now: datetime) -> list[UploadEvent]:
        response = iso8583.decode(data)
        key = response_key(response)
        request = self._unanswered.find(key)
        if request is None:
            reason = f"{response} answers nothing that was asked, or answers it again"
            return [ResponseDiscarded(reason=reason)]
        if self._session is not None:
            check_mac(data, response, self._session.key)
        # Handlers raise before they change anything: what cannot be read counts as
        # no answer, and the request stays to be repeated.
        events = self._handle(data, response, request.carries, now)
        self._unanswered.remove(key)
        self._advance(refused=any(isinstance(event, Refused) for event in events))
        if request.carries is not None:
            events.append(self.progress)
        return events

    def _handle(
        self,
        data: bytes,
        response: iso8583.Message,
        detail: Detail | None,
        now: datetime,
    ) -> list[UploadEvent]:
        match self._phase:
            case UploadPhase.LOGON:
                return self._on_logon(data, response, now)
            case UploadPhase.HEADER:
                return self._on_header(response)
            case UploadPhase.DETAILS:
                assert detail is not None, "nothing else is sent in this phase"
                return self._details.settle(detail, response)
            case UploadPhase.TOTALS:
                return [self._on_totals(response)]
            case UploadPhase.DONE:
                raise AssertionError("nothing is unanswered in the end")

    def _on_logon(
        self, data: bytes, response: iso8583.Message, now: datetime
    ) -> list[UploadEvent]:
        if answers.parse_code(response) is not ResponseCode.ACCEPTED:
            # The only answer without a MAC: a terminal that may not log on has no
            # key. TLS says that it is the bank's, and it moves nothing.
            return [refused(response)]
        self._session, told = open_session(data, response, now)
        return [told]

    def _on_header(self, response: iso8583.Message) -> list[UploadEvent]:
        if answers.parse_code(response) is not ResponseCode.ACCEPTED:
            return [refused(response)]
        before = self._details.waiting
        told = self._details.leave_out_held(response)
        return [*told, self.progress] if self._details.waiting < before else []

    def _on_totals(self, response: iso8583.Message) -> UploadEvent:
        answer = answers.parse_reconcile(response)
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
