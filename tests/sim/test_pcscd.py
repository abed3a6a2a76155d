"""The private PC/SC service: it works, is alone, and leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sim import pcscd
from sim.pcscd import PrivatePCSCD, PrivatePCSCDError, free_port_pair

WAIT_S = 10
SYSTEM = Path("/run/pcscd")

pytestmark = pytest.mark.pcsc


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the daemons make their folders; the environment is put back after it."""
    monkeypatch.setenv(pcscd.SOCKET_VARIABLE, os.environ.get(pcscd.SOCKET_VARIABLE, ""))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def pid_of(daemon: PrivatePCSCD) -> int:
    """Process id of the daemon itself, which took the place of what started it."""
    process = daemon._process
    assert process is not None
    assert Path(f"/proc/{process.pid}/comm").read_text().strip() == "pcscd"
    return process.pid


def system_state() -> tuple[list[str], str]:
    """The real service's folder, and what is mounted where in this process."""
    files = sorted(str(path) for path in SYSTEM.glob("*")) if SYSTEM.exists() else []
    return files, Path("/proc/self/mountinfo").read_text()


def test_it_leaves_no_process_and_no_folder_behind(folder: Path) -> None:
    with PrivatePCSCD() as daemon:
        pid = pid_of(daemon)
        daemon.stop()
        assert list(folder.iterdir()) == []
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        daemon.stop()


def test_it_leaves_the_systems_service_alone(folder: Path) -> None:
    before = system_state()
    with PrivatePCSCD() as daemon:
        assert system_state() == before
        assert daemon.environment[pcscd.SOCKET_VARIABLE].startswith(str(folder))
    assert system_state() == before


def test_it_ends_with_a_program_that_is_killed(folder: Path) -> None:
    program = (
        "import sys\nfrom sim.pcscd import PrivatePCSCD\n"
        "with PrivatePCSCD() as daemon:\n"
        "    print(daemon._process.pid, flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        daemon = os.pidfd_open(int(owner.stdout.readline()))
        try:
            owner.send_signal(signal.SIGKILL)
            assert select.select([daemon], [], [], WAIT_S)[0], "pcscd lives on"
        finally:
            os.close(daemon)


def test_two_run_side_by_side(pcsc_readers: tuple[str, str]) -> None:
    # The client library reads its variable once, so the other's client is a process.
    program = (
        "from card import pcsc\nfrom sim.pcscd import PrivatePCSCD\n"
        "with PrivatePCSCD(name='Other') as daemon:\n"
        "    print(daemon.port, *pcsc.readers(), sep=', ')\n"
    )
    with PrivatePCSCD() as second:
        done = subprocess.run(  # noqa: S603  our own fixed words
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        )
        port, *readers = done.stdout.strip().split(", ")
        assert readers == ["Other 00 00", "Other 00 01"]
        assert abs(int(port) - second.port) >= 2
    assert pcsc_readers == ("Raseed 00 00", "Raseed 00 01")


def test_ports_of_another_service_are_not_taken_for_its_own(folder: Path) -> None:
    with (
        PrivatePCSCD() as first,
        pytest.raises(PrivatePCSCDError, match="another program"),
        PrivatePCSCD(port=first.port),
    ):
        pass
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("offset", [0, 1])
def test_one_port_in_use_is_refused_at_once(folder: Path, offset: int) -> None:
    port = free_port_pair()
    with (
        socket.create_server(("", port + offset)),
        pytest.raises(PrivatePCSCDError, match=f"TCP ports {port} and {port + 1}"),
        PrivatePCSCD(port=port),
    ):
        pass
    assert list(folder.iterdir()) == []


def test_a_missing_driver_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(pcscd, "_DRIVER", folder / "missing.so")
    with pytest.raises(PrivatePCSCDError, match="vsmartcard-vpcd"), PrivatePCSCD():
        pass
    assert list(folder.iterdir()) == []


def test_a_missing_service_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, path: None)
    with pytest.raises(PrivatePCSCDError, match="pcscd is missing"), PrivatePCSCD():
        pass
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("help_", "options"),
    [
        pytest.param("  --disable-polkit  no polkit", " --disable-polkit", id="new"),
        pytest.param("  --foreground", "", id="old"),
    ],
)
def test_a_service_that_cannot_start_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, help_: str, options: str
) -> None:
    fake = tmp_path / "pcscd"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && echo "{help_}" || echo "no: $*."\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _name, path: str(fake))
    wanted = rf"did not start: no: --foreground --config \S+/conf{options}\."
    with pytest.raises(PrivatePCSCDError, match=wanted), PrivatePCSCD():
        pass


def test_a_service_that_hangs_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(pcscd, "_STOP_TIMEOUT_S", 0.2)
    with PrivatePCSCD() as daemon:
        pid = pid_of(daemon)
        with socket.create_connection(("127.0.0.1", daemon.port)) as silent_card:
            silent_card.settimeout(WAIT_S)
            assert silent_card.recv(1), "the service has asked, and waits"
            daemon.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(folder.iterdir()) == []


def test_outside_with_there_is_no_environment() -> None:
    with pytest.raises(PrivatePCSCDError, match="not running"):
        _ = PrivatePCSCD().environment


def test_a_pair_of_ports_is_free() -> None:
    first = free_port_pair()
    with socket.create_server(("", first + 1)):
        assert free_port_pair() != first
    with socket.create_server(("", first)), socket.create_server(("", first + 1)):
        pass
