"""Whether a journal is as it was left: all of it, or what was added and what matters.

A whole check reads every entry and every row; it grows with the years. So at a start
with a large journal it is done once a day, and otherwise the check goes on from where
the last whole one ended: every entry since, and every row that is *in play*. In play is
a payment until the bank has acknowledged its batch, and that batch: all that can still
become money. What is left out until the next day is history that nothing here is
decided by; ``raseed-terminal audit verify`` always reads it.

SQLite's own check of the file's structure is never left out.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from terminal import audit
from terminal.journal_files import head_text, read_head
from terminal.journal_rows import LOG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from settlement.audit_head import AuditHead
    from terminal.audit import AuditReport, LogRow
    from terminal.journal_database import JournalDatabase
    from terminal.journal_files import JournalFiles

__all__ = ["WHOLE_ENTRIES_MAX", "check_at_start", "verify_whole"]

WHOLE_ENTRIES_MAX: Final = 20_000
"""A log up to this long is read whole at every start: well under half a second."""

_DAY_DIGITS: Final = 10
_IS_IN_PLAY: Final = """
    payments.state NOT IN ('refused', 'not-debited') AND NOT EXISTS (
        SELECT 1 FROM batches WHERE batches.customs_ref = payments.customs_ref
        AND batches.batch = payments.batch AND batches.state = 'acknowledged'
    )
"""
_PAYMENTS_TO_COMPARE: Final = f"""
    SELECT * FROM payments WHERE {_IS_IN_PLAY}
    OR number IN (SELECT payment FROM events WHERE id > ?)
"""  # noqa: S608  our own names
_BATCHES_TO_COMPARE: Final = """
    SELECT * FROM batches WHERE state != 'acknowledged'
    OR id IN (SELECT batch_row FROM events WHERE id > ?)
"""
_BEFORE: Final = "AND id <= ? ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """The last whole check.

    Attributes:
        head: up to where it went.
        day: the day of the entry there, such as ``2025-11-22``.
    """

    head: AuditHead
    day: str

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The check that was kept in a file; None when there is none, or it is odd."""
        head = read_head(path)
        if head is None:
            return None
        day = path.read_text(encoding="ascii").split("\n")[1:2]
        return cls(head=head, day=day[0] if day else "")

    def write(self, path: Path) -> None:
        """Keep it; a check that cannot be kept is done whole again."""
        with suppress(OSError):
            path.write_text(f"{head_text(self.head)}{self.day}\n", encoding="ascii")


def check_at_start(files: JournalFiles, database: JournalDatabase) -> AuditReport:
    """Check a journal before it is written to.

    Args:
        files: of the journal; that a whole check was done is kept there.
        database: opened to be read only.

    Raises:
        JournalDamagedError: the file itself is damaged.
    """
    kept = read_head(files.head)
    database.inspect()
    newest = database.log(1)
    day = newest[0][1][:_DAY_DIGITS] if newest else ""
    checked = _Checked.read(files.checked)
    if checked is not None and _may_go_on(database, checked, day):
        return _verify_since(database, checked.head, kept)
    report = verify_whole(database, kept)
    if report.is_whole and report.head is not None:
        _Checked(head=report.head, day=day).write(files.checked)
    return report


def verify_whole(
    database: JournalDatabase, kept: AuditHead | None, wanted: Collection[int] = ()
) -> AuditReport:
    """Check every entry and every row; see `audit.verify`."""
    with database.snapshot():
        return audit.verify(
            database.stream(f"{LOG} ORDER BY id"),
            payments=_payment_digests(database, "SELECT * FROM payments"),
            batches=_batch_digests(database, "SELECT * FROM batches"),
            kept=kept,
            wanted=wanted,
        )


def _may_go_on(database: JournalDatabase, checked: _Checked, day: str) -> bool:
    """Whether a check may go on from ``checked``: a large log, the same day, whole."""
    entries = checked.head.entries
    if entries <= WHOLE_ENTRIES_MAX or checked.day != day:
        return False
    beginning = database.beginning
    same = beginning is not None and beginning.journal == checked.head.journal
    return same and _links_of(database, {entries}) == {entries: checked.head.digest}


def _verify_since(
    database: JournalDatabase, head: AuditHead, kept: AuditHead | None
) -> AuditReport:
    beginning = database.beginning
    assert beginning is not None, "what was checked had its beginning"
    with database.snapshot():
        after = (head.entries,)
        payments = list(_payment_digests(database, _PAYMENTS_TO_COMPARE, after))
        batches = list(_batch_digests(database, _BATCHES_TO_COMPARE, after))
        about = [
            *_last_about(database, "payment", (one[0] for one in payments), head),
            *_last_about(database, "batch_row", (one[0] for one in batches), head),
        ]
        asked = {head.entries, *(() if kept is None else (kept.entries,))}
        return audit.verify(
            database.stream(f"{LOG} WHERE id > ? ORDER BY id", after),
            payments=payments,
            batches=batches,
            kept=kept,
            since=audit.Since(
                head=head,
                beginning=beginning,
                about=tuple(about),
                links=_links_of(database, asked),
            ),
        )


def _payment_digests(
    database: JournalDatabase, sql: str, values: tuple[object, ...] = ()
) -> Iterator[tuple[int, bytes]]:
    for row in database.stream_rows(sql, values):
        yield row["number"], audit.content_digest(row)


def _batch_digests(
    database: JournalDatabase, sql: str, values: tuple[object, ...] = ()
) -> Iterator[tuple[int, int, bytes]]:
    for row in database.stream_rows(sql, values):
        yield row["id"], row["batch"], audit.content_digest(row)


def _last_about(
    database: JournalDatabase, column: str, numbers: Iterable[int], head: AuditHead
) -> Iterator[LogRow]:
    for number in numbers:
        values = (number, head.entries)
        yield from database.stream(f"{LOG} WHERE {column} = ? {_BEFORE}", values)


def _links_of(database: JournalDatabase, numbers: Collection[int]) -> dict[int, bytes]:
    marks = ",".join("?" * len(numbers))
    sql = f"SELECT id, link FROM events WHERE id IN ({marks})"  # noqa: S608  only marks
    return {row["id"]: row["link"] for row in database.query(sql, tuple(numbers))}
