"""``check-config`` looks at what the file names, too, and tells everything at once."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest

from settlement.pki import Authority
from terminal.config_check import check_everything
from terminal.errors import ConfigError
from tests.terminal.conftest import CONFIG_TEXT

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.pki import Identity

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue_terminal("T0000007", NOW)


@pytest.fixture
def config(tmp_path: Path, authority: Authority, identity: Identity) -> Path:
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "terminal.pem").write_bytes(identity.certificate_pem)
    (tmp_path / "terminal.key").write_bytes(identity.key_pem)
    path = tmp_path / "terminal.toml"
    path.write_text(CONFIG_TEXT)
    return path


def problems_of(config: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        check_everything(config)
    assert all(problem.endswith(".") for problem in caught.value.problems)
    return caught.value.problems


def test_what_is_right_is_taken_and_nothing_is_made(config: Path) -> None:
    before = sorted(config.parent.iterdir())
    assert check_everything(config).terminal.id == "T0000007"
    assert sorted(config.parent.iterdir()) == before


def test_the_file_the_folder_and_the_certificates_are_told_of_at_once(
    config: Path,
) -> None:
    text = CONFIG_TEXT.replace('"SOHAR"', '"?"').replace('"state"', '"ca.pem/state"')
    config.write_text(text)
    for name in ("terminal.pem", "terminal.key"):
        (config.parent / name).unlink()
    starts = ["terminal.office", "state.directory", "security.certificate"]
    starts.append("security.key")
    assert [problem.split(" is ")[0] for problem in problems_of(config)] == starts


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("ca.pem", b"", ["security.ca", "no PEM certificate"], id="ca"),
        pytest.param(
            "terminal.pem",
            b"",
            ["security.certificate", "no PEM certificate"],
            id="certificate",
        ),
        pytest.param(
            "terminal.key", b"", ["security.key", "no PEM private key"], id="key"
        ),
        pytest.param(
            "terminal.key",
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
            ["security.key", "passphrase"],
            id="locked key",
        ),
        pytest.param(
            "terminal.key",
            b"-----BEGIN PRIVATE KEY-----",
            ["terminal.key", "damaged"],
            id="damaged key",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    config: Path, name: str, content: bytes, words: list[str]
) -> None:
    (config.parent / name).write_bytes(content)
    (problem,) = problems_of(config)
    assert "unknown reason" not in problem
    for word in words:
        assert word in problem


def test_a_key_of_another_certificate_is_told(
    config: Path, authority: Authority
) -> None:
    other = authority.issue_terminal("T0000008", NOW)
    (config.parent / "terminal.key").write_bytes(other.key_pem)
    (problem,) = problems_of(config)
    assert "does not belong to it" in problem


def test_a_file_in_the_place_of_the_folder_is_told(config: Path) -> None:
    (config.parent / "state").touch()
    (problem,) = problems_of(config)
    assert problem.startswith("state.directory is ")
    assert "is a file" in problem


@pytest.mark.parametrize(
    ("is_there", "words"),
    [
        pytest.param(False, "cannot be made", id="to be made"),
        pytest.param(True, "cannot be written in", id="there"),
    ],
)
def test_a_folder_of_another_user_is_told(
    config: Path, monkeypatch: pytest.MonkeyPatch, words: str, *, is_there: bool
) -> None:
    if is_there:
        (config.parent / "state").mkdir()
    # The administrator, who may run the tests, is allowed everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    (problem,) = problems_of(config)
    assert words in problem


def test_a_broken_section_is_told_once(config: Path) -> None:
    text = CONFIG_TEXT.replace("[security]", "[security]\nextra = 1")
    config.write_text(text.replace('ca = "ca.pem"', "ca = 5"))
    problems = problems_of(config)
    assert [problem.split(" is ")[0] for problem in problems] == [
        "security.ca",
        "security.extra",
    ]
