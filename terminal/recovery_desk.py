"""Interrupted payments: when they are settled, what is told of them, which are open.

`terminal.settling` knows how a payment is settled; this desk knows when: whenever the
customs card is new in its reader, whenever a purse is there that has an open record,
and at once after an answer was lost. All calls come under the card lock.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card.errors import CardError
from terminal.entries import PaymentState
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.interrupted import EarlierPayments, warned_of
from terminal.settling import Settler
from terminal.wording import card_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terminal.counter_parts import CounterParts
    from terminal.customs_desk import CustomsAtHand
    from terminal.orders import PaymentOrder, RecoveryOutcome

__all__ = ["RecoveryDesk"]

_MAYBE_DEBITED: Final = frozenset(
    {PaymentState.BEGUN, PaymentState.OPENED, PaymentState.LEFT_TO_BANK}
)


class RecoveryDesk:
    """Has interrupted payments settled, and keeps the news for the clerk.

    Attributes:
        settler: settles one payment.
        earlier: what a new payment must not be taken beside unwarned.
        news: what was found out and has not been told yet.
    """

    def __init__(self, parts: CounterParts) -> None:
        """Work with the cards and the journal in ``parts``."""
        self._journal = parts.journal
        self._clock = parts.clock
        self._customs = parts.customs
        self._purses = parts.purses
        self.settler: Final = Settler(
            parts.slots,
            parts.journal,
            parts.customs,
            currency=parts.config.currency,
            clock=parts.clock,
            tell=self.tell,
        )
        self.earlier: Final = EarlierPayments(
            parts.journal, parts.config.currency, parts.customs.elsewhere
        )
        self.news: list[RecoveryOutcome] = []
        self._settled_insertion = 0

    def take_news(self) -> list[RecoveryOutcome]:
        """What was found out since this was last called."""
        news, self.news = self.news, []
        return news

    def untold(self) -> list[RecoveryOutcome]:
        """How payments ended that the last run may not have shown before it ended."""
        outcomes = [
            self.settler.outcome(payment.number)
            for payment in self._journal.payments.untold()
        ]
        return [one for one in outcomes if one.verdict.is_known]

    def customs_ready(self) -> CustomsAtHand:
        """The customs card; when it is new, what it left open is settled first.

        Raises:
            CardProblemError: it cannot take payments.
        """
        card = self._customs.ready()
        if card.insertion == self._settled_insertion:
            return card
        try:
            self.settler.settle_alone(card)
        except CardError:
            self._customs.let_go()
            raise card_problem(CardProblemCode.CARD_FAULT) from None
        self._settled_insertion = card.insertion
        return self._customs.ready()

    def tell(self, outcome: RecoveryOutcome) -> None:
        """Keep what was found out for the clerk."""
        self.earlier.remember(outcome)
        self.news.append(outcome)

    def tell_what_the_last_run_left(self) -> None:
        """Make news of whatever is open, or may not have been shown any more."""
        told = {outcome.number for outcome in self.news}
        for payment in self._journal.payments.unfinished():
            if payment.number not in told:
                self.tell(self.settler.outcome(payment.number))
        told = {outcome.number for outcome in self.news}
        for outcome in self.untold():
            if outcome.number not in told:
                self.tell(outcome)

    def settle_what_is_there(self) -> None:
        """Settle what is open between the cards that are in the readers now.

        Raises:
            JournalError: it could not be written down; the rest is done the next time.
        """
        self.settler.settle_intended()
        with suppress(CardProblemError):
            card = self.customs_ready()
            if card.status.open_count:
                self._purses.select()
                self.settle_with_purse(card)

    def settle_with_purse(self, card: CustomsAtHand) -> None:
        """Settle the open records of the purse that was selected."""
        purse = self._purses.at_hand
        if purse is None:
            return
        try:
            with self._or_anew():
                self.settler.settle_with_purse(card, purse.channel, purse.info.card_id)
        except CardError:
            self._customs.let_go()

    def ask_the_cards(self, number: int) -> None:
        """Settle at once what can be: often only one answer was lost on its way.

        Args:
            number: the payment whose answer was lost. Its end is told as its result,
                not as news; that of any other settled by the way is news.
        """
        try:
            with self._or_anew(), suppress(CardProblemError):
                card = self.customs_ready()
                self._customs.refresh()
                with suppress(CardError):
                    self.settler.settle_alone(card)
                card = self.customs_ready()
                self._purses.select()
                self.settle_with_purse(card)
        finally:
            self.news = [each for each in self.news if each.number != number]

    @contextmanager
    def _or_anew(self) -> Iterator[None]:
        """Have the customs card taken up anew when the journal misses a step.

        The cards may have settled by then what the journal still holds for open; only
        a card that is new in its reader is compared with the journal again.
        """
        try:
            yield
        except JournalError:
            self._customs.let_go()
            raise

    def is_unresolved(self, card_id: bytes) -> bool:
        """Whether a purse (CID, 8 bytes) must pay nothing before it was asked.

        It may have been debited without our knowing, and the two cards that can tell
        are here. What another customs card holds they cannot tell, so that waiting
        helps nobody: why it is safe to go on stands in ``docs/terminal.md``, *A
        customs card that was replaced*.
        """
        elsewhere = self._customs.elsewhere()
        return any(
            payment.state in _MAYBE_DEBITED and payment.number not in elsewhere
            for payment in self._journal.payments.unfinished_of(card_id)
        )

    def go_on_all_the_same(self, order: PaymentOrder) -> PaymentOrder:
        """See `CounterService.go_on_all_the_same`."""
        warnings = self.earlier.unwarned(order)
        for warning in warnings:
            detail = f"declaration {order.declaration}, payment {warning.number}"
            self._journal.note("warning-overridden", self._clock(), detail)
        return replace(
            order, warned=order.warned | {warned_of(each) for each in warnings}
        )
