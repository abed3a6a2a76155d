from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "from sim.modems.command import line; line()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_line_serves_until_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    command = [sys.executable, "-c", PROGRAM, "--near", str(near), "--far", str(far)]
    command += ["--rate", "2400", "--delay-ms", "30"]
    # The program and its arguments are this test's own.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline().endswith("2400 bit/s, 30 ms\n")
        assert near.is_symlink()
        assert far.is_symlink()
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "stopped\n")
    assert not near.is_symlink()
