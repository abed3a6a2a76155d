"""Money in suspense ends as two officers decide, once, and never against its TAC."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.bank import Bank
from settlement.check.bank import FindingCode, check_bank
from settlement.clearing import IncidentCode
from settlement.errors import DualControlError, OfficerError
from settlement.incident_desk import IncidentDesk
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account, payee_account
from settlement.payment import PaymentKind
from settlement.store.incidents import IncidentOutcome
from settlement.store.suspense import SuspenseOutcome
from settlement.suspense import SuspenseDesk, ages_of
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    from settlement.store.officers import OfficerRow

    Desk = Any
    Staff = Any

DATABASES = ("sqlite", "postgresql")
CID = bytes.fromhex("64 00 00 00 00 00 00 01")
FLOAT = Account.purse_float(CID, 512)
CUSTOMER = Account.customer("0100000001", 512)
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
DEPOSITS = payee_account(PaymentKind.DEPOSITS, "SOHAR", 512)
SUSPENSE = Account.suspense(512)
AMOUNT = 1234
FEES = (PaymentKind.FEES, "SOHAR")


@pytest.fixture
def staff(desk: Desk) -> Staff:
    return desk.staff()


def balances(desk: Desk) -> dict[str, int]:
    names = {"float": FLOAT, "customer": CUSTOMER, "fees": REVENUE}
    names |= {"deposits": DEPOSITS, "suspense": SUSPENSE}
    return {name: desk.balance(account) for name, account in names.items()}


def changed(desk: Desk, before: dict[str, int]) -> dict[str, int]:
    after = balances(desk)
    return {name: after[name] - before[name] for name in after if after != before} | {}


def moved(desk: Desk, before: dict[str, int]) -> dict[str, int]:
    return {name: by for name, by in changed(desk, before).items() if by}


def held(desk: Desk) -> None:
    """A payment that was really debited; nobody knows for what."""
    purse = desk.loaded_purse(500_000)
    desk.customs.records = [replace(desk.customs.pay(purse, AMOUNT), details=None)]
    desk.send()


def suspended(desk: Desk) -> None:
    """A payment under keys that the bank does not have yet."""
    purse = desk.loaded_purse(500_000)
    desk.customs.pay(purse, AMOUNT)
    purse.keys, purse.kv = newer_keys(), 2
    record = purse.sign(replace(desk.customs.records[0], kv=2))
    desk.customs.records = [record]
    desk.send()


def newer_keys() -> MasterKeyStore:
    (first,) = TEST_MASTERS.versions
    return MasterKeyStore(replace(TEST_MASTERS, versions=(first, replace(first, kv=2))))


def forged(desk: Desk) -> None:
    purse = desk.loaded_purse(500_000)
    record = desk.customs.pay(purse, AMOUNT)
    desk.customs.records = [replace(record, tac=bytes(8))]
    desk.send()


def only(desk: Desk) -> Any:
    with desk.store.read() as books:
        (found,) = books.suspense.waiting()
    return found


def propose(
    desk: Desk,
    by: OfficerRow,
    outcome: SuspenseOutcome,
    payee: tuple[PaymentKind, str] | None = FEES,
    keys: MasterKeyStore | None = None,
) -> int:
    office = SuspenseDesk(desk.store, keys or desk.keys)
    return office.propose(only(desk), outcome, payee, desk.by(by)).number


def approve(
    desk: Desk, number: int, by: OfficerRow, keys: MasterKeyStore | None = None
) -> None:
    SuspenseDesk(desk.store, keys or desk.keys).approve(number, desk.by(by))


@pytest.mark.parametrize(
    ("outcome", "payee", "to"),
    [
        (SuspenseOutcome.PAID, FEES, "fees"),
        (SuspenseOutcome.PAID, (PaymentKind.DEPOSITS, "SOHAR"), "deposits"),
        (SuspenseOutcome.RETURNED, None, "customer"),
    ],
    ids=["paid as fees", "paid as deposits", "returned"],
)
def test_a_held_payment_leaves_suspense_by_a_further_entry(
    desk: Desk,
    staff: Staff,
    outcome: SuspenseOutcome,
    payee: tuple[PaymentKind, str] | None,
    to: str,
) -> None:
    held(desk)
    before = balances(desk)
    number = propose(desk, staff["huda"], outcome, payee)
    assert moved(desk, before) == {}, "a proposal moves nothing"
    approve(desk, number, staff["said"])
    assert moved(desk, before) == {"suspense": -AMOUNT, to: AMOUNT}
    assert desk.open_incidents() == []
    assert check_bank(desk.store, desk.keys).findings == ()
    with desk.store.read() as books:
        assert books.suspense.waiting() == []
    with pytest.raises(DualControlError, match="approved by said"):
        approve(desk, number, staff["zahra"])
    assert moved(desk, before) == {"suspense": -AMOUNT, to: AMOUNT}


def test_nobody_resolves_suspense_alone(desk: Desk, staff: Staff) -> None:
    held(desk)
    before = balances(desk)
    number = propose(desk, staff["said"], SuspenseOutcome.RETURNED, None)
    with pytest.raises(DualControlError, match="another officer"):
        approve(desk, number, staff["said"])
    with pytest.raises(DualControlError, match="may not approve"):
        approve(desk, number, staff["huda"])
    assert moved(desk, before) == {}
    assert only(desk).resolution is None
    approve(desk, number, staff["zahra"])
    assert moved(desk, before) == {"suspense": -AMOUNT, "customer": AMOUNT}


def test_a_forged_payment_is_written_off_and_never_accepted(
    desk: Desk, staff: Staff
) -> None:
    forged(desk)
    before = balances(desk)
    for outcome in (SuspenseOutcome.PAID, SuspenseOutcome.RETURNED):
        with pytest.raises(DualControlError, match="it cannot be"):
            propose(desk, staff["huda"], outcome)
    with pytest.raises(DualControlError, match=r"TAC.* is wrong"):
        propose(desk, staff["huda"], SuspenseOutcome.ACCEPTED)
    approve(
        desk, propose(desk, staff["huda"], SuspenseOutcome.WRITTEN_OFF), staff["said"]
    )
    assert moved(desk, before) == {}
    report = check_bank(desk.store, desk.keys)
    assert report.findings == ()
    assert [total.unbooked_minor for total in report.totals] == [0]
    assert desk.open_incidents() == []


def test_a_payment_is_accepted_once_its_keys_are_there(
    desk: Desk, staff: Staff
) -> None:
    suspended(desk)
    before = balances(desk)
    with pytest.raises(DualControlError, match="cannot be accepted"):
        propose(desk, staff["huda"], SuspenseOutcome.ACCEPTED)
    number = propose(desk, staff["huda"], SuspenseOutcome.ACCEPTED, keys=newer_keys())
    with pytest.raises(DualControlError, match="cannot be accepted"):
        approve(desk, number, staff["said"])
    assert moved(desk, before) == {}, "it was verified again, and nothing was kept"
    approve(desk, number, staff["said"], newer_keys())
    assert moved(desk, before) == {"float": -AMOUNT, "fees": AMOUNT}
    # The card was registered with the older keys, and a person is told so.
    assert desk.open_incidents() == [IncidentCode.KEY_VERSION]
    assert check_bank(desk.store, newer_keys()).findings == ()
    assert check_bank(desk.store, None).findings == ()


def test_what_was_paid_meanwhile_is_not_accepted(desk: Desk, staff: Staff) -> None:
    suspended(desk)
    record = only(desk).record.payment
    number = propose(desk, staff["huda"], SuspenseOutcome.ACCEPTED, keys=newer_keys())
    desk.customs.batch += 1
    desk.customs.records = [record]
    again = Bank(desk.store, newer_keys())
    header = desk.customs.close()
    assert again.begin_batch(header, desk.clock()).code == "00"
    (answer,) = again.take_payments(header, [record], desk.clock())
    assert answer.code == "00"
    before = balances(desk)
    with pytest.raises(DualControlError, match="cannot be accepted"):
        approve(desk, number, staff["said"], newer_keys())
    assert moved(desk, before) == {}


def test_the_incident_of_waiting_money_closes_with_it(desk: Desk, staff: Staff) -> None:
    held(desk)
    incidents = IncidentDesk(desk.store)
    with pytest.raises(OfficerError, match="waits in suspense"):
        incidents.resolve(1, IncidentOutcome.EXPLAINED, desk.by(staff["huda"]))
    number = propose(desk, staff["huda"], SuspenseOutcome.RETURNED, None)
    approve(desk, number, staff["said"])
    case = incidents.case(1)
    assert not case.noted.is_open
    assert case.noted.closed_because == (
        "returned, as huda proposed and said approved (proposal 4)"
    )
    assert [row.officer for row in case.work] == ["said"]


def test_a_payment_that_names_no_account_needs_one(desk: Desk, staff: Staff) -> None:
    held(desk)
    with pytest.raises(DualControlError, match="name the account"):
        propose(desk, staff["huda"], SuspenseOutcome.PAID, None)
    nowhere = (PaymentKind.FEES, "NOWHERE")
    with pytest.raises(DualControlError, match="No terminal"):
        propose(desk, staff["huda"], SuspenseOutcome.PAID, nowhere)


def test_ages_add_up(desk: Desk) -> None:
    held(desk)
    for days, age in ((0, "0-7"), (7, "0-7"), (8, "8-30"), (31, "31-90"), (91, "over")):
        now = desk.clock.now.__class__.fromtimestamp(
            desk.clock.now.timestamp() + days * 86_400, desk.clock.now.tzinfo
        )
        (found,) = ages_of([only(desk)], now)
        assert found.age.startswith(age)
        assert (found.count, found.sum_minor, found.currency) == (1, AMOUNT, 512)


RESOLVE = (
    "INSERT INTO suspense_resolution SELECT terminal_id, mid, batch, stan, cid, otc,"
    " '{outcome}', {account}, {proposal}, received_at FROM record"
)
TO_CUSTOMER = "(SELECT id FROM account WHERE owner = '0100000001')"
TO_ANOTHER = "(SELECT id FROM account WHERE owner = '0100000002')"
ELSEWHERE = "(SELECT id FROM account WHERE kind = 'customs revenue')"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            RESOLVE.format(outcome="returned", account=TO_CUSTOMER, proposal=4),
            "two officers who agree",
        ),
        (
            RESOLVE.format(outcome="returned", account=TO_CUSTOMER, proposal=1),
            "two officers who agree",
        ),
        (
            RESOLVE.format(outcome="returned", account="NULL", proposal=5),
            "two officers who agree|outcome_known",
        ),
        (
            RESOLVE.format(outcome="paid", account=TO_CUSTOMER, proposal=5),
            "two officers who agree",
        ),
        (
            RESOLVE.format(outcome="returned", account=ELSEWHERE, proposal=5),
            "two officers who agree",
        ),
        (
            RESOLVE.format(outcome="returned", account=TO_ANOTHER, proposal=5),
            "two officers who agree",
        ),
        (
            "INSERT INTO entry SELECT 99, 'suspense resolution', hex(cid), otc, cid,"
            " 512, amount_minor, received_at, '' FROM record",
            "legs of an entry|leaves it only",
        ),
        (
            "INSERT INTO incident_closed SELECT id, 'by hand', at FROM incident",
            "closes by an officer",
        ),
    ],
    ids=[
        "not approved",
        "about something else",
        "without an account",
        "otherwise",
        "elsewhere",
        "to another customer",
        "entry without an end",
        "incident by hand",
    ],
)
def test_the_database_itself_refuses_what_two_did_not_agree_on(
    desk: Desk, staff: Staff, statement: str, message: str
) -> None:
    held(desk)
    desk.issuing.open_account(
        number="0100000002", holder="Another", currency=512, deposit_minor=1
    )
    number = propose(desk, staff["huda"], SuspenseOutcome.RETURNED, None)
    assert number == 4
    office = SuspenseDesk(desk.store, desk.keys)
    office.reject(number, desk.by(staff["said"]))
    # Approved, and its execution cut out: what a broken program might leave.
    again = propose(desk, staff["huda"], SuspenseOutcome.RETURNED, None)
    with raw_connection(desk.place) as connection:
        connection.execute(
            "INSERT INTO proposal_decision SELECT number, TRUE, digest, 'x', 'said',"
            f" at FROM proposal WHERE number = {again}"
        )
        connection.commit()
        with pytest.raises(RawIntegrityError, match=message):
            connection.execute(statement)
        connection.rollback()
        good = RESOLVE.format(outcome="returned", account=TO_CUSTOMER, proposal=again)
        connection.execute(good)
        with pytest.raises(RawIntegrityError, match=r"taken|duplicate key"):
            connection.execute(good)


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        (
            "UPDATE suspense_resolution SET outcome = 'paid'",
            FindingCode.SUSPENSE,
            "otherwise than was approved",
        ),
        (
            "UPDATE proposal_decision SET approved = FALSE WHERE number = 4",
            FindingCode.SUSPENSE,
            "nobody approved",
        ),
        (
            "UPDATE proposal_decision SET officer = 'huda' WHERE number = 4",
            FindingCode.SUSPENSE,
            "approved by the officer who made it",
        ),
        (
            "UPDATE proposal SET reason = 'x', document = document || ' '"
            " WHERE number = 4",
            FindingCode.SUSPENSE,
            "proposal 4 was changed",
        ),
        (
            "DELETE FROM suspense_resolution",
            FindingCode.NO_EVENT,
            "suspense resolution",
        ),
        ("DELETE FROM incident_closed", FindingCode.SUSPENSE, "incident 1 is open"),
        (
            "UPDATE incident_evidence SET data = zeroblob(9)",
            FindingCode.INCIDENT,
            "evidence was changed",
        ),
        (
            "UPDATE incident_work SET text = 'all is well'",
            FindingCode.INCIDENT,
            "no end of suspense",
        ),
        ("DELETE FROM incident_work", FindingCode.INCIDENT, "nothing says why"),
    ],
)
def test_the_check_finds_what_was_changed_behind_their_backs(
    desk: Desk, staff: Staff, statement: str, code: FindingCode, message: str
) -> None:
    held(desk)
    number = propose(desk, staff["huda"], SuspenseOutcome.RETURNED, None)
    approve(desk, number, staff["said"])
    assert desk.found() == {}
    desk.tamper(statement)
    assert message in desk.found()[code]
