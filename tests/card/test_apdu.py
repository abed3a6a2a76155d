from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.apdu import LE_ANY, CommandAPDU, ResponseAPDU
from card.channel import T0Channel
from card.errors import MalformedResponseError
from card.profile import INS
from card.sw import SW, describe, tries_left

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


class Script:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.asked: list[str] = []

    def __call__(self, raw: bytes) -> bytes:
        self.asked.append(raw.hex(" ").upper())
        return self.answers.pop(0)


BALANCE = CommandAPDU(cla=0x80, ins=INS.GET_BALANCE, p2=2, le=LE_ANY)


def test_the_rest_is_asked_for_on_61xx() -> None:
    script = Script("AA 61 03", "BB 61 02", "CC DD 90 00")
    response = T0Channel(script).transmit(BALANCE)
    assert response == ResponseAPDU(data=b"\xaa\xbb\xcc\xdd", sw=0x9000)
    assert script.asked == ["80 5C 00 02 00", "00 C0 00 00 03", "00 C0 00 00 02"]


def test_6100_asks_for_256_bytes() -> None:
    script = Script("61 00", "90 00")
    T0Channel(script).transmit(BALANCE)
    assert script.asked[1] == "00 C0 00 00 00"


def test_6cxx_is_asked_again_with_the_right_length() -> None:
    script = Script("6C 04", "00 07 A1 20 90 00")
    response = T0Channel(script).transmit(BALANCE)
    assert response.data == bytes.fromhex("00 07 A1 20")
    assert script.asked == ["80 5C 00 02 00", "80 5C 00 02 04"]


def test_6cxx_then_61xx_is_followed() -> None:
    script = Script("6C 04", "61 04", "00 07 A1 20 90 00")
    assert T0Channel(script).transmit(BALANCE).ok


def test_a_card_that_never_ends_is_given_up() -> None:
    script = Script(*["AA 61 01"] * 20)
    with pytest.raises(MalformedResponseError):
        T0Channel(script).transmit(BALANCE)


def test_other_words_come_through_untouched() -> None:
    assert T0Channel(Script("94 01")).transmit(BALANCE).sw == SW.BALANCE_TOO_LOW


@pytest.mark.parametrize(
    ("sw", "left"), [(0x63C0, 0), (0x63C3, 3), (0x63CF, 15), (0x6300, None), (0, None)]
)
def test_tries_left_are_read_from_63cx_alone(sw: int, left: int | None) -> None:
    assert tries_left(sw) == left


@given(st.integers(0, 0xFFFF))
def test_every_status_word_can_be_described(sw: int) -> None:
    assert describe(sw).startswith(f"{sw:04X} (")
