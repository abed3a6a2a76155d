"""The purse in the customer's reader: selected, judged, its balance read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.customs import CustomsSession
from card.errors import (
    CardError,
    CardRemovedError,
    ForeignCardError,
    NoCardError,
    ReaderError,
)
from card.profile import CardState, Role
from card.purse import PurseSession
from settlement.money import Money
from terminal.catalogue import plain
from terminal.errors import CardProblemCode
from terminal.orders import PurseSeen
from terminal.wording import card_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from card.channel import Channel
    from card.fci import CardInfo
    from settlement.money import Currency
    from terminal.readers import CardSlots

__all__ = ["PurseAtHand", "PurseDesk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseAtHand:
    """A purse that has been selected."""

    insertion: int
    info: CardInfo
    session: PurseSession
    channel: Channel


class PurseDesk:
    """Everything that is done with the purse outside a payment."""

    def __init__(
        self,
        slots: CardSlots,
        *,
        currency: Currency,
        clock: Callable[[], datetime],
        is_stopped: Callable[[bytes], bool],
    ) -> None:
        """Use the customer's reader of ``slots``; calls come under the card lock.

        Args:
            slots: both readers.
            currency: that the counter takes.
            clock: the time here, aware.
            is_stopped: whether the card of this number is on the bank's hotlist.
        """
        self._slots = slots
        self._currency = currency
        self._clock = clock
        self._is_stopped = is_stopped
        self._at_hand: PurseAtHand | None = None
        self._wrong_insertion: int | None = None

    @property
    def at_hand(self) -> PurseAtHand | None:
        """The purse that was selected and has not left its reader since."""
        purse = self._at_hand
        if purse is None or not self._slots.is_current(Role.PURSE, purse.insertion):
            return None
        return purse

    @property
    def is_wrong(self) -> bool:
        """Whether the card in the reader was read and is no purse."""
        wrong = self._wrong_insertion
        return wrong is not None and self._slots.is_current(Role.PURSE, wrong)

    def select(self) -> PurseAtHand:
        """SELECT the purse, whatever its state: drops sessions and a verified PIN.

        Raises:
            CardProblemError: there is none.
        """
        self._at_hand = None
        try:
            connection = self._slots.connect(Role.PURSE)
        except NoCardError:
            raise card_problem(CardProblemCode.NO_CARD) from None
        except ReaderError:
            raise card_problem(CardProblemCode.NO_READER) from None
        session = PurseSession(connection.channel)
        try:
            info = session.select()
        except ForeignCardError:
            self._wrong_insertion = connection.insertion
            raise card_problem(_foreign_code(connection.channel)) from None
        except CardError as error:
            self.let_go()
            raise card_problem(_trouble_code(error)) from None
        self._at_hand = PurseAtHand(
            insertion=connection.insertion,
            info=info,
            session=session,
            channel=connection.channel,
        )
        return self._at_hand

    def read(self, purse: PurseAtHand) -> PurseSeen:
        """Judge a selected purse and read its balance.

        Raises:
            CardProblemError: it cannot pay.
        """
        info = purse.info
        code = self._problem(info, self._clock().date())
        if code is not None:
            raise card_problem(code)
        try:
            balance_minor = purse.session.balance()
        except CardError as error:
            self.let_go()
            raise card_problem(_trouble_code(error)) from None
        assert info.expiry is not None, "an active purse has its dates"
        return PurseSeen(
            card_number_masked=info.card_number_masked,
            holder=plain(info.holder_name or ""),
            language=info.language or "",
            expiry=info.expiry,
            balance=self._money(balance_minor),
            payment_limit=self._money(info.payment_limit_minor or 0),
            tries_left=info.tries_left or 0,
            insertion=purse.insertion,
            card_id=info.card_id,
        )

    def forget_pin(self) -> None:
        """Drop a PIN that was verified and not used; at the worst let the card go."""
        purse = self.at_hand
        if purse is None:
            return
        try:
            purse.session.select()
        except CardError:
            self.let_go()

    def let_go(self) -> None:
        """Drop the connection, so that the card is read anew the next time."""
        self._at_hand = None
        self._slots.drop(Role.PURSE)

    def _problem(self, info: CardInfo, today: date) -> CardProblemCode | None:
        valid_from, expiry = info.valid_from, info.expiry
        if info.state is CardState.INITIALISED or valid_from is None or expiry is None:
            return CardProblemCode.NOT_PERSONALISED
        checks = (
            (self._is_stopped(info.card_id), CardProblemCode.STOPPED),
            (info.state is CardState.BLOCKED, CardProblemCode.BLOCKED),
            (info.currency != self._currency.number, CardProblemCode.OTHER_CURRENCY),
            (today < valid_from, CardProblemCode.NOT_YET_VALID),
            (today > expiry, CardProblemCode.EXPIRED),
            (info.tries_left == 0, CardProblemCode.PIN_BLOCKED),
        )
        return next((code for failed, code in checks if failed), None)

    def _money(self, amount_minor: int) -> Money:
        return Money(amount_minor=amount_minor, currency=self._currency)


def _trouble_code(error: CardError) -> CardProblemCode:
    if isinstance(error, CardRemovedError | NoCardError):
        return CardProblemCode.CARD_REMOVED
    return CardProblemCode.CARD_FAULT


def _foreign_code(channel: Channel) -> CardProblemCode:
    try:
        CustomsSession(channel).select()
    except CardError:
        return CardProblemCode.FOREIGN_CARD
    return CardProblemCode.SWAPPED_READERS
