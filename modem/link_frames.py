"""What the frames of the link say: one kind byte and a few fixed fields.

========  ========  ===============================================================
kind      name      fields after the kind byte (big-endian)
========  ========  ===============================================================
01        HELLO     version (1), features (1), own nonce (4)
02        WELCOME   version (1), features (1), own nonce (4), nonce heard (4)
04        ACK       number of the last PING heard (1), next offset (2), pieces held
06        PING      number (1); answered by an ACK
07        DISC      next offset (2): nothing more comes
08        DISC ACK  next offset (2)
80 to FF  DATA      bit 7 is set; with the byte after it, the 15 bits of the offset
                    of the first byte; then 1 to 1000 bytes
========  ========  ===============================================================

The bytes of a direction are numbered, modulo 32768, and not the frames: what was lost
in a long frame can then go again in shorter ones, cut anew. ``next offset`` is that of
the byte expected next, so it covers all before it. The pieces held beyond it follow as
pairs: bytes missing, then bytes held. Each such number takes one byte below 128, else
two with bit 7 of the first set.

DATA carries no acknowledgement: where every bit counts, a short ACK gets through when
a whole DATA frame would not. HELLO and WELCOME are bare (see `modem.framing`), all
other kinds carry the mark of the call. A receiver skips kinds that it does not know,
and bytes after the fields it knows (DATA and ACK excepted).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BARE_KINDS",
    "DATA_HEADER_BYTES",
    "HELD_PIECES_MAX",
    "LINK_VERSION",
    "OFFSET_MODULUS",
    "PAYLOAD_BYTES_MAX",
    "Ack",
    "Data",
    "Disconnect",
    "Hello",
    "Kind",
    "LinkFrame",
    "Ping",
    "call_mark",
    "encode",
    "parse",
]

LINK_VERSION: Final = 2
OFFSET_MODULUS: Final = 0x8000
PAYLOAD_BYTES_MAX: Final = 1000
DATA_HEADER_BYTES: Final = 2
HELD_PIECES_MAX: Final = 12
"""Pieces told in one ACK; what lies further on is told when the first are joined."""
_NONCE_BYTES: Final = 4
_OFFSET_BYTES: Final = 2
_HELLO_BYTES: Final = 7
_WELCOME_BYTES: Final = 11
_ACK_BYTES_MIN: Final = 4
_DATA_BIT: Final = 0x80
_LONG_BIT: Final = 0x80


@unique
class Kind(IntEnum):
    """First byte of every frame; of DATA only bit 7."""

    HELLO = 0x01
    WELCOME = 0x02
    ACK = 0x04
    PING = 0x06
    DISC = 0x07
    DISC_ACK = 0x08
    DATA = _DATA_BIT


BARE_KINDS: Final = frozenset({Kind.HELLO, Kind.WELCOME})
"""Kinds that go without a mark: they are there to agree on one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """HELLO, or WELCOME when ``heard`` tells the nonce of the HELLO it answers."""

    nonce: int
    heard: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A piece of the byte stream; ``offset`` of its first byte, modulo 32768."""

    offset: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What has arrived.

    Attributes:
        heard: number of the last PING heard, 0 when there was none.
        next_offset: offset of the byte expected next, modulo 32768.
        held: pieces beyond it, as (bytes missing before it, its bytes).
    """

    heard: int
    next_offset: int
    held: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Asks for an ACK that tells ``number``, 1 to 255."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """DISC, or DISC ACK when ``confirms``."""

    next_offset: int
    confirms: bool = False


LinkFrame = Hello | Data | Ack | Ping | Disconnect


def call_mark(*, sender: int, receiver: int) -> int:
    """The mark of frames from one nonce to another.

    >>> f"{call_mark(sender=0x11223344, receiver=0x55667788):08X}"
    '9118E1C2'
    """
    return zlib.crc32(_nonce(sender) + _nonce(receiver))


def encode(frame: LinkFrame) -> bytes:
    """Content of ``frame``, to be wrapped by `modem.framing.encode_frame`."""
    match frame:
        case Data():
            head = (_DATA_BIT << 8 | frame.offset).to_bytes(_OFFSET_BYTES, "big")
            return head + frame.payload
        case Ack():
            head = bytes((Kind.ACK, frame.heard)) + _offset(frame.next_offset)
            numbers = (number for piece in frame.held for number in piece)
            return head + b"".join(map(_number, numbers))
        case Ping():
            return bytes((Kind.PING, frame.number))
        case Disconnect():
            kind = Kind.DISC_ACK if frame.confirms else Kind.DISC
            return bytes((kind,)) + _offset(frame.next_offset)
        case Hello():
            return _hello(frame)


def parse(content: bytes) -> LinkFrame | None:
    """Read a frame's content; None when it is nothing this version knows.

    >>> parse(bytes.fromhex("04 00 0007 0A 8100"))
    Ack(heard=0, next_offset=7, held=((10, 256),))
    >>> parse(bytes.fromhex("7F 00")) is None
    True
    """
    if not content:
        return None
    if content[0] & _DATA_BIT:
        return _parse_data(content)
    reader = _READERS.get(content[0])
    return reader(content) if reader is not None else None


def _hello(hello: Hello) -> bytes:
    heard = hello.heard
    kind = Kind.HELLO if heard is None else Kind.WELCOME
    nonces = (hello.nonce,) if heard is None else (hello.nonce, heard)
    return bytes((kind, LINK_VERSION, 0)) + b"".join(map(_nonce, nonces))


def _nonce(nonce: int) -> bytes:
    return nonce.to_bytes(_NONCE_BYTES, "big")


def _offset(offset: int) -> bytes:
    return offset.to_bytes(_OFFSET_BYTES, "big")


def _number(number: int) -> bytes:
    if number < _LONG_BIT:
        return bytes((number,))
    return (_LONG_BIT << 8 | number).to_bytes(2, "big")


def _parse_hello(content: bytes) -> Hello | None:
    welcome = content[0] == Kind.WELCOME
    length = _WELCOME_BYTES if welcome else _HELLO_BYTES
    if len(content) < length or content[1] != LINK_VERSION:
        return None
    nonce = int.from_bytes(content[3:7], "big")
    if not welcome:
        return Hello(nonce=nonce)
    return Hello(nonce=nonce, heard=int.from_bytes(content[7:11], "big"))


def _parse_data(content: bytes) -> Data | None:
    payload = content[DATA_HEADER_BYTES:]
    if not 1 <= len(payload) <= PAYLOAD_BYTES_MAX:
        return None
    offset = int.from_bytes(content[:DATA_HEADER_BYTES], "big") % OFFSET_MODULUS
    return Data(offset=offset, payload=payload)


def _parse_ack(content: bytes) -> Ack | None:
    if len(content) < _ACK_BYTES_MIN or content[2] & _LONG_BIT:
        return None
    numbers = _parse_numbers(content[_ACK_BYTES_MIN:])
    if numbers is None or len(numbers) % 2 or len(numbers) > 2 * HELD_PIECES_MAX:
        return None
    held = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    next_offset = int.from_bytes(content[2:4], "big")
    return Ack(heard=content[1], next_offset=next_offset, held=held)


def _parse_numbers(data: bytes) -> list[int] | None:
    """Every number in ``data``; None when one is 0 or cut short."""
    numbers = []
    rest = iter(data)
    for byte in rest:
        number = byte
        if byte & _LONG_BIT:
            low = next(rest, None)
            if low is None:
                return None
            number = (byte & ~_LONG_BIT) << 8 | low
        if not number:
            return None
        numbers.append(number)
    return numbers


def _parse_ping(content: bytes) -> Ping | None:
    number = content[1] if len(content) > 1 else 0
    return Ping(number=number) if number else None


def _parse_disconnect(content: bytes) -> Disconnect | None:
    if len(content) < 1 + _OFFSET_BYTES or content[1] & _LONG_BIT:
        return None
    next_offset = int.from_bytes(content[1:3], "big")
    return Disconnect(next_offset=next_offset, confirms=content[0] == Kind.DISC_ACK)


_READERS: Final[dict[int, Callable[[bytes], LinkFrame | None]]] = {
    Kind.HELLO: _parse_hello,
    Kind.WELCOME: _parse_hello,
    Kind.ACK: _parse_ack,
    Kind.PING: _parse_ping,
    Kind.DISC: _parse_disconnect,
    Kind.DISC_ACK: _parse_disconnect,
}
