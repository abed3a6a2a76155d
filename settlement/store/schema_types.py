"""The kinds of column that the bank's tables are made of, and the list of tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = [
    "EVERYWHERE",
    "WHOLE",
    "UTCTime",
    "by",
    "bytes_column",
    "card_column",
    "integer_column",
    "metadata",
    "text_column",
    "time_column",
]


class UTCTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time as text with microseconds."""

    # As SQLAlchemy documents it; its base class declares both wider than it reads them.
    impl = sa.String(27)  # type: ignore[mutable-override]  # see above
    cache_ok = True  # type: ignore[mutable-override]  # see above

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> str | None:
        """To the database."""
        if value is None:
            return None
        assert value.utcoffset() is not None, "times carry their zone"
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        # Its last six characters are +00:00.
        return utc.isoformat(timespec="microseconds")[:-6] + "Z"

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromisoformat(value)


WHOLE: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A whole number of 8 bytes; on SQLite an INTEGER is one, and can be a row's number."""

EVERYWHERE: Final[dict[str, str | None]] = {"distributed_by": None}
"""For ``Table.info``: a copy of the table is on every machine of a large bank."""


def by(column: str) -> dict[str, str | None]:
    """For ``Table.info``: which column says on which machine a row is.

    ``docs/database.md`` tells what follows for keys and references.
    """
    return {"distributed_by": column}


metadata = sa.MetaData()


@sa.event.listens_for(sa.Table, "after_parent_attach")
def _state_lengths(table: sa.Table, owner: object) -> None:
    """Make the length of a column of bytes a rule; neither database does by itself."""
    if owner is not metadata:
        return
    for column in table.columns:
        length = getattr(column.type, "length", None)
        if isinstance(column.type, sa.LargeBinary) and length is not None:
            name = f"{column.name}_is_{length}_bytes"
            rule = sa.CheckConstraint(f"length({column.name}) = {length}", name=name)
            table.append_constraint(rule)


def card_column(name: str = "cid") -> sa.Column[bytes]:
    """A card number, 8 bytes."""
    return sa.Column(name, sa.LargeBinary(8), nullable=False)


def integer_column(name: str) -> sa.Column[int]:
    """A whole number; amounts are in minor units."""
    return sa.Column(name, WHOLE, nullable=False)


def text_column(name: str) -> sa.Column[str]:
    """Text that is always there."""
    return sa.Column(name, sa.String, nullable=False)


def time_column(name: str) -> sa.Column[datetime]:
    """A time, see `UTCTime`."""
    return sa.Column(name, UTCTime, nullable=False)


def bytes_column(name: str, length: int) -> sa.Column[bytes]:
    """Bytes of a fixed length."""
    return sa.Column(name, sa.LargeBinary(length), nullable=False)
