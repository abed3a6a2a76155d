"""Two ways to a pair of cards: in this process, and through vpcd and pcscd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from card.profile import Role
from sim.cards.vpcd import VPCDCard

if TYPE_CHECKING:
    from sim.cards.t0 import Card
    from sim.pcscd import PrivatePCSCD

_WAIT_MS: Final = 10_000


class Link(Protocol):
    """Two slots with a card in each."""

    over_pcsc: bool

    def put(self, role: Role, card: Card) -> None:
        """Have ``card`` in the slot, just powered."""

    def transmit(self, role: Role, apdu: bytes) -> bytes: ...

    def reset(self, role: Role) -> None: ...


class InProcess:
    """Both cards in this process."""

    over_pcsc = False

    def __init__(self) -> None:
        self._cards: dict[Role, Card] = {}

    def put(self, role: Role, card: Card) -> None:
        self._cards[role] = card
        card.reset()

    def transmit(self, role: Role, apdu: bytes) -> bytes:
        return self._cards[role].process(apdu)

    def reset(self, role: Role) -> None:
        self._cards[role].reset()


class _Slot:
    """What vpcd takes for a card: whichever card a test has put there."""

    def __init__(self) -> None:
        self.card: Card | None = None

    def reset(self) -> None:
        if self.card is not None:
            self.card.reset()

    def process(self, apdu: bytes, /) -> bytes:
        assert self.card is not None
        return self.card.process(apdu)


class OverPCSC:
    """Both cards behind vpcd, reached through pcscd by pyscard's plain functions."""

    over_pcsc = True

    def __init__(self, daemon: PrivatePCSCD) -> None:
        from smartcard import scard  # noqa: PLC0415  only where it is needed

        self._scard: Any = scard
        self._readers = dict(zip(Role, daemon.readers, strict=True))
        self._slots = {role: _Slot() for role in Role}
        self._handles: dict[Role, Any] = {}
        self._context = self._call(
            scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        )
        self._vpcd = [
            VPCDCard(self._slots[role], daemon.port + offset)
            for offset, role in enumerate(Role)
        ]
        for slot in self._vpcd:
            slot.insert()
        for role in Role:
            self._wait_while(role, scard.SCARD_STATE_EMPTY)
            self._handles[role], _protocol = self._call(
                scard.SCardConnect(
                    self._context,
                    self._readers[role],
                    scard.SCARD_SHARE_EXCLUSIVE,
                    scard.SCARD_PROTOCOL_T1,
                ),
                values=2,
            )

    def put(self, role: Role, card: Card) -> None:
        self._slots[role].card = card
        self.reset(role)

    def transmit(self, role: Role, apdu: bytes) -> bytes:
        scard = self._scard
        handle = self._handles[role]
        return bytes(
            self._call(scard.SCardTransmit(handle, scard.SCARD_PCI_T1, list(apdu)))
        )

    def reset(self, role: Role) -> None:
        scard = self._scard
        self._call(
            scard.SCardReconnect(
                self._handles[role],
                scard.SCARD_SHARE_EXCLUSIVE,
                scard.SCARD_PROTOCOL_T1,
                scard.SCARD_RESET_CARD,
            )
        )

    def close(self) -> None:
        """Leave both slots empty, as the next user of them expects."""
        scard = self._scard
        for role, slot in zip(Role, self._vpcd, strict=True):
            scard.SCardDisconnect(self._handles[role], scard.SCARD_LEAVE_CARD)
            slot.close()
        for role in Role:
            self._wait_while(role, scard.SCARD_STATE_PRESENT)
        scard.SCardReleaseContext(self._context)

    def _wait_while(self, role: Role, state: int) -> None:
        scard = self._scard
        name = self._readers[role]
        known = scard.SCARD_STATE_UNAWARE
        while True:
            [(_name, now, _atr)] = self._call(
                scard.SCardGetStatusChange(self._context, _WAIT_MS, [(name, known)])
            )
            if not now & state:
                return
            known = now & ~scard.SCARD_STATE_CHANGED

    def _call(self, answer: Any, *, values: int = 1) -> Any:
        code, *rest = answer if isinstance(answer, (list, tuple)) else (answer,)
        assert code == self._scard.SCARD_S_SUCCESS, f"PC/SC answered {code:#x}"
        return rest[0] if values == 1 and rest else rest
