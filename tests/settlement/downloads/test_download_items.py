"""Parameters, services and payment requests: what a counter makes of any bytes."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.download_items import (
    Parameters,
    PaymentRequest,
    Service,
    encode_parameters,
    encode_request,
    encode_service,
    parse_parameters,
    parse_request,
    parse_service,
)
from settlement.errors import DownloadError
from settlement.payment import PaymentKind

REQUEST = PaymentRequest(
    number="R-1",
    declaration="IMP-1",
    amount_minor=125_500,
    kind=PaymentKind.DEPOSITS,
    office="SOHAR",
    payer="شركة النور",
    delivery_order="DO-7",
    due=date(2025, 12, 31),
)
SERVICE = Service(
    code="C1", name="Copy", name_ar="نسخة", kind=PaymentKind.FEES, amount_minor=1
)


def test_items_are_read_back_as_they_were() -> None:
    assert parse_request(*encode_request(REQUEST)) == REQUEST
    assert parse_service(*encode_service(SERVICE)) == SERVICE
    parameters = Parameters(payment_limit_minor=500_000, clock_limit_s=60)
    assert parse_parameters(encode_parameters(parameters)) == parameters
    assert parse_parameters({}) == Parameters()


@given(key=st.binary(max_size=70), value=st.binary(max_size=200))
def test_any_bytes_are_an_item_or_the_packages_own_error(
    key: bytes, value: bytes
) -> None:
    for parse in (parse_request, parse_service):
        with pytest.raises(DownloadError):
            parse(key, value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
NAMES = ("name", "kind", "amount_minor", "declaration", "due", "office", "payer")


@given(members=st.dictionaries(st.sampled_from(NAMES), json_values))
def test_any_json_is_an_item_or_the_packages_own_error(
    members: dict[str, object],
) -> None:
    known = {"name": "x", "kind": "fees", "declaration": "D", "amount_minor": 1}
    value = json.dumps(known | members).encode()
    for parse in (parse_request, parse_service):
        try:
            item = parse(b"K", value)
        except DownloadError:
            continue
        assert item.amount_minor is None or item.amount_minor > 0


@pytest.mark.parametrize(
    "value", [b"", b"0", b"-1", b"1.5", b"9" * 5000, b"\xff", b"100000", b" 5"]
)
def test_a_parameter_that_makes_no_sense_is_as_if_absent(value: bytes) -> None:
    assert parse_parameters({b"clock-limit-s": value}) == Parameters()


def test_an_unknown_parameter_is_passed_over() -> None:
    found = parse_parameters({b"colour": b"blue", b"clock-limit-s": b"60"})
    assert found == Parameters(clock_limit_s=60)


@pytest.mark.parametrize("day", ["2026-W10-1", "20260304", "2026-W101", "2026-3-4"])
def test_a_day_in_another_form_is_none(day: str) -> None:
    key, value = encode_request(REQUEST)
    spoiled = value.replace(b"2025-12-31", day.encode())
    with pytest.raises(DownloadError):
        parse_request(key, spoiled)


def test_a_member_named_twice_makes_an_item_none() -> None:
    value = b'{"amount_minor":1,"kind":"fees","name":"x","amount_minor":900}'
    with pytest.raises(DownloadError, match="twice"):
        parse_service(b"C1", value)


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"amount_minor":' + b"9" * 5000 + b"}",
        b'{"amount_minor":true,"kind":"fees","name":"x"}',
        b'{"amount_minor":1.0,"kind":"fees","name":"x"}',
        b'{"amount_minor":1e999,"kind":"fees","name":"x"}',
        b'{"kind":"fees","name":"x\\ud800"}',
        b'{"kind":"fees","name":"x\\u202e"}',
        b'{"kind":"fees","name":""}',
        b'{"kind":["fees"],"name":"x"}',
    ],
)
def test_an_item_out_of_all_bounds_is_refused(value: bytes) -> None:
    with pytest.raises(DownloadError):
        parse_service(b"C1", value)


@pytest.mark.parametrize("key", [b"", b"x" * 33, b"\xff", "\u202e".encode()])
def test_a_key_that_cannot_be_shown_is_refused(key: bytes) -> None:
    with pytest.raises(DownloadError, match="a key"):
        parse_service(key, encode_service(SERVICE)[1])
