"""`raseed-sim line` as people and programs run it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest
import serial
from click.testing import CliRunner

from sim.modems.command import line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = "from sim.modems.command import line; line()"
# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
PATIENCE_S = 30


@contextmanager
def running(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    # The program and its arguments are this test's own.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process, process.stdout
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_line_serves_until_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    options = ["--near", near, "--far", far, "--rate", "2400", "--delay-ms", "30"]
    with running(*options) as (process, said):
        assert said.readline() == f"modems on {near} and {far}, 2400 bit/s, 30 ms\n"
        assert near.is_symlink()
        assert far.is_symlink()
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert output.startswith("stopped\ncalls dialled           0\n")
    assert not near.is_symlink()


def hear(port: serial.Serial, end: bytes) -> bytes:
    said: bytes = port.read_until(end)
    assert said.endswith(end)
    return said


def test_ports_and_counts_are_told_as_json(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("# first\n5551: busy\nconnect rate=115200 delay=0 cut-after=3\n")
    options = ["--json", "--ports", "2", "--script", script, "--far", tmp_path / "far"]
    with running(*options, "--rfc2217", "0", "--seed", "7") as (process, said):
        ports = json.loads(said.readline())
        assert ports["event"] == "ports"
        assert ports["far"] == [str(tmp_path / "far"), str(tmp_path / "far-2")]
        [url] = ports["near"]
        caller = serial.serial_for_url(url, timeout=PATIENCE_S)
        with caller, serial.Serial(ports["far"][0], timeout=PATIENCE_S) as host:
            host.write(b"ATE0S0=1\r")
            hear(host, b"OK\r\n")
            caller.write(b"ATDT5551\r")
            hear(caller, b"BUSY\r\n")
            caller.write(b"ATDT5552\r")
            hear(caller, b"CONNECT 115200\r\n")
            hear(host, b"CONNECT 115200\r\n")
            caller.write(b"bye")
            assert hear(host, b"NO CARRIER\r\n") == b"bye\r\nNO CARRIER\r\n"
            hear(caller, b"NO CARRIER\r\n")
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert json.loads(output) == {
        "event": "stopped",
        "calls_dialled": 2,
        "calls_connected": 1,
        "calls_cut": 1,
        "bytes_up": 3,
        "bytes_down": 0,
        "bytes_lost": 0,
        "bits_turned": 0,
    }
    assert process.returncode == 0


def test_modems_are_found_as_asked_for_and_calls_cut(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    options = ["--near", near, "--far", far, "--found", "numeric", "--cut-at", "0"]
    with running(*options, "--callers", "2") as (_, said):
        assert said.readline().startswith(f"modems on {near}, {near}-2 and {far}, ")
        with (
            serial.Serial(f"{near}-2", timeout=PATIENCE_S) as port,
            serial.Serial(str(far), timeout=PATIENCE_S) as host,
        ):
            host.write(b"ATS0=1\r")
            hear(host, b"OK\r\n")
            port.write(b"ATDT1\r")
            # CONNECT 9600, and at once NO CARRIER.
            assert hear(port, b"12\r3\r") == b"ATDT1\r12\r3\r"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--calls", "busy,engaged"], "call 2: 'engaged' is none of connect, busy"),
        (["--burst", "1:2"], "'1:2' is not three numbers"),
        (["--burst", "1:2000:0.5"], "bursts need a length"),
        (["--script", "/no/such"], "/no/such: No such file"),
        (["--found", "asleep"], "'asleep' is not one of"),
        (["--rate", "1"], "not in the range"),
        (["--rate", "0"], "not in the range"),
        (["--back-rate", "0"], "not in the range"),
        (["--delay-ms", "-1"], "not in the range"),
        (["--back-delay-ms", "1e3"], "not a valid integer"),
        (["--ber", "nan"], "'nan' is not a number"),
        (["--ber", "inf"], "not in the range"),
        (["--ber", "-1"], "not in the range"),
        (["--ber", "2"], "not in the range"),
        (["--back-bit-error-rate", "nan"], "'nan' is not a number"),
        (["--cut-at", "nan"], "'nan' is not a number"),
        (["--cut-at", "inf"], "not in the range"),
        (["--cut-at", "1e300"], "not in the range"),
        (["--cut-after", "-1"], "not in the range"),
        (["--burst", "nan:50:0.2"], "at most 1,000,000 seconds"),
        (["--burst", "inf:50:0.2"], "at most 1,000,000 seconds"),
        (["--burst", "10:inf:0.2"], "at most 1,000,000,000 ms"),
        (["--burst", "10:nan:0.2"], "at most 1,000,000,000 ms"),
        (["--back-burst", "10:50:nan"], "above 0, at most 1"),
        (["--ports", "0"], "not in the range"),
        (["--callers", "257"], "not in the range"),
        (["--calls", "busy,connect rate=0"], "call 2: 'rate=0' is out of range"),
        (["--rfc2217", "65536"], "not in the range"),
        (["--rfc2217", "65535", "--ports", "3"], "Begin at 65532 or lower"),
        (["--rfc2217", "0", "--near", "a", "--far", "b"], "serves no port"),
        (["--near", ".", "--callers", "2"], "has no name that a port could have"),
        (["--far", "x/.."], "has no name that a port could have"),
        (["--far", "/"], "has no name that a port could have"),
    ],
)
def test_wrong_words_are_refused_with_the_reason(
    arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(line, arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("near", "far", "more"),
    [
        ("same", "same", []),
        ("same", "folder/../same", []),
        ("same", "link/same", []),
        ("port", "port-2", ["--callers", "2"]),
        ("port-3", "port", ["--ports", "3"]),
    ],
)
def test_two_ports_in_one_place_are_refused_and_nothing_is_made(
    tmp_path: Path, near: str, far: str, more: list[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.iterdir())
    arguments = ["--near", str(tmp_path / near), "--far", str(tmp_path / far), *more]
    result = CliRunner().invoke(line, arguments)
    assert result.exit_code == 2
    assert "Two ports would be in one place" in result.output
    assert sorted(tmp_path.iterdir()) == before


def test_tcp_port_of_another_program_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1])
        result = CliRunner().invoke(line, ["--rfc2217", number])
    assert result.exit_code == 1
    assert "cannot be made (Address already in use" in result.output


def test_place_that_is_taken_by_a_file_is_told_and_the_file_stays(
    tmp_path: Path,
) -> None:
    taken = tmp_path / "far"
    taken.write_text("a file")
    arguments = ["--near", str(tmp_path / "near"), "--far", str(taken)]
    result = CliRunner().invoke(line, arguments)
    assert result.exit_code == 1
    assert "far: File exists" in result.output
    assert [*tmp_path.iterdir()] == [taken]
    assert taken.read_text() == "a file"


def test_script_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("busy\nsometimes\n")
    result = CliRunner().invoke(line, ["--script", str(script)])
    assert result.exit_code == 2
    assert "script: line 2: 'sometimes' is none" in " ".join(result.output.split())
    script.write_bytes(b"\xff\xfe")
    result = CliRunner().invoke(line, ["--script", str(script)])
    assert "it is no text" in result.output


def test_path_that_cannot_be_used_is_told_with_the_reason(tmp_path: Path) -> None:
    arguments = ["--near", str(tmp_path / "no" / "near"), "--far", str(tmp_path / "f")]
    result = CliRunner().invoke(line, arguments)
    assert result.exit_code == 1
    assert f"cannot be made ({tmp_path}/no/near: No such file" in result.output
