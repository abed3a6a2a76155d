"""Contents and the differences between them, to bytes and back.

Numbers are unsigned LEB128 (seven bits a byte, the lowest first). A list of keys is
its length, then for each its length and bytes; a list of entries has the value's
length and bytes after each key. Keys stand in ascending order.

A hotlist is packed closer, for it is long and comes over a telephone line: the card
numbers as integers in ascending order, of each only the distance to the one before.
Numbers of decimal digits are read as decimal, which makes the distances of one issuer
small; any other number is in a second list, read as a big-endian integer.

A *payload* is compressed with raw deflate (RFC 1951):

    full    the list of all entries
    delta   the list of removed keys, then that of new and changed entries

Everything has one form: what can be parsed encodes to the same bytes again (deflate
excepted, whose result is what the digest covers). Any bytes either parse within the
bounds of `settlement.download`, or raise `DownloadError`.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Final

from settlement.download import (
    CARD_NUMBER_BYTES,
    ENTRIES_MAX,
    KEY_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_DIGEST_BYTES,
    RAW_BYTES_MAX,
    VALUE_BYTES_MAX,
    DownloadForm,
    DownloadKind,
    Held,
    OfferHead,
)
from settlement.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.download import Entries

__all__ = [
    "apply_payload",
    "content_digest",
    "encode_content",
    "make_payload",
    "nothing_held",
    "offer_head",
    "parse_content",
]

_DOMAIN: Final = b"raseed download 1"
_RAW_DEFLATE: Final = -15
_NUMBER_BYTES_MAX: Final = 10
"""Bytes of a 64-bit number at seven bits each."""
_CARD_NUMBER_END: Final = 1 << (8 * CARD_NUMBER_BYTES)
_DECIMAL_END: Final = 10 ** (2 * CARD_NUMBER_BYTES)


def encode_content(kind: DownloadKind, entries: Entries) -> bytes:
    """All entries of a content, in its one byte form, not compressed.

    >>> encode_content(DownloadKind.PARAMETERS, {b"a": b"1"}).hex(" ")
    '01 01 61 01 31'
    """
    if kind is DownloadKind.HOTLIST:
        return _encode_numbers(entries)
    return _number(len(entries)) + b"".join(
        _sized(key) + _sized(entries[key]) for key in sorted(entries)
    )


def parse_content(kind: DownloadKind, data: bytes) -> dict[bytes, bytes]:
    """Undo `encode_content`.

    Raises:
        DownloadError: the bytes are no content in its one form.
    """
    reader = _Reader(data)
    entries = _read_entries(kind, reader)
    reader.end()
    return entries


def content_digest(kind: DownloadKind, entries: Entries) -> bytes:
    """SHA-256 over the kind and all entries; 32 bytes."""
    content = encode_content(kind, entries)
    return hashlib.sha256(_DOMAIN + bytes([kind]) + content).digest()


def nothing_held(kind: DownloadKind) -> Held:
    """What one holds that holds nothing: version 0, no entries."""
    return Held(version=0, digest=content_digest(kind, {}))


def make_payload(
    kind: DownloadKind, entries: Entries, base: Entries | None
) -> tuple[DownloadForm, bytes]:
    """The shorter of delta and full, compressed.

    Args:
        kind: of both contents.
        entries: what it is to lead to.
        base: what the terminal holds, or None when that is not known.
    """
    full = _deflate(encode_content(kind, entries))
    if base is None:
        return DownloadForm.FULL, full
    changed = {k: v for k, v in entries.items() if base.get(k) != v}
    removed = _encode_keys(kind, base.keys() - entries.keys())
    raw_delta = removed + encode_content(kind, changed)
    if len(raw_delta) > RAW_BYTES_MAX:
        return DownloadForm.FULL, full
    delta = _deflate(raw_delta)
    if len(delta) < len(full):
        return DownloadForm.DELTA, delta
    return DownloadForm.FULL, full


def offer_head(form: DownloadForm, target: Held, payload: bytes) -> OfferHead:
    """What a payload leads to."""
    return OfferHead(
        form=form,
        target=target,
        payload_digest=hashlib.sha256(payload).digest()[:PAYLOAD_DIGEST_BYTES],
        payload_bytes=len(payload),
    )


def apply_payload(
    kind: DownloadKind, head: OfferHead, payload: bytes, base: Entries
) -> dict[bytes, bytes]:
    """The content that a payload leads to, its digest verified.

    Args:
        kind: of the content.
        head: what the bank said of the payload.
        payload: all of it.
        base: what is held; a full payload makes nothing of it.

    Raises:
        DownloadError: the payload is not what was offered, cannot be read, does not
            fit to ``base``, or leads to another content than the bank said.
    """
    if offer_head(head.form, head.target, payload) != head:
        raise DownloadError("the payload is not the one that was offered")
    reader = _Reader(_inflate(payload))
    if head.form is DownloadForm.DELTA:
        entries = _apply_delta(kind, reader, base)
    else:
        entries = _read_entries(kind, reader)
    reader.end()
    if content_digest(kind, entries) != head.target.digest:
        raise DownloadError("the content has another digest than the bank said")
    return entries


def _apply_delta(
    kind: DownloadKind, reader: _Reader, base: Entries
) -> dict[bytes, bytes]:
    removed = _read_keys(kind, reader)
    changed = _read_entries(kind, reader)
    if not base.keys() >= set(removed) or changed.keys() & set(removed):
        raise DownloadError("the delta removes what is not there, or what it changes")
    entries = {**base, **changed}
    for key in removed:
        del entries[key]
    if len(entries) > ENTRIES_MAX:
        raise DownloadError("too many entries")
    return entries


class _Reader:
    """Bytes, taken from the front; whatever does not fit raises."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, length: int) -> bytes:
        end = self._offset + length
        if end > len(self._data):
            raise DownloadError("cut short")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def number(self, most: int) -> int:
        """A number up to ``most``, in its shortest form."""
        value = 0
        for place in range(_NUMBER_BYTES_MAX):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * place)
            if byte & 0x80:
                continue
            if value > most or (byte == 0 and place > 0):
                break
            return value
        raise DownloadError("a number out of bounds, or not in its shortest form")

    def sized(self, most: int, least: int = 0) -> bytes:
        value = self.take(self.number(most))
        if len(value) < least:
            raise DownloadError("an empty key")
        return value

    def end(self) -> None:
        if self._offset != len(self._data):
            raise DownloadError("something follows the end")


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _sized(value: bytes) -> bytes:
    return _number(len(value)) + value


def _encode_keys(kind: DownloadKind, keys: Iterable[bytes]) -> bytes:
    if kind is DownloadKind.HOTLIST:
        return _encode_numbers(keys)
    listed = sorted(keys)
    return _number(len(listed)) + b"".join(_sized(key) for key in listed)


def _read_keys(kind: DownloadKind, reader: _Reader) -> list[bytes]:
    if kind is DownloadKind.HOTLIST:
        return _read_numbers(reader)
    keys: list[bytes] = []
    for _ in range(reader.number(ENTRIES_MAX)):
        key = reader.sized(KEY_BYTES_MAX, least=1)
        if keys and key <= keys[-1]:
            raise DownloadError("keys out of order")
        keys.append(key)
    return keys


def _read_entries(kind: DownloadKind, reader: _Reader) -> dict[bytes, bytes]:
    if kind is DownloadKind.HOTLIST:
        return dict.fromkeys(_read_numbers(reader), b"")
    entries: dict[bytes, bytes] = {}
    before = b""
    for _ in range(reader.number(ENTRIES_MAX)):
        key = reader.sized(KEY_BYTES_MAX, least=1)
        if key <= before:
            raise DownloadError("keys out of order")
        entries[key] = reader.sized(VALUE_BYTES_MAX)
        before = key
    return entries


def _encode_numbers(keys: Iterable[bytes]) -> bytes:
    decimal, other = [], []
    for key in sorted(keys):
        assert len(key) == CARD_NUMBER_BYTES, "a card number has 8 bytes"
        digits = key.hex()
        if digits.isdecimal():
            decimal.append(int(digits))
        else:
            other.append(int.from_bytes(key, "big"))
    return _distances(decimal) + _distances(other)


def _distances(numbers: list[int]) -> bytes:
    steps = zip([-1, *numbers], numbers, strict=False)
    return _number(len(numbers)) + b"".join(
        _number(number - before - 1) for before, number in steps
    )


def _read_numbers(reader: _Reader) -> list[bytes]:
    decimal = _read_distances(reader, _DECIMAL_END)
    keys = [bytes.fromhex(f"{number:016d}") for number in decimal]
    for number in _read_distances(reader, _CARD_NUMBER_END):
        key = number.to_bytes(CARD_NUMBER_BYTES, "big")
        if key.hex().isdecimal():
            raise DownloadError("a decimal card number among the others")
        keys.append(key)
    if len(keys) > ENTRIES_MAX:
        raise DownloadError("too many entries")
    return keys


def _read_distances(reader: _Reader, end: int) -> list[int]:
    numbers: list[int] = []
    number = -1
    for _ in range(reader.number(ENTRIES_MAX)):
        number += reader.number(end) + 1
        if number >= end:
            raise DownloadError("not a card number")
        numbers.append(number)
    return numbers


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE, 9)
    return packer.compress(data) + packer.flush()


def _inflate(payload: bytes) -> bytes:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise DownloadError("the payload is too long")
    unpacker = zlib.decompressobj(_RAW_DEFLATE)
    try:
        data = unpacker.decompress(payload, RAW_BYTES_MAX)
    except zlib.error:
        raise DownloadError("the payload cannot be unpacked") from None
    if not unpacker.eof or unpacker.unused_data:
        raise DownloadError(
            "the payload is cut short, too long, or unpacks to too much"
        )
    return data
