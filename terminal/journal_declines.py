"""The payment requests that were declined here, kept until the bank knows.

A decline is one row, written once; the bank's last word on it is added, once. The entry
of the audit log says all of the decline, so the row cannot be changed unnoticed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from settlement.decline_report import DeclineReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.journal_rows import Row, Rows

__all__ = ["DeclineBook", "JournalDecline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDecline:
    """One decline as the journal knows it.

    Attributes:
        number: of the decline here, from 1.
        report: what is told to the bank.
        code: the bank's last word, empty while it has none.
        text: the bank's words with it.
    """

    number: int
    report: DeclineReport
    code: str = ""
    text: str = ""

    @property
    def is_told(self) -> bool:
        """Whether the bank has said its last word."""
        return self.code != ""


class DeclineBook:
    """All declines of one journal."""

    def __init__(self, rows: Rows) -> None:
        """Keep declines in ``rows``."""
        self._rows = rows

    def decline(self, request: str, reason: str, clerk: str, at: datetime) -> bool:
        """Keep that a clerk declined a request; the bank is told with the next call.

        Args:
            request: its number, 1 to 32 bytes.
            reason: why the payer does not pay, 1 to 120 bytes.
            clerk: who is signed on.
            at: now, aware.

        Returns:
            False when it was declined here before; nothing is changed then.
        """
        moment = at.replace(microsecond=0)
        report = DeclineReport(number=request, reason=reason, clerk=clerk, at=moment)
        values = (report.number, report.reason, report.clerk, report.at.isoformat())
        sql = (
            "INSERT INTO declines (request, reason, clerk, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING"
        )
        with self._rows.transaction():
            added = self._rows.change(sql, values) == 1
            if added:
                detail = json.dumps(values, ensure_ascii=False)
                self._rows.event("request-declined", at, detail=detail)
        return added

    def answered(
        self, report: DeclineReport, code: str, text: str, at: datetime
    ) -> None:
        """Keep the bank's last word on a decline."""
        sql = (
            "UPDATE declines SET code = ?, text = ?, told_at = ?"
            " WHERE request = ? AND code = ''"
        )
        values = (code, text, at.isoformat(), report.number)
        with self._rows.transaction():
            if self._rows.change(sql, values) == 1:
                detail = json.dumps([report.number, code, text], ensure_ascii=False)
                self._rows.event("decline-told", at, detail=detail)

    def waiting(self) -> list[JournalDecline]:
        """Those that the bank is still to be told of, the oldest one first."""
        return self._select("code = ''")

    def find(self, request: str) -> JournalDecline | None:
        """The decline of this request here, or None."""
        found = self._select("request = ?", (request,))
        return found[0] if found else None

    def _select(
        self, where: str, values: Sequence[object] = ()
    ) -> list[JournalDecline]:
        sql = f"SELECT * FROM declines WHERE {where} ORDER BY number"  # noqa: S608  our own names
        return [_to_decline(row) for row in self._rows.query(sql, values)]


def _to_decline(row: Row) -> JournalDecline:
    return JournalDecline(
        number=row["number"],
        report=DeclineReport(
            number=row["request"],
            reason=row["reason"],
            clerk=row["clerk"],
            at=datetime.fromisoformat(row["at"]),
        ),
        code=row["code"],
        text=row["text"],
    )
