"""The shapes of the API's bodies, for its OpenAPI document.

They say how things look. Whether something may be used is said by the same rules as for
files (`settlement.request_files`, `settlement.service_catalogue`), which tell every
mistake and not the first one.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from settlement.decline_report import REASON_BYTES_MAX
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    TEXT_BYTES_MAX,
    LineClass,
)
from settlement.payment_requests import NAME_BYTES_MAX
from settlement.request_files import REQUESTS_MAX

__all__ = [
    "CANCEL_BODY",
    "CATALOGUE_BODY",
    "REQUESTS_BODY",
    "Catalogue",
    "Created",
    "Health",
    "PaymentRequestOut",
    "PaymentRequestPage",
    "ProblemOut",
]

_AMOUNT: Final = "Major units with the decimals of the currency, such as 125.500."


class LineOut(BaseModel):
    """One line of an assessment."""

    model_config = ConfigDict(title="Line", populate_by_name=True)
    line_class: str = Field(alias="class", description="One of the eight classes.")
    amount: str = Field(description=_AMOUNT)


class PaidByOut(BaseModel):
    """The payment that paid a request."""

    model_config = ConfigDict(title="PaidBy")
    card: str = Field(description="Masked number of the card.")
    otc: int = Field(description="The card's number of the payment.")
    terminal: str
    batch: int
    stan: int = Field(description="The counter's number of the payment.")
    paid_at: str = Field(description="UTC, as the counter's clock had it.")


class StepOut(BaseModel):
    """One step of a request."""

    model_config = ConfigDict(title="Step")
    state: Literal["new", "paid", "declined", "cancelled"]
    who: str
    reason: str
    at: str


class PaymentOut(PaidByOut):
    """A posted payment that named a request."""

    model_config = ConfigDict(title="Payment")
    outcome: Literal["paid", "over", "under", "differs", "twice", "not open"]
    amount: str = Field(description=_AMOUNT)


class PaymentRequestOut(BaseModel):
    """A payment request and where it stands."""

    model_config = ConfigDict(title="PaymentRequest")
    number: str
    state: Literal["new", "paid", "declined", "cancelled"]
    declaration: str
    kind: Literal["fees", "deposits"]
    amount: str = Field(description=_AMOUNT)
    currency: str = Field(description="ISO 4217 code.")
    office: str
    payer: str
    broker: str
    delivery_order: str
    due: str = Field(description="YYYY-MM-DD, or empty.")
    lines: list[LineOut]
    source: str = Field(description="Who sent it.")
    sent_at: str
    changed_at: str
    reason: str = Field(description="Why it was declined or cancelled, or empty.")
    paid_by: PaidByOut | None
    steps: list[StepOut] | None = Field(None, description="When one is asked for.")
    payments: list[PaymentOut] | None = Field(
        None, description="Every posted payment that named it; when one is asked for."
    )


class Created(BaseModel):
    """What came of requests that were sent."""

    added: int = Field(description="New ones.")
    known: int = Field(description="Those that the bank had with the same content.")
    requests: list[PaymentRequestOut]


class PaymentRequestPage(BaseModel):
    """Requests by their newest step, the earliest one first."""

    requests: list[PaymentRequestOut]
    next_after: int | None = Field(
        description="Give it as `after` for the next page; null when this is the last."
    )


class ServiceLineOut(BaseModel):
    """A class that a service is put under."""

    model_config = ConfigDict(title="ServiceLine")
    line_class: str = Field(alias="class")
    amount: str | None = None


class ServiceOut(BaseModel):
    """One service."""

    model_config = ConfigDict(title="Service")
    code: str
    name: str
    kind: Literal["fees", "deposits", "purchase"]
    name_ar: str | None = None
    amount: str | None = Field(None, description="Of a fixed fee.")
    unit_amount: str | None = Field(None, description="Of a computed fee: one unit.")
    unit: str | None = None
    least: str | None = None
    lines: list[ServiceLineOut] | None = None


class Catalogue(BaseModel):
    """All services that counters are told of."""

    version: int
    services: list[ServiceOut]


class Health(BaseModel):
    """The API answers and the bank can be read."""

    status: Literal["ok"]


class ProblemOut(BaseModel):
    """Problem details, RFC 9457."""

    model_config = ConfigDict(title="Problem")
    type: str
    title: str
    status: int
    detail: str
    errors: list[str] | None = None


def _text(most: int | None = None, about: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if most is not None:
        schema["description"] = f"{about} Up to {most} bytes of UTF-8.".strip()
    elif about:
        schema["description"] = about
    return schema


def _object(needed: tuple[str, ...], **members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(needed),
        "properties": members,
    }


def _list(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_CLASS: Final = {"type": "string", "enum": [one.value for one in LineClass]}
_LINE: Final = _object(
    ("class", "amount"), **{"class": _CLASS, "amount": _text(about=_AMOUNT)}
)
_SERVICE_LINE: Final = _object(
    ("class",), **{"class": _CLASS, "amount": _text(about=_AMOUNT)}
)
_REQUEST: Final = _object(
    ("number", "declaration", "kind", "amount", "office"),
    number=_text(TEXT_BYTES_MAX),
    declaration=_text(DECLARATION_BYTES_MAX),
    kind={"type": "string", "enum": ["fees", "deposits"]},
    amount=_text(about=_AMOUNT),
    currency=_text(about="ISO 4217 code; the bank's own, or left away."),
    office=_text(about="Code of the customs office."),
    payer=_text(NAME_BYTES_MAX),
    broker=_text(NAME_BYTES_MAX),
    delivery_order=_text(TEXT_BYTES_MAX),
    due={"type": "string", "format": "date"},
    lines=_list(_LINE, LINES_MAX),
)
_SERVICE: Final = _object(
    ("code", "name", "kind"),
    code=_text(TEXT_BYTES_MAX),
    name=_text(NAME_BYTES_MAX),
    name_ar=_text(NAME_BYTES_MAX),
    kind={"type": "string", "enum": ["fees", "deposits", "purchase"]},
    amount=_text(about=_AMOUNT),
    unit_amount=_text(about=_AMOUNT),
    unit=_text(TEXT_BYTES_MAX),
    least=_text(about=_AMOUNT),
    lines=_list(_SERVICE_LINE, LINES_MAX),
)
REQUESTS_BODY: Final = _body(
    _object(("requests",), requests=_list(_REQUEST, REQUESTS_MAX))
)
CATALOGUE_BODY: Final = _body(
    _object(("services",), services={"type": "array", "items": _SERVICE})
)
CANCEL_BODY: Final = _body(_object(("reason",), reason=_text(REASON_BYTES_MAX)))
