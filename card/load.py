"""The load: puts value on a purse that the bank has booked, as machines without I/O.

Theory of operation of `LoadExchange`:

    VERIFY       purse   the customer's PIN
    INIT LOAD    purse   its number, its challenge, M1
    Authorise    bank    checks M1, books customer -> purse float, answers lsn, time, M2
    CREDIT LOAD  purse   takes the value, answers LTAC

Until the bank has booked, everything that goes wrong is `LoadDeclined` and nothing has
moved. From then on only LTAC ends a load well. Anything else is `LoadUnknown`, a clear
refusal of CREDIT LOAD included: the bank has booked, and takes that back only against
the purse's own VMAC. `LoadRecovery` (`card.load_recovery`) gets one or the other.

The table below holds every transition; `card.machine` runs it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from card import purse
from card.application import verify
from card.exchange import Finished, MachineMisuseError, Transmit, parse_or_none
from card.load_recovery import LoadRecovery, LoadRecoveryAction
from card.load_result import (
    Authorise,
    LoadDeclined,
    LoadDeclineReason,
    LoadDone,
    LoadProved,
    LoadRecoveryResult,
    LoadResult,
    LoadTerms,
    LoadUnknown,
    LoadVoided,
)
from card.machine import Event, Machine
from card.profile import ALGORITHM_AES_CMAC, Role
from card.purse import InitAnswer, LoadProof, parse_init
from card.records import LoadRecord, LoadRequest
from card.sw import SW, tries_left

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from card.apdu import ResponseAPDU

__all__ = [
    "Authorise",
    "Finished",
    "LoadAction",
    "LoadDeclineReason",
    "LoadDeclined",
    "LoadDone",
    "LoadExchange",
    "LoadProved",
    "LoadRecovery",
    "LoadRecoveryAction",
    "LoadRecoveryResult",
    "LoadRequest",
    "LoadResult",
    "LoadTerms",
    "LoadUnknown",
    "LoadVoided",
    "Transmit",
]


LoadAction = Transmit | Authorise | Finished[LoadResult]


class _State(Enum):
    """The action that is pending in a `LoadExchange`."""

    VERIFY = auto()
    INIT_LOAD = auto()
    AUTHORISE = auto()
    CREDIT_LOAD = auto()
    FINISHED = auto()


_TABLE: Final[Mapping[tuple[_State, Event], _State]] = {
    (_State.VERIFY, Event.DONE): _State.INIT_LOAD,
    (_State.VERIFY, Event.STOPPED): _State.FINISHED,
    (_State.VERIFY, Event.LOST): _State.FINISHED,
    (_State.INIT_LOAD, Event.DONE): _State.AUTHORISE,
    (_State.INIT_LOAD, Event.STOPPED): _State.FINISHED,
    (_State.INIT_LOAD, Event.LOST): _State.FINISHED,
    (_State.AUTHORISE, Event.DONE): _State.CREDIT_LOAD,
    (_State.AUTHORISE, Event.STOPPED): _State.FINISHED,
    (_State.CREDIT_LOAD, Event.DONE): _State.FINISHED,
    (_State.CREDIT_LOAD, Event.STOPPED): _State.FINISHED,
    (_State.CREDIT_LOAD, Event.LOST): _State.FINISHED,
}

_REASONS: Final[Mapping[int, LoadDeclineReason]] = {
    SW.PIN_WRONG_NONE_LEFT: LoadDeclineReason.PIN_BLOCKED,
    SW.PIN_BLOCKED: LoadDeclineReason.PIN_BLOCKED,
    SW.APPLICATION_BLOCKED: LoadDeclineReason.CARD_BLOCKED,
    SW.CONDITIONS_NOT_SATISFIED: LoadDeclineReason.NOT_READY,
    SW.PIN_NEEDED: LoadDeclineReason.NOT_READY,
    SW.NO_KEY_VERSION: LoadDeclineReason.KEY_VERSION,
    SW.WRONG_DATA: LoadDeclineReason.AMOUNT_OR_CURRENCY,
    SW.COUNTER_OR_LIMIT: LoadDeclineReason.LIMIT_OR_COUNTER,
}


class LoadExchange(Machine[_State, Authorise, LoadResult]):
    """One load; see the module's docstring."""

    def __init__(self, terms: LoadTerms, pin_block: bytes) -> None:
        """Begin with VERIFY; ``pin_block`` (8 bytes) is forgotten once it was answered.

        Args:
            terms: what is to be loaded.
            pin_block: see `card.pin.pin_block`.
        """
        first = Transmit(role=Role.PURSE, command=verify(Role.PURSE, pin_block))
        super().__init__(_TABLE, _State.VERIFY, first)
        self._terms = terms
        # Each is set by the step that learns it, and used only by later steps.
        self._init: InitAnswer
        self._lx: LoadRecord

    def authorised(self, *, lsn: int, at: datetime, m2: bytes) -> None:
        """The bank has booked this load.

        Args:
            lsn: the bank's number of it.
            at: the bank's time, aware.
            m2: the bank's MAC, 8 bytes.

        Raises:
            MachineMisuseError: It was not asked.
        """
        self._require_authorise()
        terms, init = self._terms, self._init
        self._lx = LoadRecord(
            cid=init.cid,
            ltc=init.counter,
            lid=terms.lid,
            lsn=lsn,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            at=at,
        )
        command = purse.credit_load(lsn=lsn, at=self._lx.at, m2=m2)
        self._send(Role.PURSE, command)

    def refused(self) -> None:
        """The bank has not booked this load.

        Raises:
            MachineMisuseError: It was not asked.
        """
        self._require_authorise()
        self._decline(LoadDeclineReason.BANK_REFUSED)

    # Answers, in their order.

    def _handlers(self) -> Mapping[_State, Callable[[ResponseAPDU], None]]:
        return {
            _State.VERIFY: self._verified,
            _State.INIT_LOAD: self._begun,
            _State.CREDIT_LOAD: self._credited,
        }

    def _unanswered(self) -> LoadResult:
        if self._state is _State.CREDIT_LOAD:
            return self._unknown(None)
        return LoadDeclined(reason=LoadDeclineReason.CARD_REMOVED)

    def _verified(self, response: ResponseAPDU) -> None:
        if not response.ok:
            self._refuse(response.sw)
            return
        terms = self._terms
        command = purse.init_load(
            kv=terms.kv,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            lid=terms.lid,
        )
        self._send(Role.PURSE, command)

    def _begun(self, response: ResponseAPDU) -> None:
        if not response.ok:
            self._refuse(response.sw)
            return
        init = parse_or_none(parse_init, response)
        terms = self._terms
        if init is None or (init.kv, init.alg) != (terms.kv, ALGORITHM_AES_CMAC):
            self._decline(LoadDeclineReason.CARD_FAULT)
        elif init.cid != terms.cid:
            self._decline(LoadDeclineReason.OTHER_CARD)
        else:
            self._init = init
            self._ask(Authorise(request=self._request(init)))

    def _credited(self, response: ResponseAPDU) -> None:
        proof = parse_or_none(LoadProof.parse, response)
        if proof is None:
            self._finish(Event.STOPPED, self._unknown(response.sw))
            return
        done = LoadDone(
            lx=self._lx,
            balance_after_minor=proof.balance_after_minor,
            ltac=proof.ltac,
        )
        self._finish(Event.DONE, done)

    # Endings with nothing booked.

    def _refuse(self, sw: int) -> None:
        left = tries_left(sw)
        other = LoadDeclineReason.PIN_WRONG if left else LoadDeclineReason.CARD_FAULT
        shown = 0 if sw == SW.PIN_BLOCKED else left
        self._decline(_REASONS.get(sw, other), sw=sw, tries=shown)

    def _decline(
        self,
        reason: LoadDeclineReason,
        *,
        sw: int | None = None,
        tries: int | None = None,
    ) -> None:
        declined = LoadDeclined(reason=reason, sw=sw, tries_left=tries)
        self._finish(Event.STOPPED, declined)

    # What the steps are made of.

    def _require_authorise(self) -> None:
        if self._state is not _State.AUTHORISE:
            raise MachineMisuseError(f"the bank was not asked in {self._state.name}")

    def _request(self, init: InitAnswer) -> LoadRequest:
        return LoadRequest(
            cid=init.cid,
            ltc=init.counter,
            lid=self._terms.lid,
            amount_minor=self._terms.amount_minor,
            currency=self._terms.currency,
            balance_minor=init.balance_minor,
            kv=init.kv,
            alg=init.alg,
            rc=init.rc,
            m1=init.mac,
        )

    def _unknown(self, sw: int | None) -> LoadUnknown:
        return LoadUnknown(ltc=self._lx.ltc, lsn=self._lx.lsn, sw=sw)
