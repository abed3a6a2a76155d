"""Which commit a report is of: that of the sources, and whether they were changed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from sim.sources import NO_COMMIT, commit_here

if TYPE_CHECKING:
    from pathlib import Path

HEX_DIGITS = 40


def git(folder: Path, *words: str) -> None:
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(  # noqa: S603  our own fixed words
        ["git", *author, *words],  # noqa: S607  whichever git there is
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working tree with one commit, known to git by nothing around it."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "machine.py").write_text("state = 1\n")
    for words in (["init"], ["add", "machine.py"], ["commit", "-m", "one"]):
        git(tmp_path, *words)
    return tmp_path


def test_the_commit_of_unchanged_sources_is_told_whole(sources: Path) -> None:
    (sources / "report.json").write_text("{}")
    commit = commit_here(sources)
    assert len(bytes.fromhex(commit)) * 2 == HEX_DIGITS


def test_changed_sources_are_told_apart_from_their_commit(sources: Path) -> None:
    commit = commit_here(sources)
    (sources / "machine.py").write_text("state = 2\n")
    assert commit_here(sources) == f"{commit}+"


def test_where_there_is_no_commit_none_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_here(tmp_path) == NO_COMMIT
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_here(tmp_path) == NO_COMMIT
