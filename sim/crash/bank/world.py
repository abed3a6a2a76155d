"""The prepared world: a bank in a folder that each run copies, and its counters."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from typing import TYPE_CHECKING, Final

from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from sim.crash.bank.calls import Call, Script
from sim.crash.bank.counters import CURRENCY, MORNING, PURSE_MINOR, open_counters
from sim.crash.bank.host import BANK_FILE, HostOrder
from sim.crash.bank.plans import Extent
from sim.crash.bank.stored import read_bank
from sim.crash.kill_points import read_trace

if TYPE_CHECKING:
    from pathlib import Path

    from sim.crash.bank.counters import Counter, Delivery
    from sim.crash.bank.host import KillPoint
    from sim.crash.bank.plans import Subject
    from sim.crash.children import Child, ForkServer

__all__ = ["EVENING", "HOST_S", "World"]

EVENING: Final = MORNING + dt.timedelta(hours=10)
"""When the batches are sent."""
HOST_S: Final = 30.0
"""A host that serves for so long hangs; a call takes a tenth of a second."""
_ACCOUNT: Final = "0100000001"


class World:
    """A bank that knows the counters and purses, and has seen no payment yet.

    Attributes:
        folder: for the prepared bank and for those of the runs.
        seed: of cards, payments and session keys.
        counters: with the batches that they have closed.
        untouched: what the prepared bank holds.
    """

    def __init__(self, folder: Path, seed: int, server: ForkServer) -> None:
        """Prepare it in ``folder``, which is empty and best kept in RAM.

        Args:
            folder: for the prepared bank and for those of the runs.
            seed: of cards, payments and session keys.
            server: makes the hosts.
        """
        self.folder: Final = folder
        self.seed: Final = seed
        self._server = server
        self._template = folder / "template"
        self._extents: dict[Subject, Extent] = {}
        self.counters: list[Counter]
        self.counters, purses = open_counters(random.Random(f"{seed}/cards"))
        self._template.mkdir()
        self._make_bank(purses)
        self.untouched: Final = read_bank(self._template, folder / "looked-at")

    def deliveries(self, subject: Subject) -> list[Delivery]:
        """The batches that a run sends."""
        counter = self.counters[subject.counter]
        return [counter.deliveries[place] for place in subject.batches]

    def fresh_bank(self, name: str) -> Path:
        """A folder with a copy of the prepared bank; what had that name is gone."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._template, folder)
        return folder

    def host(self, order: HostOrder) -> Child:
        """A host that serves one call; leave its block to end it."""
        child = self._server.child(limit_s=HOST_S)
        child.line.send(order.to_frame())
        return child

    def order(
        self, bank: Path, terminal_id: str, key: bytes, kill: KillPoint | None
    ) -> HostOrder:
        """What a host is told that serves ``terminal_id`` on the bank in a folder."""
        return HostOrder(
            folder=bank,
            trace=self.folder / f"{bank.name}-{key.hex()}.trace",
            terminal_id=terminal_id,
            session_key=key,
            now=EVENING,
            kill=kill,
        )

    def measure(self, subject: Subject) -> Extent:
        """What a call without harm comes to; each subject is tried once."""
        if subject not in self._extents:
            self._extents[subject] = self._try(subject)
        return self._extents[subject]

    def _try(self, subject: Subject) -> Extent:
        counter = self.counters[subject.counter]
        order = self.order(
            self.fresh_bank("measured"), counter.terminal_id, bytes(16), None
        )
        with self.host(order) as host:
            call = Call(
                line=host.line,
                deliveries=self.deliveries(subject),
                script=Script(window=subject.window),
                now=EVENING,
                stan=900_000,
                on_answer=lambda _delivery, _data, _payments: None,
            )
            call.await_host()
            turns = 0
            while call.ended is None:
                call.say()
                call.hear()
                turns += 1
            # What went wrong here will do so in the run as well, and be told there.
            host.wait()
        writes = len(read_trace(order.trace))
        order.trace.unlink()
        return Extent(writes=max(1, writes), turns=max(1, turns))

    def _make_bank(self, purses: list[bytes]) -> None:
        keys = MasterKeyStore(TEST_MASTERS)
        with BankStore.create(self._template / BANK_FILE) as store:
            issuing = Issuing(store, keys, lambda: MORNING - dt.timedelta(days=1))
            issuing.open_account(
                number=_ACCOUNT,
                holder="Al Bahr Trading LLC",
                currency=CURRENCY,
                deposit_minor=2 * len(purses) * PURSE_MINOR,
            )
            for counter in self.counters:
                issuing.register_customs_card(
                    mid=counter.mid,
                    terminal_id=counter.terminal_id,
                    office=counter.office,
                    currency=CURRENCY,
                    kv=1,
                )
            for cid in purses:
                issuing.register_card(_purse(cid), brought_minor=PURSE_MINOR)


def _purse(cid: bytes) -> PurseRow:
    return PurseRow(
        cid=cid,
        account=Account.customer(_ACCOUNT, CURRENCY),
        holder="Al Bahr Trading LLC",
        currency=CURRENCY,
        kv=1,
        balance_limit_minor=2 * PURSE_MINOR,
        payment_limit_minor=2 * PURSE_MINOR,
        valid_from=dt.date(2025, 1, 1),
        expiry=dt.date(2030, 12, 31),
    )
