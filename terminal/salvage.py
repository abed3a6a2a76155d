"""What older journals tell of the payments that a customs card still holds.

The card's records are the truth about money; a journal adds what the card does not
know: what was paid for, and under which numbers. Nothing of that is taken on trust:

* The row must be about the card's own record: both numbers, amount, currency. Where
  the old key is at hand, the record sealed there must be the card's own.
* The declaration must be the one that the cards signed: the record has its digest.
* A row that the old log contradicts was altered after it was written, and is left out.
  One that the log does not vouch for, because its entry was lost, is taken and counted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from card.errors import CardError
from card.records import payment_digest
from terminal import audit
from terminal.entries import PaymentState, Recalled
from terminal.errors import JournalError, VaultError
from terminal.journal_salvage import Standing
from terminal.record_codec import (
    details_from_json,
    open_opened,
    open_proof,
    open_record_list,
)
from terminal.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.records import (
        BatchClose,
        DebitProof,
        OpenRecord,
        TransactionRecord,
    )
    from settlement.payment import PaymentDetails
    from terminal.journal_rows import Row
    from terminal.journal_salvage import Remains

__all__ = ["Salvage", "key_fits"]

_STATES_ENDED: Final = frozenset(
    {PaymentState.CREDITED, PaymentState.REFUSED, PaymentState.NOT_DEBITED}
)


@dataclass(frozen=True, slots=True)
class _Source:
    remains: Remains
    vault: Vault | None


class Salvage:
    """Finds what older journals know of a customs card's record.

    Attributes:
        unvouched: numbers of the payments that were recalled from a row that no entry
            of the old log vouches for.
    """

    def __init__(self, remains: Sequence[Remains]) -> None:
        """Search ``remains``, the most trusted first."""
        self._sources = [_Source(one, _vault(one)) for one in remains]
        self._rows: dict[tuple[object, ...], list[tuple[Row, _Source]]] = {}
        for source in self._sources:
            for row in source.remains.payments:
                place = (row.get("otc"), row.get("amount_minor"), row.get("currency"))
                self._rows.setdefault(place, []).append((row, source))
        self.unvouched: set[int] = set()

    def recall(self, tx: TransactionRecord) -> Recalled | None:
        """What is known of the payment of a customs card's record."""
        found = self._find(tx)
        if found is None:
            return None
        row, source, details = found
        with suppress(ValueError, TypeError):
            recalled = Recalled(
                number=int(row["number"]),
                receipt=row["receipt"],
                details=details,
                at=datetime.fromisoformat(row["at"]),
            )
            if not _is_vouched(row, source.remains):
                self.unvouched.add(recalled.number)
            return recalled
        return None

    def proof(self, tx: TransactionRecord) -> DebitProof | None:
        """The purse's proof of a debit, if an old journal had it sealed."""
        found = self._find(tx)
        if found is None or found[1].vault is None or found[0]["proof"] is None:
            return None
        with suppress(VaultError, CardError):
            row = found[0]
            return open_proof(found[1].vault, row["number"], row["proof"])
        return None

    def opens(self, close: BatchClose) -> Sequence[OpenRecord] | None:
        """The open records of a closed batch as they stood when it was closed."""
        for source in self._sources:
            for row in source.remains.batches:
                if source.vault is None or row.get("closing") != close.to_bytes():
                    continue
                with suppress(VaultError, CardError, TypeError):
                    opens = open_record_list(source.vault, close, row["opens"])
                    total = sum(record.tx.amount_minor for record in opens)
                    if (len(opens), total) == (close.open_count, close.open_sum_minor):
                        return opens
        return None

    def elsewhere(self, mid: bytes) -> int:
        """Payments that had not ended, on another customs card than ``mid``.

        They can only be told where the old key is at hand.
        """
        return sum(
            1
            for source in self._sources
            for row in source.remains.payments
            if source.vault is not None
            and row.get("state") not in _STATES_ENDED
            and row.get("tsn") is not None
            and row.get("customs_ref") != source.vault.card_reference(mid)
        )

    def _find(
        self, tx: TransactionRecord
    ) -> tuple[Row, _Source, PaymentDetails | None] | None:
        place = (tx.otc, tx.amount_minor, tx.currency)
        for row, source in self._rows.get(place, ()):
            if row["tsn"] not in {None, tx.tsn} or _is_contradicted(
                row, source.remains
            ):
                continue
            details = _signed_details(row, tx)
            sealed = _sealed_record(row, source.vault)
            if sealed == tx or (sealed is None and details is not None):
                return row, source, details
        return None


def key_fits(remains: Remains) -> bool:
    """Whether the key file found beside a journal is that journal's own."""
    vault = _vault(remains)
    beginning = remains.beginning
    return vault is not None and beginning is not None and vault.mark == beginning.key


def _vault(remains: Remains) -> Vault | None:
    if remains.key is None:
        return None
    with suppress(VaultError):
        return Vault.of_file(remains.key, _no_random_bytes)
    return None


def _sealed_record(row: Row, vault: Vault | None) -> TransactionRecord | None:
    """The card's record as the row holds it, or None when that cannot be opened."""
    if vault is None or row["opened"] is None:
        return None
    with suppress(VaultError, CardError, TypeError, IndexError):
        return open_opened(vault, row["number"], row["opened"])[0]
    return None


def _signed_details(row: Row, tx: TransactionRecord) -> PaymentDetails | None:
    """The row's details, if the cards signed their declaration."""
    with suppress(JournalError, AssertionError, TypeError, AttributeError):
        details = details_from_json(row["details"])
        if details is not None and payment_digest(details.declaration) == tx.digest:
            return details
    return None


def _is_contradicted(row: Row, remains: Remains) -> bool:
    """Whether the log speaks of this row and says that it was another one."""
    voucher = remains.vouchers.get(row["number"])
    if voucher is None or voucher.standing is Standing.UNSURE:
        return False
    if voucher.standing is Standing.BROKEN:
        return True
    # An entry that is lost may have changed the row since, unless it is all there.
    is_newest = remains.log_is_complete or voucher.kind == row["state"]
    return is_newest and voucher.content != audit.content_digest(row)


def _is_vouched(row: Row, remains: Remains) -> bool:
    voucher = remains.vouchers.get(row["number"])
    if voucher is None or voucher.standing is not Standing.FITS:
        return False
    return voucher.content == audit.content_digest(row)


def _no_random_bytes(_: int) -> bytes:
    raise AssertionError("an old journal's key seals nothing more")
