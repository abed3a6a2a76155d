"""Whom the bank lets in: certificates issued, seen in use, replaced, revoked."""

from __future__ import annotations

import datetime as dt
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
    from collections.abc import Iterator
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


def test_the_first_use_is_noted_once_and_shuts_out_the_older_one(
    store: BankStore,
) -> None:
    issue(store, 1)
    issue(store, 2)
    later = NOW + dt.timedelta(days=1)
    first, second = Admission(store, lambda: NOW), Admission(store, lambda: later)
    assert first.admit(shown(1)) is None
    assert first.admit(shown(2)) is None
    assert second.admit(shown(2)) is None
    assert [row.seen_at for row in certificates(store)] == [NOW, NOW]
    assert second.admit(shown(1)) is CertificateTrouble.REPLACED


def test_a_serial_counts_only_for_the_terminal_that_it_was_issued_to(
    store: BankStore,
) -> None:
    issue(store, 1, "T0000008")
    assert Admission(store, lambda: NOW).admit(shown(1)) is CertificateTrouble.UNKNOWN


def test_the_longest_serial_is_found_again(store: BankStore) -> None:
    serial = (1 << 159) - 1
    issue(store, serial)
    assert Admission(store, lambda: NOW).admit(shown(serial)) is None


def test_a_refused_terminal_is_not_noted_as_seen(store: BankStore) -> None:
    issue(store, 1)
    with store.write() as books:
        books.certificates.revoke(certificates(store)[0], "stolen", "auditor", NOW)
    assert Admission(store, lambda: NOW).admit(shown(1)) is CertificateTrouble.REVOKED
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
            trouble = Admission(other, lambda: NOW).admit(shown(1))
    assert trouble is CertificateTrouble.NOT_CHECKED


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
