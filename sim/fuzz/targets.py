"""What the bytes are thrown at: everything of ours that reads what others sent.

A target takes strings, one after the other, and keeps what it has become by them, as a
machine on a line does. It may raise nothing but what its documentation says; those
errors it catches itself. Whatever else comes out of `feed` is a defect.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modem.framing import FrameDecoder
from modem.tls import frame_message
from settlement import iso8583
from settlement.download import DownloadKind
from settlement.download_codec import make_payload
from settlement.message_parser import parse_request
from settlement.messages import GroupRequest
from sim.fuzz.call_readers import Called, Connections
from sim.fuzz.corpus import MODEM_LINES, documented
from sim.fuzz.line_readers import Framing, Linked, Modems
from sim.fuzz.message_readers import (
    CONTENT,
    Fields,
    Groups,
    Messages,
    Payloads,
    sound_messages,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from sim.fuzz.reader import Reader

__all__ = ["TARGETS", "Target"]


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


def _group_corpus() -> list[bytes]:
    sound = [parse_request(iso8583.decode(data)) for data in _request_corpus()]
    return [one.columns for one in sound if isinstance(one, GroupRequest)]


def _payload_corpus() -> list[bytes]:
    packed = [make_payload(kind, CONTENT, {})[1] for kind in DownloadKind]
    return [*packed, *(zlib.decompress(one, -15) for one in packed)]


def _request_corpus() -> list[bytes]:
    return [data for data in sound_messages() if data[2:4] in {b"00", b"20"}]


def _line_corpus() -> Sequence[bytes]:
    return documented("modem-link.md", by_line=True)


def _content_corpus() -> list[bytes]:
    decoder = FrameDecoder()
    return list(itertools.chain(*map(decoder.receive_data, _line_corpus())))


def _call_corpus() -> list[bytes]:
    return [*MODEM_LINES, *_line_corpus()]


def _network_corpus() -> list[bytes]:
    """Messages as they stand in the stream: with their length before them."""
    return [frame_message(data) for data in sound_messages()]


TARGETS: Final = (
    Target(name="framing", corpus=_line_corpus, begin=Framing),
    Target(name="link", corpus=_content_corpus, begin=Linked),
    Target(name="dialer", corpus=lambda: MODEM_LINES, begin=Modems),
    Target(name="call", corpus=_call_corpus, begin=Called),
    Target(name="network", corpus=_network_corpus, begin=Connections),
    Target(name="messages", corpus=sound_messages, begin=Messages),
    Target(name="fields", corpus=sound_messages, begin=Fields),
    Target(name="groups", corpus=_group_corpus, begin=Groups),
    Target(name="payloads", corpus=_payload_corpus, begin=Payloads),
)
