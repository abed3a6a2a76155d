"""Bank, certificates and closed batches for many lines, made before the clock runs.

Every payment goes over two simulated cards, so that the bank verifies and posts it.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from card.apdu import ResponseAPDU
from card.customs import CustomsSession
from card.exchange import Finished, Record
from card.pin import pin_block
from card.profile import ALGORITHM_AES_CMAC, Role
from card.purchase import Approved, PurchaseExchange, PurchaseTerms
from card.purse import PurseSession
from card.records import payment_digest
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.payment import (
    BatchToUpload,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
)
from settlement.pki import HOST_DNS_NAME, Authority
from settlement.pki_files import read_facts
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from settlement.store.certificates import IssuedFor
from sim.cards.issue import CustomsData, PurseData, issue_customs_card, issue_purse

if TYPE_CHECKING:
    from pathlib import Path

    from card.apdu import CommandAPDU
    from settlement.pki import Identity
    from sim.cards.customs import SimulatedCustomsCard
    from sim.cards.purse import SimulatedPurse

__all__ = ["BOOKS", "EVENING", "Terminal", "prepare"]

BOOKS: Final = "bank.sqlite"
EVENING: Final = dt.datetime(2026, 3, 4, 17, 30, tzinfo=dt.UTC)
"""What the clocks of the bank and of all terminals say."""
_MORNING: Final = EVENING - dt.timedelta(hours=10)
_BETWEEN: Final = dt.timedelta(seconds=40)
"""Two payments: so hundreds of them fit into a day."""
_OFFICE: Final = "SOHAR"
_CURRENCY: Final = 512
_ACCOUNT: Final = "0100000001"
_AMOUNT_MINOR: Final = 500
_PIN: Final = b"1234"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One caller: its certificate's files have its id as their name."""

    batch: BatchToUpload

    @property
    def id(self) -> str:
        """The terminal's id."""
        return self.batch.terminal_id


class _Reader:
    """A `card.channel.Channel` to a simulated card."""

    def __init__(self, card: SimulatedPurse | SimulatedCustomsCard) -> None:
        self._card = card

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """Give the card a command."""
        return ResponseAPDU.parse(self._card.process(command.to_bytes()))


def prepare(
    folder: Path, *, lines: int, payments: int, for_books: bool
) -> list[Terminal]:
    """Make what bank and terminals need in ``folder``, which is empty; the terminals.

    Args:
        folder: gets PEM files and, ``for_books``, `BOOKS` with the certificates.
        lines: how many terminals.
        payments: in the batch of each.
        for_books: every terminal has payments of its own, which the bank can book;
            otherwise all have the same ones.
    """
    source = random.Random(1)
    purse_data = PurseData(balance_minor=lines * payments * _AMOUNT_MINOR)
    purse = issue_purse(None, purse_data, source.randbytes)
    if for_books:
        batches = [_batch(n, payments, purse, source) for n in range(1, lines + 1)]
        _make_bank(folder, batches, purse_data)
    else:
        one = _batch(1, payments, purse, source)
        ids = [f"T{number:07d}" for number in range(1, lines + 1)]
        batches = [replace(one, terminal_id=terminal_id) for terminal_id in ids]
    terminals = [Terminal(batch=batch) for batch in batches]
    _make_certificates(folder, terminals)
    if for_books:
        _enter_certificates(folder, terminals)
    return terminals


def _batch(
    number: int, payments: int, purse: SimulatedPurse, source: random.Random
) -> BatchToUpload:
    mid = bytes.fromhex(f"4355530000{number:06d}")
    card = issue_customs_card(
        None, CustomsData(merchant_id=mid.hex().upper()), source.randbytes
    )
    customs = CustomsSession(_Reader(card))
    customs.select()
    return BatchToUpload(
        terminal_id=f"T{number:07d}",
        office=_OFFICE,
        mid=mid,
        currency=_CURRENCY,
        payments=tuple(
            _pay(f"IM-{number:04d}-{stan:04d}", stan, mid, purse, card)
            for stan in range(1, payments + 1)
        ),
        close=customs.close_batch(),
    )


def _pay(
    declaration: str,
    stan: int,
    mid: bytes,
    purse: SimulatedPurse,
    customs: SimulatedCustomsCard,
) -> PaymentRecord:
    purse.reset()
    channels = {Role.PURSE: _Reader(purse), Role.CUSTOMS: _Reader(customs)}
    terms = PurchaseTerms(
        amount_minor=_AMOUNT_MINOR,
        currency=_CURRENCY,
        mid=mid,
        kv=1,
        digest=payment_digest(declaration),
        at=_MORNING + stan * _BETWEEN,
        cid=PurseSession(channels[Role.PURSE]).select().card_id,
    )
    exchange = PurchaseExchange(terms, pin_block(_PIN))
    while not isinstance(action := exchange.next_action(), Finished):
        if isinstance(action, Record):
            exchange.recorded()
        else:
            exchange.receive(channels[action.role].transmit(action.command))
    result = action.result
    if not isinstance(result, Approved):
        raise TypeError(f"a payment of the benchmark was not taken: {result}")
    return PaymentRecord(
        stan=stan,
        sequence=stan,
        details=PaymentDetails(
            declaration=declaration, kind=PaymentKind.FEES, clerk="1"
        ),
        tx=result.tx,
        kv=result.kv,
        alg=ALGORITHM_AES_CMAC,
        balance_after_minor=result.proof.balance_after_minor,
        cumulative_debit_minor=result.proof.cumulative_debit_minor,
        tac=result.proof.tac,
    )


def _make_bank(folder: Path, batches: list[BatchToUpload], purse: PurseData) -> None:
    with BankStore.create(folder / BOOKS) as store:
        issuing = Issuing(store, MasterKeyStore(TEST_MASTERS), lambda: _MORNING)
        issuing.open_account(
            number=_ACCOUNT,
            holder="Al Bahr Trading LLC",
            currency=_CURRENCY,
            deposit_minor=purse.balance_minor,
        )
        for batch in batches:
            issuing.register_customs_card(
                mid=batch.mid,
                terminal_id=batch.terminal_id,
                office=_OFFICE,
                currency=_CURRENCY,
                kv=1,
            )
        row = PurseRow(
            cid=bytes.fromhex(purse.card_id),
            account=Account.customer(_ACCOUNT, _CURRENCY),
            holder="Al Bahr Trading LLC",
            currency=_CURRENCY,
            kv=1,
            balance_limit_minor=purse.balance_minor,
            payment_limit_minor=purse.balance_minor,
            valid_from=dt.date(2025, 1, 1),
            expiry=dt.date(2030, 12, 31),
        )
        issuing.register_card(row, brought_minor=purse.balance_minor)


def _make_certificates(folder: Path, terminals: list[Terminal]) -> None:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251  TLS looks at the real clock
    authority = Authority.create(now)
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    (folder / "ca-terminals.pem").write_bytes(authority.terminals_certificate_pem)
    _write(folder, "host", authority.issue_host(HOST_DNS_NAME, now))
    for terminal in terminals:
        _write(folder, terminal.id, authority.issue_terminal(terminal.id, now))


def _enter_certificates(folder: Path, terminals: list[Terminal]) -> None:
    """As ``raseed-bank terminal add`` does; none has been used yet."""
    with BankStore.open(folder / BOOKS) as store, store.write() as books:
        for terminal in terminals:
            facts = read_facts((folder / f"{terminal.id}.pem").read_bytes())
            books.certificates.add(facts, IssuedFor.ADMISSION, "bench", _MORNING)


def _write(folder: Path, name: str, identity: Identity) -> None:
    (folder / f"{name}.pem").write_bytes(identity.certificate_pem)
    (folder / f"{name}.key").write_bytes(identity.key_pem)
