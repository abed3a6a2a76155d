"""Folders of programs that were killed are found and removed, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sim.owned_folder import OwnedFolder, remove_abandoned

PREFIX = "raseed-test-"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def abandon() -> Path:
    """A folder whose maker has ended without tidying up."""
    program = (
        "import os, sys\nfrom sim.owned_folder import OwnedFolder\n"
        f"print(OwnedFolder({PREFIX!r}).path, flush=True)\nos._exit(1)\n"
    )
    done = subprocess.run(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return Path(done.stdout.strip())


def test_an_abandoned_folder_is_removed_and_ones_in_use_stay() -> None:
    ours, abandoned = OwnedFolder(PREFIX), abandon()
    assert abandoned.is_dir()
    remove_abandoned(PREFIX)
    assert not abandoned.exists()
    assert ours.path.is_dir()
    ours.remove()
    ours.remove()
    assert not ours.path.exists()


def test_a_folder_whose_daemon_still_runs_stays() -> None:
    abandoned = abandon()
    pid_file = abandoned / "run" / "pcscd.pid"
    pid_file.parent.mkdir()
    pid_file.write_text(f"{os.getpid()}\n")
    remove_abandoned(PREFIX)
    assert abandoned.is_dir()
    pid_file.write_text("4194999\n")
    remove_abandoned(PREFIX)
    assert not abandoned.exists(), "no process can have that number"


def test_what_is_not_known_to_be_abandoned_stays(folder: Path) -> None:
    kept = [folder / f"{PREFIX}no-owner", folder / f"{PREFIX}link", folder / "other"]
    kept[0].mkdir()
    kept[1].symlink_to(folder / "elsewhere")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "owner").touch()
    kept[2].mkdir()
    (kept[2] / "owner").touch()
    (folder / f"{PREFIX}file").touch()
    remove_abandoned(PREFIX)
    assert [path.name for path in kept if not path.is_dir()] == []
    assert (folder / f"{PREFIX}file").exists()
