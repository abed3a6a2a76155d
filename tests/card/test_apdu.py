"""Command and response APDUs as bytes, and what is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.apdu import LE_ANY, CommandAPDU, ResponseAPDU
from card.errors import MalformedResponseError

if TYPE_CHECKING:
    from collections.abc import Callable

BYTES = st.integers(0, 0xFF)


@pytest.mark.parametrize(
    ("command", "raw"),
    [
        pytest.param(CommandAPDU(cla=0x80, ins=0x56), "80 56 00 00", id="case 1"),
        pytest.param(
            CommandAPDU(cla=0x80, ins=0x5C, p2=2, le=4), "80 5C 00 02 04", id="case 2"
        ),
        pytest.param(
            CommandAPDU(cla=0x80, ins=0x5C, p2=2, le=LE_ANY),
            "80 5C 00 02 00",
            id="case 2, all",
        ),
        pytest.param(
            CommandAPDU(cla=0, ins=0x20, p2=0x80, data=b"\xaa\xbb"),
            "00 20 00 80 02 AA BB",
            id="case 3",
        ),
        pytest.param(
            CommandAPDU(cla=0, ins=0xA4, p1=4, data=b"\xaa", le=LE_ANY),
            "00 A4 04 00 01 AA 00",
            id="case 4",
        ),
    ],
)
def test_a_command_is_written_in_its_iso_case(command: CommandAPDU, raw: str) -> None:
    assert command.to_bytes() == bytes.fromhex(raw)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: CommandAPDU(cla=256, ins=0), id="cla"),
        pytest.param(lambda: CommandAPDU(cla=0, ins=-1), id="ins"),
        pytest.param(lambda: CommandAPDU(cla=0, ins=0, p1=256), id="p1"),
        pytest.param(lambda: CommandAPDU(cla=0, ins=0, data=bytes(256)), id="data"),
        pytest.param(lambda: CommandAPDU(cla=0, ins=0, le=0), id="le 0"),
        pytest.param(lambda: CommandAPDU(cla=0, ins=0, le=257), id="le 257"),
    ],
)
def test_a_command_out_of_its_bounds_cannot_be_built(
    make: Callable[[], CommandAPDU],
) -> None:
    with pytest.raises(ValueError, match=r"byte|Le"):
        make()


@given(BYTES, BYTES, BYTES, BYTES, st.binary(min_size=4, max_size=255))
def test_a_repr_never_shows_data(
    cla: int, ins: int, p1: int, p2: int, data: bytes
) -> None:
    shown = repr(CommandAPDU(cla=cla, ins=ins, p1=p1, p2=p2, data=data))
    header = bytes((cla, ins, p1, p2)).hex().upper()
    assert data.hex().upper() not in shown.replace(header, "")
    assert data.hex().upper() not in repr(ResponseAPDU(data=data, sw=0x9000))


@given(st.binary(max_size=300))
def test_a_response_is_read_or_malformed(raw: bytes) -> None:
    if 2 <= len(raw) <= 258:
        response = ResponseAPDU.parse(raw)
        assert response.data + response.sw.to_bytes(2, "big") == raw
    else:
        with pytest.raises(MalformedResponseError):
            ResponseAPDU.parse(raw)
