"""The kinds of column that the bank's tables are made of, and the list of tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = [
    "UTCTime",
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
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(timespec="microseconds") + "Z"

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromisoformat(value)


metadata = sa.MetaData()


def card_column(name: str = "cid") -> sa.Column[bytes]:
    """A card number, 8 bytes."""
    return sa.Column(name, sa.LargeBinary(8), nullable=False)


def integer_column(name: str) -> sa.Column[int]:
    """A whole number; amounts are in minor units."""
    return sa.Column(name, sa.Integer, nullable=False)


def text_column(name: str) -> sa.Column[str]:
    """Text that is always there."""
    return sa.Column(name, sa.String, nullable=False)


def time_column(name: str) -> sa.Column[datetime]:
    """A time, see `UTCTime`."""
    return sa.Column(name, UTCTime, nullable=False)


def bytes_column(name: str, length: int) -> sa.Column[bytes]:
    """Bytes of a fixed length."""
    return sa.Column(name, sa.LargeBinary(length), nullable=False)
