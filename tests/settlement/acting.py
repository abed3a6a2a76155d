"""Officers who have proved who they are, and the password of all officers."""

from __future__ import annotations

import datetime as dt

from settlement.store.officers import OfficerRow, Role

__all__ = ["HUDA", "PASSWORD", "SAID", "officer"]

PASSWORD = b"ten characters"


def officer(name: str, role: Role) -> OfficerRow:
    """One as the books know him."""
    return OfficerRow(
        name=name,
        full_name=name,
        role=role,
        since=dt.datetime(2025, 11, 1, tzinfo=dt.UTC),
        disabled_at=None,
        failures=0,
    )


HUDA = officer("huda", Role.OPERATIONS)
SAID = officer("said", Role.SUPERVISOR)
