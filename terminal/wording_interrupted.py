"""What is told of payments that were cut short; see `terminal.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from terminal.catalogue import tr
from terminal.errors import Advice
from terminal.orders import InterruptedState, RecoveryVerdict
from terminal.wording import NOTHING_MOVED, unknown_advice

if TYPE_CHECKING:
    from settlement.money import Money

__all__ = [
    "interrupted_advice",
    "recovered_as_paid",
    "recovery_advice",
    "warning_advice",
]


def interrupted_advice(
    state: InterruptedState, *, known: bool = True, elsewhere: bool = False
) -> Advice:
    """What will become of a payment that was cut short.

    Args:
        state: where it stands.
        known: False for one that was found on the customs card, and that this
            counter's own journal did not know.
        elsewhere: another customs card than the one in the reader holds its record.
    """
    advice = _held_elsewhere(state) if elsewhere else _interrupted(state)
    if known:
        return advice
    found = tr(
        "This payment was found on the customs card; this counter's journal did not "
        "know it."
    )
    return Advice(
        happened=f"{found} {advice.happened}",
        money=advice.money,
        next_step=advice.next_step,
    )


def _interrupted(state: InterruptedState) -> Advice:
    match state:
        case InterruptedState.UNKNOWN:
            return unknown_advice()
        case InterruptedState.PAID_NOT_CREDITED:
            return Advice(
                happened=tr("The customs card has not taken the amount over yet."),
                money=tr("The amount was taken from the card: the customer has paid."),
                next_step=tr("Put the customs card into its reader."),
            )
        case InterruptedState.LEFT_TO_BANK:
            return _left_to_bank()
        case InterruptedState.PAID:
            return Advice(
                happened=tr("This payment was interrupted, and has been settled."),
                money=tr("The amount was taken from the card: the customer has paid."),
                next_step=tr("Nothing is left to do."),
            )
        case _:
            assert_never(state)


def _held_elsewhere(state: InterruptedState) -> Advice:
    """The same of one that the customs card in the reader knows nothing of."""
    if not state.is_paid:
        return _unknown_elsewhere()
    return Advice(
        happened=tr(
            "Another customs card than the one in the reader took this payment, and "
            "has not taken the amount over yet."
        ),
        money=tr("The amount was taken from the card: the customer has paid."),
        next_step=tr("Put that customs card back into its reader when it is at hand."),
    )


def recovered_as_paid(
    amount: Money, receipt_number: int, *, credited: bool, elsewhere: bool = False
) -> Advice:
    """A payment that was cut short had been made.

    Args:
        amount: what was taken.
        receipt_number: of this payment.
        credited: False while the customs card has not taken the value over.
        elsewhere: that is another one than the one in the reader.
    """
    told = tr("Tell the customer so; do not take it again.")
    if not credited and elsewhere:
        also = tr("The customs card that it was made with still has to take it over.")
        told = f"{told} {also}"
    elif not credited:
        also = tr("Put the customs card into its reader: it takes the amount over.")
        told = f"{told} {also}"
    return Advice(
        happened=tr(
            "The customer had been debited: it is paid. Receipt {number}.",
            number=receipt_number,
        ),
        money=tr("{amount} was taken from the card.", amount=str(amount)),
        next_step=told,
    )


def recovery_advice(verdict: RecoveryVerdict, *, elsewhere: bool = False) -> Advice:
    """What was found out about a payment that was cut short, unless it is paid.

    Args:
        verdict: what that is.
        elsewhere: another customs card than the one in the reader holds its record.
    """
    if elsewhere and not verdict.is_known:
        return _unknown_elsewhere()
    match verdict:
        case RecoveryVerdict.NOT_PAID:
            return Advice(
                happened=tr("The card was not debited: the payment was not made."),
                money=tr(NOTHING_MOVED),
                next_step=tr("You can take the payment again."),
            )
        case RecoveryVerdict.LEFT_TO_BANK:
            return _left_to_bank()
        case RecoveryVerdict.STILL_UNKNOWN:
            return unknown_advice()
        case RecoveryVerdict.PAID:
            raise AssertionError("a paid one has a receipt")
        case _:
            assert_never(verdict)


def warning_advice(
    state: InterruptedState, card: str, *, elsewhere: bool = False
) -> Advice:
    """Why not to take another payment for the same declaration.

    Args:
        state: where the earlier payment stands.
        card: the masked number of its card.
        elsewhere: another customs card than the one in the reader holds its record.
    """
    if state.is_paid:
        return Advice(
            happened=tr("This declaration has been paid already."),
            money=tr("The amount was taken from card {card}.", card=card),
            next_step=tr("Do not take it again; tell the customer that it is paid."),
        )
    money = tr("It is not known yet whether the amount was taken from the card.")
    if elsewhere:
        return Advice(
            happened=tr(
                "A payment for this declaration was interrupted, with another customs "
                "card than the one in the reader."
            ),
            money=money,
            next_step=tr(
                "Put that customs card back first, with card {card}: nothing is taken "
                "twice then. Without it run the end of day: the bank may know the end.",
                card=card,
            ),
        )
    if state is InterruptedState.LEFT_TO_BANK:
        return Advice(
            happened=tr(
                "A payment for this declaration was interrupted, and its card cannot "
                "tell any more how it ended."
            ),
            money=money,
            next_step=tr("Run the end of day first: the bank decides."),
        )
    return Advice(
        happened=tr("A payment for this declaration was interrupted."),
        money=money,
        next_step=tr(
            "Put card {card} back first and leave it in: the counter finds out at "
            "once, and nothing is taken twice.",
            card=card,
        ),
    )


def _unknown_elsewhere() -> Advice:
    return Advice(
        happened=tr(
            "The payment was interrupted, with another customs card than the one in "
            "the reader."
        ),
        money=tr("It is not known yet whether the amount was taken from the card."),
        next_step=tr(
            "Put that customs card back, with the customer's card; without it run the "
            "end of day: the bank may know. Do not take the amount another way before "
            "the result is shown."
        ),
    )


def _left_to_bank() -> Advice:
    return Advice(
        happened=tr("The card cannot tell any more how the payment ended."),
        money=tr("It is not known yet whether the amount was taken from the card."),
        next_step=tr("Run the end of day: the bank decides, and this counter is told."),
    )
