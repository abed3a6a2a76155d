"""Programs are run as processes, and what goes wrong is told in their own words."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from sim import programs
from sim.programs import BackgroundProgram, ProgramError, call, program_path

if TYPE_CHECKING:
    from pathlib import Path


PYTHON = sys.executable


class Install(Protocol):
    def __call__(self, name: str, script: str) -> None: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a shell script where a program of ours is looked for."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    def put(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def test_a_program_lies_beside_our_python() -> None:
    assert program_path("raseed-bank").endswith("/bin/raseed-bank")


def test_a_call_brings_the_document_back(install: Install) -> None:
    install("desk", 'printf \'{"asked": "%s", "bank": "%s"}\' "$*" "$BANK"')
    document = call("desk", "show", "--reader", "purse", environment={"BANK": "b"})
    assert document == {"asked": "show --reader purse --json", "bank": "b"}


def test_a_pin_goes_by_standard_input_only(install: Install) -> None:
    install("desk", 'read pin; printf \'{"argv": "%s", "in": "%s"}\' "$*" "$pin"')
    document = call("desk", "load", "5", environment={}, pin="731946")
    assert document == {"argv": "load 5 --pin-stdin --json", "in": "731946"}


def test_without_a_pin_nothing_is_read(install: Install) -> None:
    install("desk", 'read pin && echo "{\\"read\\": 1}" || echo "{\\"read\\": 0}"')
    assert call("desk", environment={}) == {"read": 0}


def test_an_error_is_told_in_the_programs_own_words(install: Install) -> None:
    install("desk", "read pin; echo 'No card in the reader.' >&2; exit 3")
    with pytest.raises(ProgramError) as raised:
        call("desk", "load", "5", environment={}, pin="731946")
    assert str(raised.value) == "desk load ended with an error: No card in the reader."


@pytest.mark.parametrize("printed", ["", "done.", "[1]", "null"])
def test_no_document_is_an_error(install: Install, printed: str) -> None:
    install("desk", f"echo '{printed}'")
    with pytest.raises(ProgramError, match="desk show printed no JSON document"):
        call("desk", "show", environment={})


def test_a_program_that_is_not_there_is_named(install: Install, tmp_path: Path) -> None:
    install("other", "")
    with pytest.raises(ProgramError, match="desk cannot be run"):
        call("desk", "show", environment={})
    with pytest.raises(ProgramError, match="desk cannot be run"):
        BackgroundProgram("desk", environment={}, log=tmp_path / "log")


def test_a_program_that_does_not_end_is_stopped(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_CALL_TIMEOUT_S", 0.2)
    install("desk", "exec sleep 600")
    with pytest.raises(ProgramError) as raised:
        call("desk", "load", environment={}, pin="731946")
    assert "desk load did not end within" in str(raised.value)
    assert "731946" not in repr(raised.value)


def test_a_background_program_runs_until_it_is_stopped(
    install: Install, tmp_path: Path
) -> None:
    fifo = tmp_path / "up"
    install("host", f'echo "$1 $SIDE"; echo up > {fifo}; exec cat {fifo}')
    os.mkfifo(fifo)
    log = tmp_path / "log"
    with BackgroundProgram(
        "host", "serve", environment={"SIDE": "far"}, log=log
    ) as host:
        assert fifo.read_text() == "up\n"
        host.require_running()
        assert log.read_text() == "serve far\n"
    host.stop()
    with pytest.raises(ProgramError, match="host ended by itself: serve far"):
        host.require_running()


def test_a_background_program_that_ended_is_told_with_its_words(
    install: Install, tmp_path: Path
) -> None:
    fifo = tmp_path / "end"
    install("host", f"echo 'no modem here' >&2; exec 9> {fifo}; exit 2")
    os.mkfifo(fifo)
    with BackgroundProgram("host", environment={}, log=tmp_path / "log") as host:
        assert fifo.read_text() == "", "it has ended when nobody writes any more"
        host._process.wait(10)
        with pytest.raises(ProgramError, match="host ended by itself: no modem here"):
            host.require_running()


def test_a_background_program_that_will_not_end_is_killed(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_STOP_TIMEOUT_S", 0.2)
    fifo = tmp_path / "up"
    install("host", f"trap '' TERM; echo up > {fifo}; exec sleep 600")
    os.mkfifo(fifo)
    with BackgroundProgram("host", environment={}, log=tmp_path / "log") as host:
        assert fifo.read_text() == "up\n"
    with pytest.raises(ProgramError, match="ended by itself"):
        host.require_running()


def test_a_background_program_ends_with_a_program_that_is_killed(
    install: Install, tmp_path: Path
) -> None:
    install("host", "exec sleep 600")
    log = tmp_path / "log"
    owner_program = (
        "import sys\nfrom pathlib import Path\n"
        "from sim.programs import BackgroundProgram\n"
        f"sys.executable, log = {sys.executable!r}, Path({str(log)!r})\n"
        "with BackgroundProgram('host', environment={}, log=log) as host:\n"
        "    print(host._process.pid, flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603  our own fixed words
        [PYTHON, "-c", owner_program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        child = os.pidfd_open(int(owner.stdout.readline()))
        try:
            owner.send_signal(signal.SIGKILL)
            assert select.select([child], [], [], 10)[0], "it lives on"
        finally:
            os.close(child)


def test_without_setpriv_programs_run_all_the_same(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name == "setpriv" else which(name)
    )
    install("desk", "echo '{}'")
    assert call("desk", "show", environment={}) == {}
