"""``raseed-bank serve`` as a program of its own: how it stops, and what it then says.

A group is held in the middle by the test itself, which has the database's write lock:
the host has taken its messages, and cannot answer them yet.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from modem.dial_plan import DialPlan
from modem.errors import CallLostError
from modem.network_call import connect
from modem.profiles import PROFILES
from modem.tls import client_context
from settlement.iso8583 import encode
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.message_codec import logon_message
from settlement.messages import TerminalVersions
from settlement.payment import BatchToUpload
from settlement.upload import UploadMachine
from tests.settlement.conftest import PaperCustomsCard, PaperPurse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modem.call import Call

    World = Any

WAIT_S = 30
WAIT_MS = 30_000
PROGRAM = "from settlement.commands.bank import main; main()"


class Program:
    """A host that runs, and its log so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self.health = self.wait_for("HealthTold")["address"]
        self.line = self.wait_for("Listening")["port"]

    def wait_for(self, name: str) -> dict[str, Any]:
        """The next line of the log with this event."""
        assert self.process.stderr is not None
        while True:
            line = self.process.stderr.readline()
            assert line, f"the program ended without {name}: {self.said}"
            self.said.append(json.loads(line))
            if self.said[-1]["event"] == name:
                return self.said[-1]

    def sample(self, name: str) -> float:
        """One of its metrics."""
        host, _, port = self.health.rpartition(":")
        with closing(HTTPConnection(host, int(port), timeout=WAIT_S)) as connection:
            connection.request("GET", "/metrics")
            body = connection.getresponse().read().decode()
        [line] = [row for row in body.splitlines() if row.startswith(f"{name} ")]
        return float(line.split()[1])

    def wait_for_group(self) -> None:
        """Wait until a group is being worked on."""
        while self.sample("raseed_groups_under_way") < 1:
            assert self.process.poll() is None

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said last."""
        assert self.process.stderr is not None
        rest = self.process.stderr.read()
        return self.process.wait(WAIT_S), rest


@pytest.fixture
def program(branch: World) -> Iterator[Program]:
    with subprocess.Popen(  # noqa: S603 - our own fixed words
        [
            *(sys.executable, "-c", PROGRAM, "serve", "--log-format", "json"),
            *("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"),
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ,
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


@contextmanager
def database_locked(world: World) -> Iterator[sqlite3.Connection]:
    """Nobody else can write meanwhile; ends with a rollback."""
    path = world.bank_folder / "bank.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def call_of(world: World, program: Program) -> Call:
    kit: Path = world.folder / "terminal"
    return connect(
        program.line,
        DialPlan(profile=PROFILES["direct"], rounds=1),
        client_context(kit / "ca.pem", kit / "terminal.pem", kit / "terminal.key"),
        "host.bank.raseed",
        lambda _event: None,
    )


def ask(world: World, call: Call) -> None:
    """Log on with what the host has to write before it answers."""
    message = logon_message(
        "T0000007", stan=1, versions=TerminalVersions(), now=world.now
    )
    call.send(encode(message, session_key=None))


def test_told_to_stop_a_host_answers_what_it_has_begun_and_ends_in_order(
    branch: World, program: Program
) -> None:
    with call_of(branch, program) as call:
        ask(branch, call)
        assert call.receive(WAIT_MS)
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("Stopping")
        with pytest.raises(CallLostError):
            call.receive(WAIT_MS)
    code, _ = program.end()
    assert code == 0
    shown = branch.json(branch.bank("terminals", "--id", "T0000007", "--json"))
    [noted] = shown["calls"]
    assert (noted["messages"], noted["outcome"]) == (1, "stopped")


def test_a_group_that_is_being_posted_is_answered_before_the_end(
    branch: World, program: Program
) -> None:
    customs = PaperCustomsCard(keys=MasterKeyStore(TEST_MASTERS))
    customs.pay(PaperPurse(keys=customs.keys, balance_minor=9_000), 500, at=branch.now)
    header = customs.close()
    machine = UploadMachine(
        BatchToUpload(
            terminal_id=header.terminal_id,
            office=header.office,
            mid=header.mid,
            currency=header.currency,
            close=header.close,
            payments=tuple(customs.records),
        ),
        stan_start=100,
    )
    with call_of(branch, program) as call:
        for message in machine.messages_to_send(branch.now):
            call.send(message)
        machine.receive(call.receive(WAIT_MS), branch.now)
        with database_locked(branch):
            for message in machine.messages_to_send(branch.now):
                call.send(message)
            program.wait_for_group()
            program.process.send_signal(signal.SIGTERM)
            program.wait_for("Stopping")
            assert program.process.poll() is None
        machine.receive(call.receive(WAIT_MS), branch.now)
        with pytest.raises(CallLostError):
            call.receive(WAIT_MS)
    code, _ = program.end()
    assert code == 0
    [batch] = branch.json(branch.bank("batches", "--json"))["batches"]
    assert (batch["batch"], batch["state"]) == (1, "open")


def test_a_second_signal_stops_at_once_and_leaves_the_books_sound(
    branch: World, program: Program
) -> None:
    with call_of(branch, program) as call:
        ask(branch, call)
        assert call.receive(WAIT_MS)
        with database_locked(branch):
            program.process.send_signal(signal.SIGINT)
            program.wait_for("Stopping")
            # The end of the call cannot be noted: the host waits for the books.
            assert program.process.poll() is None
            program.process.send_signal(signal.SIGTERM)
            code, said = program.end()
    assert code == 128 + signal.SIGTERM
    assert "Stopped at once, by a second signal" in said
    assert "All that was answered is booked" in said
    assert branch.bank("check").exit_code == 0


def test_a_host_that_cannot_tell_its_health_does_not_start(
    branch: World, program: Program
) -> None:
    result = branch.bank(
        *("serve", "--listen", "127.0.0.1:0", "--metrics", program.health)
    )
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "Address already in use. No calls are answered now" in told


def test_a_network_address_in_use_is_told_with_what_to_check(
    branch: World, program: Program
) -> None:
    result = branch.bank("serve", "--listen", program.line)
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "cannot be listened on: Address already in use" in told
    assert "Check --listen" in told
