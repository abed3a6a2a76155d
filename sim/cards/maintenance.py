"""Commands under a challenge and a MAC: BLOCK, UNBLOCK, RESET PIN; and PUT DATA."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.profile import INS, CardState
from card.sw import SW
from sim.cards import purse_runtime as names
from sim.cards.application import PROTECTED, STATE, Command, Refused, Row, exactly
from sim.cards.crypto import MAC_BYTES, decrypt_ecb, kdf, mac8, same
from sim.cards.pin import PIN_BLOCK_BYTES, is_pin_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.purse_runtime import PurseRuntime

__all__ = ["Maintenance", "Unwrapped", "padded_pin_block", "unwrap"]

_PADDING: Final = bytes.fromhex("80 00 00 00 00 00 00 00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A protected command whose MAC was good."""

    data: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def decrypt(self, cryptogram: bytes) -> bytes:
        """Decrypt whole AES blocks of the data under this command's key."""
        return decrypt_ecb(self.key, cryptogram)


def unwrap(command: Command, *, key: bytes, identity: bytes) -> Unwrapped:
    """Check the MAC of a protected command.

    Args:
        command: its data end in MAC8.
        key: KM, or the transport key.
        identity: CID, or the chip's serial number; 8 bytes.

    Raises:
        Refused: 6985 without a challenge, 9302 when the MAC is wrong.
    """
    challenge = command.challenge
    if challenge is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    data, mac = command.data[:-MAC_BYTES], command.data[-MAC_BYTES:]
    session_key = kdf(key, "MNT", challenge + identity)
    if not same(mac8(session_key, command.header + data), mac):
        raise Refused(SW.MAC_WRONG)
    return Unwrapped(data=data, key=kdf(key, "ENC", challenge + identity))


def padded_pin_block(clear: bytes) -> bytes:
    """The PIN block in front of the padding 80 00..; 6A80 when it is not one."""
    block, padding = clear[:PIN_BLOCK_BYTES], clear[PIN_BLOCK_BYTES:]
    if padding != _PADDING or not is_pin_block(block):
        raise Refused(SW.WRONG_DATA)
    return block


class Maintenance:
    """The maintenance commands of one purse; they go on when it is blocked."""

    def __init__(self, purse: PurseRuntime) -> None:
        self._purse: Final = purse

    def rows(self) -> list[Row]:
        """The profile's table, maintenance."""
        return [
            self._row(INS.BLOCK, 0x00, 8, self._block),
            self._row(INS.UNBLOCK, 0x00, 8, self._unblock),
            self._row(INS.RESET_PIN, 0x80, 24, self._reset_pin),
        ]

    def _row(
        self, ins: INS, p2: int, lc: int, handler: Callable[[Command], bytes]
    ) -> Row:
        return Row(
            cla=PROTECTED, ins=ins, p2=p2, lc=exactly(lc), handler=handler,
        )  # fmt: skip

    def _unwrap(self, command: Command) -> Unwrapped:
        key = self._purse.memory.octets(names.KEY_MAINTENANCE)
        return unwrap(command, key=key, identity=self._purse.card_id)

    def _block(self, command: Command) -> bytes:
        self._unwrap(command)
        self._purse.take_session()
        self._purse.memory.commit({STATE: CardState.BLOCKED})
        return b""

    def _unblock(self, command: Command) -> bytes:
        self._unwrap(command)
        self._purse.memory.commit({STATE: CardState.ACTIVE, names.FAILED_MACS: 0})
        return b""

    def _reset_pin(self, command: Command) -> bytes:
        unwrapped = self._unwrap(command)
        block = padded_pin_block(unwrapped.decrypt(unwrapped.data))
        self._purse.pin_verified = False
        self._purse.memory.commit(self._purse.pin.set_to(block))
        return b""
