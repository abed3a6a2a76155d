"""What the bank has for a terminal that asks: nothing, a difference, or all of it.

Which payload leads from one content to another depends on nothing but the two: asked
again, in another call or by another host process, it is the same bytes. So a download
that was cut goes on at the chunk where it stood, also when something newer has been
published meanwhile; the terminal then asks for the rest of the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from settlement.download import (
    PAYLOAD_DIGEST_BYTES,
    DownloadKind,
    DownloadQuery,
    Held,
    Offer,
)
from settlement.download_codec import (
    content_digest,
    make_payload,
    nothing_held,
    offer_head,
)
from settlement.messages import TerminalVersions

if TYPE_CHECKING:
    from settlement.download import Entries

__all__ = ["DELTA_VERSIONS_MAX", "OfferMaker", "Published"]

DELTA_VERSIONS_MAX: Final = 1000
"""How far back a difference is looked for; who is further behind is sent all of it.
Versions of requests are counted over all offices: for them there is no such limit."""
_DIGESTS_KEPT: Final = 4096
"""Digests that are remembered; older ones are made again when they are asked for."""


class Published(Protocol):
    """Every version of what is published, as one office's counters are to see it."""

    @property
    def office(self) -> str:
        """Whose counters; empty when all are told the same."""
        ...

    def newest(self, kind: DownloadKind) -> int:
        """The newest version; 0 when nothing was ever published."""
        ...

    def entries(self, kind: DownloadKind, version: int) -> Entries:
        """The content of a version."""
        ...


class OfferMaker:
    """Makes offers from the books. Threads may share it."""

    def __init__(self) -> None:
        """Know no digest yet."""
        # A version's content never changes, so neither does its digest.
        self._digests: dict[tuple[str, DownloadKind, int], bytes] = {}

    def holdings(self, tables: Published) -> tuple[TerminalVersions, bytes]:
        """The newest versions, and the beginnings of their digests, for a logon."""
        newest = [self._held(tables, kind) for kind in DownloadKind]
        parameters, hotlist, catalogue, requests = (held.version for held in newest)
        versions = TerminalVersions(
            parameters=parameters,
            hotlist=hotlist,
            catalogue=catalogue,
            requests=requests,
        )
        return versions, b"".join(held.digest[:PAYLOAD_DIGEST_BYTES] for held in newest)

    def offer(self, tables: Published, query: DownloadQuery) -> Offer:
        """What leads from what is held to what is wanted, or else to the newest."""
        newest = tables.newest(query.kind)
        wanted = query.wanted
        if wanted is not None and 0 < wanted.version < newest:
            begun = self._to_version(tables, query, wanted.version)
            if begun.head is not None and begun.head.wanted == wanted:
                return begun
        return self._to_version(tables, query, newest)

    def _to_version(
        self, tables: Published, query: DownloadQuery, version: int
    ) -> Offer:
        kind, held = query.kind, query.held
        target = self._held(tables, kind, version)
        if held.digest == target.digest:
            return Offer(version=version)
        base: Entries | None = None
        if held == nothing_held(kind):
            base = {}
        elif _oldest_base(kind, version) <= held.version <= version:
            base = tables.entries(kind, held.version)
            if content_digest(kind, base) != held.digest:
                base = None
        entries = tables.entries(kind, version)
        form, payload = make_payload(kind, entries, base)
        head = offer_head(form, target, payload)
        return Offer(version=version, head=head, payload=payload)

    def _held(
        self,
        tables: Published,
        kind: DownloadKind,
        version: int | None = None,
    ) -> Held:
        version = tables.newest(kind) if version is None else version
        # Requests are told to each office apart; all else is the same for everybody.
        office = tables.office if kind is DownloadKind.REQUESTS else ""
        digest = self._digests.get((office, kind, version))
        if digest is None:
            digest = content_digest(kind, tables.entries(kind, version))
            while len(self._digests) >= _DIGESTS_KEPT:
                self._digests.pop(next(iter(self._digests)), None)
            self._digests[office, kind, version] = digest
        return Held(version=version, digest=digest)


def _oldest_base(kind: DownloadKind, version: int) -> int:
    if kind is DownloadKind.REQUESTS:
        return 1
    return max(1, version - DELTA_VERSIONS_MAX)
