"""Taking payments: reading the purse, one attempt, and what became of it.

All calls come under the card lock.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from terminal.disk import disk_trouble
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.orders import Paid, RefusalReason, Refused, Unknown
from terminal.payments import Payment, known_refusal, refused
from terminal.wording import DISK_PROBLEMS, card_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from terminal.counter_parts import CounterParts
    from terminal.customs_desk import CustomsAtHand
    from terminal.orders import PaymentOrder, PaymentResult, PurseSeen
    from terminal.purse_desk import PurseAtHand
    from terminal.recovery_desk import RecoveryDesk

__all__ = ["PaymentDesk"]

_REFUSALS: Final[Mapping[CardProblemCode, RefusalReason]] = {
    CardProblemCode.NO_CARD: RefusalReason.CARD_REMOVED,
    CardProblemCode.OTHER_CARD: RefusalReason.OTHER_CARD,
    CardProblemCode.CARD_REMOVED: RefusalReason.CARD_REMOVED,
    CardProblemCode.CUSTOMS_CARD_FULL: RefusalReason.CUSTOMS_CARD_FULL,
    CardProblemCode.UNRESOLVED_PAYMENT: RefusalReason.UNRESOLVED_PAYMENT,
    CardProblemCode.DISK_FULL: RefusalReason.DISK_FULL,
    CardProblemCode.DISK_READ_ONLY: RefusalReason.DISK_READ_ONLY,
    CardProblemCode.DISK_NO_PERMISSION: RefusalReason.DISK_NO_PERMISSION,
    CardProblemCode.DISK_MISSING: RefusalReason.DISK_MISSING,
    CardProblemCode.DISK_FAILED: RefusalReason.DISK_FAILED,
}


class PaymentDesk:
    """Takes one payment at a time.

    Attributes:
        last_paid_at: when the last payment went its plain way, if any did.
    """

    def __init__(
        self,
        parts: CounterParts,
        recovery: RecoveryDesk,
        ready: Callable[[], CustomsAtHand],
    ) -> None:
        """Pay with what is in ``parts``.

        Args:
            parts: cards and journal.
            recovery: settles what is open.
            ready: takes the customs card up and settles what it left open.
        """
        self._parts = parts
        self._recovery = recovery
        self._ready = ready
        self._payment: Payment | None = None
        self.last_paid_at: datetime | None = None

    @property
    def in_hand(self) -> int | None:
        """The number of the payment that is being taken; may be read at any time."""
        payment = self._payment
        return None if payment is None else payment.number

    def read_purse(self) -> PurseSeen:
        """See `CounterService.read_purse`."""
        trouble = disk_trouble(self._parts.config.state_directory)
        if trouble is not None:
            raise card_problem(DISK_PROBLEMS[trouble])
        purses = self._parts.purses
        try:
            purse = purses.select()
        except CardProblemError as error:
            if error.code is CardProblemCode.SWAPPED_READERS:
                raise
            # Without a customs card the customer's card is not what to look at.
            self._ready()
            raise
        card = self._ready()
        if self._recovery.is_unresolved(purse.info.card_id):
            self._recovery.settle_with_purse(card)
            if self._recovery.is_unresolved(purse.info.card_id):
                raise card_problem(CardProblemCode.UNRESOLVED_PAYMENT)
            purse = purses.select()
        return self._read(purse)

    def _read(self, purse: PurseAtHand) -> PurseSeen:
        parts = self._parts
        try:
            return parts.purses.read(purse)
        except CardProblemError as error:
            if error.code is CardProblemCode.STOPPED:
                # On a full disk the card is refused all the same.
                with suppress(JournalError):
                    masked = purse.info.card_number_masked
                    parts.journal.note("stopped-card", parts.clock(), masked)
            raise

    def check_purse(self, order: PaymentOrder, seen: PurseSeen) -> Refused | None:
        """See `CounterService.check_purse`."""
        if self._recovery.earlier.unwarned(order):
            return refused(order, RefusalReason.EARLIER_PAYMENT)
        return known_refusal(order, seen)

    def pay(
        self, order: PaymentOrder, seen: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        """See `CounterService.pay`; the caller wipes ``pin``."""
        try:
            return self._pay(order, seen, pin)
        finally:
            self._payment = None

    def _pay(
        self, order: PaymentOrder, seen: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        parts = self._parts
        try:
            card = self._customs_with_room()
            obstacle = self._obstacle(order, seen)
        except CardProblemError as error:
            reason = _REFUSALS.get(error.code, RefusalReason.NO_CUSTOMS_CARD)
            return refused(order, reason)
        except JournalError:
            return refused(order, RefusalReason.JOURNAL_FAILED)
        purse = parts.purses.at_hand
        if purse is None or purse.insertion != seen.insertion:
            return refused(order, RefusalReason.CARD_REMOVED)
        if obstacle is not None:
            return refused(order, obstacle)
        payment = self._payment = Payment(
            order,
            seen,
            journal=parts.journal,
            clock=parts.clock,
            all_told=not self._recovery.news,
        )
        try:
            result = payment.take(card, purse, pin, parts.slots)
        except JournalError:
            return self._without_journal(payment)
        if payment.credited_plainly:
            parts.customs.credited(order.amount.amount_minor)
            self.last_paid_at = parts.clock()
        elif payment.number is not None:
            parts.purses.forget_pin()
        return result or self._from_the_cards(payment)

    def _customs_with_room(self) -> CustomsAtHand:
        trouble = disk_trouble(self._parts.config.state_directory)
        if trouble is not None:
            raise card_problem(DISK_PROBLEMS[trouble])
        self._ready()
        return self._parts.customs.make_room()

    def _obstacle(self, order: PaymentOrder, seen: PurseSeen) -> RefusalReason | None:
        """What the journal, or the hotlist, says against this payment."""
        if self._recovery.is_unresolved(seen.card_id):
            return RefusalReason.UNRESOLVED_PAYMENT
        if self._parts.shelf.is_stopped(seen.card_id):
            # The list came while the PIN was being typed.
            return RefusalReason.CARD_STOPPED
        if self._recovery.earlier.unwarned(order):
            return RefusalReason.EARLIER_PAYMENT
        return None

    def _from_the_cards(self, payment: Payment) -> PaymentResult:
        """Ask both cards how it ended; the journal keeps what they say."""
        assert payment.number is not None, "it was journalled"
        try:
            self._recovery.ask_the_cards(payment.number)
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
        self._parts.customs.let_go()
        self._parts.purses.let_go()
        if payment.number is None:
            return payment.refused(RefusalReason.JOURNAL_FAILED)
        match self._from_the_cards(payment):
            case Refused():
                return payment.refused(RefusalReason.JOURNAL_FAILED)
            case Unknown():
                return payment.unknown(journal_failed=True)
            case result:
                return result
