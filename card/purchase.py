"""The purchase: one payment over both cards, as one machine without I/O.

Theory of operation. Four exchanges with the purse and two with the customs card:

    VERIFY          purse    the customer's PIN
    INIT PURCHASE   purse    its number, its challenge, S            -> PurchaseBegun
    INIT SAM        customs  opens a record, answers tsn and MAC1    -> PurchaseOpened
    DEBIT           purse    takes the value, answers TAC and MAC2   -> PurseDebited
    CREDIT          customs  adds the value, answers ACK             -> CustomsCredited
    ACK             purse    housekeeping

Each arrow is a `Record` that has to be durable before the next command is sent.

Nothing has moved, and that is certain, until DEBIT is sent: before it a refusal or a
missing answer is `Declined`, except that a missing answer to INIT SAM may have left an
open record, which has to be looked for before this purse pays again.

DEBIT itself refuses only by the status words of its own checks, all made before its
one commit; any other ending of DEBIT is `OutcomeUnknown`, a missing session (6985)
included.

After its proof has come the customer has paid, whatever follows: a failed CREDIT is
`CreditPending`, a failed ACK is still `Approved`. Only when the customs card calls the
proof wrong is the outcome unknown again: this machine cannot verify a proof itself, and
the purse can be asked for it once more. What is left behind, `card.recovery` settles.

The table below holds every transition; `card.machine` runs it.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from card import customs, purse
from card.application import verify
from card.customs import CreditAnswer, InitSAMAnswer
from card.exchange import (
    CustomsCredited,
    Finished,
    MachineMisuseError,
    PurchaseBegun,
    PurchaseOpened,
    PurseDebited,
    Record,
    Transmit,
    parse_or_none,
)
from card.machine import Event, Machine
from card.profile import ALGORITHM_AES_CMAC, Role
from card.purchase_result import (
    Approved,
    CreditPending,
    Declined,
    DeclineReason,
    OutcomeUnknown,
    PurchaseResult,
    PurchaseTerms,
    Stage,
)
from card.purse import InitAnswer, parse_init
from card.records import DebitProof, TransactionRecord
from card.sw import SW, tries_left

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import CommandAPDU, ResponseAPDU

__all__ = [
    "Approved",
    "CreditPending",
    "CustomsCredited",
    "DeclineReason",
    "Declined",
    "Finished",
    "OutcomeUnknown",
    "PurchaseAction",
    "PurchaseBegun",
    "PurchaseExchange",
    "PurchaseOpened",
    "PurchaseResult",
    "PurchaseTerms",
    "PurseDebited",
    "Record",
    "Stage",
    "Transmit",
]

PurchaseAction = Transmit | Record | Finished[PurchaseResult]


class _State(Enum):
    """The action that is pending."""

    VERIFY = auto()
    INIT_PURCHASE = auto()
    RECORD_BEGUN = auto()
    INIT_SAM = auto()
    RECORD_OPENED = auto()
    DEBIT = auto()
    RECORD_DEBITED = auto()
    CREDIT = auto()
    RECORD_CREDITED = auto()
    ACK = auto()
    FINISHED = auto()


_TABLE: Final[Mapping[tuple[_State, Event], _State]] = {
    (_State.VERIFY, Event.DONE): _State.INIT_PURCHASE,
    (_State.VERIFY, Event.STOPPED): _State.FINISHED,
    (_State.VERIFY, Event.LOST): _State.FINISHED,
    (_State.INIT_PURCHASE, Event.DONE): _State.RECORD_BEGUN,
    (_State.INIT_PURCHASE, Event.STOPPED): _State.FINISHED,
    (_State.INIT_PURCHASE, Event.LOST): _State.FINISHED,
    (_State.RECORD_BEGUN, Event.DONE): _State.INIT_SAM,
    (_State.INIT_SAM, Event.DONE): _State.RECORD_OPENED,
    (_State.INIT_SAM, Event.STOPPED): _State.FINISHED,
    (_State.INIT_SAM, Event.LOST): _State.FINISHED,
    (_State.RECORD_OPENED, Event.DONE): _State.DEBIT,
    (_State.DEBIT, Event.DONE): _State.RECORD_DEBITED,
    (_State.DEBIT, Event.STOPPED): _State.FINISHED,
    (_State.DEBIT, Event.LOST): _State.FINISHED,
    (_State.RECORD_DEBITED, Event.DONE): _State.CREDIT,
    (_State.CREDIT, Event.DONE): _State.RECORD_CREDITED,
    (_State.CREDIT, Event.STOPPED): _State.FINISHED,
    (_State.CREDIT, Event.LOST): _State.FINISHED,
    (_State.RECORD_CREDITED, Event.DONE): _State.ACK,
    (_State.ACK, Event.DONE): _State.FINISHED,
    (_State.ACK, Event.STOPPED): _State.FINISHED,
    (_State.ACK, Event.LOST): _State.FINISHED,
}

_REASONS: Final[Mapping[Role, Mapping[int, DeclineReason]]] = {
    Role.PURSE: {
        SW.PIN_WRONG_NONE_LEFT: DeclineReason.PIN_BLOCKED,
        SW.PIN_BLOCKED: DeclineReason.PIN_BLOCKED,
        SW.APPLICATION_BLOCKED: DeclineReason.CARD_BLOCKED,
        SW.CONDITIONS_NOT_SATISFIED: DeclineReason.NOT_READY,
        SW.PIN_NEEDED: DeclineReason.NOT_READY,
        SW.NO_KEY_VERSION: DeclineReason.KEY_VERSION,
        SW.WRONG_DATA: DeclineReason.AMOUNT_OR_CURRENCY,
        SW.COUNTER_OR_LIMIT: DeclineReason.COUNTER_AT_END,
        SW.BALANCE_TOO_LOW: DeclineReason.BALANCE_TOO_LOW,
        SW.MAC_WRONG: DeclineReason.NOT_AUTHENTIC,
    },
    Role.CUSTOMS: {
        SW.CONDITIONS_NOT_SATISFIED: DeclineReason.NOT_READY,
        SW.PIN_NEEDED: DeclineReason.NOT_ACTIVATED,
        SW.NO_KEY_VERSION: DeclineReason.KEY_VERSION,
        SW.MAC_WRONG: DeclineReason.NOT_AUTHENTIC,
        SW.WRONG_DATA: DeclineReason.AMOUNT_OR_CURRENCY,
        SW.COUNTER_OR_LIMIT: DeclineReason.COUNTER_AT_END,
        SW.FULL: DeclineReason.FULL,
    },
}

_NEVER_CARRIED_OUT: Final = frozenset(
    {SW.WRONG_LENGTH, SW.WRONG_P1_P2, SW.WRONG_INS, SW.WRONG_CLA}
)
_INIT_SAM_REFUSES: Final = _NEVER_CARRIED_OUT | frozenset(_REASONS[Role.CUSTOMS])
"""Status words after which the customs card has opened nothing."""
_DEBIT_REFUSES: Final = _NEVER_CARRIED_OUT | {
    SW.APPLICATION_BLOCKED,
    SW.PIN_NEEDED,
    SW.MAC_WRONG,
    SW.WRONG_DATA,
    SW.BALANCE_TOO_LOW,
}
"""Status words of DEBIT's own checks: nothing was debited. No other word is as sure.

6985 is left out: it is also what a second DEBIT answers, had something on the way to
the card sent the first one twice.
"""


class PurchaseExchange(Machine[_State, Record, PurchaseResult]):
    """One payment; see the module's docstring for how it runs and how it ends."""

    def __init__(self, terms: PurchaseTerms, pin_block: bytes) -> None:
        """Begin with VERIFY; ``pin_block`` (8 bytes) is forgotten once it was answered.

        Args:
            terms: what is to be paid.
            pin_block: see `card.pin.pin_block`.
        """
        first = Transmit(role=Role.PURSE, command=verify(Role.PURSE, pin_block))
        super().__init__(_TABLE, _State.VERIFY, first)
        self._terms = terms
        # Each is set by the step that learns it, and used only by later steps.
        self._init: InitAnswer
        self._tx: TransactionRecord
        self._mac1: bytes
        self._proof: DebitProof
        self._ack: bytes

    def recorded(self) -> None:
        """The pending `Record` is durable.

        Raises:
            MachineMisuseError: None is pending.
        """
        match self._state:
            case _State.RECORD_BEGUN:
                self._send(Role.CUSTOMS, self._init_sam())
            case _State.RECORD_OPENED:
                tx, mac1 = self._tx, self._mac1
                command = purse.debit(tsn=tx.tsn, at=tx.at, mac1=mac1)
                self._send(Role.PURSE, command)
            case _State.RECORD_DEBITED:
                self._send(Role.CUSTOMS, customs.credit(self._tx.tsn, self._proof))
            case _State.RECORD_CREDITED:
                self._send(Role.PURSE, purse.ack(self._tx, self._ack))
            case _:
                raise MachineMisuseError(f"nothing to record in {self._state.name}")

    # Answers, in their order.

    def _handlers(self) -> Mapping[_State, Callable[[ResponseAPDU], None]]:
        return {
            _State.VERIFY: self._verified,
            _State.INIT_PURCHASE: self._begun,
            _State.INIT_SAM: self._opened,
            _State.DEBIT: self._debited,
            _State.CREDIT: self._credited,
            _State.ACK: self._acked,
        }

    def _unanswered(self) -> PurchaseResult:
        match self._state:
            case _State.VERIFY | _State.INIT_PURCHASE:
                reason = DeclineReason.CARD_REMOVED
                return Declined(reason=reason, role=Role.PURSE)
            case _State.INIT_SAM:
                return OutcomeUnknown(stage=Stage.INIT_SAM, tx=None)
            case _State.DEBIT:
                return OutcomeUnknown(stage=Stage.DEBIT, tx=self._tx)
            case _State.CREDIT:
                return self._credit_pending(None)
            case _State.ACK:
                return self._approved(acked=False)
            case _:
                raise AssertionError("every state that sends is above")

    def _verified(self, response: ResponseAPDU) -> None:
        if not response.ok:
            self._decline(Role.PURSE, response.sw)
            return
        terms = self._terms
        command = purse.init_purchase(
            kv=terms.kv,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            mid=terms.mid,
            digest=terms.digest,
        )
        self._send(Role.PURSE, command)

    def _begun(self, response: ResponseAPDU) -> None:
        if not response.ok:
            self._decline(Role.PURSE, response.sw)
            return
        init = parse_or_none(parse_init, response)
        if init is None or not self._keeps_terms(init):
            self._stop(DeclineReason.CARD_FAULT, Role.PURSE)
        elif init.cid != self._terms.cid:
            self._stop(DeclineReason.OTHER_CARD, Role.PURSE)
        else:
            self._init = init
            step = PurchaseBegun(
                otc=init.counter,
                balance_minor=init.balance_minor,
                rc=init.rc,
                cid=init.cid,
            )
            self._ask(Record(step=step))

    def _opened(self, response: ResponseAPDU) -> None:
        if not response.ok:
            unsure = response.sw not in _INIT_SAM_REFUSES
            self._decline(Role.CUSTOMS, response.sw, open_left=unsure)
            return
        answer = parse_or_none(InitSAMAnswer.parse, response)
        if answer is None:
            # A record is open, but MAC1 is not ours to send: DEBIT never happens.
            self._stop(DeclineReason.CARD_FAULT, Role.CUSTOMS, open_left=True)
            return
        self._tx = replace(self._draft(), tsn=answer.tsn)
        self._mac1 = answer.mac1
        init = self._init
        step = PurchaseOpened(tx=self._tx, kv=init.kv, rc=init.rc)
        self._ask(Record(step=step))

    def _debited(self, response: ResponseAPDU) -> None:
        if response.sw in _DEBIT_REFUSES:
            self._decline(Role.PURSE, response.sw, open_left=True)
            return
        proof = parse_or_none(DebitProof.parse, response)
        if proof is None:
            unknown = OutcomeUnknown(stage=Stage.DEBIT, tx=self._tx, sw=response.sw)
            self._finish(Event.STOPPED, unknown)
            return
        self._proof = proof
        init = self._init
        step = PurseDebited(tx=self._tx, proof=proof, kv=init.kv, rc=init.rc)
        self._ask(Record(step=step))

    def _credited(self, response: ResponseAPDU) -> None:
        if response.sw == SW.MAC_WRONG:
            # Something between the cards spoiled the proof: it proves nothing yet.
            unknown = OutcomeUnknown(stage=Stage.DEBIT, tx=self._tx, sw=response.sw)
            self._finish(Event.STOPPED, unknown)
            return
        answer = parse_or_none(CreditAnswer.parse, response)
        if answer is None:
            self._finish(Event.STOPPED, self._credit_pending(response.sw))
            return
        self._ack = answer.ack
        step = CustomsCredited(
            tx=self._tx, proof=self._proof, total_minor=answer.total_minor
        )
        self._ask(Record(step=step))

    def _acked(self, response: ResponseAPDU) -> None:
        event = Event.DONE if response.ok else Event.STOPPED
        self._finish(event, self._approved(acked=response.ok))

    # Endings with nothing debited.

    def _decline(self, role: Role, sw: int, *, open_left: bool = False) -> None:
        left = tries_left(sw)
        wrong = DeclineReason.PIN_WRONG if left else DeclineReason.CARD_FAULT
        declined = Declined(
            reason=_REASONS[role].get(sw, wrong),
            role=role,
            sw=sw,
            tries_left=0 if sw == SW.PIN_BLOCKED else left,
            open_left=open_left,
        )
        self._finish(Event.STOPPED, declined)

    def _stop(
        self, reason: DeclineReason, role: Role, *, open_left: bool = False
    ) -> None:
        declined = Declined(reason=reason, role=role, open_left=open_left)
        self._finish(Event.STOPPED, declined)

    # What the steps are made of.

    def _keeps_terms(self, init: InitAnswer) -> bool:
        return init.kv == self._terms.kv and init.alg == ALGORITHM_AES_CMAC

    def _draft(self) -> TransactionRecord:
        """The TX before the customs card has given it a number."""
        terms = self._terms
        return TransactionRecord(
            cid=terms.cid,
            otc=self._init.counter,
            mid=terms.mid,
            tsn=0,
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            at=terms.at,
            digest=terms.digest,
        )

    def _init_sam(self) -> CommandAPDU:
        init = self._init
        return customs.init_sam(
            self._draft(), rc=init.rc, kv=init.kv, alg=init.alg, s=init.mac
        )

    def _approved(self, *, acked: bool) -> Approved:
        return Approved(tx=self._tx, proof=self._proof, kv=self._init.kv, acked=acked)

    def _credit_pending(self, sw: int | None) -> CreditPending:
        return CreditPending(tx=self._tx, proof=self._proof, kv=self._init.kv, sw=sw)
