"""The terminals' calls in the database: when each was, on which line, how it ended.

One row for each call that was secured, written when it is over. A host that is killed
in the middle of a call leaves none; what the call brought is in its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.store.numbers import next_number
from settlement.store.schema_types import (
    WHOLE,
    by,
    integer_column,
    metadata,
    text_column,
    time_column,
)

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CallRow", "CallTables", "terminal_call"]

terminal_call = sa.Table(
    "terminal_call",
    metadata,
    sa.Column("terminal_id", sa.String(8), primary_key=True),
    sa.Column("serial", WHOLE, primary_key=True),
    text_column("line"),
    time_column("began_at"),
    time_column("ended_at"),
    integer_column("messages"),
    text_column("outcome"),
    sa.Column("trouble", sa.String),
    info=by("terminal_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call of a terminal.

    Attributes:
        terminal_id: of its certificate.
        line: the port or listener where it came in.
        began_at: when it was secured, the bank's time.
        ended_at: when it was over.
        messages: how many the terminal sent.
        outcome: `settlement.host_events.CallOutcome`.
        trouble: why it ended early, or None.
    """

    terminal_id: str
    line: str
    began_at: datetime
    ended_at: datetime
    messages: int
    outcome: str
    trouble: str | None


_OF_TERMINAL: Final = terminal_call.c.terminal_id == sa.bindparam("of_terminal")
_LAST: Final = (
    sa.select(terminal_call)
    .where(_OF_TERMINAL)
    .order_by(terminal_call.c.serial.desc())
    .limit(sa.bindparam("most"))
)


class CallTables:
    """Calls within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(self, row: CallRow) -> None:
        """Note a call that is over."""
        serial = next_number(
            self._connection,
            terminal_call.c.serial,
            terminal_call.c.terminal_id == row.terminal_id,
            of=row.terminal_id,
        )
        self._connection.execute(
            sa.insert(terminal_call),
            {
                "terminal_id": row.terminal_id,
                "serial": serial,
                "line": row.line,
                "began_at": row.began_at,
                "ended_at": row.ended_at,
                "messages": row.messages,
                "outcome": row.outcome,
                "trouble": row.trouble,
            },
        )

    def last_of(self, terminal_id: str, most: int) -> list[CallRow]:
        """The newest calls of a terminal, the newest first."""
        found = self._connection.execute(
            _LAST, {"of_terminal": terminal_id, "most": most}
        )
        return [_call_row(row) for row in found]


def _call_row(row: Any) -> CallRow:
    return CallRow(
        terminal_id=row.terminal_id,
        line=row.line,
        began_at=row.began_at,
        ended_at=row.ended_at,
        messages=row.messages,
        outcome=row.outcome,
        trouble=row.trouble,
    )
