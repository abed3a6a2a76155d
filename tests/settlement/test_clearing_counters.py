"""A purse's counters tell what happened, in whatever order the counters report."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.records import TransactionRecord
from settlement.clearing import counter_problems, never_debited
from settlement.payment import PaymentRecord
from settlement.shadow import loaded_totals, make_shadow
from settlement.store.batches import OpenRow
from settlement.store.cards import LoadOutcome, LoadRow
from settlement.store.records import PaymentRow

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")
NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)
LOADED = 100


def transaction(otc: int, amount: int, tsn: int) -> TransactionRecord:
    return TransactionRecord(
        cid=CID,
        otc=otc,
        mid=MID,
        tsn=tsn,
        amount_minor=amount,
        currency=512,
        at=NOON,
        digest=bytes(8),
    )


def paid(
    otc: int, amount: int, cumulative: int, *, loaded: int = LOADED, tsn: int = 0
) -> PaymentRow:
    """A posted payment with these counters."""
    return PaymentRow(
        cid=CID,
        otc=otc,
        mid=MID,
        tsn=tsn or otc,
        terminal_id="T0000007",
        batch=1,
        stan=otc,
        amount_minor=amount,
        currency=512,
        balance_after_minor=loaded - cumulative,
        cumulative_debit_minor=cumulative,
        tac=bytes(8),
        evidence=bytes(32),
        paid_at=NOON,
    )


def arriving(row: PaymentRow) -> PaymentRecord:
    """The same payment as a terminal sends it."""
    return PaymentRecord(
        stan=row.stan,
        sequence=row.stan,
        details=None,
        tx=transaction(row.otc, row.amount_minor, row.tsn),
        kv=1,
        alg=1,
        balance_after_minor=row.balance_after_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        tac=row.tac,
    )


def problems(
    row: PaymentRow, before: PaymentRow | None, after: PaymentRow | None
) -> list[str]:
    return counter_problems(
        arriving(row), before=before, after=after, loaded=frozenset({0, LOADED})
    )


@given(data=st.data())
def test_every_true_history_is_regular_in_every_order_of_arrival(
    data: st.DataObject,
) -> None:
    amounts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    cumulative, otc, rows = 0, 0, []
    for amount in amounts:
        otc += 1 + data.draw(st.integers(0, 2), label="voided numbers")
        cumulative += amount
        rows.append(paid(otc, amount, cumulative))
    posted: list[PaymentRow] = []
    for row in data.draw(st.permutations(rows)):
        lower = [one for one in posted if one.otc < row.otc]
        higher = [one for one in posted if one.otc > row.otc]
        before = max(lower, key=lambda one: one.otc, default=None)
        after = min(higher, key=lambda one: one.otc, default=None)
        assert problems(row, before, after) == []
        posted.append(row)


@pytest.mark.parametrize(
    ("row", "before", "after"),
    [
        (paid(1, 5, 6), None, None),
        (paid(2, 5, 11), paid(1, 5, 5), None),
        (paid(2, 5, 9), paid(1, 5, 5), None),
        (paid(4, 5, 9), paid(1, 5, 5), None),
        (paid(1, 5, 5), None, paid(2, 5, 11)),
        (paid(1, 5, 5), None, paid(2, 5, 9)),
        (paid(1, 5, 5), None, paid(3, 5, 9)),
        (paid(1, 5, 5, loaded=101), None, None),
    ],
    ids=[
        "the first was debited more",
        "the next was debited more",
        "the next was debited less",
        "a gap of negative worth",
        "the one after was debited more",
        "the one after was debited less",
        "a gap of negative worth after",
        "a balance that was never loaded",
    ],
)
def test_an_impossible_history_is_noticed(
    row: PaymentRow, before: PaymentRow | None, after: PaymentRow | None
) -> None:
    assert len(problems(row, before, after)) == 1


def an_open(otc: int, amount: int, tsn: int = 50) -> OpenRow:
    return OpenRow(stan=9, tx=transaction(otc, amount, tsn), kv=1, rc=bytes(8))


@pytest.mark.parametrize(
    ("same_otc", "before", "after", "expected"),
    [
        (None, None, None, False),
        (None, paid(1, 5, 5), None, False),
        (None, paid(1, 5, 5), paid(3, 5, 10), True),
        (None, paid(1, 5, 5), paid(3, 5, 17), False),
        (None, paid(1, 5, 5), paid(3, 5, 13), True),
        (None, paid(1, 5, 5), paid(4, 5, 10), True),
        (None, paid(1, 5, 5), paid(4, 5, 16), True),
        (None, paid(1, 5, 5), paid(4, 5, 17), False),
        (None, paid(1, 5, 5), paid(4, 5, 30), False),
        (None, None, paid(3, 5, 5), True),
        (None, paid(1, 5, 5), paid(3, 5, 9), False),
        (paid(2, 7, 12), paid(1, 5, 5), None, True),
        (paid(2, 7, 12, tsn=50), paid(1, 5, 5), None, False),
    ],
    ids=[
        "nothing is known",
        "the purse did not come again",
        "it went on and nothing was debited",
        "just this amount was debited, for whomever",
        "another amount was debited under this number",
        "a longer gap worth nothing",
        "a longer gap worth less",
        "a longer gap worth this amount",
        "a longer gap worth more",
        "its first payments were voided",
        "its counters are irregular",
        "the number went to another payment",
        "this very payment is posted",
    ],
)
def test_an_open_record_is_closed_only_on_proof(
    same_otc: PaymentRow | None,
    before: PaymentRow | None,
    after: PaymentRow | None,
    *,
    expected: bool,
) -> None:
    found = never_debited(an_open(2, 7), same_otc=same_otc, before=before, after=after)
    assert found is expected


def loaded(ltc: int, amount: int, *, held: int, outcome: LoadOutcome | None) -> LoadRow:
    return LoadRow(
        cid=CID,
        ltc=ltc,
        lid=bytes(8),
        lsn=ltc,
        amount_minor=amount,
        currency=512,
        kv=1,
        card_balance_minor=held,
        rc=bytes(8),
        m1=bytes(8),
        at=NOON,
        outcome=outcome,
    )


def test_a_shadow_account_is_what_the_certificates_say() -> None:
    loads = [
        loaded(1, 100, held=0, outcome=LoadOutcome.COMPLETED),
        loaded(2, 40, held=70, outcome=LoadOutcome.VOIDED),
        loaded(3, 50, held=60, outcome=LoadOutcome.COMPLETED),
        loaded(4, 20, held=90, outcome=None),
    ]
    shadow = make_shadow(loads, [paid(1, 10, 10), paid(2, 20, 30)])
    assert shadow.loaded_minor == 150
    assert shadow.pending_minor == 20
    assert shadow.posted_minor == 30
    assert shadow.debited_minor == 60
    assert shadow.balance_minor == 90
    assert shadow.balance_max_minor == 110
    assert shadow.uncollected_minor == 30
    assert loaded_totals(loads) == {0, 100, 150, 170}
