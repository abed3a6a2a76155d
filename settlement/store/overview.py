"""What bank operations look at: terminals, batches and cards, a page at a time.

Reads only. What is asked for each terminal is answered from an index, so that a scrape
of ten thousand terminals takes less than a second whatever the books hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.messages import Total
from settlement.store.calls import terminal_call
from settlement.store.records import Decision
from settlement.store.schema import (
    batch,
    batch_collected,
    incident,
    incident_closed,
    metadata,
    open_report,
    purse,
    record,
    terminal,
)
from settlement.store.staged import WAITING_OF_BATCH

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["BatchFacts", "BatchFilter", "OverviewTables", "TerminalFacts"]

_CARD_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalFacts:
    """A terminal as bank operations see it.

    Attributes:
        terminal_id: 8 characters.
        mid: the customs card in it, 8 bytes.
        office: customs office code.
        currency: ISO 4217 number.
        kv: version of the customs card's batch key.
        bound_at: when it got this binding.
        called_at: when its last call began that is over, or None.
        settled_at: when a batch of it was last reconciled, or None.
        first_seen_at: its first call or batch; only looked for when it never settled.
    """

    terminal_id: str
    mid: bytes
    office: str
    currency: int
    kv: int
    bound_at: datetime
    called_at: datetime | None
    settled_at: datetime | None
    first_seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches are meant; None is any.

    Attributes:
        terminal_id: of this terminal.
        office: of this office.
        number: with this number.
        since: opened at this time or later.
        reconciled: whether it was acknowledged.
    """

    terminal_id: str | None = None
    office: str | None = None
    number: int | None = None
    since: datetime | None = None
    reconciled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """A batch as bank operations see it; amounts in minor units.

    Attributes:
        terminal_id: who sent it.
        mid: customs card, 8 bytes.
        number: of the batch.
        office: customs office code.
        currency: ISO 4217 number.
        closed: what the customs card closed.
        opened: open records that it closed with.
        received: payments of it that have come, each once.
        waiting: of these, what has yet to be posted.
        posted: of these, what reached a payee.
        suspended: of these, what waits in suspense.
        reported: open records that have come.
        opened_at: when the bank first heard of it.
        reconciled_at: when it was acknowledged, or None.
    """

    terminal_id: str
    mid: bytes
    number: int
    office: str
    currency: int
    closed: Total
    opened: Total
    received: int
    waiting: int
    posted: Total
    suspended: Total
    reported: int
    opened_at: datetime
    reconciled_at: datetime | None = field(default=None)


_SAME_TERMINAL: Final = terminal.c.terminal_id
_later = terminal.alias("later")
_TERMINALS: Final = (
    sa.select(
        terminal,
        sa.select(sa.func.max(terminal_call.c.began_at))
        .where(
            terminal_call.c.terminal_id == _SAME_TERMINAL,
            terminal_call.c.serial
            == sa.select(sa.func.max(terminal_call.c.serial))
            .where(terminal_call.c.terminal_id == _SAME_TERMINAL)
            .correlate(terminal)
            .scalar_subquery(),
        )
        .correlate(terminal)
        .scalar_subquery()
        .label("called_at"),
        sa.select(sa.func.max(batch_collected.c.at))
        .where(batch_collected.c.terminal_id == _SAME_TERMINAL)
        .correlate(terminal)
        .scalar_subquery()
        .label("settled_at"),
    )
    .where(
        ~sa.exists().where(
            _later.c.terminal_id == terminal.c.terminal_id,
            _later.c.serial > terminal.c.serial,
        )
    )
    .order_by(terminal.c.terminal_id)
)
_FIRST_CALL: Final = sa.select(terminal_call.c.began_at).where(
    terminal_call.c.terminal_id == sa.bindparam("of_terminal"),
    terminal_call.c.serial == 1,
)
_FIRST_BATCH: Final = sa.select(sa.func.min(batch.c.opened_at)).where(
    batch.c.terminal_id == sa.bindparam("of_terminal")
)
_IN_BATCH: Final = (
    record.c.terminal_id == sa.bindparam("terminal_id"),
    record.c.mid == sa.bindparam("mid"),
    record.c.batch == sa.bindparam("batch"),
)
_BY_DECISION: Final = (
    sa.select(
        record.c.decision,
        sa.func.count().label("number"),
        sa.func.sum(record.c.amount_minor).label("sum_minor"),
    )
    .where(*_IN_BATCH)
    .group_by(record.c.decision)
)
_REPORTED: Final = sa.select(sa.func.count()).where(
    open_report.c.terminal_id == sa.bindparam("terminal_id"),
    open_report.c.mid == sa.bindparam("mid"),
    open_report.c.batch == sa.bindparam("batch"),
)


class OverviewTables:
    """The views of bank operations within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def terminals(self) -> list[TerminalFacts]:
        """All terminals with their newest binding, by id."""
        return [self._terminal(row) for row in self._connection.execute(_TERMINALS)]

    def batches(self, wanted: BatchFilter, most: int | None) -> list[BatchFacts]:
        """Batches, the newest first; at most so many, or all."""
        query = (
            sa.select(batch, batch_collected.c.at.label("reconciled_at"))
            .select_from(batch.outerjoin(batch_collected))
            .where(*_conditions(wanted))
            .order_by(batch.c.opened_at.desc(), batch.c.terminal_id, batch.c.batch)
            .limit(most)
        )
        return [self._batch(row) for row in self._connection.execute(query)]

    def cards_masked(self, head: bytes, tail: bytes, most: int) -> list[bytes]:
        """Card numbers that look like this when masked, at most so many.

        Args:
            head: the first 3 bytes.
            tail: the last 2 bytes.
            most: how many.
        """
        middle = _CARD_BYTES - len(head) - len(tail)
        query = (
            sa.select(purse.c.cid)
            .where(
                purse.c.cid >= head + bytes(middle) + bytes(len(tail)),
                purse.c.cid <= head + b"\xff" * (middle + len(tail)),
                sa.func.substr(purse.c.cid, _CARD_BYTES - len(tail) + 1)
                == sa.literal(tail, sa.LargeBinary),
            )
            .order_by(purse.c.cid)
            .limit(most)
        )
        return list(self._connection.execute(query).scalars())

    def counts(self) -> dict[str, int]:
        """How many rows each table has, by name."""
        return {
            table.name: self._connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.tables.values()
        }

    def incidents_open(self) -> dict[str, int]:
        """How many incidents are open, by code."""
        query = (
            sa.select(incident.c.code, sa.func.count().label("number"))
            .select_from(incident.outerjoin(incident_closed))
            .where(incident_closed.c.incident_id.is_(None))
            .group_by(incident.c.code)
        )
        return {row.code: row.number for row in self._connection.execute(query)}

    def _terminal(self, row: Any) -> TerminalFacts:
        first = None if row.settled_at is not None else self._first(row.terminal_id)
        return TerminalFacts(
            terminal_id=row.terminal_id,
            mid=row.mid,
            office=row.office,
            currency=row.currency,
            kv=row.kv,
            bound_at=row.bound_at,
            called_at=row.called_at,
            settled_at=row.settled_at,
            first_seen_at=first,
        )

    def _first(self, terminal_id: str) -> datetime | None:
        of_terminal = {"of_terminal": terminal_id}
        seen: list[datetime] = [
            at
            for query in (_FIRST_CALL, _FIRST_BATCH)
            if (at := self._connection.execute(query, of_terminal).scalar()) is not None
        ]
        return min(seen, default=None)

    def _batch(self, row: Any) -> BatchFacts:
        key = {"terminal_id": row.terminal_id, "mid": row.mid, "batch": row.batch}
        made = {
            Decision(found.decision): Total(
                count=found.number, sum_minor=found.sum_minor
            )
            for found in self._connection.execute(_BY_DECISION, key)
        }
        waiting = self._connection.execute(WAITING_OF_BATCH, key).scalar_one()
        suspended = _sum(made, Decision.HELD, Decision.SUSPENDED)
        return BatchFacts(
            terminal_id=row.terminal_id,
            mid=row.mid,
            number=row.batch,
            office=row.office,
            currency=row.currency,
            # A Row is a tuple too, and its `count` is the tuple's method.
            closed=Total(count=row._mapping["count"], sum_minor=row.sum_minor),
            opened=Total(count=row.open_count, sum_minor=row.open_sum_minor),
            received=sum(made[one].count for one in made if one.in_batch) + waiting,
            waiting=waiting,
            posted=_sum(made, Decision.POSTED),
            suspended=suspended,
            reported=self._connection.execute(_REPORTED, key).scalar_one(),
            opened_at=row.opened_at,
            reconciled_at=row.reconciled_at,
        )


def _conditions(wanted: BatchFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.terminal_id is not None:
        found.append(batch.c.terminal_id == wanted.terminal_id)
    if wanted.office is not None:
        found.append(batch.c.office == wanted.office)
    if wanted.number is not None:
        found.append(batch.c.batch == wanted.number)
    if wanted.since is not None:
        found.append(batch.c.opened_at >= wanted.since)
    if wanted.reconciled is not None:
        is_open = batch_collected.c.at.is_(None)
        found.append(~is_open if wanted.reconciled else is_open)
    return found


def _sum(made: dict[Decision, Total], *decisions: Decision) -> Total:
    found = [made[one] for one in decisions if one in made]
    return Total(
        count=sum(one.count for one in found),
        sum_minor=sum(one.sum_minor for one in found),
    )
