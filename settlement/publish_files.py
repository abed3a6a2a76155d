"""The files that bank operations publish from: one format for each kind.

    parameters   TOML: payment-limit = "500.000", clock-limit-seconds = 60
    catalogue    CSV with a heading: code,name,kind[,name_ar][,amount]
    requests     CSV with a heading: number,declaration,kind,amount
                 [,office][,payer][,delivery_order][,due]
    hotlist      text: a card number on each line, and why after a comma or blank

A file is taken whole or not at all. Each reader tells every mistake that it finds, with
its place; what it returns is of use only if there was none.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from settlement.download import KEY_BYTES_MAX
from settlement.download_items import (
    CLOCK_LIMIT_S_MAX,
    NAME_BYTES_MAX,
    Parameters,
    PaymentRequest,
    Service,
    encode_parameters,
    encode_request,
    encode_service,
)
from settlement.errors import AmountError, InputError
from settlement.money import parse_amount
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    OFFICE_MAX,
    TEXT_BYTES_MAX,
    is_office_code,
)
from settlement.publish_csv import Row, read_rows
from settlement.shown_text import reason_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.money import Currency
    from settlement.publish_mistakes import Mistakes

__all__ = [
    "card_number",
    "read_catalogue",
    "read_hotlist",
    "read_parameters",
    "read_requests",
]

_CARD_NUMBER: Final = re.compile(r"[0-9]{16}")
_PARAMETERS: Final = ("payment-limit", "clock-limit-seconds")
_KEY_BYTES_MAX: Final = min(TEXT_BYTES_MAX, KEY_BYTES_MAX)

Entry = tuple[bytes, bytes]


def card_number(text: str) -> bytes:
    """The 8 bytes of a card number of 16 digits, blanks allowed.

    Raises:
        InputError: it is none.
    """
    digits = "".join(text.split())
    if not _CARD_NUMBER.fullmatch(digits):
        raise InputError("A card number is 16 digits. Nothing was published.")
    return bytes.fromhex(digits)


def read_parameters(
    text: str, currency: Currency, mistakes: Mistakes
) -> dict[bytes, bytes]:
    """The entries of a file of parameters."""
    values = _toml(text, mistakes)
    for name in sorted(values.keys() - set(_PARAMETERS)):
        known = " and ".join(_PARAMETERS)
        mistakes.add("", f"there is no parameter {name!a}, only {known}")
    seconds = values.get("clock-limit-seconds")
    # A truth value is an integer, too, for isinstance().
    if seconds is not None and (
        type(seconds) is not int or not 0 < seconds <= CLOCK_LIMIT_S_MAX
    ):
        mistakes.add(
            "clock-limit-seconds", f"it is a whole number from 1 to {CLOCK_LIMIT_S_MAX}"
        )
        seconds = None
    limit_minor = None
    limit = values.get("payment-limit")
    if isinstance(limit, str):
        try:
            limit_minor = parse_amount(limit, currency).amount_minor
        except AmountError as error:
            mistakes.add("payment-limit", str(error))
    elif limit is not None:
        # Without the quotes it could have been rounded before it is read.
        mistakes.add("payment-limit", 'it is an amount in quotes, such as "500.000"')
    parameters = Parameters(payment_limit_minor=limit_minor, clock_limit_s=seconds)
    return encode_parameters(parameters)


def read_catalogue(
    text: str, currency: Currency, mistakes: Mistakes
) -> dict[bytes, bytes]:
    """The entries of a catalogue of services."""

    def entry(row: Row) -> Callable[[], Entry]:
        service = Service(
            code=row.text("code", _KEY_BYTES_MAX, needed=True),
            name=row.text("name", NAME_BYTES_MAX, needed=True),
            kind=row.kind(),
            name_ar=row.text("name_ar", NAME_BYTES_MAX),
            amount_minor=row.amount(currency, needed=False),
        )
        return lambda: encode_service(service)

    columns = ("code", "name", "kind", "name_ar", "amount")
    return _read_csv(text, columns, 3, entry, mistakes)


def read_requests(
    text: str, currency: Currency, mistakes: Mistakes
) -> dict[bytes, bytes]:
    """The entries of a file of payment requests."""

    def entry(row: Row) -> Callable[[], Entry]:
        request = PaymentRequest(
            number=row.text("number", _KEY_BYTES_MAX, needed=True),
            declaration=row.text("declaration", DECLARATION_BYTES_MAX, needed=True),
            amount_minor=row.amount(currency, needed=True) or 0,
            kind=row.kind(),
            office=_office(row, mistakes),
            payer=row.text("payer", NAME_BYTES_MAX),
            delivery_order=row.text("delivery_order", TEXT_BYTES_MAX),
            due=row.day("due"),
        )
        return lambda: encode_request(request)

    needed = ("number", "declaration", "kind", "amount")
    columns = (*needed, "office", "payer", "delivery_order", "due")
    return _read_csv(text, columns, len(needed), entry, mistakes)


def read_hotlist(text: str, mistakes: Mistakes) -> dict[bytes, str]:
    """Why, by card number. An empty line, or one that begins with #, says nothing."""
    reasons: dict[bytes, str] = {}
    places: dict[bytes, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        told = line.strip(" \t\r")
        if not told or told.startswith("#"):
            continue
        digits, _, reason = told.replace(",", " ", 1).partition(" ")
        reason = reason.strip(" \t")
        fault = reason_fault(reason) if reason else None
        if fault is not None:
            mistakes.add(f"Line {number}", f"the reason {fault}")
        if not _CARD_NUMBER.fullmatch(digits):
            mistakes.add(f"Line {number}", "a card number is 16 digits")
            continue
        cid = bytes.fromhex(digits)
        if cid in places:
            what = f"this card was named before, in line {places[cid]}"
            mistakes.add(f"Line {number}", what)
        places.setdefault(cid, number)
        reasons[cid] = reason
    return reasons


def _toml(text: str, mistakes: Mistakes) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        mistakes.add("", "the file is not TOML of this kind: nested too deep")
    except ValueError as error:
        # Not only tomllib's own: int() refuses numbers of thousands of digits.
        mistakes.add("", f"the file is not TOML: {error}")
    return {}


def _office(row: Row, mistakes: Mistakes) -> str:
    before = len(mistakes)
    office = row.text("office", OFFICE_MAX)
    if office and len(mistakes) == before and not is_office_code(office):
        # No counter could have it, so that none would ever show the request.
        what = "office is not a code that a counter has: A to Z, 0 to 9, such as SOHAR"
        mistakes.add(row.where, what)
    return office


def _read_csv(
    text: str,
    columns: tuple[str, ...],
    needed: int,
    entry: Callable[[Row], Callable[[], Entry]],
    mistakes: Mistakes,
) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    places: dict[str, str] = {}
    for row in read_rows(text, columns, needed, mistakes):
        before = len(mistakes)
        encode = entry(row)
        name = row.value(columns[0])
        if name and name in places:
            what = f"{columns[0]} was there before, in {places[name].lower()}"
            mistakes.add(row.where, what)
        places.setdefault(name, row.where)
        if len(mistakes) == before:
            key, value = encode()
            entries[key] = value
    return entries
