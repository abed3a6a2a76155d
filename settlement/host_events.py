"""What a host tells of itself while it serves: for its log, its metrics, its books.

None of these holds a card number, a key or anything else that is secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from settlement.intake import (
        BatchAnswer,
        BatchHeader,
        LogonAnswer,
        ReconcileAnswer,
        RecordAnswer,
    )

__all__ = [
    "Answered",
    "BatchEnded",
    "BatchOpened",
    "CallEnded",
    "CallOutcome",
    "GroupAnswered",
    "GroupTaken",
    "HostEvent",
    "Listening",
    "LoggedOn",
    "ModemTrouble",
    "PaymentsTaken",
]


@unique
class CallOutcome(StrEnum):
    """How a call ended that had been secured; the values stand in metrics.

    ENDED by the terminal, in order. LOST on the line. SILENT: nothing came for too
    long. UNREADABLE: what came is no message. STOPPED with the host. SUPERSEDED: the
    same terminal has called again. CROWDED: there were too many calls at once.
    """

    ENDED = "ended"
    LOST = "lost"
    SILENT = "silent"
    UNREADABLE = "unreadable"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    CROWDED = "crowded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Connections are taken at this line from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOn:
    """A terminal has named itself; the answer says whether the bank knows it."""

    terminal_id: str
    answer: LogonAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOpened:
    """A terminal begins to upload a batch, or begins it again."""

    header: BatchHeader
    answer: BatchAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsTaken:
    """A group of payments was posted, or suspended, each as its answer says.

    Attributes:
        seconds: until it was durable, waiting for the groups of other lines included.
    """

    header: BatchHeader
    answers: Sequence[RecordAnswer]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """A batch was reconciled, or what differs was told to the terminal."""

    header: BatchHeader
    answer: ReconcileAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """A call is over.

    Attributes:
        terminal_id: of the terminal's certificate.
        messages: how many it sent.
        trouble: why it ended early, or None when the terminal ended it.
        outcome: the same as one of a few kinds.
        began_at: when it was secured.
        ended_at: when the last was said.
    """

    terminal_id: str
    messages: int
    trouble: str | None
    outcome: CallOutcome
    began_at: dt.datetime
    ended_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTaken:
    """Messages that came together are being worked on; an answer follows."""

    terminal_id: str
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAnswered:
    """They are answered, or failed: nothing is under way on this line."""

    terminal_id: str
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemTrouble:
    """A call did not come about, or the modem failed; waiting goes on.

    Attributes:
        reason: what happened, one sentence.
        retry_in_s: the rest before the port is tried again.
    """

    reason: str
    retry_in_s: int = 0


Answered = LoggedOn | BatchOpened | PaymentsTaken | BatchEnded
HostEvent = Answered | CallEnded | GroupAnswered | GroupTaken | Listening | ModemTrouble
