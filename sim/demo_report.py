"""What the demo measured, what must be true of it, and how that is shown.

Every figure comes from this run: from meters on the cards' contacts, from the chips'
own memories, from the bank's programs, from a clock. Money is counted on three sides
that do not know of each other, and they must agree.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import median_high
from typing import TYPE_CHECKING, Any

from card.profile import Role
from settlement.money import Money, currency_by_code
from sim.story import CUSTOMERS, PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sim.clerk import Clerk, Taken
    from sim.meter import Reading
    from terminal.day import DayResult

__all__ = ["Chips", "DemoResult", "Summary", "holdings", "must_hold", "summarise"]

_NS_IN_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chips:
    """What the cards' memories hold at one moment, in minor units."""

    purses_minor: tuple[int, ...]
    customs_total_minor: int
    open_records: int

    @property
    def all_purses_minor(self) -> int:
        """Value on all purses."""
        return sum(self.purses_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Everything the demo saw.

    Attributes:
        loaded: the chips when the cards had been issued and loaded.
        paid: the chips when the last payment was taken, before the close.
        settled: the chips at the end.
        day: the end of day, as the screen told it.
        check: document of ``raseed-bank check``.
        statement: document of ``raseed-bank statement``.
        call_seconds: the whole end of day, from the key to the bank's answer shown.
    """

    loaded: Chips
    paid: Chips
    settled: Chips
    clerk: Clerk
    day: DayResult
    check: dict[str, Any]
    statement: dict[str, Any]
    call_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """``summary.json``; amounts in minor units, bytes with status words."""

    currency: str
    payments: int
    refused: dict[str, int]
    debited_minor: int
    credited_minor: int
    posted_minor: int
    statement_minor: int
    ledger_balanced: bool
    value_accounted: bool
    exchanges_per_payment: dict[str, int]
    bytes_per_payment: dict[str, int]
    seconds_per_payment: float
    card_seconds_per_payment: float
    end_of_day_seconds: float

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def summarise(result: DemoResult, currency: str) -> Summary:
    """Put the figures together; the highest count of any payment is the count."""
    taken = result.clerk.taken
    floats_minor = _total(result.check, "floats_minor")
    on_cards_minor = result.settled.all_purses_minor
    uncollected_minor = result.settled.customs_total_minor
    return Summary(
        currency=currency,
        payments=len(taken),
        refused=dict(Counter(str(reason) for reason in result.clerk.refusals)),
        debited_minor=result.loaded.all_purses_minor - result.paid.all_purses_minor,
        credited_minor=result.paid.customs_total_minor,
        posted_minor=_total(result.check, "payees_minor"),
        statement_minor=result.statement["credits_minor"],
        ledger_balanced=bool(result.check["ledger_balanced"]),
        value_accounted=bool(result.check["value_accounted"])
        and floats_minor == on_cards_minor + uncollected_minor,
        exchanges_per_payment=_worst(taken, lambda reading: len(reading.instructions)),
        bytes_per_payment=_worst(taken, lambda reading: reading.bytes_moved),
        seconds_per_payment=round(result.clerk.median_seconds, 6),
        card_seconds_per_payment=round(_card_seconds(taken), 6),
        end_of_day_seconds=round(result.call_seconds, 3),
    )


def must_hold(summary: Summary, result: DemoResult) -> list[tuple[str, bool]]:
    """What the demo promises, each with whether it is so."""
    paid_minor = sum(taken.amount_minor for taken in result.clerk.taken)
    entries = [entry for entry in result.statement["entries"] if entry.get("payment")]
    on_statement = Counter(entry["payment"]["declaration"] for entry in entries)
    return [
        ("every payment of the story was taken", summary.payments == len(PAYMENTS)),
        ("two were refused on the way", sum(summary.refused.values()) == 2),
        ("purses were debited what was paid", summary.debited_minor == paid_minor),
        ("the customs card was credited it", summary.credited_minor == paid_minor),
        ("the bank posted it", summary.posted_minor == paid_minor),
        ("the statement shows it", summary.statement_minor == paid_minor),
        (
            "the statement has each payment on its own, once",
            on_statement == Counter(payment.declaration for payment in PAYMENTS),
        ),
        ("the bank's answer was: collected", result.day.verdict == "collected"),
        (
            "nothing waits on the customs card any more",
            result.settled.customs_total_minor == result.settled.open_records == 0,
        ),
        ("debits equal credits in the ledger", summary.ledger_balanced),
        ("every unit is accounted for", summary.value_accounted),
        ("the bank's own check finds nothing", not result.check["findings"]),
        (
            "a payment costs 4 exchanges on the purse, 2 on the customs card",
            summary.exchanges_per_payment == {Role.PURSE: 4, Role.CUSTOMS: 2},
        ),
        (
            "a payment moves at most 170 and 130 bytes",
            summary.bytes_per_payment[Role.PURSE] <= 170
            and summary.bytes_per_payment[Role.CUSTOMS] <= 130,
        ),
    ]


def holdings(result: DemoResult, currency_code: str) -> Iterable[tuple[str, str]]:
    """What each party holds at the end, in words and amounts."""
    currency = currency_by_code(currency_code)

    def text(amount_minor: int) -> str:
        return str(Money(amount_minor=amount_minor, currency=currency))

    for customer, balance_minor in zip(
        CUSTOMERS, result.settled.purses_minor, strict=True
    ):
        yield f"purse of {customer.name}", text(balance_minor)
    yield "customs card, not yet collected", text(result.settled.customs_total_minor)
    yield (
        "customers' accounts at the bank",
        text(_total(result.check, "customers_minor")),
    )
    yield "purse floats at the bank", text(_total(result.check, "floats_minor"))
    yield "customs' account at the bank", text(_total(result.check, "payees_minor"))


def _total(check: dict[str, Any], name: str) -> int:
    return sum(int(totals[name]) for totals in check["totals"])


def _worst(taken: Sequence[Taken], count: Callable[[Reading], int]) -> dict[str, int]:
    return {
        str(Role.PURSE): max(count(one.purse) for one in taken),
        str(Role.CUSTOMS): max(count(one.customs) for one in taken),
    }


def _card_seconds(taken: Sequence[Taken]) -> float:
    spent_ns = (one.purse.card_ns + one.customs.card_ns for one in taken)
    return median_high(spent_ns) / _NS_IN_S
