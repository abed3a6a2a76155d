"""What SELECT tells about a card: its FCI (card profile 1; ISO/IEC 7816-4, 7.4.3).

6F { 84 AID, A5 { C0 .. CB } }. Objects that the profile does not know are skipped, so
that later cards stay readable. A card in state 01 tells only C0, C1 (its chip serial)
and C5, hence so many values that may be None: look at ``state`` first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from card import tlv
from card.errors import MalformedResponseError
from card.fields import FieldReader
from card.profile import (
    CUSTOMS_AID,
    PROFILE_VERSION,
    PURSE_AID,
    CardState,
    Role,
    Tag,
)
from card.transaction import mask_card_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

__all__ = ["HOLDER_NAME_BYTES_MAX", "CardInfo", "parse_fci"]

T = TypeVar("T")

HOLDER_NAME_BYTES_MAX: Final = 24
_WHAT: Final = "FCI"
_ROLES: Final = {PURSE_AID: Role.PURSE, CUSTOMS_AID: Role.CUSTOMS}
_STATES: Final = frozenset(int(state) for state in CardState)

_ALWAYS: Final = frozenset({Tag.PROFILE_VERSION, Tag.CARD_ID, Tag.STATE})
_PERSONALISED: Final = frozenset(
    {
        Tag.CURRENCY,
        Tag.VALID_FROM,
        Tag.EXPIRY,
        Tag.KEY_VERSION,
        Tag.HOLDER_NAME,
        Tag.LANGUAGE,
    }
)
_PURSE_ONLY: Final = frozenset(
    {Tag.BALANCE_LIMIT, Tag.PAYMENT_LIMIT, Tag.PIN_TRIES_LEFT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardInfo:
    """What one card application says of itself.

    Attributes:
        role: purse or customs card, by the AID it answered.
        card_id: CID or MID, 8 bytes; in state INITIALISED the chip serial.
        state: initialised, active or blocked.
        currency: ISO 4217 number.
        valid_from: first day of use.
        expiry: last day of use.
        balance_limit_minor: most that a purse may hold; None on a customs card.
        payment_limit_minor: most that one payment may be; None on a customs card.
        tries_left: PIN tries; None on a customs card without an activation code.
        key_version: version of the purse's keys, or of a customs card's batch key.
        holder_name: as on the card, up to 24 bytes of UTF-8, not cleaned for a screen.
        language: ISO 639, two letters.
    """

    role: Role
    card_id: bytes
    state: CardState
    currency: int | None = None
    valid_from: date | None = None
    expiry: date | None = None
    balance_limit_minor: int | None = None
    payment_limit_minor: int | None = None
    tries_left: int | None = None
    key_version: int | None = None
    holder_name: str | None = None
    language: str | None = None

    def __repr__(self) -> str:
        return (
            f"CardInfo({self.role}, {self.card_number_masked}, {self.state.name}, "
            f"currency={self.currency}, tries_left={self.tries_left})"
        )

    @property
    def card_number_masked(self) -> str:
        """The card's number as people may see it."""
        return mask_card_number(self.card_id)

    def is_valid_on(self, day: date) -> bool:
        """Whether ``day`` lies in the card's dates; the card itself has no clock."""
        if self.valid_from is None or self.expiry is None:
            return False
        return self.valid_from <= day <= self.expiry


def parse_fci(data: bytes) -> CardInfo:
    """Read what SELECT answered.

    Raises:
        MalformedResponseError: It is no FCI of profile 1, or an object that has to be
            there is not, or one is there twice.
    """
    outer = _objects(data, None)
    template = _objects(_required(outer, Tag.FCI), Tag.FCI)
    role = _ROLES.get(_required(template, Tag.AID))
    if role is None:
        raise MalformedResponseError(_WHAT, tag=Tag.AID)
    objects = _objects(_required(template, Tag.PROPRIETARY), Tag.PROPRIETARY)
    _check_presence(objects, role)
    return _read(objects, role)


def _objects(data: bytes, inside: Tag | None) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for item in tlv.parse(data):
        if item.tag in found:
            raise MalformedResponseError(_WHAT, tag=inside or item.tag)
        found[item.tag] = item.value
    return found


def _required(objects: dict[int, bytes], tag: Tag) -> bytes:
    if tag not in objects:
        raise MalformedResponseError(_WHAT, tag=tag)
    return objects[tag]


def _check_presence(objects: dict[int, bytes], role: Role) -> None:
    expected = set(_ALWAYS)
    if objects.get(Tag.STATE) != bytes((CardState.INITIALISED,)):
        expected |= _PERSONALISED
        if role is Role.PURSE:
            expected |= _PURSE_ONLY
    for tag in sorted(expected):
        _required(objects, tag)


def _read(objects: dict[int, bytes], role: Role) -> CardInfo:
    _field(objects, Tag.PROFILE_VERSION, lambda r: r.constant(PROFILE_VERSION))
    state = _field(objects, Tag.STATE, lambda r: r.one_of(_STATES))
    card_id = _field(objects, Tag.CARD_ID, lambda r: r.take(8))
    assert state is not None, "its presence was checked"
    assert card_id is not None, "its presence was checked"
    return CardInfo(
        role=role,
        card_id=card_id,
        state=CardState(state),
        currency=_field(objects, Tag.CURRENCY, FieldReader.currency),
        valid_from=_field(objects, Tag.VALID_FROM, FieldReader.day),
        expiry=_field(objects, Tag.EXPIRY, FieldReader.day),
        balance_limit_minor=_field(objects, Tag.BALANCE_LIMIT, lambda r: r.uint(4)),
        payment_limit_minor=_field(objects, Tag.PAYMENT_LIMIT, lambda r: r.uint(4)),
        tries_left=_field(objects, Tag.PIN_TRIES_LEFT, lambda r: r.uint(1)),
        key_version=_field(objects, Tag.KEY_VERSION, lambda r: r.uint(1)),
        holder_name=_text(objects, Tag.HOLDER_NAME, HOLDER_NAME_BYTES_MAX),
        language=_language(objects),
    )


def _field(
    objects: dict[int, bytes], tag: Tag, read: Callable[[FieldReader], T]
) -> T | None:
    """The object's value through ``read``, which must use all of it; None if absent."""
    if tag not in objects:
        return None
    with FieldReader(objects[tag], _WHAT, tag=tag) as reader:
        return read(reader)


def _text(objects: dict[int, bytes], tag: Tag, size_max: int) -> str | None:
    if tag not in objects:
        return None
    value = objects[tag]
    if len(value) > size_max:
        raise MalformedResponseError(_WHAT, offset=size_max, tag=tag)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise MalformedResponseError(_WHAT, offset=error.start, tag=tag) from None


def _language(objects: dict[int, bytes]) -> str | None:
    value = objects.get(Tag.LANGUAGE)
    if value is None:
        return None
    if len(value) != 2 or not value.isalpha():
        raise MalformedResponseError(_WHAT, tag=Tag.LANGUAGE)
    return value.decode("ascii")
