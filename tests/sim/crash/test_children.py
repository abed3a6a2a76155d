"""The core of the crash harness: children that can be killed, and that never stay."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sim.crash.children import ForkServer
from sim.crash.errors import (
    BadFrameError,
    ForkServerError,
    LineEndedError,
    LineSilentError,
    ShimError,
)
from sim.crash.fork_server import FAILED
from sim.crash.frames import Frame, FrameSocket
from sim.crash.kill_points import Moment, arm, compiled, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_S = 20.0
CALLS = ["write", "pwrite", "fsync", "fdatasync", "ftruncate", "rename", "unlink"]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    entry = "tests.sim.crash.writer_child:main"
    with ForkServer(entry, preload=compiled()) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    return tmp_path / "watched"


def write(server: ForkServer, folder: Path, at: int, moment: Moment) -> int:
    """Let a child write, and die at a call; its exit code."""
    wanted = {
        "folder": str(folder),
        "trace": str(folder.parent / "trace"),
        "at": at,
        "moment": moment,
    }
    with server.child(limit_s=LIMIT_S) as child:
        child.line.send(Frame.of("write", wanted))
        with suppress(LineEndedError):
            assert child.line.receive() == Frame("written")
            child.line.send(Frame("end"))
        return child.wait()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_kind_of_write_is_counted_and_named(
    server: ForkServer, folder: Path
) -> None:
    assert write(server, folder, 0, Moment.AFTER) == 0
    calls = read_trace(folder.parent / "trace")
    assert [call.number for call in calls] == list(range(1, 8))
    assert [call.call for call in calls] == CALLS
    assert [call.path for call in calls] == [*["new"] * 5, "old", "old"]


@pytest.mark.parametrize("at", range(1, 8), ids=CALLS)
@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
def test_the_child_dies_at_the_call_it_was_armed_for(
    server: ForkServer, folder: Path, at: int, moment: Moment
) -> None:
    assert write(server, folder, at, moment) == -signal.SIGKILL
    assert len(read_trace(folder.parent / "trace")) == at
    contents = {
        0: b"",
        1: b"12345678",
        2: b"1234abcd",
        5: b"1234ab",
    }
    done = at - (moment is Moment.BEFORE)
    content = contents[max(step for step in contents if step <= done)]
    if moment is Moment.HALFWAY and at <= 2:
        content = {1: b"1234", 2: b"1234ab78"}[at]
    files = [path.name for path in folder.iterdir()]
    assert files == ([] if done == 7 else ["old"] if done == 6 else ["new"])
    for name in files:
        assert (folder / name).read_bytes() == content


def test_children_answer_at_the_same_time(server: ForkServer) -> None:
    with server.child(limit_s=LIMIT_S) as one, server.child(limit_s=LIMIT_S) as two:
        for child in (one, two):
            child.line.send(Frame("echo", str(child.pid).encode()))
        for child in (two, one):
            assert child.line.receive().body == str(child.pid).encode()
        one.kill()
        assert one.wait() == -signal.SIGKILL
        two.line.send(Frame("end"))
        assert two.wait() == 0


def test_a_child_that_raises_tells_how(server: ForkServer) -> None:
    with server.child(limit_s=LIMIT_S) as child:
        child.line.send(Frame("raise"))
        frame = child.line.receive()
        assert frame.kind == FAILED
        assert b"as it was told" in frame.body
        assert child.wait() == 1


def test_a_child_that_hangs_is_ended_by_its_time_limit(server: ForkServer) -> None:
    with server.child(limit_s=0.05) as child:
        child.line.send(Frame("hang"))
        with pytest.raises(LineEndedError):
            child.line.receive()
        assert child.wait() == -signal.SIGALRM


def test_no_child_outlives_its_block_or_the_server() -> None:
    entry = "tests.sim.crash.writer_child:main"
    with ForkServer(entry) as server:
        with server.child(limit_s=LIMIT_S) as left:
            left.line.send(Frame("hang"))
        assert not is_there(left.pid)
        kept = server.child(limit_s=LIMIT_S)
        kept.line.send(Frame("hang"))
        assert is_there(kept.pid)
    assert not is_there(kept.pid)
    with pytest.raises(LineEndedError):
        kept.line.receive()
    with pytest.raises(ForkServerError):
        server.child(limit_s=LIMIT_S)
    kept.line.close()


def test_children_end_with_a_server_that_is_killed() -> None:
    server = ForkServer("tests.sim.crash.writer_child:main")
    child = server.child(limit_s=LIMIT_S)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(LineEndedError):
        child.line.receive()
    child.line.close()
    server.close()


def test_a_process_without_the_shim_cannot_be_armed(folder: Path) -> None:
    with pytest.raises(ShimError, match="without the shim"):
        arm(folder, trace=folder.parent / "trace")


def test_frames_that_are_none_are_refused() -> None:
    for spoiled in ("00000000", "7FFFFFFF", "00000002 05 61", "00000002 01 FF"):
        near, far = socket.socketpair()
        with near, FrameSocket(far) as line:
            near.sendall(bytes.fromhex(spoiled))
            with pytest.raises(BadFrameError):
                line.receive()


def test_a_line_without_a_word_is_silent_or_has_ended() -> None:
    near, far = socket.socketpair()
    with FrameSocket(far) as line:
        line.patience(0.01)
        near.sendall(bytes.fromhex("0000"))
        with pytest.raises(LineSilentError):
            line.receive()
        near.close()
        with pytest.raises(LineEndedError):
            line.receive()
        with pytest.raises(LineEndedError):
            line.send(Frame("echo"))
