"""Certificates, and two worlds under a clock that only tests move."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from modem.call_machine import CallMachine
from modem.dial_plan import AnswerPlan, DialPlan
from modem.hayes import Answerer, Dialer
from modem.link import Link
from modem.link_state import DataReceived, LinkEvent, LinkSettings
from modem.session import SecureSession
from modem.tls import MessageReceived, TLSSession, client_context, server_context
from sim.modems.exchange import ExchangeSettings, Outcome, TelephoneExchange
from sim.modems.line import LineSettings, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from modem.events import CallEvent
    from modem.tls_context import LinkContext

SERVER_NAME = "host.bank.raseed"
STEPS_AT_ONE_TIME_MAX = 60


class LinkWorld:
    """A near and a far link, a wire each way, and the time."""

    def __init__(
        self,
        line: LineSettings,
        *,
        seed: int = 1,
        told_rate_bps: int | None = None,
        settings: LinkSettings | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.now_ms = 1_000
        rate_bps = told_rate_bps or line.rate_bps
        self.near, self.far = (
            Link(
                nonce=nonce,
                line_rate_bps=rate_bps,
                now_ms=self.now_ms,
                settings=settings,
            )
            for nonce in (0x11111111, 0x22222222)
        )
        self.up = Wire(line, random.Random(seed + 1))
        self.down = Wire(line, random.Random(seed + 2))
        self.near_events: list[LinkEvent] = []
        self.far_events: list[LinkEvent] = []
        self.near_data = bytearray()
        self.far_data = bytearray()
        self.cut = False
        self.steps = 0

    def run_until(self, done: Callable[[], bool], *, limit_ms: int = 3_600_000) -> int:
        """Let time pass until ``done``; the milliseconds that took."""
        start_ms = self.now_ms
        still = StillClock()
        while True:
            self._step()
            if done():
                return self.now_ms - start_ms
            self.now_ms = still.next_ms(
                self.now_ms,
                [
                    self.near.deadline_ms(),
                    self.far.deadline_ms(),
                    self.up.deadline_ms(),
                    self.down.deadline_ms(),
                ],
            )
            assert self.now_ms - start_ms <= limit_ms, "not done in time"

    def run_for(self, time_ms: int) -> None:
        until_ms = self.now_ms + time_ms
        self.run_until(lambda: self.now_ms >= until_ms, limit_ms=time_ms + 60_000)

    def all_at_far(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.far_data) == count

    def all_known_at_near(self) -> Callable[[], bool]:
        return lambda: not self.near.unacknowledged_bytes

    def open(self) -> None:
        self.run_until(lambda: bool(self.near_events and self.far_events))
        self.near_events.clear()
        self.far_events.clear()

    def _step(self) -> None:
        self.steps += 1
        for link, wire in ((self.near, self.down), (self.far, self.up)):
            data = b"" if self.cut else wire.receive(self.now_ms)
            for piece in slices(data, self.random):
                link.receive_data(piece, self.now_ms)
            link.on_timer(self.now_ms)
        self.up.send(self.near.data_to_send(self.now_ms), self.now_ms)
        self.down.send(self.far.data_to_send(self.now_ms), self.now_ms)
        if self.cut:
            self.up.clear()
            self.down.clear()
        self._collect(self.near, self.near_events, self.near_data)
        self._collect(self.far, self.far_events, self.far_data)

    @staticmethod
    def _collect(link: Link, events: list[LinkEvent], data: bytearray) -> None:
        while (event := link.next_event()) is not None:
            if isinstance(event, DataReceived):
                data += event.data
            else:
                events.append(event)


class StillClock:
    """Moves time to the next deadline and notices when it stands still."""

    def __init__(self) -> None:
        self._at_ms = -1
        self._steps = 0

    def next_ms(self, now_ms: int, deadlines: Iterable[int | None]) -> int:
        times = [time for time in deadlines if time is not None]
        assert times, "everything waits for nothing"
        next_ms = max(now_ms, min(times))
        self._steps = self._steps + 1 if next_ms == self._at_ms else 0
        self._at_ms = next_ms
        assert self._steps < STEPS_AT_ONE_TIME_MAX, "a busy loop"
        return next_ms


def slices(data: bytes, source: random.Random) -> Iterable[bytes]:
    """``data`` in pieces of random size, as a serial port delivers it."""
    while data:
        size = source.randint(1, 20)
        yield data[:size]
        data = data[size:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A directory with two CAs and what they signed; the second CA is a stranger's."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / name

    def client(self, *, name: str = "T0000007", ca: str = "ca") -> LinkContext:
        return client_context(
            self.path(f"{ca}.pem"), self.path(f"{name}.pem"), self.path(f"{name}.key")
        )

    def server(self, *, name: str = "host", ca: str = "ca") -> LinkContext:
        return server_context(
            self.path(f"{ca}.pem"), self.path(f"{name}.pem"), self.path(f"{name}.key")
        )


class Issuer:
    """A CA that writes PEM files."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = Ed25519PrivateKey.generate()
        self._name = _x509_name(f"{name} CA")
        self._write(name, self._sign(self._name, self._key, ca=True), self._key)

    def issue(
        self,
        file: str,
        common_name: str,
        *,
        dns: str | None = None,
        years: tuple[int, int] = (2025, 2049),
        usage: x509.ObjectIdentifier | None = None,
    ) -> None:
        key = Ed25519PrivateKey.generate()
        certificate = self._sign(
            _x509_name(common_name), key, ca=False, dns=dns, years=years, usage=usage
        )
        self._write(file, certificate, key)

    def _sign(
        self,
        subject: x509.Name,
        key: Ed25519PrivateKey,
        *,
        ca: bool,
        dns: str | None = None,
        years: tuple[int, int] = (2025, 2049),
        usage: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime(years[0], 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(years[1], 1, 1, tzinfo=dt.UTC))
            .add_extension(
                x509.BasicConstraints(ca=ca, path_length=None), critical=True
            )
        )
        if dns is not None:
            names = x509.SubjectAlternativeName([x509.DNSName(dns)])
            builder = builder.add_extension(names, critical=False)
        if usage is not None:
            extended = x509.ExtendedKeyUsage([usage])
            builder = builder.add_extension(extended, critical=True)
        return builder.sign(self._key, None)

    def _write(
        self, file: str, certificate: x509.Certificate, key: Ed25519PrivateKey
    ) -> None:
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self._directory / f"{file}.pem").write_bytes(pem)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (self._directory / f"{file}.key").write_bytes(private)


def _x509_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class CallWorld:
    """Two whole calls' machines, two simulated modems, and the time."""

    def __init__(
        self,
        certificates: Certificates,
        settings: ExchangeSettings | None = None,
        *,
        script: Sequence[Outcome] = (),
        seed: int = 1,
        plan: DialPlan | None = None,
        has_dtr: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.now_ms = 5_000
        self.exchange = TelephoneExchange(settings, script=script, seed=seed)
        self.client_context = certificates.client()
        self.server_context = certificates.server()
        self.plan = plan or DialPlan(numbers=("5551234",))
        self.has_dtr = has_dtr
        self.near_noise = b""
        self.restart()

    def restart(self) -> None:
        """A new call on the same modems, at once."""
        self.near = self.restarted_near()
        self.far = self._machine(Answerer(AnswerPlan(), now_ms=self.now_ms))
        self.near_events: list[CallEvent] = []
        self.far_events: list[CallEvent] = []
        self.near_messages: list[bytes] = []
        self.far_messages: list[bytes] = []

    def restarted_near(self) -> CallMachine:
        return self._machine(Dialer(self.plan, now_ms=self.now_ms))

    def _machine(self, connector: Dialer | Answerer) -> CallMachine:
        def make_session(rate_bps: int, now_ms: int) -> SecureSession:
            link = Link(
                nonce=self.random.getrandbits(32),
                line_rate_bps=rate_bps,
                now_ms=now_ms,
            )
            dialled = isinstance(connector, Dialer)
            context = self.client_context if dialled else self.server_context
            server_name = SERVER_NAME if dialled else None
            return SecureSession(link, TLSSession(context, server_name=server_name))

        return CallMachine(connector, make_session, has_dtr=self.has_dtr)

    def run_until(self, done: Callable[[], bool], *, limit_ms: int = 600_000) -> int:
        """Let time pass until ``done``; the milliseconds that took."""
        start_ms = self.now_ms
        still = StillClock()
        while True:
            self._step()
            if done():
                return self.now_ms - start_ms
            self.now_ms = still.next_ms(
                self.now_ms,
                [
                    self.near.deadline_ms(self.now_ms),
                    self.far.deadline_ms(self.now_ms),
                    self.exchange.deadline_ms(),
                    self.now_ms if self._modem_speaks() else None,
                ],
            )
            assert self.now_ms - start_ms <= limit_ms, "not done in time"

    def _modem_speaks(self) -> bool:
        return self.exchange.near.has_output or self.exchange.far.has_output

    def secure(self) -> None:
        self.run_until(lambda: self.near.secured and self.far.secured)

    def close(self) -> None:
        self.near.close()
        self.run_until(lambda: self.near.done and self.far.done)

    def _step(self) -> None:
        self.exchange.on_timer(self.now_ms)
        for machine, modem in (
            (self.near, self.exchange.near),
            (self.far, self.exchange.far),
        ):
            data = modem.to_terminal()
            if machine is self.near:
                data, self.near_noise = self.near_noise + data, b""
            for piece in slices(data, self.random):
                machine.receive_data(piece, self.now_ms)
            machine.on_timer(self.now_ms)
            out = machine.data_to_send(self.now_ms)
            if out:
                modem.from_terminal(out, self.now_ms)
            if self.has_dtr:
                modem.set_dtr(machine.dtr, self.now_ms)
        self._collect(self.near, self.near_events, self.near_messages)
        self._collect(self.far, self.far_events, self.far_messages)

    @staticmethod
    def _collect(
        machine: CallMachine, events: list[CallEvent], messages: list[bytes]
    ) -> None:
        while (event := machine.next_event()) is not None:
            if isinstance(event, MessageReceived):
                messages.append(event.message)
            else:
                events.append(event)


@pytest.fixture
def link_world() -> Callable[..., LinkWorld]:
    """The class itself: each test builds the line it needs."""
    return LinkWorld


@pytest.fixture
def call_world(certificates: Certificates) -> Callable[..., CallWorld]:
    """A maker of worlds: each test says what it needs."""

    def make(
        settings: ExchangeSettings | None = None,
        *,
        script: Sequence[Outcome] = (),
        seed: int = 1,
        plan: DialPlan | None = None,
        has_dtr: bool = False,
    ) -> CallWorld:
        return CallWorld(
            certificates, settings, script=script, seed=seed, plan=plan, has_dtr=has_dtr
        )

    return make


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Two CAs, a host and a terminal of each, and a host under another name."""
    directory = tmp_path_factory.mktemp("certificates")
    ours = Issuer(directory, "ca")
    ours.issue("host", SERVER_NAME, dns=SERVER_NAME)
    ours.issue("T0000007", "T0000007")
    ours.issue("other-host", "host.other.raseed", dns="host.other.raseed")
    strangers = Issuer(directory, "stranger-ca")
    strangers.issue("stranger-host", SERVER_NAME, dns=SERVER_NAME)
    strangers.issue("stranger-terminal", "T0000007")
    return Certificates(directory=directory)
