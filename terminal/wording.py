"""What the counter tells people: what happened, whether money moved, what to do next.

All sentences stand here, one function or table for each sort of news, so that whoever
translates or rewords them finds them in one place; those of the end of day and of the
line stand in `terminal.wording_day`, those of interrupted payments in
`terminal.wording_interrupted`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from settlement.errors import AmountProblem, DeclarationProblem
from terminal.catalogue import msgid, tr, trn
from terminal.disk import DiskTrouble
from terminal.errors import Advice, CardProblemCode, CardProblemError
from terminal.orders import RefusalReason

if TYPE_CHECKING:
    from settlement.errors import AmountError, DeclarationError
    from settlement.money import Money

__all__ = [
    "DISK_PROBLEMS",
    "NOTHING_MOVED",
    "NO_MONEY_YET",
    "amount_message",
    "card_problem",
    "declaration_message",
    "disk_advice",
    "paid_advice",
    "refusal_advice",
    "unknown_advice",
]

_Sentences = tuple[str, str]

NOTHING_MOVED: Final = msgid("Nothing was taken from the card.")
NO_MONEY_YET: Final = msgid("No money moved.")

_CARD_PROBLEMS: Final[dict[CardProblemCode, _Sentences]] = {
    CardProblemCode.NO_READER: (
        msgid("The card reader cannot be used."),
        msgid("Check its cable and its name in the configuration."),
    ),
    CardProblemCode.NO_CARD: (
        msgid("There is no card in the customer's reader."),
        msgid("Insert the customer's card."),
    ),
    CardProblemCode.NO_CUSTOMS_CARD: (
        msgid("There is no customs card in its reader."),
        msgid("Insert the customs card; no payment is possible without it."),
    ),
    CardProblemCode.FOREIGN_CARD: (
        msgid("This is not a payment card of this system."),
        msgid("Take it out and insert the customer's payment card."),
    ),
    CardProblemCode.SWAPPED_READERS: (
        msgid("The customs card and the customer's card are in each other's readers."),
        msgid("Exchange the two cards, or the readers in the configuration."),
    ),
    CardProblemCode.FOREIGN_CUSTOMS_CARD: (
        msgid("The card in the customs reader is not a customs card."),
        msgid("Insert the customs card of this counter."),
    ),
    CardProblemCode.NOT_PERSONALISED: (
        msgid("The card has not been issued yet."),
        msgid("Send the customer to the bank's card desk."),
    ),
    CardProblemCode.BLOCKED: (
        msgid("The card is blocked."),
        msgid("Send the customer to the bank's card desk."),
    ),
    CardProblemCode.STOPPED: (
        msgid("The bank has stopped this card: it may not be used."),
        msgid("Keep to your office's rule for stopped cards, and call the bank."),
    ),
    CardProblemCode.EXPIRED: (
        msgid("The card has expired."),
        msgid("Send the customer to the bank's card desk for a new one."),
    ),
    CardProblemCode.NOT_YET_VALID: (
        msgid("The card is not valid yet."),
        msgid("Check this machine's date; else use the card from its first day on."),
    ),
    CardProblemCode.OTHER_CURRENCY: (
        msgid("The card holds another currency than this counter takes."),
        msgid("Use a card of this counter's currency."),
    ),
    CardProblemCode.PIN_BLOCKED: (
        msgid("The card's PIN is blocked: no tries are left."),
        msgid("Send the customer to the bank's card desk."),
    ),
    CardProblemCode.UNRESOLVED_PAYMENT: (
        msgid("An earlier payment with this card is not settled yet."),
        msgid(
            "Leave both cards in; if it stays so, run the end of day to ask the bank."
        ),
    ),
    CardProblemCode.CUSTOMS_CARD_FULL: (
        msgid("The customs card has no room for another payment."),
        msgid("Run the end of day, then take the payment."),
    ),
    CardProblemCode.CUSTOMS_CARD_UNUSABLE: (
        msgid("The customs card cannot take payments as it is."),
        msgid("Call the supervisor; the bank replaces the customs card."),
    ),
    CardProblemCode.CARD_REMOVED: (
        msgid("The card was taken out of the reader."),
        msgid("Insert the card again."),
    ),
    CardProblemCode.OTHER_CARD: (
        msgid("Another card is in the reader now."),
        msgid("Insert the card that was shown before, or begin again."),
    ),
    CardProblemCode.CARD_FAULT: (
        msgid("The card does not answer as it should."),
        msgid("Take it out, clean the contacts, insert it again."),
    ),
    CardProblemCode.DISK_FULL: (
        msgid("This machine's disk is full: no new payment can be begun."),
        msgid("Have space freed on the disk, or call support."),
    ),
    CardProblemCode.DISK_READ_ONLY: (
        msgid("This machine's disk is read-only: no new payment can be begun."),
        msgid("Call support: another card cannot help."),
    ),
    CardProblemCode.DISK_NO_PERMISSION: (
        msgid("The journal's folder may not be written: no new payment begins."),
        msgid("Call support to correct its owner or permissions."),
    ),
    CardProblemCode.DISK_MISSING: (
        msgid("The journal's folder or file is missing: no new payment begins."),
        msgid("Call support to put it back; then start the program again."),
    ),
    CardProblemCode.DISK_FAILED: (
        msgid("This machine's disk answers with an error: no new payment begins."),
        msgid("Call support to check the disk: it may be breaking down."),
    ),
}

_REFUSALS: Final[dict[RefusalReason, _Sentences]] = {
    RefusalReason.PIN_WRONG: (
        msgid("The PIN is wrong."),
        msgid("Enter the PIN again."),
    ),
    RefusalReason.PIN_BLOCKED: _CARD_PROBLEMS[CardProblemCode.PIN_BLOCKED],
    RefusalReason.PIN_MALFORMED: (
        msgid("A PIN has 4 to 12 digits."),
        msgid("Enter the PIN again; no try was spent."),
    ),
    RefusalReason.BALANCE_TOO_LOW: (
        msgid("The balance of the card is too low."),
        msgid("Load the card at the bank, or pay with another card."),
    ),
    RefusalReason.OVER_CARD_LIMIT: (
        msgid("The amount is over the card's limit for one payment."),
        msgid("Pay with another card; a payment cannot be split."),
    ),
    RefusalReason.CARD_STOPPED: _CARD_PROBLEMS[CardProblemCode.STOPPED],
    RefusalReason.CARD_BLOCKED: _CARD_PROBLEMS[CardProblemCode.BLOCKED],
    RefusalReason.CARD_REMOVED: (
        msgid("The card was taken out too early."),
        msgid("Insert the card again and leave it in until the result is shown."),
    ),
    RefusalReason.OTHER_CARD: _CARD_PROBLEMS[CardProblemCode.OTHER_CARD],
    RefusalReason.CARD_CANNOT_PAY: (
        msgid("The card refused the payment."),
        msgid("Try once more; else send the customer to the bank's card desk."),
    ),
    RefusalReason.NO_CUSTOMS_CARD: (
        _CARD_PROBLEMS[CardProblemCode.NO_CUSTOMS_CARD][0],
        msgid("Insert the customs card, then take the payment again."),
    ),
    RefusalReason.CUSTOMS_CARD_FULL: _CARD_PROBLEMS[CardProblemCode.CUSTOMS_CARD_FULL],
    RefusalReason.CUSTOMS_CARD_REFUSED: (
        msgid("The customs card refused the payment."),
        msgid("Try once more; else call the supervisor."),
    ),
    RefusalReason.UNRESOLVED_PAYMENT: _CARD_PROBLEMS[
        CardProblemCode.UNRESOLVED_PAYMENT
    ],
    RefusalReason.EARLIER_PAYMENT: (
        msgid(
            "An earlier payment for this declaration was interrupted, and is not over "
            "or has been paid."
        ),
        msgid("Press Esc, then F2: the counter shows the earlier payment first."),
    ),
    RefusalReason.DISK_FULL: _CARD_PROBLEMS[CardProblemCode.DISK_FULL],
    RefusalReason.DISK_READ_ONLY: _CARD_PROBLEMS[CardProblemCode.DISK_READ_ONLY],
    RefusalReason.DISK_NO_PERMISSION: _CARD_PROBLEMS[
        CardProblemCode.DISK_NO_PERMISSION
    ],
    RefusalReason.DISK_MISSING: _CARD_PROBLEMS[CardProblemCode.DISK_MISSING],
    RefusalReason.DISK_FAILED: _CARD_PROBLEMS[CardProblemCode.DISK_FAILED],
    RefusalReason.JOURNAL_FAILED: (
        msgid(
            "The payment was not made: this machine's journal could not be written. "
            "Its disk is full or damaged."
        ),
        msgid(
            "Call the supervisor to free space on the disk; another card cannot help."
        ),
    ),
}


DISK_PROBLEMS: Final[dict[DiskTrouble, CardProblemCode]] = {
    DiskTrouble.FULL: CardProblemCode.DISK_FULL,
    DiskTrouble.READ_ONLY: CardProblemCode.DISK_READ_ONLY,
    DiskTrouble.NO_PERMISSION: CardProblemCode.DISK_NO_PERMISSION,
    DiskTrouble.MISSING: CardProblemCode.DISK_MISSING,
    DiskTrouble.FAILED: CardProblemCode.DISK_FAILED,
}


def card_problem(code: CardProblemCode) -> CardProblemError:
    """The error to raise for ``code``, in words."""
    happened, next_step = _CARD_PROBLEMS[code]
    advice = Advice(
        happened=tr(happened), money=tr(NO_MONEY_YET), next_step=tr(next_step)
    )
    return CardProblemError(code, advice)


def disk_advice(trouble: DiskTrouble) -> Advice:
    """Why no payment can be taken, as the screens say it all the time."""
    advice = card_problem(DISK_PROBLEMS[trouble]).advice
    return replace(advice, money=tr("The payments that were taken are safe."))


def refusal_advice(reason: RefusalReason, tries_left: int | None = None) -> Advice:
    """Why nothing was taken, with the PIN tries that are left."""
    happened, next_step = (tr(sentence) for sentence in _REFUSALS[reason])
    if reason is RefusalReason.PIN_WRONG and tries_left is not None:
        tries = trn("{count} try is left.", "{count} tries are left.", count=tries_left)
        happened = f"{happened} {tries}"
    return Advice(happened=happened, money=tr(NOTHING_MOVED), next_step=next_step)


def paid_advice(amount: Money, *, credited: bool) -> Advice:
    """A payment was taken."""
    if credited:
        next_step = tr("Give the card back to the customer.")
    else:
        next_step = tr(
            "Give the card back to the customer. The customs card has not taken the "
            "amount over yet: put it into its reader, and it does so by itself."
        )
    return Advice(
        happened=tr("The payment is made."),
        money=tr("{amount} was taken from the card.", amount=str(amount)),
        next_step=next_step,
    )


def unknown_advice(*, journal_failed: bool = False) -> Advice:
    """The end of a payment is not known yet.

    Args:
        journal_failed: the journal could not be written; until it can, putting the
            card back settles nothing.
    """
    money = tr("It is not known yet whether the amount was taken from the card.")
    if journal_failed:
        return Advice(
            happened=tr(
                "The payment was interrupted: this machine's journal could not be "
                "written. Its disk is full or damaged."
            ),
            money=money,
            next_step=tr(
                "Call the supervisor to free space on the disk: before that the card "
                "cannot help. Then put the same card back; do not take the amount "
                "another way before the result is shown."
            ),
        )
    return Advice(
        happened=tr("The payment was interrupted."),
        money=money,
        next_step=tr(
            "Put the same card back and leave it in; do not take the amount another "
            "way before the result is shown."
        ),
    )


def amount_message(error: AmountError, limit: Money) -> str:
    """What is wrong with a typed amount."""
    currency = limit.currency
    problem = error.problem
    match problem:
        case AmountProblem.EMPTY:
            message = tr("Enter the amount.")
        case AmountProblem.NOT_A_NUMBER:
            message = tr("This is not an amount. Write digits, such as 12.500.")
        case AmountProblem.GROUPING:
            message = tr("A comma may only stand before a group of three digits.")
        case AmountProblem.ZERO:
            message = tr("The amount must be more than zero.")
        case AmountProblem.NEGATIVE:
            message = tr("An amount cannot be negative.")
        case AmountProblem.TOO_MANY_DECIMALS:
            message = tr(
                "Too many decimals: {currency} has {decimals}.",
                currency=currency.code,
                decimals=currency.exponent,
            )
        case AmountProblem.TOO_LARGE:
            message = tr(
                "The amount is over the limit of {limit} for one payment.",
                limit=str(limit),
            )
        case _:
            assert_never(problem)
    return message


def declaration_message(error: DeclarationError) -> str:
    """What is wrong with a typed declaration number."""
    match error.problem:
        case DeclarationProblem.EMPTY:
            return tr("Enter the declaration number.")
        case DeclarationProblem.TOO_SHORT:
            return tr("The declaration number is too short.")
        case DeclarationProblem.TOO_LONG:
            return tr("The declaration number is too long.")
        case DeclarationProblem.WRONG_CHARACTER:
            return tr(
                "The declaration number has a character that none has: use letters, "
                "digits, / and -."
            )
        case DeclarationProblem.WRONG_FORM:
            return tr("The declaration number does not have the form of this office.")
