"""Bank officers, their passwords and their attempts to sign on, in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.store.numbers import next_number
from settlement.store.schema_officers import (
    officer,
    officer_attempt,
    officer_disabled,
    officer_password,
)

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["OfficerRow", "OfficerTables", "Role", "StoredPassword"]


@unique
class Role(StrEnum):
    """What an officer is there for; the values are stored.

    OPERATIONS works on incidents and proposes. SUPERVISOR does so too, and approves
    what another has proposed. SECURITY manages officers, two of them together.
    """

    OPERATIONS = "operations"
    SUPERVISOR = "supervisor"
    SECURITY = "security"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerRow:
    """A bank officer as the books know one now.

    Attributes:
        name: to sign on with; also that of one who left is never given again.
        full_name: of the person.
        role: what the officer is there for.
        since: when added, UTC.
        disabled_at: since when nothing is accepted any more, or None.
        failures: wrong passwords in a row since the last right or new one.
    """

    name: str
    full_name: str
    role: Role
    since: datetime
    disabled_at: datetime | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPassword:
    """An officer's newest password, as Argon2 writes it."""

    serial: int
    hash: str = field(repr=False)


_OFFICERS: Final = (
    sa.select(officer, officer_disabled.c.at.label("disabled_at"))
    .select_from(
        officer.outerjoin(officer_disabled, officer_disabled.c.name == officer.c.name)
    )
    .order_by(officer.c.name)
)


class OfficerTables:
    """Officers within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(self, row: OfficerRow, proposal: int | None) -> None:
        """Add an officer, by an approved proposal unless it is one of the first."""
        self._connection.execute(
            sa.insert(officer),
            {
                "name": row.name,
                "full_name": row.full_name,
                "role": row.role.value,
                "proposal": proposal,
                "at": row.since,
            },
        )

    def officer(self, name: str) -> OfficerRow | None:
        """An officer, disabled or not, or None when there never was one."""
        row = self._connection.execute(_OFFICERS.where(officer.c.name == name)).first()
        return None if row is None else self._row(row)

    def officers(self) -> list[OfficerRow]:
        """All officers, disabled or not, by name."""
        return [self._row(row) for row in self._connection.execute(_OFFICERS)]

    def disable(self, name: str, proposal: int, at: datetime) -> None:
        """Note that nothing is accepted from an officer any more."""
        self._connection.execute(
            sa.insert(officer_disabled), {"name": name, "proposal": proposal, "at": at}
        )

    def set_password(
        self, name: str, digest: str, *, proposal: int | None, at: datetime
    ) -> None:
        """Give an officer another password, of which ``digest`` is Argon2's text."""
        known = self.password(name)
        self._connection.execute(
            sa.insert(officer_password),
            {
                "name": name,
                "serial": 1 if known is None else known.serial + 1,
                "hash": digest,
                "proposal": proposal,
                "at": at,
            },
        )

    def password(self, name: str) -> StoredPassword | None:
        """The newest password of an officer, or None."""
        query = (
            sa.select(officer_password.c.serial, officer_password.c.hash)
            .where(officer_password.c.name == name)
            .order_by(officer_password.c.serial.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else StoredPassword(serial=row.serial, hash=row.hash)

    def note_attempt(
        self, name: str, password: int, *, good: bool, at: datetime
    ) -> None:
        """Note that a password is being tried, or that the one tried was right."""
        serial = next_number(
            self._connection,
            officer_attempt.c.serial,
            officer_attempt.c.name == name,
            of=name,
        )
        self._connection.execute(
            sa.insert(officer_attempt),
            {
                "name": name,
                "serial": serial,
                "good": good,
                "password": password,
                "at": at,
            },
        )

    def _row(self, row: sa.Row[Any]) -> OfficerRow:
        return OfficerRow(
            name=row.name,
            full_name=row.full_name,
            role=Role(row.role),
            since=row.at,
            disabled_at=row.disabled_at,
            failures=self._failures(row.name),
        )

    def _failures(self, name: str) -> int:
        """Attempts of the newest password that nothing says were right."""
        password = self.password(name)
        if password is None:
            return 0
        of_password = (
            officer_attempt.c.name == name,
            officer_attempt.c.password == password.serial,
        )
        last_good = (
            sa.select(sa.func.coalesce(sa.func.max(officer_attempt.c.serial), 0))
            .where(*of_password, officer_attempt.c.good)
            .scalar_subquery()
        )
        query = (
            sa.select(sa.func.count())
            .select_from(officer_attempt)
            .where(*of_password, officer_attempt.c.serial > last_good)
        )
        return self._connection.execute(query).scalar_one()
