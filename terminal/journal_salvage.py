"""What can still be read from a journal that is damaged, or is another machine's.

Everything is read from a copy, so that an auditor finds the original as it was. SQLite
finds a row by its number, from page to page; one damaged page loses the rows on it and
no others. What is read here is not believed: `terminal.salvage` compares each row with
the customs card.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from typing import TYPE_CHECKING, Final

from terminal import audit
from terminal.journal_files import JournalFiles, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settlement.audit_head import AuditHead
    from terminal.journal_rows import Row

__all__ = ["Remains", "Standing", "Voucher", "read_remains"]

_PAYMENT_COLUMNS: Final = frozenset(
    {
        *("number", "state", "details", "amount_minor", "currency", "at", "receipt"),
        *("customs_ref", "otc", "tsn", "opened", "proof"),
    }
)
"""What is looked at; a table whose columns are spoiled tells nothing."""
_UNREADABLE_MAX: Final = 50_000
"""Row numbers tried one after the other in vain: more than one inner page leads to."""
_NUMBERS_MAX: Final = 0xFFFF_FFFF
"""How far a log can go (`AuditHead`), when no head tells how far it went."""


@unique
class Standing(Enum):
    """How an entry stands between its neighbours in the chain."""

    FITS = "fits"
    BROKEN = "broken"
    """The neighbours can be read, and it does not fit them: somebody touched it."""
    UNSURE = "unsure"
    """A neighbour cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """The newest entry about a payment that can be read.

    Attributes:
        kind: of the entry.
        content: digest of the row that it left behind.
    """

    kind: str
    content: bytes
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left of one journal.

    Attributes:
        key: its key file's bytes, or None when that is missing.
        beginning: what its first entry says, or None when that cannot be read.
        payments: rows of payments.
        batches: rows of batches.
        vouchers: by payment number.
        log_is_complete: whether every entry that there ever was can be read.
        numbers_max: no payment or receipt number was higher; None when that cannot be
            told, because it is not known how far the log went.
    """

    key: bytes | None = field(repr=False)
    beginning: audit.Beginning | None
    payments: tuple[Row, ...]
    batches: tuple[Row, ...]
    vouchers: Mapping[int, Voucher]
    log_is_complete: bool
    numbers_max: int | None

    @property
    def numbers_seen(self) -> int:
        """The highest payment number that can be read; 0 for none."""
        numbers = [row["number"] for row in self.payments]
        return max((one for one in numbers if isinstance(one, int)), default=0)


def read_remains(folder: Path) -> Remains:
    """Read what can be read of the journal in ``folder``; never fails for damage."""
    files = JournalFiles(folder)
    key = files.key.read_bytes() if files.key.exists() else None
    kept = read_head(files.head)
    entries: tuple[Row, ...] = ()
    payments: tuple[Row, ...] = ()
    batches: tuple[Row, ...] = ()
    beginning: audit.Beginning | None = None
    with (
        _copy(files) as path,
        suppress(sqlite3.Error, UnicodeDecodeError),
        closing(_connect(path)) as database,
    ):
        last = _NUMBERS_MAX if kept is None else kept.entries
        entries = tuple(_readable(database, "events", "id", last))
        beginning = _beginning(entries)
        batches = tuple(_readable(database, "batches", "id", last))
        # Each payment has an entry of its own, but for those of a journal before.
        last += 0 if beginning is None else beginning.numbers_after
        payments = tuple(
            row
            for row in _readable(database, "payments", "number", last)
            if row.keys() >= _PAYMENT_COLUMNS
        )
    return Remains(
        key=key,
        beginning=beginning,
        payments=payments,
        batches=batches,
        vouchers=_vouchers(entries, kept),
        log_is_complete=kept is not None and len(entries) >= kept.entries,
        numbers_max=_numbers_max(payments, entries, read_head(files.head), beginning),
    )


@contextmanager
def _copy(files: JournalFiles) -> Iterator[Path]:
    """A copy of the database, which SQLite may then change as it likes."""
    with tempfile.TemporaryDirectory() as name:
        copy = JournalFiles(Path(name))
        for source, target in (files.database, copy.database), (files.log, copy.log):
            if source.exists():
                shutil.copyfile(source, target)
        yield copy.database


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    # A spoiled trigger or index must not keep us from the tables.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _readable(
    database: sqlite3.Connection, table: str, key: str, last: int
) -> Iterator[Row]:
    """The rows of a table up to ``last`` that can be read."""
    sql = f"SELECT * FROM {table} NOT INDEXED WHERE {key} > ? ORDER BY {key}"  # noqa: S608  our own names
    read, unreadable = 0, 0
    while read < last and unreadable < _UNREADABLE_MAX:
        try:
            cursor = database.execute(sql, (read,))
            names = [column[0] for column in cursor.description]
            for values in cursor:
                row = dict(zip(names, values, strict=True))
                read, unreadable = row[key], 0
                yield row
        except sqlite3.Error as error:
            if "no such" in str(error):
                return
            # The next number may lie on a page that is sound.
            read, unreadable = read + 1, unreadable + 1
        else:
            return


def _beginning(entries: tuple[Row, ...]) -> audit.Beginning | None:
    if entries and entries[0]["id"] == 1:
        with suppress(ValueError, TypeError):
            return audit.Beginning.parse(entries[0]["detail"])
    return None


def _vouchers(entries: tuple[Row, ...], kept: AuditHead | None) -> dict[int, Voucher]:
    """The newest entry about each payment, and whether it fits its neighbours."""
    follows = [
        _follows(before, row)
        for before, row in zip((None, *entries), entries, strict=False)
    ]
    found: dict[int, Voucher] = {}
    for place, row in enumerate(entries):
        payment, content = row["payment"], row.get("content")
        if not isinstance(payment, int) or not isinstance(content, bytes):
            continue
        is_last = place + 1 == len(entries)
        followed = _is_head(row, kept) if is_last else follows[place + 1]
        standing = Standing.FITS
        if False in {follows[place], followed}:
            standing = Standing.BROKEN
        elif None in {follows[place], followed}:
            standing = Standing.UNSURE
        found[payment] = Voucher(
            kind=str(row["kind"]), content=content, standing=standing
        )
    return found


def _follows(before: Row | None, row: Row) -> bool | None:
    """Whether ``row`` is linked to the entry before it; None when that is not there."""
    previous = audit.CHAIN_START
    if row["id"] != 1:
        if before is None or before["id"] != row["id"] - 1:
            return None
        previous = before["link"]
    try:
        return bool(audit.link(previous, tuple(row.values())) == row["link"])
    except (AttributeError, TypeError, ValueError, KeyError):
        return False


def _is_head(row: Row, kept: AuditHead | None) -> bool | None:
    """Whether the last entry that can be read is the one whose head was kept."""
    if kept is None or row["id"] != kept.entries:
        return None
    return bool(row.get("link") == kept.digest)


def _numbers_max(
    payments: tuple[Row, ...],
    entries: tuple[Row, ...],
    kept: AuditHead | None,
    beginning: audit.Beginning | None,
) -> int | None:
    """A number that no payment passed: each that is lost had an entry that is lost."""
    if kept is None or beginning is None or beginning.journal != kept.journal:
        return None
    numbers = [row["number"] for row in payments if isinstance(row["number"], int)]
    numbers += [row["payment"] for row in entries if isinstance(row["payment"], int)]
    highest = max([beginning.numbers_after, *numbers])
    return highest + max(0, kept.entries - len(entries))
