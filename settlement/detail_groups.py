"""Payments travel together: the message that carries a group of them.

A group is a way to write several 0320 in one message, under one MAC. It says for each
payment what its own 0320 would say; what the bank posts, answers and keeps is each
payment by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.group_layout import (
    COLUMNS_FIELD,
    GROUP_PAYMENTS_MAX,
    TACS_FIELD,
    Shared,
    pack,
    unpack,
)
from settlement.iso8583 import Message
from settlement.iso8583_spec import FIELDS
from settlement.message_codec import PROCESSING_GROUP, message_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader, GroupRequest
    from settlement.payment import PaymentRecord

__all__ = ["GROUP_PAYMENTS_MAX", "fitting", "group_message", "payments_of"]


def fitting(payments: Sequence[PaymentRecord]) -> Sequence[PaymentRecord]:
    """The first of some payments that have room in one message; at least one.

    Args:
        payments: 1 to `GROUP_PAYMENTS_MAX`, in the order of their places.
    """
    while len(pack(payments)[0]) > FIELDS[COLUMNS_FIELD].length:
        # Long texts and many lines; one payment alone always has room.
        payments = payments[: len(payments) // 2]
    return payments


def group_message(
    header: BatchHeader, payments: Sequence[PaymentRecord], stan: int, now: datetime
) -> Message:
    """0320/930000: some payments of a batch; see `fitting`."""
    columns, tacs = pack(payments)
    fields: dict[int, str | bytes] = {
        **message_times(now, now),
        3: PROCESSING_GROUP,
        11: f"{stan:06d}",
        41: header.terminal_id,
        60: f"{header.close.batch:010d}000000",
        COLUMNS_FIELD: columns,
        TACS_FIELD: tacs,
    }
    return Message(mti="0320", fields=fields)


def payments_of(
    request: GroupRequest, header: BatchHeader
) -> tuple[PaymentRecord, ...]:
    """The payments of a group, each as its own 0320 would have said it.

    Args:
        request: what came.
        header: of the batch that it is of.

    Raises:
        MalformedMessageError: the columns are none, or not in their one form.
    """
    shared = Shared(mid=header.mid, currency=header.currency)
    return unpack(request.columns, request.tacs, shared)
