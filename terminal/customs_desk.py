"""The customs card in its reader: taken up once, then known without asking it again.

Each payment changes its counters in a known way, so they are counted along; STATUS is
read when the card comes, and again after anything that did not go its plain way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from card.customs import CustomsSession
from card.errors import (
    CardError,
    ForeignCardError,
    MalformedResponseError,
    NoCardError,
    ReaderError,
    StatusError,
)
from card.profile import BATCH_CREDITS_MAX, CardState, Role
from card.purse import PurseSession
from card.sw import SW
from terminal.entries import BatchState
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.snapshot import ReaderState
from terminal.wording import card_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from card.channel import Channel
    from card.fci import CardInfo
    from card.records import BatchClose, CustomsStatus
    from settlement.money import Currency
    from terminal.errors import Advice
    from terminal.journal import Journal
    from terminal.readers import CardSlots

__all__ = ["BATCH_PLACES_MAX", "CustomsAtHand", "CustomsDesk"]

BATCH_PLACES_MAX: Final = BATCH_CREDITS_MAX - 9
"""Credits and open records of a batch before it closes itself: well before the 999 at
which the customs card takes no more, so that no customer ever meets that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsAtHand:
    """A customs card that can take payments, as it stands now."""

    insertion: int
    info: CardInfo
    status: CustomsStatus
    session: CustomsSession
    channel: Channel

    @property
    def mid(self) -> bytes:
        """Its number, 8 bytes."""
        return self.info.card_id


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a card was not taken up; `insertion` is None when it gave no answer."""

    insertion: int | None
    advice: Advice


class CustomsDesk:
    """Everything that is done with the customs card outside a payment."""

    def __init__(
        self,
        slots: CardSlots,
        journal: Journal,
        *,
        currency: Currency,
        clock: Callable[[], datetime],
    ) -> None:
        """Use the customs reader of ``slots``; all calls come under the card lock."""
        self._slots = slots
        self._journal = journal
        self._currency = currency
        self._clock = clock
        self._at_hand: CustomsAtHand | None = None
        self._trouble: _Trouble | None = None

    @property
    def at_hand(self) -> CustomsAtHand | None:
        """The card as it was last known, without asking; None when it is out."""
        card = self._at_hand
        if card is None or not self._slots.is_current(Role.CUSTOMS, card.insertion):
            return None
        return card

    @property
    def trouble(self) -> Advice | None:
        """Why the card in the reader is of no use; None while that is not known."""
        trouble = self._trouble
        if trouble is None:
            return None
        if trouble.insertion is None:
            there = self._slots.state(Role.CUSTOMS) is ReaderState.CARD_PRESENT
        else:
            there = self._slots.is_current(Role.CUSTOMS, trouble.insertion)
        return trouble.advice if there else None

    @property
    def is_wrong(self) -> bool:
        """Whether the card in the reader was read and takes no payments."""
        return self.trouble is not None

    def elsewhere(self) -> frozenset[int]:
        """Open payments, by number, that another customs card than the one here holds.

        Empty while there is no customs card: whichever comes next may be the one.
        """
        card = self.at_hand
        if card is None:
            return frozenset()
        return self._journal.payments.unfinished_elsewhere(card.mid)

    def ready(self) -> CustomsAtHand:
        """The customs card, taken up when it is new.

        Raises:
            CardProblemError: there is none, or it cannot take payments.
            JournalError: what it holds could not be kept; it is taken up anew later.
        """
        card = self.at_hand
        if card is not None:
            return card
        self._trouble = None
        try:
            return self._take_up()
        except NoCardError:
            raise card_problem(CardProblemCode.NO_CUSTOMS_CARD) from None
        except ReaderError:
            raise card_problem(CardProblemCode.NO_READER) from None
        except CardError:
            self.let_go()
            problem = card_problem(CardProblemCode.CARD_FAULT)
            self._trouble = _Trouble(None, problem.advice)
            raise problem from None
        except JournalError:
            # Its waiting batches have not all been looked at: it is not at hand yet.
            self.let_go()
            raise

    def let_go(self) -> None:
        """Drop the connection, so that the card is taken up anew the next time."""
        self._at_hand = None
        self._slots.drop(Role.CUSTOMS)

    def credited(self, amount_minor: int) -> None:
        """Count a payment along that went its plain way."""
        card = self.at_hand
        if card is None:
            return
        status = card.status
        self._at_hand = replace(
            card,
            status=replace(
                status,
                count=status.count + 1,
                sum_minor=status.sum_minor + amount_minor,
                total_minor=status.total_minor + amount_minor,
                tsn_next=status.tsn_next + 1,
            ),
        )

    def refresh(self) -> None:
        """Read STATUS again; a card that does not answer is let go."""
        card = self.at_hand
        if card is None:
            return
        try:
            self._at_hand = replace(card, status=card.session.status())
        except CardError:
            self.let_go()

    def make_room(self) -> CustomsAtHand:
        """Close the batch when it is nearly full; the next payment goes into a new one.

        Raises:
            CardProblemError: too many closed batches wait for the bank, or the card
                does not answer.
        """
        card = self.ready()
        if card.status.count + card.status.open_count < BATCH_PLACES_MAX:
            return card
        try:
            self.close_batch(card)
        except StatusError as error:
            if error.sw != SW.FULL:
                raise card_problem(CardProblemCode.CARD_FAULT) from None
            raise card_problem(CardProblemCode.CUSTOMS_CARD_FULL) from None
        except CardError:
            self.let_go()
            raise card_problem(CardProblemCode.CARD_FAULT) from None
        return self.ready()

    def close_batch(self, card: CustomsAtHand) -> BatchClose:
        """CLOSE BATCH, kept in the journal; repeatable at any point.

        A close whose answer was lost is found among the waiting batches when the card
        is taken up again.

        Raises:
            CardError: the card refused or did not answer.
            JournalError: the batch is closed and could not be kept; it is found when
                the card, which was let go, is taken up again.
        """
        opens = card.session.list_open()
        close = card.session.close_batch()
        try:
            self._journal.batches.add(card.mid, close, opens, self._clock())
        except JournalError:
            # The card has begun its next batch. Taken up anew, it is asked for the
            # closed one; as it is known here, payments would count into that one.
            self.let_go()
            raise
        self.refresh()
        return close

    def acknowledge(self) -> int:
        """Pass every BANK ACK that is at hand to the customs card.

        Returns:
            How many batches of this card still wait for theirs.
        """
        card = self.at_hand
        if card is None:
            return len(self._journal.batches.in_state(BatchState.COLLECTED))
        left = 0
        for batch in self._journal.batches.in_state(BatchState.COLLECTED):
            if batch.mid != card.mid or batch.ack_mac is None:
                left += 1
            elif self._bank_ack(card, batch.number, batch.ack_mac):
                self._journal.batches.acknowledged(batch, self._clock())
            else:
                left += 1
        self.refresh()
        return left

    def _bank_ack(self, card: CustomsAtHand, number: int, ack_mac: bytes) -> bool:
        try:
            card.session.bank_ack(number, ack_mac)
        except StatusError as error:
            # 6A83: it does not wait any more, so an earlier answer was lost.
            done = error.sw == SW.NO_RECORD
            if not done:
                at, detail = self._clock(), f"batch {number}: {error}"
                self._journal.note("bank-ack-refused", at, detail)
            return done
        except CardError:
            self.let_go()
            return False
        return True

    def _take_up(self) -> CustomsAtHand:
        connection = self._slots.connect(Role.CUSTOMS)
        session = CustomsSession(connection.channel)
        try:
            info = self._select_judged(session, connection.channel)
        except CardProblemError as problem:
            self._trouble = _Trouble(connection.insertion, problem.advice)
            raise
        card = CustomsAtHand(
            insertion=connection.insertion,
            info=info,
            status=session.status(),
            session=session,
            channel=connection.channel,
        )
        if card.status.mid != info.card_id:
            raise MalformedResponseError("STATUS of another customs card")
        self._at_hand = card
        self._find_waiting(card)
        self.acknowledge()
        counted = self.at_hand
        return card if counted is None else counted

    def _find_waiting(self, card: CustomsAtHand) -> None:
        """Take in closed batches that the journal does not know."""
        if card.status.closed_count == 0:
            return
        unknown = [
            close
            for close in card.session.waiting_batches()
            if self._journal.batches.find(card.mid, close.batch) is None
        ]
        if unknown:
            opens = card.session.list_open()
            for close in unknown:
                # The list is in the order of opening: what was opened after the close
                # stands at its end, and is not of this batch.
                then = opens[: close.open_count]
                self._journal.batches.add(card.mid, close, then, self._clock())

    def _select_judged(self, session: CustomsSession, channel: Channel) -> CardInfo:
        try:
            info = session.select()
        except ForeignCardError:
            raise card_problem(self._foreign_code(channel)) from None
        self._judge(info)
        return info

    def _judge(self, info: CardInfo) -> None:
        today = self._clock().date()
        if info.state is CardState.INITIALISED:
            raise card_problem(CardProblemCode.NOT_PERSONALISED)
        if info.currency != self._currency.number:
            raise card_problem(CardProblemCode.OTHER_CURRENCY)
        needs_code = info.tries_left is not None
        active = info.state is CardState.ACTIVE
        if needs_code or not active or not info.is_valid_on(today):
            raise card_problem(CardProblemCode.CUSTOMS_CARD_UNUSABLE)

    @staticmethod
    def _foreign_code(channel: Channel) -> CardProblemCode:
        try:
            PurseSession(channel).select()
        except CardError:
            return CardProblemCode.FOREIGN_CUSTOMS_CARD
        return CardProblemCode.SWAPPED_READERS
