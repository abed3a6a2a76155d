"""The logs of journals that were replaced: each lies in a folder beside the new one.

Whoever made a journal anew to get rid of what the old one says would leave only the new
one's log to be looked at. So what the bank has kept of older journals is compared with
their own logs, wherever these still lie. They are often damaged, which is why they were
replaced; therefore each entry is read for itself, and what can be read is used.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terminal.audit import Beginning
from terminal.errors import JournalError
from terminal.journal_database import JournalDatabase
from terminal.journal_files import ASIDE_PREFIX, JournalFiles

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from settlement.audit_head import AuditHead

__all__ = ["LogAside", "logs_beside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAside:
    """What could be read of another log of the same counter.

    Attributes:
        folder: where it lies.
        beginning: what its first entry says.
        links: the links of the entries that were asked for, by number.
    """

    folder: Path
    beginning: Beginning
    links: Mapping[int, bytes]

    def fits(self, head: AuditHead) -> bool:
        """Whether this log once stood at ``head``, which is of its journal."""
        return self.links.get(head.entries) == head.digest


def logs_beside(folder: Path, wanted: Collection[int]) -> list[LogAside]:
    """The other logs of the counter whose journal is in ``folder``, oldest first.

    Those are in the folders that journals were moved aside into; when ``folder`` is one
    of these itself, the journal in use is among them. Nothing is written, and what
    cannot be read is left out.

    Args:
        folder: of a journal.
        wanted: numbers of the entries whose links are needed.
    """
    home = folder.parent if folder.name.startswith(ASIDE_PREFIX) else folder
    others = [*sorted(home.glob(f"{ASIDE_PREFIX}*")), home]
    read = (_read(one, wanted) for one in others if one != folder)
    return [log for log in read if log is not None]


def _read(folder: Path, wanted: Collection[int]) -> LogAside | None:
    path = JournalFiles(folder).database
    if not path.exists():
        return None
    try:
        with closing(JournalDatabase.for_reading(path)) as database:
            (first,) = database.query("SELECT detail FROM events WHERE id = 1")
            return LogAside(
                folder=folder,
                beginning=Beginning.parse(first["detail"]),
                links=_links(database, wanted),
            )
    except (JournalError, ValueError):
        return None


def _links(database: JournalDatabase, wanted: Collection[int]) -> dict[int, bytes]:
    links = {}
    for number in wanted:
        # A damaged page takes away the entries on it, and no others.
        with suppress(JournalError):
            found = database.query("SELECT link FROM events WHERE id = ?", (number,))
            if found:
                links[number] = found[0]["link"]
    return links
