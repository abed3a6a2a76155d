"""Bank officers: who one is, proved by a password, and what one's role allows.

Passwords are kept as Argon2id (RFC 9106) writes them. An attempt is stored before the
password is compared and a right one is noted after, so that pulling the plug wins no
further try: after `FAILURES_MAX` attempts in a row that were not right the officer is
locked out until two security officers give a new password. No time ends that.

Officers are managed under dual control themselves: two security officers together. The
first two of a bank, who have nobody before them, are made by whoever holds the
passphrase of the bank's keys; the commands ask for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from settlement import dual_control
from settlement.dual_control import ActionKind, DecidedBy
from settlement.errors import OfficerError
from settlement.store.collisions import repeated
from settlement.store.officers import OfficerRow, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.store.books import BankStore, Books

__all__ = ["FAILURES_MAX", "MEMORY_KIB_DEFAULT", "Officers", "TwoOfficers"]

FAILURES_MAX: Final = 5
"""Wrong passwords in a row before an officer is locked out."""
PASSWORD_BYTES_MIN: Final = 10
MEMORY_KIB_DEFAULT: Final = 65_536
"""Memory that one guess of a password costs: RFC 9106's second recommendation."""
_TIME_COST: Final = 3
_LANES: Final = 4
_SALT_BYTES: Final = 16
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_NOTHING: Final = "Nothing was changed and no money moved."


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoOfficers:
    """Two security officers who have both proved who they are, and why they act."""

    first: OfficerRow
    second: OfficerRow
    reason: str


class Officers:
    """Officers of one bank. Threads may share it."""

    def __init__(
        self,
        store: BankStore,
        clock: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        *,
        memory_kib: int = MEMORY_KIB_DEFAULT,
    ) -> None:
        """Work on ``store``.

        Args:
            store: the bank's database.
            clock: the time, aware.
            random_bytes: so many bytes that nobody can foresee, for salts.
            memory_kib: what a guess of a password set from now on costs.
        """
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._hasher = PasswordHasher(
            time_cost=_TIME_COST, memory_cost=memory_kib, parallelism=_LANES
        )

    def authenticate(self, name: str, password: bytes) -> OfficerRow:
        """The officer who has this name and password.

        Raises:
            OfficerError: unknown name or wrong password, disabled, or locked out. The
                attempt is stored.
        """
        with self._store.write() as books:
            books.holds.staff()
            known = books.officers.officer(name)
            stored = books.officers.password(name)
            if known is None or stored is None:
                raise OfficerError(_unproved(name))
            _require_usable(known)
            books.officers.note_attempt(
                name, stored.serial, good=False, at=self._clock()
            )
        if not self._is_right(stored.hash, password):
            raise OfficerError(_unproved(name, FAILURES_MAX - known.failures - 1))
        with self._store.write() as books:
            books.holds.staff()
            books.officers.note_attempt(
                name, stored.serial, good=True, at=self._clock()
            )
        return known

    def officers(self) -> list[OfficerRow]:
        """All officers, by name."""
        with self._store.read() as books:
            return books.officers.officers()

    def takes_two(self) -> bool:
        """Whether there are two security officers, so that nothing goes without two."""
        return _takes_two(self.officers())

    @repeated
    def add(
        self,
        name: str,
        full_name: str,
        role: Role,
        password: bytes,
        by: TwoOfficers | None,
    ) -> OfficerRow:
        """Add an officer.

        Args:
            name: to sign on with.
            full_name: of the person.
            role: what the officer is there for.
            password: at least `PASSWORD_BYTES_MIN` bytes.
            by: who decides it; None only while the bank has no two security officers.

        Raises:
            OfficerError: the name is taken or of another form, the password too short.
            DualControlError: it takes two security officers.
        """
        if not _NAME.fullmatch(name):
            raise OfficerError(
                f"'{name}' is no name to sign on with: a small letter, then 1 to 31 "
                f"small letters, digits, dots, hyphens or underscores. {_NOTHING}"
            )
        digest = self._digest(password)
        now = self._clock()
        row = OfficerRow(
            name=name,
            full_name=" ".join(full_name.split()) or name,
            role=role,
            since=now,
            disabled_at=None,
            failures=0,
        )
        with self._store.write() as books:
            books.holds.staff()
            if books.officers.officer(name) is not None:
                raise OfficerError(
                    f"There is, or was, an officer {name}; a name is never given "
                    f"again. {_NOTHING}"
                )
            what = {"do": "add", "full_name": row.full_name, "role": role.value}
            number = _decided(books, name, what, by, now)
            books.officers.add(row, number)
            books.officers.set_password(name, digest, proposal=number, at=now)
        return row

    @repeated
    def disable(self, name: str, by: TwoOfficers) -> OfficerRow:
        """Accept nothing from an officer any more, for good.

        Raises:
            OfficerError: there is none, or disabled already.
            DualControlError: it takes two security officers.
        """
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            known = _require_known(books, name)
            if known.disabled_at is not None:
                raise OfficerError(f"{name} is disabled already. {_NOTHING}")
            number = _decided(books, name, {"do": "disable"}, by, now)
            assert number is not None, "two officers decided it"
            books.officers.disable(name, number, now)
        return known

    def change_password(self, name: str, old: bytes, new: bytes) -> None:
        """Give oneself another password.

        Raises:
            OfficerError: as `authenticate`, or the new one is too short.
        """
        digest = self._digest(new)
        self.authenticate(name, old)
        with self._store.write() as books:
            books.holds.staff()
            books.officers.set_password(name, digest, proposal=None, at=self._clock())

    @repeated
    def reset_password(self, name: str, new: bytes, by: TwoOfficers) -> None:
        """Give an officer a new password, which also ends a lockout.

        Raises:
            OfficerError: there is none, or the new password is too short.
            DualControlError: it takes two security officers.
        """
        digest = self._digest(new)
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            known = _require_known(books, name)
            if known.disabled_at is not None:
                raise OfficerError(f"{name} is disabled, for good. {_NOTHING}")
            number = _decided(books, name, {"do": "password"}, by, now)
            books.officers.set_password(name, digest, proposal=number, at=now)

    def _digest(self, password: bytes) -> str:
        if len(password) < PASSWORD_BYTES_MIN:
            raise OfficerError(
                f"A password has at least {PASSWORD_BYTES_MIN} characters. {_NOTHING}"
            )
        return self._hasher.hash(password, salt=self._random_bytes(_SALT_BYTES))

    def _is_right(self, digest: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError):
            return False


def _decided(
    books: Books,
    name: str,
    what: dict[str, str],
    by: TwoOfficers | None,
    now: datetime,
) -> int | None:
    """Note that two have decided; the number of their proposal."""
    if by is None:
        if _takes_two(books.officers.officers()):
            raise OfficerError(
                "This bank has two security officers or more; officers are managed by "
                f"two of them together. {_NOTHING}"
            )
        return None
    first = DecidedBy(officer=by.first, reason=by.reason, at=now)
    row = dual_control.propose(
        books, ActionKind.OFFICER, subject=name, document=what, by=first
    )
    second = DecidedBy(officer=by.second, reason=by.reason, at=now)
    return dual_control.approve(books, row.number, ActionKind.OFFICER, second).number


def _takes_two(officers: list[OfficerRow]) -> bool:
    active = [
        row for row in officers if row.role is Role.SECURITY and row.disabled_at is None
    ]
    return len(active) >= 2


def _require_known(books: Books, name: str) -> OfficerRow:
    known = books.officers.officer(name)
    if known is None:
        raise OfficerError(f"There is no officer {name}. {_NOTHING}")
    return known


def _require_usable(known: OfficerRow) -> None:
    if known.disabled_at is not None:
        raise OfficerError(f"Officer {known.name} is disabled. {_NOTHING}")
    if known.failures >= FAILURES_MAX:
        raise OfficerError(
            f"Officer {known.name} is locked out after {known.failures} wrong "
            f"passwords. {_NOTHING} Two security officers give a new one: "
            f"raseed-bank officer passwd {known.name}"
        )


def _unproved(name: str, left: int | None = None) -> str:
    told = f"{name}: there is no such officer, or the password is wrong. {_NOTHING}"
    if left is None:
        return told
    tries = "1 try is" if left == 1 else f"{left} tries are"
    return f"{told} {tries} left."
