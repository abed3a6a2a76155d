"""What the bank publishes for its counters: four kinds, each with versions.

A kind's *content* is a set of entries, each a key with a value. Its version grows by
one with every change at the bank; its digest is made of the content alone, so two
versions with the same entries have the same digest. Whoever holds a content can say in
36 bytes which one it is (`Held`), and is sent only what differs.

===========  ======================  ===================================
kind         key                     value
===========  ======================  ===================================
parameters   name                    text
hotlist      card number, 8 bytes    nothing: being there is all it says
catalogue    service code            JSON (`settlement.download_items`)
requests     request number          JSON, likewise
===========  ======================  ===================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, Self

__all__ = [
    "CARD_NUMBER_BYTES",
    "CHUNK_BYTES",
    "DIGEST_BYTES",
    "ENTRIES_MAX",
    "HEAD_BYTES",
    "HELD_BYTES",
    "KEY_BYTES_MAX",
    "PAYLOAD_BYTES_MAX",
    "PAYLOAD_DIGEST_BYTES",
    "RAW_BYTES_MAX",
    "VALUE_BYTES_MAX",
    "VERSION_BYTES",
    "VERSION_MAX",
    "DownloadForm",
    "DownloadKind",
    "DownloadQuery",
    "Entries",
    "Held",
    "Offer",
    "OfferHead",
    "Wanted",
    "chunk_count",
]

CARD_NUMBER_BYTES: Final = 8
DIGEST_BYTES: Final = 32
PAYLOAD_DIGEST_BYTES: Final = 8
"""Enough to find the payload that was begun; the content has the whole digest."""
VERSION_BYTES: Final = 4
HELD_BYTES: Final = VERSION_BYTES + DIGEST_BYTES
_LENGTH_BYTES: Final = 4
HEAD_BYTES: Final = 1 + HELD_BYTES + PAYLOAD_DIGEST_BYTES + _LENGTH_BYTES
VERSION_MAX: Final = 0xFFFFFFFF
"""A version has four bytes; 0 is the empty content that nobody has published."""

CHUNK_BYTES: Final = 900
"""What of a payload one message carries: field 48 has 999 bytes."""
PAYLOAD_BYTES_MAX: Final = 1 << 20
"""A compressed payload; at 9600 bit/s nobody would wait for more."""
RAW_BYTES_MAX: Final = 4 << 20
"""A payload unpacked: what hostile bytes can make a terminal hold."""
ENTRIES_MAX: Final = 200_000
"""Entries of one content: the hotlist of a country."""
KEY_BYTES_MAX: Final = 64
VALUE_BYTES_MAX: Final = 2048

Entries = Mapping[bytes, bytes]
"""A content: values by key."""


@unique
class DownloadKind(IntEnum):
    """What can be published. The number goes into the digest of the content."""

    PARAMETERS = 1
    HOTLIST = 2
    CATALOGUE = 3
    REQUESTS = 4

    @property
    def file_name(self) -> str:
        """Field 101 of the messages that ask for it."""
        return self.name


@unique
class DownloadForm(IntEnum):
    """What the bank answers to one who holds a content."""

    UNCHANGED = 0
    DELTA = 1
    FULL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Which content somebody holds.

    Attributes:
        version: 0 to `VERSION_MAX`.
        digest: of the content, 32 bytes (`settlement.download_codec.content_digest`).
    """

    version: int
    digest: bytes

    def __post_init__(self) -> None:
        assert 0 <= self.version <= VERSION_MAX, "a version has four bytes"
        assert len(self.digest) == DIGEST_BYTES, "a content's digest has 32 bytes"

    def to_bytes(self) -> bytes:
        """Version (4 bytes, big-endian), digest (32)."""
        return self.version.to_bytes(VERSION_BYTES) + self.digest

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Undo `to_bytes`; ``data`` has `HELD_BYTES`."""
        assert len(data) == HELD_BYTES, "version and digest"
        version = int.from_bytes(data[:VERSION_BYTES])
        return cls(version=version, digest=data[VERSION_BYTES:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The payload of which chunks are asked for.

    Attributes:
        version: that the payload leads to.
        payload_digest: first 8 bytes of the SHA-256 of the payload.
    """

    version: int
    payload_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadQuery:
    """0300: a terminal asks for one chunk of what leads from what it holds.

    Attributes:
        chunk: from 1.
        wanted: of which payload; None when the terminal knows none yet.
    """

    kind: DownloadKind
    held: Held
    chunk: int = 1
    wanted: Wanted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferHead:
    """What the bank's payload leads to, without the payload.

    Attributes:
        form: DELTA or FULL.
        target: the content that it leads to.
        payload_digest: first 8 bytes of the SHA-256 of the payload.
        payload_bytes: its length, from 1.
    """

    form: DownloadForm
    target: Held
    payload_digest: bytes
    payload_bytes: int

    def to_bytes(self) -> bytes:
        """Form (1), what it leads to (36), digest (8) and length (4) of the payload."""
        return (
            bytes([self.form])
            + self.target.to_bytes()
            + self.payload_digest
            + self.payload_bytes.to_bytes(_LENGTH_BYTES)
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Undo `to_bytes`; ``data`` has `HEAD_BYTES`.

        Raises:
            ValueError: there is no such form, or no payload of such a length.
        """
        assert len(data) == HEAD_BYTES, "of one length"
        start = 1 + HELD_BYTES
        end = start + PAYLOAD_DIGEST_BYTES
        head = cls(
            form=DownloadForm(data[0]),
            target=Held.parse(data[1:start]),
            payload_digest=data[start:end],
            payload_bytes=int.from_bytes(data[end:]),
        )
        if not 0 < head.payload_bytes <= PAYLOAD_BYTES_MAX:
            raise ValueError("no payload has this length")
        return head

    @property
    def wanted(self) -> Wanted:
        """What asks for a chunk of it."""
        return Wanted(version=self.target.version, payload_digest=self.payload_digest)

    @property
    def chunks(self) -> int:
        """How many messages carry the payload."""
        return chunk_count(self.payload_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the bank has for one who holds a content.

    Attributes:
        version: the newest one, or the one wanted.
        head: None when what is held has the same entries.
        payload: compressed; empty without a head.
    """

    version: int
    head: OfferHead | None = None
    payload: bytes = b""

    def chunk(self, number: int) -> bytes:
        """The chunk of this number, from 1; empty when there is none."""
        return self.payload[(number - 1) * CHUNK_BYTES : number * CHUNK_BYTES]


def chunk_count(payload_bytes: int) -> int:
    """Messages that carry so many bytes.

    >>> chunk_count(900), chunk_count(901)
    (1, 2)
    """
    return -(-payload_bytes // CHUNK_BYTES)
