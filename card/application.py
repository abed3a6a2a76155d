"""What both card applications have in common: select, challenge, PIN, a session.

The ISO commands are built here (ISO/IEC 7816-4, clauses 7.4.3, 11.5.3, 11.5.6), and the
rule of a session is kept here: an answer is used only after 9000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from card.apdu import LE_ANY, CommandAPDU
from card.errors import ForeignCardError, StatusError, WrongPINError
from card.fci import CardInfo, parse_fci
from card.fields import FieldReader
from card.pin import PIN_BLOCK_BYTES
from card.profile import CUSTOMS_AID, INS, PURSE_AID, Role
from card.sw import SW, tries_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.apdu import ResponseAPDU
    from card.channel import Channel

__all__ = [
    "PIN_REFERENCES",
    "ApplicationSession",
    "get_challenge",
    "parse_challenge",
    "require_ok",
    "select",
    "verify",
]

AIDS: Final = {Role.PURSE: PURSE_AID, Role.CUSTOMS: CUSTOMS_AID}
PIN_REFERENCES: Final = {Role.PURSE: 0x80, Role.CUSTOMS: 0x81}
"""P2 of VERIFY: the purse's PIN, the customs card's activation code."""

_P1_BY_NAME: Final = 0x04
_FOREIGN: Final = frozenset(
    {SW.NO_APPLICATION, SW.APPLICATION_BLOCKED, SW.WRONG_P1_P2, SW.WRONG_INS}
    | {SW.WRONG_CLA}
)
"""Answers to SELECT that mean a card of someone else, down to one without SELECT."""


def select(role: Role) -> CommandAPDU:
    """SELECT the application of ``role`` by its whole AID."""
    return CommandAPDU(
        cla=0x00, ins=INS.SELECT, p1=_P1_BY_NAME, data=AIDS[role], le=LE_ANY
    )


def get_challenge() -> CommandAPDU:
    """GET CHALLENGE: 8 random bytes, for the one maintenance command that follows."""
    return CommandAPDU(cla=0x00, ins=INS.GET_CHALLENGE, le=LE_ANY)


def parse_challenge(data: bytes) -> bytes:
    """Read what GET CHALLENGE answered: 8 bytes.

    Raises:
        MalformedResponseError: It is none.
    """
    with FieldReader(data, "GET CHALLENGE response") as reader:
        return reader.take(8)


def verify(role: Role, pin_block: bytes) -> CommandAPDU:
    """VERIFY the PIN, or the activation code of a customs card.

    Args:
        role: which card.
        pin_block: 8 bytes; see `card.pin`.
    """
    assert len(pin_block) == PIN_BLOCK_BYTES, "a PIN block has 8 bytes"
    return CommandAPDU(
        cla=0x00, ins=INS.VERIFY, p2=PIN_REFERENCES[role], data=pin_block
    )


def require_ok(command: CommandAPDU, response: ResponseAPDU) -> bytes:
    """The data of an answer with 9000.

    Raises:
        WrongPINError: The answer is 63Cx or 6983.
        StatusError: It is any other word.
    """
    if response.ok:
        return response.data
    if tries_left(response.sw) is not None or response.sw == SW.PIN_BLOCKED:
        raise WrongPINError(command.name, response.sw)
    raise StatusError(command.name, response.sw)


class ApplicationSession:
    """One application on one card, over a channel that the caller keeps.

    Every method can raise the errors of `Channel.transmit`, `StatusError` when the card
    refuses, and `MalformedResponseError` when its answer does not fit the profile.
    """

    role: ClassVar[Role]

    def __init__(self, channel: Channel) -> None:
        """Talk over ``channel``; nothing is sent yet."""
        self._channel = channel

    def select(self) -> CardInfo:
        """SELECT: drops session, challenge and PIN, and tells what the card is.

        Raises:
            ForeignCardError: The application is not on this card.
        """
        command = select(self.role)
        response = self._channel.transmit(command)
        if response.sw in _FOREIGN:
            raise ForeignCardError(f"this card has no {self.role} application")
        info = parse_fci(require_ok(command, response))
        if info.role is not self.role:
            raise ForeignCardError(f"this card answered as a {info.role} card")
        return info

    def get_challenge(self) -> bytes:
        """GET CHALLENGE: 8 random bytes."""
        return parse_challenge(self.run(get_challenge()))

    def verify(self, pin_block: bytes) -> None:
        """VERIFY the PIN, or the activation code of a customs card.

        Raises:
            WrongPINError: It does not match, or no tries are left.
        """
        self.run(verify(self.role, pin_block))

    def run(self, command: CommandAPDU) -> bytes:
        """Send ``command`` and give the data of its answer.

        Raises:
            StatusError: The answer is not 9000.
        """
        return require_ok(command, self._channel.transmit(command))

    def _read_list(
        self, command: Callable[[int], CommandAPDU], index_max: int
    ) -> list[bytes]:
        """Every record that ``command(index)`` reads, from 1 until 6A83."""
        found: list[bytes] = []
        for index in range(1, index_max + 1):
            ask = command(index)
            response = self._channel.transmit(ask)
            if response.sw == SW.NO_RECORD:
                break
            found.append(require_ok(ask, response))
        return found
