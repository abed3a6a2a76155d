"""What the proof of a batch looks at, in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind, EntryKind
from settlement.proof import BookedLeg, ProvedPayment
from settlement.shadow import loaded_totals
from settlement.store.schema import account, entry, leg, record

if TYPE_CHECKING:
    from settlement.messages import BatchHeader
    from settlement.store.books import Books

__all__ = ["ProofTables", "proved_payments"]

_KINDS: Final = (EntryKind.PAYMENT.value, EntryKind.SUSPENSE.value)


class ProofTables:
    """Entries about the payments of a batch, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def legs(self, header: BatchHeader) -> dict[tuple[bytes, int], list[BookedLeg]]:
        """Every leg about the payments that a batch names, by CID and otc."""
        named = (
            sa.select(record.c.cid, record.c.otc)
            .where(
                record.c.terminal_id == header.terminal_id,
                record.c.mid == header.mid,
                record.c.batch == header.close.batch,
            )
            .distinct()
            .subquery()
        )
        query = (
            sa.select(
                entry.c.cid,
                entry.c.number.label("otc"),
                entry.c.kind,
                account.c.kind.label("account_kind"),
                account.c.owner,
                account.c.currency,
                leg.c.debit_minor,
                leg.c.credit_minor,
            )
            .select_from(
                named.join(
                    entry,
                    (entry.c.subject == self._hex(named.c.cid))
                    & (entry.c.number == named.c.otc)
                    & entry.c.kind.in_(_KINDS),
                )
                .join(leg, leg.c.entry_id == entry.c.id)
                .join(account, account.c.id == leg.c.account_id)
            )
            .order_by(entry.c.id, leg.c.number)
        )
        found: dict[tuple[bytes, int], list[BookedLeg]] = {}
        for row in self._connection.execute(query):
            found.setdefault((row.cid, row.otc), []).append(_leg(row))
        return found

    def _hex(self, column: sa.ColumnElement[bytes]) -> sa.ColumnElement[str]:
        """Bytes as `settlement.ledger.Source` writes them."""
        if self._connection.dialect.name == "sqlite":
            return sa.func.hex(column)
        return sa.func.upper(sa.func.encode(column, "hex"))


def proved_payments(books: Books, header: BatchHeader) -> list[ProvedPayment]:
    """All records of a batch, with what purses and ledger know of each."""
    legs = books.proofs.legs(header)
    loaded: dict[bytes, frozenset[int]] = {}
    found = []
    for row in books.records.records(header):
        tx = row.payment.tx
        if tx.cid not in loaded:
            loaded[tx.cid] = loaded_totals(books.cards.loads(tx.cid))
        paid = books.records.payment(tx.cid, tx.otc)
        mine = paid is not None and paid.evidence == row.evidence
        found.append(
            ProvedPayment(
                record=row,
                payment=paid if mine else None,
                before=books.records.payment_before(tx.cid, tx.otc),
                after=books.records.payment_after(tx.cid, tx.otc),
                loaded=loaded[tx.cid],
                legs=tuple(legs.get((tx.cid, tx.otc), ())) if mine else (),
            )
        )
    return found


def _leg(row: Any) -> BookedLeg:
    return BookedLeg(
        kind=EntryKind(row.kind),
        account=Account(
            kind=AccountKind(row.account_kind), owner=row.owner, currency=row.currency
        ),
        debit_minor=row.debit_minor,
        credit_minor=row.credit_minor,
    )
