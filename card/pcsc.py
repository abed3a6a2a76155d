"""The one door to the card readers: PC/SC through pyscard's `scard` layer.

Everything a reader can say becomes an error of `card.errors`; nothing of pyscard
leaves this file. Three facts of PC/SC shape it:

* A transmit that fails says nothing about the card: the command may have been carried
  out. Every such failure is `OutcomeUnknownError`, and the connection is not used
  again, so that no later answer can be taken for an earlier one's.
* A card pulled out in the middle of a command can end as a *successful* transmit of
  no bytes at all. That is an unknown outcome too.
* A context belongs to one thread at a time. Each open card and each monitor has a
  context of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from smartcard import scard

from card.apdu import CommandAPDU
from card.channel import Channel, T0Channel
from card.errors import (
    CardError,
    CardRemovedError,
    NoCardError,
    OutcomeUnknownError,
    ReaderError,
)
from card.profile import CUSTOMS_AID, INS, PURSE_AID, Role

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PCSCCard", "context", "find_reader", "open_card", "reader_error", "readers"]

_PROTOCOLS: Final = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_AIDS: Final = {Role.PURSE: PURSE_AID, Role.CUSTOMS: CUSTOMS_AID}
_ABSENT: Final = frozenset({scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD})
_MUTE: Final = frozenset(
    {scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_W_UNPOWERED_CARD}
)
_NO_SERVICE: Final = frozenset(
    {scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED}
)


@dataclass(frozen=True, slots=True)
class _Context:
    """A PC/SC resource manager context, released on leaving ``with``."""

    handle: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        scard.SCardReleaseContext(self.handle)


def context() -> _Context:
    """Open a context with the PC/SC service.

    Raises:
        ReaderError: the service does not run.
    """
    code, handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if code != scard.SCARD_S_SUCCESS:
        raise reader_error(code, None)
    return _Context(handle)


def readers() -> list[str]:
    """Names of all readers that are connected now, in the service's order.

    Raises:
        ReaderError: the service does not run.
    """
    with context() as ctx:
        code, names = scard.SCardListReaders(ctx.handle, [])
    if code == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    if code != scard.SCARD_S_SUCCESS:
        raise reader_error(code, None)
    return list(names)


def find_reader(wanted: str) -> str:
    """The reader meant by a name, by a part of a name, or by a role.

    Args:
        wanted: ``"purse"`` or ``"customs"`` for the reader in which that card lies,
            else the whole name of a reader or a part that only one reader has.

    Raises:
        ReaderError: none or several fit; the message lists the readers present.
    """
    present = readers()
    if wanted in present:
        return wanted
    if wanted in set(Role):
        return _find_role(Role(wanted), present)
    fitting = [name for name in present if wanted in name]
    if len(fitting) == 1:
        return fitting[0]
    found = _listed(present)
    how_many = "Several readers fit" if fitting else "No reader fits"
    raise ReaderError(
        f"{how_many} '{wanted}'. Readers connected: {found}. Nothing was sent to a "
        "card. Connect the reader, or name it as it is listed."
    )


def open_card(reader: str) -> PCSCCard:
    """Connect to the card in ``reader``, for this program alone.

    Args:
        reader: exact name, from `readers` or `find_reader`.

    Raises:
        NoCardError: no card, or one that does not answer, is in the reader.
        ReaderError: the reader is unknown, gone, or used by another program.
    """
    return PCSCCard(reader)


class PCSCCard:
    """One card, held exclusively and powered until `close`.

    Used by one thread at a time. Leaving ``with`` closes it.
    """

    def __init__(self, reader: str) -> None:
        """Connect; see `open_card`."""
        self.reader: Final = reader
        self.channel: Final[Channel] = T0Channel(self._transmit)
        self._context = context()
        code, self._handle, protocol = scard.SCardConnect(
            self._context.handle, reader, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS
        )
        if code != scard.SCARD_S_SUCCESS:
            scard.SCardReleaseContext(self._context.handle)
            raise reader_error(code, reader)
        self._is_t0 = protocol == scard.SCARD_PROTOCOL_T0
        self._pci = scard.SCARD_PCI_T0 if self._is_t0 else scard.SCARD_PCI_T1
        self._open = True
        self._usable = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Power the card down and let the reader go; may be called again.

        Powering down drops every session and the verified PIN, so that the next
        program to connect finds none of ours.
        """
        if self._open:
            self._open = self._usable = False
            scard.SCardDisconnect(self._handle, scard.SCARD_UNPOWER_CARD)
            scard.SCardReleaseContext(self._context.handle)

    def _transmit(self, raw: bytes) -> bytes:
        if not self._usable:
            raise NoCardError(
                f"The connection with the card in '{self.reader}' has ended; nothing "
                "was sent. Take the card out and put it back."
            )
        sent = _t0_form(raw) if self._is_t0 else raw
        code, answer = scard.SCardTransmit(self._handle, self._pci, list(sent))
        if code == scard.SCARD_S_SUCCESS and len(answer) >= 2:
            return bytes(value & 0xFF for value in answer)
        self._usable = False
        if code in _ABSENT or code == scard.SCARD_S_SUCCESS:
            raise CardRemovedError(
                f"The card left '{self.reader}' while a command was under way; whether "
                "it was carried out is not known yet. Put the same card back."
            )
        raise OutcomeUnknownError(
            f"No answer came from the card in '{self.reader}' ({_message(code)}); "
            "whether the command was carried out is not known yet. "
            "Take the card out and put it back."
        )


def reader_error(code: int, reader: str | None) -> CardError:
    """The error of this package for a PC/SC return code, before anything was sent."""
    where = f"'{reader}'" if reader else "the card readers"
    if code in _ABSENT:
        return NoCardError(f"There is no card in {where}. Insert the card.")
    if code in _MUTE:
        return NoCardError(
            f"The card in {where} does not answer. Take it out, check that the chip "
            "goes in first and faces the contacts, and insert it again."
        )
    if code in _NO_SERVICE:
        return ReaderError(
            "The card reader service (pcscd) does not run; no card was touched. "
            "Start it, then try again."
        )
    if code == scard.SCARD_W_SECURITY_VIOLATION:
        return ReaderError(
            f"This user is not allowed to use {where}; no card was touched. Allow it "
            "in the rules of the card reader service (polkit, org.debian.pcsc-lite)."
        )
    if code == scard.SCARD_E_SHARING_VIOLATION:
        return ReaderError(
            f"Another program uses {where}; no card was touched. Close that program."
        )
    return ReaderError(f"Cannot use {where} ({_message(code)}); no card was touched.")


def _find_role(role: Role, present: list[str]) -> str:
    holding = [reader for reader in present if _holds(reader, role)]
    if len(holding) == 1:
        return holding[0]
    if holding:
        # The first would be a guess, and the guess would choose whose money moves.
        raise ReaderError(
            f"Several readers hold a {role} card: {_listed(holding)}. Nothing was "
            "changed on any. Take out all but one, or name the reader."
        )
    raise ReaderError(
        f"No reader holds a {role} card. Readers connected: {_listed(present)}. "
        "Insert the card, or close the program that uses its reader."
    )


def _holds(reader: str, role: Role) -> bool:
    select = CommandAPDU(cla=0, ins=INS.SELECT, p1=4, data=_AIDS[role], le=256)
    try:
        with open_card(reader) as card:
            return card.channel.transmit(select).ok
    except CardError:
        # An empty or busy reader is just not the one; the others are still asked.
        return False


def _listed(names: list[str]) -> str:
    return "; ".join(names) or "none"


def _t0_form(raw: bytes) -> bytes:
    """Drop the Le behind data, for which T=0 has no room (ISO/IEC 7816-3, 12.2.1).

    Most readers hand a T=0 command on as it is, and the card would take Le for one
    byte of data too many. It answers 61xx, and the channel asks for the rest.
    """
    lc_offset = 4
    has_le = len(raw) > 5 and len(raw) == lc_offset + 1 + raw[lc_offset] + 1
    return raw[:-1] if has_le else raw


def _message(code: int) -> str:
    return str(scard.SCardGetErrorMessage(code)).rstrip(".")
