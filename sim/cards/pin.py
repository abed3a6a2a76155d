"""The PIN and the activation code: one reference value, one durable try counter.

Format 2 block of ISO 9564-1: a nibble 2, a nibble with the number of digits, the
digits, filled up with F to 8 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.profile import PIN_DIGITS_MAX, PIN_DIGITS_MIN, PIN_TRIES
from card.sw import SW
from sim.cards.application import Refused
from sim.cards.crypto import same

if TYPE_CHECKING:
    from sim.cards.memory import Changes, Memory

__all__ = ["PIN_BLOCK_BYTES", "SecretCode", "is_pin_block", "pin_block"]

PIN_BLOCK_BYTES: Final = 8
_CONTROL: Final = "2"


def is_pin_block(block: bytes) -> bool:
    """Whether the 8 bytes are a well-formed format 2 block of 4 to 12 digits.

    >>> is_pin_block(bytes.fromhex("24 12 34 FF FF FF FF FF"))
    True
    >>> is_pin_block(bytes.fromhex("24 12 3F FF FF FF FF FF"))
    False
    """
    nibbles = block.hex().upper()
    count = int(nibbles[1], 16)
    digits, fill = nibbles[2 : 2 + count], nibbles[2 + count :]
    return (
        len(block) == PIN_BLOCK_BYTES
        and nibbles[0] == _CONTROL
        and PIN_DIGITS_MIN <= count <= PIN_DIGITS_MAX
        and digits.isdecimal()
        and set(fill) == {"F"}
    )


def pin_block(digits: str) -> bytes:
    """The format 2 block of 4 to 12 digits, for cards issued here."""
    block = bytes.fromhex(f"{_CONTROL}{len(digits):X}{digits:F<14}")
    assert is_pin_block(block)
    return block


class SecretCode:
    """A code that a card compares and counts, under the names ``NAME.*`` of memory."""

    def __init__(self, memory: Memory, name: str) -> None:
        self._memory: Final = memory
        self._reference: Final = f"{name}.block"
        self._tries: Final = f"{name}.tries"

    @property
    def exists(self) -> bool:
        """Whether the card was personalised with this code."""
        return self._reference in self._memory

    @property
    def tries_left(self) -> int:
        """Data object C8."""
        return self._memory.integer(self._tries)

    def set_to(self, block: bytes) -> Changes:
        """The changes that make ``block`` the code, with all its tries."""
        return {self._reference: block, self._tries: PIN_TRIES}

    def verify(self, *blocks: bytes) -> None:
        """Compare the first block; all must be well formed, or no try is spent.

        Raises:
            Refused: 6983, 6A80 or 63Cx.
        """
        tries = self.tries_left
        if tries == 0:
            raise Refused(SW.PIN_BLOCKED)
        if not all(is_pin_block(block) for block in blocks):
            raise Refused(SW.WRONG_DATA)
        # Durably before the comparison: cutting the power must never give a free try.
        self._memory.commit({self._tries: tries - 1})
        if not same(blocks[0], self._memory.octets(self._reference)):
            raise Refused(SW.PIN_WRONG_NONE_LEFT + tries - 1)
        self._memory.commit({self._tries: PIN_TRIES})
