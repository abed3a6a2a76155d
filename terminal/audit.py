"""The audit log: every entry of the journal is chained to the one before.

Theory of operation. The journal's entries are numbered from 1 without a gap. Each
carries a *link*, the SHA-256 over the link before it (32 zero bytes before the first)
and over all that the entry says. An entry about a payment or a batch also says which
*content* it left behind: a digest of that whole row as it stood then. So whoever
changes, deletes, inserts or moves an entry breaks a link, and whoever changes a row
afterwards leaves it unlike the last entry about it.

    canonical entry   JSON array, UTF-8, no blanks: number, time, kind, payment, batch,
                      batch's row, detail, content as hex digits; null for none
    link              SHA-256(link before || canonical entry)
    content           SHA-256 of a JSON object of the row's columns in the table's
                      order, binary ones as hex digits

There is no key in this, so an auditor needs none; neither does a forger. What he cannot
do is make a new chain end in a link that somebody else has kept: the *head*, which goes
up with every batch and which the bank keeps. Entries cut off the end are found by a
head alone; the rest is found without one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from settlement.audit_head import AuditHead

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = [
    "CHAIN_START",
    "AuditProblem",
    "AuditReport",
    "Beginning",
    "LogRow",
    "ProblemCode",
    "Since",
    "Subject",
    "content_digest",
    "link",
    "verify",
]

CHAIN_START: Final = bytes(32)
"""What the first entry is linked to."""
BEGINNING: Final = "journal-begun"
"""Kind of the first entry."""
NAME_BYTES: Final = 8
"""Random bytes by which a journal is told from every other."""
PROBLEMS_MAX: Final = 100
"""Problems told of one journal; the first of them is what matters."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

LogRow: TypeAlias = (
    "tuple[int, str, str, int | None, int | None, int | None, str, bytes | None, bytes]"
)
"""An entry as it is stored: number, time, kind, payment, batch, batch's row, detail,
content, link."""


@unique
class ProblemCode(StrEnum):
    """What does not fit."""

    BEGINNING = "beginning"
    """The first entry does not name the journal."""
    GAP = "gap"
    """Entries are missing before this one."""
    LINK = "link"
    """This entry does not follow from the one before: changed, moved or put in."""
    ALTERED = "altered"
    """The row of a payment or batch is not as this entry left it."""
    MISSING = "missing"
    """The row that this entry speaks of is not there."""
    UNTOLD = "untold"
    """A row stands in the journal and no entry speaks of it."""
    CUT = "cut"
    """The log went further once, as a head says that was kept."""
    REPLACED = "replaced"
    """The log is not the one whose head was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an entry is about: a payment or a batch, by number, or neither."""

    payment: int | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProblem:
    """One thing that does not fit.

    Attributes:
        entry: number of the entry at which it shows; for CUT the first missing one,
            for UNTOLD None.
        at: the entry's time as it was written, empty when there is no such entry.
        kind: the entry's kind, likewise.
        subject: the payment or batch.
    """

    code: ProblemCode
    entry: int | None
    at: str = ""
    kind: str = ""
    subject: Subject = Subject()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the first entry says.

    Attributes:
        journal: the journal's name, 8 random bytes.
        key: digest (8 bytes) by which the journal's key file is known.
        numbers_after: payment and receipt numbers up to this one may have been given
            by a journal that this one replaces; 0 when there was none.
        replaces: name of the journal that this one replaces (8 bytes), or None.
    """

    journal: bytes
    key: bytes
    numbers_after: int = 0
    replaces: bytes | None = None

    def to_detail(self) -> str:
        """The first entry's detail."""
        fields = {
            "journal": self.journal.hex(),
            "key": self.key.hex(),
            "numbers_after": self.numbers_after,
            "replaces": None if self.replaces is None else self.replaces.hex(),
        }
        return _encode(fields)

    @classmethod
    def parse(cls, detail: str) -> Self:
        """Undo `to_detail`.

        Raises:
            ValueError: it is none.
        """
        try:
            fields: dict[str, Any] = json.loads(detail)
            replaces = fields["replaces"]
            found = cls(
                journal=bytes.fromhex(fields["journal"]),
                key=bytes.fromhex(fields["key"]),
                numbers_after=int(fields["numbers_after"]),
                replaces=None if replaces is None else bytes.fromhex(replaces),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no beginning of a journal: {error}") from None
        if len(found.journal) != NAME_BYTES:
            raise ValueError("a journal's name has 8 bytes")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What checking a whole log gave.

    Attributes:
        beginning: None for an empty log, and when the first entry cannot be read.
        head: where the log stands; None likewise.
        entries: how many there are.
        problems: by entry, the first one first; empty when the log is whole.
        links: the links of the entries that were asked for, by number.
    """

    beginning: Beginning | None
    head: AuditHead | None
    entries: int
    problems: tuple[AuditProblem, ...]
    links: Mapping[int, bytes]

    @property
    def is_whole(self) -> bool:
        """Whether everything fits."""
        return not self.problems

    def fits(self, head: AuditHead) -> bool:
        """Whether this log once stood at ``head``, which was asked for."""
        same = self.beginning is not None and self.beginning.journal == head.journal
        return same and self.links.get(head.entries) == head.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Where an earlier check left off, for one that goes on from there.

    Attributes:
        head: up to where everything was checked.
        beginning: what the first entry says.
        about: the last entry up to there about each row that is to be compared.
        links: the links of entries up to there that are asked for, by number.
    """

    head: AuditHead
    beginning: Beginning
    about: tuple[LogRow, ...]
    links: Mapping[int, bytes]


def link(previous: bytes, row: LogRow | tuple[Any, ...]) -> bytes:
    """The link (32 bytes) of an entry after ``previous``.

    Args:
        previous: the link before, 32 bytes.
        row: number, time, kind, payment, batch, batch's row, detail, content, and
            anything after that.
    """
    number, at, kind, payment, batch, batch_row, detail, content = row[:8]
    shown = None if content is None else content.hex()
    said = _encode([number, at, kind, payment, batch, batch_row, detail, shown])
    return hashlib.sha256(previous + said.encode()).digest()


def content_digest(row: Mapping[str, Any]) -> bytes:
    """Digest (32 bytes) of a payment's or batch's whole row, by column name."""
    shown = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    return hashlib.sha256(_encode(shown).encode()).digest()


def verify(
    log: Iterable[LogRow],
    *,
    payments: Iterable[tuple[int, bytes]],
    batches: Iterable[tuple[int, int, bytes]],
    kept: AuditHead | None = None,
    wanted: Collection[int] = (),
    since: Since | None = None,
) -> AuditReport:
    """Check a log and the rows that it speaks of.

    Args:
        log: every entry, by number; with ``since`` every one after that.
        payments: number and content digest of the payments' rows: of all, or with
            ``since`` of those that ``log`` or ``since.about`` speaks of.
        batches: row id, batch number and content digest of batches' rows, likewise.
        kept: where the log is known to have stood once.
        wanted: numbers of the entries whose links the report shall hold.
        since: where to go on from; by default from the first entry.
    """
    check = _Check({*wanted, *(() if kept is None else (kept.entries,))})
    if since is not None:
        check.go_on(since)
    for row in log:
        check.entry(row)
    check.compare_payments(payments)
    check.compare_batches(batches)
    return check.report(kept)


class _Check:
    """One verification under way."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self._links: dict[int, bytes] = {}
        self._previous = CHAIN_START
        self._count = 0
        self._last = 0
        self._beginning: Beginning | None = None
        self._problems: list[AuditProblem] = []
        self._about_payment: dict[int, LogRow] = {}
        self._about_batch: dict[int, LogRow] = {}

    def go_on(self, since: Since) -> None:
        """Go on where an earlier check left off."""
        self._beginning = since.beginning
        self._previous, self._last = since.head.digest, since.head.entries
        self._count = since.head.entries
        self._links.update(since.links)
        for row in since.about:
            self._speaks_of(row)

    def entry(self, row: LogRow) -> None:
        """Take the next entry."""
        number, found = row[0], row[8]
        if self._count == 0:
            self._begin(row)
        if number != self._last + 1:
            self._note(ProblemCode.GAP, row)
        elif link(self._previous, row) != found:
            self._note(ProblemCode.LINK, row)
        # Whatever is wrong with this one: the next is judged by what stands here.
        self._previous, self._last = found, number
        self._count += 1
        if number in self._wanted:
            self._links[number] = found
        self._speaks_of(row)

    def _speaks_of(self, row: LogRow) -> None:
        payment, batch_row = row[3], row[5]
        if payment is not None:
            self._about_payment[payment] = row
        if batch_row is not None:
            self._about_batch[batch_row] = row

    def compare_payments(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Compare every payment's row with the last entry about it."""
        for number, content in rows:
            subject = Subject(payment=number)
            self._compare(self._about_payment.pop(number, None), content, subject)
        for row in self._about_payment.values():
            self._note(ProblemCode.MISSING, row)

    def compare_batches(self, rows: Iterable[tuple[int, int, bytes]]) -> None:
        """Compare every batch's row with the last entry about it."""
        for row_id, number, content in rows:
            subject = Subject(batch=number)
            self._compare(self._about_batch.pop(row_id, None), content, subject)
        for row in self._about_batch.values():
            self._note(ProblemCode.MISSING, row)

    def report(self, kept: AuditHead | None) -> AuditReport:
        """What was found."""
        beginning, head = self._beginning, None
        if beginning is not None:
            head = AuditHead(
                journal=beginning.journal, entries=self._last, digest=self._previous
            )
        if kept is not None:
            self._compare_head(kept)
        by_entry = sorted(
            self._problems, key=lambda one: (one.entry is None, one.entry or 0)
        )
        return AuditReport(
            beginning=beginning,
            head=head,
            entries=self._count,
            problems=tuple(by_entry[:PROBLEMS_MAX]),
            links=self._links,
        )

    def _begin(self, row: LogRow) -> None:
        try:
            self._beginning = Beginning.parse(row[6])
        except ValueError:
            self._note(ProblemCode.BEGINNING, row)
            return
        if row[2] != BEGINNING:
            self._note(ProblemCode.BEGINNING, row)

    def _compare(self, row: LogRow | None, content: bytes, subject: Subject) -> None:
        if row is None:
            problem = AuditProblem(code=ProblemCode.UNTOLD, entry=None, subject=subject)
            self._problems.append(problem)
        elif row[7] != content:
            self._note(ProblemCode.ALTERED, row)

    def _compare_head(self, kept: AuditHead) -> None:
        if self._last < kept.entries:
            cut = AuditProblem(code=ProblemCode.CUT, entry=self._last + 1)
            self._problems.append(cut)
            return
        named = self._beginning is not None and self._beginning.journal == kept.journal
        if not named or self._links.get(kept.entries) != kept.digest:
            problem = AuditProblem(code=ProblemCode.REPLACED, entry=kept.entries)
            self._problems.append(problem)

    def _note(self, code: ProblemCode, row: LogRow) -> None:
        number, at, kind, payment, batch = row[:5]
        subject = Subject(payment=payment, batch=batch)
        self._problems.append(
            AuditProblem(code=code, entry=number, at=at, kind=kind, subject=subject)
        )
