"""A host that even a cut does not end is ended all the same."""

from __future__ import annotations

import subprocess
import sys

WAIT_S = 30
PROGRAM = """
import threading
from settlement.commands import host_signals

host_signals._GRACE_S = 0.2
timer = host_signals.end_at_last(0)
{then}
"""


def run(then: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", PROGRAM.format(then=then)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_what_hangs_is_ended_with_what_to_look_at() -> None:
    done = run("threading.Event().wait()")
    assert done.returncode == 1
    assert "a line or the database did not let go in time" in done.stderr
    assert "All that was answered is booked" in done.stderr


def test_a_host_that_has_ended_by_itself_is_left_alone() -> None:
    done = run("timer.cancel(); timer.join(); print('in order')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "in order\n", "")
