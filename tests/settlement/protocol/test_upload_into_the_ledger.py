"""From the terminal's machine to the ledger of a real bank, over a line that loses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement.intake import ResponseCode
from settlement.upload import (
    Collected,
    RecordRefused,
    Refused,
    UploadEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.payment import BatchToUpload

    RunCall = Callable[..., list[UploadEvent]]


@pytest.fixture
def batch(desk: Any) -> BatchToUpload:
    """Twenty payments of two purses, closed by the customs card."""
    first = desk.loaded_purse(500_000)
    second = desk.loaded_purse(300_000, cid=bytes.fromhex("64 00 00 00 00 00 00 02"))
    for index in range(20):
        desk.customs.pay((first, second)[index % 2], 1_000 + index)
    made: BatchToUpload = desk.closed()
    return made


def test_every_payment_reaches_the_ledger_and_the_customs_card_its_ack(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    lost: set[bytes] = set()

    def lose_once(messages: list[bytes]) -> list[bytes]:
        again = [message for message in messages if message[4:-8] in lost]
        lost.update(message[4:-8] for message in messages)
        return again

    for _ in range(2):
        events = call(batch, up=lose_once, down=lose_once)
        collected = events[-1]
        assert isinstance(collected, Collected)
        assert collected.posted_count == 20
        assert collected.posted_sum == batch.close.sum_minor
        key = desk.keys.card_key(KeyUse.BATCH, 1, batch.mid)
        expected = certificates.bank_ack_mac(key, mid=batch.mid, close=batch.close)
        assert collected.ack_mac == expected
    assert desk.incidents() == []


def test_a_forged_tac_is_told_and_suspended_and_the_rest_is_posted(
    desk: Any, batch: BatchToUpload, call: RunCall
) -> None:
    forged = replace(batch.payments[4], tac=bytes(8))
    payments = (*batch.payments[:4], forged, *batch.payments[5:])
    desk.customs.records = list(payments)
    close = desk.customs.close().close
    events = call(replace(batch, payments=payments, close=close))
    told = [event for event in events if isinstance(event, RecordRefused)]
    assert [event.stan for event in told] == [forged.stan]
    assert told[0].code is ResponseCode.SUSPENDED
    collected = events[-1]
    assert isinstance(collected, Collected)
    assert (collected.posted.count, collected.suspended.count) == (19, 1)


def test_a_batch_with_a_missing_payment_is_refused_until_it_comes(
    batch: BatchToUpload, call: RunCall
) -> None:
    short = replace(batch, payments=batch.payments[:-1])
    refused = call(short)[-1]
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.INCOMPLETE
    assert isinstance(call(batch)[-1], Collected)
