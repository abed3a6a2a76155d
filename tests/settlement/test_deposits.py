"""A deposit goes back or is kept on order of customs, once, and never too much."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settlement.deposits import CustomsOrder, DepositRef, Deposits
from settlement.errors import DepositError
from settlement.ledger import Account, EntryKind, payee_account
from settlement.payment import PaymentKind
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.databases import RawConnection

    Desk = Any

DATABASES = ("sqlite", "postgresql")
POSTGRES = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
OMR = 512
HELD = payee_account(PaymentKind.DEPOSITS, "SOHAR", OMR)
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", OMR)
HOLDER = Account.customer("0100000001", OMR)
REF = DepositRef(declaration="DEC-2025-000001")
REFUND, FORFEIT = EntryKind.DEPOSIT_REFUND, EntryKind.DEPOSIT_FORFEITURE


def order(
    number: str = "2025/1",
    amount_minor: int | None = None,
    action: EntryKind = REFUND,
    officer: str = "S. AL HINAI",
) -> CustomsOrder:
    return CustomsOrder(
        number=number, officer=officer, action=action, amount_minor=amount_minor
    )


def paid(desk: Desk, *amounts: int, declaration: str = "") -> Desk:
    """A bank that holds deposits of these amounts."""
    purse = desk.loaded_purse()
    for amount in amounts:
        desk.customs.pay(
            purse, amount, kind=PaymentKind.DEPOSITS, declaration=declaration
        )
    desk.send()
    return desk


@pytest.fixture
def held(desk: Desk) -> Desk:
    """A bank that holds one deposit of 1.000."""
    return paid(desk, 1_000)


def carry_out(desk: Desk, *orders: CustomsOrder, ref: DepositRef = REF) -> None:
    for one in orders:
        Deposits(desk.store, desk.clock).carry_out(ref, one, by="ops")


def balances(desk: Desk) -> tuple[int, int, int]:
    """Held, revenue, and what the customer has more than after the load."""
    return desk.balance(HELD), desk.balance(REVENUE), desk.balance(HOLDER) - 4_500_000


def test_a_deposit_is_refunded_whole_to_the_holders_account(held: Desk) -> None:
    carry_out(held, order())
    assert balances(held) == (0, 0, 1_000)
    assert held.found() == {}


def test_a_deposit_is_refunded_in_part_and_the_rest_is_forfeited(held: Desk) -> None:
    carry_out(held, order("1", 300), order("2", action=FORFEIT))
    assert balances(held) == (0, 700, 300)
    found = Deposits(held.store, held.clock).deposit(REF)
    row = found.row
    assert (row.paid_minor, row.refunded_minor, row.forfeited_minor) == (
        1_000,
        300,
        700,
    )
    assert row.left_minor == 0
    assert [(one.order_number, one.amount_minor) for one in found.orders] == [
        ("1", 300),
        ("2", 700),
    ]
    assert held.found() == {}


def test_a_forfeiture_reaches_the_revenue_of_the_office_that_held_it(
    held: Desk,
) -> None:
    carry_out(held, order(action=FORFEIT))
    assert balances(held) == (0, 1_000, 0)


@pytest.mark.parametrize("action", [REFUND, FORFEIT], ids=str)
@pytest.mark.parametrize("amount", [None, 1_000, 400], ids=str)
def test_the_same_order_again_books_once(
    held: Desk, action: EntryKind, amount: int | None
) -> None:
    deposits = Deposits(held.store, held.clock)
    first = deposits.carry_out(REF, order("7", amount, action), by="ops")
    once = balances(held)
    held.clock.advance(days=1)
    again = deposits.carry_out(REF, order("7", amount, action), by="another")
    assert again == first
    assert balances(held) == once


@pytest.mark.parametrize(
    "other",
    [
        order("7", 300),
        order("7"),
        order("7", 400, FORFEIT),
        order("7", 400, officer="M. AL BALUSHI"),
    ],
    ids=["amount", "all that is left", "action", "officer"],
)
def test_the_same_order_with_other_content_is_refused(
    held: Desk, other: CustomsOrder
) -> None:
    carry_out(held, order("7", 400))
    once = balances(held)
    with pytest.raises(DepositError, match=r"booked already.*No money moved"):
        carry_out(held, other)
    assert balances(held) == once


def test_the_same_order_for_another_payment_is_refused(desk: Desk) -> None:
    paid(desk, 1_000, 2_000)
    carry_out(desk, order("7", 400))
    with pytest.raises(DepositError, match="booked already"):
        carry_out(desk, order("7", 400), ref=DepositRef(declaration="DEC-2025-000002"))
    assert desk.balance(HELD) == 2_600


@pytest.mark.parametrize("action", [REFUND, FORFEIT], ids=str)
def test_no_order_takes_more_than_is_left(held: Desk, action: EntryKind) -> None:
    carry_out(held, order("1", 600))
    with pytest.raises(DepositError, match=r"only 0\.400 OMR is left.*No money moved"):
        carry_out(held, order("2", 401, action))
    assert balances(held) == (400, 0, 600)
    carry_out(held, order("3", 400, action))
    with pytest.raises(DepositError, match="nothing is left"):
        carry_out(held, order("4", action=action))


def test_fees_are_not_given_back_as_deposits(desk: Desk) -> None:
    purse = desk.loaded_purse()
    desk.customs.pay(purse, 1_000)
    desk.send()
    with pytest.raises(DepositError, match="no deposit was paid"):
        carry_out(desk, order())
    assert desk.balance(REVENUE) == 1_000


def test_of_several_deposits_for_a_declaration_one_has_to_be_named(desk: Desk) -> None:
    paid(desk, 1_000, 2_000, declaration="DEC-9")
    ref = DepositRef(declaration="DEC-9")
    with pytest.raises(DepositError, match=r"several .* --entry"):
        carry_out(desk, order(), ref=ref)
    rows = Deposits(desk.store, desk.clock).deposits()
    carry_out(desk, order(), ref=replace(ref, entry_id=rows[1].origin_id))
    left = [row.left_minor for row in Deposits(desk.store, desk.clock).deposits()]
    assert left == [1_000, 0]


def test_a_declaration_is_only_found_whole(desk: Desk) -> None:
    paid(desk, 1_000, declaration='DEC-"_%\\9')
    for other in ("DEC", 'DEC-"_%\\', "dec-", 'DEC-"x%\\9'):
        with pytest.raises(DepositError, match="no deposit"):
            carry_out(desk, order(), ref=DepositRef(declaration=other))
    carry_out(desk, order(), ref=DepositRef(declaration='DEC-"_%\\9'))
    assert desk.balance(HELD) == 0


def test_an_entry_of_another_declaration_is_not_taken(desk: Desk) -> None:
    paid(desk, 1_000, 2_000)
    other = Deposits(desk.store, desk.clock).deposits()[1].origin_id
    with pytest.raises(DepositError, match="no deposit"):
        carry_out(desk, order(), ref=replace(REF, entry_id=other))


def test_deposits_are_listed_by_office(held: Desk) -> None:
    deposits = Deposits(held.store, held.clock)
    assert [row.left_minor for row in deposits.deposits("SOHAR")] == [1_000]
    assert deposits.deposits("MUSCAT") == []


@POSTGRES
def test_orders_that_arrive_together_take_no_more_than_is_left(held: Desk) -> None:
    together = threading.Barrier(4)
    told: list[str] = []

    def carry(number: int) -> None:
        together.wait()
        try:
            carry_out(held, order(str(number), 400))
        except DepositError as error:
            told.append(str(error))

    threads = [threading.Thread(target=carry, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balances(held) == (200, 0, 800)
    assert [text for text in told if "is left" in text] == told
    assert len(told) == 2
    assert held.found() == {}


@SQLITE
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    orders=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "3"]),
            st.sampled_from([REFUND, FORFEIT]),
            st.none() | st.integers(1, 1_200),
        ),
        max_size=8,
    )
)
def test_whatever_is_ordered_no_unit_is_lost_or_made(
    new_desk: Callable[[], Desk], orders: list[tuple[str, EntryKind, int | None]]
) -> None:
    desk = paid(new_desk(), 1_000)
    for number, action, amount in orders:
        try:
            carry_out(desk, order(number, amount, action))
        except DepositError:
            continue
    kept = balances(desk)
    assert sum(kept) == 1_000
    assert min(kept) >= 0
    assert desk.found() == {}


_LEGS = (
    "INSERT INTO leg VALUES (99, 1, {debited}, {minor}, 0),"
    " (99, 2, {credited}, 0, {minor})"
)
_ENTRY = (
    "INSERT INTO entry VALUES (99, '{kind}', 'SOHAR', {number},"
    " (SELECT cid FROM purse), 512, {minor}, '2025', '')"
)
_ORDER = (
    "INSERT INTO deposit_order VALUES (1, 'SOHAR', '9', '{kind}',"
    " (SELECT cid FROM purse), 1, {origin}, {minor}, 512, FALSE, 'x', 'y', '2025')"
)


def _accounts(raw: RawConnection) -> dict[str, int]:
    return dict(raw.execute("SELECT kind, id FROM account"))


@pytest.mark.parametrize(
    ("ordered_minor", "booked_minor", "kind", "to", "told"),
    [
        (1_001, 1_001, REFUND, "customer", "no more can be taken than is left"),
        (600, 700, REFUND, "customer", "only on an order"),
        (None, 600, REFUND, "customer", "only on an order|no more can be"),
        (600, 600, REFUND, "customs revenue", "refunded to the card's holder|between"),
        (600, 600, FORFEIT, "customer", "forfeited to the office|between"),
        (600, 600, FORFEIT, "merchant", "forfeited to the office|between"),
    ],
    ids=[
        "more than held",
        "more than ordered",
        "without an order",
        "a refund to revenue",
        "a forfeiture to the customer",
        "a forfeiture to the merchant",
    ],
)
def test_the_database_itself_refuses(
    held: Desk,
    ordered_minor: int | None,
    booked_minor: int,
    kind: EntryKind,
    to: str,
    told: str,
) -> None:
    with raw_connection(held.place) as raw:
        accounts = _accounts(raw)
        [(origin,)] = raw.execute("SELECT id FROM entry WHERE kind = 'payment'")
        if ordered_minor is not None:
            raw.execute(_ORDER.format(kind=kind, origin=origin, minor=ordered_minor))
        legs = _LEGS.format(
            debited=accounts["customs deposits"],
            credited=accounts[to],
            minor=booked_minor,
        )
        raw.execute(legs)
        with pytest.raises(RawIntegrityError, match=told):
            raw.execute(_ENTRY.format(kind=kind, number=1, minor=booked_minor))


def test_the_database_takes_what_this_program_would_book(held: Desk) -> None:
    """The statements above are refused for what they say, not for their form."""
    with raw_connection(held.place) as raw:
        accounts = _accounts(raw)
        [(origin,)] = raw.execute("SELECT id FROM entry WHERE kind = 'payment'")
        raw.execute(_ORDER.format(kind=REFUND, origin=origin, minor=1_000))
        raw.execute(
            _LEGS.format(
                debited=accounts["customs deposits"],
                credited=accounts["customer"],
                minor=1_000,
            )
        )
        assert raw.change(_ENTRY.format(kind=REFUND, number=1, minor=1_000)) == 1


def test_the_database_ties_an_order_to_the_entry_of_its_payment(held: Desk) -> None:
    with (
        raw_connection(held.place) as raw,
        pytest.raises(RawIntegrityError, match="entry of its payment"),
    ):
        raw.execute(_ORDER.format(kind=REFUND, origin=1, minor=1))


@SQLITE
def test_the_database_keeps_an_order_from_being_replaced(held: Desk) -> None:
    carry_out(held, order("9", 10))
    with (
        raw_connection(held.place) as raw,
        pytest.raises(RawIntegrityError, match="noted already"),
    ):
        raw.execute(
            "INSERT OR REPLACE INTO deposit_order SELECT 2, office, order_number,"
            " action, cid, otc, origin_id, 20, currency, whole, officer, noted_by, at"
            " FROM deposit_order"
        )
