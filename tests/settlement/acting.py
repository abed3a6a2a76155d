"""Officers who have proved who they are, and the passwords of those who have to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from settlement.store.officers import OfficerRow, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

__all__ = ["HUDA", "PASSWORD", "SAID", "keep_passwords", "officer"]

PASSWORD = b"ten characters"


def keep_passwords(
    folder: Path, passwords: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lay officers' passwords into a new folder, where the commands look for them."""
    folder.mkdir()
    for name, password in passwords.items():
        (folder / name).write_text(f"{password}\n")
    monkeypatch.setenv("RASEED_OFFICER_PASSWORDS", str(folder))
    monkeypatch.delenv("RASEED_OFFICER", raising=False)


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
