"""The counter's real journal, with every write a point at which something can go wrong.

Power fails before or after a transaction, never within one: that a transaction is all
there or not at all is SQLite's part, and `sim.crash` tries it with real kills.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sim.world.fate import Fate, FaultKind, PowerOffError, Site
from terminal.errors import JournalError
from terminal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Disk", "open_journal"]


class Disk:
    """The disk of a counter: once full, it is full until somebody makes room."""

    def __init__(self, fate: Fate) -> None:
        """Begin with room."""
        self._fate = fate
        self.is_full = False

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction."""
        kind = self._fate.at(Site.JOURNAL, "write of the journal")
        if kind is FaultKind.OFF_BEFORE:
            raise PowerOffError
        if kind is FaultKind.FULL:
            self.is_full = True
        if self.is_full:
            raise JournalError("The journal cannot be written: the disk is full.")
        yield
        if kind is FaultKind.OFF_AFTER:
            raise PowerOffError


class _WatchedRows:
    """A `terminal.journal_rows.Rows` whose transactions ask the disk first."""

    def __init__(self, rows: Any, disk: Disk) -> None:
        self._rows = rows
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._disk.write(), self._rows.transaction():
            yield


def open_journal(
    directory: Path, random_bytes: Callable[[int], bytes], disk: Disk
) -> Journal:
    """Open the journal in ``directory``, its writes on ``disk``.

    Raises:
        JournalError: see `terminal.journal.Journal.open`.
    """

    class Watched(Journal):
        def __init__(self, database: Any, *others: Any) -> None:
            super().__init__(_WatchedRows(database, disk), *others)  # type: ignore[arg-type]  # stands for the private database

    return Watched.open(directory, random_bytes)
