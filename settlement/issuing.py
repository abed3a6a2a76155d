"""The card desk's part of the bank: accounts, cards, terminals and loads.

A load moves value twice, in the ledger and onto the purse, with a card reader between
them that can lose power at any moment. The order makes every tear harmless:

1. `Issuing.authorise_load` verifies M1 and books customer to purse float and the
   pending load in one transaction. Only after its commit does M2 exist.
2. The purse takes the load and answers LTAC: `Issuing.complete_load`.
3. If no answer came, the load stays pending and the card gets no further one until it
   is settled: PROVE LOAD gives LTAC again (`complete_load`), or VOID LOAD, with the
   VREQ of `pending_loads`, gives VMAC, by which the purse swears that it has not and
   never will take that load (`void_load` books it back).

So the float is never less than what the purse can hold, and nothing is booked back
that the purse could still take. Every step may be repeated: it has the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from card import certificates
from card.profile import KeyUse
from card.records import mask_card_number
from settlement import loads, open_records
from settlement.errors import IssuingError, LoadProblem, LoadRefusedError
from settlement.fees import charge_issue
from settlement.ledger import (
    Account,
    EntryKind,
    deposit_entry,
    opening_deposit_entry,
)
from settlement.offices import require_office
from settlement.shadow import Shadow, shadow_of
from settlement.store.cards import LoadOutcome, LoadRow, PurseRow, TerminalRow
from settlement.store.collisions import repeated

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from card.records import LoadRequest
    from settlement.keystore import KeyStore
    from settlement.store.books import BankStore, Books
    from settlement.store.ledger import AccountRow

__all__ = ["Issuing", "LoadAuthorisation", "PendingLoad", "PurseStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAuthorisation:
    """What the purse needs to take a load that is already booked.

    Attributes:
        lsn: the bank's number of the load.
        at: the time in LX, aware UTC, whole seconds.
        m2: the bank's MAC, 8 bytes.
    """

    lsn: int
    at: datetime
    m2: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLoad:
    """A load of which the bank does not know whether the purse took it.

    Attributes:
        ltc: the purse's number of it.
        lid: the load desk, 8 bytes.
        lsn: the bank's number of it.
        amount_minor: in minor units.
        currency: ISO 4217 number.
        at: when it was authorised.
        vreq: what the purse's VOID LOAD wants to see, 8 bytes.
    """

    ltc: int
    lid: bytes
    lsn: int
    amount_minor: int
    currency: int
    at: datetime
    vreq: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseStatus:
    """What the bank knows about a purse.

    Attributes:
        purse: as it was issued.
        shadow: what it holds by its own latest certificates.
        float_minor: what the ledger holds for it.
        hotlisted: why it is on the hotlist, or None.
        loads: all its loads.
    """

    purse: PurseRow
    shadow: Shadow
    float_minor: int
    hotlisted: str | None
    loads: tuple[LoadRow, ...]


class Issuing:
    """The card desk's side of the bank. Threads may share it."""

    def __init__(
        self, store: BankStore, keys: KeyStore, clock: Callable[[], datetime]
    ) -> None:
        """Work on ``store`` with ``keys``.

        Args:
            store: the bank's database.
            keys: the issuer's masters.
            clock: the time, aware.
        """
        self._store = store
        self._keys = keys
        self._clock = clock

    @repeated
    def open_account(
        self, *, number: str, holder: str, currency: int, deposit_minor: int = 0
    ) -> AccountRow:
        """Open a customer's current account, with what the core bank moves in.

        Args:
            number: the account's number at the bank.
            holder: the customer.
            currency: ISO 4217 number.
            deposit_minor: opening deposit, in minor units; 0 for none.

        Raises:
            IssuingError: there is such an account already.
        """
        account = Account.customer(number, currency)
        now = self._clock()
        with self._store.write() as books:
            books.holds.accounts([account])
            if books.ledger.account_id(account) is not None:
                message = f"account {number} is open already. {loads.NOTHING_MOVED}"
                raise IssuingError(message)
            books.ledger.open_account(account, holder, now)
            if deposit_minor:
                _open_clearing(books, account.currency, now)
                books.ledger.post(
                    opening_deposit_entry(
                        account=account,
                        # Not always 1: that number may have other currencies.
                        number=books.ledger.count_of(EntryKind.OPENING, number) + 1,
                        amount_minor=deposit_minor,
                        booked_at=now,
                    )
                )
            return _existing(books, account)

    @repeated
    def deposit(self, *, number: str, currency: int, amount_minor: int) -> AccountRow:
        """Book money that the core bank moved to an open account.

        Raises:
            IssuingError: there is no such account.
        """
        account = Account.customer(number, currency)
        with self._store.write() as books:
            books.holds.accounts([account])
            if books.ledger.account_id(account) is None:
                raise IssuingError(
                    f"there is no account {number}. {loads.NOTHING_MOVED}"
                )
            now = self._clock()
            _open_clearing(books, currency, now)
            books.ledger.post(
                deposit_entry(
                    account=account,
                    number=books.ledger.count_of(EntryKind.DEPOSIT, number) + 1,
                    amount_minor=amount_minor,
                    booked_at=now,
                )
            )
            return _existing(books, account)

    @repeated
    def register_customs_card(
        self, *, mid: bytes, terminal_id: str, office: str, currency: int, kv: int
    ) -> TerminalRow:
        """Bind a terminal to its customs card and office, from now on.

        The accounts that its payments reach are opened. Binding again the same is
        nothing; another binding replaces the present one, which stays as history.

        An office that nobody has named yet is called by its code.

        Raises:
            KeyStoreError: the key store has no such key version.
            IssuingError: the office collects another currency.
        """
        self._keys.card_key(KeyUse.BATCH, kv, mid)
        row = TerminalRow(
            terminal_id=terminal_id, mid=mid, office=office, currency=currency, kv=kv
        )
        now = self._clock()
        with self._store.write() as books:
            books.holds.terminals([terminal_id])
            require_office(books, office, currency, now)
            if books.cards.terminal(terminal_id) != row:
                books.cards.bind_terminal(row, now)
        return row

    @repeated
    def register_card(self, purse: PurseRow, *, brought_minor: int = 0) -> PurseRow:
        """Register an issued purse and open its float.

        Registering the same card with the same data again is nothing.

        Args:
            purse: the card as it was personalised.
            brought_minor: value that is on the card already, which is booked from the
                customer's account like a load; 0 for a card personalised here.

        Raises:
            IssuingError: the card is registered with other data, its account is not
                open, or its currency is not the account's.
            LoadRefusedError: the account does not cover ``brought_minor``.
            FeeError: it does not cover the fee for a card.
        """
        self._keys.card_key(KeyUse.LOAD, purse.kv, purse.cid)
        now = self._clock()
        with self._store.write() as books:
            books.holds.accounts(
                [purse.account, Account.purse_float(purse.cid, purse.currency)]
            )
            known = books.cards.purse(purse.cid)
            if known is not None:
                if known != purse:
                    raise IssuingError(_registered_otherwise(purse))
                return known
            self._add_purse(books, purse, now)
            charge_issue(books, purse, now)
            if brought_minor:
                loads.book_brought(books, purse, brought_minor, now)
        return purse

    @repeated
    def hotlist(self, cid: bytes, *, reason: str, listed: bool = True) -> None:
        """Put a card on the hotlist (or take it off): no loads, payments reported."""
        with self._store.write() as books:
            books.publications.list_cards(
                {cid: reason}, listed=listed, since=self._clock()
            )

    def status(self, cid: bytes) -> PurseStatus:
        """What the bank knows about a purse.

        Raises:
            IssuingError: the bank did not issue it.
        """
        with self._store.read() as books:
            purse = books.cards.purse(cid)
            if purse is None:
                raise IssuingError(loads.unknown_card(cid))
            float_account = Account.purse_float(cid, purse.currency)
            return PurseStatus(
                purse=purse,
                shadow=shadow_of(books, cid),
                float_minor=books.ledger.balance_minor(float_account),
                hotlisted=books.cards.hotlisted(cid),
                loads=tuple(books.cards.loads(cid)),
            )

    @repeated
    def authorise_load(self, request: LoadRequest) -> LoadAuthorisation:
        """Book a load and give M2 for it, once the booking is durable.

        The very same request gets the very same answer, and is booked once.

        Raises:
            LoadRefusedError: the bank does not authorise it; nothing was booked. With
                UNSETTLED, settle `pending_loads` first, then ask the card anew.
        """
        now = self._clock().replace(microsecond=0)
        try:
            with self._store.write() as books:
                loads.check_request(books, self._keys, request)
                row = loads.book_load(books, request, now)
        except LoadRefusedError as refusal:
            if refusal.problem is LoadProblem.BALANCE_IMPOSSIBLE:
                with self._store.write() as books:
                    books.batches.add_incident(loads.impossible_balance(request, now))
            raise
        return self._authorisation(row)

    @repeated
    def complete_load(
        self, cid: bytes, *, ltc: int, balance_after_minor: int, ltac: bytes
    ) -> LoadRow:
        """Note that the purse took a load, by the LTAC of CREDIT or PROVE LOAD.

        Raises:
            LoadRefusedError: there is no such load, LTAC is wrong, or the load was
                voided; the load stays as it was.
        """
        with self._store.write() as books:
            books.holds.purses([cid])
            settled = replace(
                loads.known_load(books, cid, ltc),
                outcome=LoadOutcome.COMPLETED,
                balance_after_minor=balance_after_minor,
                proof=ltac,
            )
            now = self._clock()
            loads.settle_load(books, self._keys, settled, now)
            open_records.settle_purse(books, cid, now)
            return loads.known_load(books, cid, ltc)

    @repeated
    def void_load(self, cid: bytes, *, ltc: int, vmac: bytes) -> LoadRow:
        """Book a load back that the purse swore, by VMAC, it will never take.

        Raises:
            LoadRefusedError: there is no such load, VMAC is wrong, or the load was
                completed; the load stays as it was.
        """
        with self._store.write() as books:
            books.holds.purses([cid])
            settled = replace(
                loads.known_load(books, cid, ltc),
                outcome=LoadOutcome.VOIDED,
                proof=vmac,
            )
            loads.settle_load(books, self._keys, settled, self._clock())
            return loads.known_load(books, cid, ltc)

    def pending_loads(self, cid: bytes) -> list[PendingLoad]:
        """Loads of a card that are to be proved or voided, with their VREQ."""
        with self._store.read() as books:
            pending = [row for row in books.cards.loads(cid) if row.outcome is None]
        return [self._pending(row) for row in pending]

    def _add_purse(self, books: Books, purse: PurseRow, now: datetime) -> None:
        account_id = books.ledger.account_id(purse.account)
        if account_id is None:
            message = (
                f"there is no account {purse.account.owner}. {loads.NOTHING_MOVED}"
            )
            raise IssuingError(message)
        if purse.account.currency != purse.currency:
            message = "the card's currency is not the account's; nothing was registered"
            raise IssuingError(message)
        books.cards.add_purse(purse, account_id, now)
        float_account = Account.purse_float(purse.cid, purse.currency)
        books.ledger.open_account(float_account, purse.holder, now)

    def _authorisation(self, row: LoadRow) -> LoadAuthorisation:
        key = self._keys.card_key(KeyUse.LOAD, row.kv, row.cid)
        m2 = certificates.load_m2(key, lx=loads.load_record(row), rc=row.rc)
        return LoadAuthorisation(lsn=row.lsn, at=row.at, m2=m2)

    def _pending(self, row: LoadRow) -> PendingLoad:
        key = self._keys.card_key(KeyUse.LOAD, row.kv, row.cid)
        vreq = certificates.load_vreq(
            key, cid=row.cid, ltc=row.ltc, lid=row.lid, lsn=row.lsn
        )
        return PendingLoad(
            ltc=row.ltc,
            lid=row.lid,
            lsn=row.lsn,
            amount_minor=row.amount_minor,
            currency=row.currency,
            at=row.at,
            vreq=vreq,
        )


def _existing(books: Books, account: Account) -> AccountRow:
    row = books.ledger.account(account)
    assert row is not None, "it was opened in this transaction"
    return row


def _open_clearing(books: Books, currency: int, now: datetime) -> None:
    books.ledger.open_account(Account.clearing(currency), "Core bank", now)


def _registered_otherwise(purse: PurseRow) -> str:
    return (
        f"card {mask_card_number(purse.cid)} is registered already with other data; "
        "nothing was changed"
    )
