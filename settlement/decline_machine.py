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
from settlement.message_codec import logon_message
from settlement.messages import ResponseCode, TerminalVersions
from settlement.terminal_call import (
    Request,
    Session,
)
from settlement.terminal_machine import TerminalMachine
from settlement.upload_events import LoggedOn, Refused, ResponseDiscarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.decline_report import DeclineReport
    from settlement.message_codec import MessageKey

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


class DeclineMachine(TerminalMachine["DeclineReport", "DeclineEvent"]):
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
        super().__init__(
            stan_start=stan_start,
            session=session,
            in_vain="the bank stopped answering; what was declined is told again with "
            "the next call",
        )
        self._terminal_id = terminal_id
        self._waiting = deque(reports)
        self._versions = versions or TerminalVersions()
        self._phase = DeclinePhase.TELLING if session else DeclinePhase.LOGON
        self._finish_when_told()

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to tell in this call."""
        return self._phase is DeclinePhase.DONE

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

    def _after_logon(self, *, accepted: bool) -> None:
        if accepted:
            self._phase = DeclinePhase.TELLING
        else:
            self._waiting.clear()
        self._finish_when_told()

    def _on_response(
        self, key: MessageKey, response: iso8583.Message, carried: DeclineReport | None
    ) -> list[DeclineEvent]:
        assert carried is not None, "declines follow the logon"
        event = self._on_answer(response, carried)
        self._unanswered.remove(key)
        self._finish_when_told()
        return [event]

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
