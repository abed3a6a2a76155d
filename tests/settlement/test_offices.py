"""An office has names in two languages, one currency, and accounts of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement.errors import IssuingError
from settlement.ledger import payee_account
from settlement.offices import Offices
from settlement.payment import PaymentKind
from settlement.store.offices import OfficeRow
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")
SOHAR = OfficeRow(code="SOHAR", name="SOHAR", name_ar="", currency=512)
NAMED = OfficeRow(
    code="SOHAR", name="Sohar Port Customs", name_ar="جمارك ميناء صحار", currency=512
)
AIRPORT = OfficeRow(code="MCT", name="Muscat Airport", name_ar="", currency=784)


def test_an_office_that_a_terminal_names_first_is_called_by_its_code(
    desk: Desk,
) -> None:
    assert Offices(desk.store, desk.clock).offices() == [SOHAR]
    assert desk.found() == {}


def test_an_office_gets_its_names_and_its_accounts(desk: Desk) -> None:
    offices = Offices(desk.store, desk.clock)
    offices.add(NAMED, by="ops")
    offices.add(AIRPORT, by="ops")
    offices.add(AIRPORT, by="ops")
    assert offices.offices() == [AIRPORT, NAMED]
    with desk.store.read() as books:
        for kind in PaymentKind:
            assert books.ledger.account(payee_account(kind, "MCT", 784)) is not None
    assert desk.found() == {}


def test_an_office_keeps_its_currency(desk: Desk) -> None:
    offices = Offices(desk.store, desk.clock)
    other = OfficeRow(code="SOHAR", name="x", name_ar="", currency=784)
    with pytest.raises(IssuingError, match="collects OMR, not AED"):
        offices.add(other, by="ops")
    with pytest.raises(IssuingError, match="collects OMR, not AED"):
        desk.issuing.register_customs_card(
            mid=bytes(8), terminal_id="T0000009", office="SOHAR", currency=784, kv=1
        )
    assert offices.offices() == [SOHAR]
    with desk.store.read() as books:
        assert books.cards.terminal("T0000009") is None


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "INSERT INTO office VALUES ('SOHAR', 2, 'x', '', 784, '', '2025')",
            "keeps its currency",
        ),
        (
            "INSERT INTO account VALUES (99, 'customs revenue', 'NIZWA', 512, '', '')",
            "needs that office",
        ),
        (
            "INSERT INTO account VALUES (99, 'customs deposits', 'SOHAR', 784, '', '')",
            "needs that office",
        ),
    ],
    ids=["another currency", "no such office", "not its currency"],
)
def test_the_database_itself_refuses(desk: Desk, statement: str, told: str) -> None:
    with (
        raw_connection(desk.place) as raw,
        pytest.raises(RawIntegrityError, match=told),
    ):
        raw.execute(statement)
