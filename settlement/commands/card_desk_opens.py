"""Payments whose outcome no counter knows: the desk asks the purse, and tells the bank.

The card lies in the desk's reader, so it can say itself what became of every payment
that was cut short at a counter: it proves the debit, or gives the payment up for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from card.profile import CardState
from settlement.commands.card_desk_access import CardDeskError
from settlement.commands.card_desk_bank import ask_purse
from settlement.money import Money, currency_by_number
from settlement.open_inquiry import (
    OpenInquiry,
    PurseGaveUp,
    PurseProved,
    PurseSilent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any

    from card.channel import Channel
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk
    from settlement.open_desk import OpenDesk, OpenPayment

__all__ = ["SettledOpen", "settle_opens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledOpen:
    """A payment whose outcome was not known, after the purse was asked.

    Attributes:
        terminal_id: where it was begun.
        at: when, by that counter's clock.
        amount: what was to be paid.
        debited: what the purse says; None when it says neither.
    """

    terminal_id: str
    at: datetime
    amount: Money
    debited: bool | None

    def __str__(self) -> str:
        payment = (
            f"A payment of {self.amount}, begun {self.at:%Y-%m-%d %H:%M} UTC at "
            f"terminal {self.terminal_id}"
        )
        if self.debited is None:
            return (
                f"{payment}: the card can no longer say what became of it. It stays "
                "open and no money moved now. A load may still settle it; else ask "
                "bank operations."
            )
        if self.debited:
            return (
                f"{payment}, is proved: the card was debited, once. The counter is "
                "told with its next call and then delivers it. The customer must not "
                "pay it again."
            )
        return (
            f"{payment}, never took place: the card was not debited and now never can "
            "be. The counter is told with its next call. The customer can pay again."
        )

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        words = {True: "debited", False: "not debited", None: "open"}
        return {
            "terminal": self.terminal_id,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "amount_minor": self.amount.amount_minor,
            "outcome": words[self.debited],
        }


def settle_opens(desk: Desk, held: HeldCard) -> Iterator[SettledOpen]:
    """Ask the purse about every payment whose outcome the bank does not know.

    Each comes out as soon as it is stored. Needs no PIN and works with a blocked card
    too. Asking again changes nothing.

    Raises:
        CardDeskError: the purse left; what it had said before is stored.
        IssuingError: the purse says what cannot be true; nothing was stored of it.
    """
    if held.info.state is CardState.INITIALISED:
        return
    for payment in desk.opens.open_payments(held.info.card_id):
        yield _settle(desk.opens, held.channel, payment)


def _settle(bank: OpenDesk, channel: Channel, payment: OpenPayment) -> SettledOpen:
    tx = payment.tx
    amount = Money(
        amount_minor=tx.amount_minor, currency=currency_by_number(tx.currency)
    )
    debited: bool | None
    match ask_purse(OpenInquiry(tx, payment.vreq), channel):
        case PurseProved(proof=proof):
            debited = bank.debited(tx, proof).debited
        case PurseGaveUp(vmac=vmac):
            debited = bank.given_up(tx, vmac).debited
        case PurseSilent(sw=None):
            raise CardDeskError(
                f"The card left before it could say what became of a payment of "
                f"{amount}. No money moved; that payment stays open. Put the card back "
                "and run: raseed-card recover"
            )
        case PurseSilent():
            debited = None
        case unforeseen:
            assert_never(unforeseen)
    return SettledOpen(
        terminal_id=payment.terminal_id, at=tx.at, amount=amount, debited=debited
    )
