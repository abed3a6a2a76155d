"""A warmed-up process that makes a fresh child for every run, in milliseconds.

    python -m sim.crash.fork_server MODULE:FUNCTION

Theory of operation. Starting Python and importing the program under test takes half a
second; a fork takes one or two milliseconds. So the server imports once, before it has
any thread, file or key, and forks for every request. It speaks on standard input, a
SEQPACKET socket:

    from the harness    time limit in ms (4 bytes), with the child's end of a line
    to the harness      S || pid (4 bytes), with a pidfd    a child has been made
                        E || pid (4 bytes) || status (4)    it has ended; see waitpid

A child runs FUNCTION with the line and ends. It ends, too, when its time is up
(SIGALRM, which nothing catches) and when the server ends; and the server ends, with all
its children, when the harness does. So nothing outlives the harness.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from sim.crash.errors import CrashHarnessError
from sim.crash.frames import Frame, FrameSocket

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENDED", "FAILED", "MADE", "REQUEST", "main"]

REQUEST: Final = struct.Struct("!I")
MADE: Final = struct.Struct("!ci")
ENDED: Final = struct.Struct("!cii")
FAILED: Final = "failed"
"""The kind of a child's last frame when its function raised: the traceback."""
_PR_SET_PDEATHSIG: Final = 1

Entry: TypeAlias = "Callable[[FrameSocket], None]"


class _Server:
    """Makes children and reaps them."""

    def __init__(self, control: socket.socket, entry: Entry) -> None:
        self._control = control
        self._entry = entry
        self._pid = os.getpid()
        self._children: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the harness hangs up."""
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fd in self._children:
                        self._reap(key.fd)
                    elif not self._obey():
                        return
        finally:
            for pidfd in list(self._children):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                os.waitpid(self._children[pidfd], 0)

    def _obey(self) -> bool:
        request, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 1)
        if not request:
            return False
        (limit_ms,) = REQUEST.unpack(request)
        (descriptor,) = descriptors
        pid = os.fork()
        if pid == 0:
            self._become_child(descriptor, limit_ms)
        os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ)
        socket.send_fds(self._control, [MADE.pack(b"S", pid)], [pidfd])
        return True

    def _reap(self, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        pid, status = os.waitpid(self._children.pop(pidfd), 0)
        os.close(pidfd)
        self._control.sendall(ENDED.pack(b"E", pid, status))

    def _become_child(self, descriptor: int, limit_ms: int) -> None:
        status = 1
        try:
            _end_with(self._pid)
            signal.setitimer(signal.ITIMER_REAL, limit_ms / 1000)
            self._selector.close()
            self._control.close()
            for pidfd in self._children:
                os.close(pidfd)
            line = FrameSocket(socket.socket(fileno=descriptor))
            status = _run(self._entry, line)
        finally:
            # Nothing of the server's may run a second time in its copy.
            os._exit(status)


def _run(entry: Entry, line: FrameSocket) -> int:
    try:
        entry(line)
    except BaseException:
        with suppress(CrashHarnessError):
            line.send(Frame(FAILED, traceback.format_exc().encode()))
        return 1
    return 0


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Serve on standard input."""
    # Programs that a child starts are not what is tested.
    os.environ.pop("LD_PRELOAD", None)
    module, _, function = sys.argv[1].partition(":")
    entry: Entry = getattr(importlib.import_module(module), function)
    # The interrupt key is for the harness, which hangs up in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    # A child must not hold the harness's line: it would hide that the server is gone.
    control_fd = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with socket.socket(fileno=control_fd) as control:
        _Server(control, entry).serve()


if __name__ == "__main__":
    main()
