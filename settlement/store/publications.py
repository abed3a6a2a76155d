"""What the bank publishes, in the database: every version that ever was.

A row says that from this version on an entry has this value, or is gone. So the
content of any version can be made again, and the difference between any two. The
hotlist has a table of its own, with the reasons; the other kinds share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.download import DownloadKind
from settlement.store.holds import hold_name
from settlement.store.schema import hotlist, published, request_published

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["HotlistRow", "PublicationTables", "PublishedVersion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVersion:
    """One version of one kind.

    Attributes:
        changes: how many entries it added, changed or removed.
        at: the bank's time, UTC.
    """

    kind: DownloadKind
    version: int
    changes: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlistRow:
    """A card that is on the hotlist.

    Attributes:
        cid: its number, 8 bytes.
        reason: for people at the bank.
        since: when it was put there, UTC.
    """

    cid: bytes
    reason: str
    since: datetime


class PublicationTables:
    """Versions and entries within one transaction, as they are told to everybody."""

    office: Final = ""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def hold(self, kind: DownloadKind) -> None:
        """Keep others from publishing this kind until the transaction ends.

        A version is then the work of one transaction, and what it changes is compared
        with the version before it.
        """
        hold_name(self._connection, f"publication {kind.name}")

    def newest(self, kind: DownloadKind) -> int:
        """The newest version; 0 when nothing was ever published."""
        if kind is DownloadKind.HOTLIST:
            query = sa.select(sa.func.max(hotlist.c.version))
        else:
            query = sa.select(sa.func.max(published.c.version)).where(
                published.c.kind == kind
            )
        return self._connection.execute(query).scalar() or 0

    def entries(self, kind: DownloadKind, version: int) -> dict[bytes, bytes]:
        """The content of a version."""
        if kind is DownloadKind.HOTLIST:
            rows = self._connection.execute(
                sa.select(hotlist.c.cid, hotlist.c.listed)
                .where(hotlist.c.version <= version)
                .order_by(hotlist.c.version, hotlist.c.serial)
            )
            listed = {row.cid: row.listed for row in rows}
            return {cid: b"" for cid, is_listed in listed.items() if is_listed}
        found = self._connection.execute(
            sa.select(published.c.key, published.c.value)
            .where(published.c.kind == kind, published.c.version <= version)
            .order_by(published.c.version)
        )
        values = {row.key: row.value for row in found}
        return {key: value for key, value in values.items() if value is not None}

    def has(self, kind: DownloadKind, key: bytes) -> bool:
        """Whether a key was ever published; of any kind but the hotlist."""
        query = sa.select(published.c.key).where(
            published.c.kind == kind, published.c.key == key
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def publish(
        self, kind: DownloadKind, entries: Mapping[bytes, bytes], at: datetime
    ) -> int:
        """Make ``entries`` the newest content; of any kind but the hotlist.

        Returns:
            The newest version; nothing is written when the content is as it was.
        """
        assert kind is not DownloadKind.HOTLIST, "the hotlist has its own table"
        self.hold(kind)
        newest = self.newest(kind)
        before = self.entries(kind, newest)
        changes: dict[bytes, bytes | None] = {
            key: value for key, value in entries.items() if before.get(key) != value
        }
        changes |= dict.fromkeys(before.keys() - entries.keys())
        if not changes:
            return newest
        if kind is DownloadKind.REQUESTS:
            # Counted together with the lists of the offices.
            own = sa.select(sa.func.max(request_published.c.version))
            newest = max(newest, self._connection.execute(own).scalar() or 0)
        rows = [
            {"kind": kind, "version": newest + 1, "key": key, "value": value, "at": at}
            for key, value in sorted(changes.items())
        ]
        self._connection.execute(sa.insert(published), rows)
        return newest + 1

    def list_cards(
        self, reasons: Mapping[bytes, str], *, listed: bool, since: datetime
    ) -> int:
        """Put cards on the hotlist, or take them off, as one version.

        Args:
            reasons: why, by card number; only cards that change.
            listed: on it from now on, or off it.
            since: now, UTC.

        Returns:
            The newest version.
        """
        self.hold(DownloadKind.HOTLIST)
        newest = self.newest(DownloadKind.HOTLIST)
        if not reasons:
            return newest
        serials = self._hotlist_serials()
        rows = [
            {
                "cid": cid,
                "serial": serials.get(cid, 0) + 1,
                "version": newest + 1,
                "listed": listed,
                "reason": reason,
                "since": since,
            }
            for cid, reason in sorted(reasons.items())
        ]
        self._connection.execute(sa.insert(hotlist), rows)
        return newest + 1

    def hotlist(self) -> list[HotlistRow]:
        """Every card on the hotlist, by number."""
        rows = self._connection.execute(
            sa.select(hotlist).order_by(hotlist.c.cid, hotlist.c.serial)
        )
        latest = {row.cid: row for row in rows}
        return [
            HotlistRow(cid=row.cid, reason=row.reason, since=row.since)
            for row in latest.values()
            if row.listed
        ]

    def versions(self, kind: DownloadKind) -> Sequence[PublishedVersion]:
        """Every version of a kind, oldest first."""
        table, at = (
            (hotlist, hotlist.c.since)
            if kind is DownloadKind.HOTLIST
            else (published, published.c.at)
        )
        query = (
            sa.select(
                table.c.version,
                sa.func.count().label("changes"),
                sa.func.min(at).label("at"),
            )
            .group_by(table.c.version)
            .order_by(table.c.version)
        )
        if kind is not DownloadKind.HOTLIST:
            query = query.where(table.c.kind == kind)
        return [
            PublishedVersion(
                kind=kind, version=row.version, changes=row.changes, at=row.at
            )
            for row in self._connection.execute(query)
        ]

    def _hotlist_serials(self) -> dict[bytes, int]:
        rows = self._connection.execute(
            sa.select(
                hotlist.c.cid, sa.func.max(hotlist.c.serial).label("newest")
            ).group_by(hotlist.c.cid)
        )
        return {row.cid: row.newest for row in rows}
