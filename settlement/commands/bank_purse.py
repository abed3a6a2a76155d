"""``raseed-bank purse``: one card as the bank knows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from card.records import mask_card_number
from settlement.commands.bank_access import NoKeys, bank_option, open_bank
from settlement.commands.bank_incidents import incident_document, incident_table
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import InputError, IssuingError
from settlement.issuing import Issuing
from settlement.money import currency_by_number, format_amount

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from rich.console import Console

    from settlement.commands.bank_access import OpenBank
    from settlement.issuing import PurseStatus
    from settlement.money import Currency
    from settlement.store.batches import NotedIncident
    from settlement.store.opens import KnownOpen
    from settlement.store.records import PaymentRow

__all__ = ["purse"]

_WHOLE: Final = re.compile(r"[0-9]{16}")
_MASKED: Final = re.compile(r"([0-9]{6})[*xX.]{1,6}([0-9]{4})")
_CANDIDATES_MAX: Final = 20
_SHOWN_DEFAULT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purse:
    """Everything that is shown of one card.

    Attributes:
        status: card, account, loads.
        payments: all that were posted, by number.
        opens: payments whose outcome nobody knows yet.
        incidents: all of cards that look like this one when masked.
    """

    status: PurseStatus
    payments: list[PaymentRow]
    opens: list[KnownOpen]
    incidents: list[NotedIncident]

    @property
    def currency(self) -> Currency:
        return currency_by_number(self.status.purse.currency)


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank purse 6400000000000001
  raseed-bank purse 640000******0001 --all
""",
)
@click.argument("number", metavar="CID")
@bank_option
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help=f"Show every load and payment, and not the newest {_SHOWN_DEFAULT}.",
)
@json_option
@click.pass_context
def purse(ctx: click.Context, *, number: str, bank: Path, show_all: bool) -> None:
    """Show what the bank knows of the purse with the card number CID.

    CID is the whole number, 16 digits, or as it is printed on receipts and in logs,
    640000******0001; where several cards look like that, they are listed.

    The balance is what the purse's own newest certificate says, and not what it holds
    now: a payment that is still in a customs card is not known here.
    """
    with open_bank(bank) as opened:
        cid = _card(opened, number)
        status = Issuing(opened.store, NoKeys(), environment_of(ctx).clock).status(cid)
        masked = mask_card_number(cid)
        with opened.store.read() as books:
            found = _Purse(
                status=status,
                payments=books.records.payments_of_purse(cid),
                opens=books.opens.unresolved(cid),
                incidents=[
                    one
                    for one in books.batches.noted_incidents()
                    if one.incident.masked_card == masked
                ],
            )
    most = None if show_all else _SHOWN_DEFAULT
    output_of(ctx).show(_document(found), lambda console: _read(console, found, most))


def _card(opened: OpenBank, number: str) -> bytes:
    """The card that is meant.

    Raises:
        InputError: it is no card number.
        IssuingError: no card looks like that, or several do.
    """
    plain = number.replace(" ", "")
    if _WHOLE.fullmatch(plain):
        return bytes.fromhex(plain)
    masked = _MASKED.fullmatch(plain)
    if masked is None:
        raise InputError(
            "A card number is 16 digits, or masked as on receipts: 640000******0001. "
            "Nothing was looked up."
        )
    head, tail = (bytes.fromhex(part) for part in masked.groups())
    with opened.store.read() as books:
        cards = books.overview.cards_masked(head, tail, _CANDIDATES_MAX)
        holders = [books.cards.purse(cid) for cid in cards]
    if len(cards) == 1:
        return cards[0]
    if not cards:
        raise IssuingError(
            f"no card of this bank looks like {number}. Nothing was changed"
        )
    named = "; ".join(
        f"{one.holder}, account {one.account.owner}" for one in holders if one
    )
    more = " and more" if len(cards) == _CANDIDATES_MAX else ""
    raise IssuingError(
        f"{len(cards)} cards{more} look like {number}: {named}. Nothing was changed; "
        "give the whole number, which the card desk reads with raseed-card show "
        "--full-number"
    )


def _document(found: _Purse) -> dict[str, Any]:
    status = found.status
    row = status.purse
    return {
        "card": mask_card_number(row.cid),
        "holder": row.holder,
        "account": row.account.owner,
        "currency": found.currency.code,
        "valid_from": row.valid_from.isoformat(),
        "expiry": row.expiry.isoformat(),
        "float_minor": status.float_minor,
        "balance_minor": status.shadow.balance_minor,
        "balance_max_minor": status.shadow.balance_max_minor,
        "loaded_minor": status.shadow.loaded_minor,
        "debited_minor": status.shadow.debited_minor,
        "hotlisted": status.hotlisted,
        "loads": [
            {
                "ltc": load.ltc,
                "amount_minor": load.amount_minor,
                "at": _stamp(load.at),
                "outcome": None if load.outcome is None else load.outcome.value,
            }
            for load in status.loads
        ],
        "payments": [
            {
                "otc": one.otc,
                "paid_at": _stamp(one.paid_at),
                "amount_minor": one.amount_minor,
                "balance_after_minor": one.balance_after_minor,
                "terminal": one.terminal_id,
                "batch": one.batch,
                "stan": one.stan,
            }
            for one in found.payments
        ],
        "open_records": [
            {
                "otc": one.report.tx.otc,
                "amount_minor": one.report.tx.amount_minor,
                "terminal": one.terminal_id,
                "batch": one.batch,
                "incident": one.incident,
            }
            for one in found.opens
        ],
        "incidents": [incident_document(one) for one in found.incidents],
    }


def _read(console: Console, found: _Purse, most: int | None) -> None:
    console.print(facts_table(_facts(found)))
    _read_loads(console, found, most)
    _read_payments(console, found, most)
    if found.opens:
        console.print("\nOutcome open:")
        rows = [
            (
                str(one.report.tx.otc),
                format_amount(one.report.tx.amount_minor, found.currency),
                one.terminal_id,
                str(one.batch),
                str(one.incident),
            )
            for one in found.opens
        ]
        headings = [">No.", ">Amount", "Terminal", ">Batch", ">Incident"]
        console.print(table(headings, rows))
    if found.incidents:
        console.print("\nIncidents of cards that look like this one:")
        incident_table(console, found.incidents, found.currency)


def _read_loads(console: Console, found: _Purse, most: int | None) -> None:
    if not found.status.loads:
        return
    console.print("\nLoads:")
    rows = [
        (
            str(one.ltc),
            f"{one.at:%Y-%m-%d %H:%M}",
            format_amount(one.amount_minor, found.currency),
            "to be settled" if one.outcome is None else one.outcome.value,
        )
        for one in _newest(found.status.loads, most)
    ]
    console.print(table([">No.", "At (UTC)", ">Amount", "Outcome"], rows))


def _read_payments(console: Console, found: _Purse, most: int | None) -> None:
    if not found.payments:
        return
    console.print("\nPayments:")
    rows = [
        (
            str(one.otc),
            f"{one.paid_at:%Y-%m-%d %H:%M}",
            format_amount(one.amount_minor, found.currency),
            format_amount(one.balance_after_minor, found.currency),
            one.terminal_id,
            str(one.batch),
            str(one.stan),
        )
        for one in _newest(tuple(found.payments), most)
    ]
    headings = [">No.", "At (UTC)", ">Amount", ">Left", "Terminal", ">Batch", ">STAN"]
    console.print(table(headings, rows))


def _newest(rows: tuple[Any, ...], most: int | None) -> tuple[Any, ...]:
    return rows if most is None else rows[-most:]


def _facts(found: _Purse) -> list[tuple[str, str]]:
    status, currency = found.status, found.currency
    pending = sum(load.outcome is None for load in status.loads)
    return [
        ("Card", f"{mask_card_number(status.purse.cid)}, {status.purse.holder}"),
        ("Account", status.purse.account.owner),
        ("Valid", f"{status.purse.valid_from} to {status.purse.expiry}"),
        ("Float", f"{format_amount(status.float_minor, currency)} {currency}"),
        (
            "On the card",
            f"{format_amount(status.shadow.balance_minor, currency)} {currency}, by "
            "its latest certificates",
        ),
        ("Loads", f"{len(status.loads)}, of them {pending} to be settled"),
        ("Payments", str(len(found.payments))),
        ("Outcome open", str(len(found.opens))),
        ("Hotlist", status.hotlisted or "no"),
    ]


def _stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
