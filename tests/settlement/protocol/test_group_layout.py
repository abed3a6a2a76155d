"""Payments in columns: the same payments come out, and nothing else gets in."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.records import TransactionRecord, payment_digest
from settlement import iso8583
from settlement.bit_columns import BitReader, BitWriter, read_column, write_column
from settlement.data_objects import encode_details
from settlement.detail_groups import fitting, group_message, payments_of
from settlement.errors import MalformedMessageError
from settlement.group_layout import GROUP_PAYMENTS_MAX, Shared, pack, unpack
from settlement.iso8583_spec import FIELDS
from settlement.message_codec import detail_message, record_fields
from settlement.message_parser import parse_request
from settlement.messages import BatchHeader, GroupRequest
from settlement.payment import (
    LINES_MAX,
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    PaymentRecord,
)
from sim.nation.customs_day import draw_day

if TYPE_CHECKING:
    from collections.abc import Callable


MID = bytes.fromhex("43 55 53 00 00 00 00 07")
SHARED = Shared(mid=MID, currency=512)
KEY = bytes(16)
BYTES_A_PAYMENT_MAX = 36

UINT4 = st.integers(0, 0xFFFFFFFF)
TEXTS = st.one_of(
    st.just(""),
    st.from_regex(r"[A-Z]{0,4}-?[0-9]{0,9}", fullmatch=True),
    st.from_regex(r"[0-9]{16,20}", fullmatch=True),
    st.text(st.characters(categories=["L", "N"]), max_size=8),
)
LINES = st.builds(
    PaymentLine,
    line_class=st.sampled_from(LineClass),
    amount_minor=st.integers(1, 0x7FFFFFFF),
)


def details() -> st.SearchStrategy[PaymentDetails]:
    return st.builds(
        PaymentDetails,
        declaration=TEXTS.filter(bool),
        kind=st.sampled_from(PaymentKind),
        lines=st.lists(LINES, max_size=4).map(tuple),
        clerk=TEXTS,
        request_number=TEXTS,
        delivery_order=TEXTS,
        service_code=TEXTS,
    )


@st.composite
def payments(draw: st.DrawFn) -> tuple[PaymentRecord, ...]:
    """1 to 32 payments that any terminal may have, also impossible ones."""
    places = draw(
        st.lists(st.integers(1, 999), min_size=1, max_size=GROUP_PAYMENTS_MAX)
    )
    return tuple(draw(payment(place)) for place in sorted(set(places)))


@st.composite
def payment(draw: st.DrawFn, place: int) -> PaymentRecord:
    said = draw(st.none() | details())
    proved = said is not None and draw(st.booleans())
    digest = draw(st.binary(min_size=8, max_size=8))
    amount_minor = draw(st.integers(1, 0x7FFFFFFF))
    if said is not None and said.lines and draw(st.booleans()):
        amount_minor = min(said.lines_minor, 0x7FFFFFFF)
    return PaymentRecord(
        stan=draw(st.integers(1, 999_999)),
        sequence=place,
        details=said,
        tx=TransactionRecord(
            cid=draw(st.binary(min_size=8, max_size=8)),
            otc=draw(UINT4),
            mid=MID,
            tsn=draw(UINT4),
            amount_minor=amount_minor,
            currency=512,
            at=draw(st.datetimes(timezones=st.just(UTC))),
            digest=payment_digest(said.declaration) if proved and said else digest,
        ),
        kv=draw(st.integers(0, 255)),
        alg=draw(st.integers(0, 255)),
        balance_after_minor=draw(UINT4),
        cumulative_debit_minor=draw(st.integers(0, 0xFFFFFFFFFFFFFFFF)),
        tac=draw(st.binary(min_size=8, max_size=8)),
    )


@given(group=payments())
def test_any_payments_come_out_as_they_went_in(
    group: tuple[PaymentRecord, ...],
) -> None:
    assert unpack(*pack(group), SHARED) == group


@given(values=st.lists(st.integers(-(2**64), 2**66)))
def test_any_numbers_come_out_of_a_column_as_they_went_in(values: list[int]) -> None:
    writer = BitWriter()
    write_column(writer, values)
    reader = BitReader(writer.to_bytes(), field=61)
    assert read_column(reader, len(values)) == values


def sent_at(group: iso8583.Message) -> datetime:
    """When a group was sent, in its sender's zone, from what it says."""
    local, utc = (
        datetime.strptime(f"2025{text}+0000", "%Y%m%d%H%M%S%z")
        for text in (group.text(13) + group.text(12), group.text(7))
    )
    return utc.astimezone(timezone(local - utc))


def test_a_group_stands_for_the_very_bytes_of_each_payments_own_message(
    now: datetime,
) -> None:
    batch = draw_day(3, payments=32).batch
    header = BatchHeader.of(batch)
    alone = [
        iso8583.encode(detail_message(header, one, now), KEY) for one in batch.payments
    ]
    arrived = iso8583.decode(
        iso8583.encode(group_message(header, batch.payments, 7, now), KEY)
    )
    request = parse_request(arrived)
    assert isinstance(request, GroupRequest)
    rebuilt = [
        iso8583.encode(detail_message(header, one, sent_at(arrived)), KEY)
        for one in payments_of(request, header)
    ]
    assert rebuilt == alone


@pytest.mark.parametrize("seed", range(3))
def test_a_days_payments_take_at_most_36_bytes_each(now: datetime, seed: int) -> None:
    batch = draw_day(seed, payments=300).batch
    header = BatchHeader.of(batch)
    size = sum(
        2 + len(iso8583.encode(group_message(header, group, 7, now), KEY))
        for group in groups(batch.payments)
    )
    assert size <= BYTES_A_PAYMENT_MAX * 300


def groups(records: tuple[PaymentRecord, ...]) -> list[tuple[PaymentRecord, ...]]:
    starts = range(0, len(records), GROUP_PAYMENTS_MAX)
    return [records[start : start + GROUP_PAYMENTS_MAX] for start in starts]


def crowded(place: int) -> PaymentRecord:
    """A payment with as much to say as a payment can have."""
    source = random.Random(place)
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"

    def text(size: int) -> str:
        return "".join(source.choices(letters, k=size))

    lines = tuple(
        PaymentLine(
            line_class=source.choice(list(LineClass)),
            amount_minor=source.randrange(1, 0x7FFFFFFF),
        )
        for _ in range(LINES_MAX)
    )
    said = PaymentDetails(
        declaration=text(48),
        kind=PaymentKind.FEES,
        lines=lines,
        clerk=text(32),
        request_number=text(32),
        delivery_order=text(32),
        service_code=text(32),
    )
    first = draw_day(place, payments=1).batch.payments[0]
    return replace(first, sequence=place, details=said)


def test_payments_with_much_to_say_travel_in_smaller_groups() -> None:
    many = [crowded(place) for place in range(1, 33)]
    taken = fitting(many)
    assert 1 <= len(taken) < 8
    assert len(pack(taken)[0]) <= FIELDS[61].length
    assert len(fitting(many[:1])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_are_no_group_are_refused_and_no_group_has_two_forms(
    seed: int,
) -> None:
    source = random.Random(seed)
    size = source.randrange(1, GROUP_PAYMENTS_MAX + 1)
    columns, tacs = pack(draw_day(seed, payments=size).batch.payments)
    for _ in range(60):
        spoiled = bytearray(columns)
        for _ in range(source.choice((1, 1, 2, 8))):
            spoiled[source.randrange(len(spoiled))] ^= 1 << source.randrange(8)
        cut = bytes(spoiled[: source.choice((len(spoiled), source.randrange(200)))])
        with suppress(MalformedMessageError):
            assert pack(unpack(cut, tacs, SHARED)) == (cut, tacs)


@given(columns=st.binary(max_size=200), count=st.integers(1, 32))
def test_any_bytes_whatever_are_a_group_or_refused(columns: bytes, count: int) -> None:
    first = columns[0] & 0x07 | (count - 1) << 3 if columns else 0
    counted = bytes((first,)) + columns[1:]
    with suppress(MalformedMessageError):
        unpack(counted, bytes(8 * count), SHARED)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda columns, tacs: (columns + b"\0", tacs), "not in its one form"),
        (lambda columns, tacs: (columns[:-1], tacs), "cut short"),
        (lambda columns, tacs: (b"", tacs), "cut short"),
        (lambda columns, tacs: (columns, tacs + bytes(8)), "not one TAC"),
        (lambda columns, tacs: (columns, tacs[:-1]), "not one TAC"),
        (lambda columns, tacs: (columns, b""), "not one TAC"),
    ],
    ids=["longer", "shorter", "none", "TAC too many", "TAC cut", "no TAC"],
)
def test_a_group_has_exactly_its_length(
    harm: Callable[[bytes, bytes], tuple[bytes, bytes]], problem: str
) -> None:
    columns, tacs = pack(draw_day(1, payments=5).batch.payments)
    with pytest.raises(MalformedMessageError, match=problem):
        unpack(*harm(columns, tacs), SHARED)


def test_a_number_that_no_payment_has_is_refused() -> None:
    """Place 0: the first ten bits after the count."""
    columns, tacs = pack(draw_day(1, payments=1).batch.payments)
    bits = int.from_bytes(columns, "big")
    shift = 8 * len(columns) - 15
    spoiled = (bits & ~(0x3FF << shift)).to_bytes(len(columns), "big")
    with pytest.raises(MalformedMessageError, match="no payment can have"):
        unpack(spoiled, tacs, SHARED)


def test_a_width_of_127_bits_costs_nothing_but_a_refusal() -> None:
    writer = BitWriter()
    writer.write(31, 5)
    writer.write(1, 10)
    for _ in range(4):
        writer.write(0, 2)
        writer.write(127, 7)
        writer.write((1 << 127) - 1, 127)
        writer.write(127, 7)
    with pytest.raises(MalformedMessageError):
        unpack(writer.to_bytes(), bytes(256), SHARED)


def test_a_record_says_all_in_fields_48_and_55() -> None:
    (one,) = draw_day(5, payments=1).batch.payments
    assert one.details is not None
    said, proved = record_fields(one)
    assert said == encode_details(one.details)
    assert one.tac in proved
    unknown = replace(one, details=None)
    assert record_fields(unknown) == (b"", proved)


def test_a_later_time_of_day_is_told_in_seconds() -> None:
    (one,) = draw_day(5, payments=1).batch.payments
    later = replace(
        one,
        stan=one.stan + 1,
        sequence=2,
        tx=replace(one.tx, at=one.tx.at + timedelta(days=40)),
    )
    assert unpack(*pack([one, later]), SHARED) == (one, later)
