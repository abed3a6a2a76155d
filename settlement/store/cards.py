"""Terminals, purses and loads in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.ledger import Account, AccountKind
from settlement.store.numbers import next_number
from settlement.store.schema import (
    account,
    hotlist,
    load,
    load_outcome,
    purse,
    terminal,
)

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "CardTables",
    "LoadOutcome",
    "LoadRow",
    "PurseRow",
    "TerminalRow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRow:
    """What a terminal is bound to.

    Attributes:
        terminal_id: 8 characters, the name in its certificate.
        mid: the customs card in it, 8 bytes.
        office: customs office code.
        currency: ISO 4217 number.
        kv: version of the customs card's batch key.
    """

    terminal_id: str
    mid: bytes
    office: str
    currency: int
    kv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseRow:
    """A purse card as it was issued.

    Attributes:
        cid: card number, 8 bytes.
        account: the customer's current account that pays its loads.
        holder: name on the card.
        currency: ISO 4217 number.
        kv: version of its keys.
        balance_limit_minor: C6, in minor units.
        payment_limit_minor: C7, in minor units.
        valid_from: first day.
        expiry: last day.
    """

    cid: bytes = field(repr=False)
    account: Account
    holder: str
    currency: int
    kv: int
    balance_limit_minor: int
    payment_limit_minor: int
    valid_from: date
    expiry: date


@unique
class LoadOutcome(StrEnum):
    """What became of a load; the values are stored."""

    COMPLETED = "completed"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow:
    """A load that the bank authorised.

    Attributes:
        cid: card number, 8 bytes.
        ltc: the purse's number of the load.
        lid: the load desk, 8 bytes.
        lsn: the bank's number of the load.
        amount_minor: in minor units.
        currency: ISO 4217 number.
        kv: version of the purse's keys.
        card_balance_minor: the purse's balance before the load, as it certified.
        rc: the purse's session challenge, 8 bytes.
        m1: the purse's certificate of its request, 8 bytes.
        at: the bank's time in LX.
        outcome: None while pending.
        balance_after_minor: the purse's balance after a completed load.
        proof: LTAC or VMAC by which it was settled, 8 bytes, or None.
    """

    cid: bytes = field(repr=False)
    ltc: int
    lid: bytes
    lsn: int
    amount_minor: int
    currency: int
    kv: int
    card_balance_minor: int
    rc: bytes = field(repr=False)
    m1: bytes = field(repr=False)
    at: datetime
    outcome: LoadOutcome | None = None
    balance_after_minor: int | None = None
    proof: bytes | None = field(default=None, repr=False)


# Made once, for the reason that `settlement.store.records` gives.
_OF_CID: Final[sa.BindParameter[bytes]] = sa.bindparam("of_cid")
_PURSES: Final = (
    sa.select(purse, account.c.owner, account.c.currency.label("of"))
    .join(account, account.c.id == purse.c.account_id)
    .order_by(purse.c.cid)
)
_PURSE: Final = _PURSES.where(purse.c.cid == _OF_CID)
_HOTLISTED: Final = (
    sa.select(hotlist.c.listed, hotlist.c.reason)
    .where(hotlist.c.cid == _OF_CID)
    .order_by(hotlist.c.serial.desc())
    .limit(1)
)
_LOADS: Final = (
    sa.select(
        load,
        load_outcome.c.outcome,
        load_outcome.c.balance_after_minor,
        load_outcome.c.proof,
    )
    .select_from(load.outerjoin(load_outcome))
    .where(load.c.cid == _OF_CID)
    .order_by(load.c.cid, load.c.ltc)
)
_LOAD: Final = _LOADS.where(load.c.ltc == sa.bindparam("of_ltc"))
_NEWEST_BINDING: Final = (
    sa.select(terminal)
    .where(terminal.c.terminal_id == sa.bindparam("of_terminal"))
    .order_by(terminal.c.serial.desc())
    .limit(1)
)
_NEWEST_BINDING_WITH: Final = _NEWEST_BINDING.where(
    terminal.c.mid == sa.bindparam("of_mid")
)


class CardTables:
    """Cards, terminals and loads within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def bind_terminal(self, row: TerminalRow, at: datetime) -> None:
        """Bind a terminal from now on; earlier bindings stay as history."""
        serial = next_number(
            self._connection,
            terminal.c.serial,
            terminal.c.terminal_id == row.terminal_id,
            of=row.terminal_id,
        )
        self._connection.execute(
            sa.insert(terminal),
            {
                "terminal_id": row.terminal_id,
                "serial": serial,
                "mid": row.mid,
                "office": row.office,
                "currency": row.currency,
                "kv": row.kv,
                "bound_at": at,
            },
        )

    def terminal(self, terminal_id: str) -> TerminalRow | None:
        """What a terminal is bound to now, or None when it is unknown."""
        return self._newest_binding(_NEWEST_BINDING, of_terminal=terminal_id)

    def terminals(self) -> list[TerminalRow]:
        """All terminals with their newest binding, by id."""
        query = sa.select(terminal).order_by(terminal.c.terminal_id, terminal.c.serial)
        newest = {row.terminal_id: row for row in self._connection.execute(query)}
        return [_terminal_row(row) for row in newest.values()]

    def binding(self, terminal_id: str, mid: bytes) -> TerminalRow | None:
        """What a terminal was last bound to with this customs card, or None.

        A batch may arrive after the terminal was given another customs card.
        """
        return self._newest_binding(
            _NEWEST_BINDING_WITH, of_terminal=terminal_id, of_mid=mid
        )

    def add_purse(self, row: PurseRow, account_id: int, at: datetime) -> None:
        """Register an issued purse."""
        self._connection.execute(
            sa.insert(purse),
            {
                "cid": row.cid,
                "account_id": account_id,
                "holder": row.holder,
                "currency": row.currency,
                "kv": row.kv,
                "balance_limit_minor": row.balance_limit_minor,
                "payment_limit_minor": row.payment_limit_minor,
                "valid_from": row.valid_from.isoformat(),
                "expiry": row.expiry.isoformat(),
                "issued_at": at,
            },
        )

    def purse(self, cid: bytes) -> PurseRow | None:
        """An issued purse, or None when the bank never issued it."""
        found = self._purses(_PURSE, of_cid=cid)
        return found[0] if found else None

    def purses(self) -> list[PurseRow]:
        """All issued purses, by card number."""
        return self._purses(_PURSES)

    def hotlisted(self, cid: bytes) -> str | None:
        """Why a card is on the hotlist, or None."""
        row = self._connection.execute(_HOTLISTED, {"of_cid": cid}).first()
        return row.reason if row is not None and row.listed else None

    def next_lsn(self) -> int:
        """The bank's next load number, from 1."""
        return next_number(self._connection, load.c.lsn)

    def add_load(self, row: LoadRow) -> None:
        """Note an authorised load as pending."""
        self._connection.execute(
            sa.insert(load),
            {
                "cid": row.cid,
                "ltc": row.ltc,
                "lid": row.lid,
                "lsn": row.lsn,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "kv": row.kv,
                "card_balance_minor": row.card_balance_minor,
                "rc": row.rc,
                "m1": row.m1,
                "at": row.at,
            },
        )

    def settle_load(
        self, row: LoadRow, outcome: LoadOutcome, *, proof: bytes, at: datetime
    ) -> None:
        """Note what became of a pending load, with the purse's 8-byte proof of it."""
        self._connection.execute(
            sa.insert(load_outcome),
            {
                "cid": row.cid,
                "ltc": row.ltc,
                "outcome": outcome.value,
                "balance_after_minor": row.balance_after_minor,
                "proof": proof,
                "at": at,
            },
        )

    def load(self, cid: bytes, ltc: int) -> LoadRow | None:
        """One load, or None when it was never authorised."""
        found = self._loads(_LOAD, of_cid=cid, of_ltc=ltc)
        return found[0] if found else None

    def loads(self, cid: bytes) -> list[LoadRow]:
        """All loads of a card, by ltc."""
        return self._loads(_LOADS, of_cid=cid)

    def _newest_binding(
        self, query: sa.Select[Any], **values: str | bytes
    ) -> TerminalRow | None:
        row = self._connection.execute(query, values).first()
        return None if row is None else _terminal_row(row)

    def _purses(self, query: sa.Select[Any], **values: bytes) -> list[PurseRow]:
        return [
            PurseRow(
                cid=row.cid,
                account=Account(
                    kind=AccountKind.CUSTOMER, owner=row.owner, currency=row.of
                ),
                holder=row.holder,
                currency=row.currency,
                kv=row.kv,
                balance_limit_minor=row.balance_limit_minor,
                payment_limit_minor=row.payment_limit_minor,
                valid_from=date.fromisoformat(row.valid_from),
                expiry=date.fromisoformat(row.expiry),
            )
            for row in self._connection.execute(query, values)
        ]

    def _loads(self, query: sa.Select[Any], **values: bytes | int) -> list[LoadRow]:
        return [
            LoadRow(
                cid=row.cid,
                ltc=row.ltc,
                lid=row.lid,
                lsn=row.lsn,
                amount_minor=row.amount_minor,
                currency=row.currency,
                kv=row.kv,
                card_balance_minor=row.card_balance_minor,
                rc=row.rc,
                m1=row.m1,
                at=row.at,
                outcome=None if row.outcome is None else LoadOutcome(row.outcome),
                balance_after_minor=row.balance_after_minor,
                proof=row.proof,
            )
            for row in self._connection.execute(query, values)
        ]


def _terminal_row(row: sa.Row[Any]) -> TerminalRow:
    return TerminalRow(
        terminal_id=row.terminal_id,
        mid=row.mid,
        office=row.office,
        currency=row.currency,
        kv=row.kv,
    )
