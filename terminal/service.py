"""What the screens ask of the counter: the seam between them and the work.

`terminal.counter.Counter` does the work; screens and their tests know only this.
Every call may block on cards or the line, so screens make it from a worker thread;
`snapshot` and `subscribe` never block for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.payment import PaymentKind
    from terminal.day import DayProgress, DayResult
    from terminal.orders import (
        InterruptedPayment,
        PaymentOrder,
        PaymentResult,
        PurseSeen,
        RecoveryOutcome,
        Refused,
    )
    from terminal.snapshot import CounterEvent, CounterSnapshot

__all__ = ["CounterService"]


class CounterService(Protocol):
    """The counter, as the screens see it."""

    def start(self) -> list[RecoveryOutcome]:
        """Watch the readers, and settle what the last run left open.

        Returns:
            What became of every payment that had been cut short, with those of which
            it is not known yet; and how the last ones ended when the last run was,
            before it can be sure to have told it.

        Raises:
            JournalError: the journal cannot be used, for another reason than a disk
                that is full or read-only: `snapshot` tells of that.
        """
        ...

    def stop(self) -> None:
        """Let go of readers, cards and journal; repeated calls do nothing."""
        ...

    def subscribe(self, listener: Callable[[CounterEvent], None]) -> Callable[[], None]:
        """Tell ``listener`` of every change, from a thread of the counter's.

        Returns:
            A function that ends the subscription.
        """
        ...

    def snapshot(self) -> CounterSnapshot:
        """The counter as it stands; never waits for a card or the line."""
        ...

    def check_order(
        self, declaration_text: str, amount_text: str, kind: PaymentKind
    ) -> PaymentOrder:
        """Make an order of what the clerk typed.

        Raises:
            InputError: naming the field, what is wrong, what would be right.
        """
        ...

    def earlier_payments(self, order: PaymentOrder) -> list[InterruptedPayment]:
        """What to warn of before ``order`` is taken, oldest first.

        Payments for the same declaration that were cut short: those that are open, and
        those that turned out to be paid since the program started; but not what the
        clerk goes on in spite of. The advice of each says what is best.
        """
        ...

    def go_on_all_the_same(self, order: PaymentOrder) -> PaymentOrder:
        """Take ``order`` in spite of its `earlier_payments`, and note that one did.

        Returns:
            The order to pay: `check_purse` and `pay` refuse the unwarned one.

        Raises:
            JournalError: it could not be noted; the order must not be taken.
        """
        ...

    def read_purse(self) -> PurseSeen:
        """Read the card in the customer's reader and judge whether it can pay.

        Raises:
            CardProblemError: it cannot, or the customs card cannot; no money moved.
        """
        ...

    def check_purse(self, order: PaymentOrder, purse: PurseSeen) -> Refused | None:
        """What is known of this card before its PIN is asked for.

        Returns:
            The refusal when the amount is over the card's limit or its balance, or
            when an earlier payment is open of which the clerk has not been warned;
            None when only the card can tell. Nothing is sent or kept.
        """
        ...

    def pay(
        self, order: PaymentOrder, purse: PurseSeen, pin: bytearray
    ) -> PaymentResult:
        """Take one payment.

        Args:
            order: from `check_order`.
            purse: from `read_purse`; the card must not have left the reader since.
            pin: the digits in ASCII, zeroed before this returns or raises.
        """
        ...

    def on_card_inserted(self) -> list[RecoveryOutcome]:
        """Settle what is open between the cards that are in the readers now.

        Call it after each `CARD_INSERTED` and each `NEWS`, and when the disk has space
        again. With no card, or nothing open, the list is empty. Card problems are not
        raised: `read_purse` tells them; nor is a full disk: `snapshot` tells of it.
        """
        ...

    def interrupted(self) -> list[InterruptedPayment]:
        """The payments whose end is still open, oldest first."""
        ...

    def close_day(self, on_progress: Callable[[DayProgress], None]) -> DayResult:
        """Close the batch, send every waiting batch, fetch what the bank publishes.

        Stop it anywhere and call it again: it goes on where it was. Payments may be
        taken meanwhile; they go into the next batch.

        Args:
            on_progress: told from the calling thread.

        Raises:
            CounterStateError: an end of day is already under way.
        """
        ...
