"""The counter's work behind `terminal.service.CounterService`.

One lock, the *card lock*, orders everything that talks to the cards: payments,
recovery, closing and acknowledging batches. The call to the bank is made without it, so
that payments go on meanwhile. What the screens draw is read without it, too.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from card.errors import CardError
from card.profile import Role
from settlement.errors import AmountError, DeclarationError
from settlement.money import Money, parse_amount
from settlement.payment import PaymentDetails, PaymentKind
from terminal.customs_desk import CustomsDesk
from terminal.day_desk import DayDesk
from terminal.day_flow import DayFlow
from terminal.entries import BatchState, PaymentState
from terminal.errors import (
    CardProblemCode,
    CardProblemError,
    CounterStateError,
    InputError,
    InputField,
    JournalError,
)
from terminal.orders import (
    InterruptedPayment,
    InterruptedState,
    Paid,
    PaymentOrder,
    RefusalReason,
    Refused,
    Unknown,
)
from terminal.payments import Payment, known_refusal, refused
from terminal.purse_desk import PurseDesk
from terminal.readers import CardSlots, ReaderEventKind
from terminal.settling import Settler
from terminal.snapshot import (
    BatchView,
    CounterEvent,
    CounterEventKind,
    CounterSnapshot,
    CustomsCardView,
    LineState,
    ReaderState,
    ReaderView,
    UnsettledBatch,
)
from terminal.wording import (
    amount_message,
    card_problem,
    declaration_message,
    interrupted_advice,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from terminal.config import TerminalConfig
    from terminal.customs_desk import CustomsAtHand
    from terminal.day import DayProgress, DayResult
    from terminal.day_flow import Dial
    from terminal.entries import JournalPayment
    from terminal.journal import Journal
    from terminal.orders import PaymentResult, PurseSeen, RecoveryOutcome
    from terminal.readers import ReaderLayer

__all__ = ["Counter"]

_EVENTS = {
    ReaderEventKind.INSERTED: CounterEventKind.CARD_INSERTED,
    ReaderEventKind.REMOVED: CounterEventKind.CARD_REMOVED,
    ReaderEventKind.READER_ADDED: CounterEventKind.READERS_CHANGED,
    ReaderEventKind.READER_GONE: CounterEventKind.READERS_CHANGED,
}
_REFUSALS = {
    CardProblemCode.NO_CARD: RefusalReason.CARD_REMOVED,
    CardProblemCode.OTHER_CARD: RefusalReason.OTHER_CARD,
    CardProblemCode.CARD_REMOVED: RefusalReason.CARD_REMOVED,
    CardProblemCode.CUSTOMS_CARD_FULL: RefusalReason.CUSTOMS_CARD_FULL,
    CardProblemCode.UNRESOLVED_PAYMENT: RefusalReason.UNRESOLVED_PAYMENT,
}
_MAYBE_DEBITED = frozenset(
    {PaymentState.BEGUN, PaymentState.OPENED, PaymentState.LEFT_TO_BANK}
)
_INTERRUPTED = {
    PaymentState.INTENDED: InterruptedState.UNKNOWN,
    PaymentState.BEGUN: InterruptedState.UNKNOWN,
    PaymentState.OPENED: InterruptedState.UNKNOWN,
    PaymentState.DEBITED: InterruptedState.PAID_NOT_CREDITED,
    PaymentState.LEFT_TO_BANK: InterruptedState.LEFT_TO_BANK,
}


class Counter:
    """One counter: two readers, a journal, a line to the bank."""

    def __init__(
        self,
        config: TerminalConfig,
        journal: Journal,
        layer: ReaderLayer,
        dial: Dial,
        clock: Callable[[], datetime],
    ) -> None:
        """Join the parts; nothing is touched before `start`.

        Args:
            config: this terminal's.
            journal: open for writing; `stop` closes it.
            layer: the readers.
            dial: makes a secured call to the bank.
            clock: the time here, aware, in the office's zone.
        """
        self._config = config
        self._currency = config.currency
        self._limit = config.limit
        self._declarations = config.declaration_format
        self._journal = journal
        self._clock = clock
        self._slots = CardSlots(
            layer,
            {
                Role.PURSE: config.readers.purse,
                Role.CUSTOMS: config.readers.customs,
            },
        )
        currency = self._currency
        self._customs = CustomsDesk(
            self._slots, journal, currency=currency, clock=clock
        )
        self._purses = PurseDesk(self._slots, currency=currency, clock=clock)
        self._settler = Settler(
            self._slots, journal, self._customs, currency=currency, clock=clock
        )
        self._dial = dial
        self._card_lock = threading.RLock()
        self._day_lock = threading.Lock()
        self._listeners: list[Callable[[CounterEvent], None]] = []
        self._line = LineState.IDLE
        self._settled_insertion = 0
        self._news: list[RecoveryOutcome] = []
        self._payment: Payment | None = None
        self._last_paid_at: datetime | None = None
        self._stopped = False

    # The life of the counter.

    def start(self) -> list[RecoveryOutcome]:
        """See `CounterService.start`."""
        with self._card_lock:
            self._news += self._settler.settle_intended()
        self._slots.start(self._on_reader_event)
        return self.on_card_inserted()

    def stop(self) -> None:
        """See `CounterService.stop`."""
        with self._card_lock:
            if self._stopped:
                return
            self._stopped = True
        # The watch's thread may be telling a listener: it is ended without the lock.
        self._slots.stop()
        self._journal.close()

    def subscribe(self, listener: Callable[[CounterEvent], None]) -> Callable[[], None]:
        """See `CounterService.subscribe`."""
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return unsubscribe

    # What the screens draw.

    def snapshot(self) -> CounterSnapshot:
        """See `CounterService.snapshot`."""
        customs = self._customs.at_hand
        unfinished = self._unfinished()
        terminal = self._config.terminal
        return CounterSnapshot(
            terminal_id=terminal.id,
            office=terminal.office,
            clerk=terminal.clerk,
            currency=self._currency,
            purse_reader=self._reader_view(
                Role.PURSE, ready=self._purses.at_hand is not None
            ),
            customs_reader=self._reader_view(Role.CUSTOMS, ready=customs is not None),
            customs=None if customs is None else _customs_view(customs),
            batch=None if customs is None else self._batch_view(customs),
            unsettled=self._unsettled(),
            interrupted=len(unfinished),
            line=self._line,
            last_paid_at=self._last_paid_at,
            trouble=self._customs.trouble,
        )

    def interrupted(self) -> list[InterruptedPayment]:
        """See `CounterService.interrupted`."""
        return [self._interrupted_view(payment) for payment in self._unfinished()]

    # Payments.

    def check_order(
        self, declaration_text: str, amount_text: str, kind: PaymentKind
    ) -> PaymentOrder:
        """See `CounterService.check_order`."""
        try:
            declaration = self._declarations.check(declaration_text)
        except DeclarationError as error:
            message = declaration_message(error)
            raise InputError(InputField.DECLARATION, message) from None
        try:
            amount = parse_amount(
                amount_text, self._currency, max_minor=self._limit.amount_minor
            )
        except AmountError as error:
            message = amount_message(error, self._limit)
            raise InputError(InputField.AMOUNT, message) from None
        details = PaymentDetails(
            declaration=declaration, kind=kind, clerk=self._config.terminal.clerk
        )
        return PaymentOrder(details=details, amount=amount)

    def read_purse(self) -> PurseSeen:
        """See `CounterService.read_purse`."""
        with self._card_lock:
            try:
                purse = self._purses.select()
            except CardProblemError as error:
                if error.code is CardProblemCode.SWAPPED_READERS:
                    raise
                # Without a customs card the customer's card is not what to look at.
                self._customs_ready()
                raise
            card = self._customs_ready()
            if self._is_unresolved(purse.info.card_id):
                self._settle_with_purse(card)
                if self._is_unresolved(purse.info.card_id):
                    raise card_problem(CardProblemCode.UNRESOLVED_PAYMENT)
                purse = self._purses.select()
            return self._purses.read(purse)

    def check_purse(self, order: PaymentOrder, purse: PurseSeen) -> Refused | None:
        """See `CounterService.check_purse`."""
        return known_refusal(order, purse)

    def pay(
        self, order: PaymentOrder, purse: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        """See `CounterService.pay`."""
        try:
            with self._card_lock:
                return self._pay(order, purse, pin)
        finally:
            pin[:] = bytes(len(pin))
            self._payment = None
            self._tell(CounterEventKind.STATE_CHANGED)

    def on_card_inserted(self) -> list[RecoveryOutcome]:
        """See `CounterService.on_card_inserted`."""
        with self._card_lock:
            if self._stopped:
                return []
            with suppress(CardProblemError):
                card = self._customs_ready()
                if card.status.open_count:
                    self._purses.select()
                    self._settle_with_purse(card)
            news, self._news = self._news, []
        self._tell(CounterEventKind.STATE_CHANGED)
        return news

    # End of day.

    def close_day(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        """See `CounterService.close_day`."""
        if not self._day_lock.acquire(blocking=False):
            raise CounterStateError("An end of day is already under way.")
        try:
            desk = DayDesk(
                self._card_lock,
                self._customs_ready,
                customs=self._customs,
                settler=self._settler,
                journal=self._journal,
                clock=self._clock,
            )
            flow = DayFlow(
                self._config,
                self._journal,
                desk,
                dial=self._dial,
                clock=self._clock,
                on_line=self._set_line,
            )
            result = flow.run(on_progress)
            with self._card_lock:
                self._news += desk.news
            return result
        finally:
            self._set_line(LineState.IDLE)
            self._day_lock.release()

    # Under the card lock.

    def _pay(
        self, order: PaymentOrder, seen: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        try:
            self._customs_ready()
            card = self._customs.make_room()
            is_unresolved = self._is_unresolved(seen.card_id)
        except CardProblemError as error:
            reason = _REFUSALS.get(error.code, RefusalReason.NO_CUSTOMS_CARD)
            return refused(order, reason)
        except JournalError:
            return refused(order, RefusalReason.JOURNAL_FAILED)
        purse = self._purses.at_hand
        if purse is None or purse.insertion != seen.insertion:
            return refused(order, RefusalReason.CARD_REMOVED)
        if is_unresolved:
            return refused(order, RefusalReason.UNRESOLVED_PAYMENT)
        payment = self._payment = Payment(
            order, seen, journal=self._journal, clock=self._clock
        )
        try:
            result = payment.take(card, purse, pin, self._slots)
        except JournalError:
            return self._without_journal(payment)
        if payment.credited_plainly:
            self._customs.credited(order.amount.amount_minor)
            self._last_paid_at = self._clock()
        elif payment.number is not None:
            self._purses.forget_pin()
        return result or self._from_the_cards(payment)

    def _from_the_cards(self, payment: Payment) -> PaymentResult:
        """Ask both cards how it ended; the journal keeps what they say."""
        try:
            self._ask_the_cards()
            return payment.from_journal()
        except JournalError:
            # A full disk can still be read: what was paid for sure is told as paid.
            with suppress(JournalError):
                result = payment.from_journal()
                if isinstance(result, Paid):
                    return result
            return payment.unknown(journal_failed=True)

    def _without_journal(self, payment: Payment) -> PaymentResult:
        """A step could not be written: both cards are taken up anew and asked."""
        self._customs.let_go()
        self._purses.let_go()
        if payment.number is None:
            return payment.refused(RefusalReason.JOURNAL_FAILED)
        match self._from_the_cards(payment):
            case Refused():
                return payment.refused(RefusalReason.JOURNAL_FAILED)
            case Unknown():
                return payment.unknown(journal_failed=True)
            case result:
                return result

    def _customs_ready(self) -> CustomsAtHand:
        """The customs card; when it is new, what it left open is settled first."""
        with self._card_lock:
            if self._stopped:
                raise CounterStateError("The counter has been stopped.")
            card = self._customs.ready()
            if card.insertion == self._settled_insertion:
                return card
            try:
                self._news += self._settler.settle_alone(card)
            except CardError:
                self._customs.let_go()
                raise card_problem(CardProblemCode.CARD_FAULT) from None
            self._settled_insertion = card.insertion
            return self._customs.ready()

    def _settle_with_purse(self, card: CustomsAtHand) -> None:
        purse = self._purses.at_hand
        if purse is None:
            return
        try:
            self._news += self._settler.settle_with_purse(
                card, purse.channel, purse.info.card_id
            )
        except CardError:
            self._customs.let_go()

    def _ask_the_cards(self) -> None:
        """Settle at once what can be: often only one answer was lost on its way."""
        told_before = list(self._news)
        with suppress(CardProblemError):
            card = self._customs_ready()
            self._customs.refresh()
            with suppress(CardError):
                self._settler.settle_alone(card)
            card = self._customs_ready()
            self._purses.select()
            self._settle_with_purse(card)
        # This payment's end is told as its result, not as news.
        self._news = told_before

    def _is_unresolved(self, card_id: bytes) -> bool:
        unfinished = self._journal.payments.unfinished_of(card_id)
        return any(payment.state in _MAYBE_DEBITED for payment in unfinished)

    # From any thread.

    def _unfinished(self) -> list[JournalPayment]:
        if self._stopped:
            return []
        payment = self._payment
        in_hand = None if payment is None else payment.number
        unfinished = self._journal.payments.unfinished()
        return [one for one in unfinished if one.number != in_hand]

    def _on_reader_event(self, role: Role, kind: ReaderEventKind) -> None:
        self._tell(_EVENTS[kind], role)

    def _tell(self, kind: CounterEventKind, role: Role | None = None) -> None:
        event = CounterEvent(kind=kind, role=role)
        for listener in self._listeners:
            listener(event)

    def _set_line(self, line: LineState) -> None:
        if line is not self._line:
            self._line = line
            self._tell(CounterEventKind.STATE_CHANGED)

    def _reader_view(self, role: Role, *, ready: bool) -> ReaderView:
        state = ReaderState.READY if ready else self._slots.state(role)
        desk = self._purses if role is Role.PURSE else self._customs
        if desk.is_wrong:
            state = ReaderState.WRONG_CARD
        return ReaderView(role=role, name=self._slots.name(role), state=state)

    def _batch_view(self, card: CustomsAtHand) -> BatchView:
        return BatchView(
            number=card.status.batch,
            count=card.status.count,
            total=self._money(card.status.sum_minor),
        )

    def _unsettled(self) -> tuple[UnsettledBatch, ...]:
        if self._stopped:
            return ()
        return tuple(
            UnsettledBatch(
                number=batch.number,
                count=batch.close.count,
                total=self._money(batch.close.sum_minor),
                closed_at=batch.closed_at,
                code=batch.code,
                text=batch.text,
            )
            for batch in self._journal.batches.in_state(BatchState.CLOSED)
        )

    def _interrupted_view(self, payment: JournalPayment) -> InterruptedPayment:
        state = _INTERRUPTED[payment.state]
        return InterruptedPayment(
            number=payment.number,
            declaration=payment.declaration,
            amount=self._money(payment.amount_minor),
            card_number_masked=payment.card_masked,
            at=payment.at,
            state=state,
            advice=interrupted_advice(state),
        )

    def _money(self, amount_minor: int) -> Money:
        return Money(amount_minor=amount_minor, currency=self._currency)


def _customs_view(card: CustomsAtHand) -> CustomsCardView:
    assert card.info.expiry is not None, "an active customs card has its dates"
    return CustomsCardView(
        merchant_masked=card.info.card_number_masked,
        holder=card.info.holder_name or "",
        expiry=card.info.expiry,
        open_count=card.status.open_count,
    )
