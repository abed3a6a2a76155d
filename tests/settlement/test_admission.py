"""Whom the bank lets in: certificates issued, seen in use, replaced, revoked."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modem.certificates import CertificateTrouble, PeerCertificate
from settlement.admission import Admission, certificate_trouble
from settlement.errors import LedgerError
from settlement.pki_files import CertificateFacts
from settlement.store.books import BankStore
from settlement.store.certificates import CertificateRow, IssuedFor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 3, 4, 8, 30, tzinfo=dt.UTC)
END = dt.datetime(2031, 3, 4, tzinfo=dt.UTC)
SEEN = {"seen_at": NOW}
REVOKED = {"revoked_at": NOW, "revoked_for": "stolen", "revoked_by": "auditor"}


def row(number: int, **became: object) -> CertificateRow:
    made = CertificateRow(
        terminal_id="T0000007",
        number=number,
        serial=1000 + number,
        not_before=NOW,
        not_after=END,
        issued_for=IssuedFor.ADMISSION,
        issued_by="auditor",
        issued_at=NOW,
    )
    return replace(made, **became)  # type: ignore[arg-type]  # fields by their names


@pytest.mark.parametrize(
    ("rows", "shown", "trouble"),
    [
        pytest.param([], 1, "UNKNOWN", id="no-certificate"),
        pytest.param([row(1)], 2, "UNKNOWN", id="another-serial"),
        pytest.param([row(1)], 1, None, id="first-use"),
        pytest.param([row(1, **SEEN)], 1, None, id="in-use"),
        pytest.param([row(1, **REVOKED)], 1, "REVOKED", id="revoked"),
        pytest.param([row(1, **SEEN), row(2)], 1, None, id="new-one-on-its-way"),
        pytest.param([row(1, **SEEN), row(2)], 2, None, id="new-one-comes"),
        pytest.param([row(1), row(2, **SEEN)], 1, "REPLACED", id="new-one-was-seen"),
        pytest.param([row(1), row(2, **SEEN), row(3)], 2, None, id="second-of-three"),
        pytest.param(
            [row(1, **SEEN), row(2, **REVOKED)], 1, None, id="unused-new-one-revoked"
        ),
        pytest.param(
            [row(1), row(2, **SEEN, **REVOKED)], 1, "REPLACED", id="no-way-back"
        ),
    ],
)
def test_the_books_decide(
    rows: list[CertificateRow], shown: int, trouble: str | None
) -> None:
    expected = None if trouble is None else CertificateTrouble[trouble]
    assert certificate_trouble(rows, 1000 + shown) is expected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BankStore]:
    with BankStore.create(tmp_path / "bank.sqlite") as store:
        yield store


def issue(store: BankStore, serial: int, terminal_id: str = "T0000007") -> None:
    facts = CertificateFacts(
        name=terminal_id, serial=serial, not_before=NOW, not_after=END
    )
    with store.write() as books:
        books.certificates.add(facts, IssuedFor.RENEWAL, "auditor", NOW)


def shown(serial: int, name: str = "T0000007") -> PeerCertificate:
    return PeerCertificate(name=name, serial=serial, not_before=NOW, not_after=END)


def certificates(store: BankStore) -> list[CertificateRow]:
    with store.read() as books:
        return books.certificates.of_terminal("T0000007")


def let_in(
    store: BankStore, serial: int, at: dt.datetime = NOW
) -> CertificateTrouble | None:
    """Both steps, as the host takes them."""
    admission = Admission(store, lambda: at)
    trouble = admission.admit(shown(serial))
    if trouble is None:
        trouble = admission.note_use(shown(serial), nullcontext())
    return trouble


def test_the_first_use_is_noted_once_and_shuts_out_the_older_one(
    store: BankStore,
) -> None:
    issue(store, 1)
    issue(store, 2)
    later = NOW + dt.timedelta(days=1)
    assert let_in(store, 1) is None
    assert let_in(store, 2) is None
    assert let_in(store, 2, later) is None
    assert [row.seen_at for row in certificates(store)] == [NOW, NOW]
    assert let_in(store, 1, later) is CertificateTrouble.REPLACED


def test_asking_alone_notes_nothing(store: BankStore) -> None:
    issue(store, 1)
    assert Admission(store, lambda: NOW).admit(shown(1)) is None
    [row] = certificates(store)
    assert row.seen_at is None


class Turn:
    """Counts who waits for it, and has something happen first."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.taken = 0
        self._before = before

    def __enter__(self) -> None:
        self.taken += 1
        self._before()

    def __exit__(self, *_: object) -> None:
        pass


def test_only_the_first_use_waits_for_its_turn(store: BankStore) -> None:
    issue(store, 1)
    admission, turn = Admission(store, lambda: NOW), Turn()
    for _ in range(3):
        assert admission.note_use(shown(1), turn) is None
    assert turn.taken == 1


@pytest.mark.parametrize(
    ("change", "trouble"),
    [("revoked", CertificateTrouble.REVOKED), ("newer", CertificateTrouble.REPLACED)],
)
def test_what_happens_while_the_turn_is_waited_for_counts(
    store: BankStore, change: str, trouble: CertificateTrouble
) -> None:
    issue(store, 1)
    issue(store, 2)

    def meanwhile() -> None:
        old, new = certificates(store)
        with store.write() as books:
            if change == "revoked":
                books.certificates.revoke(old, "stolen", "auditor", NOW)
            else:
                books.certificates.note_seen(new, NOW)

    admission = Admission(store, lambda: NOW)
    assert admission.admit(shown(1)) is None
    assert admission.note_use(shown(1), Turn(meanwhile)) is trouble
    assert certificates(store)[0].seen_at is None


def test_a_used_certificate_that_is_revoked_after_it_was_asked_for_stays_out(
    store: BankStore,
) -> None:
    issue(store, 1)
    assert let_in(store, 1) is None
    with store.write() as books:
        books.certificates.revoke(certificates(store)[0], "stolen", "auditor", NOW)
    turn = Turn()
    trouble = Admission(store, lambda: NOW).note_use(shown(1), turn)
    assert trouble is CertificateTrouble.REVOKED
    assert turn.taken == 0


def test_a_serial_counts_only_for_the_terminal_that_it_was_issued_to(
    store: BankStore,
) -> None:
    issue(store, 1, "T0000008")
    assert let_in(store, 1) is CertificateTrouble.UNKNOWN
    unasked = Admission(store, lambda: NOW).note_use(shown(1), nullcontext())
    assert unasked is CertificateTrouble.UNKNOWN


def test_the_longest_serial_is_found_again(store: BankStore) -> None:
    serial = (1 << 159) - 1
    issue(store, serial)
    assert let_in(store, serial) is None


def test_a_refused_terminal_is_not_noted_as_seen(store: BankStore) -> None:
    issue(store, 1)
    with store.write() as books:
        books.certificates.revoke(certificates(store)[0], "stolen", "auditor", NOW)
    assert let_in(store, 1) is CertificateTrouble.REVOKED
    [row] = certificates(store)
    assert row.seen_at is None
    assert (row.revoked_for, row.revoked_by) == ("stolen", "auditor")


def test_nobody_comes_in_while_the_first_use_cannot_be_noted(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    with (
        BankStore.create(path) as store,
        BankStore.open(path, busy_timeout_ms=1) as other,
    ):
        issue(store, 1)
        with store.write():
            assert let_in(other, 1) is CertificateTrouble.NOT_CHECKED
        assert let_in(other, 1) is None


def test_a_certificate_is_revoked_once_and_for_ever(store: BankStore) -> None:
    issue(store, 1)
    [row] = certificates(store)
    with store.write() as books:
        books.certificates.revoke(row, "stolen", "auditor", NOW)
    with pytest.raises(LedgerError, match="append-only"), store.write() as books:
        books.certificates.revoke(row, "found again", "auditor", NOW)


def test_two_certificates_never_have_one_serial(store: BankStore) -> None:
    issue(store, 1)
    with pytest.raises(LedgerError):
        issue(store, 1, "T0000008")
