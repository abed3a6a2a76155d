"""How fetching from the bank went, as the clerk is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from settlement.download import DownloadKind
    from terminal.download_failures import FailureNote

__all__ = ["DownloadsResult", "Fetched", "Unusable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One kind that is new here.

    Attributes:
        count: entries now.
        payload_bytes: what came over the line for it.
    """

    kind: DownloadKind
    version: int
    count: int
    payload_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """One kind of which the bank holds what this counter cannot use.

    Attributes:
        note: which content, how often it came and when last.
        came: whether it came in this call; else it was left at the bank.
    """

    kind: DownloadKind
    note: FailureNote
    came: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadsResult:
    """What a call has brought.

    Attributes:
        fetched: the kinds that are new, in the order in which they came.
        failed: the kinds that did not come, each with the reason; what was held of
            them stays in use.
        unusable: those of which what the bank holds cannot be used; likewise.
        trouble: why the rest did not come, or empty: all was asked for.
        clock_ahead: by how much the bank's clock is ahead, when that is too much.
    """

    fetched: tuple[Fetched, ...] = ()
    failed: tuple[tuple[DownloadKind, str], ...] = ()
    unusable: tuple[Unusable, ...] = ()
    trouble: str = ""
    clock_ahead: timedelta | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the counter now holds what the bank holds."""
        return not self.failed and not self.unusable and not self.trouble
