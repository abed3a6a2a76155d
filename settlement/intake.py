"""The host's side of an upload: what it asks of the bank, and the machine itself.

Theory of operation. One machine serves one call of one terminal, known by the
certificate that TLS has verified. A message is decoded (or the call is given up),
its MAC is verified, and its request is answered according to what the call has come to:

    request              before logon   logged on   batch open
    0800 logon           bank           bank        bank
    0500/920000 header   12             bank        bank, becomes the open batch
    0320/930000 group    12             80          bank when of the open batch, else 80
    0320 detail          12             80          bank when of the open batch, else 80
    0500/960000 totals   12             80          bank when of the open batch, else 80
    0300 download        12             bank        bank
    0300 decline         12             bank        bank

"bank" means that the bank decides, stores, and only then is the answer given. The same
message again, marked as a repeat or not, gets the very same answer without the bank
being asked; the same STAN with other content is put to the bank, which answers 94 and
keeps an incident. Nothing is posted for a message that is malformed (30), whose MAC is
wrong (63), or that names another terminal than the certificate does (58), nor for more
payments than a batch can have (12); the bank keeps each such message for a person to
look at, and also one that cannot be decoded at all, before the call is given up.

The answer to a header names what the bank holds of the batch from calls before, so that
only the rest is sent. Messages that arrive together may be given together to
`IntakeMachine.receive_group`: the bank then posts their payments in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from card.profile import BATCH_CREDITS_MAX
from settlement import answers, iso8583
from settlement.decline_report import DeclineReport
from settlement.detail_groups import payments_of
from settlement.download import DownloadQuery
from settlement.download_messages import DownloadDesk
from settlement.errors import (
    BankUnavailableError,
    MalformedMessageError,
    MessageAuthenticationError,
)
from settlement.intake_bank import IntakeBank
from settlement.message_codec import MessageKey, request_key, response_to
from settlement.message_parser import parse_request
from settlement.messages import (
    BatchAnswer,
    BatchHeader,
    BatchTotals,
    DetailRequest,
    GroupRequest,
    HeaderRequest,
    HeldRecord,
    LogonAnswer,
    LogonRequest,
    OpenAnswer,
    ReconcileAnswer,
    RecordAnswer,
    RefusedMessage,
    Request,
    ResponseCode,
    TerminalVersions,
    Total,
    TotalsRequest,
)
from settlement.outcomes import held_fields, outcome_fields
from settlement.payment import OpenItem, PaymentRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


__all__ = [
    "BatchAnswer",
    "BatchHeader",
    "BatchTotals",
    "HeldRecord",
    "IntakeBank",
    "IntakeMachine",
    "LogonAnswer",
    "OpenAnswer",
    "ReconcileAnswer",
    "RecordAnswer",
    "RefusedMessage",
    "ResponseCode",
    "TerminalVersions",
    "Total",
]

WRONG_MACS_MAX: Final = 3
"""Wrong MACs in one call; TLS lets no noise through, so these are no accidents."""
GROUP_MAX: Final = 250
"""Payments posted in one transaction at most, so that no commit takes long."""
ANSWERS_KEPT_MAX: Final = 128
"""Answers of one call kept with their requests, so that a repeat costs no look into the
books: far more than any terminal leaves unanswered. It bounds memory, and nothing
else: what an older one is repeated for goes to the bank, which answers the same. At
worst, with messages of 65535 bytes, one call keeps 16 MB; a counter's have 1 kB."""

NOTED_MAX: Final = 16
"""Refused messages that the bank keeps of one call; what else comes says no more."""

_TRANSIENT: Final = frozenset({ResponseCode.TRY_LATER, ResponseCode.FAILURE})
"""Answers that a repeat must not get again: it is to be tried once more."""


Fields = Sequence[tuple[int, str | bytes]]
_Asked = (
    LogonRequest
    | HeaderRequest
    | OpenItem
    | TotalsRequest
    | DownloadQuery
    | DeclineReport
)
"""What is put to the bank as soon as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What is answered to one request.

    Attributes:
        kept: whether a repeat gets this answer again without the bank being asked.
        noted: why a person has to look at the request, or empty.
    """

    code: ResponseCode
    fields: Fields = ()
    kept: bool = False
    noted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The content of a request that was answered, and the bytes of the answer."""

    fields: Mapping[int, str | bytes]
    response: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payments:
    """What one message brings to be posted.

    Attributes:
        grouped: it was a group, and is answered as one.
    """

    records: tuple[PaymentRecord, ...]
    grouped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A message that waits for its payments to be posted."""

    message: iso8583.Message
    payments: _Payments


class IntakeMachine:
    """Serves one call of one terminal; see the module's theory of operation."""

    def __init__(self, terminal_id: str, bank: IntakeBank, session_key: bytes) -> None:
        """Prepare to serve a call.

        Args:
            terminal_id: the name in the certificate that the terminal proved.
            bank: what decides and stores.
            session_key: 16 random bytes, for this call only.
        """
        assert len(session_key) == 16, "a session key has 16 bytes"
        self._terminal_id = terminal_id
        self._bank = bank
        self._session_key = session_key
        self._logged_on = False
        self._header: BatchHeader | None = None
        self._kept: dict[MessageKey, _Kept] = {}
        self._wrong_macs = 0
        self._noted = 0
        self._stans: dict[int, set[int]] = {}
        self._downloads = DownloadDesk(partial(bank.download, terminal_id=terminal_id))

    def receive(self, message: bytes, now: datetime) -> list[bytes]:
        """Answer one message from the terminal.

        Args:
            message: one whole message.
            now: the bank's time, aware.

        Raises:
            MalformedMessageError: The bytes are no request of the profile and cannot
                even be answered; close the call.
            MessageAuthenticationError: Too many wrong MACs; close the call.
        """
        return self.receive_group([message], now)

    def receive_group(self, messages: Sequence[bytes], now: datetime) -> list[bytes]:
        """Answer messages that arrived together, payments posted in groups.

        Every response is given in the order of the requests. Raises as `receive` does,
        with nothing of the group posted when one of its messages cannot be decoded.
        """
        arrived = [(data, self._decode(data, now)) for data in messages]
        keys = [request_key(message) for _, message in arrived]
        responses: list[bytes] = []
        waiting: dict[MessageKey, _Waiting] = {}
        for key, (data, message) in zip(keys, arrived, strict=True):
            if key in waiting:
                responses += self._post(waiting, now)
            screened = self._screen(key, data, message)
            if isinstance(screened, _Payments):
                if _count(waiting) + len(screened.records) > GROUP_MAX:
                    responses += self._post(waiting, now)
                waiting[key] = _Waiting(message=message, payments=screened)
                continue
            responses += self._post(waiting, now)
            if isinstance(screened, bytes):
                responses.append(screened)
                continue
            if not isinstance(screened, _Reply):
                screened = self._ask_bank(screened, now)
            reply = self._note(data, screened, now)
            responses.append(self._respond(key, message, reply, now))
        responses += self._post(waiting, now)
        return responses

    def _decode(self, data: bytes, now: datetime) -> iso8583.Message:
        """The message in ``data``; one that is none is kept before the call ends."""
        try:
            return iso8583.decode(data)
        except MalformedMessageError as error:
            reply = _refusal(ResponseCode.FORMAT_ERROR, str(error), noted=True)
            self._note(data, reply, now)
            raise

    def _note(self, data: bytes, reply: _Reply, now: datetime) -> _Reply:
        """The reply, after the bank has kept a request that is not as it should be."""
        if not reply.noted or self._noted >= NOTED_MAX:
            return reply
        self._noted += 1
        refused = RefusedMessage(
            code=reply.code,
            text=reply.noted,
            data=data,
            batch=self._header.close.batch if self._header else None,
        )
        try:
            self._bank.note_refused(self._terminal_id, refused, now)
        except BankUnavailableError as error:
            return _refusal(ResponseCode.TRY_LATER, str(error))
        return reply

    def _screen(
        self, key: MessageKey, data: bytes, message: iso8583.Message
    ) -> _Asked | _Payments | _Reply | bytes:
        """What the bank is to be asked, or a refusal, or an answer given before."""
        is_logon = message.mti.startswith("080")
        if not is_logon and not self._logged_on:
            return _refusal(ResponseCode.INVALID, "log on first")
        if not is_logon and not iso8583.is_authentic(data, message, self._session_key):
            return self._wrong_mac(message)
        kept = self._kept.get(key)
        if kept is not None and kept.fields == message.fields:
            return kept.response
        return self._admit(message)

    def _admit(self, message: iso8583.Message) -> _Asked | _Payments | _Reply:
        """What the bank is to be asked, or why it is not."""
        try:
            request = parse_request(message)
            if message.text(41) != self._terminal_id:
                text = f"the certificate of this call is that of {self._terminal_id}"
                return _refusal(ResponseCode.NOT_PERMITTED, text, noted=True)
            return self._in_open_batch(request)
        except MalformedMessageError as error:
            return _refusal(ResponseCode.FORMAT_ERROR, str(error), noted=True)

    def _in_open_batch(self, request: Request) -> _Asked | _Payments | _Reply:
        """The same, unless it is of a batch that is not open.

        Raises:
            MalformedMessageError: the payments of a group cannot be read.
        """
        if isinstance(
            request, LogonRequest | HeaderRequest | DownloadQuery | DeclineReport
        ):
            return request
        header = self._header
        if header is None or request.batch != header.close.batch:
            text = f"batch {request.batch} has not been opened in this call"
            return _refusal(ResponseCode.BATCH_UNKNOWN, text)
        match request:
            case GroupRequest():
                return self._within_limit(payments_of(request, header), grouped=True)
            case DetailRequest(record=record):
                if isinstance(record, OpenItem):
                    return record
                return self._within_limit((record,), grouped=False)
            case TotalsRequest():
                return request
            case _:
                assert_never(request)

    def _within_limit(
        self, records: tuple[PaymentRecord, ...], *, grouped: bool
    ) -> _Payments | _Reply:
        """The payments, unless with them there are more than a batch can have."""
        assert self._header is not None, "records come only in an open batch"
        stans = self._stans.setdefault(self._header.close.batch, set())
        more = {record.stan for record in records} - stans
        if len(stans) + len(more) > BATCH_CREDITS_MAX:
            text = f"more than {BATCH_CREDITS_MAX} payments in one batch; not taken"
            return _refusal(ResponseCode.INVALID, text, noted=True)
        stans |= more
        return _Payments(records=records, grouped=grouped)

    def _wrong_mac(self, message: iso8583.Message) -> _Reply:
        self._wrong_macs += 1
        if self._wrong_macs >= WRONG_MACS_MAX:
            text = f"the MAC of {message} is wrong, as of others before in this call"
            raise MessageAuthenticationError(text)
        text = "the MAC is wrong; nothing was posted"
        return _refusal(ResponseCode.MAC_WRONG, text, noted=True)

    def _ask_bank(self, request: _Asked, now: datetime) -> _Reply:
        reply: _Reply
        try:
            match request:
                case LogonRequest(versions=versions):
                    reply = self._log_on(versions, now)
                case HeaderRequest():
                    reply = self._begin_batch(request, now)
                case OpenItem():
                    reply = self._take_open(request, now)
                case TotalsRequest(totals=totals):
                    reply = self._reconcile(totals, now)
                case DeclineReport():
                    reply = self._take_decline(request, now)
                case DownloadQuery():
                    # Asked again it is made again: repeats need no room for its bytes.
                    reply = _Reply(
                        code=ResponseCode.ACCEPTED,
                        fields=self._downloads.answer(request),
                    )
                case _:
                    assert_never(request)
        except BankUnavailableError as error:
            return _refusal(ResponseCode.TRY_LATER, str(error))
        return reply

    def _log_on(self, versions: TerminalVersions, now: datetime) -> _Reply:
        answer = self._bank.logon(self._terminal_id, versions, now)
        if answer.code is not ResponseCode.ACCEPTED:
            return _Reply(
                code=answer.code,
                fields=answers.text_fields(answer.text),
                noted=answer.text,
            )
        self._logged_on = True
        fields = answers.logon_fields(answer, self._session_key, now)
        return _reply(answer.code, fields)

    def _begin_batch(self, request: HeaderRequest, now: datetime) -> _Reply:
        self._header = None
        answer = self._bank.begin_batch(request.header, now, request.audit_head)
        if answer.code is not ResponseCode.ACCEPTED:
            return _reply(answer.code, answers.text_fields(answer.text))
        self._header = request.header
        return _reply(answer.code, held_fields(answer.held))

    def _take_open(self, item: OpenItem, now: datetime) -> _Reply:
        answer = self._bank.take_open(self._open_header(), item, now)
        fields = answers.text_fields(answer.text)
        return _reply(answer.code, fields + answers.closure_fields(answer.closure))

    def _take_decline(self, report: DeclineReport, now: datetime) -> _Reply:
        answer = self._bank.take_decline(self._terminal_id, report, now)
        return _reply(answer.code, answers.text_fields(answer.text))

    def _reconcile(self, totals: BatchTotals, now: datetime) -> _Reply:
        answer = self._bank.reconcile(self._open_header(), totals, now)
        return _reply(answer.code, answers.reconcile_fields(answer))

    def _post(self, waiting: dict[MessageKey, _Waiting], now: datetime) -> list[bytes]:
        """Post all payments that wait, and empty it; the responses, in order."""
        if not waiting:
            return []
        records = [one for entry in waiting.values() for one in entry.payments.records]
        try:
            found = iter(self._bank.take_payments(self._open_header(), records, now))
            replies = [_settled(entry.payments, found) for entry in waiting.values()]
        except BankUnavailableError as error:
            replies = [_refusal(ResponseCode.TRY_LATER, str(error))] * len(waiting)
        responses = [
            self._respond(key, entry.message, reply, now)
            for (key, entry), reply in zip(waiting.items(), replies, strict=True)
        ]
        waiting.clear()
        return responses

    def _respond(
        self, key: MessageKey, message: iso8583.Message, reply: _Reply, now: datetime
    ) -> bytes:
        response = response_to(message, reply.code, now, reply.fields)
        session_key = self._session_key if self._logged_on else None
        data = iso8583.encode(response, session_key)
        if reply.kept:
            while len(self._kept) >= ANSWERS_KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _Kept(fields=message.fields, response=data)
        return data

    def _open_header(self) -> BatchHeader:
        assert self._header is not None, "records come only in an open batch"
        return self._header


def _count(waiting: Mapping[MessageKey, _Waiting]) -> int:
    """Payments that wait."""
    return sum(len(entry.payments.records) for entry in waiting.values())


def _settled(payments: _Payments, found: Iterator[RecordAnswer]) -> _Reply:
    """What is answered for one message, of which ``found`` brings each payment's."""
    settled = {record.sequence: next(found) for record in payments.records}
    if payments.grouped:
        kept = not any(answer.code in _TRANSIENT for answer in settled.values())
        fields = outcome_fields(settled)
        return _Reply(code=ResponseCode.ACCEPTED, fields=fields, kept=kept)
    (answer,) = settled.values()
    return _reply(answer.code, answers.text_fields(answer.text))


def _reply(code: ResponseCode, fields: Fields) -> _Reply:
    """What the bank has decided; kept for repeats unless it may decide otherwise."""
    return _Reply(code=code, fields=fields, kept=code not in _TRANSIENT)


def _refusal(code: ResponseCode, text: str, *, noted: bool = False) -> _Reply:
    """What the bank was not asked, or could not answer."""
    fields = answers.text_fields(text)
    return _Reply(code=code, fields=fields, noted=text if noted else "")
