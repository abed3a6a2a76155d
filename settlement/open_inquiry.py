"""Asking a purse at the card desk what became of a payment, without I/O.

Theory of operation. The customs card is not here, but the bank has its keys: it makes
the VREQ that the customs card would have made.

    PROVE   purse   proof: PurseProved     9406: it holds none
    VOID    purse   VMAC: PurseGaveUp      9406: PurseSilent, the record stays open

A missing or useless answer is `PurseSilent` again; the machine can be run any number of
times. The table below holds every transition; `card.machine` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Never

from card import purse
from card.exchange import Finished, Transmit, parse_or_none
from card.machine import Event, Machine
from card.profile import Role
from card.purse import parse_vmac
from card.records import DebitProof
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import ResponseAPDU
    from card.records import TransactionRecord

__all__ = [
    "InquiryAction",
    "InquiryResult",
    "OpenInquiry",
    "PurseGaveUp",
    "PurseProved",
    "PurseSilent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseProved:
    """The purse was debited, and this is its proof."""

    proof: DebitProof


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseGaveUp:
    """The purse was not debited and never will be: its VMAC, 8 bytes."""

    vmac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseSilent:
    """The purse says neither; ``sw`` is its status word, None when it left."""

    sw: int | None


InquiryResult = PurseProved | PurseGaveUp | PurseSilent
InquiryAction = Transmit | Finished[InquiryResult]


class _State(Enum):
    """The action that is pending."""

    PROVE = auto()
    VOID = auto()
    FINISHED = auto()


_TABLE: Final[Mapping[tuple[_State, Event], _State]] = {
    (_State.PROVE, Event.DONE): _State.FINISHED,
    (_State.PROVE, Event.NO_PROOF): _State.VOID,
    (_State.PROVE, Event.STOPPED): _State.FINISHED,
    (_State.PROVE, Event.LOST): _State.FINISHED,
    (_State.VOID, Event.DONE): _State.FINISHED,
    (_State.VOID, Event.STOPPED): _State.FINISHED,
    (_State.VOID, Event.LOST): _State.FINISHED,
}


class OpenInquiry(Machine[_State, Never, InquiryResult]):
    """Asks the purse of an open record; see the module's docstring."""

    def __init__(self, tx: TransactionRecord, vreq: bytes) -> None:
        """Begin with PROVE.

        Args:
            tx: the payment; the caller has made sure that this is its purse.
            vreq: what the purse's VOID wants to see, 8 bytes.
        """
        first = Transmit(role=Role.PURSE, command=purse.prove(tx))
        super().__init__(_TABLE, _State.PROVE, first)
        self._tx = tx
        self._vreq = vreq

    def __repr__(self) -> str:
        return f"OpenInquiry({self._state.name}, {self._tx!r})"

    def _handlers(self) -> Mapping[_State, Callable[[ResponseAPDU], None]]:
        return {_State.PROVE: self._proved, _State.VOID: self._gave_up}

    def _unanswered(self) -> InquiryResult:
        return PurseSilent(sw=None)

    def _proved(self, response: ResponseAPDU) -> None:
        if response.sw == SW.NO_PROOF:
            command = purse.void(self._tx, self._vreq)
            self._send(Role.PURSE, command, Event.NO_PROOF)
            return
        proof = parse_or_none(DebitProof.parse, response)
        if proof is None:
            self._finish(Event.STOPPED, PurseSilent(sw=response.sw))
            return
        self._finish(Event.DONE, PurseProved(proof=proof))

    def _gave_up(self, response: ResponseAPDU) -> None:
        vmac = parse_or_none(parse_vmac, response)
        if vmac is None:
            self._finish(Event.STOPPED, PurseSilent(sw=response.sw))
            return
        self._finish(Event.DONE, PurseGaveUp(vmac=vmac))
