"""Questions and answers about what the bank publishes, as messages and back.

ISO 8583:1987 has a message class for files that one side keeps for the other: an
acquirer's file update request (0300) names the file in field 101 and in field 91 what
is to be done with it, ``5`` being an inquiry; fields 71 and 72 number the messages of
one transfer. The terminal's questions and the host's answers are of this class;
``docs/iso8583.md`` is the reference for what stands in field 48.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.data_objects import DataObjects, DetailTag, encode_objects
from settlement.download import (
    CHUNK_BYTES,
    HEAD_BYTES,
    HELD_BYTES,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_DIGEST_BYTES,
    VERSION_BYTES,
    DownloadForm,
    DownloadKind,
    DownloadQuery,
    Held,
    OfferHead,
    Wanted,
    chunk_count,
)
from settlement.errors import MalformedMessageError
from settlement.iso8583 import Message
from settlement.message_codec import message_times

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.download import Offer

__all__ = ["Chunk", "DownloadDesk", "parse_chunk", "parse_query", "query_message"]

FILE_INQUIRY: Final = "5"
"""Field 91: the file is asked about, not changed."""
CHUNKS_MAX: Final = chunk_count(PAYLOAD_BYTES_MAX)

_WANTED_BYTES: Final = VERSION_BYTES + PAYLOAD_DIGEST_BYTES
_UNCHANGED_BYTES: Final = 1 + VERSION_BYTES

_KINDS: Final = {kind.file_name: kind for kind in DownloadKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """0310: what the host answers to one question.

    Attributes:
        number: of the chunk, from 1; 0 when nothing is sent.
        last: number of the last chunk; 0 likewise.
        data: of the chunk.
        unchanged: the version whose entries are those that are held, or None.
        head: which payload begins with this chunk; None when it was named by the
            question.
    """

    number: int = 0
    last: int = 0
    data: bytes = b""
    unchanged: int | None = None
    head: OfferHead | None = None


def query_message(
    terminal_id: str, stan: int, query: DownloadQuery, now: datetime
) -> Message:
    """0300: a terminal asks for one chunk.

    Args:
        terminal_id: 8 characters.
        stan: of this message, from 1.
        query: what is asked.
        now: aware, in the office's zone.
    """
    objects = [(DetailTag.DOWNLOAD_HELD, query.held.to_bytes())]
    wanted = query.wanted
    if wanted is not None:
        named = wanted.version.to_bytes(VERSION_BYTES, "big") + wanted.payload_digest
        objects.append((DetailTag.DOWNLOAD_WANTED, named))
    fields: dict[int, str | bytes] = {
        **message_times(now, now),
        11: f"{stan:06d}",
        41: terminal_id,
        48: encode_objects(objects),
        71: f"{query.chunk:04d}",
        91: FILE_INQUIRY,
        101: query.kind.file_name,
    }
    return Message(mti="0300", fields=fields)


def parse_query(message: Message) -> DownloadQuery:
    """What a 0300 asks.

    Raises:
        MalformedMessageError: A field is absent or not valid.
    """
    kind = _KINDS.get(message.text(101))
    if kind is None:
        raise MalformedMessageError("no such file", field=101)
    if message.text(91) != FILE_INQUIRY:
        raise MalformedMessageError("not an inquiry", field=91)
    chunk = int(message.text(71))
    if not 0 < chunk <= CHUNKS_MAX:
        raise MalformedMessageError("no number of a chunk", field=71)
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    held = Held.parse(objects.fixed(DetailTag.DOWNLOAD_HELD, HELD_BYTES))
    wanted = None
    if DetailTag.DOWNLOAD_WANTED in objects:
        named = objects.fixed(DetailTag.DOWNLOAD_WANTED, _WANTED_BYTES)
        version = int.from_bytes(named[:VERSION_BYTES], "big")
        wanted = Wanted(version=version, payload_digest=named[VERSION_BYTES:])
    elif chunk != 1:
        raise MalformedMessageError("a later chunk of no payload", field=71)
    return DownloadQuery(kind=kind, held=held, chunk=chunk, wanted=wanted)


def parse_chunk(message: Message, query: DownloadQuery) -> Chunk:
    """What an accepted 0310 brings.

    Args:
        message: matched to its request, its MAC verified.
        query: what was asked.

    Raises:
        MalformedMessageError: A field is absent, not valid, or not what was asked.
    """
    if message.text(101) != query.kind.file_name:
        raise MalformedMessageError("another file than asked for", field=101)
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    head = None
    if DetailTag.DOWNLOAD_OFFER in objects:
        form = objects.up_to(DetailTag.DOWNLOAD_OFFER, HEAD_BYTES)
        is_unchanged = form[:1] == bytes([DownloadForm.UNCHANGED])
        if is_unchanged and len(form) == _UNCHANGED_BYTES:
            return Chunk(unchanged=int.from_bytes(form[1:], "big"))
        head = _parse_head(objects)
    elif query.wanted is None:
        raise objects.malformed("absent", DetailTag.DOWNLOAD_OFFER)
    number, last = int(message.text(71)), int(message.text(72))
    data = objects.up_to(DetailTag.DOWNLOAD_CHUNK, CHUNK_BYTES)
    expected = 1 if head else query.chunk
    if not 0 < number <= last <= CHUNKS_MAX or number != expected:
        raise MalformedMessageError("not the chunk asked for", field=71)
    if not data or (number < last and len(data) != CHUNK_BYTES):
        raise objects.malformed("not a whole chunk", DetailTag.DOWNLOAD_CHUNK)
    return Chunk(number=number, last=last, data=data, head=head)


class DownloadDesk:
    """The host's answers in one call; keeps the payload that was asked for last."""

    def __init__(self, offer: Callable[[DownloadQuery], Offer]) -> None:
        """Ask the bank through ``offer``."""
        self._ask = offer
        self._asked: tuple[DownloadKind, Held, Wanted] | None = None
        self._offer: Offer | None = None

    def answer(self, query: DownloadQuery) -> list[tuple[int, str | bytes]]:
        """The fields of an accepted answer.

        Raises:
            BankUnavailableError: the bank cannot read its books just now.
        """
        offer = self._find(query)
        head = offer.head
        if head is None:
            form = bytes([DownloadForm.UNCHANGED])
            told = form + offer.version.to_bytes(VERSION_BYTES, "big")
            return [(48, encode_objects([(DetailTag.DOWNLOAD_OFFER, told)]))]
        self._offer, self._asked = offer, (query.kind, query.held, head.wanted)
        number, objects = query.chunk, []
        if query.wanted != head.wanted or not offer.chunk(number):
            number = 1
            objects = [(DetailTag.DOWNLOAD_OFFER, head.to_bytes())]
        objects.append((DetailTag.DOWNLOAD_CHUNK, offer.chunk(number)))
        return [
            (48, encode_objects(objects)),
            (71, f"{number:04d}"),
            (72, f"{head.chunks:04d}"),
        ]

    def _find(self, query: DownloadQuery) -> Offer:
        """The payload that the question names, if it was the last; else a new one."""
        known = self._offer
        asked = (query.kind, query.held, query.wanted)
        if known is not None and query.wanted is not None and self._asked == asked:
            return known
        return self._ask(query)


def _parse_head(objects: DataObjects) -> OfferHead:
    data = objects.fixed(DetailTag.DOWNLOAD_OFFER, HEAD_BYTES)
    try:
        head = OfferHead.parse(data)
    except ValueError as error:
        raise objects.malformed(str(error), DetailTag.DOWNLOAD_OFFER) from None
    if head.form is DownloadForm.UNCHANGED:
        raise objects.malformed("not 5 bytes", DetailTag.DOWNLOAD_OFFER)
    return head
