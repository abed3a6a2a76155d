"""The terminals' certificates in the database: issued, seen in use, revoked.

Only numbers and dates are kept: a certificate itself is public and of no use without
its key, which the bank does not have. Nothing is ever changed: a certificate that was
used or revoked gets a further row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from settlement.store.inserts import insert_unless_there
from settlement.store.numbers import next_number
from settlement.store.schema_types import EVERYWHERE, WHOLE, UTCTime, metadata

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.pki_files import CertificateFacts

__all__ = ["CertificateRow", "CertificateTables", "IssuedFor", "certificate_row"]

_KEY = ("terminal_id", "number")


def _key_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("terminal_id", sa.String(8), primary_key=True),
        sa.Column("number", WHOLE, primary_key=True),
    )


def _of_certificate() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(_KEY, [f"certificate.{name}" for name in _KEY])


_certificate = sa.Table(
    "certificate",
    metadata,
    *_key_columns(),
    sa.Column("serial", sa.LargeBinary(20), nullable=False, unique=True),
    sa.Column("not_before", UTCTime, nullable=False),
    sa.Column("not_after", UTCTime, nullable=False),
    sa.Column("issued_for", sa.String, nullable=False),
    sa.Column("issued_by", sa.String, nullable=False),
    sa.Column("issued_at", UTCTime, nullable=False),
    sa.CheckConstraint(
        "issued_for IN ('admission', 'renewal', 'request')", name="issued_for_known"
    ),
    info=EVERYWHERE,
)
_seen = sa.Table(
    "certificate_seen",
    metadata,
    *_key_columns(),
    sa.Column("at", UTCTime, nullable=False),
    _of_certificate(),
    info=EVERYWHERE,
)
_revoked = sa.Table(
    "certificate_revoked",
    metadata,
    *_key_columns(),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("revoked_by", sa.String, nullable=False),
    sa.Column("at", UTCTime, nullable=False),
    _of_certificate(),
    info=EVERYWHERE,
)


@unique
class IssuedFor(StrEnum):
    """Why a certificate was issued; the values are stored."""

    ADMISSION = "admission"
    RENEWAL = "renewal"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One certificate of a terminal, and what became of it.

    Attributes:
        terminal_id: whose it is.
        number: of this terminal's certificates, from 1, in the order of their issue.
        serial: the number in the certificate, up to 20 bytes.
        not_before: the first moment of its validity.
        not_after: the last one.
        issued_for: why it was issued.
        issued_by: who ran the command, by the name of the user.
        issued_at: the bank's time.
        seen_at: when it was first used, or None.
        revoked_at: when it was revoked, or None.
        revoked_for: the reason in words, or "".
        revoked_by: who ran the command, or "".
    """

    terminal_id: str
    number: int
    serial: int
    not_before: datetime
    not_after: datetime
    issued_for: IssuedFor
    issued_by: str
    issued_at: datetime
    seen_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_for: str = ""
    revoked_by: str = ""


class CertificateTables:
    """Certificates within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(
        self, facts: CertificateFacts, issued_for: IssuedFor, by: str, at: datetime
    ) -> None:
        """Note a certificate that is about to be handed out to its terminal."""
        number = next_number(
            self._connection,
            _certificate.c.number,
            _certificate.c.terminal_id == facts.name,
            of=facts.name,
        )
        self._connection.execute(
            sa.insert(_certificate).values(
                terminal_id=facts.name,
                number=number,
                serial=facts.serial.to_bytes(20, "big"),
                not_before=facts.not_before,
                not_after=facts.not_after,
                issued_for=issued_for.value,
                issued_by=by,
                issued_at=at,
            )
        )

    def of_terminal(self, terminal_id: str) -> list[CertificateRow]:
        """All certificates of a terminal, the oldest first."""
        return self._found(_certificate.c.terminal_id == terminal_id)

    def by_terminal(self) -> dict[str, list[CertificateRow]]:
        """All certificates of every terminal, the oldest of each first."""
        found: dict[str, list[CertificateRow]] = {}
        for row in self._found():
            found.setdefault(row.terminal_id, []).append(row)
        return found

    def _found(self, *conditions: sa.ColumnElement[bool]) -> list[CertificateRow]:
        query = (
            sa.select(
                _certificate,
                _seen.c.at.label("seen_at"),
                _revoked.c.at.label("revoked_at"),
                _revoked.c.reason,
                _revoked.c.revoked_by,
            )
            .select_from(_certificate.outerjoin(_seen).outerjoin(_revoked))
            .where(*conditions)
            .order_by(_certificate.c.terminal_id, _certificate.c.number)
        )
        return [
            certificate_row(
                row,
                seen_at=row.seen_at,
                revoked_at=row.revoked_at,
                revoked_for=row.reason or "",
                revoked_by=row.revoked_by or "",
            )
            for row in self._connection.execute(query)
        ]

    def note_seen(self, row: CertificateRow, at: datetime) -> None:
        """Note the first use of a certificate; a second one changes nothing."""
        same = sa.select(_seen.c.at).where(
            _seen.c.terminal_id == row.terminal_id, _seen.c.number == row.number
        )
        if self._connection.execute(same).first() is None:
            # Another host may see it at the same moment.
            values = {"terminal_id": row.terminal_id, "number": row.number, "at": at}
            insert_unless_there(self._connection, _seen, values)

    def revoke(self, row: CertificateRow, reason: str, by: str, at: datetime) -> None:
        """Revoke a certificate for ever."""
        self._connection.execute(
            sa.insert(_revoked).values(
                terminal_id=row.terminal_id,
                number=row.number,
                reason=reason,
                revoked_by=by,
                at=at,
            )
        )


def certificate_row(row: Any, **became: Any) -> CertificateRow:
    """The value of a stored row, and of what is stored about it elsewhere."""
    return CertificateRow(
        terminal_id=row.terminal_id,
        number=row.number,
        serial=int.from_bytes(row.serial, "big"),
        not_before=row.not_before,
        not_after=row.not_after,
        issued_for=IssuedFor(row.issued_for),
        issued_by=row.issued_by,
        issued_at=row.issued_at,
        **became,
    )
