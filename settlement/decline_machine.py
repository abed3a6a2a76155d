"""The terminal's side of telling declines, as a machine without line, clock or journal.

Theory of operation. One machine tells the bank of every payment request that was
declined here and of which the bank has not said its last word:

    LOGON    0800       -> 0810   only when nothing before it in the call has logged on
    TELLING  0300 ...   -> 0310   one for each decline, up to ``window`` unanswered
    DONE     nothing more is sent

A decline is over with `DeclineAnswered`: the bank has it (code 00), or will never take
it (12: it has no such request here; 94: the request is paid or gone already). With any
other code, or when the call breaks off, the counter keeps it and tells it again with
its next call; the bank knows the same report again and answers as it did before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Final

from settlement import answers, iso8583
from settlement.decline_messages import decline_message
from settlement.errors import MessageError
from settlement.message_codec import logon_message, response_key
from settlement.messages import ResponseCode, TerminalVersions
from settlement.payment import STAN_MAX
from settlement.terminal_call import (
    Request,
    RequestsUnderWay,
    Session,
    check_mac,
    encode,
    open_session,
)
from settlement.upload_events import LoggedOn, Refused, ResponseDiscarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.decline_report import DeclineReport

__all__ = [
    "DeclineAnswered",
    "DeclineEvent",
    "DeclineMachine",
    "DeclineNotTaken",
    "DeclinePhase",
]

WINDOW_DEFAULT: Final = 4
_LAST_WORDS: Final = frozenset(
    {ResponseCode.ACCEPTED, ResponseCode.INVALID, ResponseCode.CONFLICT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineAnswered:
    """The bank's last word on a decline: keep it, and tell it no more."""

    report: DeclineReport
    code: ResponseCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineNotTaken:
    """The bank cannot take it in this call; it is to be told again."""

    report: DeclineReport
    code: ResponseCode
    text: str


DeclineEvent = (
    LoggedOn | Refused | DeclineAnswered | DeclineNotTaken | ResponseDiscarded
)


@unique
class DeclinePhase(Enum):
    """Where the telling stands."""

    LOGON = "logon"
    TELLING = "telling"
    DONE = "done"


class DeclineMachine:
    """Tells declines; see the module's theory of operation."""

    def __init__(
        self,
        terminal_id: str,
        reports: Sequence[DeclineReport],
        *,
        stan_start: int,
        versions: TerminalVersions | None = None,
        session: Session | None = None,
    ) -> None:
        """Prepare to tell.

        Args:
            terminal_id: 8 characters.
            reports: what to tell, the oldest one first.
            stan_start: first STAN.
            versions: what the terminal holds, for a logon.
            session: of what logged on earlier in the call, or None.
        """
        assert 0 < stan_start <= STAN_MAX, "a STAN has six digits"
        self._terminal_id = terminal_id
        self._waiting = deque(reports)
        self._next_stan = stan_start
        self._versions = versions or TerminalVersions()
        self._session = session
        self._phase = DeclinePhase.TELLING if session else DeclinePhase.LOGON
        self._unanswered = RequestsUnderWay["DeclineReport | None"](
            in_vain="the bank stopped answering; what was declined is told again with "
            "the next call"
        )
        self._finish_when_told()

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to tell in this call."""
        return self._phase is DeclinePhase.DONE

    @property
    def session(self) -> Session | None:
        """For the next machine of the same call; None before the logon is answered."""
        return self._session

    @property
    def next_stan(self) -> int:
        """The next STAN that is free."""
        return self._next_stan

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
            NoAnswerError: a message was repeated `REPEATS_MAX` times already.
        """
        return [encode(one, self._session) for one in self._unanswered.repeat()]

    def receive(self, data: bytes, now: datetime) -> list[DeclineEvent]:
        """Take one message from the bank; never raises on what it contains.

        Args:
            data: one whole message.
            now: aware; compared with the bank's clock at the logon.
        """
        try:
            return self._receive(data, now)
        except MessageError as error:
            return [ResponseDiscarded(reason=str(error))]

    def _next_request(self, now: datetime) -> Request[DeclineReport | None] | None:
        if self._phase is DeclinePhase.LOGON and not self._unanswered:
            stan = self._take_stan()
            message = logon_message(self._terminal_id, stan, self._versions, now)
            return Request(message=message, carries=None)
        if self._phase is not DeclinePhase.TELLING or not self._waiting:
            return None
        if len(self._unanswered) >= WINDOW_DEFAULT:
            return None
        report = self._waiting.popleft()
        message = decline_message(self._terminal_id, self._take_stan(), report, now)
        return Request(message=message, carries=report)

    def _take_stan(self) -> int:
        stan = self._next_stan
        self._next_stan = stan % STAN_MAX + 1
        return stan

    def _receive(self, data: bytes, now: datetime) -> list[DeclineEvent]:
        response = iso8583.decode(data)
        key = response_key(response)
        request = self._unanswered.find(key)
        if request is None:
            reason = f"{response} answers nothing that was asked, or answers it again"
            return [ResponseDiscarded(reason=reason)]
        if request.carries is None:
            events = self._on_logon(data, response, now)
        else:
            assert self._session is not None, "declines follow the logon"
            check_mac(data, response, self._session.key)
            events = [self._on_answer(response, request.carries)]
        self._unanswered.remove(key)
        self._finish_when_told()
        return events

    def _on_logon(
        self, data: bytes, response: iso8583.Message, now: datetime
    ) -> list[DeclineEvent]:
        code = answers.parse_code(response)
        if code is not ResponseCode.ACCEPTED:
            # As in an upload: the one answer without a MAC, and it changes nothing.
            self._waiting.clear()
            return [Refused(code=code, text=answers.parse_text(response))]
        self._session, told = open_session(data, response, now)
        self._phase = DeclinePhase.TELLING
        return [told]

    def _on_answer(
        self, response: iso8583.Message, report: DeclineReport
    ) -> DeclineEvent:
        code = answers.parse_code(response)
        text = answers.parse_text(response) if 48 in response.fields else ""
        if code in _LAST_WORDS:
            return DeclineAnswered(report=report, code=code, text=text)
        # A host that does not take one of them takes none: the others wait, too.
        self._waiting.clear()
        return DeclineNotTaken(report=report, code=code, text=text)

    def _finish_when_told(self) -> None:
        if not self._waiting and not self._unanswered:
            self._phase = DeclinePhase.DONE
