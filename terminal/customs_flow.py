"""Ending an open record on the customs card alone, without the purse.

Two cases. The journal, or the bank, holds the purse's proof: CREDIT. Or the bank holds
the proof that the debit can never happen: VOID. Both may be repeated at any time:
CREDIT of what was credited answers the same again, and VOID of a record that is gone
answers 6A83.

    state        fed by     next
    RECORD       recorded   SEND       (only when the proof is new to the journal)
    SEND         9000       RECORDED_END
    SEND         other SW   DONE: ClosureRefused
    SEND         lost       DONE: ClosureInterrupted
    RECORDED_END recorded   DONE: ClosureDone
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

from card import customs
from card.errors import MalformedResponseError
from card.exchange import (
    CustomsCredited,
    Finished,
    PurchaseVoided,
    PurseDebited,
    Record,
    Transmit,
)
from card.profile import INS, Role

if TYPE_CHECKING:
    from card.apdu import CommandAPDU, ResponseAPDU
    from card.exchange import JournalStep
    from card.records import DebitProof, TransactionRecord

__all__ = [
    "ClosureDone",
    "ClosureInterrupted",
    "ClosureRefused",
    "ClosureResult",
    "CreditExchange",
    "VoidExchange",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureDone:
    """The record is closed and the journal knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureRefused:
    """The customs card answered ``sw``; the record stays what it was.

    Attributes:
        credit: whether it was a CREDIT, so that 9302 is said of the purse's proof.
    """

    sw: int
    credit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureInterrupted:
    """No answer came; the same can be done again."""


ClosureResult = ClosureDone | ClosureRefused | ClosureInterrupted


@unique
class _State(Enum):
    RECORD = "record"
    SEND = "send"
    RECORDED_END = "recorded end"
    DONE = "done"


class _ClosureExchange:
    """The module's table; the cases below fill in what is sent and recorded."""

    def __init__(self, command: CommandAPDU, first: JournalStep | None) -> None:
        self._command = command
        self._first = first
        self._state = _State.SEND if first is None else _State.RECORD
        self._end: JournalStep | None = None
        self._result: ClosureResult = ClosureInterrupted()

    def next_action(self) -> Transmit | Record | Finished[object]:
        """What to do now; the same until it was fed."""
        match self._state:
            case _State.RECORD:
                assert self._first is not None, "else this state is passed over"
                return Record(step=self._first)
            case _State.SEND:
                return Transmit(role=Role.CUSTOMS, command=self._command)
            case _State.RECORDED_END:
                assert self._end is not None, "a good answer has been read"
                return Record(step=self._end)
            case _State.DONE:
                return Finished(result=self._result)

    def receive(self, response: ResponseAPDU) -> None:
        """The customs card's answer."""
        assert self._state is _State.SEND, "a command is under way"
        if not response.ok:
            credit = self._command.ins == INS.CREDIT
            self._finish(ClosureRefused(sw=response.sw, credit=credit))
            return
        try:
            self._end = self._read(response.data)
        except MalformedResponseError:
            self._finish(ClosureInterrupted())
        else:
            self._state = _State.RECORDED_END

    def lost(self) -> None:
        """No answer came."""
        assert self._state is _State.SEND, "a command is under way"
        self._finish(ClosureInterrupted())

    def recorded(self) -> None:
        """The pending step is durable."""
        if self._state is _State.RECORD:
            self._state = _State.SEND
        else:
            assert self._state is _State.RECORDED_END, "a step was to be recorded"
            self._finish(ClosureDone())

    def _finish(self, result: ClosureResult) -> None:
        self._state, self._result = _State.DONE, result

    def _read(self, data: bytes) -> JournalStep:
        raise NotImplementedError


class CreditExchange(_ClosureExchange):
    """CREDIT with a proof that is at hand."""

    def __init__(
        self, tx: TransactionRecord, proof: DebitProof, *, new: PurseDebited | None
    ) -> None:
        """Credit ``tx``.

        Args:
            tx: the payment, open on the customs card.
            proof: the purse's, MAC2 included.
            new: the step to record first, when the proof came from the bank.
        """
        super().__init__(customs.credit(tx.tsn, proof), new)
        self._tx, self._proof = tx, proof

    def _read(self, data: bytes) -> JournalStep:
        answer = customs.CreditAnswer.parse(data)
        return CustomsCredited(
            tx=self._tx, proof=self._proof, total_minor=answer.total_minor
        )


class VoidExchange(_ClosureExchange):
    """VOID with a VMAC from the bank."""

    def __init__(self, tx: TransactionRecord, vmac: bytes) -> None:
        """Void ``tx``; ``vmac`` has 8 bytes."""
        super().__init__(customs.void(tx.tsn, vmac), None)
        self._tx = tx

    def _read(self, data: bytes) -> JournalStep:
        if data:
            raise MalformedResponseError("VOID response")
        return PurchaseVoided(tx=self._tx)
