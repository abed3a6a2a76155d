"""What the terminal's machines of one call have in common.

The logon that one of them makes opens a session for all. What each of them has asked
and not heard about is kept byte for byte, so that it can be asked again, and a response
belongs to it only by the fields that `settlement.message_codec.response_key` names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from settlement import answers, iso8583
from settlement.errors import MessageAuthenticationError, NoAnswerError
from settlement.message_codec import MessageKey, as_repeat, request_key
from settlement.messages import TerminalVersions
from settlement.upload_events import LoggedOn, Refused

if TYPE_CHECKING:
    from collections.abc import KeysView
    from datetime import datetime

__all__ = [
    "REPEATS_MAX",
    "Request",
    "RequestsUnderWay",
    "Session",
    "check_mac",
    "encode",
    "open_session",
    "refused",
]

REPEATS_MAX: Final = 3
"""How often one message is repeated in one call before the call is given up."""

CarriedT = TypeVar("CarriedT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a logon leaves for the rest of its call.

    Attributes:
        key: of the MACs, 16 bytes.
        versions: of what the bank publishes.
        digests: see `settlement.messages.LogonAnswer`.
    """

    key: bytes = field(repr=False)
    versions: TerminalVersions = field(default=TerminalVersions(), repr=False)
    digests: bytes = field(default=b"", repr=False)


@dataclass(slots=True, kw_only=True)
class Request(Generic[CarriedT]):
    """A request on its way.

    Attributes:
        carries: what its machine has to know when the answer comes.
    """

    message: iso8583.Message
    carries: CarriedT
    repeats: int = 0


class RequestsUnderWay(Generic[CarriedT]):
    """What was asked and is not answered, by what an answer must match."""

    def __init__(self, *, in_vain: str) -> None:
        """Begin with nothing; ``in_vain`` says what a bank that is silent leaves."""
        self._in_vain = in_vain
        self._requests: dict[MessageKey, Request[CarriedT]] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def keys(self) -> KeysView[MessageKey]:
        """What answers would match."""
        return self._requests.keys()

    def values(self) -> list[Request[CarriedT]]:
        """All of them, oldest first."""
        return list(self._requests.values())

    def find(self, key: MessageKey) -> Request[CarriedT] | None:
        """The one that a response with this key answers, or None."""
        return self._requests.get(key)

    def add(self, request: Request[CarriedT]) -> None:
        """It is being sent."""
        self._requests[request_key(request.message)] = request

    def remove(self, key: MessageKey) -> None:
        """It was answered."""
        del self._requests[key]

    def clear(self) -> None:
        """No answer matters any more."""
        self._requests.clear()

    def repeat(self) -> list[iso8583.Message]:
        """All of them once more, marked as repeats and otherwise the same.

        Raises:
            NoAnswerError: one was repeated `REPEATS_MAX` times already.
        """
        for request in self._requests.values():
            if request.repeats >= REPEATS_MAX:
                raise NoAnswerError(self._in_vain)
            request.repeats += 1
        return [as_repeat(request.message) for request in self._requests.values()]


def encode(message: iso8583.Message, session: Session | None) -> bytes:
    """The bytes of a message, with the MAC of the session when there is one."""
    return iso8583.encode(message, session.key if session else None)


def open_session(
    data: bytes, response: iso8583.Message, now: datetime
) -> tuple[Session, LoggedOn]:
    """What an accepted logon opens, and what it tells.

    Args:
        data: the response's bytes.
        response: the same, decoded; its code is 00.
        now: aware; compared with the bank's clock.

    Raises:
        MalformedMessageError: something is missing or wrong.
        MessageAuthenticationError: the MAC under the key that it brings is wrong.
    """
    logon = answers.parse_logon(response)
    check_mac(data, response, logon.session_key)
    session = Session(
        key=logon.session_key, versions=logon.versions, digests=logon.digests
    )
    told = LoggedOn(
        bank_time=logon.bank_time,
        clock_offset=logon.bank_time - now,
        parameters_version=logon.versions.parameters,
        hotlist_version=logon.versions.hotlist,
    )
    return session, told


def refused(response: iso8583.Message) -> Refused:
    """The bank refuses what it was asked, in its own words.

    Raises:
        MalformedMessageError: the answer's text is not valid.
    """
    code, text = answers.parse_code(response), answers.parse_text(response)
    return Refused(code=code, text=text)


def check_mac(data: bytes, response: iso8583.Message, key: bytes) -> None:
    """See that a response is the bank's.

    Raises:
        MessageAuthenticationError: its MAC is wrong.
    """
    if not iso8583.is_authentic(data, response, key):
        raise MessageAuthenticationError(f"the MAC of {response} is wrong")
