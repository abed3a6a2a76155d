"""The bank charges by its tariff: with the card, with the load, or once by hand."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from settlement import loads
from settlement.errors import FeeError, LoadProblem, LoadRefusedError
from settlement.fees import FeeCode, Fees
from settlement.ledger import Account
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")
OMR = 512
HOLDER = Account.customer("0100000001", OMR)
EARNED = Account.bank_fees(OMR)
FUNDS = 5_000_000
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")


def tariff(desk: Desk, code: FeeCode, amount_minor: int) -> None:
    Fees(desk.store, desk.clock).set_tariff(code, OMR, amount_minor, by="ops")


def test_nothing_is_charged_without_a_tariff(desk: Desk) -> None:
    desk.loaded_purse(1_000)
    assert desk.balance(HOLDER) == FUNDS - 1_000
    assert desk.balance(EARNED) == 0


def test_a_card_is_charged_when_it_is_registered_and_once(desk: Desk) -> None:
    tariff(desk, FeeCode.CARD_ISSUE, 2_000)
    desk.issue()
    desk.issue()
    assert (desk.balance(HOLDER), desk.balance(EARNED)) == (FUNDS - 2_000, 2_000)
    assert desk.found() == {}


def test_a_card_whose_fee_is_not_covered_is_not_registered(desk: Desk) -> None:
    tariff(desk, FeeCode.CARD_ISSUE, FUNDS + 1)
    with pytest.raises(FeeError, match=r"does not cover .* No money moved"):
        desk.issue()
    with desk.store.read() as books:
        assert books.cards.purses() == []
    assert desk.balance(HOLDER) == FUNDS


def test_a_load_is_charged_with_its_booking_and_once(desk: Desk) -> None:
    tariff(desk, FeeCode.LOAD, 100)
    purse = desk.issue()
    request = purse.ask_load(1_000)
    assert desk.issuing.authorise_load(request) == desk.issuing.authorise_load(request)
    assert (desk.balance(HOLDER), desk.balance(EARNED)) == (FUNDS - 1_100, 100)
    assert desk.found() == {}


def test_a_load_that_is_voided_gets_its_fee_back(desk: Desk) -> None:
    tariff(desk, FeeCode.LOAD, 100)
    purse = desk.issue()
    request = purse.ask_load(1_000)
    vmac = purse.burn_load(request, desk.issuing.authorise_load(request))
    for _ in range(2):
        desk.issuing.void_load(purse.cid, ltc=request.ltc, vmac=vmac)
    assert (desk.balance(HOLDER), desk.balance(EARNED)) == (FUNDS, 0)
    assert desk.found() == {}


def test_an_account_has_to_cover_the_load_and_its_fee(desk: Desk) -> None:
    first = desk.loaded_purse(2_000_000)
    second = desk.issue(OTHER_CID)
    desk.load(second, 2_000_000)
    assert first.balance_minor == second.balance_minor
    third = desk.issue(bytes.fromhex("64 00 00 00 00 00 00 03"))
    tariff(desk, FeeCode.LOAD, 100)
    with pytest.raises(LoadRefusedError, match=r"and the fee of 0\.100") as refused:
        desk.issuing.authorise_load(third.ask_load(999_901))
    assert refused.value.problem is LoadProblem.FUNDS
    assert desk.balance(HOLDER) == 1_000_000
    desk.issuing.authorise_load(third.ask_load(999_900))
    assert desk.balance(HOLDER) == 0


def test_a_new_tariff_holds_for_what_comes_after_it(desk: Desk) -> None:
    tariff(desk, FeeCode.LOAD, 100)
    purse = desk.loaded_purse(1_000)
    tariff(desk, FeeCode.LOAD, 250)
    desk.load(purse, 1_000)
    tariff(desk, FeeCode.LOAD, 0)
    desk.load(purse, 1_000)
    fees = Fees(desk.store, desk.clock)
    assert [(row.amount_minor, row.tariff_serial) for row in fees.fees()] == [
        (100, 1),
        (250, 2),
    ]
    assert [row.amount_minor for row in fees.tariffs()] == [100, 250, 0]
    assert desk.found() == {}


def test_the_same_tariff_again_is_nothing(desk: Desk) -> None:
    tariff(desk, FeeCode.LOAD, 100)
    tariff(desk, FeeCode.LOAD, 100)
    assert len(Fees(desk.store, desk.clock).tariffs()) == 1


def test_a_fee_is_charged_by_hand_once_for_each_reference(desk: Desk) -> None:
    tariff(desk, FeeCode.STATEMENT_COPY, 500)
    fees = Fees(desk.store, desk.clock)
    first = fees.charge(FeeCode.STATEMENT_COPY, HOLDER, reference="L-1", by="ops")
    assert fees.charge(FeeCode.STATEMENT_COPY, HOLDER, reference="L-1", by="x") == first
    fees.charge(FeeCode.STATEMENT_COPY, HOLDER, reference="L-2", by="ops")
    assert (desk.balance(HOLDER), desk.balance(EARNED)) == (FUNDS - 1_000, 1_000)
    assert desk.found() == {}


def test_what_cannot_be_charged_by_hand_moves_nothing(desk: Desk) -> None:
    fees = Fees(desk.store, desk.clock)
    with pytest.raises(FeeError, match="the tariff has no"):
        fees.charge(FeeCode.OTHER, HOLDER, reference="L", by="ops")
    tariff(desk, FeeCode.OTHER, FUNDS + 1)
    with pytest.raises(FeeError, match="does not cover"):
        fees.charge(FeeCode.OTHER, HOLDER, reference="L", by="ops")
    with pytest.raises(FeeError, match="by itself"):
        fees.charge(FeeCode.LOAD, HOLDER, reference="L", by="ops")
    with pytest.raises(FeeError, match="no account"):
        fees.charge(FeeCode.OTHER, Account.customer("9", OMR), reference="L", by="ops")
    tariff(desk, FeeCode.OTHER, 5)
    desk.issuing.open_account(number="2", holder="B", currency=OMR, deposit_minor=50)
    fees.charge(FeeCode.OTHER, HOLDER, reference="L", by="ops")
    with pytest.raises(FeeError, match="charged to account 0100000001 already"):
        fees.charge(FeeCode.OTHER, Account.customer("2", OMR), reference="L", by="ops")
    assert desk.balance(HOLDER) == FUNDS - 5


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_fee_does_not_count_on_what_a_load_is_spending(desk: Desk) -> None:
    """Two hosts at once: the fee waits until the load is booked."""
    tariff(desk, FeeCode.OTHER, 3_500_000)
    request = desk.issue().ask_load(2_000_000)
    told: list[str] = []

    def charge() -> None:
        try:
            Fees(desk.store, desk.clock).charge(
                FeeCode.OTHER, HOLDER, reference="L", by="ops"
            )
        except FeeError as error:
            told.append(str(error))

    thread = threading.Thread(target=charge)
    with raw_connection(desk.place) as raw, desk.store.write() as books:
        loads.check_request(books, desk.keys, request)
        thread.start()
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while thread.is_alive() and not raw.execute(waiting):
            raw.rollback()
        loads.book_load(books, request, desk.clock())
    thread.join()
    assert "does not cover" in "".join(told)
    assert desk.balance(HOLDER) == FUNDS - 2_000_000


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "INSERT INTO bank_fee SELECT 9, code, 'x', 0, account_id, amount_minor + 1,"
            " currency, tariff_serial, '', at FROM bank_fee",
            "what the tariff says",
        ),
        (
            "INSERT INTO entry SELECT 99, 'bank fee', subject, 2, NULL, currency,"
            " amount_minor, booked_at, '' FROM entry WHERE kind = 'bank fee'",
            "charged once, by the tariff",
        ),
        (
            "INSERT INTO entry SELECT 99, 'bank fee reversal', subject, 1, NULL,"
            " currency, amount_minor, booked_at, '' FROM entry WHERE kind = 'bank fee'",
            "only when the purse voided it",
        ),
    ],
    ids=["not by the tariff", "without a fee", "given back without a void"],
)
def test_the_database_itself_refuses(desk: Desk, statement: str, told: str) -> None:
    tariff(desk, FeeCode.LOAD, 100)
    desk.loaded_purse(1_000)
    with raw_connection(desk.place) as raw:
        kinds = dict(raw.execute("SELECT kind, id FROM account"))
        sides = (kinds["customer"], kinds["bank fees"])
        if "reversal" in statement:
            sides = sides[::-1]
        raw.execute(
            f"INSERT INTO leg VALUES (99, 1, {sides[0]}, 100, 0),"
            f" (99, 2, {sides[1]}, 0, 100)"
        )
        with pytest.raises(RawIntegrityError, match=told):
            raw.execute(statement)
