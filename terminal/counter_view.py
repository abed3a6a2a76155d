"""The counter as the screens draw it, from what is known without asking a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.profile import Role
from terminal.disk import disk_trouble
from terminal.entries import BatchState
from terminal.interrupted import interrupted_view
from terminal.snapshot import (
    BatchView,
    CounterSnapshot,
    CustomsCardView,
    ReaderState,
    ReaderView,
    UnsettledBatch,
)

if TYPE_CHECKING:
    from datetime import datetime

    from terminal.counter_parts import CounterParts
    from terminal.customs_desk import CustomsAtHand
    from terminal.entries import JournalPayment
    from terminal.orders import InterruptedPayment
    from terminal.snapshot import LineState

__all__ = ["CounterView"]


class CounterView:
    """Looks at the parts of a counter; safe from any thread, waits for no card."""

    def __init__(self, parts: CounterParts) -> None:
        """Look at ``parts``."""
        self._parts = parts
        self._is_closed = False

    def close(self) -> None:
        """The journal is no longer open: from now on it counts as empty."""
        self._is_closed = True

    def snapshot(
        self,
        *,
        line: LineState,
        last_paid_at: datetime | None,
        in_hand: int | None,
    ) -> CounterSnapshot:
        """See `CounterService.snapshot`.

        Args:
            line: the telephone line.
            last_paid_at: when the last payment was taken.
            in_hand: number of the payment that is being taken, which is not cut short.
        """
        parts = self._parts
        customs = parts.customs.at_hand
        terminal = parts.config.terminal
        return CounterSnapshot(
            terminal_id=terminal.id,
            office=terminal.office,
            clerk=terminal.clerk,
            currency=parts.config.currency,
            purse_reader=self._reader(
                Role.PURSE, ready=parts.purses.at_hand is not None
            ),
            customs_reader=self._reader(Role.CUSTOMS, ready=customs is not None),
            customs=None if customs is None else _customs_card(customs),
            batch=None if customs is None else self._batch(customs),
            unsettled=self._unsettled(),
            interrupted=len(self._unfinished(in_hand)),
            line=line,
            last_paid_at=last_paid_at,
            trouble=parts.customs.trouble,
            disk=disk_trouble(parts.config.state_directory),
        )

    def interrupted(self, *, in_hand: int | None) -> list[InterruptedPayment]:
        """See `CounterService.interrupted`."""
        unfinished = self._unfinished(in_hand)
        # Not asked without need: the journal may be closed by now.
        elsewhere = self._parts.customs.elsewhere() if unfinished else frozenset()
        return [
            interrupted_view(
                payment,
                self._parts.config.currency,
                elsewhere=payment.number in elsewhere,
            )
            for payment in unfinished
        ]

    def _unfinished(self, in_hand: int | None) -> list[JournalPayment]:
        if self._is_closed:
            return []
        unfinished = self._parts.journal.payments.unfinished()
        return [payment for payment in unfinished if payment.number != in_hand]

    def _reader(self, role: Role, *, ready: bool) -> ReaderView:
        parts = self._parts
        state = ReaderState.READY if ready else parts.slots.state(role)
        desk = parts.purses if role is Role.PURSE else parts.customs
        if desk.is_wrong:
            state = ReaderState.WRONG_CARD
        return ReaderView(role=role, name=parts.slots.name(role), state=state)

    def _batch(self, card: CustomsAtHand) -> BatchView:
        return BatchView(
            number=card.status.batch,
            count=card.status.count,
            total=self._parts.money(card.status.sum_minor),
        )

    def _unsettled(self) -> tuple[UnsettledBatch, ...]:
        if self._is_closed:
            return ()
        return tuple(
            UnsettledBatch(
                number=batch.number,
                count=batch.close.count,
                total=self._parts.money(batch.close.sum_minor),
                closed_at=batch.closed_at,
                code=batch.code,
                text=batch.text,
            )
            for batch in self._parts.journal.batches.in_state(BatchState.CLOSED)
        )


def _customs_card(card: CustomsAtHand) -> CustomsCardView:
    assert card.info.expiry is not None, "an active customs card has its dates"
    return CustomsCardView(
        merchant_masked=card.info.card_number_masked,
        holder=card.info.holder_name or "",
        expiry=card.info.expiry,
        open_count=card.status.open_count,
    )
