"""The journal: what happened at this counter, durably, before the next step.

A method that writes returns after its transaction is on the disk. ``events`` is
append-only and chained (`terminal.audit`), ``payments`` holds where each payment
stands, ``batches`` the closed batches across restarts; triggers refuse any other use.
Card records are sealed (`terminal.vault`). One program at a time writes; `Journal.read`
looks on without disturbing it, and `audit_journal` does so without the key.

Nothing is ever deleted: what was paid last year can still be asked for.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

from terminal.audit import NAME_BYTES, AuditReport, Beginning
from terminal.errors import (
    JournalDamagedError,
    JournalError,
    KeyFileLostError,
)
from terminal.journal_batches import BatchBook
from terminal.journal_check import check_at_start, verify_whole
from terminal.journal_database import JournalDatabase
from terminal.journal_declines import DeclineBook
from terminal.journal_files import HeadFile, JournalFiles, read_head, take_lock
from terminal.journal_payments import PaymentBook
from terminal.vault import Vault
from terminal.wording_journal import (
    file_missing,
    journal_damaged,
    journal_unusable,
    key_foreign,
    key_lost,
    no_journal,
    problem_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from settlement.audit_head import AuditHead
    from terminal.audit import LogRow

__all__ = ["Journal", "audit_journal", "newest_entries"]


class Journal:
    """The journal of one terminal; safe to use from several threads.

    Attributes:
        payments: every payment and where it stands.
        batches: the closed batches.
        declines: payment requests that were declined here.
    """

    def __init__(
        self, database: JournalDatabase, vault: Vault, lock_file: TextIO | None
    ) -> None:
        """Hold an open database; see `open` and `read`."""
        self._database = database
        self._lock_file = lock_file
        self.payments: Final = PaymentBook(database, vault)
        self.batches: Final = BatchBook(database, vault)
        self.declines: Final = DeclineBook(database)

    @classmethod
    def open(cls, directory: Path, random_bytes: Callable[[int], bytes]) -> Self:
        """Open the journal in ``directory`` for writing, making it on the first start.

        All of it is checked first: the file, the chain, and the rows against it.

        Raises:
            JournalDamagedError: it is not as it was left. Nothing was changed.
            JournalError: it is of another version, or in use by another program.
                Nothing was changed.
        """
        files = JournalFiles(directory)
        lock_file = take_lock(files)
        try:
            files.finish()
            vault = _open_vault(files, random_bytes)
            _check(files, vault.mark)

            def begin() -> Beginning:
                return Beginning(journal=random_bytes(NAME_BYTES), key=vault.mark)

            head_file = HeadFile.open(files.head)
            database = JournalDatabase.for_writing(files.database, head_file, begin)
            return cls(database, vault, lock_file)
        except OSError as error:
            lock_file.close()
            reason = error.strerror or str(error)
            raise JournalError(journal_unusable(str(files.database), reason)) from error
        except BaseException:
            lock_file.close()
            raise

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Open an existing journal only to look at it, beside the program that writes.

        Raises:
            JournalError: there is none, or it cannot be read.
        """
        files = _existing(directory)
        vault = Vault.open(files.key, create=False, random_bytes=_no_random_bytes)
        return cls(JournalDatabase.for_reading(files.database), vault, None)

    def close(self) -> None:
        """Close the database and let the next program in; may be called again."""
        self._database.close()
        if self._lock_file is not None:
            self._lock_file.close()

    def note(self, kind: str, at: datetime, detail: str) -> None:
        """Keep an event that changes no payment and no batch."""
        with self._database.transaction():
            self._database.event(kind, at, detail=detail)

    def audit_head(self) -> AuditHead | None:
        """Where the audit log stands; None before its first entry."""
        return self._database.head()

    def replace(
        self, at: datetime, *, numbers_after: int, replaces: bytes | None
    ) -> None:
        """Begin a new journal in the place of one that is damaged.

        Args:
            at: now.
            numbers_after: see `Beginning.numbers_after`.
            replaces: name of the other one (8 bytes), or None when it is not known.
        """
        self._database.begin_replacing(at, numbers_after, replaces)


def audit_journal(directory: Path, wanted: Collection[int] = ()) -> AuditReport:
    """Check the audit log of the journal in ``directory``, also beside its program.

    Nothing is written, and the key file is not needed.

    Args:
        directory: the journal's folder.
        wanted: numbers of the entries whose links the report shall hold.

    Raises:
        JournalDamagedError: the file is damaged so that no log can be read from it.
        JournalError: there is no journal.
    """
    files = _existing(directory)
    # First what was kept, then the log: that of a running counter goes on meanwhile.
    kept = read_head(files.head)
    with closing(JournalDatabase.for_reading(files.database)) as database:
        database.inspect()
        return verify_whole(database, kept, wanted)


def newest_entries(directory: Path, last: int) -> list[LogRow]:
    """The newest ``last`` entries of the journal in ``directory``, oldest first.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    files = _existing(directory)
    with closing(JournalDatabase.for_reading(files.database)) as database:
        return database.log(last)


def _existing(directory: Path) -> JournalFiles:
    files = JournalFiles(directory)
    if not files.database.exists():
        raise JournalError(no_journal(str(directory)))
    return files


def _open_vault(files: JournalFiles, random_bytes: Callable[[int], bytes]) -> Vault:
    if files.lost_database:
        raise _damaged(files, file_missing())
    is_new = not files.database.exists()
    try:
        return Vault.open(files.key, create=is_new, random_bytes=random_bytes)
    except KeyFileLostError:
        raise _damaged(files, key_lost(missing=not files.key.exists())) from None


def _check(files: JournalFiles, mark: bytes) -> None:
    """See that the journal is as it was left; one that was never begun is."""
    if not files.database.exists():
        return
    if files.is_half_made:
        # What only looks cannot take it back, and so could not even look.
        JournalDatabase.undo_half_made(files.database)
    with closing(JournalDatabase.for_reading(files.database)) as database:
        if database.is_empty and read_head(files.head) is None:
            # The very first start was stopped before it had made the tables.
            return
        report = check_at_start(files, database)
    if report.problems:
        raise _damaged(files, problem_words(report.problems[0]))
    if report.beginning is not None and report.beginning.key != mark:
        raise _damaged(files, key_foreign())


def _damaged(files: JournalFiles, found: str) -> JournalDamagedError:
    return JournalDamagedError(journal_damaged(str(files.database), found), found)


def _no_random_bytes(_: int) -> bytes:
    raise AssertionError("a journal that is only read seals nothing")
