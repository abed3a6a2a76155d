"""The bank answers a real call: serial ports, link, certificates, messages, books."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from card.customs import CustomsSession
from card.exchange import Finished, Record
from card.pin import pin_block
from card.profile import Role
from card.purchase import Approved, PurchaseExchange, PurchaseTerms
from card.purse import PurseSession
from card.records import payment_digest
from modem.call import dial
from modem.dial_plan import AnswerPlan, DialPlan
from modem.errors import CertificateRefusedError
from modem.profiles import GSM
from modem.tls import client_context
from settlement.bank_config import BankDirectory
from settlement.commands.bank_serve import _plan
from settlement.payment import (
    BatchToUpload,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
)
from settlement.pki import Authority
from settlement.upload import Collected, UploadMachine
from sim.modems.exchange import ExchangeSettings
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    World = Any

RECEIVE_MS = 20_000
QUICK = ExchangeSettings(
    line=LineSettings(rate_bps=1_000_000, delay_ms=1),
    dial_ms=10,
    ring_every_ms=100,
    training_ms=10,
)


@pytest.fixture
def line() -> Iterator[ModemPair]:
    with ModemPair(QUICK) as pair:
        yield pair


class _Serving:
    """``raseed-bank serve --once`` in a thread of its own."""

    def __init__(self, world: World, port: Path, *options: str) -> None:
        self.results: deque[Result] = deque()
        arguments = ("serve", "--once", "--port", str(port), *options)
        self._thread = threading.Thread(
            target=lambda: self.results.append(world.bank(*arguments))
        )

    def __enter__(self) -> _Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


def _channel(slot: Any) -> Any:
    with slot.open() as held:
        return held.channel


def _pay(world: World, amounts: list[int]) -> BatchToUpload:
    """Take payments at a counter of two cards and close the batch."""
    channels = {
        Role.PURSE: _channel(world.purse),
        Role.CUSTOMS: _channel(world.customs),
    }
    purse = PurseSession(channels[Role.PURSE]).select()
    customs = CustomsSession(channels[Role.CUSTOMS])
    mid = customs.select().card_id
    payments = []
    for number, amount_minor in enumerate(amounts, start=1):
        declaration = f"DEC-2026-{number:04d}"
        terms = PurchaseTerms(
            amount_minor=amount_minor,
            currency=512,
            mid=mid,
            kv=1,
            digest=payment_digest(declaration),
            at=world.now,
            cid=purse.card_id,
        )
        exchange = PurchaseExchange(terms, pin_block(b"731946"))
        while not isinstance(action := exchange.next_action(), Finished):
            if isinstance(action, Record):
                exchange.recorded()
            else:
                exchange.receive(channels[action.role].transmit(action.command))
        assert isinstance(action.result, Approved)
        payments.append(
            PaymentRecord(
                stan=number,
                sequence=number,
                details=PaymentDetails(
                    declaration=declaration, kind=PaymentKind.FEES, clerk="1"
                ),
                tx=action.result.tx,
                kv=action.result.kv,
                alg=1,
                balance_after_minor=action.result.proof.balance_after_minor,
                cumulative_debit_minor=action.result.proof.cumulative_debit_minor,
                tac=action.result.proof.tac,
            )
        )
    return BatchToUpload(
        terminal_id="T0000007",
        office="SOHAR",
        mid=mid,
        currency=512,
        close=customs.close_batch(),
        payments=tuple(payments),
    )


@pytest.fixture
def kit(issued: World) -> Path:
    """The terminal's folder, issued again."""
    folder: Path = issued.folder / "kit"
    added = issued.bank(
        *("terminal", "add", "T0000007", "--office", "SOHAR", "--again"),
        *("--mid", "4355530000000007", "--number", "5551234"),
        *("--output", str(folder)),
    )
    assert added.exit_code == 0, added.output
    return folder


def _upload(
    world: World, kit: Path, line: ModemPair, batch: BatchToUpload
) -> Collected:
    context = client_context(kit / "ca.pem", kit / "terminal.pem", kit / "terminal.key")
    machine = UploadMachine(batch, stan_start=100)
    plan = DialPlan(numbers=("5551234",))
    with dial(
        str(line.near_path), plan, context, "host.bank.raseed", lambda _event: None
    ) as call:
        while True:
            for message in machine.messages_to_send(world.now):
                call.send(message)
            for event in machine.receive(call.receive(RECEIVE_MS), world.now):
                if isinstance(event, Collected):
                    return event


@pytest.fixture
def counter(issued: World) -> World:
    """A loaded purse, and the terminal's customs card beside it."""
    made = issued.desk("personalise", "--kind", "customs", "--terminal", "T0000007")
    assert made.exit_code == 0, made.output
    assert issued.desk("load", "300", pins="731946").exit_code == 0
    return issued


def test_a_batch_comes_over_the_line_and_every_payment_is_posted(
    counter: World, kit: Path, line: ModemPair
) -> None:
    batch = _pay(counter, [12_500, 700, 40_000])
    with _Serving(counter, line.far_path, "--json") as serving:
        collected = _upload(counter, kit, line, batch)
    result = serving.results.pop()
    assert result.exit_code == 0, result.output
    assert collected.posted.count == 3
    assert collected.posted.sum_minor == 53_200

    customs = CustomsSession(_channel(counter.customs))
    customs.select()
    assert customs.bank_ack(batch.close.batch, collected.ack_mac) == 0

    events = [json.loads(row) for row in result.stderr.splitlines()]
    named = [event["event"] for event in events]
    assert [name for name in named if name in ("LoggedOn", "BatchOpened")] == [
        "LoggedOn",
        "BatchOpened",
    ]
    taken = [event for event in events if event["event"] == "PaymentsTaken"]
    assert sum(event["answers"]["accepted"] for event in taken) == 3
    ended = next(event for event in events if event["event"] == "BatchEnded")
    assert (ended["posted_count"], ended["posted_minor"]) == (3, 53_200)

    report = counter.json(counter.bank("check", "--json"))
    assert report["ok"]
    assert report["tacs_verified"] == 3
    statement = counter.json(counter.bank("statement", "--office", "SOHAR", "--json"))
    assert statement["closing_minor"] == 53_200
    declarations = [entry["payment"]["declaration"] for entry in statement["entries"]]
    assert declarations == ["DEC-2026-0001", "DEC-2026-0002", "DEC-2026-0003"]


def test_a_terminal_of_another_bank_gets_no_word_in(
    counter: World, kit: Path, line: ModemPair, tmp_path: Path
) -> None:
    stranger = Authority.create(counter.now).issue_terminal("T0000007", counter.now)
    (tmp_path / "t.pem").write_bytes(stranger.certificate_pem)
    (tmp_path / "t.key").write_bytes(stranger.key_pem)
    context = client_context(kit / "ca.pem", tmp_path / "t.pem", tmp_path / "t.key")
    plan = DialPlan(numbers=("5551234",), rounds=1)
    batch = _pay(counter, [12_500])
    # The refused call does not count as the one that ends --once.
    with _Serving(counter, line.far_path) as serving:
        with pytest.raises(CertificateRefusedError):
            dial(
                str(line.near_path),
                plan,
                context,
                "host.bank.raseed",
                lambda _event: None,
            )
        _upload(counter, kit, line, batch)
    shown = serving.results.pop().output
    assert "no call: " in shown
    assert "certificate" in shown
    assert "terminal T0000007 batch 1: accepted; posted 1 (12.500 OMR)" in shown


def test_a_revoked_terminal_is_named_in_the_log_and_told_at_the_counter(
    counter: World, kit: Path, line: ModemPair
) -> None:
    context = client_context(kit / "ca.pem", kit / "terminal.pem", kit / "terminal.key")
    plan = DialPlan(numbers=("5551234",), rounds=1)
    revoked = counter.bank("terminal", "revoke", "T0000007", "--reason", "stolen")
    assert revoked.exit_code == 0, revoked.output
    with _Serving(counter, line.far_path) as serving:
        with pytest.raises(CertificateRefusedError) as caught:
            dial(
                str(line.near_path),
                plan,
                context,
                "host.bank.raseed",
                lambda _event: None,
            )
        # The refused call does not count as the one that ends --once.
        added = counter.bank(
            *("terminal", "add", "T0000007", "--office", "SOHAR", "--again"),
            *("--mid", "4355530000000007", "--number", "5551234"),
            *("--days", "20", "--output", str(counter.folder / "anew")),
        )
        assert added.exit_code == 0, added.output
        _upload(counter, counter.folder / "anew", line, _pay(counter, [12_500]))
    assert "the bank has revoked it" in caught.value.what
    assert "no money moved" in str(caught.value)
    shown = serving.results.pop().output
    assert (
        "no call: The terminal's certificate T0000007 was refused by this machine: "
        "the bank has revoked it" in shown
    )
    assert (
        "secured with T0000007; its certificate ends on 2026-03-24: raseed-bank "
        "terminal renew T0000007" in shown
    )
    assert "host renew" not in shown


def test_serve_ends_in_order_when_it_is_told_to(branch: World, line: ModemPair) -> None:
    program = "from settlement.commands.bank import main; main()"
    with subprocess.Popen(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", program, "serve", "--port", str(line.far_path)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as host:
        try:
            assert host.stderr is not None
            assert "waiting for a call" in host.stderr.readline()
            host.send_signal(signal.SIGTERM)
            assert host.wait(20) == 0
        finally:
            host.kill()


@pytest.mark.parametrize(
    ("options", "exit_code", "told"),
    [
        (("--port", "/dev/no-such-port"), 1, "/dev/no-such-port cannot be used"),
        ((), 2, "--port"),
        (("--port", "/dev/null", "--init", "HELLO"), 2, "begins with AT"),
    ],
    ids=["port missing", "no port", "init command"],
)
def test_a_host_that_cannot_start_says_why(
    branch: World, options: tuple[str, ...], exit_code: int, told: str
) -> None:
    result = branch.bank("serve", *options)
    assert result.exit_code == exit_code
    assert told in result.output


def test_a_host_whose_own_certificate_has_expired_does_not_start(
    branch: World,
) -> None:
    branch.now += timedelta(days=1826)
    result = branch.bank("serve", "--port", "/dev/null")
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "certificate ended on 2031-03-03" in told
    assert "raseed-bank host renew" in told


def test_the_host_does_not_start_under_a_wrong_passphrase(branch: World) -> None:
    env = {"RASEED_PASSPHRASE": "wrong"}
    result = branch.bank("serve", "--port", "/dev/null", env=env)
    assert result.exit_code == 1
    assert "The bank's keys do not open" in result.output


def test_a_host_asks_for_as_many_open_files_as_its_ports_need() -> None:
    program = (
        "import resource\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))\n"
        "from settlement.commands.bank_serve import _allow_descriptors as allow\n"
        "for ports in (1, 200, 10**9):\n"
        "    allow(ports)\n"
        "    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "    print(soft >= min(5 * ports + 100, hard), soft >= 300)\n"
    )
    told = subprocess.run(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert told.stdout == "True True\n" * 3


def test_settings_of_the_modems_come_from_the_bank_unless_the_command_line_has_them(
    branch: World,
) -> None:
    settings = branch.bank_folder / "bank.toml"
    settings.write_text(settings.read_text().replace("ATZ", "AT&F"))
    options = BankDirectory.open(branch.bank_folder).settings
    assert _plan(options, None, None, None) == AnswerPlan(init="AT&F")
    assert _plan(options, "gsm", 19_200, "ATZ1") == AnswerPlan(
        profile=GSM, init="ATZ1", baud=19_200
    )


def test_a_wrong_setting_of_the_modems_is_named(branch: World) -> None:
    settings = branch.bank_folder / "bank.toml"
    settings.write_text(settings.read_text().replace("ATZ", "HELLO"))
    result = branch.bank("serve", "--port", "/dev/nope")
    assert result.exit_code == 1
    assert "modem_init = 'HELLO'" in result.output
    assert "begins with AT" in result.output


def test_a_host_without_its_port_speaks_as_a_host(branch: World) -> None:
    result = branch.bank("serve", "--port", "/dev/nope")
    assert result.exit_code == 1
    assert result.output == (
        "Error: The serial port /dev/nope cannot be used: No such file or directory. "
        "No calls are answered now. All that was answered before is booked; terminals "
        "keep the rest and send it again. Check --port and the modem's cable, then "
        "start the host again.\n"
    )


def test_a_host_whose_certificate_is_damaged_points_to_the_backup(
    branch: World,
) -> None:
    (branch.bank_folder / "host.pem").write_text("no certificate")
    result = branch.bank("serve", "--port", "/dev/nope")
    assert result.exit_code == 1
    assert "host.pem cannot be used" in result.output
    assert "No calls are answered now." in result.output
    assert result.output.endswith("bank's directory from its backup.\n")
