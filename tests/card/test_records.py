from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import purse
from card.application import parse_challenge
from card.customs import CreditAnswer, InitSAMAnswer
from card.errors import CardError, MalformedResponseError
from card.exchange import PurchaseBegun, PurchaseOpened
from card.fci import parse_fci
from card.profile import LogKind
from card.purchase_result import PurchaseTerms
from card.records import (
    CHAIN_START,
    BatchClose,
    CreditedRecord,
    CustomsStatus,
    DebitProof,
    LoadRecord,
    LoadRequest,
    LogEntry,
    OpenRecord,
    TransactionRecord,
    chain_next,
    mask_card_number,
    payment_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

UINT1 = st.integers(0, 0xFF)
UINT2 = st.integers(0, 0xFFFF)
UINT4 = st.integers(0, 0xFFFFFFFF)
UINT8 = st.integers(0, 0xFFFFFFFFFFFFFFFF)
EIGHT = st.binary(min_size=8, max_size=8)
SIXTEEN = st.binary(min_size=16, max_size=16)
AMOUNTS = st.integers(1, 0x7FFFFFFF)
CURRENCIES = st.integers(0, 999)
MOMENTS = st.datetimes(timezones=st.just(UTC))

TRANSACTIONS = st.builds(
    TransactionRecord,
    cid=EIGHT,
    otc=UINT4,
    mid=EIGHT,
    tsn=UINT4,
    amount_minor=AMOUNTS,
    currency=CURRENCIES,
    at=MOMENTS,
    digest=EIGHT,
)
LOADS = st.builds(
    LoadRecord,
    cid=EIGHT,
    ltc=UINT4,
    lid=EIGHT,
    lsn=UINT4,
    amount_minor=AMOUNTS,
    currency=CURRENCIES,
    at=MOMENTS,
)
PROOFS = st.builds(
    DebitProof,
    balance_after_minor=UINT4,
    cumulative_debit_minor=UINT8,
    tac=EIGHT,
    mac2=EIGHT,
)
OPENS = st.builds(OpenRecord, tx=TRANSACTIONS, kv=UINT1, rc=EIGHT, vreq=EIGHT)
CREDITED = st.builds(
    CreditedRecord,
    batch=UINT4,
    tx=TRANSACTIONS,
    kv=UINT1,
    balance_after_minor=UINT4,
    cumulative_debit_minor=UINT8,
    tac=EIGHT,
)
ENTRIES = st.builds(
    LogEntry,
    kind=st.sampled_from(LogKind),
    tx=TRANSACTIONS,
    balance_after_minor=UINT4,
    acked=st.booleans(),
)
STATUSES = st.builds(
    CustomsStatus,
    mid=EIGHT,
    batch=UINT4,
    tsn_next=UINT4,
    count=UINT4,
    sum_minor=UINT8,
    total_minor=UINT8,
    open_count=UINT2,
    open_capacity=UINT2,
    closed_count=UINT1,
)
CLOSES = st.builds(
    BatchClose,
    batch=UINT4,
    count=UINT4,
    sum_minor=UINT8,
    open_count=UINT4,
    open_sum_minor=UINT8,
    chain=SIXTEEN,
    mac=SIXTEEN,
)

RECORDS = [
    pytest.param(TRANSACTIONS, 47, id="TX"),
    pytest.param(LOADS, 39, id="LX"),
    pytest.param(PROOFS, 28, id="proof"),
    pytest.param(OPENS, 64, id="open"),
    pytest.param(CREDITED, 72, id="credited"),
    pytest.param(ENTRIES, 53, id="log"),
    pytest.param(STATUSES, 41, id="status"),
    pytest.param(CLOSES, 60, id="close"),
]

PARSERS: list[Callable[[bytes], Any]] = [
    TransactionRecord.parse,
    LoadRecord.parse,
    DebitProof.parse,
    OpenRecord.parse,
    CreditedRecord.parse,
    LogEntry.parse,
    CustomsStatus.parse,
    BatchClose.parse,
    InitSAMAnswer.parse,
    CreditAnswer.parse,
    purse.LoadProof.parse,
    purse.parse_init,
    purse.parse_vmac,
    parse_challenge,
    parse_fci,
]


@pytest.mark.parametrize(("records", "size"), RECORDS)
@given(data=st.data())
def test_a_record_is_read_back_from_its_bytes(
    records: st.SearchStrategy[Any], size: int, data: st.DataObject
) -> None:
    record = data.draw(records)
    written = record.to_bytes()
    assert len(written) == size
    assert type(record).parse(written) == record


@pytest.mark.parametrize(("records", "size"), RECORDS)
@given(data=st.data())
def test_a_byte_more_or_less_is_malformed(
    records: st.SearchStrategy[Any], size: int, data: st.DataObject
) -> None:
    record = data.draw(records)
    written = record.to_bytes()
    shorter = data.draw(st.integers(0, size - 1))
    for wrong in (written[:shorter], written + b"\x00"):
        with pytest.raises(MalformedResponseError):
            type(record).parse(wrong)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__qualname__)
@given(data=st.data())
def test_any_bytes_parse_or_raise_an_error_of_this_package(
    parse: Callable[[bytes], Any], data: st.DataObject
) -> None:
    sizes = st.sampled_from([8, 12, 16, 28, 34, 39, 41, 47, 53, 60, 64, 72])
    exact = sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
    raw = data.draw(st.binary(max_size=80) | exact)
    with suppress(CardError):
        assert parse(raw) is not None


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(0, "02", id="version"),
        pytest.param(1, "02", id="type of a load"),
        pytest.param(26, "00 00 00 00", id="amount nothing"),
        pytest.param(26, "80 00 00 00", id="amount too large"),
        pytest.param(30, "05 1A", id="currency not BCD"),
        pytest.param(30, "10 00", id="currency of four digits"),
        pytest.param(32, "20 25 13 22 10 15 00", id="month 13"),
        pytest.param(32, "20 25 02 29 10 15 00", id="29 February 2025"),
        pytest.param(32, "00 00 11 22 10 15 00", id="year 0"),
        pytest.param(32, "20 25 11 22 24 00 00", id="hour 24"),
        pytest.param(32, "20 25 11 22 10 15 60", id="second 60"),
        pytest.param(32, "20 25 11 2A 10 15 00", id="time not BCD"),
    ],
)
def test_a_field_out_of_its_range_is_malformed_at_its_offset(
    tx: TransactionRecord, offset: int, value: str
) -> None:
    raw = bytearray(tx.to_bytes())
    wrong = bytes.fromhex(value)
    raw[offset : offset + len(wrong)] = wrong
    with pytest.raises(MalformedResponseError) as caught:
        TransactionRecord.parse(bytes(raw))
    assert caught.value.offset == offset


@pytest.mark.parametrize("kind", ["05", "08"])
def test_a_log_entry_has_a_known_kind(tx: TransactionRecord, kind: str) -> None:
    with pytest.raises(MalformedResponseError):
        LogEntry.parse(bytes.fromhex(kind) + tx.to_bytes() + bytes(5))


def test_a_log_entry_is_acked_or_not(tx: TransactionRecord) -> None:
    with pytest.raises(MalformedResponseError):
        LogEntry.parse(b"\x06" + tx.to_bytes() + bytes(4) + b"\x02")


def test_a_time_travels_in_utc_and_whole_seconds(tx: TransactionRecord) -> None:
    muscat = timezone(timedelta(hours=4))
    local = datetime(2025, 11, 22, 14, 15, 0, 999_999, tzinfo=muscat)
    assert replace(tx, at=local) == tx
    assert replace(tx, at=local).at.tzinfo is UTC


def test_a_time_without_zone_is_a_bug(tx: TransactionRecord) -> None:
    with pytest.raises(AssertionError):
        replace(tx, at=datetime(2025, 11, 22))  # noqa: DTZ001 - what is to be refused


@pytest.mark.parametrize("amount_minor", [-1, 0, 0x80000000])
def test_an_amount_outside_its_range_is_a_bug(
    tx: TransactionRecord, amount_minor: int
) -> None:
    with pytest.raises(AssertionError):
        replace(tx, amount_minor=amount_minor)


def test_the_chain_of_one_payment_is_that_of_the_worked_vector(
    tx: TransactionRecord,
) -> None:
    tac = bytes.fromhex("33 92 0C 5D 66 DC 3A 53")
    chain = chain_next(CHAIN_START, tx, 498_766, 1234, tac)
    assert chain.hex() == "72fe720dee1da94244c837cc6a7a3ae4"
    assert chain_next(chain, tx, 498_766, 1234, tac) != chain


def test_a_digest_is_taken_over_utf_8() -> None:
    assert payment_digest("INV-2025-000001").hex() == "436f2e589042e71c"
    assert payment_digest("بيان-1") != payment_digest("بيان-2")


def test_a_masked_card_number_shows_six_digits_and_four() -> None:
    assert mask_card_number(bytes.fromhex("6400 0012 3456 7801")) == "640000******7801"


def test_no_record_shows_a_card_number_or_a_mac(tx: TransactionRecord) -> None:
    cid = bytes.fromhex("64 00 00 12 34 56 78 01")
    secret = bytes.fromhex("5E C2 E7 5E C2 E7 5E C2")
    own = replace(tx, cid=cid)
    proof = DebitProof(
        balance_after_minor=1, cumulative_debit_minor=1, tac=secret, mac2=secret
    )
    request = LoadRequest(
        cid=cid,
        ltc=1,
        lid=bytes(8),
        amount_minor=1,
        currency=512,
        balance_minor=1,
        kv=1,
        alg=1,
        rc=secret,
        m1=secret,
    )
    begun = PurchaseBegun(otc=1, balance_minor=1, rc=secret, cid=cid)
    terms = PurchaseTerms(
        amount_minor=1,
        currency=512,
        mid=own.mid,
        kv=1,
        digest=own.digest,
        at=own.at,
        cid=cid,
    )
    lx = LoadRecord(
        cid=cid,
        ltc=1,
        lid=bytes(8),
        lsn=1,
        amount_minor=1,
        currency=512,
        at=own.at,
    )
    records = [
        own,
        lx,
        OpenRecord(tx=own, kv=1, rc=secret, vreq=secret),
        CreditedRecord(
            batch=1,
            tx=own,
            kv=1,
            balance_after_minor=1,
            cumulative_debit_minor=1,
            tac=secret,
        ),
        LogEntry(kind=LogKind.VOID, tx=own, balance_after_minor=1, acked=False),
        proof,
        request,
        begun,
        PurchaseOpened(tx=own, kv=1, rc=secret),
        terms,
        purse.InitAnswer(
            cid=cid,
            balance_minor=1,
            counter=1,
            kv=1,
            alg=1,
            rc=secret,
            mac=secret,
        ),
    ]
    for record in records:
        shown = repr(record)
        for hidden in (cid, secret):
            assert hidden.hex() not in shown.lower()
            assert repr(hidden)[2:-1] not in shown
    assert request.card_number_masked == own.card_number_masked == "640000******7801"
