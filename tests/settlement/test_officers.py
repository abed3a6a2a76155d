"""Officers prove who they are, and two of them decide what takes two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement import dual_control
from settlement.dual_control import ActionKind
from settlement.errors import DualControlError, LedgerError, OfficerError
from settlement.officers import FAILURES_MAX, TwoOfficers
from settlement.store.officers import Role
from settlement.store.proposals import ProposalDecision
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    Desk = Any
    Staff = Any

DATABASES = ("sqlite", "postgresql")
PASSWORD = b"ten characters"
DOCUMENT = {"do": "something", "amount_minor": 1234}


@pytest.fixture
def staff(desk: Desk) -> Staff:
    return desk.staff()


def two(staff: Staff, first: str = "salim", second: str = "maryam") -> TwoOfficers:
    return TwoOfficers(first=staff[first], second=staff[second], reason="as agreed")


def test_an_officer_is_who_knows_the_password(desk: Desk, staff: Staff) -> None:
    assert desk.officers().authenticate("huda", PASSWORD) == staff["huda"]
    with pytest.raises(OfficerError, match="password is wrong"):
        desk.officers().authenticate("huda", b"eleven chars")
    with pytest.raises(OfficerError, match="no such officer"):
        desk.officers().authenticate("nobody", PASSWORD)


def test_no_password_is_kept_as_it_is(desk: Desk, staff: Staff) -> None:
    with desk.store.read() as books:
        stored = books.officers.password("huda")
    assert stored.hash.startswith("$argon2id$")
    assert PASSWORD.decode() not in stored.hash
    assert stored.hash not in repr(stored)


def test_wrong_passwords_in_a_row_lock_out_for_good(desk: Desk, staff: Staff) -> None:
    officers = desk.officers()
    for left in range(FAILURES_MAX - 1, -1, -1):
        tries = "1 try is" if left == 1 else f"{left} tries are"
        with pytest.raises(OfficerError, match=f"{tries} left"):
            officers.authenticate("huda", b"wrong one, sorry")
    desk.clock.advance(days=400)
    with pytest.raises(OfficerError, match="locked out"):
        officers.authenticate("huda", PASSWORD)
    officers.reset_password("huda", b"quite another", two(staff))
    assert officers.authenticate("huda", b"quite another").name == "huda"
    with pytest.raises(OfficerError, match="wrong"):
        officers.authenticate("huda", PASSWORD)


def test_a_right_password_wins_the_tries_back(desk: Desk, staff: Staff) -> None:
    officers = desk.officers()
    for _ in range(FAILURES_MAX):
        for _ in range(FAILURES_MAX - 1):
            with pytest.raises(OfficerError):
                officers.authenticate("huda", b"wrong one, sorry")
        officers.authenticate("huda", PASSWORD)


def test_an_attempt_counts_even_if_the_program_dies_before_it_is_compared(
    desk: Desk, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    officers = desk.officers()

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(officers, "_is_right", die)
    for _ in range(FAILURES_MAX):
        with pytest.raises(KeyboardInterrupt):
            officers.authenticate("huda", PASSWORD)
    with pytest.raises(OfficerError, match="locked out"):
        desk.officers().authenticate("huda", PASSWORD)


def test_officers_are_managed_by_two_security_officers(
    desk: Desk, staff: Staff
) -> None:
    officers = desk.officers()
    assert officers.takes_two()
    with pytest.raises(OfficerError, match="two of them together"):
        officers.add("third", "", Role.SECURITY, PASSWORD, None)
    with pytest.raises(DualControlError, match="another officer"):
        officers.add("third", "", Role.SECURITY, PASSWORD, two(staff, second="salim"))
    with pytest.raises(DualControlError, match="may not approve"):
        officers.add("third", "", Role.SECURITY, PASSWORD, two(staff, second="said"))
    with pytest.raises(DualControlError, match="may not propose"):
        officers.disable("huda", two(staff, first="said"))
    assert len(officers.officers()) == len(staff)
    officers.disable("huda", two(staff))
    with pytest.raises(OfficerError, match="disabled"):
        officers.authenticate("huda", PASSWORD)
    with pytest.raises(OfficerError, match="never given again"):
        officers.add("huda", "", Role.OPERATIONS, PASSWORD, two(staff))


@pytest.mark.parametrize("name", ["", "Huda", "h", "hu da", "../x", "x" * 33])
def test_a_name_to_sign_on_with_is_plain(desk: Desk, staff: Staff, name: str) -> None:
    with pytest.raises(OfficerError, match="no name"):
        desk.officers().add(name, "", Role.OPERATIONS, PASSWORD, two(staff))


def test_a_short_password_is_refused(desk: Desk, staff: Staff) -> None:
    with pytest.raises(OfficerError, match="at least 10"):
        desk.officers().change_password("huda", PASSWORD, b"nine char")


def propose(desk: Desk, officer: Any, subject: str = "it") -> Any:
    with desk.store.write() as books:
        return dual_control.propose(
            books,
            ActionKind.CORRECTION,
            subject=subject,
            document=DOCUMENT,
            by=desk.by(officer, "a slip"),
        )


def test_what_one_proposes_another_approves(desk: Desk, staff: Staff) -> None:
    proposed = propose(desk, staff["huda"])
    desk.clock.advance(days=1000)
    with desk.store.write() as books:
        done = dual_control.approve(
            books, proposed.number, ActionKind.CORRECTION, desk.by(staff["said"])
        )
    with desk.store.read() as books:
        assert books.proposals.proposal(proposed.number) == done
    assert dual_control.document_of(done) == DOCUMENT
    assert done.decision is not None
    assert (done.officer, done.decision.officer) == ("huda", "said")


@pytest.mark.parametrize(
    ("proposer", "approver", "message"),
    [
        ("said", "said", "another officer"),
        ("said", "huda", "may not approve"),
        ("huda", "salim", "may not approve"),
    ],
)
def test_who_may_not_approve_does_not(
    desk: Desk, staff: Staff, proposer: str, approver: str, message: str
) -> None:
    number = propose(desk, staff[proposer]).number
    with pytest.raises(DualControlError, match=message), desk.store.write() as books:
        dual_control.approve(
            books, number, ActionKind.CORRECTION, desk.by(staff[approver])
        )
    with desk.store.read() as books:
        assert books.proposals.proposal(number).decision is None


def test_a_proposal_is_decided_once(desk: Desk, staff: Staff) -> None:
    number = propose(desk, staff["huda"]).number
    with pytest.raises(DualControlError, match="waits"):
        propose(desk, staff["said"])
    with desk.store.write() as books:
        dual_control.reject(
            books, number, ActionKind.CORRECTION, desk.by(staff["huda"])
        )
    for decide in (dual_control.approve, dual_control.reject):
        with (
            pytest.raises(DualControlError, match="rejected by huda"),
            desk.store.write() as books,
        ):
            decide(books, number, ActionKind.CORRECTION, desk.by(staff["said"]))
    with (
        pytest.raises(DualControlError, match="no proposal"),
        desk.store.write() as books,
    ):
        dual_control.approve(books, number, ActionKind.SUSPENSE, desk.by(staff["said"]))
    assert propose(desk, staff["said"]).number == number + 1


def test_a_reason_is_needed(desk: Desk, staff: Staff) -> None:
    with (
        pytest.raises(DualControlError, match="reason"),
        desk.store.write() as books,
    ):
        dual_control.propose(
            books,
            ActionKind.CORRECTION,
            subject="it",
            document=DOCUMENT,
            by=desk.by(staff["huda"], "  "),
        )


def test_a_proposal_that_was_changed_in_the_file_is_not_approved(
    desk: Desk, staff: Staff
) -> None:
    number = propose(desk, staff["huda"]).number
    desk.tamper("UPDATE proposal SET document = replace(document, '1234', '9999')")
    with (
        pytest.raises(DualControlError, match="not as it was proposed"),
        desk.store.write() as books,
    ):
        dual_control.approve(
            books, number, ActionKind.CORRECTION, desk.by(staff["said"])
        )


DECIDE = (
    "INSERT INTO proposal_decision SELECT number, TRUE, {digest}, 'x', '{officer}', at"
    " FROM proposal WHERE kind = 'correction'"
)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (DECIDE.format(digest="digest", officer="huda"), "of his or her own"),
        (DECIDE.format(digest="digest", officer="salima"), "supervisor or a security"),
        (DECIDE.format(digest="zeroblob(32)", officer="said"), "not what was proposed"),
        (DECIDE.format(digest="digest", officer="zahra"), "not disabled"),
        (
            "INSERT INTO proposal SELECT 99, kind, subject, document, digest, reason,"
            " officer, at FROM proposal WHERE kind = 'correction'",
            "undecided proposal",
        ),
        (
            "INSERT INTO proposal SELECT 99, kind, 'other', document, digest, reason,"
            " 'zahra', at FROM proposal WHERE kind = 'correction'",
            "not disabled",
        ),
        (
            "INSERT INTO officer SELECT 'x', 'x', 'security', NULL, at FROM officer"
            " LIMIT 1",
            "two security officers together",
        ),
        (
            "INSERT INTO officer SELECT 'x', 'x', 'security', 1, at FROM officer"
            " LIMIT 1",
            "two security officers together",
        ),
        (
            "INSERT INTO officer_disabled SELECT 'said', 1, at FROM officer LIMIT 1",
            "two security officers together",
        ),
        (
            "INSERT INTO officer_password SELECT 'said', 9, 'x', 1, at FROM officer"
            " LIMIT 1",
            "two security officers together",
        ),
        ("UPDATE officer SET role = 'supervisor'", "append-only"),
        ("DELETE FROM officer_attempt", "append-only"),
        ("UPDATE proposal SET document = ''", "append-only"),
        ("DELETE FROM proposal_decision", "append-only"),
    ],
)
def test_the_database_itself_insists_on_two(
    desk: Desk, staff: Staff, statement: str, message: str
) -> None:
    desk.officers().add("salima", "", Role.OPERATIONS, PASSWORD, two(staff))
    propose(desk, staff["huda"])
    desk.officers().authenticate("said", PASSWORD)
    desk.officers().disable("zahra", two(staff))
    with (
        raw_connection(desk.place) as connection,
        pytest.raises(RawIntegrityError, match=message),
    ):
        connection.execute(statement)


def test_the_rule_of_the_database_is_a_plain_error(desk: Desk, staff: Staff) -> None:
    number = propose(desk, staff["huda"]).number
    with desk.store.read() as books:
        row = books.proposals.proposal(number)
    decision = ProposalDecision(
        approved=True, officer="huda", reason="x", at=desk.clock()
    )
    with (
        pytest.raises(LedgerError, match="his or her own"),
        desk.store.write() as books,
    ):
        books.proposals.decide(row, decision)
