"""The states of a link, every step between them, and what it tells and counts.

Theory of operation
    A link is three machines that share a line: the stream that goes out, the stream
    that comes in, and the life of the link, whose states stand here.

    1. The life of the link. It is OPENING until the other side is known to have heard
       this side's HELLO (`modem.link_opening`). It is then OPEN, until this side asks
       to close: DRAINING waits for everything sent to be acknowledged, DISCONNECTING
       for the DISC to be confirmed. A DISC from the other side ends it at once. A line
       without signs of life (`modem.link_life`) ends it as LOST, unless everything was
       acknowledged and only the confirmation is missing.

    2. The stream that goes out has no states of its own: each of its bytes is queued,
       on the line, lost or arrived (`modem.link_window`), and when the line takes the
       next frame, and how many, follows from the rate, the round trips and the losses
       (`modem.link_outgoing`, `modem.link_pace`, `modem.link_size`).

    3. The stream that comes in: each byte is missing, held or delivered, and an ACK
       tells all of it (`modem.link_receive`).

    Data flows while the link is OPEN or DRAINING; an ACK goes out in any state but
    OPENING and LOST, since the other side may need it to end in order. Steps of the
    table are taken by events (a frame, a call, the time) and two by state: a link that
    is DRAINING takes DRAINED as soon as nothing is left to arrive, whatever brought
    that about, and any time-out of its life is LINE_DEAD in every state.

    Any pair that is not in the table is a mistake of this package and raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto, unique
from typing import Final

__all__ = [
    "DataReceived",
    "LinkCause",
    "LinkClosed",
    "LinkEvent",
    "LinkLost",
    "LinkOpened",
    "LinkSettings",
    "LinkState",
    "LinkStatistics",
    "next_state",
]


@unique
class LinkState(Enum):
    """Where a link is in its life."""

    OPENING = auto()
    OPEN = auto()
    DRAINING = auto()
    DISCONNECTING = auto()
    CLOSED = auto()
    LOST = auto()


@unique
class LinkCause(Enum):
    """What moves a link from one state to another."""

    HEARD_BY_PEER = auto()
    CLOSE_ASKED = auto()
    DRAINED = auto()
    DISCONNECTED_BY_PEER = auto()
    DISCONNECT_CONFIRMED = auto()
    LINE_DEAD = auto()


_S = LinkState
_C = LinkCause
_NEXT: Final[dict[tuple[LinkState, LinkCause], LinkState]] = {
    (_S.OPENING, _C.HEARD_BY_PEER): _S.OPEN,
    (_S.OPENING, _C.CLOSE_ASKED): _S.CLOSED,
    (_S.OPENING, _C.LINE_DEAD): _S.LOST,
    (_S.OPEN, _C.CLOSE_ASKED): _S.DRAINING,
    (_S.OPEN, _C.DISCONNECTED_BY_PEER): _S.CLOSED,
    (_S.OPEN, _C.LINE_DEAD): _S.LOST,
    (_S.DRAINING, _C.DRAINED): _S.DISCONNECTING,
    (_S.DRAINING, _C.DISCONNECTED_BY_PEER): _S.CLOSED,
    (_S.DRAINING, _C.LINE_DEAD): _S.LOST,
    (_S.DISCONNECTING, _C.DISCONNECTED_BY_PEER): _S.CLOSED,
    (_S.DISCONNECTING, _C.DISCONNECT_CONFIRMED): _S.CLOSED,
    (_S.DISCONNECTING, _C.LINE_DEAD): _S.CLOSED,
}


def next_state(state: LinkState, cause: LinkCause) -> LinkState:
    """The state after ``cause``.

    Raises:
        KeyError: the table has no such step; that is a mistake of this package.
    """
    return _NEXT[state, cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Sizes and times of a link; the defaults suit 1200 to 115200 bit/s.

    Attributes:
        frame_bytes: stream bytes in a frame, at most; losses make it less.
        frame_ms: time that a frame takes on the line, at most: an answer waits for it.
        window_bytes: bytes in flight, at most: what a line of 115,200 bit/s with a
            round trip of 1.2 s holds. Slower lines get by with fewer.
        lead_ms: how early a frame is handed out before the line is free, so that a
            late timer leaves no gap.
        hello_ms: rest between two HELLO.
        opening_ms: patience for the other side's first sign of life.
        keep_alive_ms: time without proof that the other side hears this one, after
            which it is asked.
        silent_ms: time without a frame after which the line counts as cut.
        unheard_ms: time without such proof after which it counts as cut one way.
        stalled_ms: time without any progress, on a line that is not cut, after which
            it counts as useless.
        disconnect_tries: DISC frames sent before going without confirmation.
    """

    frame_bytes: int = 1_000
    frame_ms: int = 500
    window_bytes: int = 14_000
    lead_ms: int = 40
    hello_ms: int = 400
    opening_ms: int = 20_000
    keep_alive_ms: int = 5_000
    silent_ms: int = 25_000
    unheard_ms: int = 40_000
    stalled_ms: int = 90_000
    disconnect_tries: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatistics:
    """What a link has done so far."""

    frames_sent: int
    frames_resent: int
    frames_damaged: int
    line_bytes_sent: int
    line_bytes_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOpened:
    """Both sides have heard each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """The next bytes of the stream, in order and without gaps."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkClosed:
    """The link ended in order; ``clean`` when all that this side sent has arrived."""

    clean: bool
    by_peer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    """The link broke off; what was not acknowledged may or may not have arrived."""

    reason: str


LinkEvent = LinkOpened | DataReceived | LinkClosed | LinkLost
