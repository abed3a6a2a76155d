"""Recovery: settles one open record of a customs card, as one machine without I/O.

Theory of operation. The purse named in the record is in the reader, and it is asked
whether it was debited. It proves it, or it burns the number so that it never can be;
each answer closes the record on the customs card.

    PROVE    purse     proof -> PurseDebited     9406: it holds none
    CREDIT   customs   adds the value            -> CustomsCredited
    ACK      purse     housekeeping              RecoveredDebited

    VOID     purse     VMAC                      9406: LeftToBank
    VOID     customs   closes the record         -> PurchaseVoided, RecoveredNotDebited

Every step can be repeated in any order and by any later run, so a missing answer needs
no care: the machine ends as `RecoveryInterrupted`, and the next run starts from what
LIST OPEN says then. A purse or customs card that refuses for good (a MAC that does not
verify, a number that the purse does not know) leaves the record to the bank.

The table below holds every transition; `card.machine` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from card import customs, purse
from card.customs import CreditAnswer
from card.exchange import (
    CustomsCredited,
    Finished,
    MachineMisuseError,
    PurchaseVoided,
    PurseDebited,
    Record,
    Transmit,
    parse_or_none,
)
from card.machine import Event, Machine
from card.profile import Role
from card.purse import parse_vmac
from card.records import DebitProof, OpenRecord, TransactionRecord
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import ResponseAPDU

__all__ = [
    "CustomsCredited",
    "Finished",
    "LeftToBank",
    "PurchaseVoided",
    "PurseDebited",
    "Record",
    "RecoveredDebited",
    "RecoveredNotDebited",
    "RecoveryAction",
    "RecoveryExchange",
    "RecoveryInterrupted",
    "RecoveryResult",
    "Transmit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredDebited:
    """The purse had been debited; now the customs card is credited too.

    Attributes:
        tx: the payment.
        proof: the purse's proof of it.
        acked: the purse knows that it is credited; only housekeeping.
    """

    tx: TransactionRecord
    proof: DebitProof
    acked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredNotDebited:
    """The purse was not debited and never can be; the record is closed."""

    tx: TransactionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftToBank:
    """The cards cannot settle it between them; the record goes up with the batch.

    Attributes:
        tx: the payment.
        role: the card that refused.
        sw: with which word.
    """

    tx: TransactionRecord
    role: Role = Role.PURSE
    sw: int = SW.NO_PROOF


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryInterrupted:
    """Not settled yet; read LIST OPEN again and run once more.

    Attributes:
        tx: the payment.
        role: the card that did not answer, or answered what helps neither way.
        sw: its status word, or None when no answer came.
        proof: the purse's proof, when it gave one: then the customer has paid.
    """

    tx: TransactionRecord
    role: Role
    sw: int | None = None
    proof: DebitProof | None = None


RecoveryResult = (
    RecoveredDebited | RecoveredNotDebited | LeftToBank | RecoveryInterrupted
)
RecoveryAction = Transmit | Record | Finished[RecoveryResult]


class _State(Enum):
    """The action that is pending."""

    PROVE = auto()
    RECORD_DEBITED = auto()
    CREDIT = auto()
    RECORD_CREDITED = auto()
    ACK = auto()
    VOID_PURSE = auto()
    VOID_CUSTOMS = auto()
    RECORD_VOIDED = auto()
    FINISHED = auto()


_TABLE: Final[Mapping[tuple[_State, Event], _State]] = {
    (_State.PROVE, Event.DONE): _State.RECORD_DEBITED,
    (_State.PROVE, Event.NO_PROOF): _State.VOID_PURSE,
    (_State.PROVE, Event.STOPPED): _State.FINISHED,
    (_State.PROVE, Event.LOST): _State.FINISHED,
    (_State.RECORD_DEBITED, Event.DONE): _State.CREDIT,
    (_State.CREDIT, Event.DONE): _State.RECORD_CREDITED,
    (_State.CREDIT, Event.STOPPED): _State.FINISHED,
    (_State.CREDIT, Event.LOST): _State.FINISHED,
    (_State.RECORD_CREDITED, Event.DONE): _State.ACK,
    (_State.ACK, Event.DONE): _State.FINISHED,
    (_State.ACK, Event.STOPPED): _State.FINISHED,
    (_State.ACK, Event.LOST): _State.FINISHED,
    (_State.VOID_PURSE, Event.DONE): _State.VOID_CUSTOMS,
    (_State.VOID_PURSE, Event.STOPPED): _State.FINISHED,
    (_State.VOID_PURSE, Event.LOST): _State.FINISHED,
    (_State.VOID_CUSTOMS, Event.DONE): _State.RECORD_VOIDED,
    (_State.VOID_CUSTOMS, Event.STOPPED): _State.FINISHED,
    (_State.VOID_CUSTOMS, Event.LOST): _State.FINISHED,
    (_State.RECORD_VOIDED, Event.DONE): _State.FINISHED,
}

_FOR_GOOD: Final[Mapping[_State, frozenset[int]]] = {
    _State.VOID_PURSE: frozenset({SW.NO_PROOF, SW.MAC_WRONG, SW.WRONG_DATA}),
    _State.CREDIT: frozenset({SW.MAC_WRONG}),
    _State.VOID_CUSTOMS: frozenset({SW.MAC_WRONG}),
}
"""Refusals that asking the same cards again will not change."""


class RecoveryExchange(Machine[_State, Record, RecoveryResult]):
    """Settles one open record; see the module's docstring.

    The caller has made sure that the purse in the reader is the one in the record: by
    its CID, not by its ATR.
    """

    def __init__(self, open_record: OpenRecord) -> None:
        """Begin with PROVE for ``open_record``, as LIST OPEN gave it."""
        first = Transmit(role=Role.PURSE, command=purse.prove(open_record.tx))
        super().__init__(_TABLE, _State.PROVE, first)
        self._record_open = open_record
        self._proof: DebitProof | None = None
        self._ack: bytes = b""

    def __repr__(self) -> str:
        return f"RecoveryExchange({self._state.name}, {self._tx!r})"

    def recorded(self) -> None:
        """The pending `Record` is durable.

        Raises:
            MachineMisuseError: None is pending.
        """
        match self._state:
            case _State.RECORD_DEBITED:
                assert self._proof is not None, "it has just been recorded"
                self._send(Role.CUSTOMS, customs.credit(self._tx.tsn, self._proof))
            case _State.RECORD_CREDITED:
                self._send(Role.PURSE, purse.ack(self._tx, self._ack))
            case _State.RECORD_VOIDED:
                self._finish(Event.DONE, RecoveredNotDebited(tx=self._tx))
            case _:
                raise MachineMisuseError(f"nothing to record in {self._state.name}")

    # Answers.

    def _handlers(self) -> Mapping[_State, Callable[[ResponseAPDU], None]]:
        return {
            _State.PROVE: self._proved,
            _State.CREDIT: self._credited,
            _State.ACK: self._acked,
            _State.VOID_PURSE: self._burned,
            _State.VOID_CUSTOMS: self._closed,
        }

    def _unanswered(self) -> RecoveryResult:
        if self._state is _State.ACK:
            return self._recovered(acked=False)
        return self._interrupted(None)

    def _proved(self, response: ResponseAPDU) -> None:
        if response.sw == SW.NO_PROOF:
            command = purse.void(self._tx, self._record_open.vreq)
            self._send(Role.PURSE, command, Event.NO_PROOF)
            return
        proof = parse_or_none(DebitProof.parse, response)
        if proof is None:
            self._stop(response.sw)
            return
        self._proof = proof
        record = self._record_open
        step = PurseDebited(tx=self._tx, proof=proof, kv=record.kv, rc=record.rc)
        self._ask(Record(step=step))

    def _credited(self, response: ResponseAPDU) -> None:
        answer = parse_or_none(CreditAnswer.parse, response)
        if answer is None:
            self._stop(response.sw)
            return
        assert self._proof is not None, "CREDIT was built from it"
        self._ack = answer.ack
        step = CustomsCredited(
            tx=self._tx, proof=self._proof, total_minor=answer.total_minor
        )
        self._ask(Record(step=step))

    def _acked(self, response: ResponseAPDU) -> None:
        event = Event.DONE if response.ok else Event.STOPPED
        self._finish(event, self._recovered(acked=response.ok))

    def _burned(self, response: ResponseAPDU) -> None:
        vmac = parse_or_none(parse_vmac, response)
        if vmac is None:
            self._stop(response.sw)
            return
        self._send(Role.CUSTOMS, customs.void(self._tx.tsn, vmac))

    def _closed(self, response: ResponseAPDU) -> None:
        if not response.ok:
            # 6A83 as well: the record was not open, so LIST OPEN has news of it.
            self._stop(response.sw)
            return
        self._ask(Record(step=PurchaseVoided(tx=self._tx)))

    # Endings.

    def _stop(self, sw: int) -> None:
        """End on a refusal: for good, or until the next run."""
        result: RecoveryResult = self._interrupted(sw)
        if sw in _FOR_GOOD.get(self._state, frozenset()):
            result = LeftToBank(tx=self._tx, role=self._role, sw=sw)
        self._finish(Event.STOPPED, result)

    def _recovered(self, *, acked: bool) -> RecoveredDebited:
        assert self._proof is not None, "ACK comes after CREDIT"
        return RecoveredDebited(tx=self._tx, proof=self._proof, acked=acked)

    def _interrupted(self, sw: int | None) -> RecoveryInterrupted:
        role = self._role
        return RecoveryInterrupted(tx=self._tx, role=role, sw=sw, proof=self._proof)

    # What the steps are made of.

    @property
    def _tx(self) -> TransactionRecord:
        return self._record_open.tx

    @property
    def _role(self) -> Role:
        """The card that the pending command asks."""
        assert isinstance(self._pending, Transmit), "a command is pending"
        return self._pending.role
