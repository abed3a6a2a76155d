"""Finding out how interrupted payments ended, from the cards themselves.

Two rounds. *Alone*: when a customs card is taken up, what its own records can settle is
settled. *With the purse*: when the purse of an open record is there too, it is asked.
Both can be stopped anywhere and repeated: each starts from what LIST OPEN says.

    journal's state   customs card says     what follows
    INTENDED          -                     REFUSED: no value command was ever sent
    BEGUN             open record           OPENED, then as below
    BEGUN             none                  NOT_DEBITED: DEBIT was never sent
    OPENED            open record           the purse is asked: PROVE, CREDIT, or VOID
    OPENED            credited              CREDITED
    OPENED            neither               NOT_DEBITED: it was voided, when every batch
                                            since is held here with all of its credits
    DEBITED           -                     CREDIT again, which counts once
    not known here    open record           taken in as OPENED, without details
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from card.errors import CardError
from card.exchange import PurseDebited
from card.profile import Role
from card.recovery import RecoveryExchange
from settlement.money import Money
from settlement.payment import DebitClosure, VoidClosure
from terminal.batch_credits import agrees
from terminal.customs_flow import CreditExchange, VoidExchange
from terminal.entries import (
    ASK_THE_BANK,
    RESOLVED,
    Debited,
    NotDebited,
    Opened,
    PaymentState,
    RefusedEntry,
)
from terminal.orders import RecoveryOutcome, RecoveryVerdict
from terminal.payment_flow import JournalledExchange, run
from terminal.readers import OpenCards
from terminal.receipts import receipt_of
from terminal.wording_interrupted import recovered_as_paid, recovery_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from card.channel import Channel
    from card.records import OpenRecord
    from settlement.money import Currency
    from settlement.payment import Closure
    from terminal.customs_desk import CustomsAtHand, CustomsDesk
    from terminal.entries import Entry, JournalPayment
    from terminal.errors import Advice
    from terminal.journal import Journal
    from terminal.orders import Receipt
    from terminal.payment_flow import CardMachine
    from terminal.readers import CardSlots

__all__ = ["Settler"]

_VERDICTS = {
    PaymentState.INTENDED: RecoveryVerdict.STILL_UNKNOWN,
    PaymentState.BEGUN: RecoveryVerdict.STILL_UNKNOWN,
    PaymentState.OPENED: RecoveryVerdict.STILL_UNKNOWN,
    PaymentState.DEBITED: RecoveryVerdict.PAID,
    PaymentState.CREDITED: RecoveryVerdict.PAID,
    PaymentState.REFUSED: RecoveryVerdict.NOT_PAID,
    PaymentState.NOT_DEBITED: RecoveryVerdict.NOT_PAID,
    PaymentState.LEFT_TO_BANK: RecoveryVerdict.LEFT_TO_BANK,
}


class Settler:
    """Settles interrupted payments; all calls come under the card lock."""

    def __init__(
        self,
        slots: CardSlots,
        journal: Journal,
        desk: CustomsDesk,
        *,
        currency: Currency,
        clock: Callable[[], datetime],
        tell: Callable[[RecoveryOutcome], None],
    ) -> None:
        """Work between the cards in ``slots`` and the ``journal``.

        What is found out goes to ``tell``, one payment at a time and as soon as the
        journal has it: whatever fails at the next payment cannot take it back.
        """
        self._slots = slots
        self._journal = journal
        self._desk = desk
        self._currency = currency
        self._clock = clock
        self._tell = tell

    def settle_intended(self) -> None:
        """End what was asked for and never begun; no card is needed for that."""
        intended = [
            payment
            for payment in self._journal.payments.unfinished()
            if payment.state is PaymentState.INTENDED
        ]
        for payment in intended:
            self._write(payment, RefusedEntry(reason="stopped"))
            self._tell(self.outcome(payment.number))

    def settle_alone(self, card: CustomsAtHand) -> None:
        """Settle what the customs card's own records can settle.

        Raises:
            CardError: the card did not answer; the rest is done the next time.
        """
        unfinished = self._journal.payments.unfinished_at(card.mid)
        if not unfinished and card.status.open_count == 0:
            return
        opens = card.session.list_open()
        for before in unfinished:
            # One look at the credits may have settled more than the one it was for.
            payment = self._journal.payments.get(before.number)
            if payment.state not in RESOLVED:
                self._settle_one(card, payment, opens)
                payment = self._journal.payments.get(before.number)
            if self._news(before, payment):
                self._tell(self.outcome(before.number))
        for record in opens:
            self.take_in(record, card.status.batch)
        self._desk.refresh()

    def settle_with_purse(
        self, card: CustomsAtHand, channel: Channel, card_id: bytes
    ) -> None:
        """Settle the open records of the purse that is in the reader.

        Args:
            card: the customs card.
            channel: of the purse, which has been selected.
            card_id: the purse's CID, 8 bytes.

        Raises:
            CardError: the customs card did not answer LIST OPEN.
        """
        if card.status.open_count == 0:
            return
        cards = OpenCards(
            self._slots, {Role.PURSE: channel, Role.CUSTOMS: card.channel}
        )
        # The list renumbers after each removal: all of it is read first.
        mine = [rec for rec in card.session.list_open() if rec.tx.cid == card_id]
        for record in mine:
            if self._is_over(record):
                # The bank said so while this card was away; it closes the record, too.
                continue
            self._tell(self._settle_open(cards, card, record))
        self._desk.refresh()

    def apply(self, card: CustomsAtHand, closure: Closure) -> RecoveryOutcome | None:
        """Keep what the bank has resolved, and pass it on to the customs card.

        A record of another customs card than the one here is settled in the journal
        alone. When its own card comes back, a debit is credited from the journal, and
        a void is passed on with the next closure: the bank gives it with every batch.

        Returns:
            What came of it, which has been told; None when it was settled already.

        Raises:
            JournalError: it could not be kept; it comes again with a later call.
        """
        payment = self._journal.payments.of_record(closure.tx)
        if payment is None:
            return None
        is_here = closure.tx.mid == card.mid
        if payment.state not in ASK_THE_BANK:
            if is_here and payment.state is PaymentState.NOT_DEBITED:
                self._close_on_card(card, closure)
            return None
        if is_here:
            cards = OpenCards(self._slots, {Role.CUSTOMS: card.channel})
            self._run(cards, card, payment, _closing_machine(payment, closure))
            self._desk.refresh()
        else:
            self._write(payment, _closing_entry(payment, closure))
        outcome = self.outcome(payment.number)
        self._tell(outcome)
        return outcome

    def take_in(self, record: OpenRecord, batch: int) -> JournalPayment:
        """The payment of an open record, made known to the journal if it was not."""
        book = self._journal.payments
        known = book.of_record(record.tx)
        if known is not None:
            return known
        for payment in book.unfinished_of(record.tx.cid):
            if payment.matches(record):
                entry = Opened(tx=record.tx, kv=record.kv, rc=record.rc)
                self._write(payment, entry)
                return book.get(payment.number)
        number = book.adopt(
            record.tx, kv=record.kv, rc=record.rc, batch=batch, at=self._clock()
        )
        return book.get(number)

    def outcome(self, number: int) -> RecoveryOutcome:
        """What the journal knows of payment ``number`` now, in words."""
        payment = self._journal.payments.get(number)
        verdict = _VERDICTS[payment.state]
        is_paid = verdict is RecoveryVerdict.PAID
        receipt = receipt_of(payment, self._currency) if is_paid else None
        amount = Money(amount_minor=payment.amount_minor, currency=self._currency)
        details = payment.details
        return RecoveryOutcome(
            verdict=verdict,
            number=number,
            receipt=receipt,
            declaration=payment.declaration,
            kind=None if details is None else details.kind,
            amount=amount,
            card_number_masked=payment.card_masked,
            advice=_advice(
                payment.state,
                amount,
                receipt,
                elsewhere=number in self._desk.elsewhere(),
            ),
        )

    @staticmethod
    def _news(before: JournalPayment, after: JournalPayment) -> bool:
        """Whether the clerk learns something: that it is now known how it ended."""
        return _VERDICTS[before.state] is not _VERDICTS[after.state] or (
            before.state is PaymentState.DEBITED
            and after.state is PaymentState.CREDITED
        )

    def _settle_one(
        self, card: CustomsAtHand, payment: JournalPayment, opens: Sequence[OpenRecord]
    ) -> None:
        record = next((rec for rec in opens if payment.matches(rec)), None)
        match payment.state:
            case PaymentState.INTENDED:
                self._write(payment, RefusedEntry(reason="stopped"))
            case PaymentState.BEGUN:
                if record is None:
                    self._write(payment, NotDebited(how="no-open-record"))
                else:
                    self.take_in(record, card.status.batch)
            case PaymentState.DEBITED:
                self._credit_again(card, payment)
            case PaymentState.OPENED | PaymentState.LEFT_TO_BANK if record is None:
                self._settle_closed(card, payment)
            case _:
                pass

    def _credit_again(self, card: CustomsAtHand, payment: JournalPayment) -> None:
        assert payment.tx is not None, "a debit has a record"
        assert payment.proof is not None, "a debit has a proof"
        cards = OpenCards(self._slots, {Role.CUSTOMS: card.channel})
        machine = CreditExchange(payment.tx, payment.proof, new=None)
        self._run(cards, card, payment, machine)

    def _settle_closed(self, card: CustomsAtHand, payment: JournalPayment) -> None:
        """A record that is not open any more was credited, or it was voided."""
        self._journal.payments.place(card.session.read_credited(), self._clock())
        after = self._journal.payments.get(payment.number)
        if after.state is PaymentState.CREDITED:
            return
        batches = range(payment.batch, card.status.batch)
        if all(self._has_credits_of(card.mid, batch) for batch in batches):
            self._write(payment, NotDebited(how="void"))

    def _has_credits_of(self, mid: bytes, number: int) -> bool:
        """Whether a payment that is not credited here cannot be in a closed batch.

        One that was closed elsewhere may hold the credit, and the card has forgotten
        it once the bank has it. The batch may be known here all the same: the program
        may have stopped between its taking it in and its reading the credits. So what
        was closed is compared with what is held, chain and all.
        """
        batch = self._journal.batches.find(mid, number)
        if batch is None:
            return False
        return agrees(batch.close, self._journal.payments.credited_in(mid, number))

    def _is_over(self, record: OpenRecord) -> bool:
        known = self._journal.payments.of_record(record.tx)
        return known is not None and known.state in RESOLVED

    def _close_on_card(self, card: CustomsAtHand, closure: Closure) -> None:
        """Close a record on its customs card that the journal knows to be void."""
        if card.status.open_count == 0 or not isinstance(closure, VoidClosure):
            return
        # No answer, or 6A83 for one that is closed: the next closure tries again.
        with suppress(CardError):
            card.session.void(closure.tx.tsn, closure.vmac)
            self._journal.note("record-closed", self._clock(), f"tsn {closure.tx.tsn}")
        self._desk.refresh()

    def _settle_open(
        self, cards: OpenCards, card: CustomsAtHand, record: OpenRecord
    ) -> RecoveryOutcome:
        payment = self.take_in(record, card.status.batch)
        if payment.state is PaymentState.DEBITED:
            assert payment.proof is not None, "a debit has a proof"
            machine = CreditExchange(record.tx, payment.proof, new=None)
            self._run(cards, card, payment, machine)
            payment = self._journal.payments.get(payment.number)
        if payment.state in ASK_THE_BANK:
            self._run(cards, card, payment, RecoveryExchange(record))
        return self.outcome(payment.number)

    def _run(
        self,
        cards: OpenCards,
        card: CustomsAtHand,
        payment: JournalPayment,
        machine: CardMachine,
    ) -> None:
        exchange = JournalledExchange(machine, batch=card.status.batch)
        run(exchange, cards.transmit, lambda entry: self._write(payment, entry))

    def _write(self, payment: JournalPayment, entry: Entry) -> None:
        self._journal.payments.write(payment.number, entry, self._clock())


def _advice(
    state: PaymentState, amount: Money, receipt: Receipt | None, *, elsewhere: bool
) -> Advice:
    if receipt is None:
        return recovery_advice(_VERDICTS[state], elsewhere=elsewhere)
    credited = state is PaymentState.CREDITED
    return recovered_as_paid(
        amount, receipt.number, credited=credited, elsewhere=elsewhere
    )


def _closing_entry(payment: JournalPayment, closure: Closure) -> Entry:
    match closure:
        case VoidClosure():
            return NotDebited(how="bank")
        case DebitClosure(tx=tx, proof=proof):
            assert payment.kv is not None, "an open record has a key version"
            return Debited(tx=tx, proof=proof, kv=payment.kv)


def _closing_machine(payment: JournalPayment, closure: Closure) -> CardMachine:
    match closure:
        case VoidClosure(tx=tx, vmac=vmac):
            return VoidExchange(tx, vmac)
        case DebitClosure(tx=tx, proof=proof):
            assert payment.kv is not None, "an open record has a key version"
            assert payment.rc is not None, "an open record has a challenge"
            step = PurseDebited(tx=tx, proof=proof, kv=payment.kv, rc=payment.rc)
            return CreditExchange(tx, proof, new=step)
