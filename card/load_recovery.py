"""The recovery of a load: proof or end of what the bank has booked, without I/O.

Theory of operation:

    PROVE LOAD   purse   LTAC: LoadProved        9406: it holds none
    VOID LOAD    purse   VMAC: LoadVoided        9406: LoadUnknown, the desk decides

A missing or useless answer is `LoadUnknown` again; the machine can be run any number of
times. The table below holds every transition; anything else raises
`MachineMisuseError`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from card import purse
from card.exchange import Finished, MachineMisuseError, Transmit, parse_or_none
from card.load_result import (
    LoadProved,
    LoadRecoveryResult,
    LoadUnknown,
    LoadVoided,
)
from card.profile import Role
from card.purse import LoadProof, parse_vmac
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from card.apdu import ResponseAPDU

__all__ = ["LoadRecovery", "LoadRecoveryAction"]

LoadRecoveryAction = Transmit | Finished[LoadRecoveryResult]


class _State(Enum):
    """The action that is pending."""

    PROVE_LOAD = auto()
    VOID_LOAD = auto()
    FINISHED = auto()


class _Event(Enum):
    """What came of it: NO_PROOF turns to VOID LOAD, everything else ends."""

    ANSWERED = auto()
    NO_PROOF = auto()
    LOST = auto()


_TABLE: Final[Mapping[tuple[_State, _Event], _State]] = {
    (_State.PROVE_LOAD, _Event.ANSWERED): _State.FINISHED,
    (_State.PROVE_LOAD, _Event.NO_PROOF): _State.VOID_LOAD,
    (_State.PROVE_LOAD, _Event.LOST): _State.FINISHED,
    (_State.VOID_LOAD, _Event.ANSWERED): _State.FINISHED,
    (_State.VOID_LOAD, _Event.LOST): _State.FINISHED,
}


class LoadRecovery:
    """Asks the purse for the proof, or the end, of a load that the bank has booked."""

    def __init__(self, *, ltc: int, lid: bytes, lsn: int, vreq: bytes) -> None:
        """Begin with PROVE LOAD.

        Args:
            ltc: the purse's number of the load.
            lid: the load desk's id, 8 bytes.
            lsn: the bank's number.
            vreq: the bank's MAC for VOID LOAD, 8 bytes.
        """
        self._ltc = ltc
        self._lid = lid
        self._lsn = lsn
        self._vreq = vreq
        self._state = _State.PROVE_LOAD
        self._pending: LoadRecoveryAction = Transmit(
            role=Role.PURSE, command=purse.prove_load(ltc=ltc, lid=lid, lsn=lsn)
        )

    def __repr__(self) -> str:
        return f"LoadRecovery({self._state.name}, ltc={self._ltc}, lsn={self._lsn})"

    def next_action(self) -> LoadRecoveryAction:
        """What to do now; the same until it was fed."""
        return self._pending

    def receive(self, response: ResponseAPDU) -> None:
        """Take the answer to the pending `Transmit`.

        Raises:
            MachineMisuseError: None is pending.
        """
        match self._state:
            case _State.PROVE_LOAD:
                self._proved(response)
            case _State.VOID_LOAD:
                self._voided(response)
            case _State.FINISHED:
                raise MachineMisuseError("no answer is expected in FINISHED")

    def lost(self) -> None:
        """The pending `Transmit` got no answer; it may have been carried out.

        Raises:
            MachineMisuseError: None is pending.
        """
        self._move(_Event.LOST, Finished(result=self._unknown(None)))

    def _proved(self, response: ResponseAPDU) -> None:
        if response.sw == SW.NO_PROOF:
            command = purse.void_load(
                ltc=self._ltc, lid=self._lid, lsn=self._lsn, vreq=self._vreq
            )
            self._move(_Event.NO_PROOF, Transmit(role=Role.PURSE, command=command))
            return
        result: LoadRecoveryResult = self._unknown(response.sw)
        proof = parse_or_none(LoadProof.parse, response) if response.ok else None
        if proof is not None:
            result = LoadProved(
                ltc=self._ltc,
                lid=self._lid,
                lsn=self._lsn,
                balance_after_minor=proof.balance_after_minor,
                ltac=proof.ltac,
            )
        self._move(_Event.ANSWERED, Finished(result=result))

    def _voided(self, response: ResponseAPDU) -> None:
        result: LoadRecoveryResult = self._unknown(response.sw)
        vmac = parse_or_none(parse_vmac, response) if response.ok else None
        if vmac is not None:
            result = LoadVoided(ltc=self._ltc, lid=self._lid, lsn=self._lsn, vmac=vmac)
        self._move(_Event.ANSWERED, Finished(result=result))

    def _move(self, event: _Event, action: LoadRecoveryAction) -> None:
        state = _TABLE.get((self._state, event))
        if state is None:
            raise MachineMisuseError(f"{event.name} is not for {self._state.name}")
        self._state = state
        self._pending = action

    def _unknown(self, sw: int | None) -> LoadUnknown:
        return LoadUnknown(ltc=self._ltc, lsn=self._lsn, sw=sw)
