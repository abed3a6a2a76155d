"""Rebuilding a journal from the customs card: for a lost, replaced or damaged one.

Theory of operation. The card holds every payment that the bank has not acknowledged,
every open record, and every closed batch that waits. All of it is taken in as the
counter takes in what it does not know (`CustomsDesk`, `Settler`, `PaymentBook.place`),
with the difference that older journals are asked about each record first
(`terminal.salvage`).

    journal in its folder    what is done
    none, or whole           taken up and brought into step with the card
    damaged, other version   a new one is built in the folder ``rebuilding`` and put in
                             its place; the old one is moved aside, never overwritten

It may be stopped anywhere and run again. A whole journal takes in only what it does not
hold yet. One that is being built is begun anew, until it is ready; from then on only
files are moved (`terminal.journal_files`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from card.errors import CardError
from card.profile import Role
from settlement.money import Money
from terminal.customs_desk import CustomsDesk
from terminal.entries import BatchState, Debited, PaymentState
from terminal.errors import (
    CardProblemCode,
    JournalDamagedError,
    JournalError,
    JournalVersionError,
)
from terminal.journal import Journal
from terminal.journal_files import ASIDE_PREFIX, JournalFiles, take_lock
from terminal.journal_salvage import read_remains
from terminal.readers import CardSlots
from terminal.salvage import Salvage, key_fits
from terminal.settling import Settler
from terminal.wording import card_problem
from terminal.wording_journal import journal_unusable, recovered_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from card.records import CreditedRecord
    from terminal.config import TerminalConfig
    from terminal.customs_desk import CustomsAtHand
    from terminal.errors import Advice
    from terminal.journal_salvage import Remains
    from terminal.orders import RecoveryOutcome
    from terminal.readers import ReaderLayer

__all__ = ["Rebuilder", "RecoverProgress", "RecoverResult", "RecoverStage"]


@unique
class RecoverStage(StrEnum):
    """What a recovery is doing."""

    SALVAGING = "salvaging"
    """The old journal is read."""
    READING = "reading"
    """The customs card's credits are read; a full card takes half a minute."""
    WRITING = "writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverProgress:
    """Where a recovery stands; ``count`` is of payments."""

    stage: RecoverStage
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverResult:
    """What a recovery has come to.

    Attributes:
        credited: payments that the customs card holds and the bank has not
            acknowledged.
        total: what they are worth.
        open_count: open records that are left.
        waiting: numbers of the closed batches that wait for the bank.
        declared: of both those whose declaration is known.
        unvouched: of these the ones that the old log does not vouch for.
        elsewhere: payments of an old journal that had not ended and that another
            customs card holds.
        settled: what the card's own records have settled on the way.
        set_aside: folder of the old journal, when it was replaced.
        advice: the same in words.
    """

    credited: int
    total: Money
    open_count: int
    waiting: tuple[int, ...]
    declared: int
    unvouched: int
    elsewhere: int
    settled: tuple[RecoveryOutcome, ...]
    set_aside: Path | None
    advice: Advice


class Rebuilder:
    """One recovery of one terminal's journal."""

    def __init__(
        self,
        config: TerminalConfig,
        layer: ReaderLayer,
        *,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        on_progress: Callable[[RecoverProgress], None] = lambda _: None,
        open_journal: Callable[[Path, Callable[[int], bytes]], Journal] = Journal.open,
    ) -> None:
        """Join the parts; `run` does the work.

        Args:
            config: this terminal's.
            layer: the readers; the customs card lies in its own.
            clock: the time here, aware, in the office's zone.
            random_bytes: for the names and keys of new journals.
            on_progress: told what is being done.
            open_journal: opens the journal in a folder, or makes it.
        """
        self._config = config
        self._layer = layer
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_progress = on_progress
        self._open_journal = open_journal
        self._files = JournalFiles(config.state_directory)

    def run(self, sources: Sequence[Path] = ()) -> RecoverResult:
        """Rebuild the journal, or bring a whole one into step with the card.

        Args:
            sources: folders of other journals to salvage from: a lost machine's, or
                one that was moved aside earlier.

        Raises:
            CardProblemError: the customs card cannot be read; nothing was changed.
            JournalError: another program uses the journal, or its disk fails.
        """
        try:
            return self._run(sources)
        except OSError as error:
            path, reason = str(self._files.database), error.strerror or str(error)
            raise JournalError(journal_unusable(path, reason)) from error

    def _run(self, sources: Sequence[Path]) -> RecoverResult:
        remains = [self._read(folder) for folder in sources]
        try:
            journal = self._open_journal(self._files.folder, self._random_bytes)
        except (JournalDamagedError, JournalVersionError):
            return self._replace(remains)
        try:
            return self._fill(journal, Salvage(remains))
        finally:
            journal.close()

    def _replace(self, others: Sequence[Remains]) -> RecoverResult:
        lock_file = take_lock(self._files)
        try:
            remains = self._read(self._files.folder)
            journal = self._new_journal(remains)
            try:
                result = self._fill(journal, Salvage([remains, *others]))
            finally:
                journal.close()
            aside = self._files.change_over(self._name_aside())
            return replace(result, set_aside=aside)
        finally:
            lock_file.close()

    def _new_journal(self, old: Remains) -> Journal:
        """A journal for the place of ``old``.

        The old key goes on only where it is certain which numbers it has been used
        for: it decides which STANs the payments get, and a batch may have been sent in
        part. A new key gives all of them new STANs, which the bank knows how to take.
        """
        new = self._files.prepare_rebuilding()
        if old.key is not None and old.numbers_max is not None and key_fits(old):
            new.key.touch(mode=0o600)
            new.key.write_bytes(old.key)
        journal = self._open_journal(new.folder, self._random_bytes)
        try:
            journal.replace(
                self._clock(),
                numbers_after=old.numbers_max or old.numbers_seen,
                replaces=None if old.beginning is None else old.beginning.journal,
            )
        except BaseException:
            journal.close()
            raise
        return journal

    def _read(self, folder: Path) -> Remains:
        remains = read_remains(folder)
        self._tell(RecoverStage.SALVAGING, len(remains.payments))
        return remains

    def _fill(self, journal: Journal, salvage: Salvage) -> RecoverResult:
        journal.payments.recall(salvage.recall)
        journal.batches.recall(salvage.opens)
        settled: list[RecoveryOutcome] = []
        with self._at_desk(journal, settled.append) as (desk, settler):
            card = desk.ready()
            try:
                credited = self._take_in(journal, card, settler, salvage)
            except CardError:
                raise card_problem(CardProblemCode.CARD_FAULT) from None
        result = self._result(journal, card, credited, salvage)
        journal.note("recovered", self._clock(), result.advice.happened)
        return replace(result, settled=tuple(settled))

    def _take_in(
        self,
        journal: Journal,
        card: CustomsAtHand,
        settler: Settler,
        salvage: Salvage,
    ) -> list[CreditedRecord]:
        self._tell(RecoverStage.READING, card.status.count)
        credited = card.session.read_credited()
        self._tell(RecoverStage.WRITING, len(credited))
        journal.payments.place(credited, self._clock())
        settler.settle_intended()
        settler.settle_alone(card)
        proved = False
        for payment in journal.payments.unfinished_at(card.mid):
            if payment.state is not PaymentState.OPENED or payment.tx is None:
                continue
            proof = salvage.proof(payment.tx)
            if proof is not None:
                assert payment.kv is not None, "an open record has a key version"
                step = Debited(tx=payment.tx, proof=proof, kv=payment.kv)
                journal.payments.write(payment.number, step, self._clock())
                proved = True
        if proved:
            # The customs card is the judge of the proofs: it credits, or refuses them.
            settler.settle_alone(card)
            credited = card.session.read_credited()
        return credited

    @contextmanager
    def _at_desk(
        self, journal: Journal, tell: Callable[[RecoveryOutcome], None]
    ) -> Iterator[tuple[CustomsDesk, Settler]]:
        readers, currency = self._config.readers, self._config.currency
        slots = CardSlots(
            self._layer, {Role.PURSE: readers.purse, Role.CUSTOMS: readers.customs}
        )
        desk = CustomsDesk(slots, journal, currency=currency, clock=self._clock)
        settler = Settler(
            slots, journal, desk, currency=currency, clock=self._clock, tell=tell
        )
        try:
            yield desk, settler
        finally:
            slots.stop()

    def _result(
        self,
        journal: Journal,
        card: CustomsAtHand,
        credited: Sequence[CreditedRecord],
        salvage: Salvage,
    ) -> RecoverResult:
        book = journal.payments
        held = [book.of_record(record.tx) for record in credited]
        opens = book.unfinished_at(card.mid)
        known = [one for one in (*held, *opens) if one is not None and one.details]
        waiting = journal.batches.in_state(BatchState.CLOSED, BatchState.COLLECTED)
        total = Money(
            amount_minor=sum(record.tx.amount_minor for record in credited),
            currency=self._config.currency,
        )
        return RecoverResult(
            credited=len(credited),
            total=total,
            open_count=len(opens),
            waiting=tuple(batch.number for batch in waiting),
            declared=len(known),
            unvouched=sum(1 for one in known if one.number in salvage.unvouched),
            elsewhere=salvage.elsewhere(card.mid),
            settled=(),
            set_aside=None,
            advice=recovered_advice(
                credited=len(credited),
                total=total,
                open_count=len(opens),
                waiting=len(waiting),
                salvaged=len(known),
            ),
        )

    def _name_aside(self) -> str:
        name = f"{ASIDE_PREFIX}{self._clock():%Y%m%d-%H%M%S}"
        taken = {path.name for path in self._files.folder.iterdir()}
        names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
        return next(one for one in names if one not in taken)

    def _tell(self, stage: RecoverStage, count: int) -> None:
        self._on_progress(RecoverProgress(stage=stage, count=count))
