"""Messages with a good MAC and no sense: they must not bring a machine down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from settlement import iso8583
from settlement.data_objects import CardTag, DetailTag, encode_objects
from settlement.intake import IntakeBank, IntakeMachine, ResponseCode
from settlement.iso8583_spec import FIELDS, MAC_FIELDS, FieldFormat
from settlement.message_codec import batch_totals as totals_of
from settlement.message_codec import (
    detail_message,
    header_message,
    logon_message,
    response_to,
    totals_message,
)
from settlement.messages import BatchHeader, TerminalVersions
from settlement.upload import Session, UploadMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.payment import BatchToUpload

    MakeBatch = Callable[..., BatchToUpload]

KEY = bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")
KNOWN_CODES = {str(code) for code in ResponseCode}
ANY_NONSENSE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def objects(tags: type[CardTag] | type[DetailTag]) -> st.SearchStrategy[bytes]:
    """Data objects with known tags and any values."""
    values = st.sampled_from([0, 1, 4, 5, 7, 8, 16, 47, 60]).flatmap(
        lambda size: st.binary(min_size=size, max_size=size)
    )
    pairs = st.lists(st.tuples(st.sampled_from(list(tags)), values), max_size=6)
    return pairs.map(encode_objects)


def content(number: int) -> st.SearchStrategy[str | bytes]:
    """Anything that fits a field, with likely values for some."""
    spec = FIELDS[number]
    if number == 48:
        return objects(DetailTag)
    if number == 55:
        return objects(CardTag)
    if spec.format is FieldFormat.B:
        return st.binary(max_size=64)
    alphabet = {
        FieldFormat.N: "0123456789",
        FieldFormat.AN: "0123456789AZ",
        FieldFormat.ANS: " 09AZ",
    }[spec.format]
    least = 0 if spec.length_digits else spec.length
    return st.text(alphabet, min_size=least, max_size=spec.length)


CHANGES = st.fixed_dictionaries(
    {}, optional={n: content(n) for n in FIELDS if n not in MAC_FIELDS}
)
LEFT_OUT = st.sets(st.sampled_from(sorted(set(FIELDS) - set(MAC_FIELDS))), max_size=2)


@pytest.fixture
def requests(make_batch: MakeBatch, now: datetime) -> list[iso8583.Message]:
    """Header, payment, open record and totals of one batch."""
    batch = make_batch(1, opens=1)
    header = BatchHeader(
        terminal_id=batch.terminal_id,
        office=batch.office,
        mid=batch.mid,
        currency=batch.currency,
        close=batch.close,
    )
    return [
        header_message(header, 1, now),
        detail_message(header, batch.payments[0], now),
        detail_message(header, batch.opens[0], now),
        totals_message(header, totals_of(batch.payments), 2, now),
    ]


@ANY_NONSENSE
@given(index=st.integers(0, 3), changes=CHANGES, left_out=LEFT_OUT)
def test_the_host_answers_every_authentic_request(
    requests: list[iso8583.Message],
    bank: IntakeBank,
    now: datetime,
    index: int,
    changes: dict[int, str | bytes],
    left_out: set[int],
) -> None:
    machine = IntakeMachine("T0000007", bank, KEY)
    logon = logon_message("T0000007", 9, TerminalVersions(), now)
    machine.receive(iso8583.encode(logon, None), now)
    machine.receive(iso8583.encode(requests[0], KEY), now)
    asked = requests[index]
    fields = {**asked.fields, **changes}
    kept = {n: value for n, value in fields.items() if n not in left_out}
    data = iso8583.encode(iso8583.Message(mti=asked.mti, fields=kept), KEY)
    (response,) = machine.receive(data, now)
    answer = iso8583.decode(response)
    assert answer.text(39) in KNOWN_CODES
    assert iso8583.is_authentic(response, answer, KEY)


@ANY_NONSENSE
@given(
    answered=st.integers(0, 3),
    code=st.sampled_from([*KNOWN_CODES, "ZZ"]),
    changes=CHANGES,
    left_out=LEFT_OUT,
)
@example(answered=0, code="00", changes={}, left_out=set())
def test_the_terminal_survives_every_authentic_response(
    make_batch: MakeBatch,
    now: datetime,
    answered: int,
    code: str,
    changes: dict[int, str | bytes],
    left_out: set[int],
) -> None:
    machine = UploadMachine(
        make_batch(1, opens=1), stan_start=1, window=1, session=Session(key=KEY)
    )
    for _ in range(answered):
        (data,) = machine.messages_to_send(now)
        accepted = response_to(iso8583.decode(data), "00", now)
        machine.receive(iso8583.encode(accepted, KEY), now)
    (data,) = machine.messages_to_send(now)
    response = response_to(iso8583.decode(data), code, now)
    fields = {**response.fields, **changes}
    kept = {n: value for n, value in fields.items() if n not in left_out}
    nonsense = iso8583.Message(mti=response.mti, fields=kept)
    events = machine.receive(iso8583.encode(nonsense, KEY), now)
    assert events or machine.messages_to_send(now)
