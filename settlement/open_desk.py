"""The card desk's part in open records: the purse itself says what became of them.

The desk has the purse, the bank has the keys; the customs card is far away. So the bank
makes the VREQ, the desk asks the purse (`settlement.open_inquiry`), and what the purse
answers is verified and stored here, durably, before anybody is told:

* a proof of the debit: the customs card gets it as the terminal's next call brings it,
  and credits it (`settlement.payment.DebitClosure`);
* a VMAC: the customs card gets that, and closes the record without a credit.

Nothing is booked here. A debit that was proved is paid when its customs card has
credited it and it comes in a batch, like any other payment, and so exactly once.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card import certificates
from card.profile import KeyUse
from settlement import open_records
from settlement.errors import IssuingError
from settlement.store.collisions import repeated
from settlement.store.opens import Resolution, ResolvedBy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from card.records import DebitProof, TransactionRecord
    from settlement.keystore import KeyStore
    from settlement.store.batches import OpenRow
    from settlement.store.books import BankStore
    from settlement.store.opens import KnownOpen

__all__ = ["OpenDesk", "OpenPayment", "is_answered_by_purse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPayment:
    """A payment whose outcome the bank does not know yet.

    Attributes:
        tx: the payment.
        terminal_id: where it was begun.
        vreq: what the purse's VOID wants to see, 8 bytes.
    """

    tx: TransactionRecord
    terminal_id: str
    vreq: bytes = field(repr=False)


class OpenDesk:
    """What the desk asks of the bank. Threads may share it."""

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

    def open_payments(self, cid: bytes) -> list[OpenPayment]:
        """The payments of a purse that it is to be asked about."""
        with self._store.read() as books:
            found = books.opens.unresolved(cid)
        return [self._open_payment(opened) for opened in found]

    def debited(self, tx: TransactionRecord, proof: DebitProof) -> Resolution:
        """Store the purse's proof that it was debited; again it is nothing.

        Raises:
            IssuingError: the proof is wrong, or the opposite is stored already.
        """
        made = Resolution(
            how=ResolvedBy.CARD_DESK, debited=True, proof=proof, at=self._clock()
        )
        return self._store_answer(tx, made)

    def given_up(self, tx: TransactionRecord, vmac: bytes) -> Resolution:
        """Store the purse's word that it never will be debited; again it is nothing.

        Raises:
            IssuingError: the VMAC is wrong, or the opposite is stored already.
        """
        made = Resolution(
            how=ResolvedBy.CARD_DESK, debited=False, vmac=vmac, at=self._clock()
        )
        return self._store_answer(tx, made)

    @repeated
    def _store_answer(self, tx: TransactionRecord, made: Resolution) -> Resolution:
        with self._store.write() as books:
            books.holds.customs_cards([tx.mid])
            books.holds.purses([tx.cid])
            opened = books.opens.known(tx.mid, tx.tsn)
            if opened is None or opened.report.tx != tx:
                message = "no terminal ever reported this payment. Nothing was changed"
                raise IssuingError(message)
            if not is_answered_by_purse(self._keys, opened.report, made):
                message = (
                    "the card's certificate of what became of a payment is wrong. "
                    "Nothing was changed and the payment stays open; keep the card "
                    "and report it to bank operations"
                )
                raise IssuingError(message)
            known = books.opens.resolution(tx.mid, tx.tsn)
            if known is None:
                open_records.store_resolution(books, opened, made)
                return made
            if known.debited is not made.debited:
                what = f"settled before ({known.how}); the purse now says the opposite"
                note = open_records.contradiction(opened, what, made.at)
                books.batches.add_incident(note)
        if known.debited is not made.debited:
            message = (
                "what became of this payment is known already, and the card now says "
                "the opposite. Nothing was changed; keep the card and report it to "
                "bank operations"
            )
            raise IssuingError(message)
        return known

    def _open_payment(self, opened: KnownOpen) -> OpenPayment:
        tx = opened.report.tx
        key = self._keys.card_key(KeyUse.PURCHASE, opened.report.kv, tx.cid)
        return OpenPayment(
            tx=tx,
            terminal_id=opened.terminal_id,
            vreq=certificates.vreq(key, tx),
        )


def is_answered_by_purse(keys: KeyStore, report: OpenRow, made: Resolution) -> bool:
    """Whether an answer that is stored for the card desk is the purse's own.

    Raises:
        KeyStoreError: the key store has no keys of its version.
    """
    tx = report.tx
    purchase_key = keys.card_key(KeyUse.PURCHASE, report.kv, tx.cid)
    if made.proof is None:
        return made.vmac is not None and certificates.verify_vmac(
            purchase_key, tx, made.vmac
        )
    proof = made.proof
    tac_key = keys.card_key(KeyUse.TRANSACTION_CERTIFICATE, report.kv, tx.cid)
    mac2 = certificates.mac2(
        purchase_key,
        tx,
        rc=report.rc,
        balance_after_minor=proof.balance_after_minor,
        cumulative_debit_minor=proof.cumulative_debit_minor,
        tac=proof.tac,
    )
    # TAC tells the bank that it was debited; MAC2 is what the customs card will ask.
    return certificates.verify_tac(
        tac_key,
        tx,
        balance_after_minor=proof.balance_after_minor,
        cumulative_debit_minor=proof.cumulative_debit_minor,
        claimed=proof.tac,
    ) and hmac.compare_digest(mac2, proof.mac2)
