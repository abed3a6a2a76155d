"""What the entries of parameters, catalogue and payment requests mean.

Parameters are text by name. A service or a payment request is one JSON object, keys in
order and nothing between them, so that the same item is always the same bytes. A
terminal of another age skips what it does not know: an unknown parameter, an unknown
key of an object, an item that makes no sense to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from card.profile import AMOUNT_MINOR_MAX
from settlement.data_objects import LINE_CODES
from settlement.download import KEY_BYTES_MAX, VALUE_BYTES_MAX
from settlement.errors import DownloadError
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    OFFICE_MAX,
    TEXT_BYTES_MAX,
    LineClass,
    PaymentKind,
    PaymentLine,
)
from settlement.shown_text import text_fault

if TYPE_CHECKING:
    from settlement.download import Entries

__all__ = [
    "Parameters",
    "PaymentRequest",
    "Service",
    "ServiceLine",
    "encode_parameters",
    "encode_request",
    "encode_service",
    "parse_day",
    "parse_parameters",
    "parse_request",
    "parse_service",
]

NAME_BYTES_MAX: Final = 120
"""Bytes of a service's name, in each language."""
CLOCK_LIMIT_S_MAX: Final = 86_400
_LINE_CLASSES: Final = {code: line_class for line_class, code in LINE_CODES.items()}

PAYMENT_LIMIT: Final = b"payment-limit-minor"
CLOCK_LIMIT: Final = b"clock-limit-s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Rules that the bank gives its counters; None where it gives none.

    Attributes:
        payment_limit_minor: largest payment, in minor units of the counter's currency;
            a counter keeps the smaller one of this and its own.
        clock_limit_s: by how much a counter's clock may differ from the bank's before
            it is told, in seconds.
    """

    payment_limit_minor: int | None = None
    clock_limit_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLine:
    """One line that a service puts on a payment.

    Attributes:
        line_class: of the line.
        amount_minor: of a fixed fee; None when the line is all of a fee that differs.
    """

    line_class: LineClass
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service that customs charges for.

    Attributes:
        code: the key; up to 32 bytes.
        name: in English.
        name_ar: in Arabic, or empty.
        kind: what a payment for it is.
        amount_minor: its fixed fee; None where the fee differs.
        lines: by class, what the fixed fee is made of; one line without an amount
            (see `ServiceLine`) names the class of a fee that differs.
        unit_minor: of a computed fee, what one unit costs; else None.
        unit: of a computed fee, what is counted ("day", "page"), or empty.
        least_minor: the least that a computed fee is, or None.
    """

    code: str
    name: str
    kind: PaymentKind
    name_ar: str = ""
    amount_minor: int | None = None
    lines: tuple[ServiceLine, ...] = ()
    unit_minor: int | None = None
    unit: str = ""
    least_minor: int | None = None

    def fee_minor(self, units: int | None = None) -> int | None:
        """What it costs, in minor units; None when the clerk has to key it.

        Args:
            units: how many were counted, from 1; for a computed fee only.
        """
        if self.unit_minor is None:
            return self.amount_minor
        if units is None:
            return None
        return max(self.unit_minor * units, self.least_minor or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """What customs asks somebody to pay.

    Attributes:
        number: the key; up to 32 bytes.
        declaration: the payment reference.
        amount_minor: to be paid, from 1.
        kind: fees, deposits or purchase.
        office: where it is to be paid, or empty: anywhere.
        payer: who is to pay, or empty.
        delivery_order: or empty.
        due: last day, or None.
        broker: who acts for the payer, or empty.
        lines: the assessment by class; none, or they add up to the amount.
    """

    number: str
    declaration: str
    amount_minor: int
    kind: PaymentKind
    office: str = ""
    payer: str = ""
    delivery_order: str = ""
    due: date | None = None
    broker: str = ""
    lines: tuple[PaymentLine, ...] = ()


def encode_parameters(parameters: Parameters) -> dict[bytes, bytes]:
    """The entries of the kind PARAMETERS."""
    values = (
        (PAYMENT_LIMIT, parameters.payment_limit_minor),
        (CLOCK_LIMIT, parameters.clock_limit_s),
    )
    return {name: b"%d" % value for name, value in values if value is not None}


def parse_parameters(entries: Entries) -> Parameters:
    """What a terminal makes of them; a value that it cannot use is as if absent."""
    return Parameters(
        payment_limit_minor=_parameter(entries, PAYMENT_LIMIT, AMOUNT_MINOR_MAX),
        clock_limit_s=_parameter(entries, CLOCK_LIMIT, CLOCK_LIMIT_S_MAX),
    )


def encode_service(service: Service) -> tuple[bytes, bytes]:
    """Key and value of a service.

    >>> encode_service(Service(code="C1", name="Copy", kind=PaymentKind.FEES))
    (b'C1', b'{"kind":"fees","name":"Copy"}')
    """
    members: dict[str, Any] = {"name": service.name, "kind": service.kind.value}
    members |= {"name_ar": service.name_ar, "amount_minor": service.amount_minor}
    members |= {"unit_minor": service.unit_minor, "unit": service.unit}
    members |= {"least_minor": service.least_minor}
    members["lines"] = [
        [LINE_CODES[line.line_class], line.amount_minor or 0] for line in service.lines
    ]
    return service.code.encode(), _to_json(members)


def parse_service(key: bytes, value: bytes) -> Service:
    """Undo `encode_service`.

    Raises:
        DownloadError: it is not a service.
    """
    item = _Item(value)
    return Service(
        code=_key_text(key),
        name=item.text("name", NAME_BYTES_MAX, least=1),
        kind=item.kind(),
        name_ar=item.text("name_ar", NAME_BYTES_MAX),
        amount_minor=item.amount(),
        lines=tuple(
            ServiceLine(line_class=line_class, amount_minor=amount_minor or None)
            for line_class, amount_minor in item.lines()
        ),
        unit_minor=item.amount("unit_minor"),
        unit=item.text("unit", TEXT_BYTES_MAX),
        least_minor=item.amount("least_minor"),
    )


def encode_request(request: PaymentRequest) -> tuple[bytes, bytes]:
    """Key and value of a payment request."""
    members: dict[str, Any] = {
        "declaration": request.declaration,
        "amount_minor": request.amount_minor,
        "kind": request.kind.value,
        "office": request.office,
        "payer": request.payer,
        "delivery_order": request.delivery_order,
        "due": None if request.due is None else request.due.isoformat(),
        "broker": request.broker,
        "lines": [
            [LINE_CODES[line.line_class], line.amount_minor] for line in request.lines
        ],
    }
    return request.number.encode(), _to_json(members)


def parse_request(key: bytes, value: bytes) -> PaymentRequest:
    """Undo `encode_request`.

    Raises:
        DownloadError: it is not a payment request.
    """
    item = _Item(value)
    amount_minor = item.amount()
    if amount_minor is None:
        raise DownloadError("a request without an amount")
    return PaymentRequest(
        number=_key_text(key),
        declaration=item.text("declaration", DECLARATION_BYTES_MAX, least=1),
        amount_minor=amount_minor,
        kind=item.kind(),
        office=item.text("office", OFFICE_MAX),
        payer=item.text("payer", NAME_BYTES_MAX),
        delivery_order=item.text("delivery_order", TEXT_BYTES_MAX),
        due=item.day("due"),
        broker=item.text("broker", NAME_BYTES_MAX),
        lines=_request_lines(item, amount_minor),
    )


def _request_lines(item: _Item, amount_minor: int) -> tuple[PaymentLine, ...]:
    lines = item.lines()
    amounts = [line_minor for _, line_minor in lines]
    if lines and (0 in amounts or sum(amounts) != amount_minor):
        raise DownloadError("lines that do not add up")
    return tuple(
        PaymentLine(line_class=line_class, amount_minor=line_minor)
        for line_class, line_minor in lines
    )


def parse_day(text: str) -> date:
    """A day as it is written here, YYYY-MM-DD, and in no other form of ISO 8601.

    Raises:
        DownloadError: it is none.

    >>> parse_day("2025-11-22")
    datetime.date(2025, 11, 22)
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise DownloadError("no day") from None
    if day.isoformat() != text:
        raise DownloadError("a day in another form than YYYY-MM-DD")
    return day


def _parameter(entries: Entries, name: bytes, most: int) -> int | None:
    text = entries.get(name, b"")
    # More digits than any limit has are no number that int() should be given.
    if not text.isdigit() or len(text) > len(str(most)):
        return None
    value = int(text)
    return value if 0 < value <= most else None


def _to_json(members: dict[str, Any]) -> bytes:
    told = {
        name: value for name, value in members.items() if value not in ("", None, [])
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    value = text.encode()
    assert len(value) <= VALUE_BYTES_MAX, "its parts are shorter together"
    return value


def _key_text(key: bytes) -> str:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        raise DownloadError("a key that is no text") from None
    fault = text_fault(text, bytes_max=min(TEXT_BYTES_MAX, KEY_BYTES_MAX), bytes_min=1)
    if fault is not None:
        raise DownloadError(f"a key {fault}")
    return text


def _line(value: object) -> tuple[LineClass, int]:
    match value:
        case [int(code), int(amount_minor)] if bool not in map(type, value):
            line_class = _LINE_CLASSES.get(code)
            if line_class is not None and 0 <= amount_minor <= AMOUNT_MINOR_MAX:
                return line_class, amount_minor
    raise DownloadError("a line of an unknown class, or without an amount")


class _Item:
    """One JSON object; each member that is taken is judged."""

    def __init__(self, value: bytes) -> None:
        try:
            members = json.loads(value, object_pairs_hook=_members)
        except DownloadError:
            raise
        except (ValueError, RecursionError):
            raise DownloadError("an item that is not JSON") from None
        if not isinstance(members, dict):
            raise DownloadError("an item that is no object")
        self._members: dict[str, Any] = members

    def text(self, name: str, bytes_max: int, least: int = 0) -> str:
        value = self._members.get(name, "")
        if not isinstance(value, str):
            raise DownloadError(f"{name} is no text")
        fault = text_fault(value, bytes_max=bytes_max, bytes_min=least)
        if fault is not None:
            raise DownloadError(f"{name} {fault}")
        return value

    def kind(self) -> PaymentKind:
        try:
            return PaymentKind(self.text("kind", TEXT_BYTES_MAX))
        except ValueError:
            raise DownloadError("an unknown kind") from None

    def amount(self, name: str = "amount_minor") -> int | None:
        value = self._members.get(name)
        if value is None:
            return None
        if type(value) is not int or not 0 < value <= AMOUNT_MINOR_MAX:
            raise DownloadError("an amount that cannot be paid")
        return value

    def lines(self) -> list[tuple[LineClass, int]]:
        """Class and amount, 0 for none, of each line."""
        value = self._members.get("lines", [])
        if not isinstance(value, list) or len(value) > LINES_MAX:
            raise DownloadError("lines that are no list, or too many")
        return [_line(one) for one in value]

    def day(self, name: str) -> date | None:
        text = self.text(name, len("2025-11-22"))
        return parse_day(text) if text else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two ends could otherwise take two values out of one item.
        raise DownloadError("an item that names a member twice")
    return members
