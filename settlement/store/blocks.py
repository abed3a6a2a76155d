"""Hotlisted cards that were blocked when they were seen, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.store.inserts import insert_unless_there
from settlement.store.schema import hotlist
from settlement.store.schema_suspense import hotlist_block

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["BlockRow", "BlockTables", "Listing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A card's newest line on the hotlist, when it stands there.

    Attributes:
        serial: of the line, among those of this card.
        reason: for people at the bank.
        blocked: whether the card was blocked because of it.
    """

    serial: int
    reason: str
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """That a hotlisted card was blocked.

    Attributes:
        contact: what it was brought for, and where.
        by_command: the bank blocked it then; else it was found blocked.
        user: who ran the command.
        at: the bank's time.
    """

    contact: str
    by_command: bool
    user: str
    at: datetime


_NEWEST: Final = (
    sa.select(hotlist.c.serial, hotlist.c.listed, hotlist.c.reason)
    .where(hotlist.c.cid == sa.bindparam("of_cid"))
    .order_by(hotlist.c.serial.desc())
    .limit(1)
)


class BlockTables:
    """Blocks within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def listing(self, cid: bytes) -> Listing | None:
        """Why a card is to be blocked; None when it is not on the hotlist."""
        row = self._connection.execute(_NEWEST, {"of_cid": cid}).first()
        if row is None or not row.listed:
            return None
        blocked = self._connection.execute(
            sa.select(hotlist_block.c.serial).where(
                hotlist_block.c.cid == cid, hotlist_block.c.serial == row.serial
            )
        ).first()
        return Listing(
            serial=row.serial, reason=row.reason, blocked=blocked is not None
        )

    def add(self, cid: bytes, listing: Listing, row: BlockRow) -> None:
        """Note that a card was blocked because of this listing."""
        insert_unless_there(
            self._connection,
            hotlist_block,
            {
                "cid": cid,
                "serial": listing.serial,
                "contact": row.contact,
                "by_command": row.by_command,
                "user": row.user,
                "at": row.at,
            },
        )

    def blocks(self) -> dict[bytes, BlockRow]:
        """The newest block of every card that has one because of its newest listing."""
        newest = (
            sa.select(hotlist.c.cid, sa.func.max(hotlist.c.serial).label("serial"))
            .group_by(hotlist.c.cid)
            .subquery()
        )
        query = sa.select(hotlist_block).join(
            newest,
            (newest.c.cid == hotlist_block.c.cid)
            & (newest.c.serial == hotlist_block.c.serial),
        )
        return {
            row.cid: BlockRow(
                contact=row.contact,
                by_command=row.by_command,
                user=row.user,
                at=row.at,
            )
            for row in self._connection.execute(query)
        }
