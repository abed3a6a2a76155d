"""The details of an upload: what is still to be sent, and what the answers mean.

A part of `settlement.upload`, which says when something may be sent and which answer
belongs to what.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from settlement import answers
from settlement.detail_groups import fitting, group_message
from settlement.message_codec import detail_message
from settlement.messages import ResponseCode
from settlement.outcomes import held_digest, parse_held, parse_outcomes
from settlement.terminal_call import refused
from settlement.upload_events import ClosureReceived, RecordRefused, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from settlement.iso8583 import Message
    from settlement.messages import BatchHeader, RecordAnswer
    from settlement.payment import BatchToUpload, OpenItem, PaymentRecord
    from settlement.upload_events import UploadEvent
    from settlement.upload_pace import UploadPace

__all__ = ["Detail", "DetailQueue"]

_RECORD_SETTLED: Final = frozenset(
    {
        ResponseCode.ACCEPTED,
        ResponseCode.SUSPENDED,
        ResponseCode.CONFLICT,
        ResponseCode.WRONG_MERCHANT,
        ResponseCode.INVALID,
        ResponseCode.FORMAT_ERROR,
    }
)
"""Codes that concern one record only; any other one ends the upload."""
_PAYMENT_SETTLED: Final = _RECORD_SETTLED | {ResponseCode.RECEIVED}
"""What is received and not posted yet need not be sent again either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One message of details.

    Attributes:
        payments: that it carries, when it is a group.
        item: the open record that it carries, when it is none.
    """

    message: Message
    payments: Sequence[PaymentRecord] = ()
    item: OpenItem | None = None

    @property
    def record_count(self) -> int:
        """How many records it carries."""
        return len(self.payments) + (self.item is not None)


class DetailQueue:
    """The payments of a batch, then its open records, until all were sent."""

    def __init__(
        self, batch: BatchToUpload, header: BatchHeader, pace: UploadPace
    ) -> None:
        """Line up all of ``batch``; ``pace`` says how many go in one message."""
        self._header = header
        self._pace = pace
        self._payments = deque(batch.payments)
        self._opens = deque(batch.opens)

    @property
    def waiting(self) -> int:
        """Records that were not sent yet."""
        return len(self._payments) + len(self._opens)

    def next_detail(self, take_stan: Callable[[], int], now: datetime) -> Detail | None:
        """The next message; None when all were sent.

        Args:
            take_stan: gives a STAN for a group; an open record has its own.
            now: aware, in the office's zone.
        """
        if self._payments:
            group = fitting(tuple(islice(self._payments, self._pace.payments)))
            for _ in group:
                self._payments.popleft()
            message = group_message(self._header, group, take_stan(), now)
            return Detail(message=message, payments=group)
        if self._opens:
            item = self._opens.popleft()
            message = detail_message(self._header, item, now)
            return Detail(message=message, item=item)
        return None

    def leave_out_held(self, response: Message) -> list[UploadEvent]:
        """Send nothing that the answer to the header says is held; its outcomes.

        When the digest is not that of these payments, the bank holds something else
        under their places: all are sent, so that it finds what was changed.

        Raises:
            MalformedMessageError: the answer is not valid.
        """
        held, outcomes = parse_held(response), parse_outcomes(response)
        known = [p for p in self._payments if p.sequence in held.places]
        settled = all(
            outcomes[place].code in _PAYMENT_SETTLED
            for place in outcomes.keys() & held.places
        )
        if not known or not settled or held_digest(known) != held.digest:
            return []
        self._payments = deque(
            p for p in self._payments if p.sequence not in held.places
        )
        return _told(known, outcomes)

    @staticmethod
    def settle(detail: Detail, response: Message) -> list[UploadEvent]:
        """What the answer to a message of details means.

        Raises:
            MalformedMessageError: the answer is not valid.
        """
        code = answers.parse_code(response)
        if detail.item is not None:
            return _open_settled(detail.item, code, response)
        if code is not ResponseCode.ACCEPTED:
            return [refused(response)]
        outcomes = parse_outcomes(response)
        for payment in detail.payments:
            outcome = outcomes.get(payment.sequence)
            if outcome is not None and outcome.code not in _PAYMENT_SETTLED:
                return [Refused(code=outcome.code, text=outcome.text)]
        return _told(detail.payments, outcomes)


def _told(
    payments: Iterable[PaymentRecord], outcomes: Mapping[int, RecordAnswer]
) -> list[UploadEvent]:
    """The payments that the bank did not accept, as far as it knows."""
    return [
        RecordRefused(stan=payment.stan, code=outcome.code, text=outcome.text)
        for payment in payments
        if (outcome := outcomes.get(payment.sequence)) is not None
        and outcome.code is not ResponseCode.RECEIVED
    ]


def _open_settled(
    item: OpenItem, code: ResponseCode, response: Message
) -> list[UploadEvent]:
    if code not in _RECORD_SETTLED:
        return [refused(response)]
    if code is not ResponseCode.ACCEPTED:
        text = answers.parse_text(response)
        return [RecordRefused(stan=item.stan, code=code, text=text)]
    closure = answers.parse_closure(response, item.open_record.tx)
    if closure is None:
        return []
    return [ClosureReceived(stan=item.stan, closure=closure)]
