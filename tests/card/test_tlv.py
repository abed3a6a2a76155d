from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import CardError, MalformedResponseError
from card.tlv import TLV, VALUE_BYTES_MAX, encode, parse

ONE_BYTE_TAGS = st.integers(0x01, 0xFE).filter(lambda tag: tag & 0x1F != 0x1F)
TWO_BYTE_TAGS = st.tuples(
    st.sampled_from([0x1F, 0x3F, 0x5F, 0x7F, 0x9F, 0xBF, 0xDF]),
    st.integers(0x1F, 0x7F),
).map(lambda parts: parts[0] << 8 | parts[1])
THREE_BYTE_TAGS = st.tuples(
    st.sampled_from([0x1F, 0x5F, 0x9F, 0xDF]),
    st.integers(0x81, 0xFF),
    st.integers(0x00, 0x7F),
).map(lambda parts: parts[0] << 16 | parts[1] << 8 | parts[2])
OBJECTS = st.builds(
    lambda tag, value: TLV(tag=tag, value=value),
    ONE_BYTE_TAGS | TWO_BYTE_TAGS | THREE_BYTE_TAGS,
    st.binary(max_size=300),
)


@given(st.lists(OBJECTS, max_size=5))
def test_what_is_encoded_is_parsed_back(objects: list[TLV]) -> None:
    assert parse(b"".join(item.to_bytes() for item in objects)) == objects


@given(st.binary(max_size=64))
def test_any_bytes_parse_or_are_malformed(data: bytes) -> None:
    try:
        objects = parse(data)
    except CardError:
        return
    assert parse(b"".join(item.to_bytes() for item in objects)) == objects


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "C0 00"),
        (1, "C0 01"),
        (127, "C0 7F"),
        (128, "C0 81 80"),
        (255, "C0 81 FF"),
        (256, "C0 82 01 00"),
        (65_535, "C0 82 FF FF"),
    ],
)
def test_a_length_is_as_short_as_it_can_be(size: int, header: str) -> None:
    assert encode(0xC0, bytes(size)) == bytes.fromhex(header) + bytes(size)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        pytest.param("00 00", 0, id="tag 00"),
        pytest.param("FF 01 00", 0, id="tag that would be FF"),
        pytest.param("1F", 0, id="tag cut short"),
        pytest.param("9F 81", 0, id="three-byte tag cut short"),
        pytest.param("9F 81 81 01 00", 0, id="tag of four bytes"),
        pytest.param("9F 1E 00", 0, id="number that has a shorter tag"),
        pytest.param("9F 80 01 00", 0, id="number with a leading zero"),
        pytest.param("C0", 1, id="no length"),
        pytest.param("C0 80 00 00", 1, id="indefinite length"),
        pytest.param("C0 81", 1, id="length cut short"),
        pytest.param("C0 82 01", 1, id="two-byte length cut short"),
        pytest.param("C0 83 00 00 01 00", 1, id="length of three bytes"),
        pytest.param("C0 02 00", 2, id="value cut short"),
        pytest.param("C0 00 C1 01", 4, id="second value cut short"),
    ],
)
def test_malformed_data_names_the_place(data: str, offset: int) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        parse(bytes.fromhex(data))
    assert caught.value.offset == offset


def test_a_long_length_form_is_read_although_it_is_not_written() -> None:
    assert parse(bytes.fromhex("C0 81 01 AA")) == [TLV(tag=0xC0, value=b"\xaa")]


def test_data_over_the_bound_is_refused_unread() -> None:
    with pytest.raises(MalformedResponseError):
        parse(encode(0xC0, bytes(VALUE_BYTES_MAX)))


def test_nothing_has_no_objects() -> None:
    assert parse(b"") == []


@pytest.mark.parametrize(
    "tag", [-1, 0x00, 0xFF, 0x1F, 0x9F1E, 0x9F80, 0xC0C1, 0x9F818101, 0xFF00]
)
def test_what_is_no_tag_is_not_encoded(tag: int) -> None:
    with pytest.raises(ValueError, match="tag"):
        encode(tag, b"")


def test_a_value_over_the_bound_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="65535"):
        encode(0xC0, bytes(VALUE_BYTES_MAX + 1))
