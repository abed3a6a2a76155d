"""What the terminal's machines of one call do alike: ask, repeat, and take what comes.

`settlement.upload`, `settlement.decline_machine` and `settlement.download_machine` say
what is asked next and what an answer means; that a question stays until it is answered,
that only its own answer counts, and that its MAC must be right, is said here for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from settlement import answers, iso8583
from settlement.errors import MessageError
from settlement.message_codec import response_key
from settlement.messages import ResponseCode
from settlement.payment import STAN_MAX
from settlement.terminal_call import (
    Request,
    RequestsUnderWay,
    Session,
    check_mac,
    encode,
    open_session,
    refused,
)
from settlement.upload_events import LoggedOn, Refused, ResponseDiscarded

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.message_codec import MessageKey

__all__ = ["TerminalMachine"]

CallEvent = LoggedOn | Refused | ResponseDiscarded
"""What every machine may tell."""

CarriedT = TypeVar("CarriedT")
EventT = TypeVar("EventT")


class TerminalMachine(ABC, Generic[CarriedT, EventT]):
    """Asks the bank, a few questions at a time; without line, clock or files.

    A question carries what its machine has to know when the answer comes; None for the
    logon.
    """

    def __init__(
        self, *, stan_start: int, session: Session | None, in_vain: str
    ) -> None:
        """Begin with nothing asked.

        Args:
            stan_start: first STAN.
            session: of an earlier machine of the same call, which logged on.
            in_vain: what a bank that is silent leaves, in words.
        """
        assert 0 < stan_start <= STAN_MAX, "a STAN has six digits"
        self._next_stan = stan_start
        self._session = session
        self._unanswered = RequestsUnderWay[CarriedT | None](in_vain=in_vain)

    @property
    def session(self) -> Session | None:
        """For the next machine of the same call; None before the logon is answered."""
        return self._session

    @property
    def next_stan(self) -> int:
        """The next STAN that is free, for the journal and the next machine."""
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
            NoAnswerError: a message was repeated `REPEATS_MAX` times already; its
                words say what that leaves.
        """
        return [encode(one, self._session) for one in self._unanswered.repeat()]

    def receive(self, data: bytes, now: datetime) -> list[EventT | CallEvent]:
        """Take one message from the bank; never raises on what it contains.

        Args:
            data: one whole message.
            now: aware; compared with the bank's clock at the logon.
        """
        try:
            return self._receive(data, now)
        except MessageError as error:
            return [ResponseDiscarded(reason=str(error))]

    @abstractmethod
    def _next_request(self, now: datetime) -> Request[CarriedT | None] | None:
        """The next request that may go out, or None."""

    @abstractmethod
    def _after_logon(self, *, accepted: bool) -> None:
        """The logon was answered: go on, or ask nothing more in this call."""

    @abstractmethod
    def _on_response(
        self, key: MessageKey, response: iso8583.Message, carried: CarriedT | None
    ) -> list[EventT]:
        """Anything else was answered, under its MAC; ``key`` is that of the question.

        It is to be removed from what is unanswered, unless this raises: what cannot be
        read counts as no answer, and the question stays to be repeated.
        """

    def _on_unasked(
        self, key: MessageKey, response: iso8583.Message
    ) -> list[EventT | CallEvent]:
        del key
        reason = f"{response} answers nothing that was asked, or answers it again"
        return [ResponseDiscarded(reason=reason)]

    def _take_stan(self) -> int:
        """After 999999 comes 1."""
        stan = self._next_stan
        self._next_stan = stan % STAN_MAX + 1
        return stan

    def _receive(self, data: bytes, now: datetime) -> list[EventT | CallEvent]:
        response = iso8583.decode(data)
        key = response_key(response)
        request = self._unanswered.find(key)
        if request is None:
            return self._on_unasked(key, response)
        if self._session is None:
            told = self._on_logon(data, response, now)
            self._unanswered.remove(key)
            self._after_logon(accepted=self._session is not None)
            return [told]
        check_mac(data, response, self._session.key)
        return [*self._on_response(key, response, request.carries)]

    def _on_logon(
        self, data: bytes, response: iso8583.Message, now: datetime
    ) -> LoggedOn | Refused:
        if answers.parse_code(response) is not ResponseCode.ACCEPTED:
            # The only answer without a MAC: a terminal that may not log on has no
            # key. TLS says that it is the bank's, and it moves nothing.
            return refused(response)
        self._session, told = open_session(data, response, now)
        return told
