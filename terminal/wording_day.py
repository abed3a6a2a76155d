"""What the end of day and the line tell people; see `terminal.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modem.errors import (
    BlacklistedError,
    BusyError,
    CallLostError,
    CertificateFileError,
    CertificateRefusedError,
    DelayedError,
    DowngradeRefusedError,
    LineInUseError,
    ModemError,
    ModemGarbledError,
    ModemRefusedError,
    ModemSilentError,
    NetworkError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NoModemError,
    NumberRefusedError,
    PortError,
)
from modem.result_codes import ResultCode
from terminal.catalogue import msgid, tr, trn
from terminal.errors import Advice, CardProblemCode
from terminal.wording import NO_MONEY_YET
from terminal.wording_security import (
    certificate_next_step,
    certificate_refused,
    downgrade_refused,
    tell_the_bank,
)

if TYPE_CHECKING:
    from settlement.errors import SettlementError
    from settlement.money import Money
    from terminal.day import Share
    from terminal.errors import CardProblemError

__all__ = [
    "call_cut",
    "day_asked",
    "day_collected",
    "day_not_closed",
    "day_nothing",
    "day_only_fetched",
    "day_received",
    "day_refused",
    "day_without_journal",
    "dial_failed",
    "line_failed",
    "line_failure",
    "line_rate",
    "settlement_failed",
]

_NOT_REACHED: Final = msgid("{number}: not reached; trying again")
_DIAL_FAILURES: Final = {
    ResultCode.BUSY: msgid("{number}: busy; trying again"),
    ResultCode.NO_ANSWER: msgid("{number}: no answer; trying again"),
    ResultCode.NO_CARRIER: msgid("{number}: no modem answered; trying again"),
    ResultCode.NO_DIALTONE: msgid("{number}: no dial tone; trying again"),
    ResultCode.LINE_IN_USE: msgid("{number}: the line is in use; trying again"),
    ResultCode.FAX: msgid("{number}: a fax machine answered; trying again"),
    ResultCode.VOICE: msgid("{number}: a person answered; trying again"),
} | dict.fromkeys(
    (ResultCode.ERROR, ResultCode.CME_ERROR, ResultCode.CMS_ERROR),
    msgid("{number}: refused by the modem; trying again"),
)
_LINE_FAILURES: Final[dict[type[ModemError], str]] = {
    NoDialToneError: msgid("There is no dial tone on the telephone line."),
    BusyError: msgid("The bank's number is busy."),
    NoAnswerError: msgid("The bank's number does not answer."),
    NoCarrierError: msgid("The bank's number answered, but not with a modem."),
    DelayedError: msgid("The modem does not dial that number so soon again."),
    BlacklistedError: msgid("The modem refuses that number after too many attempts."),
    LineInUseError: msgid("The telephone line is in use."),
    NoModemError: msgid("A person or a fax machine has answered."),
    ModemGarbledError: msgid("The modem answers, but nothing of it can be read."),
    ModemSilentError: msgid("The modem does not answer."),
    NetworkError: msgid("The bank's host cannot be reached over the network."),
}


def day_nothing() -> Advice:
    """There was no batch to send."""
    return Advice(
        happened=tr("There is nothing to send: no payment since the last end of day."),
        money=tr(NO_MONEY_YET),
        next_step=tr("Nothing is left to do."),
    )


def day_asked(asked: int, settled: int) -> Advice:
    """There was no batch to send; the bank was asked about interrupted payments.

    Args:
        asked: about how many, from 1.
        settled: how many of them it knew the end of.
    """
    happened = trn(
        "There was no payment to send; the bank was asked about {count} interrupted "
        "payment.",
        "There was no payment to send; the bank was asked about {count} interrupted "
        "payments.",
        count=asked,
    )
    if settled == 0:
        return Advice(
            happened=f"{happened} {tr('It cannot tell the end yet.')}",
            money=tr("It is not known yet whether the amount was taken from the card."),
            next_step=tr(
                "Put the card back when its owner comes, or run the end of day again "
                "later: the bank learns more from the card's next payment or load."
            ),
        )
    knew = trn(
        "It knew the end of {count}.",
        "It knew the end of {count}.",
        count=settled,
    )
    return Advice(
        happened=f"{happened} {knew}",
        money=tr("Whether its amount was taken is told with each payment."),
        next_step=tr("Read what is told of each; the list (F7) keeps it."),
    )


def day_only_fetched() -> Advice:
    """There was no batch to send, and the bank was called for its lists alone."""
    return Advice(
        happened=tr("There was no batch to send; the bank was asked for its lists."),
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


def day_received(count: int) -> Advice:
    """The bank has stored what waited, and will say later what it posted."""
    return Advice(
        happened=trn(
            "The bank has received {count} payment and has yet to post it.",
            "The bank has received {count} payments and has yet to post them.",
            count=count,
        ),
        money=tr(
            "Nothing is lost: the bank has stored the batch, and it stays here until "
            "the bank says what it has posted."
        ),
        next_step=tr(
            "Run the end of day again in some minutes; nothing is sent a second time."
        ),
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
    words = _DIAL_FAILURES.get(code, _NOT_REACHED)
    return tr(words, number=number)


def call_cut(call: int, most: int) -> str:
    """A call broke off and is made again; ``call`` is the number of the next one."""
    return tr(
        "The call was cut; nothing is lost. Dialling again (call {call} of at most "
        "{most})",
        call=call,
        most=most,
    )


def line_rate(rate_bps: int) -> str:
    """How fast the line is; 0 for a network, which has no rate of its own."""
    if rate_bps == 0:
        return tr("over the network")
    return tr("{rate} bit/s", rate=rate_bps)


def line_failed(error: ModemError) -> Advice:
    """The call to the bank did not come about, or broke off."""
    return Advice(
        happened=line_failure(error),
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


def line_failure(error: ModemError) -> str:
    """What happened to the call, in one sentence."""
    match error:
        case CertificateRefusedError():
            return certificate_refused(error)
        case DowngradeRefusedError():
            return downgrade_refused()
        case PortError(reason=reason):
            return tr("The modem's port cannot be used: {reason}.", reason=reason)
        case CallLostError():
            return tr("The call to the bank was lost.")
        case _:
            words = _LINE_FAILURES.get(type(error))
            return error.what if words is None else tr(words)


def _line_next_step(error: ModemError) -> str:
    match error:
        case NoDialToneError() | LineInUseError():
            return tr("Check the telephone cable, then run the end of day again.")
        case CertificateRefusedError():
            return certificate_next_step(error)
        case DowngradeRefusedError():
            return tell_the_bank()
        case (
            NumberRefusedError()
            | NoModemError()
            | ModemRefusedError()
            | ModemGarbledError()
            | CertificateFileError()
        ):
            return tr("Correct the configuration, then run the end of day again.")
        case ModemSilentError() | PortError() | NetworkError():
            if isinstance(error, NetworkError):
                step = tr("Check the network cable, then run the end of day again.")
            else:
                step = tr(
                    "Check the modem and its cable, then run the end of day again."
                )
            return step
        case _:
            return tr("Run the end of day again in a few minutes.")
