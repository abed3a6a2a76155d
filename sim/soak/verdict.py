"""The books after a soak, held against what the terminals were told.

The tables are read past the bank's program, and everything is counted once more; then
the bank's own check has its say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.check.bank import check_bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore
from sim.nation.founding import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.nation.founding import RawBooks
    from sim.soak.caller import Told

__all__ = ["violations"]


_SHOWN_MAX: Final = 20
_PAYEES: Final = {
    "fees": "customs revenue",
    "deposits": "customs deposits",
    "purchase": "merchant",
}
"""On which kind of account payments of each kind are booked."""
_PURSES: Final = """
SELECT cid, COUNT(*), SUM(amount_minor)::bigint, MAX(cumulative_debit_minor)
FROM payment GROUP BY cid
"""
_BOOKED: Final = """
SELECT owner, kind, SUM(credit_minor - debit_minor)::bigint
FROM leg JOIN account ON account.id = leg.account_id
WHERE kind = ANY (%s) GROUP BY owner, kind
"""
_COUNTS: Final = {
    "batches that are not acknowledged": "SELECT COUNT(*) FROM batch "
    "LEFT JOIN batch_collected USING (terminal_id, mid, batch) WHERE at IS NULL",
    "entries of payments that are not there": "SELECT COUNT(*) FROM entry "
    "WHERE kind = 'payment' AND NOT EXISTS (SELECT 1 FROM payment "
    "WHERE payment.cid = entry.cid AND payment.otc = entry.number)",
    "payments without an entry": "SELECT COUNT(*) FROM payment "
    "WHERE NOT EXISTS (SELECT 1 FROM entry WHERE kind = 'payment' "
    "AND entry.cid = payment.cid AND entry.number = payment.otc)",
    "records that are not posted": "SELECT COUNT(*) FROM record "
    "WHERE decision <> 'posted'",
    "incidents": "SELECT COUNT(*) FROM incident",
}
"""Each should be none."""


def violations(url: str, told: Sequence[Told], *, with_check: bool) -> Iterator[str]:
    """What is wrong, in words; nothing when the books are as they should be.

    Args:
        url: of the database.
        told: what all callers were told.
        with_check: run the bank's own check, too, which reads everything.
    """
    for one in told:
        yield from one.wrong[:_SHOWN_MAX]
    with connect(url) as connection:
        yield from _of_purses(connection, told)
        yield from _of_payees(connection, told)
        for what, query in _COUNTS.items():
            ((count,),) = connection.execute(query).fetchall()
            if count:
                yield f"{count} {what}"
    with BankStore.open(url) as store:
        with store.read() as books:
            waiting = books.staged.sum()
        if waiting.payments:
            yield f"{waiting.payments} payments still wait to be posted"
        if with_check:
            report = check_bank(store, MasterKeyStore(TEST_MASTERS))
            for finding in report.findings[:_SHOWN_MAX]:
                yield f"check: {finding.code}: {finding.text}"


def _of_purses(connection: RawBooks, told: Sequence[Told]) -> Iterator[str]:
    """Every purse has paid as often and as much as its cards did, and no other one."""
    paid = {cid: sums for one in told for cid, sums in one.paid.items()}
    wrong = 0
    for cid, count, sum_minor, debited_minor in connection.execute(_PURSES):
        expected = paid.pop(bytes(cid), (0, 0))
        if expected != (count, sum_minor) or debited_minor != sum_minor:
            wrong += 1
            if wrong <= _SHOWN_MAX:
                yield (
                    f"purse {bytes(cid).hex()}: {count} payments of {sum_minor} are "
                    f"posted, {debited_minor} by its own counter; it made "
                    f"{expected[0]} of {expected[1]}"
                )
    if wrong > _SHOWN_MAX:
        yield f"and {wrong - _SHOWN_MAX} purses more"
    if paid:
        yield f"{len(paid)} purses have paid, and nothing of it is posted"


def _of_payees(connection: RawBooks, told: Sequence[Told]) -> Iterator[str]:
    """Every office has got what its terminals were told, by kind."""
    expected: dict[tuple[str, str], int] = {}
    for one in told:
        for (office, kind), sum_minor in one.payees.items():
            payee = (office, _PAYEES[kind])
            expected[payee] = expected.get(payee, 0) + sum_minor
    kinds = sorted(set(_PAYEES.values()))
    booked = {
        (owner, kind): sum_minor
        for owner, kind, sum_minor in connection.execute(_BOOKED, (kinds,))
    }
    for payee in sorted(expected.keys() | booked.keys()):
        wanted, found = expected.get(payee, 0), booked.get(payee, 0)
        if wanted != found:
            yield f"{payee[1]} of {payee[0]}: {found} booked, {wanted} told"
