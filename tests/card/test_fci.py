from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import MalformedResponseError
from card.fci import CardInfo, parse_fci
from card.profile import CUSTOMS_AID, PURSE_AID, CardState, Role, Tag
from card.tlv import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

PURSE = {
    Tag.PROFILE_VERSION: "01",
    Tag.CARD_ID: "64 00 00 00 00 00 00 01",
    Tag.CURRENCY: "05 12",
    Tag.VALID_FROM: "20 25 01 01",
    Tag.EXPIRY: "20 30 12 31",
    Tag.STATE: "03",
    Tag.BALANCE_LIMIT: "00 1E 84 80",
    Tag.PAYMENT_LIMIT: "00 1E 84 80",
    Tag.PIN_TRIES_LEFT: "03",
    Tag.KEY_VERSION: "01",
    Tag.HOLDER_NAME: "54 45 53 54",
    Tag.LANGUAGE: "65 6E",
}
PURSE_ONLY = {Tag.BALANCE_LIMIT, Tag.PAYMENT_LIMIT, Tag.PIN_TRIES_LEFT}
CUSTOMS = {tag: value for tag, value in PURSE.items() if tag not in PURSE_ONLY}
BLANK = {
    Tag.PROFILE_VERSION: "01",
    Tag.CARD_ID: "00 00 00 00 00 00 00 2A",
    Tag.STATE: "01",
}


def fci(objects: Mapping[Tag, str], aid: bytes = PURSE_AID, more: bytes = b"") -> bytes:
    inner = b"".join(encode(t, bytes.fromhex(v)) for t, v in objects.items())
    template = encode(Tag.AID, aid) + encode(Tag.PROPRIETARY, inner + more)
    return encode(Tag.FCI, template)


def test_a_purse_tells_everything() -> None:
    info = parse_fci(fci(PURSE))
    assert info == CardInfo(
        role=Role.PURSE,
        card_id=bytes.fromhex("64 00 00 00 00 00 00 01"),
        state=CardState.ACTIVE,
        currency=512,
        valid_from=date(2025, 1, 1),
        expiry=date(2030, 12, 31),
        balance_limit_minor=2_000_000,
        payment_limit_minor=2_000_000,
        tries_left=3,
        key_version=1,
        holder_name="TEST",
        language="en",
    )


def test_a_customs_card_has_no_limits_and_maybe_no_code() -> None:
    info = parse_fci(fci(CUSTOMS, CUSTOMS_AID))
    assert info.role is Role.CUSTOMS
    assert (info.balance_limit_minor, info.tries_left) == (None, None)


def test_a_customs_card_with_a_code_tells_its_tries() -> None:
    objects = CUSTOMS | {Tag.PIN_TRIES_LEFT: "02"}
    assert parse_fci(fci(objects, CUSTOMS_AID)).tries_left == 2


def test_a_blank_card_tells_only_its_serial_and_state() -> None:
    info = parse_fci(fci(BLANK))
    assert info.state is CardState.INITIALISED
    assert info.card_id[-1] == 0x2A
    assert info.currency is None
    assert not info.is_valid_on(date(2026, 1, 1))


def test_a_blocked_card_says_so() -> None:
    assert parse_fci(fci(PURSE | {Tag.STATE: "0F"})).state is CardState.BLOCKED


def test_unknown_objects_are_skipped() -> None:
    strange = encode(0xCC, b"new") + encode(0xDF7F, b"newer")
    assert parse_fci(fci(PURSE, more=strange)) == parse_fci(fci(PURSE))


@pytest.mark.parametrize(
    ("day", "valid"),
    [
        (date(2024, 12, 31), False),
        (date(2025, 1, 1), True),
        (date(2030, 12, 31), True),
        (date(2031, 1, 1), False),
    ],
)
def test_both_dates_are_days_of_use(day: date, *, valid: bool) -> None:
    assert parse_fci(fci(PURSE)).is_valid_on(day) is valid


@pytest.mark.parametrize("tag", PURSE, ids=lambda tag: tag.name)
def test_every_object_of_a_purse_has_to_be_there(tag: Tag) -> None:
    objects = {t: value for t, value in PURSE.items() if t is not tag}
    with pytest.raises(MalformedResponseError) as caught:
        parse_fci(fci(objects))
    assert caught.value.tag == tag


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.PROFILE_VERSION, "02"),
        (Tag.CARD_ID, "64 00 00 00 00 00 00"),
        (Tag.CARD_ID, "64 00 00 00 00 00 00 01 02"),
        (Tag.CURRENCY, "05 1F"),
        (Tag.VALID_FROM, "20 25 13 01"),
        (Tag.EXPIRY, "20 30 12"),
        (Tag.STATE, "02"),
        (Tag.BALANCE_LIMIT, "00 00 00"),
        (Tag.PIN_TRIES_LEFT, ""),
        (Tag.HOLDER_NAME, "FF FE"),
        (Tag.HOLDER_NAME, "41" * 25),
        (Tag.LANGUAGE, "65"),
        (Tag.LANGUAGE, "31 32"),
    ],
)
def test_a_malformed_object_is_named(tag: Tag, value: str) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        parse_fci(fci(PURSE | {tag: value}))
    assert caught.value.tag == tag


def test_an_object_that_is_there_twice_is_malformed() -> None:
    with pytest.raises(MalformedResponseError):
        parse_fci(fci(PURSE, more=encode(Tag.CURRENCY, bytes.fromhex("09 78"))))


def test_another_application_is_malformed_here() -> None:
    with pytest.raises(MalformedResponseError) as caught:
        parse_fci(fci(PURSE, aid=bytes(8)))
    assert caught.value.tag == Tag.AID


def test_a_repr_masks_the_card_number() -> None:
    shown = repr(parse_fci(fci(PURSE)))
    assert "640000******0001" in shown
    assert "6400000000000001" not in shown


@given(st.integers(0, 77), st.integers(0, 255))
def test_a_changed_byte_parses_or_raises_an_error_of_this_package(
    index: int, value: int
) -> None:
    raw = bytearray(fci(PURSE))
    raw[index % len(raw)] = value
    with suppress(MalformedResponseError):
        assert parse_fci(bytes(raw)).card_id
