"""What became of many payments, in one field that has an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.data_objects import DetailTag, encode_objects
from settlement.errors import MalformedMessageError
from settlement.iso8583 import Message
from settlement.messages import HeldRecord, RecordAnswer, ResponseCode
from settlement.outcomes import (
    held_digest,
    held_fields,
    outcome_fields,
    parse_held,
    parse_outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.payment import BatchToUpload

FIELD_BYTES_MAX = 999


def suspended(text: str) -> RecordAnswer:
    return RecordAnswer(code=ResponseCode.SUSPENDED, text=text)


def answered(fields: list[tuple[int, str | bytes]]) -> Message:
    return Message(mti="0330", fields=dict(fields))


def size_of(message: Message) -> int:
    return len(message.binary(48))


def test_what_was_accepted_is_not_named() -> None:
    taken = RecordAnswer(code=ResponseCode.ACCEPTED, text="the lines do not add up")
    assert outcome_fields({1: taken, 2: taken}) == []
    assert parse_outcomes(answered([])) == {}


def test_the_longest_texts_of_a_whole_group_have_room_when_they_are_cut() -> None:
    outcomes = {place: suspended(f"{place:03d} " + "x" * 196) for place in range(1, 33)}
    message = answered(outcome_fields(outcomes))
    assert size_of(message) <= FIELD_BYTES_MAX
    read = parse_outcomes(message)
    assert read.keys() == outcomes.keys()
    assert all(outcomes[n].text.startswith(one.text) for n, one in read.items())


@pytest.mark.parametrize("alike", [True, False])
def test_what_has_no_room_is_not_told_as_held(
    make_batch: Callable[..., BatchToUpload], *, alike: bool
) -> None:
    payments = make_batch(999).payments
    held = [
        HeldRecord(record=one, answer=suspended("no" if alike else f"no {one.stan}"))
        for one in payments
    ]
    message = answered(held_fields(held))
    assert size_of(message) <= FIELD_BYTES_MAX
    told = parse_held(message)
    assert told.places == parse_outcomes(message).keys()
    assert 30 < len(told.places) < 999
    known = [one for one in payments if one.sequence in told.places]
    assert held_digest(known) == told.digest


def test_a_whole_batch_that_was_accepted_is_told_as_held(
    make_batch: Callable[..., BatchToUpload],
) -> None:
    payments = make_batch(999).payments
    taken = RecordAnswer(code=ResponseCode.ACCEPTED)
    held = [HeldRecord(record=one, answer=taken) for one in payments]
    told = parse_held(answered(held_fields(held)))
    assert told.places == set(range(1, 1000))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param("30 35 00", id="no payment"),
        pytest.param("30 35 02 00 01", id="cut short"),
        pytest.param("30 35 01 00 00", id="place 0"),
        pytest.param("30 35 01 03 E8", id="place 1000"),
        pytest.param("30 35 02 00 02 00 01", id="not ascending"),
        pytest.param("30 35 02 00 01 00 01", id="twice"),
        pytest.param("30 30 01 00 01", id="accepted"),
        pytest.param("30 35 01 00 01 FF", id="no text"),
    ],
)
def test_what_is_no_outcome_is_refused(value: str) -> None:
    objects = encode_objects([(DetailTag.OUTCOMES, bytes.fromhex(value))])
    with pytest.raises(MalformedMessageError):
        parse_outcomes(answered([(48, objects)]))


def test_two_outcomes_of_one_payment_are_refused() -> None:
    objects = [
        (DetailTag.OUTCOMES, bytes.fromhex("30 35 01 00 01")),
        (DetailTag.OUTCOMES, bytes.fromhex("39 34 01 00 01")),
    ]
    with pytest.raises(MalformedMessageError):
        parse_outcomes(answered([(48, encode_objects(objects))]))


@given(
    outcomes=st.dictionaries(
        st.integers(1, 999),
        st.builds(
            RecordAnswer,
            code=st.sampled_from(
                [code for code in ResponseCode if code is not ResponseCode.ACCEPTED]
            ),
            text=st.text("ab ", min_size=1, max_size=12),
        ),
        max_size=32,
    )
)
def test_outcomes_come_out_as_they_went_in(outcomes: dict[int, RecordAnswer]) -> None:
    assert parse_outcomes(answered(outcome_fields(outcomes))) == outcomes
