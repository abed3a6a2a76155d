"""The branch's own bank as tests fill it: with paper cards of account 100200300."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from settlement.bank import Bank
from settlement.bank_config import BankDirectory
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from tests.settlement.conftest import CID, OMR, PaperClock, PaperCustomsCard, PaperPurse
from tests.settlement.conftest import Desk as PaperDesk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.messages import BatchHeader

    World = Any


@contextmanager
def paper_desk(branch: World) -> Iterator[PaperDesk]:
    """The branch's bank, opened once more."""
    keys = MasterKeyStore(TEST_MASTERS)
    clock = PaperClock(branch.now)
    path = BankDirectory.open(branch.bank_folder).database
    with BankStore.open(path) as store:
        yield PaperDesk(
            place=path,
            store=store,
            keys=keys,
            clock=clock,
            issuing=Issuing(store, keys, clock),
            bank=Bank(store, keys),
            customs=PaperCustomsCard(keys=keys),
        )


def issue(world: World, paper: PaperDesk, cid: bytes = CID) -> PaperPurse:
    """A purse of the branch's customer, with 500 on it."""
    day = world.now.date()
    paper.issuing.register_card(
        PurseRow(
            cid=cid,
            account=Account.customer("100200300", OMR),
            holder="AL NOOR TRADING",
            currency=OMR,
            kv=1,
            balance_limit_minor=2_000_000,
            payment_limit_minor=2_000_000,
            valid_from=day,
            expiry=day + timedelta(days=700),
        )
    )
    purse = PaperPurse(keys=paper.keys, cid=cid)
    paper.load(purse, 100_000)
    return purse


def pay(paper: PaperDesk, purse: PaperPurse, *amounts_minor: int) -> BatchHeader:
    """Payments of a batch that the bank has heard of; the first has come."""
    for amount_minor in amounts_minor:
        paper.customs.pay(purse, amount_minor, at=paper.clock())
    header = paper.customs.close()
    assert paper.bank.begin_batch(header, paper.clock()).code == "00"
    paper.bank.take_payments(header, paper.customs.records[:1], paper.clock())
    return header


def reconcile(paper: PaperDesk, header: BatchHeader) -> None:
    paper.bank.take_payments(header, paper.customs.records, paper.clock())
    ended = paper.bank.reconcile(header, paper.customs.totals(), paper.clock())
    assert ended.code == "00", ended.text
    paper.customs.next_batch()
