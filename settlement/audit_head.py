"""Where a terminal's audit log stood when it sent a batch.

A terminal chains every entry of its journal to the one before (`terminal.audit`). The
newest link stands for all entries up to it, so a bank that keeps the links it was sent
can later tell whether the entries it is shown are those of that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

__all__ = ["AUDIT_HEAD_BYTES", "AuditHead"]

_JOURNAL_BYTES: Final = 8
_ENTRIES_BYTES: Final = 4
_DIGEST_BYTES: Final = 32
AUDIT_HEAD_BYTES: Final = _JOURNAL_BYTES + _ENTRIES_BYTES + _DIGEST_BYTES
"""On the wire: journal, number of entries (big-endian), link of the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The newest link of one journal's chain.

    Attributes:
        journal: 8 random bytes by which a journal made anew is told from the old one.
        entries: how many entries there were, from 1.
        digest: the newest entry's link, 32 bytes of SHA-256.
    """

    journal: bytes
    entries: int
    digest: bytes

    def __post_init__(self) -> None:
        assert len(self.journal) == _JOURNAL_BYTES, "a journal's name has 8 bytes"
        assert 0 < self.entries < 1 << 32, "entries are counted in 4 bytes, from 1"
        assert len(self.digest) == _DIGEST_BYTES, "a link has 32 bytes"

    def to_bytes(self) -> bytes:
        """Journal (8 bytes), entries (4, big-endian), link (32)."""
        return self.journal + self.entries.to_bytes(_ENTRIES_BYTES) + self.digest

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Undo `to_bytes`.

        Raises:
            ValueError: it is not 44 bytes long, or counts no entry.
        """
        if len(data) != AUDIT_HEAD_BYTES:
            raise ValueError(f"an audit head has {AUDIT_HEAD_BYTES} bytes")
        rest = data[_JOURNAL_BYTES:]
        entries = int.from_bytes(rest[:_ENTRIES_BYTES])
        if entries == 0:
            raise ValueError("an audit log is never empty")
        return cls(
            journal=data[:_JOURNAL_BYTES],
            entries=entries,
            digest=rest[_ENTRIES_BYTES:],
        )
