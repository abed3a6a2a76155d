"""What the software adds to a payment, beyond the time the cards themselves take.

Real pcscd, real pyscard, the counter with its journal on disk (``synchronous=FULL``);
the cards are simulated in memory and a meter on their contacts tells their own time.
Reference of the same run: six bare exchanges over the same readers, with no counter.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from card import pcsc
from card.apdu import CommandAPDU
from card.profile import CUSTOMS_AID, INS, PURSE_AID, Role
from settlement.payment import PaymentKind
from sim.cards.issue import PurseData, default_customs_card, issue_purse
from sim.meter import Metered
from sim.pcscd import PrivatePCSCD
from sim.slots import Slots
from terminal.config import (
    ModemSection,
    PaymentSection,
    ReadersSection,
    SecuritySection,
    StateSection,
    TerminalConfig,
    TerminalSection,
)
from terminal.machine import open_counter
from terminal.orders import Paid

if TYPE_CHECKING:
    from terminal.counter import Counter
    from terminal.orders import PaymentOrder

__all__ = ["measure"]

PAYMENTS: Final = 200
ADDED_MS_MAX: Final = 15
_PIN: Final = b"1234"
_NS_IN_MS: Final = 1_000_000


def measure() -> dict[str, object]:
    """Measure and print; the figures are milliseconds per payment, medians."""
    purse = Metered(issue_purse(None, replace(PurseData(), balance_minor=2_000_000)))
    customs = Metered(default_customs_card())
    folder = Path(tempfile.mkdtemp(prefix="raseed-bench-"))
    try:
        with PrivatePCSCD() as pcscd, Slots(pcscd) as slots:
            slots.insert(Role.PURSE, purse)
            slots.insert(Role.CUSTOMS, customs)
            bare_ms = _bare(pcscd.readers)
            counter = open_counter(_config(folder, pcscd.readers))
            try:
                counter.start()
                total_ms, card_ms = _payments(counter, purse, customs)
            finally:
                counter.stop()
    finally:
        shutil.rmtree(folder)
    added_ms = total_ms - card_ms
    met = added_ms <= ADDED_MS_MAX
    print(
        f"payment: {total_ms:.2f} ms, of which the cards {card_ms:.2f} ms; software "
        f"adds {added_ms:.2f} ms (target: at most {ADDED_MS_MAX} ms, "
        f"{'met' if met else 'MISSED'}).\n"
        f"payment: {total_ms / bare_ms:.2f} times six bare exchanges over the same "
        f"readers ({bare_ms:.2f} ms). Medians of {PAYMENTS}."
    )
    return {
        "payments": PAYMENTS,
        "payment_ms": round(total_ms, 3),
        "cards_ms": round(card_ms, 3),
        "software_adds_ms": round(added_ms, 3),
        "six_bare_exchanges_ms": round(bare_ms, 3),
        "ratio_to_bare_exchanges": round(total_ms / bare_ms, 3),
        "target_ms": ADDED_MS_MAX,
        "target_met": met,
    }


def _payments(
    counter: Counter, purse: Metered, customs: Metered
) -> tuple[float, float]:
    totals, cards = [], []
    for number in range(PAYMENTS):
        order = counter.check_order(f"BENCH-{number:06}", "0.500", PaymentKind.FEES)
        purse.zero()
        customs.zero()
        totals.append(_pay(counter, order))
        cards.append(purse.read().card_ns + customs.read().card_ns)
    return median(totals) / _NS_IN_MS, median(cards) / _NS_IN_MS


def _pay(counter: Counter, order: PaymentOrder) -> int:
    seen = counter.read_purse()
    started_ns = time.perf_counter_ns()
    result = counter.pay(order, seen, bytearray(_PIN))
    elapsed_ns = time.perf_counter_ns() - started_ns
    if not isinstance(result, Paid):
        raise RuntimeError(f"a payment of the benchmark was not taken: {result}")
    return elapsed_ns


def _bare(readers: tuple[str, str]) -> float:
    """Six exchanges that ask the cards for next to nothing, in milliseconds."""
    balance = CommandAPDU(cla=0x80, ins=INS.GET_BALANCE, p2=2, le=4)
    status = CommandAPDU(cla=0x80, ins=INS.STATUS, le=256)
    times = []
    with pcsc.open_card(readers[0]) as purse, pcsc.open_card(readers[1]) as customs:
        for card, aid in ((purse, PURSE_AID), (customs, CUSTOMS_AID)):
            card.channel.transmit(CommandAPDU(cla=0, ins=INS.SELECT, p1=4, data=aid))
        for _ in range(PAYMENTS):
            started_ns = time.perf_counter_ns()
            for _ in range(4):
                purse.channel.transmit(balance)
            for _ in range(2):
                customs.channel.transmit(status)
            times.append(time.perf_counter_ns() - started_ns)
    return median(times) / _NS_IN_MS


def _config(folder: Path, readers: tuple[str, str]) -> TerminalConfig:
    return TerminalConfig(
        terminal=TerminalSection(
            id="T0000007", office="SOHAR", currency="OMR", clerk="1"
        ),
        readers=ReadersSection(purse=readers[0], customs=readers[1]),
        modem=ModemSection(
            port="/dev/null", baud=9600, init="ATZ", numbers=["1"], server_name="none"
        ),
        security=SecuritySection(ca="none", certificate="none", key="none"),
        state=StateSection(directory="state"),
        payment=PaymentSection(limit="2000.000"),
        folder=folder,
    )
