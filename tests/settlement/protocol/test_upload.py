"""The terminal's machine by itself: phases, window, repeats, what it believes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from card.records import OpenRecord
from settlement import answers, iso8583
from settlement.data_objects import DetailTag, encode_objects
from settlement.errors import NoAnswerError
from settlement.message_codec import response_to
from settlement.messages import (
    LogonAnswer,
    ReconcileAnswer,
    RecordAnswer,
    ResponseCode,
    TerminalVersions,
    Total,
)
from settlement.outcomes import outcome_fields
from settlement.payment import STAN_MAX, BatchToUpload
from settlement.terminal_call import REPEATS_MAX
from settlement.upload import (
    Collected,
    LoggedOn,
    Progress,
    RecordRefused,
    Refused,
    ResponseDiscarded,
    Session,
    UploadEvent,
    UploadMachine,
    UploadPhase,
)
from settlement.upload_pace import UploadPace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    MakeBatch = Callable[..., BatchToUpload]

KEY = bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")
OTHER_KEY = bytes.fromhex("70 71 72 73 74 75 76 77 78 79 7A 7B 7C 7D 7E 7F")
ACCEPTED = ResponseCode.ACCEPTED


def answer(
    request: bytes,
    now: datetime,
    code: str = "00",
    fields: list[tuple[int, str | bytes]] | None = None,
    key: bytes | None = KEY,
) -> bytes:
    message = iso8583.decode(request)
    return iso8583.encode(response_to(message, code, now, fields or []), key)


def logon_answer(request: bytes, now: datetime, key: bytes = KEY) -> bytes:
    granted = LogonAnswer(code=ACCEPTED, versions=TerminalVersions())
    return answer(request, now, "00", answers.logon_fields(granted, KEY, now), key)


def totals_fields(posted: Total, suspended: Total) -> list[tuple[int, str | bytes]]:
    collected = ReconcileAnswer(
        code=ACCEPTED, ack_mac=bytes(16), posted=posted, suspended=suspended
    )
    return answers.reconcile_fields(collected)


@pytest.fixture
def in_details(
    make_batch: MakeBatch, now: datetime
) -> Callable[..., tuple[UploadMachine, list[bytes]]]:
    """A machine of which the header was accepted, and the details it sent first."""

    def bring(
        payments: int = 3, window: int = 8, group: int = 1
    ) -> tuple[UploadMachine, list[bytes]]:
        machine = UploadMachine(
            make_batch(payments),
            stan_start=1,
            window=window,
            pace=UploadPace(largest=group),
            session=Session(key=KEY),
        )
        (header,) = machine.messages_to_send(now)
        assert machine.receive(answer(header, now), now) == []
        return machine, machine.messages_to_send(now)

    return bring


def totals_request(
    machine: UploadMachine, details: list[bytes], now: datetime
) -> bytes:
    for request in details:
        machine.receive(answer(request, now), now)
    (totals,) = machine.messages_to_send(now)
    return totals


def test_nothing_else_is_sent_until_the_logon_is_answered(
    make_batch: MakeBatch, now: datetime
) -> None:
    machine = UploadMachine(make_batch(), stan_start=1)
    (logon,) = machine.messages_to_send(now)
    assert logon.startswith(b"0800")
    assert machine.messages_to_send(now) == []
    events = machine.receive(logon_answer(logon, now), now + timedelta(seconds=5))
    assert isinstance(events[0], LoggedOn)
    assert events[0].clock_offset == timedelta(seconds=-5)
    (header,) = machine.messages_to_send(now)
    assert header.startswith(b"0500")
    assert machine.messages_to_send(now) == []


def test_details_wait_for_room_in_the_window(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details(payments=5, window=2)
    assert len(details) == 2
    assert machine.messages_to_send(now) == []
    events = machine.receive(answer(details[1], now), now)
    assert events == [Progress(sent=2, answered=1, total=5)]
    assert len(machine.messages_to_send(now)) == 1


def test_totals_wait_for_the_last_detail(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details(payments=2)
    machine.receive(answer(details[0], now), now)
    assert machine.messages_to_send(now) == []
    machine.receive(answer(details[1], now), now)
    (totals,) = machine.messages_to_send(now)
    assert iso8583.decode(totals).text(3) == "960000"


def test_a_repeat_is_the_same_message_with_type_xxx1(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details()
    machine.receive(answer(details[1], now), now)
    repeats = machine.repeat_unanswered()
    assert [message[:4] for message in repeats] == [b"0321", b"0321"]
    assert [m[4:-8] for m in repeats] == [details[0][4:-8], details[2][4:-8]]
    for message in repeats:
        assert iso8583.is_authentic(message, iso8583.decode(message), KEY)


def test_a_logon_is_repeated_without_a_mac(
    make_batch: MakeBatch, now: datetime
) -> None:
    machine = UploadMachine(make_batch(), stan_start=1)
    (logon,) = machine.messages_to_send(now)
    assert machine.repeat_unanswered() == [b"0801" + logon[4:]]


def test_a_silent_bank_is_given_up_after_some_repeats(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
) -> None:
    machine, details = in_details()
    for _ in range(REPEATS_MAX):
        assert len(machine.repeat_unanswered()) == len(details)
    with pytest.raises(NoAnswerError, match=r"no money is lost.*can be sent again"):
        machine.repeat_unanswered()
    assert not machine.finished


def test_a_response_counts_once(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details()
    response = answer(details[0], now)
    assert isinstance(machine.receive(response, now)[-1], Progress)
    for _ in range(3):
        (event,) = machine.receive(response, now)
        assert isinstance(event, ResponseDiscarded)
    assert machine.progress.answered == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"garbage", id="garbage"),
        pytest.param(b"\xff" * 5000, id="too long"),
    ],
)
def test_what_is_no_message_changes_nothing(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    data: bytes,
) -> None:
    machine, _ = in_details()
    before = machine.progress
    (event,) = machine.receive(data, now)
    assert isinstance(event, ResponseDiscarded)
    assert (machine.progress, machine.phase) == (before, UploadPhase.DETAILS)


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["no MAC", "another key"])
def test_a_response_without_the_right_mac_changes_nothing(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    key: bytes | None,
) -> None:
    machine, details = in_details()
    (event,) = machine.receive(answer(details[0], now, key=key), now)
    assert isinstance(event, ResponseDiscarded)
    assert "MAC" in event.reason
    assert machine.progress.answered == 0


def test_a_session_key_must_prove_itself(make_batch: MakeBatch, now: datetime) -> None:
    machine = UploadMachine(make_batch(), stan_start=1)
    (logon,) = machine.messages_to_send(now)
    (event,) = machine.receive(logon_answer(logon, now, key=OTHER_KEY), now)
    assert isinstance(event, ResponseDiscarded)
    assert machine.session is None
    assert isinstance(machine.receive(logon_answer(logon, now), now)[0], LoggedOn)


def test_a_logon_answer_that_cannot_be_read_is_asked_for_again(
    make_batch: MakeBatch, now: datetime
) -> None:
    machine = UploadMachine(make_batch(), stan_start=1)
    (logon,) = machine.messages_to_send(now)
    objects = encode_objects([(DetailTag.SESSION_KEY, KEY)])
    (event,) = machine.receive(answer(logon, now, fields=[(48, objects)]), now)
    assert isinstance(event, ResponseDiscarded)
    assert len(machine.repeat_unanswered()) == 1


def last(events: list[UploadEvent]) -> UploadEvent:
    return events[-1]


def test_a_refused_logon_ends_the_upload(make_batch: MakeBatch, now: datetime) -> None:
    machine = UploadMachine(make_batch(), stan_start=1)
    (logon,) = machine.messages_to_send(now)
    fields = answers.text_fields("this terminal is not known")
    refusal = answer(logon, now, "58", fields, key=None)
    assert machine.receive(refusal, now) == [
        Refused(code=ResponseCode.NOT_PERMITTED, text="this terminal is not known")
    ]
    assert machine.finished
    assert machine.messages_to_send(now) == []
    assert machine.repeat_unanswered() == []


@pytest.mark.parametrize("code", ["03", "94", "96", "99"])
def test_a_refused_header_ends_the_upload(
    make_batch: MakeBatch, now: datetime, code: str
) -> None:
    machine = UploadMachine(make_batch(), stan_start=1, session=Session(key=KEY))
    (header,) = machine.messages_to_send(now)
    (event,) = machine.receive(answer(header, now, code), now)
    assert isinstance(event, Refused)
    assert event.text == f"the bank answered code {code}"
    assert machine.finished


@pytest.mark.parametrize("code", ["03", "05", "12", "30", "94"])
def test_a_record_that_is_not_accepted_is_told_and_the_rest_goes_on(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    code: str,
) -> None:
    machine, details = in_details(payments=2)
    outcome = RecordAnswer(code=ResponseCode(code), text="look at this one")
    fields = outcome_fields({1: outcome})
    events = machine.receive(answer(details[0], now, fields=fields), now)
    assert events == [
        RecordRefused(stan=101, code=ResponseCode(code), text="look at this one"),
        Progress(sent=2, answered=1, total=2),
    ]
    assert machine.phase is UploadPhase.DETAILS


@pytest.mark.parametrize("code", ["58", "63", "80", "91", "96"])
def test_an_outcome_that_is_not_about_one_record_ends_the_upload(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    code: str,
) -> None:
    machine, details = in_details(payments=3, group=3)
    refusal = RecordAnswer(code=ResponseCode(code), text="not now")
    fields = outcome_fields({2: refusal})
    events = machine.receive(answer(details[0], now, fields=fields), now)
    assert events[0] == Refused(code=ResponseCode(code), text="not now")
    assert machine.finished


@pytest.mark.parametrize("code", ["30", "58", "63", "80", "91", "96", "ZZ"])
def test_a_group_that_is_refused_ends_the_upload(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    code: str,
) -> None:
    machine, details = in_details()
    events = machine.receive(answer(details[0], now, code), now)
    assert isinstance(events[0], Refused)
    assert machine.finished
    (late,) = machine.receive(answer(details[1], now), now)
    assert isinstance(late, ResponseDiscarded)


def test_posted_and_suspended_together_are_what_was_closed(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details(payments=3)
    totals = totals_request(machine, details, now)
    posted = Total(count=2, sum_minor=1001 + 1003)
    suspended = Total(count=1, sum_minor=1002)
    fields = totals_fields(posted, suspended)
    collected = last(machine.receive(answer(totals, now, fields=fields), now))
    assert collected == Collected(
        batch=1, ack_mac=bytes(16), posted=posted, suspended=suspended
    )


@pytest.mark.parametrize(
    "posted",
    [Total(count=2, sum_minor=3006), Total(count=3, sum_minor=3005), Total()],
    ids=["count", "sum", "nothing"],
)
def test_a_bank_that_accepts_other_figures_is_not_believed(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]],
    now: datetime,
    posted: Total,
) -> None:
    machine, details = in_details(payments=3)
    totals = totals_request(machine, details, now)
    fields = totals_fields(posted, Total())
    refused = last(machine.receive(answer(totals, now, fields=fields), now))
    assert isinstance(refused, Refused)
    assert refused.code is ResponseCode.SUMS_DIFFER
    assert "customs card closed 3 of 3006" in refused.text


def test_an_acceptance_without_bank_ack_mac_is_asked_for_again(
    in_details: Callable[..., tuple[UploadMachine, list[bytes]]], now: datetime
) -> None:
    machine, details = in_details(payments=1)
    totals = totals_request(machine, details, now)
    (event,) = machine.receive(answer(totals, now), now)
    assert isinstance(event, ResponseDiscarded)
    assert machine.phase is UploadPhase.TOTALS
    (repeat,) = machine.repeat_unanswered()
    assert repeat == b"0501" + repeat[4:]
    assert repeat[4:-8] == totals[4:-8]


def test_control_messages_pass_over_the_stans_of_records(
    make_batch: MakeBatch, now: datetime
) -> None:
    machine = UploadMachine(make_batch(3), stan_start=101)  # records are 101 to 103
    (logon,) = machine.messages_to_send(now)
    assert iso8583.decode(logon).text(11) == "000104"
    assert machine.next_stan == 105


def test_after_the_largest_stan_comes_one(make_batch: MakeBatch, now: datetime) -> None:
    machine = UploadMachine(make_batch(), stan_start=STAN_MAX)
    (logon,) = machine.messages_to_send(now)
    assert iso8583.decode(logon).text(11) == "999999"
    assert machine.next_stan == 1


def test_a_session_shows_no_key() -> None:
    assert repr(Session(key=KEY)) == "Session()"


def test_a_batch_that_does_not_hold_together_cannot_be_built(
    make_batch: MakeBatch,
) -> None:
    batch = make_batch(2, opens=1)
    first, second = batch.payments
    with pytest.raises(AssertionError):
        replace(batch, payments=(second, first))
    with pytest.raises(AssertionError):
        replace(batch, payments=(first, replace(second, stan=first.stan)))
    with pytest.raises(AssertionError):
        replace(batch, terminal_id="T7")
    with pytest.raises(AssertionError):
        replace(batch, office="")
    with pytest.raises(AssertionError):
        replace(batch, currency=414)
    with pytest.raises(AssertionError):
        replace(batch, mid=bytes(8))
    other = replace(batch.opens[0].open_record.tx, mid=bytes(8))
    opened = OpenRecord(tx=other, kv=1, rc=bytes(8), vreq=bytes(8))
    with pytest.raises(AssertionError):
        replace(batch, opens=(replace(batch.opens[0], open_record=opened),))


def open_asked(
    make_batch: MakeBatch, now: datetime
) -> tuple[UploadMachine, int, bytes]:
    """A machine, the STAN of its one open record, and the question about it."""
    batch = make_batch(0, opens=1)
    machine = UploadMachine(batch, stan_start=1, session=Session(key=KEY))
    (header,) = machine.messages_to_send(now)
    machine.receive(answer(header, now), now)
    (question,) = machine.messages_to_send(now)
    return machine, batch.opens[0].stan, question


@pytest.mark.parametrize("code", ["03", "05", "12", "30", "94"])
def test_an_open_record_that_is_not_accepted_is_told_and_the_rest_goes_on(
    make_batch: MakeBatch, now: datetime, code: str
) -> None:
    machine, stan, question = open_asked(make_batch, now)
    (refused, progress) = machine.receive(answer(question, now, code), now)
    assert isinstance(refused, RecordRefused)
    assert (refused.stan, refused.code) == (stan, ResponseCode(code))
    assert isinstance(progress, Progress)
    assert machine.phase is UploadPhase.TOTALS


@pytest.mark.parametrize("code", ["58", "63", "80", "91", "96", "ZZ"])
def test_an_open_record_of_which_nothing_can_be_said_now_ends_the_upload(
    make_batch: MakeBatch, now: datetime, code: str
) -> None:
    machine, _, question = open_asked(make_batch, now)
    events = machine.receive(answer(question, now, code), now)
    assert isinstance(events[0], Refused)
    assert machine.finished


def test_an_open_record_of_which_the_bank_knows_nothing_goes_on_without_news(
    make_batch: MakeBatch, now: datetime
) -> None:
    machine, _, question = open_asked(make_batch, now)
    assert machine.receive(answer(question, now), now) == [
        Progress(sent=1, answered=1, total=1)
    ]
