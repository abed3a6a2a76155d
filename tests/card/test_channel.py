"""What T=0 adds to an exchange is hidden: 61xx and 6Cxx never come up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.apdu import LE_ANY, CommandAPDU, ResponseAPDU
from card.channel import T0Channel
from card.errors import CardRemovedError, MalformedResponseError
from card.profile import INS
from card.sw import SW

BALANCE = CommandAPDU(cla=0x80, ins=INS.GET_BALANCE, p2=2, le=LE_ANY)
VERIFY = CommandAPDU(cla=0, ins=INS.VERIFY, p2=0x80, data=b"\x24\x12\x34\xff")


class Script:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.asked: list[str] = []

    def __call__(self, raw: bytes) -> bytes:
        self.asked.append(raw.hex(" ").upper())
        return self.answers.pop(0)


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


def test_6cxx_to_get_response_asks_for_the_response_again() -> None:
    script = Script("61 08", "6C 04", "00 07 A1 20 90 00")
    assert T0Channel(script).transmit(BALANCE).data == bytes.fromhex("00 07 A1 20")
    assert script.asked[1:] == ["00 C0 00 00 08", "00 C0 00 00 04"]


def test_a_response_in_as_many_parts_as_are_allowed_is_whole() -> None:
    script = Script(*["AA 61 01"] * 7, "BB 90 00")
    assert T0Channel(script).transmit(BALANCE).data == b"\xaa" * 7 + b"\xbb"


@pytest.mark.parametrize("answer", ["AA 61 01", "61 00", "6C 04", "6C 00"])
def test_a_card_that_never_ends_is_given_up(answer: str) -> None:
    script = Script(*[answer] * 20)
    with pytest.raises(MalformedResponseError, match="GET BALANCE response"):
        T0Channel(script).transmit(BALANCE)
    assert len(script.asked) == 8


@pytest.mark.parametrize("answer", ["", "90"])
def test_an_answer_without_a_status_word_is_malformed(answer: str) -> None:
    with pytest.raises(MalformedResponseError):
        T0Channel(Script(answer)).transmit(BALANCE)


@pytest.mark.parametrize("sw", [SW.BALANCE_TOO_LOW, 0x6310, 0x6200, 0x6F00])
def test_other_words_come_through_untouched(sw: int) -> None:
    assert T0Channel(Script(f"{sw:04X}")).transmit(BALANCE).sw == sw


def test_an_error_on_the_way_to_the_rest_goes_up() -> None:
    asked: list[bytes] = []

    def transmit(raw: bytes) -> bytes:
        asked.append(raw)
        if len(asked) == 2:
            raise CardRemovedError("gone")
        return b"\x61\x04"

    with pytest.raises(CardRemovedError):
        T0Channel(transmit).transmit(BALANCE)
    assert len(asked) == 2, "nothing follows a lost answer"


def test_no_error_shows_what_was_sent() -> None:
    with pytest.raises(MalformedResponseError) as raised:
        T0Channel(Script(*["61 04"] * 20)).transmit(VERIFY)
    shown = repr(raised.value) + str(raised.value) + repr(VERIFY)
    assert "241234" not in shown.replace(" ", "").upper()
    assert "\\x124" not in shown


@given(st.lists(st.binary(max_size=258), min_size=8, max_size=8))
def test_any_answers_end_in_a_response_or_are_malformed(answers: list[bytes]) -> None:
    left = list(answers)
    try:
        response = T0Channel(lambda _raw: left.pop(0)).transmit(BALANCE)
    except MalformedResponseError:
        return
    assert response.sw >> 8 not in {0x61, 0x6C}
