"""What a call tells its owner while it comes up and goes down.

One small value for each thing worth showing on a screen or writing in a log. None
of them holds a message or anything secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from modem.result_codes import ReportName, ResultCode


__all__ = [
    "CallEvent",
    "Closed",
    "Connected",
    "DialFailed",
    "Dialling",
    "ModemReported",
    "ModemSpoke",
    "Ringing",
    "Secured",
    "Securing",
    "WaitingForCall",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """The modem was told to dial ``number``; ``attempt`` counts from 1."""

    number: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed:
    """One attempt was in vain; the next follows after ``retry_in_ms``.

    The last attempt gives no such event but an error.
    """

    number: str
    code: ResultCode
    retry_in_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemReported:
    """The modem tells of the call: carrier, protocol, who calls.

    Attributes:
        name: what it is about, by its standard name.
        text: what the modem says of it.
    """

    name: ReportName
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemSpoke:
    """One line between computer and modem, for whoever tries a modem.

    Attributes:
        text: without its line end, and with dots for what cannot be read.
        by_modem: said by the modem and not to it.
    """

    text: str
    by_modem: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForCall:
    """The answering side is set up and waits for a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """The telephone rings and the modem was told to pick up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The two sides hear each other.

    Attributes:
        rate_bps: bits a second on the line, as the modem has told it, or of the port;
            0 over a network.
        detail: what the modem said with CONNECT, such as ``"9600/ARQ"``.
    """

    rate_bps: int
    detail: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Securing:
    """The link is up; the two machines now check each other's certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """Messages can go both ways.

    Attributes:
        peer_name: CN of the other side's certificate.
        resumed: an earlier session goes on, and no certificate was sent again.
        peer_until: the end of the other side's certificate, where one was looked at.
        own_until: the end of ours.
    """

    peer_name: str
    resumed: bool = False
    peer_until: datetime | None = None
    own_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The call is over and the modem has hung up.

    Attributes:
        clean: everything that was sent has arrived.
        reason: how the call ended, for a log.
    """

    clean: bool
    reason: str


CallEvent = (
    Dialling
    | DialFailed
    | ModemReported
    | ModemSpoke
    | WaitingForCall
    | Ringing
    | Connected
    | Securing
    | Secured
    | Closed
)
