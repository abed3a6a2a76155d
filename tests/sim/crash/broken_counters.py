"""Counters that are broken on purpose: the harness must find out every one of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sim.crash.counter import child
from sim.crash.counter.child import main

if TYPE_CHECKING:
    from sim.crash.frames import Frame, FrameSocket


class _Forgetting:
    """A line on which the journal is gone before the program starts."""

    def __init__(self, line: FrameSocket) -> None:
        self._line = line
        self._has_started = False

    def receive(self) -> Frame:
        frame = self._line.receive()
        if not self._has_started:
            self._has_started = True
            folder = Path(frame.document()["folder"])
            shutil.rmtree(folder / "state", ignore_errors=True)
        return frame

    def send(self, frame: Frame) -> None:
        self._line.send(frame)


def forgetful(line: FrameSocket) -> None:
    """Its journal is wiped at every start."""
    main(_Forgetting(line))  # type: ignore[arg-type]  # stands for the line


def silent(line: FrameSocket) -> None:
    """It tells nothing of interrupted payments."""
    with patch.object(child, "_news", lambda _: []):
        main(line)


def optimist(line: FrameSocket) -> None:
    """It calls every payment paid."""
    with patch.object(child, "_result", lambda _: {"told": "paid"}):
        main(line)


def pessimist(line: FrameSocket) -> None:
    """It calls every payment refused."""
    told = {"told": "refused", "reason": "card-removed"}
    with patch.object(child, "_result", lambda _: told):
        main(line)


def lazy(line: FrameSocket) -> None:
    """It says that the bank has everything, and has not called."""

    def close(_: object) -> Any:
        return {"verdict": "collected", "waiting": [], "suspended": False}

    with patch.object(child._Program, "_close", close):
        main(line)


def faulty(line: FrameSocket) -> None:
    """It raises instead of paying."""

    def pay(*_: object) -> Any:
        raise ValueError("as it was made to")

    with patch.object(child._Program, "_pay", pay):
        main(line)
