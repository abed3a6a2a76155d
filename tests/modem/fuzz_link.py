"""What any bytes are tried on: frames, their contents, and links in every state.

`TARGETS` are pure functions of bytes; none may raise, nor keep more than its limit. A
fuzzer calls them with bytes of its own; `samples` gives it sound ones to mutate, and
`mutated` changes them in the ways that lines and bad programs do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modem.framing import FrameDecoder, encode_frame
from modem.link import Link
from modem.link_frames import (
    Ack,
    Data,
    Disconnect,
    Hello,
    LinkFrame,
    Ping,
    call_mark,
    encode,
    parse,
)
from modem.link_state import LinkState

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["TARGETS", "mutated", "samples"]

_OURS, _THEIRS = 0x11223344, 0x55667788
_MARK: Final = call_mark(sender=_THEIRS, receiver=_OURS)
_EVENTS_MAX: Final = 100_000
_OUT_BYTES_MAX: Final = 100_000


def samples() -> list[bytes]:
    """Sound line bytes of every kind of frame, as the other side would send them."""
    frames: list[LinkFrame] = [
        Hello(nonce=_THEIRS),
        Hello(nonce=_THEIRS, heard=_OURS),
        Data(offset=0, payload=b"first"),
        Data(offset=5, payload=bytes(range(256)) * 3),
        Data(offset=0x7FFF, payload=b"~}~}"),
        Ack(heard=0, next_offset=0),
        Ack(heard=1, next_offset=10, held=((5, 200), (130, 1), (1, 1))),
        Ping(number=255),
        Disconnect(next_offset=3),
        Disconnect(next_offset=0, confirms=True),
    ]
    return [_line(frame) for frame in frames]


def mutated(source: random.Random, sound: list[bytes]) -> bytes:
    """Some of ``sound`` in a row, with bytes changed, doubled, lost or put in."""
    data = bytearray().join(source.choices(sound, k=source.randint(1, 4)))
    for _ in range(source.randint(0, 6)):
        at = source.randrange(len(data) + 1)
        match source.randrange(5):
            case 0:
                data[at : at + 1] = source.randbytes(1)
            case 1:
                data[at:at] = source.randbytes(source.randint(1, 20))
            case 2:
                del data[at : at + source.randint(1, 20)]
            case 3:
                data[at:at] = data[at : at + source.randint(1, 50)]
            case _:
                data[at:at] = source.choice((b"~", b"}", b"}^", b"\r\nNO CARRIER\r\n"))
    return bytes(data)


def resealed(data: bytes) -> bytes:
    """``data`` cut at its flags, each piece as the content of a sound frame.

    So what is wrong inside a frame gets past its check.
    """
    pieces = [piece[:1_024] for piece in data.split(b"~") if piece]
    return b"".join(encode_frame(piece, mark=_MARK) for piece in pieces)


def decode_frames(data: bytes) -> None:
    """Any bytes into the decoder of frames."""
    for bare in (range(256), ()):
        decoder = FrameDecoder(bare=bare)
        decoder.mark = _MARK
        decoder.receive_data(data)
        for byte in data[:64]:
            decoder.receive_data(bytes((byte,)))


def parse_content(data: bytes) -> None:
    """Any bytes as the content of a frame; what is understood can be said again."""
    frame = parse(data)
    if frame is not None:
        assert parse(encode(frame)) == frame


def feed_opening_link(data: bytes) -> None:
    """Any bytes into a link that opens."""
    _feed(_link(), data)


def feed_open_link(data: bytes) -> None:
    """Any bytes, as they are and as sound frames, into a link with data to send."""
    for line in (data, resealed(data)):
        link = _link()
        link.receive_data(_line(Hello(nonce=_THEIRS, heard=_OURS)), 0)
        link.send(bytes(3_000))
        _feed(link, line)


def feed_closing_link(data: bytes) -> None:
    """Any bytes, as sound frames, into a link that ends."""
    link = _link()
    link.receive_data(_line(Hello(nonce=_THEIRS, heard=_OURS)), 0)
    link.close()
    _feed(link, resealed(data))


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "frames": decode_frames,
    "contents": parse_content,
    "opening-link": feed_opening_link,
    "open-link": feed_open_link,
    "closing-link": feed_closing_link,
}


def _line(frame: LinkFrame) -> bytes:
    mark = 0 if isinstance(frame, Hello) else _MARK
    return encode_frame(encode(frame), mark=mark)


def _link() -> Link:
    return Link(nonce=_OURS, line_rate_bps=9_600, now_ms=0)


def _feed(link: Link, data: bytes) -> None:
    """Slices, timers and all that comes out, as a program would do it."""
    out = events = 0
    for step, start in enumerate(range(0, len(data), 50)):
        now_ms = 400 * step
        link.receive_data(data[start : start + 50], now_ms)
        link.on_timer(now_ms)
        out += len(link.data_to_send(now_ms))
        deadline_ms = link.deadline_ms()
        assert deadline_ms is not None or link.state in (
            LinkState.CLOSED,
            LinkState.LOST,
        )
        while link.next_event() is not None:
            events += 1
    assert events < _EVENTS_MAX
    assert out < _OUT_BYTES_MAX
