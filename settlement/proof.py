"""Three-way proof of a batch: purses, customs card and ledger say the same.

=============  =====================================================================
side           what it says of each payment, and of all
=============  =====================================================================
purses         the amount under a TAC that was verified, and counters that follow
               from the purse's payment before and lead to the one after
customs card   what it closed: count, sum, and the chain over every credit
ledger         what was booked on that payment: from the float to an account of the
               office, or to suspense, and out of it again
=============  =====================================================================

Payments in suspense without a proof are no purse's and no ledger's: they are told apart
and fill the gap to what the customs card closed. Pure: `settlement.store.proofs` reads
what is looked at here. A difference names the payment where that can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.clearing import counter_problems
from settlement.ledger import AccountKind, EntryKind
from settlement.messages import Total
from settlement.reconcile import batch_records, chain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from settlement.ledger import Account
    from settlement.messages import BatchHeader
    from settlement.store.records import PaymentRow, RecordRow

__all__ = ["BatchProof", "BookedLeg", "ProvedPayment", "prove_batch"]

_PAYEES: Final = frozenset(
    {AccountKind.REVENUE, AccountKind.DEPOSITS, AccountKind.MERCHANT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLeg:
    """One side of an entry that the ledger has about a payment.

    Attributes:
        kind: of the entry.
        account: which is debited or credited.
        debit_minor: in minor units.
        credit_minor: in minor units.
    """

    kind: EntryKind
    account: Account
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedPayment:
    """A payment of a batch and what each side knows of it.

    Attributes:
        record: as it came.
        payment: what it became, also when another record brought the very same one;
            None when nothing is proved.
        before: the purse's nearest payment with a lower number, or None.
        after: the purse's nearest payment with a higher number, or None.
        loaded: every total that can have been loaded, in minor units.
        legs: what the ledger has about it.
    """

    record: RecordRow
    payment: PaymentRow | None
    before: PaymentRow | None
    after: PaymentRow | None
    loaded: frozenset[int]
    legs: tuple[BookedLeg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProof:
    """What the three sides say of a batch, and where they differ.

    Attributes:
        purses: payments that purses certified.
        card: what the customs card closed.
        ledger: what was debited to purses' floats for the batch.
        payees: of that, what is on accounts of offices.
        suspense: of that, what is in suspense, or went back to the customer.
        unproved: payments that no purse certified; nothing is booked.
        differences: in words, naming the payment; empty when all agree.
        gaps: numbers of purses that no payment has come for, and what they are worth;
            no difference: they were voided, or another counter has yet to deliver them.
    """

    purses: Total
    card: Total
    ledger: Total
    payees: Total
    suspense: Total
    unproved: Total
    differences: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all three sides say the same."""
        return not self.differences


def prove_batch(header: BatchHeader, payments: Sequence[ProvedPayment]) -> BatchProof:
    """Compare purses, customs card and ledger over one batch.

    Args:
        header: the batch with its verified CLOSE data.
        payments: every record received for it, in any order, with what is known.
    """
    counted = {row.payment.stan for row in batch_records(p.record for p in payments)}
    batch = sorted(
        (one for one in payments if one.record.payment.stan in counted),
        key=lambda one: one.record.payment.sequence,
    )
    proved = [one for one in batch if one.payment is not None]
    differences: list[str] = []
    for one in batch:
        differences += _payment_differences(one)
    card = Total(count=header.close.count, sum_minor=header.close.sum_minor)
    came = _total(one.record.payment.tx.amount_minor for one in batch)
    differences += _card_differences(header, batch, came, card)
    return BatchProof(
        purses=_total(one.record.payment.tx.amount_minor for one in proved),
        card=card,
        ledger=_total(_from_float(one) for one in proved),
        payees=_total(minor for one in proved if (minor := _to_payee(one))),
        suspense=_total(
            minor for one in proved if (minor := _from_float(one) - _to_payee(one))
        ),
        unproved=_total(
            one.record.payment.tx.amount_minor for one in batch if not one.payment
        ),
        differences=tuple(differences),
        gaps=tuple(words for one in proved for words in _gap_before(one)),
    )


def _gap_before(one: ProvedPayment) -> Iterator[str]:
    """The purse's numbers that are missing before a payment."""
    sent, before = one.record.payment, one.before
    first = before.otc + 1 if before else 1
    last = sent.tx.otc - 1
    if last < first:
        return
    debited_minor = before.cumulative_debit_minor if before else 0
    worth_minor = sent.cumulative_debit_minor - sent.tx.amount_minor - debited_minor
    numbers = f"number {first}" if first == last else f"numbers {first} to {last}"
    why = (
        "voided, nothing was debited"
        if worth_minor == 0
        else f"worth {worth_minor} minor units, not delivered yet"
    )
    yield f"{_name(one.record)}: {numbers} of the card before it: {why}"


def _card_differences(
    header: BatchHeader, batch: Sequence[ProvedPayment], came: Total, card: Total
) -> list[str]:
    """Where what came is not what the customs card closed."""
    differences = []
    if came.count != card.count:
        places = {one.record.payment.sequence for one in batch}
        missing = [str(n) for n in range(1, card.count + 1) if n not in places]
        named = f": number {', '.join(missing)} is missing" if missing else ""
        differences.append(
            f"the customs card closed {card.count} payments, {came.count} came{named}"
        )
    if came.sum_minor != card.sum_minor:
        differences.append(
            f"the customs card closed {card.sum_minor} minor units, "
            f"{came.sum_minor} came"
        )
    if chain_of(one.record for one in batch) != header.close.chain:
        unproved = [_name(one.record) for one in batch if one.payment is None]
        suspects = f"; look at {', '.join(unproved)}" if unproved else ""
        differences.append(
            f"the chain of the customs card is over other payments{suspects}"
        )
    return differences


def _payment_differences(one: ProvedPayment) -> list[str]:
    """Where purse and ledger differ over one payment, which is named."""
    name, tx = _name(one.record), one.record.payment.tx
    if one.payment is None:
        booked = _from_float(one)
        if booked:
            return [f"{name}: {booked} minor units booked, and no purse certified it"]
        return []
    differences = []
    if _from_float(one) != tx.amount_minor:
        differences.append(
            f"{name}: the purse was debited {tx.amount_minor} minor units, the ledger "
            f"has {_from_float(one)}"
        )
    left_over = _from_float(one) - sum(
        leg.credit_minor for leg in one.legs if leg.kind is EntryKind.PAYMENT
    )
    if left_over:
        differences.append(f"{name}: its entry does not balance")
    problems = counter_problems(
        one.record.payment, before=one.before, after=one.after, loaded=one.loaded
    )
    return differences + [f"{name}: {problem}" for problem in problems]


def _from_float(one: ProvedPayment) -> int:
    """What was debited to the purse's float for the payment."""
    return sum(
        leg.debit_minor
        for leg in one.legs
        if leg.kind is EntryKind.PAYMENT
        and leg.account.kind is AccountKind.PURSE_FLOAT
        and leg.account.owner == one.record.payment.tx.cid.hex().upper()
    )


def _to_payee(one: ProvedPayment) -> int:
    """What of it is on accounts of offices."""
    return sum(
        leg.credit_minor - leg.debit_minor
        for leg in one.legs
        if leg.account.kind in _PAYEES
    )


def _total(amounts: Iterable[int]) -> Total:
    listed = list(amounts)
    return Total(count=len(listed), sum_minor=sum(listed))


def _name(row: RecordRow) -> str:
    sent = row.payment
    declaration = f" ({sent.details.declaration})" if sent.details else ""
    return (
        f"payment {sent.sequence}, STAN {sent.stan}{declaration}, card "
        f"{sent.tx.card_number_masked}"
    )
