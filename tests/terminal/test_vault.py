"""The seal on the journal's card records."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from terminal.errors import VaultError
from terminal.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

CID = bytes.fromhex("64000000 00000001")


def opened(path: Path, *, create: bool = True) -> Vault:
    return Vault.open(path, create=create, random_bytes=os.urandom)


def test_a_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    sealed = opened(path).seal(b"record", "here")
    assert path.stat().st_mode & 0o777 == 0o600
    assert opened(path).unseal(sealed, "here") == b"record"


def test_what_is_sealed_does_not_show_the_card_number(tmp_path: Path) -> None:
    vault = opened(tmp_path / "key")
    assert CID not in vault.seal(CID, "here")
    assert vault.card_reference(CID) != CID
    assert vault.card_reference(CID) == vault.card_reference(CID)
    assert vault.card_reference(CID) != vault.card_reference(CID[::-1])
    assert "6400" not in repr(vault)


@pytest.mark.parametrize(
    ("change", "context"),
    [
        pytest.param(lambda sealed: sealed[:-1] + b"\x00", "here", id="changed"),
        pytest.param(lambda sealed: sealed[:5], "here", id="cut"),
        pytest.param(lambda sealed: b"", "here", id="empty"),
        pytest.param(lambda sealed: sealed, "there", id="moved"),
    ],
)
def test_a_seal_that_was_touched_does_not_open(
    tmp_path: Path, change: object, context: str
) -> None:
    vault = opened(tmp_path / "key")
    sealed = vault.seal(b"record", "here")
    assert callable(change)
    with pytest.raises(VaultError, match="does not open"):
        vault.unseal(change(sealed), context)


def test_a_missing_key_is_never_made_anew_beside_a_journal(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="missing"):
        opened(tmp_path / "key", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"raseed journal key 1\n",
        b"raseed journal key 1\nzz\n",
        b"raseed journal key 1\n00ff\n",
        b"something else",
    ],
    ids=["empty", "no key", "not hex", "short", "foreign"],
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(VaultError):
        opened(path)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    opened(path)
    path.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        opened(path)
