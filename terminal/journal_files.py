"""The files of a journal: their names, the lock, the kept head, and changing them over.

Nothing here is ever overwritten. A journal that is replaced is moved into a folder of
its own, with all its files under their own names, so that an auditor can open it there.

Theory of operation of a change-over. The new journal is built in the folder
``rebuilding``. When it is whole, a file ``ready`` there names the folder for the old
one; from then on the change-over only goes forward, and `finish` goes on with it at any
start: every old file is moved away, then the new ones are moved in, the database last.
A file that is no longer in ``rebuilding`` has been moved in; so the same steps may be
done again after a stop anywhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from settlement.audit_head import AuditHead
from terminal.errors import JournalError
from terminal.wording_journal import (
    folder_unusable,
    journal_in_use,
    journal_unusable,
    log_left_over,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

__all__ = [
    "ASIDE_PREFIX",
    "HeadFile",
    "JournalFiles",
    "head_text",
    "read_head",
    "sync_folder",
    "take_lock",
]

ASIDE_PREFIX: Final = "replaced-"
"""How the name of a folder begins that a replaced journal was moved into."""
_DIRECTORY_MODE: Final = 0o700
_PRIVATE_MODE: Final = 0o600
_HEAD_TEXT: Final = "{journal} {entries:010d} {digest}"
_CHECK_SUM_DIGITS: Final = 8


class JournalFiles:
    """Where the files of the journal in one folder are."""

    def __init__(self, folder: Path) -> None:
        """Name the files in ``folder``; nothing is touched."""
        self.folder: Final = folder
        self.database: Final = folder / "journal.sqlite"
        self.key: Final = folder / "journal.key"
        self.head: Final = folder / "journal.head"
        self.checked: Final = folder / "journal.checked"
        self.lock: Final = folder / "journal.lock"
        self.rebuilding: Final = folder / "rebuilding"

    @property
    def log(self) -> Path:
        """What SQLite has not yet taken over into the database."""
        return self.database.with_name("journal.sqlite-wal")

    @property
    def is_half_made(self) -> bool:
        """Whether the very first start was stopped while it made the database.

        Only then does SQLite keep a rollback journal: a database that is made writes
        ahead (WAL), and its head is kept from the first entry on.
        """
        rollback = self.database.with_name("journal.sqlite-journal")
        return rollback.exists() and read_head(self.head) is None

    @property
    def _all(self) -> tuple[Path, ...]:
        index = self.database.with_name("journal.sqlite-shm")
        return (self.database, self.log, index, self.head, self.checked, self.key)

    @property
    def lost_database(self) -> bool:
        """Whether the database is gone while what belongs to it is still there."""
        return not self.database.exists() and (self.head.exists() or self.log.exists())

    def prepare_rebuilding(self) -> JournalFiles:
        """An empty folder for a new journal; what an earlier try left in it is gone."""
        shutil.rmtree(self.rebuilding, ignore_errors=True)
        self.rebuilding.mkdir(mode=_DIRECTORY_MODE)
        return JournalFiles(self.rebuilding)

    def change_over(self, aside: str) -> Path:
        """Put the journal in ``rebuilding`` in the place of the old one.

        Args:
            aside: name of the new folder that the old one's files are moved into.

        Returns:
            That folder.

        Raises:
            JournalError: SQLite could not take the log over into the new database, for
                want of room perhaps; the old journal stays where it is.
        """
        new = JournalFiles(self.rebuilding)
        if new.log.exists() and new.log.stat().st_size:
            raise JournalError(journal_unusable(str(new.database), log_left_over()))
        new.lock.unlink(missing_ok=True)
        for path in new._all:
            if path.exists():
                _sync(path)
        ready = self._ready
        unfinished = ready.with_suffix(".new")
        unfinished.write_text(aside)
        _sync(unfinished)
        unfinished.rename(ready)
        sync_folder(self.rebuilding)
        self.finish()
        return self.folder / aside

    def finish(self) -> None:
        """Go on with a change-over that was stopped; nothing when there is none."""
        if not self._ready.exists():
            return
        aside = self.folder / self._ready.read_text()
        new = JournalFiles(self.rebuilding)
        if new.database.exists():
            aside.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
            for path in self._all:
                is_moved_in = (
                    path in {self.key, self.head}
                    and not (self.rebuilding / path.name).exists()
                )
                if path.exists() and not is_moved_in:
                    path.rename(aside / path.name)
            sync_folder(aside)
            for path in (new.key, new.head, new.database):
                if path.exists():
                    path.rename(self.folder / path.name)
            sync_folder(self.folder)
        shutil.rmtree(self.rebuilding)

    @property
    def _ready(self) -> Path:
        return self.rebuilding / "ready"


class HeadFile:
    """The head of the log as it stood after the last entry, beside the database.

    It is what tells a journal that has lost its newest entries from a whole one. It is
    written after each entry is on the disk and is not forced there itself: after a
    power cut it may be behind, which is no harm, and is never ahead. Two lines take
    turns, each with a check sum: a write that is torn leaves the line before it.
    """

    def __init__(self, descriptor: int) -> None:
        """Write through ``descriptor``, which `close` closes."""
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the file."""
        return cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_MODE))

    def write(self, head: AuditHead) -> None:
        """Keep ``head``; one that cannot be written stays behind, which is no harm."""
        text = head_text(head).encode()
        with suppress(OSError):
            os.pwrite(self._descriptor, text, head.entries % 2 * len(text))

    def close(self) -> None:
        """Close the file; may be called again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor != -1:
            os.close(descriptor)


def head_text(head: AuditHead) -> str:
    """A head as a line of one fixed length, so that it can be written over."""
    text = _HEAD_TEXT.format(
        journal=head.journal.hex(), entries=head.entries, digest=head.digest.hex()
    )
    return f"{text} {_check_sum(text)}\n"


def read_head(path: Path) -> AuditHead | None:
    """The newest head that was kept; None when there is none that can be read."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        # It only adds to what the chain itself shows, so nothing is refused for it.
        return None
    heads = [head for line in lines if (head := _parse_head(line)) is not None]
    return max(heads, key=lambda head: head.entries, default=None)


def _parse_head(line: str) -> AuditHead | None:
    text, _, check_sum = line.strip("\0").rpartition(" ")
    if check_sum != _check_sum(text):
        return None
    try:
        name, entries, digest = text.split()
        data = bytes.fromhex(name) + int(entries).to_bytes(4) + bytes.fromhex(digest)
        return AuditHead.parse(data)
    except (ValueError, OverflowError):
        return None


def _check_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECK_SUM_DIGITS]


def take_lock(files: JournalFiles) -> TextIO:
    """The lock on a journal's folder, which is made when it is missing.

    Raises:
        JournalError: the folder cannot be used, or another program holds the lock.
    """
    try:
        files.folder.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        lock_file = files.lock.open("w")
    except OSError as error:
        reason = error.strerror or str(error)
        raise JournalError(folder_unusable(str(files.folder), reason)) from None
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock_file.close()
        raise JournalError(journal_in_use(str(files.folder))) from None
    return lock_file


def sync_folder(folder: Path) -> None:
    """Force the names in ``folder`` to the disk."""
    _sync_descriptor(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))


def _sync(path: Path) -> None:
    _sync_descriptor(os.open(path, os.O_RDONLY))


def _sync_descriptor(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
