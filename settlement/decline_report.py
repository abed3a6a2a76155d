"""What a counter tells of one payment request that its clerk declined."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from settlement.data_objects import DetailTag, encode_objects
from settlement.payment import TEXT_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REASON_BYTES_MAX", "DeclineReport"]

REASON_BYTES_MAX: Final = 120
"""Bytes of why a request was declined, in UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineReport:
    """What a counter tells of one decline.

    Attributes:
        number: of the request, 1 to 32 bytes.
        reason: what the clerk gave, 1 to 120 bytes.
        clerk: who was signed on, up to 32 bytes.
        at: when, the counter's time, aware, whole seconds.
    """

    number: str
    reason: str
    clerk: str
    at: datetime

    def __post_init__(self) -> None:
        assert 0 < len(self.number.encode()) <= TEXT_BYTES_MAX, "a number fits"
        assert 0 < len(self.reason.encode()) <= REASON_BYTES_MAX, "a reason fits"
        assert len(self.clerk.encode()) <= TEXT_BYTES_MAX, "a clerk fits"
        texts = self.number + self.reason + self.clerk
        assert texts.isprintable(), "the host refuses control characters"
        assert self.at.utcoffset() is not None, "times carry their zone"
        assert self.at.microsecond == 0, "the message has whole seconds"

    @property
    def content(self) -> bytes:
        """Digest of all of it, 32 bytes: told again it has the same."""
        return hashlib.sha256(encode_objects(self._objects())).digest()

    def _objects(self) -> Iterable[tuple[int, bytes]]:
        at = self.at.astimezone(UTC)
        yield DetailTag.REQUEST_NUMBER, self.number.encode()
        if self.clerk:
            yield DetailTag.CLERK, self.clerk.encode()
        yield DetailTag.DECLINE_REASON, self.reason.encode()
        yield DetailTag.DECLINED_AT, bytes.fromhex(f"{at.year:04d}{at:%m%d%H%M%S}")

    def to_bytes(self) -> bytes:
        """Field 48."""
        return encode_objects(self._objects())
