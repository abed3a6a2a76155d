"""Taking one payment: from an order and a purse to a result in the counter's words."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from card.errors import InvalidPINError
from card.pin import pin_block
from card.profile import Role
from card.purchase import (
    Approved,
    CreditPending,
    Declined,
    DeclineReason,
    OutcomeUnknown,
    PurchaseExchange,
    PurchaseTerms,
)
from card.records import payment_digest
from terminal.entries import Intent, PaymentState
from terminal.orders import Paid, RefusalReason, Refused, Unknown
from terminal.payment_flow import JournalledExchange, run
from terminal.readers import OpenCards
from terminal.receipts import receipt_of
from terminal.wording import paid_advice, refusal_advice, unknown_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from terminal.customs_desk import CustomsAtHand
    from terminal.journal import Journal
    from terminal.orders import PaymentOrder, PaymentResult, PurseSeen
    from terminal.purse_desk import PurseAtHand
    from terminal.readers import CardSlots

__all__ = ["Payment", "known_refusal", "refused"]

_CAN_RETRY: Final = frozenset(
    {
        RefusalReason.PIN_WRONG,
        RefusalReason.PIN_MALFORMED,
        RefusalReason.CARD_CANNOT_PAY,
        RefusalReason.CUSTOMS_CARD_REFUSED,
    }
)
_PURSE_REASONS: Final[Mapping[DeclineReason, RefusalReason]] = {
    DeclineReason.CARD_REMOVED: RefusalReason.CARD_REMOVED,
    DeclineReason.OTHER_CARD: RefusalReason.OTHER_CARD,
    DeclineReason.PIN_WRONG: RefusalReason.PIN_WRONG,
    DeclineReason.PIN_BLOCKED: RefusalReason.PIN_BLOCKED,
    DeclineReason.CARD_BLOCKED: RefusalReason.CARD_BLOCKED,
    DeclineReason.AMOUNT_OR_CURRENCY: RefusalReason.OVER_CARD_LIMIT,
    DeclineReason.BALANCE_TOO_LOW: RefusalReason.BALANCE_TOO_LOW,
}
"""Whatever else a purse refuses for, the clerk can only say that it cannot pay."""


class Payment:
    """One attempt at one order."""

    def __init__(
        self,
        order: PaymentOrder,
        seen: PurseSeen,
        *,
        journal: Journal,
        clock: Callable[[], datetime],
        all_told: bool,
    ) -> None:
        """Prepare; nothing is journalled or sent yet.

        ``all_told``: see `terminal.journal_payments.PaymentBook.intend`.
        """
        self._order = order
        self._seen = seen
        self._journal = journal
        self._clock = clock
        self._all_told = all_told
        self._refusal: Declined | None = None
        self.number: int | None = None
        self.credited_plainly = False

    def take(
        self,
        card: CustomsAtHand,
        purse: PurseAtHand,
        pin: bytearray,
        slots: CardSlots,
    ) -> PaymentResult | None:
        """Run the purchase.

        Args:
            card: the customs card.
            purse: the customer's, as it was selected.
            pin: digits in ASCII; the caller wipes them.
            slots: both readers.

        Returns:
            The result; or None when the cards have to be asked before there is one.

        Raises:
            JournalError: a step could not be written; nothing was sent after it.
        """
        known = known_refusal(self._order, self._seen)
        if known is not None:
            return known
        try:
            block = pin_block(pin)
        except InvalidPINError:
            return self.refused(RefusalReason.PIN_MALFORMED)
        number = self.number = self._intend(card)
        machine = PurchaseExchange(self._terms(card, purse), block)
        cards = OpenCards(
            slots, {Role.PURSE: purse.channel, Role.CUSTOMS: card.channel}
        )
        result = run(
            JournalledExchange(machine, batch=card.status.batch),
            cards.transmit,
            lambda entry: self._journal.payments.write(number, entry, self._clock()),
        )
        match result:
            case Approved():
                self.credited_plainly = True
                return self.from_journal()
            case Declined(open_left=False):
                return self._declined(result)
            case Declined():
                # Told after the cards were asked to close the record that it left open;
                # it is true even if they cannot: that session of the purse is over.
                self._refusal = result
                return None
            case OutcomeUnknown() | CreditPending():
                return None
            case _:
                raise AssertionError("a purchase ends in one of four ways")

    def from_journal(self) -> PaymentResult:
        """The result as the journal has it now, after the cards were asked."""
        assert self.number is not None, "it was journalled"
        payment = self._journal.payments.get(self.number)
        match payment.state:
            case PaymentState.DEBITED | PaymentState.CREDITED:
                receipt = receipt_of(payment, self._order.amount.currency)
                credited = payment.state is PaymentState.CREDITED
                return Paid(
                    number=payment.number,
                    receipt_number=receipt.number,
                    order=self._order,
                    card_number_masked=payment.card_masked,
                    balance_after=receipt.balance_after,
                    at=receipt.at,
                    approval=receipt.approval,
                    credited=credited,
                    advice=paid_advice(self._order.amount, credited=credited),
                )
            case _ if self._refusal is not None:
                return self._declined(self._refusal)
            case PaymentState.REFUSED | PaymentState.NOT_DEBITED:
                return self.refused(RefusalReason.CARD_REMOVED)
            case _:
                return self.unknown()

    def refused(self, reason: RefusalReason, tries_left: int | None = None) -> Refused:
        """This order, refused for ``reason``."""
        return refused(self._order, reason, tries_left, number=self.number)

    def unknown(self, *, journal_failed: bool = False) -> Unknown:
        """This order, its end not known yet."""
        assert self.number is not None, "it was journalled"
        return Unknown(
            number=self.number,
            order=self._order,
            card_number_masked=self._seen.card_number_masked,
            advice=unknown_advice(journal_failed=journal_failed),
        )

    def _intend(self, card: CustomsAtHand) -> int:
        intent = Intent(
            details=self._order.details,
            amount_minor=self._order.amount.amount_minor,
            currency=self._order.amount.currency.number,
            card_id=self._seen.card_id,
            mid=card.mid,
            batch=card.status.batch,
        )
        return self._journal.payments.intend(
            intent, self._clock(), all_told=self._all_told
        )

    def _terms(self, card: CustomsAtHand, purse: PurseAtHand) -> PurchaseTerms:
        assert purse.info.key_version is not None, "an active purse has its keys"
        return PurchaseTerms(
            amount_minor=self._order.amount.amount_minor,
            currency=self._order.amount.currency.number,
            mid=card.mid,
            kv=purse.info.key_version,
            digest=payment_digest(self._order.declaration),
            # The card keeps whole seconds; so must what is compared with it later.
            at=self._clock().astimezone(UTC).replace(microsecond=0),
            cid=self._seen.card_id,
        )

    def _declined(self, declined: Declined) -> Refused:
        if declined.role is Role.PURSE:
            reason = _PURSE_REASONS.get(declined.reason, RefusalReason.CARD_CANNOT_PAY)
        elif declined.reason is DeclineReason.FULL:
            reason = RefusalReason.CUSTOMS_CARD_FULL
        else:
            reason = RefusalReason.CUSTOMS_CARD_REFUSED
        return self.refused(reason, declined.tries_left)


def known_refusal(order: PaymentOrder, seen: PurseSeen) -> Refused | None:
    """What the card will not pay for sure: no PIN need be asked for it."""
    if not order.amount <= seen.payment_limit:
        return refused(order, RefusalReason.OVER_CARD_LIMIT)
    if not order.amount <= seen.balance:
        return refused(order, RefusalReason.BALANCE_TOO_LOW)
    return None


def refused(
    order: PaymentOrder,
    reason: RefusalReason,
    tries_left: int | None = None,
    *,
    number: int | None = None,
) -> Refused:
    """``order``, refused for ``reason``, with the words for it."""
    return Refused(
        number=number,
        order=order,
        reason=reason,
        tries_left=tries_left,
        can_retry=reason in _CAN_RETRY,
        advice=refusal_advice(reason, tries_left),
    )
