"""What each office's counters are told of payment requests: every version that was.

A row says that from this version on a request is offered with this value, or no longer.
Versions are counted over all offices and the list that `publish` makes together, so the
list of an office only ever gets a greater one, and gets one only when it changes.

Nobody reads an office's history from its beginning: whenever as many rows have come as
the list has entries, all entries are kept once as a *snapshot*, and a version is read
as the snapshot before it and the rows since. So a call costs what the office has open,
and not what it ever had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from settlement.download import DownloadKind
from settlement.download_codec import encode_content, parse_content
from settlement.download_items import parse_request
from settlement.errors import DownloadError
from settlement.store.schema import published
from settlement.store.schema_requests import request_published, request_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from settlement.store.publications import PublicationTables

__all__ = ["OfficePublications", "RequestPublications"]

SNAPSHOT_ROWS_MIN: Final = 500
"""Rows between two snapshots at least: a short list is not kept all the time."""

_REQUESTS: Final = DownloadKind.REQUESTS
_rows = request_published
_snapshots = request_snapshot


class RequestPublications:
    """Lists of requests by office, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def newest(self, office: str) -> int:
        """The newest version of an office's list; 0 when it never had one."""
        query = sa.select(sa.func.max(_rows.c.version)).where(_rows.c.office == office)
        return self._connection.execute(query).scalar() or 0

    def entries(self, office: str, version: int) -> dict[bytes, bytes]:
        """An office's list in a version: values by request number."""
        begun, entries = self._snapshot(office, version)
        query = (
            sa.select(_rows.c.number, _rows.c.value)
            .where(
                _rows.c.office == office,
                _rows.c.version > begun,
                _rows.c.version <= version,
            )
            .order_by(_rows.c.version)
        )
        for row in self._connection.execute(query):
            if row.value is None:
                entries.pop(row.number.encode(), None)
            else:
                entries[row.number.encode()] = row.value
        return entries

    def publish(
        self, office: str, changes: Mapping[str, bytes | None], at: datetime
    ) -> int:
        """Change an office's list.

        Args:
            office: whose.
            changes: by request number the value from now on, or None to take it off.
            at: the bank's time.

        Returns:
            The new version.
        """
        assert changes, "a version changes something"
        version = self.newest_of_all() + 1
        self._connection.execute(
            sa.insert(_rows),
            [
                {
                    "office": office,
                    "version": version,
                    "number": number,
                    "value": value,
                    "at": at,
                }
                for number, value in sorted(changes.items())
            ],
        )
        self._keep_snapshot(office, version)
        return version

    def newest_of_all(self) -> int:
        """The newest version of any list of requests."""
        own = sa.select(sa.func.max(_rows.c.version))
        listed = sa.select(sa.func.max(published.c.version)).where(
            published.c.kind == _REQUESTS
        )
        found = (self._connection.execute(query).scalar() for query in (own, listed))
        return max(version or 0 for version in found)

    def _snapshot(self, office: str, version: int) -> tuple[int, dict[bytes, bytes]]:
        query = (
            sa.select(_snapshots)
            .where(_snapshots.c.office == office, _snapshots.c.version <= version)
            .order_by(_snapshots.c.version.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        if row is None:
            return 0, {}
        return row.version, parse_content(_REQUESTS, row.content)

    def _keep_snapshot(self, office: str, version: int) -> None:
        before, entries = self._snapshot(office, version)
        query = sa.select(sa.func.count()).where(
            _rows.c.office == office, _rows.c.version > before
        )
        count = self._connection.execute(query).scalar_one()
        if count < max(SNAPSHOT_ROWS_MIN, len(entries)):
            return
        content = encode_content(_REQUESTS, self.entries(office, version))
        self._connection.execute(
            sa.insert(_snapshots),
            {"office": office, "version": version, "content": content},
        )


class OfficePublications:
    """What the counters of one office are told, of every kind.

    The list that bank operations publish as a file is told too, as far as it is for
    this office or for any; a request that the bank follows itself goes before one of
    the file with its number.
    """

    def __init__(
        self, tables: PublicationTables, requests: RequestPublications, office: str
    ) -> None:
        """Read what is published as the counters of ``office`` are to see it."""
        self._tables = tables
        self._requests = requests
        self.office = office

    def newest(self, kind: DownloadKind) -> int:
        """The newest version; 0 when nothing was ever published."""
        listed = self._tables.newest(kind)
        if kind is not _REQUESTS:
            return listed
        return max(listed, self._requests.newest(self.office))

    def entries(self, kind: DownloadKind, version: int) -> dict[bytes, bytes]:
        """The content of a version."""
        listed = self._tables.entries(kind, version)
        if kind is not _REQUESTS:
            return listed
        own = {key: value for key, value in listed.items() if self._is_told(key, value)}
        return own | self._requests.entries(self.office, version)

    def _is_told(self, key: bytes, value: bytes) -> bool:
        try:
            return parse_request(key, value).office in {"", self.office}
        except DownloadError:
            return True
