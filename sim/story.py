"""Who pays what in the demo: three customers, twenty declarations.

Twenty payments are taken. On the way two are refused and then taken after all: one
customer mistypes the PIN once, and one card holds too little, so that its holder's
other card pays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["CUSTOMERS", "PAYMENTS", "Customer", "StoryPayment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A company, its account at the bank, and the card it asks for.

    Attributes:
        card_id: CID, 16 hexadecimal digits.
        deposit: what the account holds at first; load: what goes onto the card; both
            as an officer types them.
    """

    name: str
    account: str
    card_id: str
    serial: str
    pin: str = field(repr=False)
    deposit: str
    load: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPayment:
    """One payment as the clerk and the customer make it.

    Attributes:
        customer: index into `CUSTOMERS`.
        wrong_pin_first: the customer mistypes the PIN once.
        tried_first: a customer whose card is tried before and holds too little.
    """

    declaration: str
    amount: str
    kind: str
    customer: int
    wrong_pin_first: bool = False
    tried_first: int | None = None


CUSTOMERS: Final = (
    Customer(
        name="GULF STAR TRADING LLC",
        account="0101001",
        card_id="6400000000001017",
        serial="A000000000000001",
        pin="4071",
        deposit="9000.000",
        load="4500.000",
    ),
    Customer(
        name="AL NOOR IMPORTS",
        account="0101002",
        card_id="6400000000002025",
        serial="A000000000000002",
        pin="58213",
        deposit="3000.000",
        load="1250.000",
    ),
    Customer(
        name="SOHAR FREIGHT CO",
        account="0101003",
        card_id="6400000000003033",
        serial="A000000000000003",
        pin="903142",
        deposit="400.000",
        load="150.000",
    ),
)

_FEES: Final = "fees"


def _pays(declaration: str, amount: str, customer: int, kind: str) -> StoryPayment:
    return StoryPayment(
        declaration=declaration, amount=amount, customer=customer, kind=kind
    )


PAYMENTS: Final = (
    _pays("IM-2026-004101", "125.500", 0, _FEES),
    _pays("IM-2026-004102", "48.250", 1, _FEES),
    _pays("IM-2026-004103", "300.000", 0, _FEES),
    _pays("IM-2026-004104", "12.750", 2, _FEES),
    StoryPayment(
        declaration="IM-2026-004105",
        amount="89.900",
        kind=_FEES,
        customer=1,
        wrong_pin_first=True,
    ),
    _pays("IM-2026-004106", "1.500", 2, _FEES),
    _pays("IM-2026-004107", "640.125", 0, _FEES),
    _pays("TR-2026-000310", "75.000", 1, _FEES),
    _pays("IM-2026-004108", "33.333", 2, _FEES),
    _pays("IM-2026-004109", "210.000", 0, _FEES),
    _pays("IM-2026-004110", "0.500", 1, _FEES),
    StoryPayment(
        declaration="IM-2026-004111",
        amount="185.750",
        kind=_FEES,
        customer=0,
        tried_first=2,
    ),
    _pays("IM-2026-004112", "97.400", 1, _FEES),
    _pays("EX-2026-001207", "25.000", 2, _FEES),
    _pays("IM-2026-004113", "410.600", 0, _FEES),
    _pays("TR-2026-000311", "150.000", 0, _FEES),
    _pays("IM-2026-004114", "62.075", 1, _FEES),
    _pays("EX-2026-001208", "18.200", 2, _FEES),
    _pays("IM-2026-004115", "505.005", 0, _FEES),
    _pays("IM-2026-004116", "7.125", 1, _FEES),
)
