"""What reads the bytes of the line itself, as targets: frames, link, modem commands.

A machine that is fed from its beginning seldom gets beyond it: nearly every string
would come while a link opens or a modem is set up. So each is brought to a state that
is drawn, by a peer that keeps its manners that long, and goes mad then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modem.dial_plan import AnswerPlan, DialPlan
from modem.framing import FrameDecoder, encode_frame
from modem.hang_up import HangUp
from modem.hayes import Answerer, Dialer
from modem.link import Link
from modem.link_frames import call_mark, parse
from modem.link_state import LinkOpened, LinkState
from sim.fuzz.corpus import documented
from sim.fuzz.reader import Reader

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = [
    "DIAL_PLAN",
    "MARK",
    "NONCE",
    "OUT_BYTES_MAX",
    "STEP_MS_MAX",
    "Framing",
    "Linked",
    "Modems",
]

STEP_MS_MAX: Final = 3_000
"""The most that passes from one string to the next."""
OUT_BYTES_MAX: Final = 1 << 20
"""More than this in answer to one string is an answer without end."""
NONCE: Final = 0x11223344
MARK: Final = call_mark(sender=0x55667788, receiver=NONCE)
"""Those of the documented dialogue, in which the other side is the host."""
DIAL_PLAN: Final = DialPlan(numbers=("5551234", "0,5551235"), baud=9600)
_FRAMED_BYTES_MAX: Final = 1024
_FRESH_ONE_IN: Final = 4
"""An ended machine hears some strings more before it makes way for a fresh one."""


class Framing(Reader):
    """A decoder on an endless line, and the parser of what it finds."""

    def __init__(self, _draw: random.Random) -> None:
        """Begin; nothing is left to choose."""
        self._decoder = FrameDecoder()

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        parse(data)
        for content in self._decoder.receive_data(data):
            parse(content)


class Linked(Reader):
    """A link whose peer goes mad in one of its states.

    Half of what comes is damage inside sound frames.
    """

    def __init__(self, draw: random.Random) -> None:
        """Begin; ``draw`` chooses states and times."""
        self._draw = draw
        self._now_ms = 0
        self._link = self._fresh()

    @property
    def states(self) -> Sequence[str]:
        """See `Reader.states`."""
        return (self._link.state.name,)

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        self._now_ms += self._draw.randrange(STEP_MS_MAX)
        framed = data
        if 0 < len(data) <= _FRAMED_BYTES_MAX:
            framed = encode_frame(data, mark=MARK)
        self._link.receive_data(self._draw.choice((data, framed)), self._now_ms)
        self._link.on_timer(self._now_ms)
        sent = self._link.data_to_send(self._now_ms)
        assert len(sent) < OUT_BYTES_MAX, "an answer without end"
        while self._link.next_event() is not None:
            pass
        ended = self._link.state in {LinkState.CLOSED, LinkState.LOST}
        if ended and self._draw.randrange(_FRESH_ONE_IN) == 0:
            self._link = self._fresh()

    def _fresh(self) -> Link:
        wanted = self._draw.choice(_LINK_STATES)
        link = Link(nonce=NONCE, line_rate_bps=33_600, now_ms=self._now_ms)
        if wanted is not LinkState.DISCONNECTING:
            link.send(self._draw.randbytes(self._draw.randrange(1, 5_000)))
        if wanted is not LinkState.OPENING:
            for opening in documented("modem-link.md", by_line=True)[1:3]:
                link.receive_data(opening, self._now_ms)
            assert link.next_event() == LinkOpened(), "the page's other side opens it"
        if wanted in {LinkState.DRAINING, LinkState.DISCONNECTING}:
            link.close()
        if wanted is LinkState.LOST:
            link.line_lost("the carrier is gone")
        assert link.state is wanted, "that is how a link gets there"
        return link


_LINK_STATES: Final = tuple(s for s in LinkState if s is not LinkState.CLOSED)
"""CLOSED follows from them soon enough."""


_SET_UP_WORDS: Final = 16
"""More than any set-up has commands; the rest is noise."""
_MANNERS: Final = (
    (b"NO CARRIER\r\n", 100),
    (b"RING\r\n", 100),
    (b"ERROR\r\n", 100),
    (b"", 2_000),
    (b"", 70_000),
)
"""What brings a modem on: a failure, a call, a refusal, a short and a long silence."""
_Side = Dialer | Answerer | HangUp
_SIDES: Final = 3


class Modems(Reader):
    """All that talks with a modem: a dialling, an answering and a hanging-up side.

    The modem behaves for a while, or never.
    """

    def __init__(self, draw: random.Random) -> None:
        """Begin; ``draw`` chooses manners and times."""
        self._draw = draw
        self._now_ms = 0
        self._sides = [self._fresh(place) for place in range(_SIDES)]

    @property
    def states(self) -> Sequence[str]:
        """See `Reader.states`."""
        return [f"{type(one).__name__} {one.state}" for one in self._sides]

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        self._now_ms += self._draw.randrange(STEP_MS_MAX)
        for place, side in enumerate(self._sides):
            self._hear(side, data)
            if _is_over(side):
                if not isinstance(side, HangUp):
                    side.take_rest()
                self._sides[place] = self._fresh(place)

    def _hear(self, side: _Side, data: bytes) -> None:
        """Let one side hear something, now."""
        side.receive_data(data, self._now_ms)
        side.on_timer(self._now_ms)
        assert len(side.data_to_send(self._now_ms)) < OUT_BYTES_MAX
        while not isinstance(side, HangUp) and side.next_event() is not None:
            pass

    def _fresh(self, place: int) -> _Side:
        """A side, after the modem has behaved for a while."""
        side = self._beginning(place, has_dtr=self._draw.randrange(2) == 0)
        manners = [(b"OK\r\n", 100)] * self._draw.choice((0, 1, 2, _SET_UP_WORDS))
        manners += self._draw.choices(_MANNERS, k=self._draw.randrange(3))
        for word, pause_ms in manners:
            self._now_ms += pause_ms
            self._hear(side, word)
            if _is_over(side):
                return self._fresh(place)
        return side

    def _beginning(self, place: int, *, has_dtr: bool) -> _Side:
        if place == 0:
            return Dialer(DIAL_PLAN, now_ms=self._now_ms, has_dtr=has_dtr)
        if place == 1:
            plan = AnswerPlan(baud=9600)
            return Answerer(plan, now_ms=self._now_ms, has_dtr=has_dtr)
        return HangUp(now_ms=self._now_ms, has_dtr=has_dtr)


def _is_over(side: _Side) -> bool:
    if isinstance(side, HangUp):
        return side.done
    return side.rate_bps is not None or side.error is not None
