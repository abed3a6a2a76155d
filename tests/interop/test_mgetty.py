"""mgetty, which answers calls on Unix machines, behind one of our modems."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sim.modems.pair import ModemPair
from tests.interop.conftest import (
    FAST,
    NUMBER,
    child,
    opened,
    program,
    read_until,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_mgetty_answers_and_asks_who_calls(tmp_path: Path) -> None:
    with ModemPair(FAST) as pair:
        device = pair.far_path.resolve().relative_to("/dev")
        # A data modem at 38400 bit/s, no log, and a prompt of our own.
        options = ["-D", "-s", "38400", "-x", "0", "-p", r"who calls \P? "]
        arguments = [program("mgetty"), *options, str(device)]
        with (
            child(arguments, tmp_path / "log") as answering,
            opened(pair.near_path) as caller,
        ):
            os.write(caller, b"ATE0S7=60\r")
            read_until(caller, b"OK\r\n")
            # mgetty takes the call at the first ring once its own dialogue with the
            # modem is done: until then the telephone rings.
            os.write(caller, b"ATDT" + NUMBER.encode() + b"\r")
            assert b"CONNECT 115200" in read_until(caller, b"CONNECT 115200\r\n")
            prompt = f"who calls {device}? ".encode()
            read_until(caller, prompt)
            # It listens as well: an empty name is asked for again.
            os.write(caller, b"\r")
            read_until(caller, prompt)
            pair.drop_call()
            wait_until(lambda: answering.poll() is not None, "end of mgetty")
        assert pair.calls_connected == 1
