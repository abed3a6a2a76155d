"""What a hotlist costs on the line: the whole list, no change, ten cards more.

10,000 cards of one issuer with random numbers, fetched by the terminal's machine from
the bank's own database; every message of both ways is counted, logon and length field
included, before encryption. No time is measured, so the figures depend on no machine;
reference: the card numbers alone at eight bytes each.
"""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from settlement.bank import Bank
from settlement.download import DownloadKind
from settlement.download_codec import nothing_held
from settlement.download_events import Downloaded
from settlement.download_machine import DownloadMachine, Stock
from settlement.intake import IntakeMachine
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore

__all__ = ["measure"]

CARDS: Final = 10_000
MORE: Final = 10
FULL_BYTES_MAX: Final = 60_000
_TERMINAL: Final = "T0000007"
_LENGTH_BYTES: Final = 2
_BITS_A_BYTE: Final = 10
_RATE_BPS: Final = 9600
_NOW: Final = datetime(2025, 11, 22, 15, 0, tzinfo=UTC)
_HOTLIST: Final = DownloadKind.HOTLIST


def measure() -> dict[str, object]:
    """Count and print; the target is set for the whole list."""
    with tempfile.TemporaryDirectory(prefix="raseed-bench-") as folder:
        figures = _measure(Path(folder))
    reference = 8 * CARDS
    for name, words in (
        ("full", f"{CARDS} cards"),
        ("unchanged", "the same list again"),
        ("delta", f"{MORE} cards more"),
    ):
        down, up = figures[name]
        seconds = down * _BITS_A_BYTE / _RATE_BPS
        print(
            f"downloads: {words}: {down} bytes down, {up} up; by arithmetic, not "
            f"measured: {seconds:.1f} s down a {_RATE_BPS} bit/s line. "
            f"The {CARDS} numbers alone: {reference} bytes."
        )
    return {
        "cards": CARDS,
        **{name: {"down": down, "up": up} for name, (down, up) in figures.items()},
        "reference_bytes": reference,
        "target_met": figures["full"][0] < FULL_BYTES_MAX,
    }


def _measure(folder: Path) -> dict[str, tuple[int, int]]:
    chance = random.Random(1)
    numbers: set[int] = set()
    while len(numbers) < CARDS + MORE:
        numbers.add(chance.randrange(10**10))
    cids = [bytes.fromhex(f"640000{number:010d}") for number in numbers]
    keys = MasterKeyStore(TEST_MASTERS)
    stock = Stock(kind=_HOTLIST, held=nothing_held(_HOTLIST), entries={})
    with BankStore.create(folder / "bank.sqlite") as store:
        Issuing(store, keys, lambda: _NOW).register_customs_card(
            mid=bytes(8), terminal_id=_TERMINAL, office="SOHAR", currency=512, kv=1
        )
        bank = Bank(store, keys)
        _list(store, cids[:CARDS])
        stock, full = _call(bank, stock)
        stock, unchanged = _call(bank, stock)
        _list(store, cids[CARDS:])
        stock, delta = _call(bank, stock)
    if stock.entries.keys() != set(cids):
        raise RuntimeError("the terminal's list is not the bank's")
    return {"full": full, "unchanged": unchanged, "delta": delta}


def _list(store: BankStore, cids: list[bytes]) -> None:
    with store.write() as books:
        reasons = dict.fromkeys(cids, "stolen")
        books.publications.list_cards(reasons, listed=True, since=_NOW)


def _call(bank: Bank, stock: Stock) -> tuple[Stock, tuple[int, int]]:
    """One call for downloads alone; what is held then, and bytes down and up."""
    machine = DownloadMachine(_TERMINAL, [stock], stan_start=1)
    intake = IntakeMachine(_TERMINAL, bank, bytes(16))
    down = up = 0
    while not machine.finished:
        for sent in machine.messages_to_send(_NOW):
            up += len(sent) + _LENGTH_BYTES
            for answer in intake.receive(sent, _NOW):
                down += len(answer) + _LENGTH_BYTES
                for event in machine.receive(answer, _NOW):
                    if isinstance(event, Downloaded):
                        stock = Stock(
                            kind=_HOTLIST, held=event.held, entries=event.entries
                        )
    return stock, (down, up)
