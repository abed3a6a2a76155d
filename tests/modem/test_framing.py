from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.framing import CONTENT_BYTES_MAX, FrameDecoder, encode_frame

contents = st.binary(min_size=1, max_size=CONTENT_BYTES_MAX)


def decode(line: bytes) -> list[bytes]:
    return FrameDecoder().receive_data(line)


def test_known_frame() -> None:
    # CRC-32 of "123456789" is the check value CB F4 39 26 of the standard.
    line = encode_frame(b"123456789")
    assert line == bytes.fromhex("7E 31 32 33 34 35 36 37 38 39 CB F4 39 26 7E")


@given(st.lists(contents, max_size=5))
def test_frames_come_back_whole(frames: list[bytes]) -> None:
    assert decode(b"".join(map(encode_frame, frames))) == frames


@given(st.lists(contents, max_size=5), st.integers(1, 0xFFFFFFFF))
def test_frames_share_flags_and_a_mark(frames: list[bytes], mark: int) -> None:
    decoder = FrameDecoder()
    decoder.mark = mark
    line = b"\x7e" + b"".join(
        encode_frame(content, mark=mark, opening_flag=False) for content in frames
    )
    assert decoder.receive_data(line) == frames


@given(contents, st.integers(1, 0xFFFFFFFF), st.integers(1, 0xFFFFFFFF))
def test_frame_with_another_mark_is_damage(
    content: bytes, mark: int, other: int
) -> None:
    decoder = FrameDecoder()
    decoder.mark = mark
    found = decoder.receive_data(encode_frame(content, mark=other))
    assert found == ([content] if mark == other else [])
    assert decoder.frames_damaged == (mark != other)


def test_bare_frame_may_be_of_few_kinds_only() -> None:
    decoder = FrameDecoder(bare={0x01})
    line = encode_frame(b"\x01hello") + encode_frame(b"\x80data")
    assert decoder.receive_data(line) == [b"\x01hello"]


def test_known_frame_with_a_mark() -> None:
    line = encode_frame(b"123456789", mark=0x00000001)
    assert line == bytes.fromhex("7E 31 32 33 34 35 36 37 38 39 CB F4 39 27 7E")


@pytest.mark.parametrize(
    "piece",
    ["7D", "7D 7D 5E", "7D 41", "31 7D", "7D 5C 5D"],
    ids=["lone", "doubled", "before-a-letter", "last", "near-miss"],
)
def test_escape_before_any_other_byte_is_damage(piece: str) -> None:
    decoder = FrameDecoder()
    assert decoder.receive_data(b"\x7e" + bytes.fromhex(piece) + b"\x7e") == []
    assert decoder.frames_damaged == 1


@given(contents)
def test_flag_occurs_only_at_the_ends(content: bytes) -> None:
    assert b"\x7e" not in encode_frame(content)[1:-1]


@given(st.lists(contents, max_size=3), st.binary(max_size=60), st.data())
def test_slices_make_no_difference(
    frames: list[bytes], noise: bytes, data: st.DataObject
) -> None:
    line = noise.join(map(encode_frame, frames))
    decoder = FrameDecoder()
    found: list[bytes] = []
    while line:
        size = data.draw(st.integers(1, 40))
        found += decoder.receive_data(line[:size])
        line = line[size:]
    whole = noise.join(map(encode_frame, frames))
    assert found == decode(whole)


@given(st.binary(max_size=200), contents)
def test_frame_after_garbage_is_found(garbage: bytes, content: bytes) -> None:
    assert decode(garbage + encode_frame(content))[-1:] == [content]


@pytest.mark.parametrize(
    "banner",
    [b"\r\nCONNECT 9600\r\n", b"login: ", b"\x00" * 5000, b"~~~~~", b"}}}}}~"],
    ids=["connect", "login", "long", "flags", "escapes"],
)
def test_chatter_is_skipped(banner: bytes) -> None:
    line = banner + encode_frame(b"one") + banner + encode_frame(b"two")
    assert decode(line) == [b"one", b"two"]


@given(contents, st.data())
def test_no_single_bit_error_gets_through(content: bytes, data: st.DataObject) -> None:
    line = bytearray(encode_frame(content))
    bit = data.draw(st.integers(0, len(line) * 8 - 1))
    line[bit // 8] ^= 1 << bit % 8
    # A damaged closing flag leaves the frame open: nothing comes of it yet.
    assert decode(bytes(line)) == []


@given(st.binary(max_size=3000))
def test_any_bytes_never_raise(line: bytes) -> None:
    decode(line)


def test_endless_frame_is_dropped_and_counted() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        assert decoder.receive_data(b"A" * 1000) == []
    assert decoder.receive_data(b"\x7e") == []
    assert decoder.frames_damaged == 1
    assert decoder.receive_data(encode_frame(b"next")) == [b"next"]


@pytest.mark.parametrize("size", [0, CONTENT_BYTES_MAX + 1])
def test_content_has_limits(size: int) -> None:
    with pytest.raises(ValueError, match="frame content"):
        encode_frame(bytes(size))
