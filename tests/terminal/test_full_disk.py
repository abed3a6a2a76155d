"""A disk that is full or read-only refuses new payments plainly and loses nothing.

The disks are real: a small one in memory that is filled up, and one in a file that is
made read-only while it is in use, each in a mount namespace of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.disk import FREE_BYTES_MIN, DiskTrouble, disk_trouble

ROOT = Path(__file__).parents[2]
DISK_BYTES = FREE_BYTES_MIN + 8 * 1024 * 1024
IN_MEMORY = 'mount -t tmpfs -o size="$3" tmpfs "$1/disk" && shift 3 && exec "$@"'
IN_A_FILE = 'mount -o loop "$1/image" "$1/disk" && shift 3 && exec "$@"'
WRITES = ["intent", "begun", "opened", "debited", "credited"]


def namespace() -> list[str]:
    """How to get mounts of one's own; skips where the kernel forbids it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare (util-linux) is missing: no disk of one's own to fill")
    words = [unshare, "--mount"]
    if os.geteuid() != 0:
        words.append("--map-root-user")
    trial = subprocess.run(  # noqa: S603  our own fixed words
        [*words, "true"], capture_output=True, check=False
    )
    if trial.returncode != 0:
        pytest.skip("the kernel forbids a mount namespace: no disk of one's own")
    return words


def run_on(shell: str, folder: Path, case: str, at: int) -> None:
    (folder / "disk").mkdir()
    program = [sys.executable, "-m", "tests.terminal.small_disk"]
    arguments = [str(folder), "disk", str(DISK_BYTES), *program, case, str(at)]
    done = subprocess.run(  # noqa: S603  our own fixed words
        [*namespace(), "sh", "-c", shell, "sh", *arguments, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("at", range(5), ids=WRITES)
def test_a_disk_that_fills_up_in_a_payment_loses_nothing(
    tmp_path: Path, at: int
) -> None:
    run_on(IN_MEMORY, tmp_path, "payment", at)


@pytest.mark.parametrize("at", range(2), ids=["debited", "credited"])
def test_a_disk_that_fills_up_in_a_recovery_loses_nothing(
    tmp_path: Path, at: int
) -> None:
    run_on(IN_MEMORY, tmp_path, "settling", at)


@pytest.mark.parametrize("at", range(4), ids=["add", "note", "collected", "ack"])
def test_a_disk_that_fills_up_in_an_end_of_day_loses_nothing(
    tmp_path: Path, at: int
) -> None:
    run_on(IN_MEMORY, tmp_path, "closing", at)


def test_with_little_space_a_payment_is_refused_before_a_card_is_touched(
    tmp_path: Path,
) -> None:
    run_on(IN_MEMORY, tmp_path, "low", 0)


def test_with_little_space_what_was_begun_is_finished_all_the_same(
    tmp_path: Path,
) -> None:
    run_on(IN_MEMORY, tmp_path, "finished", 0)


@pytest.mark.parametrize("case", ["started_full", "started_read_only"])
def test_started_on_a_disk_that_cannot_be_written_it_says_so_and_loses_nothing(
    tmp_path: Path, case: str
) -> None:
    run_on(IN_MEMORY, tmp_path, case, 0)


@pytest.mark.parametrize("at", range(5), ids=WRITES)
def test_a_disk_that_turns_read_only_in_a_payment_loses_nothing(
    tmp_path: Path, at: int
) -> None:
    make_image(tmp_path)
    run_on(IN_A_FILE, tmp_path, "broken_down", at)


def make_image(folder: Path) -> None:
    """A file system in a file; skips where this user may not mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file as a disk")
    if not Path("/dev/loop-control").exists():
        pytest.skip("there is no loop device to mount a file as a disk")
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if mkfs is None:
        pytest.skip("mkfs.ext4 (e2fsprogs) is missing")
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(2 * DISK_BYTES)
    subprocess.run([mkfs, "-q", str(image)], check=True)  # noqa: S603


def test_a_folder_that_nobody_may_write_to_is_trouble(tmp_path: Path) -> None:
    assert disk_trouble(tmp_path / "none") is DiskTrouble.READ_ONLY
    (tmp_path / "journal.lock").touch()
    assert disk_trouble(tmp_path) is None
