"""One load between a purse and the bank: runs the machine, books what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, assert_never

from card.errors import CardError
from card.exchange import Finished
from card.load import (
    Authorise,
    LoadDeclined,
    LoadDeclineReason,
    LoadDone,
    LoadExchange,
    LoadTerms,
    LoadUnknown,
    Transmit,
)
from card.pin import pin_block
from settlement.commands.card_desk_access import CardDeskError
from settlement.commands.card_desk_bank import settle_card
from settlement.commands.secret_input import wipe
from settlement.errors import IssuingError, SettlementError
from settlement.store.cards import LoadOutcome

if TYPE_CHECKING:
    from datetime import datetime

    from card.channel import Channel
    from card.load import LoadRequest, LoadResult
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.card_desk_bank import Desk
    from settlement.commands.secret_input import PINSource
    from settlement.money import Money
    from settlement.store.cards import LoadRow

__all__ = ["REPEAT_WINDOW", "loaded_just_now", "run_load"]

REPEAT_WINDOW: Final = timedelta(minutes=10)
"""Time to restart a desk's computer and type a command again; in it, a second load of
the same amount has to be asked for in so many words."""


@dataclass(slots=True)
class _Bank:
    """Answers the machine's one question, and keeps why it said no."""

    desk: Desk
    refusal: SettlementError | None = field(default=None)

    def answer(self, exchange: LoadExchange, request: LoadRequest) -> None:
        try:
            authorisation = self.desk.issuing.authorise_load(request)
        except SettlementError as error:
            self.refusal = error
            exchange.refused()
        else:
            exchange.authorised(
                lsn=authorisation.lsn, at=authorisation.at, m2=authorisation.m2
            )


def loaded_just_now(
    desk: Desk, cid: bytes, money: Money, now: datetime
) -> LoadRow | None:
    """The card's newest load, if it may be the very one that is asked for again.

    A desk that lost power between the bank's commit and its own last word leaves an
    officer who does not know that the card was loaded; the natural thing to do is to
    run the same command again.
    """
    loads = desk.issuing.status(cid).loads
    if not loads:
        return None
    newest = max(loads, key=lambda row: row.ltc)
    is_same = newest.outcome is LoadOutcome.COMPLETED and (
        newest.amount_minor == money.amount_minor
    )
    return newest if is_same and now - newest.at <= REPEAT_WINDOW else None


def run_load(desk: Desk, held: HeldCard, money: Money, pins: PINSource) -> None:
    """Run one load to its end, with all that the bank has to book for it.

    Raises:
        SettlementError: nothing was loaded, or it is not known yet; the message says
            which.
    """
    pin = pins.read("PIN of the card")
    try:
        block = pin_block(pin)
    finally:
        wipe(pin)
    assert held.info.key_version is not None, "an active card has one"
    terms = LoadTerms(
        kv=held.info.key_version,
        amount_minor=money.amount_minor,
        currency=money.currency.number,
        lid=desk.lid,
        cid=held.info.card_id,
    )
    bank = _Bank(desk)
    result = _exchange(LoadExchange(terms, block), held.channel, bank)
    match result:
        case LoadDone():
            _complete(desk, result, money)
        case LoadDeclined():
            raise _declined(result, money, bank.refusal)
        case LoadUnknown():
            _resolve(desk, held, money)
        case _:
            assert_never(result)


def _complete(desk: Desk, done: LoadDone, money: Money) -> None:
    try:
        desk.issuing.complete_load(
            done.lx.cid,
            ltc=done.lx.ltc,
            balance_after_minor=done.balance_after_minor,
            ltac=done.ltac,
        )
    except SettlementError as error:
        raise CardDeskError(
            f"The card has taken the load of {money} and the amount was booked, but "
            f"the bank could not note the card's proof: {error}. No money is lost. "
            "When the bank works again, run: raseed-card recover"
        ) from None


def _exchange(exchange: LoadExchange, channel: Channel, bank: _Bank) -> LoadResult:
    while not isinstance(action := exchange.next_action(), Finished):
        match action:
            case Transmit(command=command):
                try:
                    response = channel.transmit(command)
                except CardError:
                    exchange.lost()
                else:
                    exchange.receive(response)
            case Authorise(request=request):
                bank.answer(exchange, request)
            case _:
                assert_never(action)
    return action.result


def _resolve(desk: Desk, held: HeldCard, money: Money) -> None:
    """Ask the purse at once what became of the load that was just booked."""
    settled = settle_card(desk, held)
    if any(load.outcome is LoadOutcome.VOIDED for load in settled):
        raise CardDeskError(
            f"The card did not take the load of {money}; it is booked back to the "
            "customer's account. No money was lost. Try again."
        )


_DECLINES = {
    LoadDeclineReason.CARD_REMOVED: "The card was taken out or does not answer. Put "
    "it back and try again.",
    LoadDeclineReason.OTHER_CARD: "Another card was put in. Start again with one card.",
    LoadDeclineReason.PIN_BLOCKED: "The PIN is blocked: no tries are left. The "
    "customer gets a new one with raseed-card reset-pin.",
    LoadDeclineReason.CARD_BLOCKED: "The card is blocked; see raseed-card unblock.",
    LoadDeclineReason.NOT_READY: "The card is not ready for a load. Take it out, put "
    "it back and try again.",
    LoadDeclineReason.KEY_VERSION: "The card has keys of another version than it says; "
    "keep it and report it.",
    LoadDeclineReason.AMOUNT_OR_CURRENCY: "The card does not take this amount or "
    "currency.",
    LoadDeclineReason.CARD_FAULT: "The card answers what it should not. Try again; if "
    "it stays so, replace the card.",
}


def _declined(
    declined: LoadDeclined, money: Money, refusal: SettlementError | None
) -> SettlementError:
    if declined.reason is LoadDeclineReason.BANK_REFUSED and refusal is not None:
        if isinstance(refusal, IssuingError):
            return refusal
        return CardDeskError(
            f"The bank cannot book the load of {money}: {refusal}. Nothing was loaded "
            "onto the card; should it be booked after all, raseed-card recover books "
            "it back. Try again when the bank works."
        )
    if declined.reason is LoadDeclineReason.PIN_WRONG:
        tries = declined.tries_left
        left = "1 try is" if tries == 1 else f"{tries} tries are"
        told = f"The PIN is wrong; {left} left."
    elif declined.reason is LoadDeclineReason.LIMIT_OR_COUNTER:
        told = f"With {money} more the card would hold more than it may. Load less."
    else:
        told = _DECLINES[declined.reason]
    return CardDeskError(f"{told} No money moved.")
