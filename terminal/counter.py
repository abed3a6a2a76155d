"""The counter's work behind `terminal.service.CounterService`.

One lock, the *card lock*, orders everything that talks to the cards: payments,
recovery, closing and acknowledging batches. The call to the bank is made without it, so
that payments go on meanwhile. What the screens draw is read without it, too.

The work itself is done at desks, each with its own file: the customs card's, the
purse's, the desk for payments, for recovery, for the end of day.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from card.profile import Role
from terminal.counter_parts import CounterParts
from terminal.counter_view import CounterView
from terminal.customs_desk import CustomsDesk
from terminal.day_desk import DayDesk
from terminal.day_flow import DayFlow
from terminal.disk import disk_trouble
from terminal.download_shelf import Shelf
from terminal.errors import CounterStateError, JournalError
from terminal.journal_rows import STOPPED
from terminal.order_check import OrderCheck
from terminal.payment_desk import PaymentDesk
from terminal.purse_desk import PurseDesk
from terminal.readers import CardSlots, ReaderEventKind
from terminal.recovery_desk import RecoveryDesk
from terminal.snapshot import CounterEvent, CounterEventKind, LineState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.payment import PaymentKind
    from terminal.config import TerminalConfig
    from terminal.customs_desk import CustomsAtHand
    from terminal.day import DayProgress, DayResult
    from terminal.day_calls import Dial
    from terminal.journal import Journal
    from terminal.orders import (
        InterruptedPayment,
        PaymentOrder,
        PaymentResult,
        PurseSeen,
        RecoveryOutcome,
        Refused,
    )
    from terminal.readers import ReaderLayer
    from terminal.snapshot import CounterSnapshot

__all__ = ["Counter"]

_EVENTS = {
    ReaderEventKind.INSERTED: CounterEventKind.CARD_INSERTED,
    ReaderEventKind.REMOVED: CounterEventKind.CARD_REMOVED,
    ReaderEventKind.READER_ADDED: CounterEventKind.READERS_CHANGED,
    ReaderEventKind.READER_GONE: CounterEventKind.READERS_CHANGED,
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
        parts = self._parts = _parts(config, journal, layer, clock)
        self._dial = dial
        self._orders = OrderCheck(config, parts.shelf)
        self._recovery = RecoveryDesk(parts)
        self._payments = PaymentDesk(parts, self._recovery, self._customs_ready)
        self._view = CounterView(parts)
        self._card_lock = threading.RLock()
        self._day_lock = threading.Lock()
        self._listeners: list[Callable[[CounterEvent], None]] = []
        self._line = LineState.IDLE
        self._stopped = False

    # The life of the counter.

    def start(self) -> list[RecoveryOutcome]:
        """See `CounterService.start`."""
        self._parts.slots.start(self._on_reader_event)
        return self._settle(at_start=True)

    def stop(self, *, orderly: bool = True) -> None:
        """See `CounterService.stop`.

        Args:
            orderly: the clerk has seen how every payment ended; otherwise the next
                start tells again what may not have been seen.
        """
        orderly = orderly and self._payments.in_hand is None
        with self._card_lock:
            if self._stopped:
                return
            self._stopped = True
            if orderly:
                self._note_stop()
            self._view.close()
        # The watch's thread may be telling a listener: it is ended without the lock.
        self._parts.slots.stop()
        self._parts.journal.close()

    def subscribe(self, listener: Callable[[CounterEvent], None]) -> Callable[[], None]:
        """See `CounterService.subscribe`."""
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return unsubscribe

    # What the screens draw.

    def snapshot(self) -> CounterSnapshot:
        """See `CounterService.snapshot`."""
        return self._view.snapshot(
            line=self._line,
            last_paid_at=self._payments.last_paid_at,
            in_hand=self._payments.in_hand,
        )

    def interrupted(self) -> list[InterruptedPayment]:
        """See `CounterService.interrupted`."""
        return self._view.interrupted(in_hand=self._payments.in_hand)

    # Payments.

    def check_order(
        self, declaration_text: str, amount_text: str, kind: PaymentKind
    ) -> PaymentOrder:
        """See `CounterService.check_order`."""
        return self._orders.order(declaration_text, amount_text, kind)

    def earlier_payments(self, order: PaymentOrder) -> list[InterruptedPayment]:
        """See `CounterService.earlier_payments`."""
        with self._card_lock:
            return self._recovery.earlier.unwarned(order)

    def go_on_all_the_same(self, order: PaymentOrder) -> PaymentOrder:
        """See `CounterService.go_on_all_the_same`."""
        with self._card_lock:
            return self._recovery.go_on_all_the_same(order)

    def read_purse(self) -> PurseSeen:
        """See `CounterService.read_purse`."""
        try:
            with self._card_lock:
                return self._payments.read_purse()
        finally:
            self._tell_news()

    def check_purse(self, order: PaymentOrder, purse: PurseSeen) -> Refused | None:
        """See `CounterService.check_purse`."""
        with self._card_lock:
            return self._payments.check_purse(order, purse)

    def pay(
        self, order: PaymentOrder, purse: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        """See `CounterService.pay`."""
        try:
            with self._card_lock:
                return self._payments.pay(order, purse, pin)
        finally:
            pin[:] = bytes(len(pin))
            self._tell(CounterEventKind.STATE_CHANGED)
            self._tell_news()

    def on_card_inserted(self) -> list[RecoveryOutcome]:
        """See `CounterService.on_card_inserted`."""
        return self._settle(at_start=False)

    # End of day.

    def close_day(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        """See `CounterService.close_day`."""
        return self._call_bank(on_progress, send=True)

    def fetch_downloads(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        """Call the bank only for what it publishes: no batch is closed or sent.

        Args:
            on_progress: told from the calling thread.

        Raises:
            CounterStateError: an end of day is already under way.
        """
        return self._call_bank(on_progress, send=False)

    def _call_bank(
        self, on_progress: Callable[[DayProgress], None], *, send: bool
    ) -> DayResult:
        if not self._day_lock.acquire(blocking=False):
            raise CounterStateError("An end of day is already under way.")
        try:
            return self._close_day(on_progress, send=send)
        finally:
            self._set_line(LineState.IDLE)
            self._day_lock.release()

    def _close_day(
        self, on_progress: Callable[[DayProgress], None], *, send: bool
    ) -> DayResult:
        parts = self._parts
        desk = DayDesk(
            self._card_lock,
            self._customs_ready,
            customs=parts.customs,
            settler=self._recovery.settler,
            journal=parts.journal,
            clock=parts.clock,
        )
        flow = DayFlow(parts, desk, dial=self._dial, on_line=self._set_line)
        return flow.run(on_progress, send=send)

    # Under the card lock.

    def _note_stop(self) -> None:
        # Where nothing can be written, the next start tells a little too much.
        with suppress(JournalError):
            self._parts.journal.note(STOPPED, self._parts.clock(), "")

    def _settle(self, *, at_start: bool) -> list[RecoveryOutcome]:
        with self._card_lock:
            if self._stopped:
                return []
            try:
                self._recovery.settle_what_is_there()
            except JournalError:
                # On a full disk the screens say so all the time; it is done when there
                # is space again, and what was settled before is news all the same.
                if disk_trouble(self._parts.config.state_directory) is None:
                    raise
            if at_start:
                self._recovery.tell_what_the_last_run_left()
            news = self._recovery.take_news()
        self._tell(CounterEventKind.STATE_CHANGED)
        return news

    def _customs_ready(self) -> CustomsAtHand:
        """The customs card; when it is new, what it left open is settled first."""
        with self._card_lock:
            if self._stopped:
                raise CounterStateError("The counter has been stopped.")
            return self._recovery.customs_ready()

    # From any thread.

    def _on_reader_event(self, role: Role, kind: ReaderEventKind) -> None:
        self._tell(_EVENTS[kind], role)

    def _tell(self, kind: CounterEventKind, role: Role | None = None) -> None:
        event = CounterEvent(kind=kind, role=role)
        for listener in self._listeners:
            listener(event)

    def _tell_news(self) -> None:
        if self._recovery.news:
            self._tell(CounterEventKind.NEWS)

    def _set_line(self, line: LineState) -> None:
        if line is not self._line:
            self._line = line
            self._tell(CounterEventKind.STATE_CHANGED)


def _parts(
    config: TerminalConfig,
    journal: Journal,
    layer: ReaderLayer,
    clock: Callable[[], datetime],
) -> CounterParts:
    readers = {Role.PURSE: config.readers.purse, Role.CUSTOMS: config.readers.customs}
    slots = CardSlots(layer, readers)
    currency = config.currency
    shelf = Shelf(config.state_directory)
    return CounterParts(
        config=config,
        journal=journal,
        slots=slots,
        customs=CustomsDesk(slots, journal, currency=currency, clock=clock),
        purses=PurseDesk(
            slots, currency=currency, clock=clock, is_stopped=shelf.is_stopped
        ),
        shelf=shelf,
        clock=clock,
    )
