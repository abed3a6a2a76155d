"""What is proved about payments before the books are opened: whole groups at a time.

Everything here is computed from what came and the bank's keys alone, so it is done
outside of any transaction: the keys of all cards of a group in one run of the cipher,
then each TAC, and the digests by which a payment is known again.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from card import certificates
from card.profile import KeyUse
from settlement.clearing import TACCheck, content_of, evidence_of, signed_debit
from settlement.errors import KeyStoreError
from settlement.store.records import details_to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.keystore import KeyStore
    from settlement.payment import PaymentRecord

__all__ = ["VerifiedRecord", "verify_group"]


# Looked up once: members of an enum are slow to reach, and this is asked for each
# payment.
_GOOD: Final = TACCheck.GOOD
_WRONG: Final = TACCheck.WRONG


class VerifiedRecord(NamedTuple):
    """A payment as it came, with what can be said of it without the books.

    Attributes:
        payment: what was sent.
        signed: what its TAC is made over, 59 bytes; TX comes first.
        details: its details as they are stored, or None.
        evidence: digest of what the cards signed, 32 bytes.
        content: digest of all that was sent, 32 bytes.
        tac: whether the TAC is good.
    """

    payment: PaymentRecord
    signed: bytes
    details: str | None
    evidence: bytes
    content: bytes
    tac: TACCheck

    @property
    def tac_is_good(self) -> bool:
        """Whether the purse's debit is proved."""
        return self.tac is _GOOD


def verify_group(
    keys: KeyStore, payments: Sequence[PaymentRecord]
) -> list[VerifiedRecord]:
    """Verify some payments; one result for each, in order."""
    signed = [signed_debit(payment) for payment in payments]
    checks = _check_tacs(keys, payments, signed)
    return [_verified(*each) for each in zip(payments, signed, checks, strict=True)]


def _verified(payment: PaymentRecord, signed: bytes, tac: TACCheck) -> VerifiedRecord:
    details = None if payment.details is None else details_to_text(payment.details)
    evidence = evidence_of(signed, payment.tac)
    content = content_of(payment, evidence, details)
    return VerifiedRecord(payment, signed, details, evidence, content, tac)


def _check_tacs(
    keys: KeyStore, payments: Sequence[PaymentRecord], signed: Sequence[bytes]
) -> list[TACCheck]:
    """Whether each TAC is good, by the keys of one version after the other."""
    checks = [TACCheck.NO_KEY] * len(payments)
    places_of: defaultdict[int, list[int]] = defaultdict(list)
    for place, payment in enumerate(payments):
        places_of[payment.kv].append(place)
    for kv, places in places_of.items():
        cids = [payments[place].tx.cid for place in places]
        try:
            kts = keys.card_keys(KeyUse.TRANSACTION_CERTIFICATE, kv, cids)
        except KeyStoreError:
            continue
        debits = [(signed[place], payments[place].tac) for place in places]
        for place, good in zip(
            places, certificates.verify_tacs(kts, debits), strict=True
        ):
            checks[place] = _GOOD if good else _WRONG
    return checks
