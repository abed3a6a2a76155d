"""A bank with payment requests, and payments that name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from settlement import request_desk
from settlement.decline_report import DeclineReport
from settlement.payment import LineClass, PaymentKind, PaymentLine
from settlement.payment_requests import Request
from tests.settlement.conftest import OFFICE, OMR, START, TERMINAL

if TYPE_CHECKING:
    from settlement.messages import RecordAnswer
    from settlement.payment import PaymentRecord
    from settlement.store.requests import StoredRequest
    from tests.settlement.conftest import Desk, PaperPurse


def request(
    number: str = "R-1", amount_minor: int = 1_500, office: str = OFFICE
) -> Request:
    duty = PaymentLine(
        line_class=LineClass.CUSTOMS_DUTY, amount_minor=amount_minor - 500
    )
    fines = PaymentLine(line_class=LineClass.FINES, amount_minor=500)
    return Request(
        number=number,
        declaration=f"IMP-{number}",
        kind=PaymentKind.FEES,
        amount_minor=amount_minor,
        currency=OMR,
        office=office,
        payer="AL NOOR TRADING",
        broker="GULF CLEARANCE",
        lines=(duty, fines),
    )


@dataclass(slots=True)
class RequestDesk:
    """A desk whose bank follows requests."""

    desk: Desk
    purse: PaperPurse

    def take(self, *requests: Request) -> None:
        with self.desk.store.write() as books:
            request_desk.add_requests(books, requests, "a test", self.desk.clock())

    def stored(self, number: str = "R-1") -> StoredRequest:
        with self.desk.store.read() as books:
            found = books.requests.get(number)
        assert found is not None
        return found

    def state(self, number: str = "R-1") -> str:
        return self.stored(number).state.value

    def pay(
        self,
        number: str = "R-1",
        amount_minor: int = 1_500,
        *,
        declaration: str = "",
        kind: PaymentKind = PaymentKind.FEES,
    ) -> PaymentRecord:
        """A payment at the counter that names a request; it waits for `send`."""
        record = self.desk.customs.pay(
            self.purse,
            amount_minor,
            declaration=declaration or f"IMP-{number}",
            kind=kind,
        )
        assert record.details is not None
        named = replace(record, details=replace(record.details, request_number=number))
        self.desk.customs.records[-1] = named
        return named

    def decline(
        self, number: str = "R-1", terminal: str = TERMINAL, reason: str = "wrong payer"
    ) -> RecordAnswer:
        report = DeclineReport(number=number, reason=reason, clerk="7", at=START)
        return self.desk.bank.take_decline(terminal, report, self.desk.clock())

    def offered(self, office: str = OFFICE) -> list[str]:
        """What counters of an office are offered now."""
        with self.desk.store.read() as books:
            version = books.request_lists.newest(office)
            return [
                key.decode() for key in books.request_lists.entries(office, version)
            ]


@pytest.fixture
def requests(desk: Desk) -> RequestDesk:
    return RequestDesk(desk=desk, purse=desk.loaded_purse())
