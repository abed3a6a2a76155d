"""Personalisation: what makes a blank card a purse or a customs card.

Card profile 1 leaves this open; this is ours. A blank card (state 01) takes four groups
through PUT DATA ``84 DA group 00``, each with its own challenge and MAC under the chip
maker's transport key, then it is activated and takes none again:

    01 public   the data objects that SELECT will show
    02 keys     encrypted; of a customs card also the purchase masters it checks with
    03 PIN      encrypted; of a customs card the activation code, when it has one
    04 activate nothing more; 6985 while a group that must be there is missing

The card shows its chip serial as C1 until it is activated, so that a personalisation
that was interrupted can be started again from the first group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Final, assert_never

from card.fci import HOLDER_NAME_BYTES_MAX
from card.fields import currency_bytes, date_bytes, uint4
from card.keys import KEY_BYTES
from card.maintenance import padded_pin_block
from card.profile import AMOUNT_MINOR_MAX, INS, Tag
from card.tlv import encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from card.apdu import CommandAPDU
    from card.application import ApplicationSession
    from card.keys import PurseKeys
    from card.maintenance import MaintenanceKey

__all__ = [
    "PURCHASE_MASTERS_MAX",
    "CustomsCardData",
    "DataGroup",
    "PublicData",
    "PurseData",
    "personalise",
    "put_data",
]

PURCHASE_MASTERS_MAX: Final = 13
"""Purchase masters that one PUT DATA of a customs card has room for."""

_LANGUAGE: Final = re.compile("[a-z]{2}")


@unique
class DataGroup(IntEnum):
    """P1 of PUT DATA."""

    PUBLIC = 0x01
    KEYS = 0x02
    PIN = 0x03
    ACTIVATE = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicData:
    """What SELECT will show of either card.

    Attributes:
        card_id: CID or MID, 8 bytes.
        currency: ISO 4217 number.
        valid_from: first day of use.
        expiry: last day of use.
        holder_name: up to 24 bytes in UTF-8.
        language: ISO 639, two letters.
    """

    card_id: bytes = field(repr=False)
    currency: int
    valid_from: date
    expiry: date
    holder_name: str
    language: str

    def __post_init__(self) -> None:
        if len(self.card_id) != 8:
            raise ValueError("a card's id has 8 bytes")
        if len(self.holder_name.encode()) > HOLDER_NAME_BYTES_MAX:
            raise ValueError("the name is longer than 24 bytes in UTF-8")
        if not _LANGUAGE.fullmatch(self.language):
            raise ValueError("a language has two small letters")
        if self.valid_from > self.expiry:
            raise ValueError("the card expires before it is valid")

    def _objects(self) -> dict[Tag, bytes]:
        return {
            Tag.CARD_ID: self.card_id,
            Tag.CURRENCY: currency_bytes(self.currency),
            Tag.VALID_FROM: date_bytes(self.valid_from),
            Tag.EXPIRY: date_bytes(self.expiry),
            Tag.HOLDER_NAME: self.holder_name.encode(),
            Tag.LANGUAGE: self.language.encode(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseData(PublicData):
    """All that makes a purse.

    Attributes:
        balance_limit_minor: most that it may hold, 1 to 7FFFFFFF.
        payment_limit_minor: most that one payment may be, 1 to 7FFFFFFF.
        keys: its four keys.
        pin_block: its first PIN, 8 bytes; see `card.pin`.
    """

    balance_limit_minor: int
    payment_limit_minor: int
    keys: PurseKeys
    pin_block: bytes = field(repr=False)

    def __post_init__(self) -> None:
        PublicData.__post_init__(self)
        for limit in (self.balance_limit_minor, self.payment_limit_minor):
            if not 1 <= limit <= AMOUNT_MINOR_MAX:
                raise ValueError("a limit is 1 to 7FFFFFFF")

    def group(self, group: DataGroup, key: MaintenanceKey, rc: bytes) -> bytes:
        """The data of one PUT DATA, secrets encrypted for this challenge."""
        match group:
            case DataGroup.PUBLIC:
                limits = {
                    Tag.BALANCE_LIMIT: uint4(self.balance_limit_minor),
                    Tag.PAYMENT_LIMIT: uint4(self.payment_limit_minor),
                }
                return _encode_objects(self._objects() | limits)
            case DataGroup.KEYS:
                keys = self.keys
                clear = keys.purchase + keys.load
                clear += keys.transaction_certificate + keys.maintenance
                return bytes((keys.kv,)) + key.encrypt(clear, rc=rc)
            case DataGroup.PIN:
                return key.encrypt(padded_pin_block(self.pin_block), rc=rc)
            case DataGroup.ACTIVATE:
                return b""
            case _:
                assert_never(group)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsCardData(PublicData):
    """All that makes a customs card.

    Attributes:
        kv: version of its batch key.
        batch_key: KB, 16 bytes.
        purchase_masters: IMK-P, 16 bytes, of each key version in use, up to 13.
        activation_block: its activation code, 8 bytes; see `card.pin`. None for a card
            that takes payments without one.
    """

    kv: int
    batch_key: bytes = field(repr=False)
    purchase_masters: Mapping[int, bytes] = field(repr=False)
    activation_block: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        PublicData.__post_init__(self)
        if not 1 <= len(self.purchase_masters) <= PURCHASE_MASTERS_MAX:
            raise ValueError("a customs card holds 1 to 13 purchase masters")
        keys = (self.batch_key, *self.purchase_masters.values())
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError("a key has 16 bytes")

    def group(self, group: DataGroup, key: MaintenanceKey, rc: bytes) -> bytes | None:
        """The data of one PUT DATA, secrets encrypted for this challenge, or None."""
        match group:
            case DataGroup.PUBLIC:
                return _encode_objects(self._objects())
            case DataGroup.KEYS:
                masters = sorted(self.purchase_masters.items())
                content = bytes((self.kv,)) + key.encrypt(self.batch_key, rc=rc)
                content += bytes((len(masters),))
                for kv, master in masters:
                    content += bytes((kv,)) + key.encrypt(master, rc=rc)
                return content
            case DataGroup.PIN:
                block = self.activation_block
                if block is None:
                    return None
                return key.encrypt(padded_pin_block(block), rc=rc)
            case DataGroup.ACTIVATE:
                return b""
            case _:
                assert_never(group)


def put_data(
    group: DataGroup, data: bytes, key: MaintenanceKey, *, rc: bytes
) -> CommandAPDU:
    """PUT DATA of one group.

    Args:
        group: which group.
        data: its data, secrets already encrypted.
        key: transport key and serial of this chip.
        rc: the card's fresh challenge, 8 bytes.
    """
    return key.command(INS.PUT_DATA, rc=rc, p1=group, data=data)


def personalise(
    session: ApplicationSession,
    key: MaintenanceKey,
    data: PurseData | CustomsCardData,
) -> None:
    """Write every group to a blank card that was just selected, and activate it.

    Nothing of it counts until the last command: when this fails or the card is taken
    away, the card is still blank and can be personalised from the start.

    Args:
        session: with the card; it must be of the kind that ``data`` describes.
        key: transport key and serial of this chip; SELECT told the serial.
        data: what the card becomes.

    Raises:
        StatusError: The card refused: 6985, it is not blank; 9302, the transport key
            is not this chip's.
        OutcomeUnknownError: No answer came; select the card to see its state.
    """
    for group in DataGroup:
        rc = session.get_challenge()
        content = data.group(group, key, rc)
        if content is not None:
            session.run(put_data(group, content, key, rc=rc))


def _encode_objects(objects: Mapping[Tag, bytes]) -> bytes:
    return b"".join(encode(tag, objects[tag]) for tag in sorted(objects))
