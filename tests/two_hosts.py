"""A bank's host as a process of its own, for tests that run two of them at once.

Each has its own store, bank and intake machines over the same file, as two hosts on two
lines have. They wait for each other before every batch, so that they meet in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from settlement.bank import Bank
from settlement.intake import IntakeMachine
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore
from settlement.upload import UploadEvent, UploadMachine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from multiprocessing.connection import Connection
    from pathlib import Path

    from settlement.payment import BatchToUpload

MEET_S = 60
"""How long one waits for the other; a batch takes far less."""


class Meeting(Protocol):
    """A barrier of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int: ...


def take_batches(
    path: Path, batches: Sequence[BatchToUpload], meeting: Meeting, now: datetime
) -> list[UploadEvent]:
    """Take each batch in a call of its own; how each of them ended."""
    with BankStore.open(path) as store:
        bank = Bank(store, MasterKeyStore(TEST_MASTERS))
        return [_take(bank, batch, meeting, now) for batch in batches]


def serve(
    path: Path,
    batches: Sequence[BatchToUpload],
    meeting: Meeting,
    now: datetime,
    answers: Connection,
) -> None:
    """`take_batches` as a process; what it returns goes through ``answers``."""
    answers.send(take_batches(path, batches, meeting, now))
    answers.close()


def _take(
    bank: Bank, batch: BatchToUpload, meeting: Meeting, now: datetime
) -> UploadEvent:
    intake = IntakeMachine(batch.terminal_id, bank, bytes(range(16)))
    upload = UploadMachine(batch, stan_start=1, window=3)
    meeting.wait(MEET_S)
    events: list[UploadEvent] = []
    while not upload.finished:
        for answer in intake.receive_group(upload.messages_to_send(now), now):
            events += upload.receive(answer, now)
    return events[-1]
