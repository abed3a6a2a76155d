"""The rules of a load, within one transaction of the bank's books.

`settlement.issuing` opens the transactions and says when; here is what a load must
satisfy, how it is booked, and how it is settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card import certificates
from card.profile import KeyUse
from card.records import LoadRecord, mask_card_number
from settlement.clearing import IncidentCode
from settlement.errors import LoadProblem, LoadRefusedError
from settlement.fees import FeeCode, charge_load, fee_minor, reverse_load
from settlement.ledger import load_entry, load_reversal_entry
from settlement.money import Money, currency_by_number
from settlement.shadow import shadow_of
from settlement.store.batches import IncidentRow
from settlement.store.cards import LoadOutcome, LoadRow, PurseRow

if TYPE_CHECKING:
    from datetime import datetime

    from card.records import LoadRequest
    from settlement.keystore import KeyStore
    from settlement.store.books import Books

__all__ = [
    "NOTHING_MOVED",
    "book_brought",
    "book_load",
    "check_request",
    "impossible_balance",
    "is_proved",
    "known_load",
    "load_record",
    "settle_load",
    "unknown_card",
]

NOTHING_MOVED: Final = "No money moved."
_AT_ISSUE: Final = 0
"""The ltc under which value is booked that a card carried when it was registered."""


def check_request(books: Books, keys: KeyStore, request: LoadRequest) -> None:
    """Check every rule of a load that a purse asks for; M1 before anything is told.

    Raises:
        LoadRefusedError: a rule forbids the load; its problem says which.
    """
    books.holds.purses([request.cid])
    purse = books.cards.purse(request.cid)
    if purse is not None:
        books.holds.accounts([purse.account])
    if purse is None or purse.kv != request.kv:
        raise LoadRefusedError(LoadProblem.UNKNOWN_CARD, unknown_card(request.cid))
    key = keys.card_key(KeyUse.LOAD, request.kv, request.cid)
    if not certificates.verify_load_m1(key, request):
        raise LoadRefusedError(
            LoadProblem.NOT_AUTHENTIC,
            f"the card's request does not verify. {NOTHING_MOVED} Try the card again; "
            "if it fails again, keep it and report it",
        )
    known = books.cards.load(request.cid, request.ltc)
    if known is not None and known.outcome is None and _is_same(known, request):
        return
    _check_settled(books, request, known)
    _check_card(books, purse, request)
    fee = fee_minor(books, FeeCode.LOAD, purse.account.currency)
    _check_funds(books, purse, request.amount_minor, fee)


def book_load(books: Books, request: LoadRequest, now: datetime) -> LoadRow:
    """Book a load that was checked in this transaction, or find it booked."""
    known = books.cards.load(request.cid, request.ltc)
    if known is not None:
        return known
    row = LoadRow(
        cid=request.cid,
        ltc=request.ltc,
        lid=request.lid,
        lsn=books.cards.next_lsn(),
        amount_minor=request.amount_minor,
        currency=request.currency,
        kv=request.kv,
        card_balance_minor=request.balance_minor,
        rc=request.rc,
        m1=request.m1,
        at=now,
    )
    _book(books, row)
    charge_load(books, row, _purse_of(books, row).account)
    return row


def book_brought(
    books: Books, purse: PurseRow, amount_minor: int, now: datetime
) -> None:
    """Book value that a card carried when it was registered, as a load that is done.

    Raises:
        LoadRefusedError: the customer's account does not cover it.
    """
    _check_funds(books, purse, amount_minor)
    row = LoadRow(
        cid=purse.cid,
        ltc=_AT_ISSUE,
        lid=bytes(8),
        lsn=books.cards.next_lsn(),
        amount_minor=amount_minor,
        currency=purse.currency,
        kv=purse.kv,
        card_balance_minor=0,
        rc=bytes(8),
        m1=bytes(8),
        at=now,
        balance_after_minor=amount_minor,
    )
    _book(books, row)
    books.cards.settle_load(row, LoadOutcome.COMPLETED, proof=bytes(8), at=now)


def settle_load(books: Books, keys: KeyStore, settled: LoadRow, now: datetime) -> None:
    """Note what became of a load; a voided one is booked back. Repeating is nothing.

    Args:
        books: the open transaction.
        keys: to verify the proof.
        settled: the load with its outcome and the purse's proof of it.
        now: the bank's time.

    Raises:
        LoadRefusedError: the proof is wrong, or the opposite was noted before.
    """
    assert settled.outcome is not None, "it says what became of it"
    assert settled.proof is not None, "and proves it"
    if not is_proved(keys, settled):
        raise LoadRefusedError(
            LoadProblem.NOT_AUTHENTIC,
            "the card's certificate of what became of the load is wrong. The load "
            "stays pending and nothing was booked; let the card prove or void it again",
        )
    known = known_load(books, settled.cid, settled.ltc)
    if known.outcome is settled.outcome:
        return
    if known.outcome is not None:
        raise LoadRefusedError(
            LoadProblem.ALREADY_SETTLED,
            f"load {known.ltc} of this card is {known.outcome} already and the card "
            "now proves the opposite. Nothing was booked; keep this card and report it",
        )
    books.cards.settle_load(settled, settled.outcome, proof=settled.proof, at=now)
    if settled.outcome is LoadOutcome.VOIDED:
        purse = _purse_of(books, settled)
        reversal = load_reversal_entry(
            cid=settled.cid,
            ltc=settled.ltc,
            account=purse.account,
            amount_minor=settled.amount_minor,
            booked_at=now,
        )
        books.ledger.post(reversal)
        reverse_load(books, settled, now)


def known_load(books: Books, cid: bytes, ltc: int) -> LoadRow:
    """A load that the bank authorised.

    Raises:
        LoadRefusedError: it never did.
    """
    row = books.cards.load(cid, ltc)
    if row is None:
        raise LoadRefusedError(
            LoadProblem.UNKNOWN_LOAD,
            f"the bank never authorised load {ltc} of card {mask_card_number(cid)}. "
            f"{NOTHING_MOVED}",
        )
    return row


def load_record(row: LoadRow) -> LoadRecord:
    """LX of a load, which M2 and LTAC sign."""
    return LoadRecord(
        cid=row.cid,
        ltc=row.ltc,
        lid=row.lid,
        lsn=row.lsn,
        amount_minor=row.amount_minor,
        currency=row.currency,
        at=row.at,
    )


def is_proved(keys: KeyStore, row: LoadRow) -> bool:
    """Whether a settled load has the purse's own proof of how it was settled.

    Raises:
        KeyStoreError: the key store has no keys of its version.
    """
    if row.ltc == _AT_ISSUE:
        return row.outcome is LoadOutcome.COMPLETED
    assert row.proof is not None, "a settled load has its proof"
    if row.outcome is LoadOutcome.VOIDED:
        return certificates.verify_load_vmac(
            keys.card_key(KeyUse.LOAD, row.kv, row.cid),
            cid=row.cid,
            ltc=row.ltc,
            lid=row.lid,
            lsn=row.lsn,
            claimed=row.proof,
        )
    assert row.balance_after_minor is not None, "a completed load has its balance"
    return certificates.verify_ltac(
        keys.card_key(KeyUse.TRANSACTION_CERTIFICATE, row.kv, row.cid),
        load_record(row),
        balance_after_minor=row.balance_after_minor,
        claimed=row.proof,
    )


def impossible_balance(request: LoadRequest, now: datetime) -> IncidentRow:
    """The incident of a card that certifies more value than it can have."""
    return IncidentRow(
        code=IncidentCode.BALANCE_IMPOSSIBLE,
        masked_card=request.card_number_masked,
        amount_minor=request.balance_minor,
        text=f"at load {request.ltc} the card certified a balance that it cannot have",
        at=now,
    )


def unknown_card(cid: bytes) -> str:
    """What to say about a card that the bank did not issue."""
    return (
        f"this bank did not issue card {mask_card_number(cid)}, or not with these "
        f"keys. {NOTHING_MOVED}"
    )


def _check_settled(books: Books, request: LoadRequest, known: LoadRow | None) -> None:
    if known is not None and known.outcome is not None:
        raise LoadRefusedError(
            LoadProblem.ALREADY_SETTLED,
            f"load {request.ltc} of this card is {known.outcome} already. "
            f"{NOTHING_MOVED} Take the card out and begin again",
        )
    if any(row.outcome is None for row in books.cards.loads(request.cid)):
        raise LoadRefusedError(
            LoadProblem.UNSETTLED,
            "an earlier load of this card is not settled: let the card prove or void "
            f"it first. {NOTHING_MOVED}",
        )


def _check_card(books: Books, purse: PurseRow, request: LoadRequest) -> None:
    if request.currency != purse.currency:
        raise LoadRefusedError(
            LoadProblem.WRONG_CURRENCY,
            f"the card is of another currency. {NOTHING_MOVED}",
        )
    reason = books.cards.hotlisted(request.cid)
    if reason is not None:
        raise LoadRefusedError(
            LoadProblem.HOTLISTED,
            f"the card is on the hotlist ({reason}). {NOTHING_MOVED} Keep the card",
        )
    if request.balance_minor + request.amount_minor > purse.balance_limit_minor:
        limit = _money(purse.balance_limit_minor, purse.currency)
        raise LoadRefusedError(
            LoadProblem.OVER_LIMIT,
            f"the card may hold at most {limit}. {NOTHING_MOVED}",
        )
    if request.balance_minor > shadow_of(books, request.cid).balance_max_minor:
        raise LoadRefusedError(
            LoadProblem.BALANCE_IMPOSSIBLE,
            "the card says it holds more than was ever loaded and not spent. "
            f"{NOTHING_MOVED} Keep the card; an incident was noted",
        )


def _check_funds(
    books: Books, purse: PurseRow, amount_minor: int, with_fee_minor: int = 0
) -> None:
    available_minor = max(books.ledger.balance_minor(purse.account), 0)
    if amount_minor + with_fee_minor <= available_minor:
        return
    fee = ""
    if with_fee_minor:
        fee = f" and the fee of {_money(with_fee_minor, purse.currency)}"
    raise LoadRefusedError(
        LoadProblem.FUNDS,
        f"account {purse.account.owner} holds "
        f"{_money(available_minor, purse.currency)}, which does not cover "
        f"{_money(amount_minor, purse.currency)}{fee}. {NOTHING_MOVED}",
    )


def _book(books: Books, row: LoadRow) -> None:
    books.cards.add_load(row)
    entry = load_entry(
        cid=row.cid,
        ltc=row.ltc,
        account=_purse_of(books, row).account,
        amount_minor=row.amount_minor,
        booked_at=row.at,
    )
    books.ledger.post(entry)


def _purse_of(books: Books, row: LoadRow) -> PurseRow:
    purse = books.cards.purse(row.cid)
    assert purse is not None, "the database keeps this reference"
    return purse


def _is_same(row: LoadRow, request: LoadRequest) -> bool:
    return (row.lid, row.amount_minor, row.currency, row.rc, row.m1) == (
        request.lid,
        request.amount_minor,
        request.currency,
        request.rc,
        request.m1,
    )


def _money(amount_minor: int, currency: int) -> Money:
    return Money(amount_minor=amount_minor, currency=currency_by_number(currency))
