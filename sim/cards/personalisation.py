"""PUT DATA: how a blank card becomes a purse or a customs card.

Outside the profile, and ours: ``84 DA P1 00 data || MAC8``, in state 01 only, each
command under a fresh challenge. P1 = 01 public objects, 02 keys, 03 PIN, 04 activate.
What the first three bring is staged under ``new.*``; the fourth makes it the card, in
one commit. Until then the card is as blank as before: SELECT answers the chip's
serial number. The first is where a personalisation begins, also one that starts again
after an interruption: it takes away whatever was staged before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from card.profile import INS, CardState, Tag
from card.sw import SW
from sim.cards import customs_runtime as customs_names
from sim.cards import purse_runtime as names
from sim.cards.application import PROTECTED, STATE, Command, Refused, Row
from sim.cards.crypto import KEY_BYTES, MAC_BYTES
from sim.cards.maintenance import Unwrapped, padded_pin_block, unwrap
from sim.cards.records import is_bcd

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.application import Runtime
    from sim.cards.customs_runtime import CustomsRuntime
    from sim.cards.memory import Changes, Value
    from sim.cards.pin import SecretCode
    from sim.cards.purse_runtime import PurseRuntime

__all__ = ["CustomsPersonalisation", "PursePersonalisation"]

TRANSPORT_KEY: Final = "transport_key"
SERIAL: Final = "serial"
HOLDER_NAME_BYTES_MAX: Final = 24
_STAGED: Final = "new."
_PUBLIC, _KEYS, _PIN, _ACTIVATE = 0x01, 0x02, 0x03, 0x04

_Check: TypeAlias = "Callable[[bytes], bool]"
_Objects: TypeAlias = dict[int, bytes]


def _is_name(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(value) <= HOLDER_NAME_BYTES_MAX


def _is_language(value: bytes) -> bool:
    return len(value) == 2 and value.isalpha() and value.islower()


_CHECKS: Final[dict[Tag, _Check]] = {
    Tag.CARD_ID: lambda value: len(value) == 8,
    Tag.CURRENCY: lambda value: len(value) == 2 and is_bcd(value),
    Tag.VALID_FROM: lambda value: len(value) == 4 and is_bcd(value),
    Tag.EXPIRY: lambda value: len(value) == 4 and is_bcd(value),
    Tag.BALANCE_LIMIT: lambda value: len(value) == 4,
    Tag.PAYMENT_LIMIT: lambda value: len(value) == 4,
    Tag.HOLDER_NAME: _is_name,
    Tag.LANGUAGE: _is_language,
}
_LIMITS: Final = frozenset({Tag.BALANCE_LIMIT, Tag.PAYMENT_LIMIT})


class _Personalisation:
    """What both kinds of card share; a subclass reads keys and names objects."""

    def __init__(
        self, runtime: Runtime, code: SecretCode, *, is_code_needed: bool
    ) -> None:
        self._runtime: Final = runtime
        self._memory: Final = runtime.memory
        self._code: Final = code
        self._is_code_needed: Final = is_code_needed

    def rows(self) -> list[Row]:
        """PUT DATA, one row for each P1."""
        handlers = {
            _PUBLIC: self._public,
            _KEYS: self._keys,
            _PIN: self._pin,
            _ACTIVATE: self._activate,
        }
        return [self._row(p1, handler) for p1, handler in handlers.items()]

    def _row(self, p1: int, group: Callable[[Unwrapped], Changes]) -> Row:
        def put(command: Command) -> bytes:
            self._memory.commit(group(self._unwrap(command)))
            return b""

        return Row(
            cla=PROTECTED, ins=INS.PUT_DATA, p1=p1, lc=range(MAC_BYTES, 256),
            handler=put, before_personalisation=True,
        )  # fmt: skip

    def _unwrap(self, command: Command) -> Unwrapped:
        if self._runtime.life_cycle is not CardState.INITIALISED:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        return unwrap(
            command,
            key=self._memory.octets(TRANSPORT_KEY),
            identity=self._memory.octets(SERIAL),
        )

    def _public(self, unwrapped: Unwrapped) -> Changes:
        objects = _objects(unwrapped.data)
        if set(objects) != self._wanted_objects():
            raise Refused(SW.WRONG_DATA)
        if not all(_CHECKS[Tag(tag)](value) for tag, value in objects.items()):
            raise Refused(SW.WRONG_DATA)
        # A code that an abandoned attempt brought must not survive into this one.
        abandoned = self._memory.keys_from(_STAGED)
        return dict.fromkeys(abandoned) | _staged(self._public_values(objects))

    def _pin(self, unwrapped: Unwrapped) -> Changes:
        if len(unwrapped.data) != KEY_BYTES:
            raise Refused(SW.WRONG_DATA)
        block = padded_pin_block(unwrapped.decrypt(unwrapped.data))
        return {_STAGED + key: value for key, value in self._code.set_to(block).items()}

    def _activate(self, unwrapped: Unwrapped) -> Changes:
        if unwrapped.data:
            raise Refused(SW.WRONG_DATA)
        if not all(_STAGED + key in self._memory for key in self._mandatory()):
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        staged = self._memory.keys_from(_STAGED)
        changes: Changes = dict.fromkeys([*staged, TRANSPORT_KEY, SERIAL])
        for key in staged:
            changes[key.removeprefix(_STAGED)] = self._memory.value(key)
        return changes | self._first_values() | {STATE: CardState.ACTIVE}

    def _mandatory(self) -> list[str]:
        """One key of each group that must be there."""
        code = [key for key in self._code.set_to(b"") if self._is_code_needed]
        return [names.CARD_ID, names.KEY_VERSION, *code]

    def _wanted_objects(self) -> set[Tag]:
        raise NotImplementedError

    def _public_values(self, objects: _Objects) -> dict[str, Value]:
        return {
            names.CARD_ID: objects[Tag.CARD_ID],
            names.CURRENCY: objects[Tag.CURRENCY],
            "valid_from": objects[Tag.VALID_FROM],
            "expiry": objects[Tag.EXPIRY],
            "holder_name": objects[Tag.HOLDER_NAME],
            "language": objects[Tag.LANGUAGE],
        }

    def _keys(self, unwrapped: Unwrapped) -> Changes:
        raise NotImplementedError

    def _first_values(self) -> Changes:
        raise NotImplementedError


class PursePersonalisation(_Personalisation):
    """Personalisation of a purse: four keys and a PIN."""

    def __init__(self, purse: PurseRuntime) -> None:
        super().__init__(purse, purse.pin, is_code_needed=True)

    def _wanted_objects(self) -> set[Tag]:
        return set(_CHECKS)

    def _public_values(self, objects: _Objects) -> dict[str, Value]:
        return super()._public_values(objects) | {
            names.BALANCE_LIMIT: int.from_bytes(objects[Tag.BALANCE_LIMIT], "big"),
            names.PAYMENT_LIMIT: int.from_bytes(objects[Tag.PAYMENT_LIMIT], "big"),
        }

    def _keys(self, unwrapped: Unwrapped) -> Changes:
        kv, cryptogram = unwrapped.data[:1], unwrapped.data[1:]
        if len(cryptogram) != 4 * KEY_BYTES or kv == b"\x00":
            raise Refused(SW.WRONG_DATA)
        keys = unwrapped.decrypt(cryptogram)
        places = (
            names.KEY_PURCHASE,
            names.KEY_LOAD,
            names.KEY_CERTIFICATE,
            names.KEY_MAINTENANCE,
        )
        values: dict[str, Value] = {names.KEY_VERSION: kv[0]}
        for index, place in enumerate(places):
            values[place] = keys[index * KEY_BYTES : (index + 1) * KEY_BYTES]
        return _staged(values)

    def _first_values(self) -> Changes:
        return dict(names.FIRST_VALUES)


class CustomsPersonalisation(_Personalisation):
    """Personalisation of a customs card: KB, IMK-P of each kv, maybe a code."""

    def __init__(self, customs: CustomsRuntime) -> None:
        super().__init__(customs, customs.code, is_code_needed=False)

    def _wanted_objects(self) -> set[Tag]:
        return set(_CHECKS) - _LIMITS

    def _keys(self, unwrapped: Unwrapped) -> Changes:
        data = unwrapped.data
        head = 1 + KEY_BYTES + 1
        if len(data) < head or data[0] == 0:
            raise Refused(SW.WRONG_DATA)
        count, rest = data[head - 1], data[head:]
        if count == 0 or len(rest) != count * (1 + KEY_BYTES):
            raise Refused(SW.WRONG_DATA)
        values: dict[str, Value] = {
            names.KEY_VERSION: data[0],
            customs_names.KEY_BATCH: unwrapped.decrypt(data[1 : 1 + KEY_BYTES]),
        }
        for start in range(0, len(rest), 1 + KEY_BYTES):
            place = customs_names.purchase_master(rest[start])
            key = rest[start + 1 : start + 1 + KEY_BYTES]
            if rest[start] == 0 or place in values:
                raise Refused(SW.WRONG_DATA)
            values[place] = unwrapped.decrypt(key)
        # Masters of an earlier attempt must not come along into the card's life.
        stale = self._memory.keys_from(_STAGED + customs_names.PURCHASE_MASTER)
        return dict.fromkeys(stale) | _staged(values)

    def _first_values(self) -> Changes:
        return dict(customs_names.FIRST_VALUES)


def _staged(values: dict[str, Value]) -> Changes:
    return {_STAGED + key: value for key, value in values.items()}


def _objects(data: bytes) -> _Objects:
    """Data objects with one-byte tags and lengths; 6A80 when malformed or repeated."""
    objects: _Objects = {}
    rest = data
    while rest:
        if len(rest) < 2 or len(rest) < 2 + rest[1] or rest[0] in objects:
            raise Refused(SW.WRONG_DATA)
        objects[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return objects
