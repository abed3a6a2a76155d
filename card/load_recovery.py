"""The recovery of a load: proof or end of what the bank has booked, without I/O.

Theory of operation:

    PROVE LOAD   purse   LTAC: LoadProved        9406: it holds none
    VOID LOAD    purse   VMAC: LoadVoided        9406: LoadUnknown, the desk decides

A missing or useless answer is `LoadUnknown` again; the machine can be run any number of
times. The table below holds every transition; `card.machine` runs it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Never

from card import purse
from card.exchange import Finished, Transmit, parse_or_none
from card.load_result import (
    LoadProved,
    LoadRecoveryResult,
    LoadUnknown,
    LoadVoided,
)
from card.machine import Event, Machine
from card.profile import Role
from card.purse import LoadProof, parse_vmac
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import ResponseAPDU

__all__ = ["LoadRecovery", "LoadRecoveryAction"]

LoadRecoveryAction = Transmit | Finished[LoadRecoveryResult]


class _State(Enum):
    """The action that is pending."""

    PROVE_LOAD = auto()
    VOID_LOAD = auto()
    FINISHED = auto()


_TABLE: Final[Mapping[tuple[_State, Event], _State]] = {
    (_State.PROVE_LOAD, Event.DONE): _State.FINISHED,
    (_State.PROVE_LOAD, Event.NO_PROOF): _State.VOID_LOAD,
    (_State.PROVE_LOAD, Event.STOPPED): _State.FINISHED,
    (_State.PROVE_LOAD, Event.LOST): _State.FINISHED,
    (_State.VOID_LOAD, Event.DONE): _State.FINISHED,
    (_State.VOID_LOAD, Event.STOPPED): _State.FINISHED,
    (_State.VOID_LOAD, Event.LOST): _State.FINISHED,
}


class LoadRecovery(Machine[_State, Never, LoadRecoveryResult]):
    """Asks the purse for the proof, or the end, of a load that the bank has booked."""

    def __init__(self, *, ltc: int, lid: bytes, lsn: int, vreq: bytes) -> None:
        """Begin with PROVE LOAD.

        Args:
            ltc: the purse's number of the load.
            lid: the load desk's id, 8 bytes.
            lsn: the bank's number.
            vreq: the bank's MAC for VOID LOAD, 8 bytes.
        """
        prove = purse.prove_load(ltc=ltc, lid=lid, lsn=lsn)
        first = Transmit(role=Role.PURSE, command=prove)
        super().__init__(_TABLE, _State.PROVE_LOAD, first)
        self._ltc = ltc
        self._lid = lid
        self._lsn = lsn
        self._vreq = vreq

    def __repr__(self) -> str:
        return f"LoadRecovery({self._state.name}, ltc={self._ltc}, lsn={self._lsn})"

    def _handlers(self) -> Mapping[_State, Callable[[ResponseAPDU], None]]:
        return {
            _State.PROVE_LOAD: self._proved,
            _State.VOID_LOAD: self._voided,
        }

    def _unanswered(self) -> LoadRecoveryResult:
        return self._unknown(None)

    def _proved(self, response: ResponseAPDU) -> None:
        if response.sw == SW.NO_PROOF:
            command = purse.void_load(
                ltc=self._ltc, lid=self._lid, lsn=self._lsn, vreq=self._vreq
            )
            self._send(Role.PURSE, command, Event.NO_PROOF)
            return
        proof = parse_or_none(LoadProof.parse, response)
        if proof is None:
            self._finish(Event.STOPPED, self._unknown(response.sw))
            return
        proved = LoadProved(
            ltc=self._ltc,
            lid=self._lid,
            lsn=self._lsn,
            balance_after_minor=proof.balance_after_minor,
            ltac=proof.ltac,
        )
        self._finish(Event.DONE, proved)

    def _voided(self, response: ResponseAPDU) -> None:
        vmac = parse_or_none(parse_vmac, response)
        if vmac is None:
            self._finish(Event.STOPPED, self._unknown(response.sw))
            return
        voided = LoadVoided(ltc=self._ltc, lid=self._lid, lsn=self._lsn, vmac=vmac)
        self._finish(Event.DONE, voided)

    def _unknown(self, sw: int | None) -> LoadUnknown:
        return LoadUnknown(ltc=self._ltc, lsn=self._lsn, sw=sw)
