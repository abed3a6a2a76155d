"""Cards ready to use: the test cards of the profile's worked vector, and blank ones.

The masters here are published test values; nothing real may ever use them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.profile import CardState, KeyUse
from sim.cards import customs_runtime as customs_names
from sim.cards import purse_runtime as names
from sim.cards.application import STATE
from sim.cards.crypto import kdf
from sim.cards.customs import CustomsLimits, SimulatedCustomsCard
from sim.cards.memory import Memory
from sim.cards.personalisation import SERIAL, TRANSPORT_KEY
from sim.cards.pin import SecretCode, pin_block
from sim.cards.purse import SimulatedPurse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Changes

__all__ = [
    "CustomsData",
    "PurseData",
    "blank_customs_card",
    "blank_purse",
    "default_customs_card",
    "default_purse",
    "issue_customs_card",
    "issue_purse",
    "masked",
]

_MASTERS: Final[dict[KeyUse, bytes]] = {
    KeyUse.PURCHASE: bytes(range(0x10)),
    KeyUse.LOAD: bytes(range(0x10, 0x20)),
    KeyUse.TRANSACTION_CERTIFICATE: bytes(range(0x20, 0x30)),
    KeyUse.MAINTENANCE: bytes(range(0x30, 0x40)),
    KeyUse.BATCH: bytes(range(0x40, 0x50)),
    KeyUse.TRANSPORT: bytes(range(0x50, 0x60)),
}
_NO_KEY_VERSION: Final = 0
_LIMITS: Final = CustomsLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseData:
    """What a purse is issued with; the defaults are the worked vector's.

    Attributes:
        card_id: CID, 16 hex digits.
        pin: 4 to 12 digits.
        balance_minor: value it starts with, as though it had been loaded before.
        balance_limit_minor: C6.
        payment_limit_minor: C7.
        currency: ISO 4217 number, four decimal digits.
        valid_from: YYYYMMDD, and so is ``expiry``.
    """

    card_id: str = field(default="6400000000000001", repr=False)
    pin: str = field(default="1234", repr=False)
    balance_minor: int = 500_000
    balance_limit_minor: int = 2_000_000
    payment_limit_minor: int = 2_000_000
    currency: str = "0512"
    valid_from: str = "20250101"
    expiry: str = "20301231"
    kv: int = 1
    holder_name: str = "TEST PURSE"
    language: str = "en"
    state: CardState = CardState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsData:
    """What a customs card is issued with; the defaults are the worked vector's.

    Attributes:
        merchant_id: MID, 16 hex digits.
        activation_code: 4 to 12 digits, or None for a card without one.
        kv: of KB, data object C9.
        purchase_kvs: key versions whose IMK-P the card holds.
    """

    merchant_id: str = "4355530000000007"
    activation_code: str | None = field(default=None, repr=False)
    currency: str = "0512"
    valid_from: str = "20250101"
    expiry: str = "20301231"
    kv: int = 1
    purchase_kvs: tuple[int, ...] = (1,)
    holder_name: str = "TEST MERCHANT"
    language: str = "en"


_DEFAULT_PURSE: Final = PurseData()
_DEFAULT_CUSTOMS: Final = CustomsData()


def default_purse(
    memory: Memory | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> SimulatedPurse:
    """The test purse in ``memory``, issued there first when the memory is blank."""
    return issue_purse(memory, _DEFAULT_PURSE, random_bytes)


def default_customs_card(
    memory: Memory | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> SimulatedCustomsCard:
    """The test customs card in ``memory``, issued there first when it is blank."""
    return issue_customs_card(memory, _DEFAULT_CUSTOMS, random_bytes)


def issue_purse(
    memory: Memory | None,
    data: PurseData = _DEFAULT_PURSE,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> SimulatedPurse:
    """A purse with ``data``; a memory that already holds a card is left as it is."""
    memory = Memory() if memory is None else memory
    if memory.is_blank:
        memory.commit(_purse_values(memory, data))
    return SimulatedPurse(memory, random_bytes)


def issue_customs_card(
    memory: Memory | None,
    data: CustomsData = _DEFAULT_CUSTOMS,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    limits: CustomsLimits = _LIMITS,
) -> SimulatedCustomsCard:
    """A customs card with ``data``; a card already in the memory is left as it is."""
    memory = Memory() if memory is None else memory
    if memory.is_blank:
        memory.commit(_customs_values(memory, data))
    return SimulatedCustomsCard(memory, random_bytes, limits)


def blank_purse(
    memory: Memory,
    serial: bytes,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> SimulatedPurse:
    """A purse as the chip maker delivers it (state 01), for PUT DATA.

    Args:
        memory: a card already in it is left as it is.
        serial: the chip's serial number, 8 bytes.
        random_bytes: makes every challenge.
    """
    _deliver(memory, serial)
    return SimulatedPurse(memory, random_bytes)


def blank_customs_card(
    memory: Memory,
    serial: bytes,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    limits: CustomsLimits = _LIMITS,
) -> SimulatedCustomsCard:
    """A customs card as the chip maker delivers it; see `blank_purse`."""
    _deliver(memory, serial)
    return SimulatedCustomsCard(memory, random_bytes, limits)


def masked(card_id: bytes) -> str:
    """A CID, MID or serial number for people: first six digits and last four.

    >>> masked(bytes.fromhex("6400000000000001"))
    '640000******0001'
    """
    digits = card_id.hex().upper()
    return f"{digits[:6]}******{digits[-4:]}"


def _deliver(memory: Memory, serial: bytes) -> None:
    assert len(serial) == 8
    if memory.is_blank:
        key = _derive(KeyUse.TRANSPORT, _NO_KEY_VERSION, serial)
        memory.commit(
            {STATE: CardState.INITIALISED, SERIAL: serial, TRANSPORT_KEY: key}
        )


def _derive(use: KeyUse, kv: int, card_id: bytes) -> bytes:
    return kdf(_MASTERS[use], use, bytes((kv,)) + card_id)


def _public_values(data: PurseData | CustomsData, card_id: bytes) -> Changes:
    return {
        names.CARD_ID: card_id,
        names.CURRENCY: bytes.fromhex(data.currency),
        names.KEY_VERSION: data.kv,
        "valid_from": bytes.fromhex(data.valid_from),
        "expiry": bytes.fromhex(data.expiry),
        "holder_name": data.holder_name.encode(),
        "language": data.language.encode("ascii"),
    }


def _purse_values(memory: Memory, data: PurseData) -> Changes:
    cid = bytes.fromhex(data.card_id)
    return {
        **names.FIRST_VALUES,
        **_public_values(data, cid),
        **SecretCode(memory, "pin").set_to(pin_block(data.pin)),
        STATE: data.state,
        names.BALANCE: data.balance_minor,
        names.BALANCE_LIMIT: data.balance_limit_minor,
        names.PAYMENT_LIMIT: data.payment_limit_minor,
        names.KEY_PURCHASE: _derive(KeyUse.PURCHASE, data.kv, cid),
        names.KEY_LOAD: _derive(KeyUse.LOAD, data.kv, cid),
        names.KEY_CERTIFICATE: _derive(KeyUse.TRANSACTION_CERTIFICATE, data.kv, cid),
        names.KEY_MAINTENANCE: _derive(KeyUse.MAINTENANCE, data.kv, cid),
    }


def _customs_values(memory: Memory, data: CustomsData) -> Changes:
    mid = bytes.fromhex(data.merchant_id)
    code: Changes = {}
    if data.activation_code is not None:
        code = SecretCode(memory, "code").set_to(pin_block(data.activation_code))
    masters: Changes = {
        customs_names.purchase_master(kv): _MASTERS[KeyUse.PURCHASE]
        for kv in data.purchase_kvs
    }
    return {
        **customs_names.FIRST_VALUES,
        **_public_values(data, mid),
        **masters,
        **code,
        STATE: CardState.ACTIVE,
        customs_names.KEY_BATCH: _derive(KeyUse.BATCH, data.kv, mid),
    }
