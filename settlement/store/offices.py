"""Customs offices in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from settlement.store.numbers import next_number
from settlement.store.schema import office

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["OfficeRow", "OfficeTables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeRow:
    """A customs office as it is called now.

    Attributes:
        code: its code, as terminals name it.
        name: its English name.
        name_ar: its Arabic name, or empty.
        currency: ISO 4217 number of what it collects, for ever.
    """

    code: str
    name: str
    name_ar: str
    currency: int


class OfficeTables:
    """Offices within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def office(self, code: str) -> OfficeRow | None:
        """An office as it is called now, or None when there is none of that code."""
        query = (
            sa.select(office)
            .where(office.c.code == code)
            .order_by(office.c.serial.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _office_row(row)

    def offices(self) -> list[OfficeRow]:
        """All offices as they are called now, by code."""
        query = sa.select(office).order_by(office.c.code, office.c.serial)
        newest = {row.code: row for row in self._connection.execute(query)}
        return [_office_row(row) for row in newest.values()]

    def note(self, row: OfficeRow, by: str, at: datetime) -> None:
        """Note an office, or its other names from now on.

        Raises:
            LedgerError: it has another currency; the transaction must end.
        """
        serial = next_number(
            self._connection, office.c.serial, office.c.code == row.code, of=row.code
        )
        self._connection.execute(
            sa.insert(office),
            {
                "code": row.code,
                "serial": serial,
                "name": row.name,
                "name_ar": row.name_ar,
                "currency": row.currency,
                "noted_by": by,
                "at": at,
            },
        )


def _office_row(row: sa.Row[Any]) -> OfficeRow:
    return OfficeRow(
        code=row.code, name=row.name, name_ar=row.name_ar, currency=row.currency
    )
