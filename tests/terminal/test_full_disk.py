"""A disk that is full or read-only refuses new payments plainly and loses nothing.

The disks are real: a small one in memory that is filled up, and one in a file that is
made read-only while it is in use, each in a mount namespace of its own.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from terminal.disk import FREE_BYTES_MIN, DiskTrouble, disk_trouble, trouble_of
from terminal.orders import RefusalReason, Refused
from terminal.wording import disk_advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.terminal.conftest import Bench

ROOT = Path(__file__).parents[2]
NOBODY = 65534
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


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user with no rights of its own: root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_is_in_order_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "journal.lock").touch()
    assert disk_trouble(tmp_path) is None


def test_a_folder_that_is_not_there_is_called_missing(tmp_path: Path) -> None:
    assert disk_trouble(tmp_path / "none") is DiskTrouble.MISSING
    assert disk_trouble(tmp_path) is DiskTrouble.MISSING
    (tmp_path / "file").touch()
    assert disk_trouble(tmp_path / "file") is DiskTrouble.MISSING


def test_a_folder_that_this_user_may_not_write_to_is_not_called_read_only(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "journal.lock"
    lock.touch(mode=0o400)
    with as_nobody():
        assert disk_trouble(tmp_path) is DiskTrouble.NO_PERMISSION


def test_what_no_file_would_answer_is_called_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal.lock").mkdir()
    assert disk_trouble(tmp_path) is DiskTrouble.FAILED


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ENOSPC, DiskTrouble.FULL),
        (errno.EDQUOT, DiskTrouble.FULL),
        (errno.EROFS, DiskTrouble.READ_ONLY),
        (errno.EACCES, DiskTrouble.NO_PERMISSION),
        (errno.EPERM, DiskTrouble.NO_PERMISSION),
        (errno.ENOENT, DiskTrouble.MISSING),
        (errno.EIO, DiskTrouble.FAILED),
        (errno.ESTALE, DiskTrouble.FAILED),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else "",
)
def test_each_error_of_the_machine_is_told_apart(
    number: int, trouble: DiskTrouble
) -> None:
    assert trouble_of(OSError(number, os.strerror(number))) is trouble


def test_each_trouble_has_words_of_its_own() -> None:
    told = {disk_advice(trouble) for trouble in DiskTrouble}
    assert len({advice.happened for advice in told}) == len(DiskTrouble)
    assert len({advice.next_step for advice in told}) == len(DiskTrouble)


def test_a_payment_is_refused_for_what_is_wrong_with_the_folder(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    (running.config.state_directory / "journal.lock").unlink()
    running.faults.log.clear()
    result = running.pay(seen=seen)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.DISK_MISSING
    assert "missing" in result.advice.happened
    assert "Nothing was taken" in result.advice.money
    assert running.faults.log == []
