"""What an end of day does with the customs card, each step under the card lock.

Between two steps payments may be taken; nothing here waits for the line.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from card.errors import CardError, StatusError
from card.profile import ALGORITHM_AES_CMAC
from card.sw import SW
from settlement.payment import BatchToUpload, OpenItem, PaymentRecord
from terminal.batch_credits import agrees
from terminal.entries import ASK_THE_BANK, BatchState
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.wording import card_problem

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from card.records import BatchClose, TransactionRecord
    from settlement.payment import Closure
    from terminal.config import TerminalConfig
    from terminal.customs_desk import CustomsAtHand, CustomsDesk
    from terminal.entries import JournalBatch, JournalPayment
    from terminal.journal import Journal
    from terminal.settling import Settler

__all__ = ["DayDesk"]


class DayDesk:
    """The customs card and the journal, for one end of day."""

    def __init__(
        self,
        card_lock: threading.RLock,
        ready: Callable[[], CustomsAtHand],
        *,
        customs: CustomsDesk,
        settler: Settler,
        journal: Journal,
        clock: Callable[[], datetime],
    ) -> None:
        """Work under ``card_lock``; ``ready`` takes the customs card up and settles."""
        self._card_lock = card_lock
        self._ready = ready
        self._customs = customs
        self._settler = settler
        self._journal = journal
        self._clock = clock

    def close(self) -> list[JournalBatch]:
        """Close the current batch when there is anything in it to send.

        Returns:
            Every batch to send now: those that the bank does not have, oldest first,
            then some that it has already, to ask what became of records in them that
            are still open. What it takes first may be what tells it.

        Raises:
            CardProblemError: the customs card is not ready, or refuses.
        """
        with self._card_lock:
            card = self._ready()
            again = self._reported_elsewhere()
            if card.status.count or card.status.open_count:
                close = self._close(card)
                same = self._journal.batches.find(card.mid, close.batch)
                if same is not None and same.state is BatchState.ACKNOWLEDGED:
                    again = [same, *again]
        return [*self.waiting(), *again]

    def asked_about(self, batches: Sequence[JournalBatch]) -> int:
        """How many payments of ``batches`` the bank may tell the end of."""
        book = self._journal.payments
        listed = {record.tx for batch in batches for record in batch.opens}
        known = [book.of_record(tx) for tx in listed]
        return sum(1 for one in known if one is not None and one.state in ASK_THE_BANK)

    def waiting(self) -> list[JournalBatch]:
        """Batches that the bank does not have yet, oldest first."""
        return self._journal.batches.in_state(BatchState.CLOSED)

    def assemble(self, batch: JournalBatch, config: TerminalConfig) -> BatchToUpload:
        """All of a batch, checked against what the customs card closed.

        When the journal does not agree with the close, the customs card's own records
        are read and win. If it is not there to be read, the batch goes up as the
        journal has it: the bank then names what differs, and the batch stays.
        """
        with self._card_lock:
            payments = self._payments_of(batch)
            opens = [self._settler.take_in(rec, batch.number) for rec in batch.opens]
        records = tuple(
            _record(payment, sequence) for sequence, payment in enumerate(payments, 1)
        )
        items = tuple(
            OpenItem(
                stan=payment.stan,
                sequence=len(records) + place,
                details=payment.details,
                open_record=record,
            )
            for place, (payment, record) in enumerate(
                zip(opens, batch.opens, strict=True), 1
            )
        )
        return BatchToUpload(
            terminal_id=config.terminal.id,
            office=config.terminal.office,
            mid=batch.mid,
            currency=config.currency.number,
            close=batch.close,
            payments=records,
            opens=items,
            audit_head=self._journal.audit_head(),
        )

    def acknowledge(self) -> int:
        """Pass on every BANK ACK at hand; how many batches still wait for theirs."""
        with self._card_lock:
            with suppress(CardProblemError):
                self._ready()
            return self._customs.acknowledge()

    def apply(self, closures: Sequence[Closure]) -> int:
        """Pass on what the bank resolved; what fails comes again with a later call.

        Returns:
            How many payments have been settled by it.

        Raises:
            JournalError: a step could not be written. The customs card may have closed
                the record, of which the bank will not speak again, so the card is
                taken up anew: only then is it compared with the journal.
        """
        settled = 0
        for closure in closures:
            with self._card_lock, suppress(CardProblemError):
                try:
                    outcome = self._settler.apply(self._ready(), closure)
                except JournalError:
                    self._customs.let_go()
                    raise
                settled += outcome is not None and outcome.verdict.is_known
        return settled

    def _reported_elsewhere(self) -> list[JournalBatch]:
        """Batches to send again for open records of customs cards that are not here.

        While a card is here each of its batches reports its open records anew; one
        that was replaced closes no batch any more. The smallest that reports a record
        serves: all of it has to be sent again.
        """
        chosen: list[JournalBatch] = []
        elsewhere = self._customs.elsewhere()
        for payment in self._journal.payments.unfinished():
            asks = payment.number in elsewhere and payment.state in ASK_THE_BANK
            if not asks or payment.tx is None:
                continue
            reports = self._reports_of(payment.tx, payment.batch)
            goes_anyway = [one.state is BatchState.CLOSED for one in reports]
            if reports and not any(goes_anyway) and not _any_of(reports, chosen):
                chosen.append(min(reports, key=lambda one: one.close.count))
        return chosen

    def _reports_of(self, tx: TransactionRecord, since: int) -> list[JournalBatch]:
        """The closed batches that report the open record ``tx``, oldest first."""
        batches = self._journal.batches.since(tx.mid, since)
        return [one for one in batches if any(rec.tx == tx for rec in one.opens)]

    def _close(self, card: CustomsAtHand) -> BatchClose:
        try:
            return self._customs.close_batch(card)
        except StatusError as error:
            if error.sw == SW.FULL:
                raise card_problem(CardProblemCode.CUSTOMS_CARD_FULL) from None
            raise card_problem(CardProblemCode.CARD_FAULT) from None
        except CardError:
            self._customs.let_go()
            raise card_problem(CardProblemCode.CARD_FAULT) from None

    def _payments_of(self, batch: JournalBatch) -> list[JournalPayment]:
        book = self._journal.payments
        payments = book.credited_in(batch.mid, batch.number)
        if agrees(batch.close, payments):
            return payments
        with suppress(CardProblemError, CardError):
            card = self._ready()
            if card.mid == batch.mid:
                book.place(card.session.read_credited(), self._clock())
                payments = book.credited_in(batch.mid, batch.number)
        if not agrees(batch.close, payments):
            detail = f"batch {batch.number}: {len(payments)} of {batch.close.count}"
            self._journal.note("batch-disagrees", self._clock(), detail)
        return payments


def _any_of(batches: Sequence[JournalBatch], chosen: Sequence[JournalBatch]) -> bool:
    names = {(one.mid, one.number) for one in chosen}
    return any((one.mid, one.number) in names for one in batches)


def _record(payment: JournalPayment, sequence: int) -> PaymentRecord:
    assert payment.tx is not None, "a credit has a record"
    assert payment.kv is not None, "a credit has a key version"
    assert payment.proof is not None, "a credit has a proof"
    return PaymentRecord(
        stan=payment.stan,
        sequence=sequence,
        details=payment.details,
        tx=payment.tx,
        kv=payment.kv,
        alg=ALGORITHM_AES_CMAC,
        balance_after_minor=payment.proof.balance_after_minor,
        cumulative_debit_minor=payment.proof.cumulative_debit_minor,
        tac=payment.proof.tac,
    )
