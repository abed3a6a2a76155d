"""Maintenance of a card by its issuer: block, unblock, reset the PIN (card profile 1).

Every such command ends with a MAC under a key made from the card's KM and a challenge
that serves once. The same wrapping carries personalisation (`card.personalisation`),
with the chip maker's transport key in the place of KM.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.apdu import CommandAPDU
from card.application import PIN_REFERENCES
from card.certificates import maintenance_encryption_key, maintenance_mac
from card.keys import KEY_BYTES, encrypt_blocks
from card.pin import PIN_BLOCK_BYTES
from card.profile import INS, Role
from card.purse import PurseSession

if TYPE_CHECKING:
    from card.channel import Channel

__all__ = ["MaintenanceKey", "MaintenanceSession", "padded_pin_block"]

_CLA: Final = 0x84
_PIN_PADDING: Final = b"\x80".ljust(KEY_BYTES - PIN_BLOCK_BYTES, b"\x00")


def padded_pin_block(pin_block: bytes) -> bytes:
    """A PIN block padded with 80 00.. to the 16 bytes that are encrypted."""
    assert len(pin_block) == PIN_BLOCK_BYTES, "a PIN block has 8 bytes"
    return pin_block + _PIN_PADDING


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceKey:
    """What the issuer needs to maintain one card.

    Attributes:
        key: KM of the purse, or the transport key of a blank card, 16 bytes.
        card_id: CID, or chip serial of a blank card, 8 bytes.
    """

    key: bytes = field(repr=False)
    card_id: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.key) == KEY_BYTES, "a key has 16 bytes"
        assert len(self.card_id) == 8, "a card's id has 8 bytes"

    def command(
        self, ins: INS, *, rc: bytes, p1: int = 0, p2: int = 0, data: bytes = b""
    ) -> CommandAPDU:
        """A maintenance command with its MAC; ``rc`` is the card's fresh challenge."""
        message = bytes((_CLA, ins, p1, p2)) + data
        mac = maintenance_mac(self.key, rc=rc, card_id=self.card_id, message=message)
        return CommandAPDU(cla=_CLA, ins=ins, p1=p1, p2=p2, data=data + mac)

    def encrypt(self, blocks: bytes, *, rc: bytes) -> bytes:
        """Whole 16-byte blocks for the command that ``rc`` serves."""
        key = maintenance_encryption_key(self.key, rc=rc, card_id=self.card_id)
        return encrypt_blocks(key, blocks)

    def block(self, *, rc: bytes) -> CommandAPDU:
        """BLOCK the purse: no more payments or loads, reading goes on."""
        return self.command(INS.BLOCK, rc=rc)

    def unblock(self, *, rc: bytes) -> CommandAPDU:
        """UNBLOCK the purse; the PIN's tries stay as they are."""
        return self.command(INS.UNBLOCK, rc=rc)

    def reset_pin(self, pin_block: bytes, *, rc: bytes) -> CommandAPDU:
        """RESET PIN: a new PIN with all its tries, without the old one."""
        data = self.encrypt(padded_pin_block(pin_block), rc=rc)
        return self.command(
            INS.RESET_PIN, rc=rc, p2=PIN_REFERENCES[Role.PURSE], data=data
        )


class MaintenanceSession(PurseSession):
    """A purse in a reader at the issuer; it was selected before.

    Every method can raise `StatusError`: 9302 when the key is not this card's.
    """

    def __init__(self, channel: Channel, key: MaintenanceKey) -> None:
        """Talk over ``channel`` with this card's ``key``; nothing is sent yet."""
        super().__init__(channel)
        self._key = key

    def block(self) -> None:
        """BLOCK the purse."""
        self.run(self._key.block(rc=self.get_challenge()))

    def unblock(self) -> None:
        """UNBLOCK the purse; the PIN's tries stay as they are."""
        self.run(self._key.unblock(rc=self.get_challenge()))

    def reset_pin(self, pin_block: bytes) -> None:
        """RESET PIN to ``pin_block`` (8 bytes), with all tries."""
        self.run(self._key.reset_pin(pin_block, rc=self.get_challenge()))
