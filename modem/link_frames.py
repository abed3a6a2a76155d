"""What the frames of the link say: one kind byte and a few fixed fields.

=====  ===========  ============================================================
kind   name         fields after the kind byte (big-endian)
=====  ===========  ============================================================
01     HELLO        version (1), features (1), own nonce (4)
02     WELCOME      version (1), features (1), own nonce (4), nonce heard (4)
03     DATA         sequence number (1), acknowledgement (1), 1 to 1000 bytes
04     ACK          acknowledgement (1)
05     REJECT       acknowledgement (1): what follows it was not in sequence
06     PING         none; answered by ACK
07     DISC         acknowledgement (1): nothing more comes
08     DISC ACK     acknowledgement (1)
=====  ===========  ============================================================

An acknowledgement is the sequence number expected next, so it covers all before it.
``features`` is 00 today; bits in it, and bytes appended to ACK, are where selective
acknowledgement and resuming a cut call will be agreed. A receiver skips kinds that
it does not know, and bytes after the fields it knows (DATA excepted).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

__all__ = [
    "DATA_HEADER_BYTES",
    "LINK_VERSION",
    "PAYLOAD_BYTES_MAX",
    "SEQUENCE_MODULUS",
    "Control",
    "Data",
    "Hello",
    "Kind",
    "LinkFrame",
    "encode",
    "parse",
]

LINK_VERSION: Final = 1
SEQUENCE_MODULUS: Final = 256
PAYLOAD_BYTES_MAX: Final = 1000
DATA_HEADER_BYTES: Final = 3
_NONCE_BYTES: Final = 4
_HELLO_BYTES: Final = 7
_WELCOME_BYTES: Final = 11


@unique
class Kind(IntEnum):
    """First byte of every frame."""

    HELLO = 0x01
    WELCOME = 0x02
    DATA = 0x03
    ACK = 0x04
    REJECT = 0x05
    PING = 0x06
    DISC = 0x07
    DISC_ACK = 0x08


_WITH_ACK: Final = frozenset({Kind.ACK, Kind.REJECT, Kind.DISC, Kind.DISC_ACK})
_KINDS: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """HELLO, or WELCOME when ``heard`` tells the nonce of the HELLO it answers."""

    nonce: int
    heard: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One piece of the byte stream."""

    sequence: int
    acknowledgement: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """ACK, REJECT, PING, DISC or DISC ACK; a PING's acknowledgement says nothing."""

    kind: Kind
    acknowledgement: int = 0


LinkFrame = Hello | Data | Control


def encode(frame: LinkFrame) -> bytes:
    """Content of ``frame``, to be wrapped by `modem.framing.encode_frame`."""
    if isinstance(frame, Hello):
        if frame.heard is None:
            return _hello(Kind.HELLO, frame.nonce)
        heard = frame.heard.to_bytes(_NONCE_BYTES, "big")
        return _hello(Kind.WELCOME, frame.nonce) + heard
    if isinstance(frame, Data):
        header = bytes((Kind.DATA, frame.sequence, frame.acknowledgement))
        return header + frame.payload
    if frame.kind is Kind.PING:
        return bytes((Kind.PING,))
    return bytes((frame.kind, frame.acknowledgement))


def parse(content: bytes) -> LinkFrame | None:
    """Read a frame's content; None when it is nothing this version knows.

    >>> parse(bytes.fromhex("04 07"))
    Control(kind=<Kind.ACK: 4>, acknowledgement=7)
    >>> parse(bytes.fromhex("7F 00")) is None
    True
    """
    if not content or content[0] not in _KINDS:
        return None
    kind = Kind(content[0])
    if kind in (Kind.HELLO, Kind.WELCOME):
        return _parse_hello(kind, content)
    if kind is Kind.DATA:
        return _parse_data(content)
    if kind in _WITH_ACK:
        if len(content) < 2:
            return None
        return Control(kind=kind, acknowledgement=content[1])
    return Control(kind=kind)


def _hello(kind: Kind, nonce: int) -> bytes:
    return bytes((kind, LINK_VERSION, 0)) + nonce.to_bytes(_NONCE_BYTES, "big")


def _parse_hello(kind: Kind, content: bytes) -> Hello | None:
    length = _HELLO_BYTES if kind is Kind.HELLO else _WELCOME_BYTES
    if len(content) < length or content[1] != LINK_VERSION:
        return None
    nonce = int.from_bytes(content[3:7], "big")
    if kind is Kind.HELLO:
        return Hello(nonce=nonce)
    return Hello(nonce=nonce, heard=int.from_bytes(content[7:11], "big"))


def _parse_data(content: bytes) -> Data | None:
    payload = content[DATA_HEADER_BYTES:]
    if not 1 <= len(payload) <= PAYLOAD_BYTES_MAX:
        return None
    return Data(sequence=content[1], acknowledgement=content[2], payload=payload)
