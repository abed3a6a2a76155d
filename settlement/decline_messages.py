"""A counter declines a payment request: the message that tells the bank, and back.

It is a file update request of ISO 8583:1987 as the downloads are (0300), about the file
``REQUESTS``, with code ``2`` in field 91: change. A host of another age answers it with
code 30, and the counter keeps what it has to tell until a host understands it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from settlement.data_objects import DataObjects, DetailTag
from settlement.decline_report import REASON_BYTES_MAX, DeclineReport
from settlement.download import DownloadKind
from settlement.errors import MalformedMessageError
from settlement.iso8583 import Message
from settlement.message_codec import message_times
from settlement.payment import TEXT_BYTES_MAX

__all__ = ["FILE_CHANGE", "decline_message", "parse_decline"]

FILE_CHANGE: Final = "2"
"""Field 91: an entry of the file is changed."""
TIME_BYTES: Final = 7


def decline_message(
    terminal_id: str, stan: int, report: DeclineReport, now: datetime
) -> Message:
    """0300 with code 2: a decline is told.

    Args:
        terminal_id: 8 characters.
        stan: of this message, from 1.
        report: what is told.
        now: aware, in the office's zone.
    """
    fields: dict[int, str | bytes] = {
        **message_times(now, now),
        11: f"{stan:06d}",
        41: terminal_id,
        48: report.to_bytes(),
        91: FILE_CHANGE,
        101: DownloadKind.REQUESTS.file_name,
    }
    return Message(mti="0300", fields=fields)


def parse_decline(message: Message) -> DeclineReport:
    """What a 0300 with code 2 tells.

    Raises:
        MalformedMessageError: a field is absent or not valid.
    """
    if message.text(101) != DownloadKind.REQUESTS.file_name:
        raise MalformedMessageError("a file that no counter changes", field=101)
    objects = DataObjects(message.binary(48), number=48, tags=DetailTag)
    number = objects.text(DetailTag.REQUEST_NUMBER, TEXT_BYTES_MAX)
    reason = objects.text(DetailTag.DECLINE_REASON, REASON_BYTES_MAX)
    if not number:
        raise objects.malformed("absent", DetailTag.REQUEST_NUMBER)
    if not reason:
        raise objects.malformed("absent", DetailTag.DECLINE_REASON)
    digits = objects.fixed(DetailTag.DECLINED_AT, TIME_BYTES).hex()
    try:
        at = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise objects.malformed("no time", DetailTag.DECLINED_AT) from None
    return DeclineReport(
        number=number,
        reason=reason,
        clerk=objects.text(DetailTag.CLERK, TEXT_BYTES_MAX),
        at=at,
    )
