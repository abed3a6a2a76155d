from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.link_frames import (
    HELD_PIECES_MAX,
    Ack,
    Data,
    Disconnect,
    Hello,
    LinkFrame,
    Ping,
    call_mark,
    encode,
    parse,
)

byte = st.integers(0, 255)
offset = st.integers(0, 0x7FFF)
nonce = st.integers(0, 0xFFFFFFFF)
number = st.integers(1, 0x7FFF)
frames = st.one_of(
    st.builds(Hello, nonce=nonce, heard=st.one_of(st.none(), nonce)),
    st.builds(Data, offset=offset, payload=st.binary(min_size=1, max_size=300)),
    st.builds(
        Ack,
        heard=byte,
        next_offset=offset,
        held=st.lists(st.tuples(number, number), max_size=HELD_PIECES_MAX).map(tuple),
    ),
    st.builds(Ping, number=st.integers(1, 255)),
    st.builds(Disconnect, next_offset=offset, confirms=st.booleans()),
)


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        pytest.param(Hello(nonce=0xA1B2C3D4), "01 02 00 A1B2C3D4", id="hello"),
        pytest.param(
            Hello(nonce=1, heard=2), "02 02 00 00000001 00000002", id="welcome"
        ),
        pytest.param(Data(offset=0x1234, payload=b"Hi"), "9234 4869", id="data"),
        pytest.param(Ack(heard=0, next_offset=0x1234), "04 00 1234", id="ack"),
        pytest.param(
            Ack(heard=9, next_offset=5, held=((7, 0x80), (0x7F, 1))),
            "04 09 0005 07 8080 7F 01",
            id="ack-of-pieces",
        ),
        pytest.param(Ping(number=7), "06 07", id="ping"),
        pytest.param(Disconnect(next_offset=5), "07 0005", id="disc"),
        pytest.param(
            Disconnect(next_offset=5, confirms=True), "08 0005", id="disc-ack"
        ),
    ],
)
def test_bytes_of_each_kind(frame: LinkFrame, content: str) -> None:
    assert encode(frame) == bytes.fromhex(content)
    assert parse(bytes.fromhex(content)) == frame


@given(frames)
def test_every_frame_is_read_back(frame: LinkFrame) -> None:
    assert parse(encode(frame)) == frame


@given(st.binary(max_size=1100))
def test_any_content_is_a_frame_or_nothing(content: bytes) -> None:
    parse(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("00", id="no-kind"),
        pytest.param("09 00", id="unknown-kind"),
        pytest.param("03 07 09 4869", id="data-of-version-1"),
        pytest.param("01 01 00 00000000", id="hello-of-version-1"),
        pytest.param("01 02 00 0000", id="short-hello"),
        pytest.param("02 02 00", id="short-welcome"),
        pytest.param("80 00", id="data-without-payload"),
        pytest.param("04 00 00", id="short-ack"),
        pytest.param("04 00 8000", id="ack-of-no-offset"),
        pytest.param("04 00 0000 01", id="half-a-piece"),
        pytest.param("04 00 0000 01 80", id="half-a-number"),
        pytest.param("04 00 0000 00 01", id="nothing-missing"),
        pytest.param("04 00 0000" + "0101" * 13, id="too-many-pieces"),
        pytest.param("06", id="ping-without-number"),
        pytest.param("06 00", id="ping-number-0"),
        pytest.param("07 00", id="short-disc"),
        pytest.param("08 8000", id="disc-ack-of-no-offset"),
        pytest.param("80 00" + "00" * 1001, id="long-data"),
    ],
)
def test_misshapen_content_is_nothing(content: str) -> None:
    assert parse(bytes.fromhex(content)) is None


@pytest.mark.parametrize(
    ("content", "frame"),
    [
        ("06 05 FFFF", Ping(number=5)),
        ("07 0005 FF", Disconnect(next_offset=5)),
        ("01 02 00 00000007 FF", Hello(nonce=7)),
    ],
    ids=["ping", "disc", "hello"],
)
def test_fields_added_later_are_skipped(content: str, frame: LinkFrame) -> None:
    assert parse(bytes.fromhex(content)) == frame


@given(nonce, nonce)
def test_mark_tells_the_two_directions_apart(near: int, far: int) -> None:
    there = call_mark(sender=near, receiver=far)
    back = call_mark(sender=far, receiver=near)
    assert (there == back) == (near == far)
