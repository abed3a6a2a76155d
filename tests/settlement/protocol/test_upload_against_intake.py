"""An upload from end to end: both machines, a bank in memory, a line that harms."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement.errors import BankUnavailableError, NoAnswerError
from settlement.intake import IntakeBank, IntakeMachine, ResponseCode, Total
from settlement.upload import (
    ClosureReceived,
    Collected,
    LoggedOn,
    Progress,
    RecordRefused,
    Refused,
    ResponseDiscarded,
    UploadEvent,
    UploadMachine,
)
from settlement.upload_pace import UploadPace

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.records import BatchClose
    from settlement.payment import BatchToUpload, Closure, PaymentRecord

    MakeBatch = Callable[..., BatchToUpload]
    RunCall = Callable[..., list[UploadEvent]]
    Ledger = dict[tuple[int, int], PaymentRecord]


def posted_stans(ledger: Ledger, number: int = 1) -> list[int]:
    return sorted(stan for batch, stan in ledger if batch == number)


def is_first(message: bytes) -> bool:
    return message[3:4] == b"0"


def lose_first_time() -> Callable[[list[bytes]], list[bytes]]:
    """A line that loses each message once: two that say the same count as one."""
    seen: set[bytes] = set()

    def pass_on(messages: list[bytes]) -> list[bytes]:
        again = [message for message in messages if message[4:-8] in seen]
        seen.update(message[4:-8] for message in messages)
        return again

    return pass_on


@pytest.mark.parametrize("payments", [0, 1, 8, 9, 70])
@pytest.mark.parametrize("window", [1, 4])
def test_a_clean_upload_posts_each_payment_once_and_collects(
    make_batch: MakeBatch,
    intake: IntakeMachine,
    ledger: Ledger,
    run_call: RunCall,
    payments: int,
    window: int,
) -> None:
    batch = make_batch(payments)
    upload = UploadMachine(batch, stan_start=1, window=window)
    events = run_call(upload, intake)
    assert isinstance(events[0], LoggedOn)
    assert (events[0].parameters_version, events[0].hotlist_version) == (3, 4)
    assert tuple(ledger.values()) == batch.payments
    collected = events[-1]
    assert isinstance(collected, Collected)
    assert (collected.batch, collected.ack_mac) == (1, bytes.fromhex("AC" * 16))
    assert collected.posted_count == payments
    assert collected.posted_sum == batch.close.sum_minor
    assert collected.suspended == Total()
    assert upload.finished


def test_a_full_batch_of_999_is_collected(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    batch = make_batch(999)
    events = run_call(UploadMachine(batch, stan_start=1), intake)
    assert isinstance(events[-1], Collected)
    assert len(ledger) == 999


def test_progress_counts_each_answer_once_and_never_goes_back(
    make_batch: MakeBatch, intake: IntakeMachine, run_call: RunCall
) -> None:
    upload = UploadMachine(
        make_batch(20, opens=1), stan_start=1, pace=UploadPace(largest=8)
    )
    events = run_call(upload, intake)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.answered for event in progress] == [8, 16, 20, 21]
    assert all(event.answered <= event.sent <= event.total == 21 for event in progress)


def test_lost_requests_are_repeated_and_posted_once(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    batch = make_batch(10, opens=1)
    upload = UploadMachine(batch, stan_start=1, pace=UploadPace(largest=1))
    events = run_call(upload, intake, up=lose_first_time())
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


def test_lost_responses_are_given_again_and_posted_once(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    batch = make_batch(10)
    upload = UploadMachine(batch, stan_start=1, pace=UploadPace(largest=1))
    events = run_call(upload, intake, down=lose_first_time())
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


def test_duplicated_messages_count_once_both_ways(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    batch = make_batch(10)
    upload = UploadMachine(batch, stan_start=1, pace=UploadPace(largest=1))

    def twice(messages: list[bytes]) -> list[bytes]:
        return [copy for message in messages for copy in (message, message)]

    events = run_call(upload, intake, up=twice, down=twice)
    assert isinstance(events[-1], ResponseDiscarded)
    assert sum(isinstance(event, Collected) for event in events) == 1
    assert sum(isinstance(event, Progress) for event in events) == 10
    assert tuple(ledger.values()) == batch.payments


def test_reordered_messages_reach_their_requests(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    def reverse(messages: list[bytes]) -> list[bytes]:
        return messages[::-1]

    batch = make_batch(10)
    upload = UploadMachine(batch, stan_start=1, pace=UploadPace(largest=1))
    events = run_call(upload, intake, up=reverse, down=reverse)
    assert isinstance(events[-1], Collected)
    assert not any(isinstance(event, ResponseDiscarded) for event in events)
    assert posted_stans(ledger) == [payment.stan for payment in batch.payments]


def test_a_response_with_a_wrong_mac_is_none_and_is_asked_for_again(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    spoiled: set[bytes] = set()

    def spoil_once(messages: list[bytes]) -> list[bytes]:
        result = [
            message if message in spoiled else message[:-1] + bytes([message[-1] ^ 1])
            for message in messages
        ]
        spoiled.update(messages)
        return result

    batch = make_batch(4)
    upload = UploadMachine(batch, stan_start=1, pace=UploadPace(largest=1))
    events = run_call(upload, intake, down=spoil_once)
    discarded = [event for event in events if isinstance(event, ResponseDiscarded)]
    assert len(discarded) == 7  # logon, header, four details, totals
    assert all("MAC" in event.reason for event in discarded)
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


def test_a_request_with_a_wrong_mac_posts_nothing_and_ends_the_upload(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    def spoil_details(messages: list[bytes]) -> list[bytes]:
        return [
            message[:-1] + bytes([message[-1] ^ 1])
            if message.startswith(b"0320")
            else message
            for message in messages
        ]

    upload = UploadMachine(make_batch(1), stan_start=1)
    events = run_call(upload, intake, up=spoil_details)
    refused = next(event for event in events if isinstance(event, Refused))
    assert refused.code is ResponseCode.MAC_WRONG
    assert ledger == {}


def test_changed_content_under_the_same_stan_is_a_conflict(
    make_batch: MakeBatch,
    bank: IntakeBank,
    intake: IntakeMachine,
    ledger: Ledger,
    session_key: bytes,
    run_call: RunCall,
) -> None:
    batch = make_batch(3)
    run_call(UploadMachine(batch, stan_start=1), intake)
    first, second, third = batch.payments
    changed = replace(second, balance_after_minor=second.balance_after_minor + 1)
    forged = replace(batch, payments=(first, changed, third))
    for machine in (intake, IntakeMachine("T0000007", bank, session_key)):
        events = run_call(UploadMachine(forged, stan_start=500), machine)
        conflict = [event for event in events if isinstance(event, RecordRefused)]
        assert [event.stan for event in conflict] == [second.stan]
        assert conflict[0].code is ResponseCode.CONFLICT
        assert "other content" in conflict[0].text
    assert tuple(ledger.values()) == batch.payments


def differ(close: BatchClose, name: str) -> BatchClose:
    changes: dict[str, int | bytes] = {
        "sum": close.sum_minor + 1,
        "chain": bytes(16),
        "count": close.count + 1,
    }
    field = {"sum": "sum_minor"}.get(name, name)
    return replace(close, **{field: changes[name]})  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sum", ResponseCode.SUMS_DIFFER),
        ("chain", ResponseCode.SUMS_DIFFER),
        ("count", ResponseCode.INCOMPLETE),
    ],
)
def test_a_batch_whose_figures_differ_is_refused_with_what_differs(
    make_batch: MakeBatch,
    intake: IntakeMachine,
    run_call: RunCall,
    name: str,
    code: ResponseCode,
) -> None:
    batch = make_batch(3)
    wrong = replace(batch, close=differ(batch.close, name))
    refused = run_call(UploadMachine(wrong, stan_start=1), intake)[-1]
    assert isinstance(refused, Refused)
    assert refused.code is code
    assert "closed" in refused.text


def test_open_records_go_up_and_their_closures_come_down(
    make_batch: MakeBatch,
    intake: IntakeMachine,
    closures: dict[int, Closure],
    run_call: RunCall,
) -> None:
    upload = UploadMachine(make_batch(2, opens=3), stan_start=1)
    events = run_call(upload, intake)
    received = {
        event.stan: event.closure
        for event in events
        if isinstance(event, ClosureReceived)
    }
    assert received == closures
    assert isinstance(events[-1], Collected)


def test_two_batches_go_up_in_one_call_with_one_logon(
    make_batch: MakeBatch, intake: IntakeMachine, ledger: Ledger, run_call: RunCall
) -> None:
    first = UploadMachine(make_batch(3, number=1), stan_start=101)
    assert isinstance(run_call(first, intake)[-1], Collected)
    second = UploadMachine(
        make_batch(5, number=2), stan_start=first.next_stan, session=first.session
    )
    events = run_call(second, intake)
    assert not any(isinstance(event, LoggedOn) for event in events)
    assert isinstance(events[-1], Collected)
    assert (len(posted_stans(ledger, 1)), len(posted_stans(ledger, 2))) == (3, 5)


def test_a_call_that_breaks_anywhere_is_finished_by_the_next_one(
    make_batch: MakeBatch,
    cut_after: Callable[[int], Callable[[list[bytes]], list[bytes]]],
    bank: IntakeBank,
    ledger: Ledger,
    session_key: bytes,
    run_call: RunCall,
) -> None:
    batch = make_batch(4, opens=1)

    for count in range(3):
        for side in ("up", "down"):
            upload = UploadMachine(
                batch, stan_start=1, window=2, pace=UploadPace(largest=1)
            )
            machine = IntakeMachine("T0000007", bank, session_key)
            with pytest.raises(NoAnswerError, match="batch stays"):
                run_call(upload, machine, **{side: cut_after(count)})
    machine = IntakeMachine("T0000007", bank, session_key)
    events = run_call(UploadMachine(batch, stan_start=1), machine)
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


def test_a_bank_that_cannot_store_is_tried_again_without_posting_twice(
    make_batch: MakeBatch,
    bank: IntakeBank,
    intake: IntakeMachine,
    ledger: Ledger,
    run_call: RunCall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = make_batch(10)
    take = bank.take_payments
    calls = 0

    def fail_once(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise BankUnavailableError("the disk is full; try again later")
        return take(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(bank, "take_payments", fail_once)
    events = run_call(
        UploadMachine(batch, stan_start=1, window=4, pace=UploadPace(largest=1)), intake
    )
    refused = next(event for event in events if isinstance(event, Refused))
    assert refused == Refused(
        code=ResponseCode.TRY_LATER, text="the disk is full; try again later"
    )
    assert len(ledger) == 4
    events = run_call(
        UploadMachine(batch, stan_start=1, window=4, pace=UploadPace(largest=1)), intake
    )
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_line_does_every_payment_is_posted_once(
    make_batch: MakeBatch,
    bank: IntakeBank,
    ledger: Ledger,
    session_key: bytes,
    run_call: RunCall,
    seed: int,
) -> None:
    source = random.Random(seed)
    batch = make_batch(source.randrange(13), opens=source.randrange(3))

    def harm(messages: list[bytes]) -> list[bytes]:
        copies = [m for m in messages for _ in range(source.choice((0, 1, 1, 1, 2)))]
        if source.random() < 0.3:
            source.shuffle(copies)
        return copies

    def call() -> list[UploadEvent]:
        upload = UploadMachine(
            batch,
            stan_start=1,
            window=source.choice((1, 3, 8)),
            pace=UploadPace(largest=source.choice((1, 5, 32))),
        )
        machine = IntakeMachine("T0000007", bank, session_key)
        try:
            return run_call(upload, machine, up=harm, down=harm)
        except NoAnswerError:
            return []

    calls = (call() for _ in range(200))
    events = next(events for events in calls if events)
    assert sum(isinstance(event, Collected) for event in events) == 1
    assert posted_stans(ledger) == [payment.stan for payment in batch.payments]
