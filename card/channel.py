"""The way to one card, and what T=0 adds to it (ISO/IEC 7816-3, clause 12.2.1).

A `Channel` carries whole command and response APDUs. `card.pcsc` gives one over a
reader, `sim` one inside the process; both are wrapped in `T0Channel`, so that no
code above ever sees 61xx or 6Cxx.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from card.apdu import LE_ANY, CommandAPDU, ResponseAPDU
from card.errors import MalformedResponseError
from card.profile import INS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Channel", "T0Channel"]

_ROUNDS_MAX: Final = 8
"""Commands sent for one response before a card that never ends is given up."""


class Channel(Protocol):
    """Carries one command to one card and brings its response back."""

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """Send ``command`` and wait for its response.

        Raises:
            OutcomeUnknownError: it was sent, or may have been, and no answer came.
            CardError: it was not sent.
        """
        ...


class T0Channel:
    """Asks for the rest on 61xx and repeats with the right Le on 6Cxx."""

    def __init__(self, transmit_bytes: Callable[[bytes], bytes]) -> None:
        """Wrap ``transmit_bytes``, which carries one raw APDU and its raw answer."""
        self._transmit_bytes = transmit_bytes

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """See `Channel.transmit`."""
        asked, data = command, b""
        for _ in range(_ROUNDS_MAX):
            response = self._send(asked)
            data += response.data
            length = (response.sw & 0xFF) or LE_ANY
            match response.sw >> 8:
                case 0x61:  # more to fetch
                    asked = CommandAPDU(cla=0, ins=INS.GET_RESPONSE, le=length)
                case 0x6C:  # wrong Le
                    # Sending it again is safe: ISO 7816-3 says that the card has not
                    # carried it out, it only tells the length it will answer.
                    asked = replace(asked, le=length)
                case _:
                    return ResponseAPDU(data=data, sw=response.sw)
        raise MalformedResponseError(f"{command.name} response", offset=len(data))

    def _send(self, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self._transmit_bytes(command.to_bytes()))
