"""What T=0 does to a card's answers (ISO/IEC 7816-3, clause 12.2.1).

Under T=0 a command either brings data or takes data. A command with data answers 61xx
and keeps its response for GET RESPONSE; one without data is answered at once when Le is
the right length, and with 6Cxx (the right length) otherwise.
"""

from __future__ import annotations

from typing import Final, Protocol

from card.profile import INS
from card.sw import SW

__all__ = ["Card", "T0Card"]

_MORE: Final = 0x61
_WRONG_LE: Final = 0x6C
_LE_ANY: Final = 256
_OK: Final = int(SW.OK).to_bytes(2, "big")


class Card(Protocol):
    """A card as a reader sees it."""

    def reset(self) -> None:
        """Power-up or reset."""
        ...

    def process(self, apdu: bytes, /) -> bytes:
        """Carry out one command APDU; response data and SW1 SW2 come back."""
        ...


class T0Card:
    """A card that speaks T=0, around one that answers whole APDUs."""

    def __init__(self, card: Card) -> None:
        self._card: Final = card
        self._pending = b""
        self._asked = b""

    def reset(self) -> None:
        """Reset the card; a kept response is gone."""
        self._keep(b"", b"")
        self._card.reset()

    def process(self, apdu: bytes) -> bytes:
        """Carry out one T=0 command: header and P3, then P3 bytes of data or none."""
        header, body = apdu[:4], apdu[4:]
        if header[1:2] == bytes((INS.GET_RESPONSE,)):
            return self._get_response(header, body)
        if len(body) > 1:
            return self._command_with_data(apdu)
        return self._command_without_data(header, body)

    def _command_with_data(self, apdu: bytes) -> bytes:
        response = self._card.process(apdu)
        data = response[:-2]
        self._keep(b"", data)
        return _status(_MORE, len(data)) if data else response

    def _command_without_data(self, header: bytes, body: bytes) -> bytes:
        # The command is carried out when it first comes; asked again with the length
        # that 6Cxx told, it answers what it answered then and does nothing twice.
        asked_again = self._pending and header == self._asked
        response = self._pending + _OK if asked_again else self._card.process(header)
        data = response[:-2]
        self._keep(b"", b"")
        if not data or _le(body) == len(data):
            return response
        self._keep(header, data)
        return _status(_WRONG_LE, len(data))

    def _get_response(self, header: bytes, body: bytes) -> bytes:
        pending, asked = self._pending, self._asked
        self._keep(b"", b"")
        if header[0] != 0x00 or not pending or asked:
            return self._card.process(header + body)
        if header[2:] != b"\x00\x00":
            return int(SW.WRONG_P1_P2).to_bytes(2, "big")
        wanted = _le(body)
        if wanted > len(pending):
            self._keep(b"", pending)
            return _status(_WRONG_LE, len(pending))
        rest = pending[wanted:]
        self._keep(b"", rest)
        return pending[:wanted] + (_status(_MORE, len(rest)) if rest else _OK)

    def _keep(self, asked: bytes, data: bytes) -> None:
        """Remember a response, and which command without data it belongs to."""
        self._asked, self._pending = asked, data


def _le(body: bytes) -> int:
    """P3 of a command without data; none, or 00, asks for 256 bytes."""
    return body[0] or _LE_ANY if body else _LE_ANY


def _status(sw1: int, count: int) -> bytes:
    return bytes((sw1, count & 0xFF))
