"""What was booked wrongly is put right by a further entry and by two officers."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from settlement.corrections import Corrections, Wish
from settlement.deposits import CustomsOrder, DepositRef, Deposits
from settlement.errors import CorrectionError, DepositError, DualControlError
from settlement.fees import FeeCode, Fees
from settlement.ledger import Account, AccountKind, EntryKind, payee_account
from settlement.officers import TwoOfficers
from settlement.payment import PaymentKind
from settlement.store.officers import Role
from tests.databases import RawIntegrityError, raw_connection
from tests.settlement.acting import HUDA, SAID, officer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.databases import RawConnection

    Desk = Any

DATABASES = ("sqlite", "postgresql")
OMR = 512
HELD = payee_account(PaymentKind.DEPOSITS, "SOHAR", OMR)
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", OMR)
HOLDER = Account.customer("0100000001", OMR)
AFTER_LOAD = 4_500_000


@pytest.fixture(autouse=True)
def staff(desk: Desk) -> dict[str, Any]:
    """The officers of the bank, HUDA and SAID among them."""
    made: dict[str, Any] = desk.staff()
    return made


@pytest.fixture
def paid(desk: Desk) -> Desk:
    """A bank with 1.000 of fees and 2.000 of deposits from one card."""
    purse = desk.loaded_purse()
    desk.customs.pay(purse, 1_000)
    desk.customs.pay(purse, 2_000, kind=PaymentKind.DEPOSITS)
    desk.send()
    return desk


def entry_of(desk: Desk, account: Account) -> int:
    """The newest entry of an account."""
    with desk.store.read() as books:
        row = books.ledger.account(account)
        legs = books.history.movements(row.id, start=None, end=None)
        return int(max(leg.entry_id for leg in legs))


def wish(desk: Desk, account: Account = REVENUE, **more: Any) -> Wish:
    return Wish(entry_id=entry_of(desk, account), reason="paid twice", **more)


def correct(desk: Desk, asked: Wish) -> None:
    corrections = Corrections(desk.store, desk.clock)
    row = corrections.propose(asked, by=HUDA)
    corrections.approve(row.number, by=SAID)


def test_a_correction_is_booked_when_another_officer_approves(paid: Desk) -> None:
    corrections = Corrections(paid.store, paid.clock)
    row = corrections.propose(wish(paid, amount_minor=400), by=SAID)
    assert paid.balance(REVENUE) == 1_000
    with pytest.raises(CorrectionError, match=r"said proposed .* cannot approve"):
        corrections.approve(row.number, by=SAID)
    assert paid.balance(REVENUE) == 1_000
    another = officer("zahra", Role.SUPERVISOR)
    corrections.approve(row.number, by=another)
    corrections.approve(row.number, by=another)
    assert paid.balance(REVENUE) == 600
    assert paid.balance(HOLDER) == AFTER_LOAD + 400
    assert paid.found() == {}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.OPERATIONS, "propose reject"),
        (Role.SUPERVISOR, "propose approve reject"),
        (Role.SECURITY, ""),
    ],
)
def test_each_role_may_do_what_is_its_own(paid: Desk, role: Role, may: str) -> None:
    corrections = Corrections(paid.store, paid.clock)
    asked = wish(paid, amount_minor=400)
    waiting = [corrections.propose(asked, by=HUDA).number for _ in range(2)]
    tried = officer("zahra", role)
    attempts: dict[str, Callable[[], object]] = {
        "propose": lambda: corrections.propose(asked, by=tried),
        "approve": lambda: corrections.approve(waiting[0], by=tried),
        "reject": lambda: corrections.reject(waiting[1], by=tried, reason="no"),
    }
    for what, attempt in attempts.items():
        if what in may.split():
            attempt()
        else:
            with pytest.raises(CorrectionError, match=f"may not {what}.*No money"):
                attempt()
    booked = 400 if "approve" in may else 0
    assert paid.balance(HOLDER) == AFTER_LOAD + booked


def test_what_was_rejected_is_never_booked(paid: Desk) -> None:
    corrections = Corrections(paid.store, paid.clock)
    row = corrections.propose(wish(paid), by=HUDA)
    corrections.reject(row.number, by=SAID, reason="it was right")
    with pytest.raises(CorrectionError, match="rejected already by said"):
        corrections.approve(row.number, by=SAID)
    assert paid.balance(REVENUE) == 1_000
    assert corrections.corrections()[0].decided_because == "it was right"
    assert paid.found() == {}


def test_what_was_booked_is_not_rejected_any_more(paid: Desk) -> None:
    correct(paid, wish(paid))
    with pytest.raises(CorrectionError, match="approved already"):
        Corrections(paid.store, paid.clock).reject(1, by=SAID, reason="no")
    assert paid.found() == {}


def test_fees_become_a_deposit_that_can_be_refunded(paid: Desk) -> None:
    correct(paid, wish(paid, credited=HELD))
    deposits = Deposits(paid.store, paid.clock)
    refund = CustomsOrder(number="1", officer="x", action=EntryKind.DEPOSIT_REFUND)
    deposits.carry_out(DepositRef(declaration="DEC-2025-000001"), refund, by="ops")
    assert (paid.balance(REVENUE), paid.balance(HELD)) == (0, 2_000)
    assert paid.balance(HOLDER) == AFTER_LOAD + 1_000
    assert paid.found() == {}


def test_a_deposit_that_was_corrected_away_cannot_be_refunded(paid: Desk) -> None:
    correct(paid, wish(paid, HELD, credited=REVENUE, amount_minor=1_500))
    deposits = Deposits(paid.store, paid.clock)
    refund = CustomsOrder(
        number="1", officer="x", action=EntryKind.DEPOSIT_REFUND, amount_minor=501
    )
    with pytest.raises(DepositError, match=r"only 0\.500 OMR is left"):
        deposits.carry_out(DepositRef(declaration="DEC-2025-000002"), refund, by="ops")
    assert paid.balance(HELD) == 500


def test_a_refund_that_was_wrong_is_held_again_and_refunded_again(paid: Desk) -> None:
    deposits = Deposits(paid.store, paid.clock)
    ref = DepositRef(declaration="DEC-2025-000002")

    def refund(number: str) -> None:
        order = CustomsOrder(
            number=number, officer="x", action=EntryKind.DEPOSIT_REFUND
        )
        deposits.carry_out(ref, order, by="ops")

    refund("1")
    correct(paid, wish(paid, HELD))
    assert paid.balance(HELD) == 2_000
    refund("2")
    assert paid.balance(HELD) == 0
    assert paid.balance(HOLDER) == AFTER_LOAD + 2_000
    assert paid.found() == {}


def test_a_correction_can_be_corrected(paid: Desk) -> None:
    correct(paid, wish(paid, credited=HELD))
    correct(paid, wish(paid, HELD))
    assert (paid.balance(REVENUE), paid.balance(HELD)) == (1_000, 2_000)
    assert paid.found() == {}


def test_a_fee_goes_back_in_part(desk: Desk) -> None:
    fees = Fees(desk.store, desk.clock)
    fees.set_tariff(FeeCode.OTHER, OMR, 500, by="ops")
    fees.charge(FeeCode.OTHER, HOLDER, reference="L", by="ops")
    correct(desk, wish(desk, Account.bank_fees(OMR), amount_minor=200))
    assert desk.balance(Account.bank_fees(OMR)) == 300
    assert desk.found() == {}


def test_the_fee_of_a_load_waits_for_the_load(desk: Desk) -> None:
    """It would go back twice if the card then gave the load up."""
    Fees(desk.store, desk.clock).set_tariff(FeeCode.LOAD, OMR, 100, by="ops")
    purse = desk.issue()
    desk.issuing.authorise_load(purse.ask_load(1_000))
    with pytest.raises(CorrectionError, match="not settled yet"):
        correct(desk, wish(desk, Account.bank_fees(OMR)))


def test_a_deposit_that_never_came_goes_back_to_the_core_bank(desk: Desk) -> None:
    desk.issuing.deposit(number="0100000001", currency=OMR, amount_minor=700)
    correct(desk, wish(desk, HOLDER))
    assert desk.balance(HOLDER) == 5_000_000
    assert desk.found() == {}


def test_no_customer_is_overdrawn_by_a_correction(desk: Desk) -> None:
    purse = desk.issue()
    desk.load(purse, 1_900_000)
    with pytest.raises(CorrectionError, match=r"3,100\.000 OMR can be taken"):
        correct(desk, Wish(entry_id=1, reason="never came"))
    assert desk.balance(HOLDER) == 3_100_000


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"amount_minor": 1_001}, r"1\.000 OMR can be taken"),
        ({"amount_minor": 0}, "can be taken"),
        ({"debited": HELD}, r"0\.000 OMR can be taken"),
        ({"credited": REVENUE}, "lies where"),
        ({"credited": Account.suspense(OMR)}, "does not move"),
        (
            {"credited": Account.purse_float(bytes.fromhex("6400000000000001"), OMR)},
            "does not move",
        ),
        ({"debited": Account.clearing(OMR)}, "does not move"),
        ({"credited": Account.customer("none", OMR)}, "there is no"),
        ({"credited": payee_account(PaymentKind.FEES, "SOHAR", 784)}, "stays in its"),
    ],
    ids=[
        "more than there is",
        "nothing",
        "from where it is not",
        "to where it is",
        "to suspense",
        "to a card",
        "from the core bank",
        "to nowhere",
        "to another currency",
    ],
)
def test_what_cannot_be_corrected_moves_nothing(
    paid: Desk, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(CorrectionError, match=told):
        Corrections(paid.store, paid.clock).propose(wish(paid, **more), by=HUDA)
    assert Corrections(paid.store, paid.clock).corrections() == []


def test_loads_are_settled_by_cards_and_not_corrected(paid: Desk) -> None:
    with pytest.raises(CorrectionError, match="the card itself settles"):
        Corrections(paid.store, paid.clock).propose(
            Wish(entry_id=2, reason="x"), by=HUDA
        )
    with pytest.raises(CorrectionError, match="no entry 99"):
        Corrections(paid.store, paid.clock).propose(
            Wish(entry_id=99, reason="x"), by=HUDA
        )


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\nb"])
def test_a_correction_says_why(paid: Desk, reason: str) -> None:
    with pytest.raises(CorrectionError, match="reason"):
        Corrections(paid.store, paid.clock).propose(
            Wish(entry_id=3, reason=reason), by=HUDA
        )


def test_money_that_has_gone_meanwhile_is_not_moved(paid: Desk) -> None:
    corrections = Corrections(paid.store, paid.clock)
    rows = [corrections.propose(wish(paid), by=HUDA) for _ in range(2)]
    corrections.approve(rows[0].number, by=SAID)
    with pytest.raises(CorrectionError, match=r"0\.000 OMR can be taken"):
        corrections.approve(rows[1].number, by=SAID)
    assert paid.balance(REVENUE) == 0


def test_held_payments_are_left_to_suspense(paid: Desk) -> None:
    purse = paid.loaded_purse(cid=bytes.fromhex("64 00 00 00 00 00 00 02"))
    record = paid.customs.pay(purse, 300)
    paid.customs.records = [replace(record, details=None)]
    header = paid.customs.close()
    paid.bank.begin_batch(header, paid.clock())
    paid.bank.take_payments(header, paid.customs.records, paid.clock())
    with pytest.raises(CorrectionError, match="suspense"):
        Corrections(paid.store, paid.clock).propose(
            wish(paid, Account.suspense(OMR)), by=HUDA
        )


def _account_ids(raw: RawConnection) -> dict[str, int]:
    return dict(raw.execute("SELECT kind, id FROM account"))


def _move_by_hand(raw: RawConnection, minor: int, number: int = 1) -> None:
    kinds = _account_ids(raw)
    raw.execute(
        f"INSERT INTO leg VALUES (99, 1, {kinds[AccountKind.REVENUE]}, {minor}, 0),"
        f" (99, 2, {kinds[AccountKind.CUSTOMER]}, 0, {minor})"
    )
    raw.execute(
        "INSERT INTO entry VALUES (99, 'correction', 'bank',"
        f" {number}, NULL, 512, {minor}, '2025', '')"
    )


def _approve_by_hand(raw: RawConnection, name: str, number: int = 1) -> None:
    raw.execute(
        "INSERT INTO correction_decision VALUES"
        f" ({number}, 'approved', '', '{name}', '2025')"
    )


def test_the_database_wants_a_second_officer(paid: Desk) -> None:
    Corrections(paid.store, paid.clock).propose(wish(paid), by=HUDA)
    with raw_connection(paid.place) as raw:
        with pytest.raises(RawIntegrityError, match="a second officer"):
            _move_by_hand(raw, 1_000)
        raw.rollback()
        for name in ("huda", "HUDA"):
            words = r"proposed himself|approved by a supervisor|is not disabled"
            with pytest.raises(RawIntegrityError, match=words):
                _approve_by_hand(raw, name)
            raw.rollback()
        _approve_by_hand(raw, "said")
        raw.commit()
        with pytest.raises(RawIntegrityError, match="a second officer"):
            _move_by_hand(raw, 999)
        raw.rollback()
        _move_by_hand(raw, 1_000)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_nobody_else_waits_for_a_correction_that_is_under_way(paid: Desk) -> None:
    Corrections(paid.store, paid.clock).propose(wish(paid), by=HUDA)
    with raw_connection(paid.place) as raw, raw_connection(paid.place) as other:
        _approve_by_hand(raw, "said")
        _move_by_hand(raw, 1_000)
        # Were it to wait for the other transaction, it would be told so.
        other.execute("SET lock_timeout = '3s'")
        other.execute("INSERT INTO leg VALUES (98, 1, 2, 5, 0), (98, 2, 1, 0, 5)")
        other.execute(
            "INSERT INTO entry VALUES (98, 'deposit', '0100000001', 1, NULL, 512, 5,"
            " '2025', '')"
        )


def test_the_database_takes_no_more_than_is_there(paid: Desk) -> None:
    corrections = Corrections(paid.store, paid.clock)
    rows = [corrections.propose(wish(paid), by=HUDA) for _ in range(2)]
    corrections.approve(rows[0].number, by=SAID)
    with raw_connection(paid.place) as raw:
        _approve_by_hand(raw, "said", 2)
        with pytest.raises(RawIntegrityError, match="no more can be taken"):
            _move_by_hand(raw, 1_000, 2)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("2, 2, 2", "not corrected"),
        ("2, 1, 2", "with which the money came|not corrected"),
        ("2, 3, 4", "with which the money came"),
    ],
    ids=["a load", "a load of another", "another origin"],
)
def test_the_database_ties_a_correction_to_its_entry(
    paid: Desk, columns: str, told: str
) -> None:
    with raw_connection(paid.place) as raw:
        kinds = _account_ids(raw)
        sides = f"{kinds['customs revenue']}, {kinds['customer']}"
        values = f"{columns}, {sides}, 5, 512, 'x', 'huda', ''"
        statement = f"INSERT INTO correction VALUES ({values})"
        with pytest.raises(RawIntegrityError, match=told):
            raw.execute(statement)


def test_an_officer_who_was_disabled_since_the_password_was_given_does_nothing(
    paid: Desk, staff: dict[str, Any]
) -> None:
    corrections = Corrections(paid.store, paid.clock)
    row = corrections.propose(wish(paid), by=HUDA)
    two = TwoOfficers(first=staff["salim"], second=staff["maryam"], reason="left")
    for name in ("huda", "said"):
        paid.officers().disable(name, two)
    for attempt in (
        partial(corrections.propose, wish(paid), by=HUDA),
        partial(corrections.approve, row.number, by=SAID),
        partial(corrections.reject, row.number, by=SAID, reason="no"),
    ):
        with pytest.raises(DualControlError, match="not an officer of this bank any"):
            attempt()
    with raw_connection(paid.place) as raw:
        with pytest.raises(RawIntegrityError, match="who is not disabled"):
            _approve_by_hand(raw, "said")
        raw.rollback()
        with pytest.raises(RawIntegrityError, match="who is not disabled"):
            raw.execute(
                "INSERT INTO correction SELECT 9, entry_id, origin_id, "
                "debit_account_id, credit_account_id, amount_minor, currency, reason, "
                "proposed_by, at FROM correction"
            )
    assert corrections.approve(row.number, by=staff["zahra"]).decision is not None


@pytest.mark.parametrize("name", ["nobody", "salim"])
def test_the_database_takes_a_correction_of_those_alone_who_may(
    paid: Desk, name: str
) -> None:
    Corrections(paid.store, paid.clock).propose(wish(paid), by=HUDA)
    with raw_connection(paid.place) as raw:
        words = r"approved by a supervisor|is not disabled"
        with pytest.raises(RawIntegrityError, match=words):
            _approve_by_hand(raw, name)
        raw.rollback()
        with pytest.raises(RawIntegrityError, match="by operations or a supervisor"):
            raw.execute(
                "INSERT INTO correction SELECT 9, entry_id, origin_id, "
                "debit_account_id, credit_account_id, amount_minor, currency, reason, "
                f"'{name}', at FROM correction"
            )
