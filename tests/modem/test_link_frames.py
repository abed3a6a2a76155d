from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.link_frames import Control, Data, Hello, Kind, LinkFrame, encode, parse

byte = st.integers(0, 255)
nonce = st.integers(0, 0xFFFFFFFF)
frames = st.one_of(
    st.builds(Hello, nonce=nonce, heard=st.one_of(st.none(), nonce)),
    st.builds(
        Data,
        sequence=byte,
        acknowledgement=byte,
        payload=st.binary(min_size=1, max_size=300),
    ),
    st.builds(
        Control,
        kind=st.sampled_from([Kind.ACK, Kind.REJECT, Kind.DISC, Kind.DISC_ACK]),
        acknowledgement=byte,
    ),
    st.just(Control(kind=Kind.PING)),
)


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        pytest.param(Hello(nonce=0xA1B2C3D4), "01 01 00 A1B2C3D4", id="hello"),
        pytest.param(
            Hello(nonce=1, heard=2), "02 01 00 00000001 00000002", id="welcome"
        ),
        pytest.param(
            Data(sequence=7, acknowledgement=9, payload=b"Hi"),
            "03 07 09 4869",
            id="data",
        ),
        pytest.param(Control(kind=Kind.ACK, acknowledgement=5), "04 05", id="ack"),
        pytest.param(
            Control(kind=Kind.REJECT, acknowledgement=5), "05 05", id="reject"
        ),
        pytest.param(Control(kind=Kind.PING), "06", id="ping"),
        pytest.param(Control(kind=Kind.DISC, acknowledgement=5), "07 05", id="disc"),
        pytest.param(
            Control(kind=Kind.DISC_ACK, acknowledgement=5), "08 05", id="disc-ack"
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
        "",
        "00",
        "09",
        "01 02 00 00000000",
        "01 01 00 0000",
        "03 01 02",
        "04",
        "02 01 00",
    ],
)
def test_misshapen_content_is_nothing(content: str) -> None:
    assert parse(bytes.fromhex(content)) is None


def test_fields_added_later_are_skipped() -> None:
    assert parse(bytes.fromhex("04 05 FFFF")) == Control(
        kind=Kind.ACK, acknowledgement=5
    )
