"""The files that bank operations publish from: one format for each kind.

    parameters   TOML: payment-limit = "500.000", clock-limit-seconds = 60
    catalogue    CSV with a heading: code,name,kind[,name_ar][,amount]
    requests     CSV with a heading: number,declaration,kind,amount
                 [,office][,payer][,delivery_order][,due]
    hotlist      text: a card number on each line, and why after a comma or blank

A file is taken whole or not at all: every mistake names its line.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from card.profile import AMOUNT_MINOR_MAX
from settlement.download import ENTRIES_MAX
from settlement.download_items import (
    CLOCK_LIMIT_S_MAX,
    Parameters,
    PaymentRequest,
    Service,
    encode_parameters,
    encode_request,
    encode_service,
    parse_request,
    parse_service,
)
from settlement.errors import AmountError, DownloadError, InputError
from settlement.money import parse_amount
from settlement.payment import PaymentKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settlement.money import Currency

__all__ = [
    "card_number",
    "read_catalogue",
    "read_hotlist",
    "read_parameters",
    "read_requests",
]

NOTHING: Final = "Nothing was published."
REASON_MAX: Final = 200
_CARD_NUMBER: Final = re.compile(r"[0-9]{16}")
_PARAMETERS: Final = ("payment-limit", "clock-limit-seconds")

Row = dict[str, str]


def card_number(text: str) -> bytes:
    """The 8 bytes of a card number of 16 digits, blanks allowed.

    Raises:
        InputError: it is none.
    """
    digits = "".join(text.split())
    if not _CARD_NUMBER.fullmatch(digits):
        raise InputError(f"A card number is 16 digits. {NOTHING}")
    return bytes.fromhex(digits)


def read_parameters(text: str, currency: Currency) -> dict[bytes, bytes]:
    """The entries of a file of parameters.

    Raises:
        InputError: it is none; the message says what would be right.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The file is not TOML: {error}. {NOTHING}") from None
    unknown = sorted(values.keys() - set(_PARAMETERS))
    if unknown:
        raise InputError(
            f"There is no parameter '{unknown[0]}', only {' and '.join(_PARAMETERS)}. "
            f"{NOTHING}"
        )
    seconds = values.get("clock-limit-seconds")
    if seconds is not None and (
        type(seconds) is not int or not 0 < seconds <= CLOCK_LIMIT_S_MAX
    ):
        raise InputError(
            f"clock-limit-seconds is a whole number from 1 to {CLOCK_LIMIT_S_MAX}. "
            f"{NOTHING}"
        )
    limit = values.get("payment-limit")
    limit_minor = None
    if limit is not None:
        if not isinstance(limit, str):
            # Without the quotes it could have been rounded before it is read.
            message = 'payment-limit is an amount in quotes, such as "500.000". '
            raise InputError(message + NOTHING)
        limit_minor = _amount(limit, currency, "payment-limit")
    return encode_parameters(
        Parameters(payment_limit_minor=limit_minor, clock_limit_s=seconds)
    )


def read_catalogue(text: str, currency: Currency) -> dict[bytes, bytes]:
    """The entries of a catalogue of services.

    Raises:
        InputError: it is none; the message names the line.
    """

    def entry(row: Row, where: str) -> tuple[bytes, bytes]:
        amount = row.get("amount", "")
        service = Service(
            code=row["code"],
            name=row["name"],
            kind=_kind(row, where),
            name_ar=row.get("name_ar", ""),
            amount_minor=_amount(amount, currency, where) if amount else None,
        )
        key, value = encode_service(service)
        parse_service(key, value)
        return key, value

    allowed = ("code", "name", "kind", "name_ar", "amount")
    return _read_csv(text, allowed, required=3, entry=entry)


def read_requests(text: str, currency: Currency) -> dict[bytes, bytes]:
    """The entries of a file of payment requests.

    Raises:
        InputError: it is none; the message names the line.
    """

    def entry(row: Row, where: str) -> tuple[bytes, bytes]:
        request = PaymentRequest(
            number=row["number"],
            declaration=row["declaration"],
            amount_minor=_amount(row["amount"], currency, where),
            kind=_kind(row, where),
            office=row.get("office", ""),
            payer=row.get("payer", ""),
            delivery_order=row.get("delivery_order", ""),
            due=_day(row.get("due", ""), where),
        )
        key, value = encode_request(request)
        parse_request(key, value)
        return key, value

    allowed = ("number", "declaration", "kind", "amount")
    optional = ("office", "payer", "delivery_order", "due")
    return _read_csv(text, (*allowed, *optional), required=4, entry=entry)


def read_hotlist(text: str) -> dict[bytes, str]:
    """Why, by card number. An empty line, or one that begins with #, says nothing.

    Raises:
        InputError: a line has no card number, or one that was there before.
    """
    reasons: dict[bytes, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        digits, _, reason = line.strip().replace(",", " ", 1).partition(" ")
        try:
            cid = card_number(digits)
        except InputError:
            message = f"Line {number}: a card number is 16 digits. {NOTHING}"
            raise InputError(message) from None
        if cid in reasons:
            raise InputError(f"Line {number}: this card was named before. {NOTHING}")
        reasons[cid] = reason.strip()[:REASON_MAX]
    _check_count(len(reasons))
    return reasons


def _read_csv(
    text: str,
    allowed: tuple[str, ...],
    *,
    required: int,
    entry: Callable[[Row, str], tuple[bytes, bytes]],
) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    for where, row in _rows(text, allowed, required):
        try:
            key, value = entry(row, where)
        except DownloadError as error:
            raise InputError(f"{where}: {error}. {NOTHING}") from None
        if not key or key in entries:
            message = f"{where}: {allowed[0]} is empty, or was there before. {NOTHING}"
            raise InputError(message)
        entries[key] = value
    _check_count(len(entries))
    return entries


def _rows(
    text: str, allowed: tuple[str, ...], required: int
) -> Iterator[tuple[str, Row]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = reader.fieldnames or ()
        if not set(allowed[:required]) <= set(names) <= set(allowed):
            raise InputError(
                f"The first line names the columns: {', '.join(allowed[:required])}, "
                f"and if wanted {', '.join(allowed[required:])}. {NOTHING}"
            )
        for found in reader:
            yield f"Line {reader.line_num}", _row(found, reader.line_num)
    except csv.Error as error:
        message = f"Line {reader.line_num}: not CSV: {error}. {NOTHING}"
        raise InputError(message) from None


def _row(found: dict[Any, Any], line: int) -> Row:
    # DictReader gives None as a name to what is too much, and as a value to what lacks.
    if None in found or None in found.values():
        message = f"Line {line}: not as many values as the first line has names. "
        raise InputError(message + NOTHING)
    return {str(name): str(value).strip() for name, value in found.items()}


def _kind(row: Row, where: str) -> PaymentKind:
    try:
        return PaymentKind(row["kind"])
    except ValueError:
        kinds = ", ".join(kind.value for kind in PaymentKind)
        raise InputError(f"{where}: the kind is one of {kinds}. {NOTHING}") from None


def _amount(text: str, currency: Currency, where: str) -> int:
    try:
        return parse_amount(text, currency, max_minor=AMOUNT_MINOR_MAX).amount_minor
    except AmountError as error:
        raise InputError(f"{where}: {error}. {NOTHING}") from None


def _day(text: str, where: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message = f"{where}: a day is written 2025-11-22. {NOTHING}"
        raise InputError(message) from None


def _check_count(count: int) -> None:
    if count > ENTRIES_MAX:
        raise InputError(f"More than {ENTRIES_MAX} entries. {NOTHING}")
