"""The catalogue of services: read, judged and published; by file or by API alike.

A file is CSV with a heading, or JSON: a list of objects, or an object with such a list
under ``services``. A service has these fields, all of them texts:

    code, name, kind (fees, deposits, purchase)              always
    name_ar                                                  its name in Arabic
    amount                                                   of a fixed fee
    unit_amount, unit, least                                 of a computed fee: what a
                                                             unit costs, what is counted
                                                             and the least that it is
    lines                                                    classes it is put under

A fee that is neither is keyed each time. The lines of a fixed fee have amounts and add
up to it; for any other fee there is at most one line, without an amount, that takes
all. Whoever publishes replaces the whole catalogue; counters fetch what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from settlement.download import (
    ENTRIES_MAX,
    PAYLOAD_BYTES_MAX,
    RAW_BYTES_MAX,
    DownloadKind,
)
from settlement.download_codec import encode_content, make_payload
from settlement.download_items import (
    NAME_BYTES_MAX,
    Service,
    ServiceLine,
    encode_service,
    parse_service,
)
from settlement.errors import DownloadError, InputError
from settlement.item_fields import ItemFields
from settlement.money import Money
from settlement.payment import TEXT_BYTES_MAX, PaymentKind
from settlement.request_files import each_once, read_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from settlement.download import Entries
    from settlement.item_fields import Mistake
    from settlement.money import Currency
    from settlement.store.books import Books

__all__ = [
    "FIELDS",
    "catalogue_of",
    "check_fits",
    "plain_amount",
    "publish_services",
    "read_services",
    "service_document",
    "service_of",
    "stored_services",
]

FIELDS: Final = frozenset(
    {
        *("code", "name", "name_ar", "kind", "amount"),
        *("unit_amount", "unit", "least", "lines"),
    }
)
NOTHING: Final = "Nothing was published."


def service_of(
    given: Mapping[str, object], currency: Currency
) -> tuple[Service | None, list[Mistake]]:
    """A service, or what is wrong with it.

    Args:
        given: its fields by name.
        currency: the bank's.
    """
    fields = ItemFields(given, currency, FIELDS)
    code = fields.text("code", TEXT_BYTES_MAX, needed=True)
    name = fields.text("name", NAME_BYTES_MAX, needed=True)
    name_ar = fields.text("name_ar", NAME_BYTES_MAX)
    kind = fields.kind(*PaymentKind)
    amount_minor = fields.amount("amount")
    unit_minor = fields.amount("unit_amount")
    unit = fields.text("unit", TEXT_BYTES_MAX)
    least_minor = fields.amount("least")
    if amount_minor is not None and unit_minor is not None:
        fields.note("unit_amount", "a fee is fixed or computed, not both")
    if unit_minor is None and (unit or least_minor is not None):
        fields.note("unit", "only a computed fee has a unit and a least amount")
    lines = _lines(fields, amount_minor)
    if fields.mistakes:
        return None, fields.mistakes
    made = Service(
        code=code,
        name=name,
        name_ar=name_ar,
        kind=kind,
        amount_minor=amount_minor,
        lines=lines,
        unit_minor=unit_minor,
        unit=unit,
        least_minor=least_minor,
    )
    return made, []


def catalogue_of(
    items: Sequence[tuple[str, Mapping[str, object]]], currency: Currency
) -> list[Service]:
    """The services of a catalogue.

    Args:
        items: place and fields of each.
        currency: the bank's.

    Raises:
        InputError: something is wrong; the message has a line for each mistake.
    """
    return each_once(
        ((where, *service_of(given, currency)) for where, given in items),
        ("code", lambda made: made.code),
        NOTHING,
    )


def read_services(text: str, currency: Currency) -> list[Service]:
    """The services of a file. Raises InputError as `catalogue_of` does."""
    return catalogue_of(list(read_items(text, "services", NOTHING)), currency)


def publish_services(books: Books, services: Sequence[Service], now: datetime) -> int:
    """Make these the whole catalogue; its version, which grows when it differs.

    Raises:
        InputError: it is more than a counter can fetch. Nothing was published.
    """
    entries = dict(encode_service(one) for one in services)
    try:
        check_fits(DownloadKind.CATALOGUE, entries)
    except DownloadError as error:
        raise InputError(f"The catalogue is too large: {error}. {NOTHING}") from None
    return books.publications.publish(DownloadKind.CATALOGUE, entries, now)


def check_fits(kind: DownloadKind, entries: Entries) -> None:
    """See that a counter can fetch a content, and hold it unpacked.

    Raises:
        DownloadError: it has too many entries or bytes; the message says how many.
    """
    if len(entries) > ENTRIES_MAX:
        message = f"{len(entries)} entries; the most is {ENTRIES_MAX}"
        raise DownloadError(message)
    raw = len(encode_content(kind, entries))
    if raw > RAW_BYTES_MAX:
        raise DownloadError(f"{raw} bytes unpacked; the most is {RAW_BYTES_MAX}")
    _, payload = make_payload(kind, entries, None)
    if len(payload) > PAYLOAD_BYTES_MAX:
        message = f"{len(payload)} bytes to fetch; the most is {PAYLOAD_BYTES_MAX}"
        raise DownloadError(message)


def service_document(service: Service, currency: Currency) -> dict[str, Any]:
    """A service as `service_of` reads it; fields without a value are absent."""

    def amount(minor: int | None) -> str:
        if minor is None:
            return ""
        money = Money(amount_minor=minor, currency=currency)
        return plain_amount(money)

    lines = [
        {"class": line.line_class.value, "amount": amount(line.amount_minor)}
        for line in service.lines
    ]
    document: dict[str, Any] = {
        "code": service.code,
        "name": service.name,
        "name_ar": service.name_ar,
        "kind": service.kind.value,
        "amount": amount(service.amount_minor),
        "unit_amount": amount(service.unit_minor),
        "unit": service.unit,
        "least": amount(service.least_minor),
        "lines": [
            {name: value for name, value in line.items() if value} for line in lines
        ],
    }
    return {name: value for name, value in document.items() if value}


def plain_amount(money: Money) -> str:
    """An amount for machines: digits and one point, no grouping.

    >>> from settlement.money import CURRENCIES
    >>> plain_amount(Money(amount_minor=1234500, currency=CURRENCIES["OMR"]))
    '1234.500'
    """
    return str(money).partition(" ")[0].replace(",", "")


def stored_services(entries: Entries) -> list[Service]:
    """The services of a published content, by code; what cannot be read left out."""
    services = []
    for key in sorted(entries):
        try:
            services.append(parse_service(key, entries[key]))
        except DownloadError:
            continue
    return services


def _lines(fields: ItemFields, amount_minor: int | None) -> tuple[ServiceLine, ...]:
    lines = fields.lines(amounts=amount_minor is not None)
    if amount_minor is None:
        if len(lines) > 1 or any(minor is not None for _, minor in lines):
            problem = "without a fixed fee there is one line at most, and no amount"
            fields.note("lines", problem)
    elif lines and not fields.mistakes:
        sum_minor = sum(minor or 0 for _, minor in lines)
        if sum_minor != amount_minor:
            fields.note(
                "lines", f"add up to {sum_minor}, not {amount_minor} minor units"
            )
    return tuple(
        ServiceLine(line_class=line_class, amount_minor=minor)
        for line_class, minor in lines
    )
