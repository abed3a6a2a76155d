"""A call that was cut goes on where the bank's durable acknowledgement left it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement import iso8583
from settlement.bank import Bank
from settlement.clearing import IncidentCode
from settlement.data_objects import DetailTag, encode_objects
from settlement.detail_groups import payments_of
from settlement.intake import IntakeMachine, ResponseCode
from settlement.message_codec import response_to
from settlement.message_parser import parse_request
from settlement.messages import BatchHeader, GroupRequest
from settlement.outcomes import held_digest
from settlement.upload import (
    ClosureReceived,
    Collected,
    Progress,
    Received,
    RecordRefused,
    ResponseDiscarded,
    Session,
    UploadEvent,
    UploadMachine,
    UploadPhase,
)
from settlement.upload_pace import UploadPace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from settlement.intake import IntakeBank
    from settlement.payment import BatchToUpload, PaymentRecord

    MakeBatch = Callable[..., BatchToUpload]

KEY = bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")


class Calls:
    """Calls of one terminal to one bank, each cut after so many messages up or down.

    Attributes:
        sent: places of the payments that went up, in the order of sending, a list for
            each call.
    """

    def __init__(self, bank: IntakeBank, now: datetime) -> None:
        self._bank = bank
        self._now = now
        self.sent: list[list[int]] = []

    def make(
        self, batch: BatchToUpload, *, up: int = 999, down: int = 999, group: int = 4
    ) -> list[UploadEvent]:
        upload = UploadMachine(
            batch, stan_start=1, window=2, pace=UploadPace(largest=group)
        )
        machine = IntakeMachine(batch.terminal_id, self._bank, KEY)
        events: list[UploadEvent] = []
        self.sent.append([])
        while not upload.finished and up >= 0 and down >= 0:
            messages = upload.messages_to_send(self._now)
            assert messages, "nothing is lost before the cut"
            self.sent[-1] += places_in(messages, batch)
            arrived, up = messages[:up], up - len(messages)
            answers = machine.receive_group(arrived, self._now)
            heard, down = answers[:down], down - len(answers)
            for answer in heard:
                events += upload.receive(answer, self._now)
        return events


def places_in(messages: list[bytes], batch: BatchToUpload) -> list[int]:
    requests = [parse_request(iso8583.decode(message)) for message in messages]
    return [
        payment.sequence
        for request in requests
        if isinstance(request, GroupRequest)
        for payment in payments_of(request, BatchHeader.of(batch))
    ]


@pytest.fixture
def calls(bank: IntakeBank, now: datetime) -> Calls:
    return Calls(bank, now)


@pytest.mark.parametrize("group", [1, 4, 32])
@pytest.mark.parametrize("up", range(1, 12))
def test_only_what_is_not_held_is_sent_again(
    make_batch: MakeBatch,
    calls: Calls,
    ledger: dict[tuple[int, int], PaymentRecord],
    up: int,
    group: int,
) -> None:
    batch = make_batch(10, opens=1)
    calls.make(batch, up=up, group=group)
    held = {record.sequence for record in ledger.values()}
    events = calls.make(batch, group=group)
    assert set(calls.sent[1]) == set(range(1, 11)) - held
    assert isinstance(events[-1], Collected)
    assert tuple(ledger.values()) == batch.payments


def test_answers_that_were_lost_are_told_as_held_and_nothing_is_sent_twice(
    make_batch: MakeBatch, calls: Calls
) -> None:
    batch = make_batch(10)
    calls.make(batch, down=2)
    assert calls.sent == [[1, 2, 3, 4, 5, 6, 7, 8]]
    events = calls.make(batch)
    assert calls.sent[1] == [9, 10]
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[0] == Progress(sent=8, answered=8, total=10)
    assert progress[-1].answered == 10


def test_a_batch_that_is_all_there_is_asked_about_and_collected(
    make_batch: MakeBatch, calls: Calls
) -> None:
    batch = make_batch(5)
    calls.make(batch)
    events = calls.make(batch)
    assert calls.sent[1] == []
    assert isinstance(events[-1], Collected)


def test_open_records_ask_in_each_call_what_the_bank_knows_by_now(
    make_batch: MakeBatch, calls: Calls
) -> None:
    batch = make_batch(2, opens=1)
    for _ in range(2):
        told = [e for e in calls.make(batch) if isinstance(e, ClosureReceived)]
        assert [event.stan for event in told] == [103]


@pytest.mark.parametrize("changed", ["balance_after_minor", "details"])
def test_a_changed_payment_is_not_taken_for_the_held_one(
    make_batch: MakeBatch, calls: Calls, changed: str
) -> None:
    batch = make_batch(6)
    calls.make(batch, down=3)
    second = batch.payments[1]
    value = {"balance_after_minor": 1, "details": None}[changed]
    other = replace(second, **{changed: value})  # type: ignore[arg-type]  # by name
    forged = replace(batch, payments=(batch.payments[0], other, *batch.payments[2:]))
    events = calls.make(forged)
    assert calls.sent[1] == [1, 2, 3, 4, 5, 6]
    told = [event for event in events if isinstance(event, RecordRefused)]
    assert [(event.stan, event.code) for event in told] == [
        (second.stan, ResponseCode.CONFLICT)
    ]


@pytest.fixture
def cleared(desk: Any) -> BatchToUpload:
    """Ten payments, of which the real bank suspends two: their TACs are wrong."""
    purse = desk.loaded_purse(50_000)
    for amount in range(100, 110):
        desk.customs.pay(purse, amount)
    for index in (1, 6):
        forged = replace(desk.customs.records[index], tac=bytes(8))
        desk.customs.records[index] = forged
    batch: BatchToUpload = desk.closed()
    return batch


def refusals(events: list[UploadEvent]) -> list[tuple[int, ResponseCode, str]]:
    return [
        (event.stan, event.code, event.text)
        for event in events
        if isinstance(event, RecordRefused)
    ]


def test_what_became_of_held_payments_is_told_again(
    desk: Any, cleared: BatchToUpload, now: datetime
) -> None:
    calls = Calls(desk.bank, now)
    whole = Calls(desk.bank, now)
    assert refusals(calls.make(cleared, down=2)) == []
    told = refusals(calls.make(cleared, down=3))
    assert [(stan, code) for stan, code, _ in told] == [
        (cleared.payments[place].stan, ResponseCode.SUSPENDED) for place in (1, 6)
    ]
    events = whole.make(cleared)
    assert refusals(events) == told
    ended = events[-1]
    assert isinstance(ended, Collected)
    assert (ended.posted.count, ended.suspended.count) == (8, 2)
    assert desk.incidents() == [IncidentCode.TAC_WRONG] * 2


def test_what_is_received_is_not_sent_again_and_ends_when_it_is_posted(
    desk: Any, cleared: BatchToUpload, now: datetime
) -> None:
    behind = Calls(Bank(desk.store, desk.keys, groups_max=0), now)
    # The first call is cut when two groups have come, before they are answered.
    assert refusals(behind.make(cleared, down=2)) == []
    events = behind.make(cleared)
    assert behind.sent == [list(range(1, 9)), [9, 10]]
    assert refusals(events) == []
    last = events[-1]
    assert isinstance(last, Received)
    assert "all 10 payments" in last.text
    # Posting has caught up: this call ends the batch, and tells both outcomes.
    calls = Calls(desk.bank, now)
    desk.bank.desk.post_batch(BatchHeader.of(cleared), now)
    events = calls.make(cleared)
    assert calls.sent == [[]]
    assert [(stan, code) for stan, code, _ in refusals(events)] == [
        (cleared.payments[place].stan, ResponseCode.SUSPENDED) for place in (1, 6)
    ]
    ended = events[-1]
    assert isinstance(ended, Collected)
    assert (ended.posted.count, ended.suspended.count) == (8, 2)
    assert desk.incidents() == [IncidentCode.TAC_WRONG] * 2
    assert desk.found() == {}


def test_a_place_that_two_payments_claim_is_not_told_as_held(
    desk: Any, cleared: BatchToUpload, now: datetime
) -> None:
    calls = Calls(desk.bank, now)
    calls.make(cleared, down=2)
    first = cleared.payments[0]
    other = replace(cleared, payments=(replace(first, stan=900), *cleared.payments[1:]))
    calls.make(other, down=4)
    calls.make(cleared)
    assert calls.sent[2] == [1]


def header_answered(
    batch: BatchToUpload, now: datetime, objects: Sequence[tuple[int, bytes]]
) -> tuple[UploadMachine, list[UploadEvent]]:
    """A machine whose header was answered with these data objects."""
    machine = UploadMachine(batch, stan_start=1, session=Session(key=KEY))
    (header,) = machine.messages_to_send(now)
    fields = [(48, encode_objects(objects))]
    answer = response_to(iso8583.decode(header), "00", now, fields)
    return machine, machine.receive(iso8583.encode(answer, KEY), now)


@pytest.mark.parametrize(
    "places", ["", "00", "80 00", "00" * 124 + "01", "00" * 125 + "80", "FF" * 200]
)
def test_places_that_no_batch_has_are_no_answer(
    make_batch: MakeBatch, now: datetime, places: str
) -> None:
    objects = [
        (DetailTag.HELD_PLACES, bytes.fromhex(places)),
        (DetailTag.HELD_DIGEST, bytes(16)),
    ]
    machine, (event,) = header_answered(make_batch(3), now, objects)
    assert isinstance(event, ResponseDiscarded)
    assert machine.phase is UploadPhase.HEADER


def test_a_claim_to_hold_payments_without_their_digest_is_not_believed(
    make_batch: MakeBatch, now: datetime
) -> None:
    objects = [
        (DetailTag.HELD_PLACES, bytes.fromhex("E0")),
        (DetailTag.HELD_DIGEST, bytes(16)),
    ]
    batch = make_batch(3)
    machine, events = header_answered(batch, now, objects)
    assert events == []
    assert places_in(machine.messages_to_send(now), batch) == [1, 2, 3]


def outcome_of(code: str, *places: int) -> tuple[int, bytes]:
    listed = b"".join(place.to_bytes(2, "big") for place in places)
    return DetailTag.OUTCOMES, code.encode() + bytes([len(places)]) + listed + b"why"


def held_objects(batch: BatchToUpload, count: int) -> list[tuple[int, bytes]]:
    """The claim to hold the first payments of a batch, true in all of it."""
    bits = 0xFF00 >> count & 0xFF
    return [
        (DetailTag.HELD_PLACES, bytes([bits])),
        (DetailTag.HELD_DIGEST, held_digest(batch.payments[:count])),
    ]


@pytest.mark.parametrize("code", ["58", "63", "80", "91", "96", "ZZ"])
def test_held_payments_of_which_one_is_not_settled_are_all_sent_again(
    make_batch: MakeBatch, now: datetime, code: str
) -> None:
    batch = make_batch(4)
    objects = [*held_objects(batch, 3), outcome_of("05", 1), outcome_of(code, 2)]
    machine, events = header_answered(batch, now, objects)
    assert refusals(events) == []
    assert places_in(machine.messages_to_send(now), batch) == [1, 2, 3, 4]


@pytest.mark.parametrize("code", ["03", "05", "12", "30", "94"])
def test_held_payments_that_are_settled_are_told_and_not_sent(
    make_batch: MakeBatch, now: datetime, code: str
) -> None:
    batch = make_batch(4)
    objects = [*held_objects(batch, 3), outcome_of(code, 2)]
    machine, events = header_answered(batch, now, objects)
    stan = batch.payments[1].stan
    assert refusals(events) == [(stan, ResponseCode(code), "why")]
    assert places_in(machine.messages_to_send(now), batch) == [4]


def test_an_outcome_of_a_payment_that_is_not_held_changes_nothing_for_the_others(
    make_batch: MakeBatch, now: datetime
) -> None:
    batch = make_batch(4)
    objects = [*held_objects(batch, 2), outcome_of("96", 3)]
    machine, events = header_answered(batch, now, objects)
    assert refusals(events) == []
    assert places_in(machine.messages_to_send(now), batch) == [3, 4]
