"""Bytes of messages: fields, bitmaps, MAC, and whatever else may arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.keys import cmac
from settlement import iso8583
from settlement.errors import MalformedMessageError, SettlementError
from settlement.iso8583_spec import FIELDS, MAC_FIELDS, MESSAGE_BYTES_MAX, FieldFormat

KEY = bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")


def fields_of(number: int) -> st.SearchStrategy[str | bytes]:
    """Any content that a field may have."""
    spec = FIELDS[number]
    least = 0 if spec.length_digits else spec.length
    if spec.binary:
        return st.binary(min_size=least, max_size=spec.length)
    alphabets = {
        FieldFormat.N: "0123456789",
        FieldFormat.AN: "0123456789ABCxyz",
        FieldFormat.ANS: " !09AZaz~",
    }
    return st.text(alphabets[spec.format], min_size=least, max_size=spec.length)


MESSAGES = st.builds(
    iso8583.Message,
    mti=st.sampled_from(["0320", "0321", "0330", "0500", "0510", "0800", "0810"]),
    fields=st.fixed_dictionaries(
        {},
        optional={n: fields_of(n) for n in FIELDS if n not in MAC_FIELDS},
    ),
)


@given(MESSAGES)
def test_what_is_encoded_decodes_the_same(message: iso8583.Message) -> None:
    data = iso8583.encode(message, KEY)
    assert len(data) <= MESSAGE_BYTES_MAX
    decoded = iso8583.decode(data)
    assert (decoded.mti, decoded.fields) == (message.mti, message.fields)
    assert iso8583.is_authentic(data, decoded, KEY)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_raise_the_packages_error(data: bytes) -> None:
    try:
        message = iso8583.decode(data)
    except SettlementError:
        return
    assert message.mti.encode() == data[:4]


@given(MESSAGES, st.data())
def test_a_spoiled_message_is_malformed_or_not_authentic(
    message: iso8583.Message, data: st.DataObject
) -> None:
    good = iso8583.encode(message, KEY)
    place = data.draw(st.integers(min_value=0, max_value=len(good) - 1))
    flip = data.draw(st.integers(min_value=1, max_value=255))
    bad = good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :]
    try:
        decoded = iso8583.decode(bad)
    except SettlementError:
        return
    assert not iso8583.is_authentic(bad, decoded, KEY)


@given(MESSAGES, st.data())
def test_a_cut_message_is_malformed(
    message: iso8583.Message, data: st.DataObject
) -> None:
    good = iso8583.encode(message, KEY)
    end = data.draw(st.integers(min_value=0, max_value=len(good) - 1))
    with pytest.raises(MalformedMessageError):
        iso8583.decode(good[:end])


def test_the_mac_is_in_64_with_one_bitmap_and_in_128_with_two() -> None:
    single = iso8583.encode(iso8583.Message(mti="0500", fields={3: "920000"}), KEY)
    assert single[:12] == b"0500" + bytes.fromhex("20 00 00 00 00 00 00 01")
    double = iso8583.encode(iso8583.Message(mti="0800", fields={70: "001"}), KEY)
    assert double[:20] == b"0800" + bytes.fromhex(
        "80 00 00 00 00 00 00 00  04 00 00 00 00 00 00 01"
    )
    for data in (single, double):
        assert data[-8:] == cmac(KEY, data[:-8])[:8]


def test_a_message_without_a_mac_is_never_authentic() -> None:
    data = iso8583.encode(iso8583.Message(mti="0800", fields={70: "001"}), None)
    message = iso8583.decode(data)
    assert message.mac is None
    assert not iso8583.is_authentic(data, message, KEY)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"0320", None, id="only a type"),
        pytest.param(b"0999" + bytes(8), None, id="unknown type"),
        pytest.param(b"\xff\xff\xff\xff" + bytes(8), None, id="type not ASCII"),
        pytest.param(
            b"0320" + bytes.fromhex("08 00 00 00 00 00 00 00") + b"00", 5, id="field 5"
        ),
        pytest.param(
            b"0320" + bytes.fromhex("80 00 00 00 00 00 00 00 80 00 00 00 00 00 00 00"),
            65,
            id="third bitmap",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("80 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
            None,
            id="empty second bitmap",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("20 00 00 00 00 00 00 00") + b"00000A",
            3,
            id="letter in a number",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("20 00 00 00 00 00 00 00") + b"000000X",
            None,
            id="one byte too many",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("40 00 00 00 00 00 00 00") + b" 41234",
            None,
            id="blank in a length",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("40 00 00 00 00 00 00 00") + b"-11234",
            None,
            id="negative length",
        ),
        pytest.param(
            b"0320" + bytes.fromhex("40 00 00 00 00 00 00 00") + b"20" + b"1" * 20,
            2,
            id="longer than the field allows",
        ),
        pytest.param(
            b"0800"
            + bytes.fromhex("80 00 00 00 00 00 00 01  04 00 00 00 00 00 00 00")
            + bytes(8)
            + b"001",
            64,
            id="MAC before other fields",
        ),
        pytest.param(
            b"0800"
            + bytes.fromhex("80 00 00 00 00 00 00 01  00 00 00 00 00 00 00 01")
            + bytes(16),
            64,
            id="two MACs",
        ),
        pytest.param(bytes(MESSAGE_BYTES_MAX + 1), None, id="too long"),
    ],
)
def test_what_is_no_message_is_malformed_and_says_where(
    data: bytes, field: int | None
) -> None:
    with pytest.raises(MalformedMessageError) as malformed:
        iso8583.decode(data)
    if field is not None:
        assert malformed.value.field == field


@pytest.mark.parametrize(
    ("number", "value"),
    [
        pytest.param(5, "000000000001", id="unknown field"),
        pytest.param(3, "92000", id="short"),
        pytest.param(3, "92000X", id="letter in a number"),
        pytest.param(3, b"920000", id="bytes for text"),
        pytest.param(55, "00", id="text for bytes"),
        pytest.param(42, "SOHAR\n         ", id="control character"),
        pytest.param(42, "\u0635\u062d\u0627\u0631           ", id="not ASCII"),
        pytest.param(48, bytes(1000), id="too long"),
    ],
)
def test_what_does_not_fit_a_field_is_never_sent(
    number: int, value: str | bytes
) -> None:
    message = iso8583.Message(mti="0320", fields={number: value})
    with pytest.raises(MalformedMessageError):
        iso8583.encode(message, KEY)


def test_an_absent_field_is_named() -> None:
    message = iso8583.Message(mti="0320", fields={})
    with pytest.raises(MalformedMessageError, match="field 41"):
        message.text(41)
    with pytest.raises(MalformedMessageError, match="field 55"):
        message.binary(55)


def test_a_message_shows_no_card_number_and_no_key() -> None:
    fields: dict[int, str | bytes] = {2: "6400000000000001", 48: KEY, 11: "000007"}
    message = iso8583.Message(mti="0320", fields=fields, mac=KEY[:8])
    assert str(message) == "0320 STAN 000007"
    assert repr(message) == "Message(mti='0320')"
