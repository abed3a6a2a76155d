"""What reads the messages of others, as targets: decoder, parsers, what unpacks."""

from __future__ import annotations

import itertools
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from settlement import answers, iso8583, outcomes
from settlement.download import DownloadForm, DownloadKind
from settlement.download_codec import apply_payload, nothing_held, offer_head
from settlement.errors import MessageError
from settlement.group_layout import Shared, unpack
from settlement.message_parser import parse_request
from sim.fuzz.corpus import documented
from sim.fuzz.reader import Reader

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["CONTENT", "Fields", "Groups", "Messages", "Payloads", "sound_messages"]

_KEY: Final = bytes(range(16))
_SHARED: Final = Shared(mid=bytes(8), currency=512)
CONTENT: Final = {bytes.fromhex(f"64{number:014}"): b"" for number in (1, 400, 9007)}
"""What the counter holds of each list when a download comes."""


def sound_messages() -> list[bytes]:
    """Those of the page about them."""
    found = documented("iso8583.md", by_line=False)
    return [data for data in found if data[:1] == b"0"]


class Messages(Reader):
    """The decoder of messages, and all parsers of what it lets through."""

    def __init__(self, _draw: random.Random) -> None:
        """Begin; nothing is left to choose."""

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
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


class Fields(Reader):
    """The parsers again, behind a decoder that has nothing to object to.

    One field of a sound message is damaged, and the message is put together anew, so
    that lengths, bitmap and MAC fit.
    """

    def __init__(self, draw: random.Random) -> None:
        """Begin; `draw` chooses."""
        self._draw = draw
        self._messages = Messages(draw)
        self._sound = [iso8583.decode(data) for data in sound_messages()]

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
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


class Groups(Reader):
    """The columns of a group of payments, with TACs as many as they say."""

    def __init__(self, _draw: random.Random) -> None:
        """Begin; nothing is left to choose."""

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        count = 1 + (data[0] >> 3 if data else 0)
        with suppress(MessageError):
            unpack(data, bytes(8 * count), _SHARED)


class Payloads(Reader):
    """What unpacks a download: damaged as it is, and damaged before it was packed."""

    def __init__(self, draw: random.Random) -> None:
        """Begin; `draw` chooses."""
        self._draw = draw

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        for kind, form in itertools.product(DownloadKind, _FORMS):
            for payload in (data, _deflated(data)):
                head = offer_head(form, nothing_held(kind), payload)
                with suppress(MessageError):
                    apply_payload(kind, head, payload, CONTENT)


_FORMS: Final = (DownloadForm.DELTA, DownloadForm.FULL)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
