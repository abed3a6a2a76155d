"""What the bytes are thrown at: everything of ours that reads what others sent.

A target takes strings, one after the other, and keeps what it has become by them, as a
machine on a line does. It may raise nothing but what its documentation says; those
errors it catches itself. Whatever else comes out of `feed` is a defect.
"""

from __future__ import annotations

import itertools
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from modem.dial_plan import AnswerPlan, DialPlan
from modem.framing import FrameDecoder, encode_frame
from modem.hayes import Answerer, Dialer
from modem.link import Link
from modem.link_frames import call_mark, parse
from modem.link_state import LinkClosed, LinkLost, LinkOpened, LinkState
from settlement import answers, iso8583, outcomes
from settlement.download import DownloadForm, DownloadKind
from settlement.download_codec import (
    apply_payload,
    make_payload,
    nothing_held,
    offer_head,
)
from settlement.errors import MessageError
from settlement.group_layout import Shared, unpack
from settlement.message_parser import parse_request
from settlement.messages import GroupRequest
from sim.fuzz.corpus import MODEM_LINES, documented

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

__all__ = ["TARGETS", "Target"]

_STEP_MS_MAX: Final = 3_000
_OUT_BYTES_MAX: Final = 1 << 20
_KEY: Final = bytes(range(16))
_NONCE: Final = 0x11223344
_MARK: Final = call_mark(sender=0x55667788, receiver=_NONCE)
"""Those of the documented dialogue, in which the other side is the host."""
_SHARED: Final = Shared(mid=bytes(8), currency=512)


class Reader(Protocol):
    """Something that takes strings."""

    @property
    def states(self) -> Sequence[str]:
        """Where its machines stand; empty where there are no states."""
        ...

    def feed(self, data: bytes) -> None:
        """Take one string."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that is fed.

    Attributes:
        name: as the report calls it.
        corpus: makes the sound strings that are damaged.
        begin: makes a fresh one, with a random source for time and choices.
    """

    name: str
    corpus: Callable[[], Sequence[bytes]]
    begin: Callable[[random.Random], Reader]


class _Stateless:
    """What is the same before every string."""

    @property
    def states(self) -> Sequence[str]:
        return ()


class _Framing(_Stateless):
    """A decoder on an endless line, and the parser of what it finds."""

    def __init__(self, _draw: random.Random) -> None:
        self._decoder = FrameDecoder()

    def feed(self, data: bytes) -> None:
        parse(data)
        for content in self._decoder.receive_data(data):
            parse(content)


class _Linked:
    """A link whose peer goes mad in one of its states.

    Half of what comes is damage inside sound frames.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._now_ms = 0
        self._link = self._fresh()

    def feed(self, data: bytes) -> None:
        self._now_ms += self._draw.randrange(_STEP_MS_MAX)
        framed = encode_frame(data, mark=_MARK) if 0 < len(data) <= 1024 else data
        self._link.receive_data(self._draw.choice((data, framed)), self._now_ms)
        self._link.on_timer(self._now_ms)
        sent = self._link.data_to_send(self._now_ms)
        assert len(sent) < _OUT_BYTES_MAX, "an answer without end"
        while (event := self._link.next_event()) is not None:
            if isinstance(event, LinkClosed | LinkLost):
                self._link = self._fresh()

    @property
    def states(self) -> Sequence[str]:
        return (self._link.state.name,)

    def _fresh(self) -> Link:
        wanted = self._draw.choice(_LINK_STATES)
        link = Link(nonce=_NONCE, line_rate_bps=33_600, now_ms=self._now_ms)
        if wanted is not LinkState.DISCONNECTING:
            link.send(self._draw.randbytes(self._draw.randrange(1, 5_000)))
        if wanted is not LinkState.OPENING:
            for opening in documented("modem-link.md", by_line=True)[1:3]:
                link.receive_data(opening, self._now_ms)
            assert link.next_event() == LinkOpened(), "the page's other side opens it"
        if wanted in {LinkState.DRAINING, LinkState.DISCONNECTING}:
            link.close()
        assert link.state is wanted, "that is how a link gets there"
        return link


_LINK_STATES: Final = (
    LinkState.OPENING,
    LinkState.OPEN,
    LinkState.DRAINING,
    LinkState.DISCONNECTING,
)


class _Dialled:
    """A dialling and an answering side on a modem that behaves for a while, or never.

    Without its manners hardly anything would come after the set-up.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._now_ms = 0
        self._sides = [self._fresh(0), self._fresh(1)]

    @property
    def states(self) -> Sequence[str]:
        return [f"{type(one).__name__} {one.state}" for one in self._sides]

    def feed(self, data: bytes) -> None:
        self._now_ms += self._draw.randrange(_STEP_MS_MAX)
        for place, side in enumerate(self._sides):
            if self._is_over(side, data):
                side.take_rest()
                self._sides[place] = self._fresh(place)

    def _is_over(self, side: Dialer | Answerer, data: bytes) -> bool:
        """Let one side hear something, now."""
        side.receive_data(data, self._now_ms)
        side.on_timer(self._now_ms)
        assert len(side.data_to_send(self._now_ms)) < _OUT_BYTES_MAX
        while side.next_event() is not None:
            pass
        return side.rate_bps is not None or side.error is not None

    def _fresh(self, place: int) -> Dialer | Answerer:
        """A side, after the modem has behaved for a while."""
        side: Dialer | Answerer
        if place == 0:
            plan = DialPlan(numbers=("5551234", "0,5551235"), baud=9600)
            side = Dialer(plan, now_ms=self._now_ms)
        else:
            side = Answerer(AnswerPlan(baud=9600), now_ms=self._now_ms)
        manners = [(b"OK\r\n", 100)] * self._draw.choice((0, _SET_UP_WORDS))
        manners += self._draw.choices(_MANNERS, k=self._draw.randrange(3))
        for word, pause_ms in manners:
            self._now_ms += pause_ms
            if self._is_over(side, word):
                return self._fresh(place)
        return side


_SET_UP_WORDS: Final = 16
"""More than any set-up has commands; the rest is noise."""
_MANNERS: Final = (
    (b"NO CARRIER\r\n", 100),
    (b"RING\r\n", 100),
    (b"", 70_000),
)
"""What brings a modem that is set up on: a failure, a call, and a long silence."""


class _Messages(_Stateless):
    """The decoder of messages, and all parsers of what it lets through."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def feed(self, data: bytes) -> None:
        try:
            message = iso8583.decode(data)
        except MessageError:
            return
        again = iso8583.encode(message, _KEY)
        assert again[: -iso8583.MAC_BYTES] == data[: -iso8583.MAC_BYTES] or not (
            message.mac
        ), "a message has exactly one byte form"
        for read in _PARSERS:
            try:
                read(message)
            except MessageError:
                continue


_PARSERS: Final[tuple[Callable[[iso8583.Message], object], ...]] = (
    parse_request,
    answers.parse_code,
    answers.parse_text,
    answers.parse_logon,
    answers.parse_reconcile,
    outcomes.parse_held,
    outcomes.parse_outcomes,
)


class _Fields(_Stateless):
    """The parsers again, behind a decoder that has nothing to object to.

    One field of a sound message is damaged, and the message is put together anew, so
    that lengths, bitmap and MAC fit.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._messages = _Messages(draw)
        self._sound = [iso8583.decode(data) for data in _message_corpus()]

    def feed(self, data: bytes) -> None:
        sound = self._draw.choice(self._sound)
        number = self._draw.choice(sorted(sound.fields))
        held = sound.fields[number]
        value = self._text(held, data) if isinstance(held, str) else data[:999]
        fields = {**sound.fields, number: value}
        try:
            damaged = iso8583.Message(mti=sound.mti, fields=fields)
            whole = iso8583.encode(damaged, _KEY)
        except (MessageError, ValueError, AssertionError):
            return
        self._messages.feed(whole)

    def _text(self, held: str, data: bytes) -> str:
        """As long as before, mostly: what has another length is refused sooner."""
        text = data.decode("latin-1")
        if self._draw.randrange(4) == 0:
            return text[:90]
        digits = "".join(chr(0x30 + byte % 10) for byte in data)
        return (digits + held)[: len(held)] if held.isdigit() else text[: len(held)]


class _Groups(_Stateless):
    """The columns of a group of payments, with TACs as many as they say."""

    def __init__(self, _draw: random.Random) -> None:
        pass

    def feed(self, data: bytes) -> None:
        count = 1 + (data[0] >> 3 if data else 0)
        with suppress(MessageError):
            unpack(data, bytes(8 * count), _SHARED)


class _Payloads(_Stateless):
    """What unpacks a download: damaged as it is, and damaged before it was packed."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def feed(self, data: bytes) -> None:
        for kind, form in itertools.product(DownloadKind, _FORMS):
            for payload in (data, _deflated(data)):
                head = offer_head(form, nothing_held(kind), payload)
                with suppress(MessageError):
                    apply_payload(kind, head, payload, _CONTENT)


_FORMS: Final = (DownloadForm.DELTA, DownloadForm.FULL)
_CONTENT: Final = {bytes.fromhex(f"64{number:014}"): b"" for number in (1, 400, 9007)}


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _group_corpus() -> list[bytes]:
    sound = [parse_request(iso8583.decode(data)) for data in _request_corpus()]
    return [one.columns for one in sound if isinstance(one, GroupRequest)]


def _payload_corpus() -> list[bytes]:
    packed = [make_payload(kind, _CONTENT, {})[1] for kind in DownloadKind]
    return [*packed, *(zlib.decompress(one, -15) for one in packed)]


def _request_corpus() -> list[bytes]:
    return [data for data in _message_corpus() if data[2:4] in {b"00", b"20"}]


def _message_corpus() -> list[bytes]:
    found = documented("iso8583.md", by_line=False)
    return [data for data in found if data[:1] == b"0"]


def _line_corpus() -> Sequence[bytes]:
    return documented("modem-link.md", by_line=True)


def _content_corpus() -> list[bytes]:
    decoder = FrameDecoder()
    return list(itertools.chain(*map(decoder.receive_data, _line_corpus())))


TARGETS: Final = (
    Target(name="framing", corpus=_line_corpus, begin=_Framing),
    Target(name="link", corpus=_content_corpus, begin=_Linked),
    Target(name="dialer", corpus=lambda: MODEM_LINES, begin=_Dialled),
    Target(name="messages", corpus=_message_corpus, begin=_Messages),
    Target(name="fields", corpus=_message_corpus, begin=_Fields),
    Target(name="groups", corpus=_group_corpus, begin=_Groups),
    Target(name="payloads", corpus=_payload_corpus, begin=_Payloads),
)
