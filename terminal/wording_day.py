"""What the end of day and the line tell people; see `terminal.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.errors import (
    BusyError,
    CallLostError,
    CertificateFileError,
    CertificateRefusedError,
    ModemRefusedError,
    ModemSilentError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NumberRefusedError,
    PortError,
)
from modem.result_codes import ResultCode
from terminal.catalogue import tr, trn
from terminal.errors import Advice, CardProblemCode
from terminal.wording import NO_MONEY_YET

if TYPE_CHECKING:
    from modem.errors import ModemError
    from settlement.errors import SettlementError
    from settlement.money import Money
    from terminal.day import Share
    from terminal.errors import CardProblemError

__all__ = [
    "day_collected",
    "day_not_closed",
    "day_nothing",
    "day_refused",
    "day_without_journal",
    "dial_failed",
    "line_failed",
    "line_rate",
    "settlement_failed",
]


def day_nothing() -> Advice:
    """There was no batch to send."""
    return Advice(
        happened=tr("There is nothing to send: no payment since the last end of day."),
        money=tr(NO_MONEY_YET),
        next_step=tr("Nothing is left to do."),
    )


def day_collected(count: int, posted: Money, held: Share | None = None) -> Advice:
    """The bank has taken every waiting batch; some of it may be held in suspense."""
    happened = trn(
        "The bank has taken {count} payment.",
        "The bank has taken {count} payments.",
        count=count,
    )
    if held is None:
        return Advice(
            happened=happened,
            money=tr("{total} goes to the customs account.", total=str(posted)),
            next_step=tr("Nothing is left to do."),
        )
    return Advice(
        happened=happened,
        money=_partly_posted(posted, held.total),
        next_step=trn(
            "Call the bank about the {count} payment that it holds.",
            "Call the bank about the {count} payments that it holds.",
            count=held.count,
        ),
    )


def _partly_posted(posted: Money, held: Money) -> str:
    if posted.amount_minor == 0:
        return tr(
            "Nothing goes to the customs account yet; the bank holds {held} until it "
            "is cleared.",
            held=str(held),
        )
    return tr(
        "{total} goes to the customs account; the bank holds {held} until it is "
        "cleared.",
        total=str(posted),
        held=str(held),
    )


def day_refused(text: str) -> Advice:
    """The bank did not take a batch."""
    return Advice(
        happened=tr("The bank did not take the batch: {text}.", text=text.rstrip(".")),
        money=tr("Nothing is lost: the batch stays here and in the customs card."),
        next_step=tr(
            "Call the bank and name the batch; then run the end of day again."
        ),
    )


def day_not_closed(problem: CardProblemError) -> Advice:
    """The batch could not be closed, because of the customs card or its reader."""
    if problem.code is CardProblemCode.CUSTOMS_CARD_FULL:
        # Its own advice is to run the end of day, which is what was just done.
        next_step = tr("Run the end of day again.")
    else:
        next_step = tr(
            "{first_step} Then run the end of day again.",
            first_step=problem.advice.next_step,
        )
    return Advice(
        happened=tr(
            "The batch could not be closed. {reason}", reason=problem.advice.happened
        ),
        money=tr("Nothing is lost: the payments stay in the customs card."),
        next_step=next_step,
    )


def day_without_journal() -> Advice:
    """The end of day stopped, because the journal could not be written or read."""
    return Advice(
        happened=tr(
            "The end of day stopped: this machine's journal cannot be used. Its disk "
            "is full or damaged."
        ),
        money=tr(
            "Nothing is lost: the batch stays in the customs card, and nothing counts "
            "twice."
        ),
        next_step=tr(
            "Call the supervisor to free space on the disk; then run the end of day "
            "again."
        ),
    )


def dial_failed(number: str, code: ResultCode) -> str:
    """One number was dialled in vain, and dialling goes on."""
    match code:
        case ResultCode.BUSY:
            return tr("{number}: busy; trying again", number=number)
        case ResultCode.NO_ANSWER:
            return tr("{number}: no answer; trying again", number=number)
        case ResultCode.NO_CARRIER:
            return tr("{number}: no modem answered; trying again", number=number)
        case ResultCode.NO_DIALTONE:
            return tr("{number}: no dial tone; trying again", number=number)
        case ResultCode.ERROR:
            return tr("{number}: refused by the modem; trying again", number=number)
        case _:
            return tr("{number}: not reached; trying again", number=number)


def line_rate(rate_bps: int) -> str:
    """How fast the line is."""
    return tr("{rate} bit/s", rate=rate_bps)


def line_failed(error: ModemError) -> Advice:
    """The call to the bank did not come about, or broke off."""
    return Advice(
        happened=_line_failure(error),
        money=tr("Nothing is lost: the batch stays here and can be sent again."),
        next_step=_line_next_step(error),
    )


def settlement_failed(error: SettlementError) -> Advice:
    """The bank stopped answering in the middle of a call."""
    return Advice(
        happened=tr("The call ended early: {reason}.", reason=str(error).rstrip(".")),
        money=tr("Nothing is lost: the batch stays here and can be sent again."),
        next_step=tr("Run the end of day again."),
    )


def _line_failure(error: ModemError) -> str:
    match error:
        case NoDialToneError():
            message = tr("There is no dial tone on the telephone line.")
        case BusyError():
            message = tr("The bank's number is busy.")
        case NoAnswerError():
            message = tr("The bank's number does not answer.")
        case NoCarrierError():
            message = tr("The bank's number answered, but not with a modem.")
        case CertificateRefusedError():
            message = tr(
                "The two machines could not prove to each other who they are: "
                "a certificate was refused."
            )
        case ModemSilentError():
            message = tr("The modem does not answer.")
        case PortError(reason=reason):
            message = tr("The modem's port cannot be used: {reason}.", reason=reason)
        case CallLostError():
            message = tr("The call to the bank was lost.")
        case _:
            message = error.what
    return message


def _line_next_step(error: ModemError) -> str:
    match error:
        case NoDialToneError():
            return tr("Check the telephone cable, then run the end of day again.")
        case CertificateRefusedError():
            return tr("Do not go on by other means: tell the bank.")
        case NumberRefusedError() | ModemRefusedError() | CertificateFileError():
            return tr("Correct the configuration, then run the end of day again.")
        case ModemSilentError() | PortError():
            return tr("Check the modem and its cable, then run the end of day again.")
        case _:
            return tr("Run the end of day again in a few minutes.")
