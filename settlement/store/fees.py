"""The bank's tariff, and what it charged by it, in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind
from settlement.store.numbers import next_number
from settlement.store.schema import account, bank_fee, tariff

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["FeeRow", "FeeTables", "TariffRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffRow:
    """What the bank charges for something, from a time on.

    Attributes:
        code: what for.
        currency: ISO 4217 number.
        serial: number of this line among those of the same code and currency.
        amount_minor: in minor units; 0 when nothing is charged.
        noted_by: who set it.
        at: from when on.
    """

    code: str
    currency: int
    serial: int
    amount_minor: int
    noted_by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRow:
    """A fee that was charged.

    Attributes:
        number: the bank's own number of it.
        code: what for.
        subject: card number in hex, or the reference that was given.
        event: the ltc of a load; else 0.
        account: who paid it.
        amount_minor: in minor units.
        tariff_serial: the line of the tariff by which it was charged.
        noted_by: who charged it.
        at: the bank's time.
    """

    number: int
    code: str
    subject: str = field(repr=False)
    event: int
    account: Account
    amount_minor: int
    tariff_serial: int
    noted_by: str
    at: datetime


_FEES: Final = sa.select(bank_fee, account.c.owner).join(
    account, account.c.id == bank_fee.c.account_id
)


class FeeTables:
    """The tariff and its fees within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def tariff(self, code: str, currency: int) -> TariffRow | None:
        """What is charged for something now, or None when that was never said."""
        query = (
            sa.select(tariff)
            .where(tariff.c.code == code, tariff.c.currency == currency)
            .order_by(tariff.c.serial.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _tariff_row(row)

    def tariffs(self) -> list[TariffRow]:
        """Every line that the tariff ever had, by code, currency and time."""
        query = sa.select(tariff).order_by(
            tariff.c.code, tariff.c.currency, tariff.c.serial
        )
        return [_tariff_row(row) for row in self._connection.execute(query)]

    def set_tariff(self, row: TariffRow) -> None:
        """Note what is charged from now on."""
        self._connection.execute(
            sa.insert(tariff),
            {
                "code": row.code,
                "currency": row.currency,
                "serial": row.serial,
                "amount_minor": row.amount_minor,
                "noted_by": row.noted_by,
                "at": row.at,
            },
        )

    def fee(self, code: str, subject: str, event: int) -> FeeRow | None:
        """What was charged for one thing, or None."""
        found = self._fees(
            bank_fee.c.code == code,
            bank_fee.c.subject == subject,
            bank_fee.c.event == event,
        )
        return found[0] if found else None

    def fees(self) -> list[FeeRow]:
        """Everything that was charged, in the order of booking."""
        return self._fees()

    def numbered(self, number: int) -> FeeRow | None:
        """The fee with this number, or None."""
        found = self._fees(bank_fee.c.number == number)
        return found[0] if found else None

    def next_number(self) -> int:
        """The bank's number of the next fee."""
        return next_number(self._connection, bank_fee.c.number)

    def add(self, row: FeeRow, account_id: int) -> None:
        """Note a fee; its entry is posted in the same transaction."""
        self._connection.execute(
            sa.insert(bank_fee),
            {
                "number": row.number,
                "code": row.code,
                "subject": row.subject,
                "event": row.event,
                "account_id": account_id,
                "amount_minor": row.amount_minor,
                "currency": row.account.currency,
                "tariff_serial": row.tariff_serial,
                "noted_by": row.noted_by,
                "at": row.at,
            },
        )

    def _fees(self, *conditions: sa.ColumnElement[bool]) -> list[FeeRow]:
        query = _FEES.where(*conditions).order_by(bank_fee.c.number)
        return [_fee_row(row) for row in self._connection.execute(query)]


def _tariff_row(row: sa.Row[Any]) -> TariffRow:
    return TariffRow(
        code=row.code,
        currency=row.currency,
        serial=row.serial,
        amount_minor=row.amount_minor,
        noted_by=row.noted_by,
        at=row.at,
    )


def _fee_row(row: sa.Row[Any]) -> FeeRow:
    return FeeRow(
        number=row.number,
        code=row.code,
        subject=row.subject,
        event=row.event,
        account=Account(
            kind=AccountKind.CUSTOMER, owner=row.owner, currency=row.currency
        ),
        amount_minor=row.amount_minor,
        tariff_serial=row.tariff_serial,
        noted_by=row.noted_by,
        at=row.at,
    )
