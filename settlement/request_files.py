"""Payment requests as they are sent: from a file, or in the body of an API's request.

A file is CSV with a heading, or JSON: a list of objects, or an object with such a list
under ``requests``. One request has these fields, all of them texts:

    number, declaration, kind (fees, deposits), amount, office        always
    currency, payer, broker, delivery_order, due (2025-11-22), lines  when there is one

``lines`` is in JSON a list of ``{"class": "fines", "amount": "1.000"}`` and in CSV
``fines=1.000; storage fees=0.500``; the lines add up to the amount. Everything is taken
or nothing: each mistake is told with its place.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from settlement.errors import InputError
from settlement.item_fields import ItemFields, told
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    TEXT_BYTES_MAX,
    PaymentKind,
    PaymentLine,
)
from settlement.payment_requests import NAME_BYTES_MAX, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from settlement.item_fields import Mistake
    from settlement.money import Currency

__all__ = [
    "FIELDS",
    "MISTAKES_MAX",
    "REQUESTS_MAX",
    "each_once",
    "read_items",
    "read_requests",
    "request_of",
    "requests_of",
]

MadeT = TypeVar("MadeT")

FIELDS: Final = frozenset(
    {
        *("number", "declaration", "kind", "amount", "currency", "office"),
        *("payer", "broker", "delivery_order", "due", "lines"),
    }
)
NOTHING: Final = "Nothing was taken."
REQUESTS_MAX: Final = 10_000
"""Requests of one file, or of one call."""
MISTAKES_MAX: Final = 100
"""Mistakes that are told; who has made that many has made one many times."""


def request_of(
    given: Mapping[str, object], currency: Currency
) -> tuple[Request | None, list[Mistake]]:
    """A request, or what is wrong with it.

    Args:
        given: its fields by name.
        currency: the bank's.
    """
    fields = ItemFields(given, currency, FIELDS)
    number = fields.text("number", TEXT_BYTES_MAX, needed=True)
    declaration = fields.text("declaration", DECLARATION_BYTES_MAX, needed=True)
    kind = fields.kind(PaymentKind.FEES, PaymentKind.DEPOSITS)
    amount_minor = fields.amount("amount", needed=True)
    fields.currency()
    lines = fields.lines()
    if lines and amount_minor is not None and not fields.mistakes:
        sum_minor = sum(line_minor or 0 for _, line_minor in lines)
        if sum_minor != amount_minor:
            fields.note(
                "lines", f"add up to {sum_minor}, not {amount_minor} minor units"
            )
    office = fields.office()
    payer = fields.text("payer", NAME_BYTES_MAX)
    broker = fields.text("broker", NAME_BYTES_MAX)
    delivery_order = fields.text("delivery_order", TEXT_BYTES_MAX)
    due = fields.day("due")
    if fields.mistakes or amount_minor is None:
        return None, fields.mistakes
    made = Request(
        number=number,
        declaration=declaration,
        kind=kind,
        amount_minor=amount_minor,
        currency=currency.number,
        office=office,
        payer=payer,
        broker=broker,
        delivery_order=delivery_order,
        lines=tuple(
            PaymentLine(line_class=line_class, amount_minor=line_minor or 0)
            for line_class, line_minor in lines
        ),
        due=due,
    )
    return made, []


def read_requests(text: str, currency: Currency) -> list[Request]:
    """The requests of a file. Raises InputError as `requests_of` does."""
    return requests_of(list(read_items(text, "requests", NOTHING)), currency)


def requests_of(
    items: Sequence[tuple[str, Mapping[str, object]]], currency: Currency
) -> list[Request]:
    """All requests that were sent together.

    Args:
        items: place and fields of each.
        currency: the bank's.

    Raises:
        InputError: something is wrong; the message has a line for each mistake.
    """
    found = each_once(
        ((where, *request_of(given, currency)) for where, given in items),
        ("number", lambda made: made.number),
        NOTHING,
    )
    if not 0 < len(found) <= REQUESTS_MAX:
        message = f"There are {len(found)} requests, not 1 to {REQUESTS_MAX}. "
        raise InputError(message + NOTHING)
    return found


def read_items(
    text: str, name: str, nothing: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Place and fields of each item of a CSV or JSON file.

    Args:
        text: of the file.
        name: under which a JSON object has the list.
        nothing: says in each error that nothing has happened.

    Raises:
        InputError: it is neither.
    """
    if text.lstrip().startswith(("{", "[")):
        return _json_items(text, name, nothing)
    return _csv_items(text, nothing)


def _json_items(
    text: str, name: str, nothing: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(f"The file is not JSON: {reason}. {nothing}") from None
    items = found.get(name) if isinstance(found, dict) else found
    if not isinstance(items, list):
        message = f'The file is a list, or an object with a list under "{name}". '
        raise InputError(message + nothing)
    for at, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise InputError(f"Item {at} is no object. {nothing}")
        yield f"Item {at}", item


def _csv_items(text: str, nothing: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if len(set(names)) != len(names) or not all(names):
            message = "The first line names each column once. "
            raise InputError(message + nothing)
        reader.fieldnames = names
        for found in reader:
            where = f"Line {reader.line_num}"
            if None in found or None in found.values():
                raise InputError(
                    f"{where}: not as many values as the first line has names. "
                    f"{nothing}"
                )
            yield where, {str(name): value.strip() for name, value in found.items()}
    except csv.Error as error:
        message = f"Line {reader.line_num}: not CSV: {error}. {nothing}"
        raise InputError(message) from None


def each_once(
    judged: Iterable[tuple[str, MadeT | None, list[Mistake]]],
    key: tuple[str, Callable[[MadeT], str]],
    nothing: str,
) -> list[MadeT]:
    """What all items make, in their order.

    Args:
        judged: place of each item, and what it makes or what is wrong with it.
        key: name and value of the field in which no two may be equal.
        nothing: says that nothing was done.

    Raises:
        InputError: something is wrong; the message has a line for each mistake.
    """
    field, value_of = key
    found: dict[str, MadeT] = {}
    mistakes: list[str] = []
    for where, made, wrong in judged:
        mistakes += [f"{where}: {mistake}" for mistake in wrong]
        if made is None:
            continue
        value = value_of(made)
        if value in found:
            mistakes.append(f"{where}: {field}: {told(value)} was there before")
        else:
            found[value] = made
    if mistakes:
        raise InputError(_all_told(mistakes, nothing))
    return list(found.values())


def _all_told(mistakes: list[str], nothing: str) -> str:
    """One text that names every mistake, or the first of very many."""
    shown = mistakes[:MISTAKES_MAX]
    if len(mistakes) > len(shown):
        shown.append(f"and {len(mistakes) - len(shown)} more")
    count = "There is a mistake" if len(mistakes) == 1 else "There are mistakes"
    return "\n".join([f"{count}. {nothing}", *shown])
