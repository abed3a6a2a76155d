"""What came down whole and could not be used: noted, so that it does not come again.

Such a content is spoiled at the bank, most likely, and would be as useless the next
time; on a telephone line each time costs minutes. So the counter remembers which one it
was, beside the contents, and leaves it alone for a day. Another content, which is what
the bank publishes when it has put it right, is fetched with the next call as ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from settlement.download import Held
from settlement.shown_text import text_fault

if TYPE_CHECKING:
    from settlement.download import OfferHead

__all__ = ["RETRY_AFTER", "FailureNote", "note_failure", "parse_failure"]

RETRY_AFTER: Final = timedelta(days=1)
"""The bank's program may be put right while what it publishes stays as it is."""
_TIMES_MAX: Final = 1_000_000
_REASON_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureNote:
    """A content that could not be used.

    Attributes:
        target: which one, as the bank has told.
        payload_digest: of the payload that was to make it, 8 bytes.
        times: how often it came, from 1.
        at: when last, by this machine's clock, aware UTC.
        reason: what was wrong.
    """

    target: Held
    payload_digest: bytes
    times: int
    at: datetime
    reason: str

    @property
    def again_at(self) -> datetime:
        """When it is worth another try."""
        return self.at + RETRY_AFTER

    def is_due(self, now: datetime) -> bool:
        """Whether it is; also when the clock was set back, for it says nothing then."""
        return now < self.at or now >= self.again_at

    def to_bytes(self) -> bytes:
        """For `parse_failure`."""
        noted = {
            "version": self.target.version,
            "digest": self.target.digest.hex(),
            "payload": self.payload_digest.hex(),
            "times": self.times,
            "at": self.at.isoformat(timespec="seconds"),
            "reason": self.reason,
        }
        return json.dumps(noted, ensure_ascii=False).encode()


def note_failure(
    before: FailureNote | None, head: OfferHead, reason: str, now: datetime
) -> FailureNote:
    """What to note of a payload that could not be used, given what was noted before."""
    again = before is not None and before.target == head.target
    return FailureNote(
        target=head.target,
        payload_digest=head.payload_digest,
        times=min(before.times + 1, _TIMES_MAX) if before and again else 1,
        at=now.astimezone(UTC).replace(microsecond=0),
        reason=reason[:_REASON_MAX],
    )


def parse_failure(data: bytes) -> FailureNote | None:
    """Undo `FailureNote.to_bytes`; None when it is not one: then nothing was noted."""
    try:
        found: dict[str, Any] = json.loads(data)
        note = FailureNote(
            target=Held.parse(
                _whole(found["version"], 0xFFFFFFFF).to_bytes(4, "big")
                + _bytes(found["digest"], 32)
            ),
            payload_digest=_bytes(found["payload"], 8),
            times=_whole(found["times"], _TIMES_MAX),
            at=datetime.fromisoformat(found["at"]).astimezone(UTC),
            reason=_text(found["reason"]),
        )
        # On the last day of the calendar there is no day after.
        is_sound = note.times > 0 and note.again_at > note.at
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return note if is_sound else None


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("no such number")
    return value


def _text(value: object) -> str:
    fault = "no text" if not isinstance(value, str) else text_fault(value)
    if fault is not None or len(str(value)) > _REASON_MAX:
        raise ValueError("no reason")
    return str(value)


def _bytes(text: str, size: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != size:
        raise ValueError("of another length")
    return value
