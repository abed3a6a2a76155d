"""A payment that is accepted out of suspense pays its request, as any other."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.store.suspense import SuspenseOutcome
from settlement.suspense import SuspenseDesk
from tests.databases import RawIntegrityError, raw_connection
from tests.settlement.requests.conftest import RequestDesk, request
from tests.settlement.test_suspense import newer_keys

if TYPE_CHECKING:
    from tests.settlement.conftest import Desk

DATABASES = ("sqlite", "postgresql")


def suspend(desk: Desk, requests: RequestDesk, amount_minor: int = 1_500) -> None:
    """A payment for the request under keys that the bank does not have yet."""
    named = requests.pay(amount_minor=amount_minor)
    requests.purse.keys, requests.purse.kv = newer_keys(), 2
    desk.customs.records = [requests.purse.sign(replace(named, kv=2))]
    desk.send()


def accept(desk: Desk) -> None:
    """Two officers accept what waits, once the keys are there."""
    staff = desk.staff()
    office = SuspenseDesk(desk.store, newer_keys())
    with desk.store.read() as books:
        (waiting,) = books.suspense.waiting()
    asked = office.propose(
        waiting, SuspenseOutcome.ACCEPTED, None, desk.by(staff["huda"])
    )
    office.approve(asked.number, desk.by(staff["said"]))


def test_it_is_paid_when_the_payment_is_accepted_and_not_before(
    desk: Desk, requests: RequestDesk
) -> None:
    requests.take(request())
    suspend(desk, requests)
    assert (requests.state(), requests.offered()) == ("new", ["R-1"])
    accept(desk)
    assert (requests.state(), requests.offered()) == ("paid", [])
    assert IncidentCode.REQUEST_AMOUNT not in desk.open_incidents()
    assert check_bank(desk.store, newer_keys()).findings == ()


def test_too_little_pays_no_request_and_is_an_incident(
    desk: Desk, requests: RequestDesk
) -> None:
    requests.take(request())
    suspend(desk, requests, amount_minor=1_000)
    accept(desk)
    assert requests.state() == "new"
    assert IncidentCode.REQUEST_AMOUNT in desk.open_incidents()


def test_the_database_wants_the_payment_to_be_accepted(
    desk: Desk, requests: RequestDesk
) -> None:
    requests.take(request())
    suspend(desk, requests)
    cid = requests.purse.cid.hex()
    sign = "'\\x{}'" if "postgresql" in str(desk.place) else "X'{}'"
    with (
        raw_connection(desk.place) as raw,
        pytest.raises(
            RawIntegrityError, match=r"paid by a posted payment, in full|foreign key"
        ),
    ):
        raw.execute(
            "INSERT INTO request_event (id, number, serial, state, who, reason, at, "
            "cid, otc) VALUES (99, 'R-1', 2, 'paid', 'x', '', '2025', "
            f"{sign.format(cid)}, 1)"
        )
