"""What became of several payments at once: in the answer to a group, and to a header.

Field 48 of the answer to a group names the payments that were not simply accepted
(`DetailTag.OUTCOMES`); all others of the group were. The answer to a header says
besides which payments of the batch the bank holds already, from calls before: their
places, and a digest of what they are, by which the terminal knows them for its own.
What is named there need not be sent again. What has no room there is not named: it is
sent again, and answered as it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from card.profile import BATCH_CREDITS_MAX
from settlement.data_objects import (
    ANSWER_TEXT_BYTES_MAX,
    DataObjects,
    DetailTag,
    encode_objects,
    fit_text,
    printable_text,
)
from settlement.iso8583_spec import FIELDS
from settlement.message_codec import record_fields
from settlement.messages import RecordAnswer, ResponseCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from settlement.iso8583 import Message
    from settlement.messages import HeldRecord
    from settlement.payment import PaymentRecord

__all__ = [
    "HELD_DIGEST_BYTES",
    "Held",
    "held_digest",
    "held_fields",
    "outcome_fields",
    "parse_held",
    "parse_outcomes",
]

HELD_DIGEST_BYTES: Final = 16
_TEXT_FIELD: Final = 48
_ROOM_BYTES: Final = FIELDS[_TEXT_FIELD].length
_HELD_BYTES_MAX: Final = 3 + 125 + 2 + HELD_DIGEST_BYTES
"""What places and digest of held payments take of the field, tags and lengths too."""
_TEXT_CUTS: Final = (ANSWER_TEXT_BYTES_MAX, 80, 20)
"""Bytes of each text, tried in turn until all outcomes have room: 32 with 20 do."""
_CODE_BYTES: Final = 2
_PLACE_BYTES: Final = 2
_PLACES_MAX: Final = 255
"""Places in one object, whose count has one byte."""
_HEAD_BYTES: Final = _CODE_BYTES + 1

_Objects: TypeAlias = list[tuple[int, bytes]]
_Outcomes: TypeAlias = "Mapping[int, RecordAnswer]"
"""What became of payments, by their places in the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the bank says it holds of a batch.

    Attributes:
        places: of the payments in the batch.
        digest: of these payments; see `held_digest`.
    """

    places: frozenset[int] = frozenset()
    digest: bytes = field(default=bytes(HELD_DIGEST_BYTES))


def held_digest(payments: Iterable[PaymentRecord]) -> bytes:
    """What some payments of a batch are, in 16 bytes.

    SHA-256, cut to its first 16 bytes, over each payment in the order of its place:
    place2 STAN3, then length2 and bytes of field 48 (none when the details are not
    known), then length2 and bytes of field 55, as its own 0320 has them.
    """
    digest = hashlib.sha256()
    for payment in sorted(payments, key=lambda one: one.sequence):
        digest.update(payment.sequence.to_bytes(2, "big"))
        digest.update(payment.stan.to_bytes(3, "big"))
        for part in record_fields(payment):
            digest.update(len(part).to_bytes(2, "big") + part)
    return digest.digest()[:HELD_DIGEST_BYTES]


def outcome_fields(outcomes: _Outcomes) -> list[tuple[int, str | bytes]]:
    """Field 48 of the answer to a group, or nothing when all were accepted."""
    objects, left_out = _fit(outcomes, _ROOM_BYTES)
    assert not left_out, "a group has few payments"
    return [(_TEXT_FIELD, encode_objects(objects))] if objects else []


def held_fields(held: Sequence[HeldRecord]) -> list[tuple[int, str | bytes]]:
    """Field 48 of the answer to a header, or nothing when nothing is held."""
    times = Counter(one.record.sequence for one in held)
    # Two payments in one place are not this batch as its terminal will send it.
    known = {o.record.sequence: o for o in held if times[o.record.sequence] == 1}
    outcomes = {place: one.answer for place, one in known.items()}
    objects, left_out = _fit(outcomes, _ROOM_BYTES - _HELD_BYTES_MAX)
    places = sorted(known.keys() - left_out)
    if not places:
        return []
    digest = held_digest(known[place].record for place in places)
    objects[:0] = [
        (DetailTag.HELD_PLACES, _bitmap(places)),
        (DetailTag.HELD_DIGEST, digest),
    ]
    return [(_TEXT_FIELD, encode_objects(objects))]


def parse_outcomes(message: Message) -> dict[int, RecordAnswer]:
    """What became of the payments that were not simply accepted, by place.

    Raises:
        MalformedMessageError: field 48 is not valid.
    """
    objects = _objects(message)
    outcomes: dict[int, RecordAnswer] = {}
    for value in objects.every(DetailTag.OUTCOMES):
        places, answer = _parse_outcome(objects, value)
        if places & outcomes.keys():
            raise objects.malformed("two outcomes of one payment", DetailTag.OUTCOMES)
        outcomes.update(dict.fromkeys(places, answer))
    return outcomes


def parse_held(message: Message) -> Held:
    """What the bank holds of the batch, from the answer to its header.

    Raises:
        MalformedMessageError: field 48 is not valid.
    """
    objects = _objects(message)
    if DetailTag.HELD_PLACES not in objects:
        return Held()
    (bitmap,) = objects.every(DetailTag.HELD_PLACES)
    places = frozenset(
        8 * at + bit + 1
        for at, octet in enumerate(bitmap)
        for bit in range(8)
        if octet & (0x80 >> bit)
    )
    if not bitmap or not bitmap[-1] or max(places) > BATCH_CREDITS_MAX:
        raise objects.malformed("no places of a batch", DetailTag.HELD_PLACES)
    digest = objects.fixed(DetailTag.HELD_DIGEST, HELD_DIGEST_BYTES)
    return Held(places=places, digest=digest)


def _fit(outcomes: _Outcomes, room_bytes: int) -> tuple[_Objects, set[int]]:
    """The objects of all outcomes but those accepted, and the places left out."""
    told = {
        place: answer
        for place, answer in sorted(outcomes.items())
        if answer.code is not ResponseCode.ACCEPTED
    }
    for cut in _TEXT_CUTS:
        objects = _outcome_objects(told, cut)
        if len(encode_objects(objects)) <= room_bytes:
            return objects, set()
    left_out: set[int] = set()
    while True:
        objects = _outcome_objects(told, _TEXT_CUTS[-1])
        if len(encode_objects(objects)) <= room_bytes:
            return objects, left_out
        place, _ = told.popitem()
        left_out.add(place)


def _outcome_objects(outcomes: _Outcomes, text_bytes_max: int) -> _Objects:
    """One object for each code and text, with the places of which it is true."""
    alike: dict[tuple[ResponseCode, bytes], list[int]] = {}
    for place, answer in outcomes.items():
        text = fit_text(answer.text, text_bytes_max)
        alike.setdefault((answer.code, text), []).append(place)
    return [
        (DetailTag.OUTCOMES, _outcome(code, places[at : at + _PLACES_MAX], text))
        for (code, text), places in alike.items()
        for at in range(0, len(places), _PLACES_MAX)
    ]


def _outcome(code: ResponseCode, places: Sequence[int], text: bytes) -> bytes:
    listed = b"".join(place.to_bytes(_PLACE_BYTES, "big") for place in places)
    return code.encode() + bytes((len(places),)) + listed + text


def _parse_outcome(
    objects: DataObjects, value: bytes
) -> tuple[frozenset[int], RecordAnswer]:
    tag = DetailTag.OUTCOMES
    count = value[_CODE_BYTES] if len(value) > _CODE_BYTES else 0
    end = _HEAD_BYTES + count * _PLACE_BYTES
    if count == 0 or len(value) < end:
        raise objects.malformed("cut short", tag)
    starts = range(_HEAD_BYTES, end, _PLACE_BYTES)
    places = [int.from_bytes(value[at : at + _PLACE_BYTES], "big") for at in starts]
    if (
        places != sorted(set(places))
        or not 0 < places[0] <= places[-1] <= BATCH_CREDITS_MAX
    ):
        raise objects.malformed("no places of a batch", tag)
    said = value[:_CODE_BYTES].decode("ascii", errors="replace")
    text = printable_text(value[end:], ANSWER_TEXT_BYTES_MAX)
    if text is None or said == ResponseCode.ACCEPTED:
        raise objects.malformed("no outcome", tag)
    answer = RecordAnswer(
        code=_code(said), text=text or f"the bank answered code {said}"
    )
    return frozenset(places), answer


def _code(said: str) -> ResponseCode:
    """A code; one that the profile does not know counts as FAILURE."""
    try:
        return ResponseCode(said)
    except ValueError:
        return ResponseCode.FAILURE


def _objects(message: Message) -> DataObjects:
    data = message.binary(_TEXT_FIELD) if _TEXT_FIELD in message.fields else b""
    return DataObjects(data, number=_TEXT_FIELD, tags=DetailTag)


def _bitmap(places: Sequence[int]) -> bytes:
    """One bit for each place from 1 on, the first one highest; as short as can be."""
    bitmap = bytearray((places[-1] + 7) // 8)
    for place in places:
        at, bit = divmod(place - 1, 8)
        bitmap[at] |= 0x80 >> bit
    return bytes(bitmap)
