"""What downloads tell the counter (see `settlement.download_machine`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from settlement.upload_events import LoggedOn, Refused, ResponseDiscarded

if TYPE_CHECKING:
    from settlement.download import DownloadForm, DownloadKind, Entries, Held, OfferHead

__all__ = [
    "ChunkReceived",
    "DownloadBegun",
    "DownloadEvent",
    "DownloadFailed",
    "Downloaded",
    "LoggedOn",
    "Refused",
    "ResponseDiscarded",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadBegun:
    """A payload begins: what was kept of another one for this kind is of no use.

    Attributes:
        base: what is held and the payload starts from.
    """

    kind: DownloadKind
    base: Held
    head: OfferHead


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReceived:
    """The next chunk of the payload that was begun; keep it, to go on after a cut.

    Attributes:
        data: it follows what came before without a gap.
        done: bytes received, this chunk among them.
        total: bytes of the payload.
    """

    kind: DownloadKind
    data: bytes = field(repr=False)
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A whole content, its digest verified: put it in the place of the one held.

    Attributes:
        form: DELTA or FULL as it came; UNCHANGED when only the version is newer.
        payload_bytes: what came over the line for it, compressed; 0 when unchanged.
    """

    kind: DownloadKind
    held: Held
    entries: Entries = field(repr=False)
    form: DownloadForm
    payload_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFailed:
    """Nothing new of this kind in this call; what is held stays in use.

    Attributes:
        reason: why; what was kept of an unfinished payload is to be forgotten.
        head: of the payload that came whole and could not be used: the same one would
            be as useless again. None when the bank gave none.
    """

    kind: DownloadKind
    reason: str
    head: OfferHead | None = None


DownloadEvent = (
    LoggedOn
    | Refused
    | DownloadBegun
    | ChunkReceived
    | Downloaded
    | DownloadFailed
    | ResponseDiscarded
)
