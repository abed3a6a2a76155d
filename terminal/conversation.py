"""Holding a settlement conversation over a call that is up.

A machine of `settlement` says what to send and takes what comes; this is the loop
between it and the line, the same for a batch and for what the bank publishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from modem.errors import CallTimeoutError
from settlement.errors import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

__all__ = ["Conversation", "Machine", "MessageLine"]

ANSWER_TIMEOUT_MS: Final = 30_000
"""Patience with the bank: a window of messages takes some 4 s at 9600 bit/s."""
DISCARDED_MAX: Final = 100
"""Answers that fit nothing asked; a sound bank sends none."""

EventT_co = TypeVar("EventT_co", covariant=True)


class MessageLine(Protocol):
    """A secured call, as far as it is used here; see `modem.call.Call`."""

    def send(self, message: bytes) -> None:
        """Queue one message."""
        ...

    def receive(self, timeout_ms: int) -> bytes:
        """Wait for the next message."""
        ...


class Machine(Protocol[EventT_co]):
    """The terminal's side of something; see `settlement.upload.UploadMachine`."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be said."""

    def messages_to_send(self, now: datetime) -> list[bytes]:
        """What can be sent now."""

    def repeat_unanswered(self) -> list[bytes]:
        """Everything unanswered once more."""

    def receive(self, data: bytes, now: datetime) -> Sequence[EventT_co]:
        """Take one message from the bank."""


class Conversation:
    """Counts, over all that is said through it, the answers that fit nothing."""

    def __init__(
        self, *, clock: Callable[[], datetime], note: Callable[[str, str], None]
    ) -> None:
        """Begin.

        Args:
            clock: the time here, aware.
            note: keeps an event, its kind and detail, in the journal.
        """
        self._clock = clock
        self._note = note
        self._discarded = 0

    def hold(
        self,
        line: MessageLine,
        machine: Machine[EventT_co],
        *,
        on_sent: Callable[[], None] = lambda: None,
    ) -> Iterator[EventT_co]:
        """Run ``machine`` over ``line`` to its end; its events, as they come.

        Args:
            line: the call.
            machine: says what to send.
            on_sent: called whenever what can be sent has been handed to the line.

        Raises:
            ModemError: the call is over.
            NoAnswerError: the bank stopped answering.
        """
        while not machine.finished:
            for message in machine.messages_to_send(self._clock()):
                line.send(message)
            on_sent()
            try:
                answer = line.receive(ANSWER_TIMEOUT_MS)
            except CallTimeoutError:
                for message in machine.repeat_unanswered():
                    line.send(message)
                continue
            yield from machine.receive(answer, self._clock())

    def discard(self, reason: str) -> None:
        """Note an answer that fits nothing asked.

        Raises:
            NoAnswerError: there were too many of them.
        """
        self._discarded += 1
        self._note("response-discarded", reason)
        if self._discarded >= DISCARDED_MAX:
            raise NoAnswerError("the bank's answers fit nothing that was asked")
