"""Certificates, and two worlds under a clock that only tests move."""

from __future__ import annotations

import datetime as dt
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
from modem.tls import (
    AdmissionAsked,
    MessageReceived,
    TLSSession,
    client_context,
    server_context,
)
from sim.modems.virtual import Untimed, VirtualModems, VirtualWires

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modem.events import CallEvent
    from modem.tls_context import LinkContext
    from sim.modems.exchange import Attempt, ExchangeSettings, Outcome
    from sim.modems.line import LineSettings
    from sim.modems.virtual import Port

SERVER_NAME = "host.bank.raseed"


class LinkWorld(VirtualWires):
    """A near and a far link on a line without modems."""

    def __init__(
        self,
        line: LineSettings,
        *,
        seed: int = 1,
        told_rate_bps: int | None = None,
        settings: LinkSettings | None = None,
    ) -> None:
        super().__init__(line, seed=seed)
        self.near, self.far = (
            Link(
                nonce=nonce,
                line_rate_bps=told_rate_bps or line.rate_bps,
                now_ms=self.now_ms,
                settings=settings,
            )
            for nonce in (0x11111111, 0x22222222)
        )
        self.near_events: list[LinkEvent] = []
        self.far_events: list[LinkEvent] = []
        self.near_data = bytearray()
        self.far_data = bytearray()
        self.plug(
            Untimed(self.near),
            self.near_port,
            after=lambda: self._collect(self.near, self.near_events, self.near_data),
        )
        self.plug(
            Untimed(self.far),
            self.far_port,
            after=lambda: self._collect(self.far, self.far_events, self.far_data),
        )

    def all_at_far(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.far_data) == count

    def all_known_at_near(self) -> Callable[[], bool]:
        return lambda: not self.near.unacknowledged_bytes

    def open(self) -> None:
        self.run_until(lambda: bool(self.near_events and self.far_events))
        self.near_events.clear()
        self.far_events.clear()

    @staticmethod
    def _collect(link: Link, events: list[LinkEvent], data: bytearray) -> None:
        while (event := link.next_event()) is not None:
            if isinstance(event, DataReceived):
                data += event.data
            else:
                events.append(event)


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


class CallWorld(VirtualModems):
    """Two whole calls' machines at two simulated modems."""

    def __init__(
        self,
        certificates: Certificates,
        settings: ExchangeSettings | None = None,
        *,
        script: Sequence[Attempt | Outcome] = (),
        seed: int = 1,
        plan: DialPlan | None = None,
        has_dtr: bool = False,
    ) -> None:
        super().__init__(settings, script=script, seed=seed)
        self.client_context = certificates.client()
        self.server_context = certificates.server()
        self.plan = plan or DialPlan(numbers=("5551234",))
        self.has_dtr = has_dtr
        self._near_plug = self.plug(
            self.restarted_near(),
            self.port(self.exchange.near),
            dtr=(lambda: self.near.dtr) if has_dtr else None,
            after=lambda: self._collect(
                self.near, self.near_events, self.near_messages
            ),
        )
        self._far_plug = self.plug(
            self._answering(),
            self.port(self.exchange.far),
            dtr=(lambda: self.far.dtr) if has_dtr else None,
            after=lambda: self._collect(self.far, self.far_events, self.far_messages),
        )
        self.restart()

    @property
    def near(self) -> CallMachine:
        machine = self._near_plug.machine
        assert isinstance(machine, CallMachine)
        return machine

    @near.setter
    def near(self, machine: CallMachine) -> None:
        self._near_plug.machine = machine

    @property
    def far(self) -> CallMachine:
        machine = self._far_plug.machine
        assert isinstance(machine, CallMachine)
        return machine

    @far.setter
    def far(self, machine: CallMachine) -> None:
        self._far_plug.machine = machine

    def use_near_port(self, port: Port) -> None:
        """Put the calling side at another port."""
        self._near_plug.port = port

    def answer_again(self) -> None:
        """The answering side, whose call is over, waits for the next one."""
        self.far = self._answering()

    def restart(self) -> None:
        """A new call on the same modems, at once."""
        self.near = self.restarted_near()
        self.far = self._answering()
        self.near_events: list[CallEvent] = []
        self.far_events: list[CallEvent] = []
        self.near_messages: list[bytes] = []
        self.far_messages: list[bytes] = []

    def restarted_near(self) -> CallMachine:
        return self._machine(Dialer(self.plan, now_ms=self.now_ms))

    def _answering(self) -> CallMachine:
        return self._machine(Answerer(AnswerPlan(), now_ms=self.now_ms))

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

    def secure(self) -> None:
        self.run_until(lambda: self.near.secured and self.far.secured)

    def close(self) -> None:
        self.near.close()
        self.run_until(lambda: self.near.done and self.far.done)

    @staticmethod
    def _collect(
        machine: CallMachine, events: list[CallEvent], messages: list[bytes]
    ) -> None:
        while (event := machine.next_event()) is not None:
            assert not isinstance(event, AdmissionAsked), "nobody is asked here"
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
        script: Sequence[Attempt | Outcome] = (),
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
