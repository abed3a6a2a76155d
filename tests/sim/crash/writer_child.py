"""A child for the tests of the core: it does what it is told, word by word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sim.crash.frames import Frame
from sim.crash.kill_points import Moment, arm

if TYPE_CHECKING:
    from sim.crash.frames import FrameSocket


def main(line: FrameSocket) -> None:
    while True:
        frame = line.receive()
        match frame.kind:
            case "echo":
                line.send(Frame("echo", frame.body))
            case "write":
                wanted = frame.document()
                folder = Path(wanted["folder"])
                arm(
                    folder,
                    trace=Path(wanted["trace"]),
                    at=wanted["at"],
                    moment=Moment(wanted["moment"]),
                )
                write_all(folder)
                line.send(Frame("written"))
            case "raise":
                raise ValueError("as it was told")
            case "hang":
                while True:
                    pass
            case _:
                return


def write_all(folder: Path) -> None:
    """Seven counted calls below ``folder``, and some elsewhere."""
    (folder.parent / "elsewhere").write_bytes(b"not counted")
    descriptor = os.open(folder / "new", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"12345678")
    os.pwrite(descriptor, b"abcd", 4)
    os.fsync(descriptor)
    os.fdatasync(descriptor)
    os.ftruncate(descriptor, 6)
    os.close(descriptor)
    (folder / "new").rename(folder / "old")
    (folder / "old").unlink()
