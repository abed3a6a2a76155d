"""The message that tells of a decline, there and back, and what is none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement import iso8583
from settlement.data_objects import DetailTag, encode_objects
from settlement.decline_machine import (
    DeclineAnswered,
    DeclineMachine,
    DeclineNotTaken,
)
from settlement.decline_messages import decline_message, parse_decline
from settlement.decline_report import DeclineReport
from settlement.errors import MalformedMessageError
from settlement.message_codec import response_to
from settlement.message_parser import parse_request
from settlement.messages import ResponseCode
from settlement.terminal_call import Session
from settlement.upload_events import ResponseDiscarded

KEY = bytes(range(16))
NOW = datetime(2025, 11, 22, 16, 30, tzinfo=UTC)
REPORT = DeclineReport(number="R-1", reason="not ours", clerk="7", at=NOW)
TERMINAL = "T0000007"
DOCUMENT = Path(__file__).parents[3] / "docs" / "iso8583.md"

TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "Nd", "P"]), max_size=8)


@given(TEXTS.filter(bool), TEXTS.filter(bool), TEXTS, st.datetimes())
def test_any_report_comes_back(
    number: str, reason: str, clerk: str, at: datetime
) -> None:
    when = at.replace(microsecond=0, tzinfo=UTC)
    report = DeclineReport(number=number, reason=reason, clerk=clerk, at=when)
    data = iso8583.encode(decline_message(TERMINAL, 1, report, NOW), KEY)
    assert parse_request(iso8583.decode(data)) == report


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (DetailTag.REQUEST_NUMBER, None),
        (DetailTag.REQUEST_NUMBER, b"R" * 33),
        (DetailTag.REQUEST_NUMBER, b"\xff"),
        (DetailTag.DECLINE_REASON, None),
        (DetailTag.DECLINE_REASON, b"x" * 121),
        (DetailTag.DECLINE_REASON, b"a\nb"),
        (DetailTag.DECLINED_AT, None),
        (DetailTag.DECLINED_AT, bytes.fromhex("20251322000000")),
        (DetailTag.DECLINED_AT, bytes.fromhex("2025112200000A")),
        (DetailTag.DECLINED_AT, bytes(6)),
    ],
)
def test_what_is_no_decline_is_refused(tag: DetailTag, value: bytes | None) -> None:
    objects: dict[int, bytes] = {
        DetailTag.REQUEST_NUMBER: b"R-1",
        DetailTag.DECLINE_REASON: b"no",
        DetailTag.DECLINED_AT: bytes.fromhex("20251122163000"),
    }
    objects.pop(tag)
    if value is not None:
        objects[tag] = value
    message = decline_message(TERMINAL, 1, REPORT, NOW)
    spoiled = replace(
        message, fields={**message.fields, 48: encode_objects(objects.items())}
    )
    with pytest.raises(MalformedMessageError):
        parse_decline(spoiled)


def test_no_other_file_is_changed_by_a_counter() -> None:
    message = decline_message(TERMINAL, 1, REPORT, NOW)
    other = replace(message, fields={**message.fields, 101: "HOTLIST"})
    with pytest.raises(MalformedMessageError, match="no counter changes"):
        parse_decline(other)


def test_the_messages_have_the_fields_that_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text[text.index("### Declines") :]
    rows = dict(re.findall(r"^\| `(\d{4})` \| ([\d ]+)", section, re.MULTILINE))
    asked = decline_message(TERMINAL, 1, REPORT, NOW)
    answered = response_to(asked, "00", NOW)
    for message in (asked, answered):
        documented = {int(number) for number in rows[message.mti].split()}
        assert {*message.fields, 128} == documented


def machine(*numbers: str) -> DeclineMachine:
    reports = [replace(REPORT, number=number) for number in numbers]
    return DeclineMachine(
        TERMINAL, reports, stan_start=999_998, session=Session(key=KEY)
    )


def answer(message: bytes, code: str, key: bytes = KEY) -> bytes:
    return iso8583.encode(response_to(iso8583.decode(message), code, NOW), key)


def test_an_answer_counts_once_and_only_with_its_mac() -> None:
    telling = machine("R-1")
    (sent,) = telling.messages_to_send(NOW)
    (event,) = telling.receive(answer(sent, "00", bytes(16)), NOW)
    assert isinstance(event, ResponseDiscarded)
    assert telling.messages_to_send(NOW) == []
    assert telling.receive(answer(sent, "00"), NOW) == [
        DeclineAnswered(report=REPORT, code=ResponseCode.ACCEPTED, text="")
    ]
    assert telling.finished
    (event,) = telling.receive(answer(sent, "00"), NOW)
    assert isinstance(event, ResponseDiscarded)


def test_stans_go_on_from_one_after_the_last() -> None:
    telling = machine("R-1", "R-2", "R-3")
    sent = telling.messages_to_send(NOW)
    stans = [iso8583.decode(message).text(11) for message in sent]
    assert stans == ["999998", "999999", "000001"]
    assert telling.next_stan == 2


def test_a_bank_that_takes_none_is_told_of_no_more_in_this_call() -> None:
    telling = machine(*(f"R-{at}" for at in range(9)))
    sent = telling.messages_to_send(NOW)
    assert len(sent) == 4
    events: list[Any] = []
    for message in sent:
        events += telling.receive(answer(message, "91"), NOW)
    assert [type(event) for event in events] == [DeclineNotTaken] * 4
    assert telling.finished
    assert telling.messages_to_send(NOW) == []


def test_any_bytes_at_all_are_discarded() -> None:
    telling = machine("R-1")
    (sent,) = telling.messages_to_send(NOW)
    for data in (b"", b"0310", sent, bytes(300), answer(sent, "00")[:-1]):
        (event,) = telling.receive(data, NOW)
        assert isinstance(event, ResponseDiscarded)
    assert not telling.finished
