"""What the bank has for a terminal that asks: nothing, a difference, or all of it.

Which payload leads from one content to another depends on nothing but the two: asked
again, in another call or by another host process, it is the same bytes. So a download
that was cut goes on at the chunk where it stood, also when something newer has been
published meanwhile; the terminal then asks for the rest of the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    from settlement.store.publications import PublicationTables

__all__ = ["DELTA_VERSIONS_MAX", "OfferMaker"]

DELTA_VERSIONS_MAX: Final = 1000
"""How far back a difference is looked for; who is further behind is sent all of it."""


class OfferMaker:
    """Makes offers from the books. Threads may share it."""

    def __init__(self) -> None:
        """Know no digest yet."""
        # A version's content never changes, so neither does its digest.
        self._digests: dict[tuple[DownloadKind, int], bytes] = {}

    def holdings(self, tables: PublicationTables) -> tuple[TerminalVersions, bytes]:
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

    def offer(self, tables: PublicationTables, query: DownloadQuery) -> Offer:
        """What leads from what is held to what is wanted, or else to the newest."""
        newest = tables.newest(query.kind)
        wanted = query.wanted
        if wanted is not None and 0 < wanted.version < newest:
            begun = self._to_version(tables, query, wanted.version)
            if begun.head is not None and begun.head.wanted == wanted:
                return begun
        return self._to_version(tables, query, newest)

    def _to_version(
        self, tables: PublicationTables, query: DownloadQuery, version: int
    ) -> Offer:
        kind, held = query.kind, query.held
        target = self._held(tables, kind, version)
        if held.digest == target.digest:
            return Offer(version=version)
        base: Entries | None = None
        if held == nothing_held(kind):
            base = {}
        elif max(1, version - DELTA_VERSIONS_MAX) <= held.version <= version:
            base = tables.entries(kind, held.version)
            if content_digest(kind, base) != held.digest:
                base = None
        entries = tables.entries(kind, version)
        form, payload = make_payload(kind, entries, base)
        head = offer_head(form, target, payload)
        return Offer(version=version, head=head, payload=payload)

    def _held(
        self,
        tables: PublicationTables,
        kind: DownloadKind,
        version: int | None = None,
    ) -> Held:
        version = tables.newest(kind) if version is None else version
        digest = self._digests.get((kind, version))
        if digest is None:
            digest = content_digest(kind, tables.entries(kind, version))
            self._digests[kind, version] = digest
        return Held(version=version, digest=digest)
