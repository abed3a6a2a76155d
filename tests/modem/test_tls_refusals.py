"""Who is turned away, with which words on both sides, and before any message.

Both ends are whole: link, TLS of the real library, session. Both queue a message at the
start, as a careless program might; neither may ever come out on the other side.
"""

from __future__ import annotations

import datetime as dt
import random
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from modem.certificates import CertificateOwner, CertificateTrouble, PeerCertificate
from modem.errors import (
    CertificateRefusedError,
    DowngradeRefusedError,
    ModemError,
    SecurityError,
)
from modem.events import Secured
from modem.link import Link
from modem.session import SecureSession, SessionEnded, SessionEvent
from modem.tls import AdmissionAsked, MessageReceived, TLSSession, frame_message
from modem.tls_context import ClientContexts, LinkContext, client_context
from modem.tls_context import server_context as make_server_context
from tests.modem.conftest import SERVER_NAME, Certificates, Issuer

if TYPE_CHECKING:
    from pathlib import Path

OURS, THEIRS = CertificateOwner
MINE = ("ca.pem", "T0000007.pem", "T0000007.key")
OTHER = ("host.pem", "host.key")
STEP_MS = 20
NOW = dt.datetime(2026, 3, 4, 8, 30, tzinfo=dt.UTC)


@dataclass(slots=True)
class Ended:
    """What one end told of a call, and the error that ended it."""

    events: list[SessionEvent]

    @property
    def error(self) -> ModemError:
        ended = self.events[-1]
        assert isinstance(ended, SessionEnded)
        assert ended.error is not None
        return ended.error

    @property
    def refused(self) -> CertificateRefusedError:
        assert isinstance(self.error, CertificateRefusedError)
        return self.error

    @property
    def messages(self) -> list[bytes]:
        told = [event for event in self.events if isinstance(event, MessageReceived)]
        return [event.message for event in told]

    @property
    def secured(self) -> Secured:
        [told] = [event for event in self.events if isinstance(event, Secured)]
        return told


def converse(
    near: SecureSession,
    far: SecureSession,
    office: Office | None = None,
    *,
    orderly: bool = True,
) -> tuple[Ended, Ended]:
    """Let both talk until both have ended; the terminal ends a call that succeeds."""
    near.send(b"pay 5 rials")
    far.send(b"paid")
    ends = ((near, Ended(events=[])), (far, Ended(events=[])))
    for now_ms in range(1_000, 400_000, STEP_MS):
        up, down = near.data_to_send(now_ms), far.data_to_send(now_ms)
        for session, data in ((near, down), (far, up)):
            session.receive_data(data, now_ms)
            session.on_timer(now_ms)
        for session, told in ends:
            while (event := session.next_event()) is not None:
                if isinstance(event, AdmissionAsked):
                    assert office is not None
                    session.admit(office.admit(event.terminal))
                else:
                    told.events.append(event)
        (_, at_terminal), (_, at_host) = ends
        if at_terminal.messages and at_host.messages:
            if orderly:
                near.close()
            else:
                near.line_lost("cut", now_ms)
                far.line_lost("cut", now_ms)
        if all(
            told.events and isinstance(told.events[-1], SessionEnded)
            for _, told in ends
        ):
            return at_terminal, at_host
    raise AssertionError("the call did not end")


def call(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    office: Office | None = None,
    *,
    orderly: bool = True,
) -> tuple[Ended, Ended]:
    """A call of a terminal with ``client`` to a host with ``server`` and ``office``."""
    near, far = (
        SecureSession(
            Link(nonce=nonce, line_rate_bps=33_600, now_ms=1_000),
            TLSSession(
                context,
                server_name=name,
                asks_admission=name is None and office is not None,
            ),
        )
        for nonce, context, name in ((1, client, SERVER_NAME), (2, server, None))
    )
    return converse(near, far, office, orderly=orderly)


def assert_nothing_was_said(terminal: Ended, host: Ended) -> None:
    for end in (terminal, host):
        assert end.messages == []
        assert not any(isinstance(event, Secured) for event in end.events)
        text = str(end.error)
        assert "no money moved" in text
        assert text.endswith(end.error.next_step)


class Office:
    """A bank's list of terminals and a clock, as far as a session asks for them."""

    def __init__(self) -> None:
        self.trouble: CertificateTrouble | None = None
        self.asked: list[PeerCertificate] = []
        self.now = NOW

    def admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        self.asked.append(terminal)
        return self.trouble


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def server(certificates: Certificates, office: Office) -> LinkContext:
    return make_server_context(
        *map(certificates.path, ("ca.pem", "host.pem", "host.key")),
        clock=lambda: office.now,
    )


@pytest.fixture(scope="module")
def issuer(certificates: Certificates) -> Issuer:
    """A third authority, whose certificates have odd dates and uses."""
    issuer = Issuer(certificates.directory, "odd-ca")
    for name, years in (("past", (2019, 2020)), ("future", (2047, 2049))):
        issuer.issue(f"{name}-host", SERVER_NAME, dns=SERVER_NAME, years=years)
        issuer.issue(f"{name}-terminal", "T0000007", years=years)
    server_auth, client_auth = (
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    issuer.issue("odd-host", SERVER_NAME, dns=SERVER_NAME, usage=server_auth)
    issuer.issue("odd-terminal", "T0000007", usage=client_auth)
    return issuer


def test_a_known_terminal_gets_in_and_both_messages_arrive(
    certificates: Certificates, server: LinkContext, office: Office
) -> None:
    terminal, host = call(certificates.client(), server, office)
    assert (terminal.messages, host.messages) == ([b"paid"], [b"pay 5 rials"])
    assert [asked.name for asked in office.asked] == ["T0000007"]
    assert host.secured.peer_until == dt.datetime(2049, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("trouble", "words", "next_step"),
    [
        (CertificateTrouble.REVOKED, "has revoked it", "tell the bank"),
        (CertificateTrouble.UNKNOWN, "books do not have it", "tell the bank"),
        (CertificateTrouble.REPLACED, "a newer one", "newest certificate"),
        (CertificateTrouble.NOT_CHECKED, "just now", "in a few minutes"),
    ],
)
def test_whom_the_bank_does_not_admit_is_told_why(
    certificates: Certificates,
    server: LinkContext,
    office: Office,
    trouble: CertificateTrouble,
    words: str,
    next_step: str,
) -> None:
    office.trouble = trouble
    terminal, host = call(certificates.client(), server, office)
    assert_nothing_was_said(terminal, host)
    assert (terminal.refused.owner, terminal.refused.trouble) == (OURS, trouble)
    assert words in terminal.refused.what
    assert next_step in terminal.refused.next_step
    assert (host.refused.owner, host.refused.trouble) == (THEIRS, trouble)
    assert "certificate T0000007 was refused by this machine" in host.refused.what


def asking(
    certificates: Certificates, server: LinkContext
) -> tuple[TLSSession, TLSSession]:
    """A terminal and a host whose handshake is over, but for the host's first word."""
    near = TLSSession(certificates.client(), server_name=SERVER_NAME)
    far = TLSSession(server, server_name=None, asks_admission=True)
    near.start()
    for _ in range(2):
        far.receive_data(near.data_to_send())
        near.receive_data(far.data_to_send())
    event = far.next_event()
    assert isinstance(event, AdmissionAsked)
    assert event.terminal.name == "T0000007"
    return near, far


def test_no_word_is_said_before_the_bank_has_answered(
    certificates: Certificates, server: LinkContext
) -> None:
    near, far = asking(certificates, server)
    assert far.data_to_send() == b""
    assert [near.ready, far.ready] == [False, False]
    assert near.next_event() is far.next_event() is None
    far.admit(None)
    near.receive_data(far.data_to_send())
    assert [near.ready, far.ready] == [True, True]


def test_a_message_before_the_bank_has_answered_is_against_the_order(
    certificates: Certificates, server: LinkContext
) -> None:
    near, far = asking(certificates, server)
    near.ready = True
    near.send(frame_message(b"pay 5 rials"))
    with pytest.raises(SecurityError, match="session's order"):
        far.receive_data(near.data_to_send())
    assert far.next_event() is None


@pytest.mark.parametrize("end", ["lost", "closed"])
@pytest.mark.parametrize("trouble", [None, CertificateTrouble.REVOKED])
def test_an_answer_that_comes_after_the_end_changes_nothing(
    certificates: Certificates,
    server: LinkContext,
    end: str,
    trouble: CertificateTrouble | None,
) -> None:
    near, far = (
        SecureSession(
            Link(nonce=nonce, line_rate_bps=33_600, now_ms=0),
            TLSSession(context, server_name=name, asks_admission=name is None),
        )
        for nonce, context, name in (
            (1, certificates.client(), SERVER_NAME),
            (2, server, None),
        )
    )
    told: list[SessionEvent] = []
    now_ms = 0
    while not any(isinstance(event, AdmissionAsked) for event in told):
        now_ms += STEP_MS
        near.receive_data(far.data_to_send(now_ms), now_ms)
        far.receive_data(near.data_to_send(now_ms), now_ms)
        while (event := far.next_event()) is not None:
            told.append(event)
    if end == "lost":
        far.line_lost("cut", now_ms)
    else:
        far.close()
        far.data_to_send(now_ms)
    far.admit(trouble)
    assert isinstance(far.next_event(), SessionEnded) == (end == "lost")
    assert far.next_event() is None


@pytest.mark.parametrize(
    ("now", "trouble", "next_step"),
    [
        (dt.datetime(2049, 1, 2, tzinfo=dt.UTC), "EXPIRED", "new certificate"),
        (dt.datetime(2024, 12, 31, tzinfo=dt.UTC), "NOT_YET_VALID", "date and time"),
    ],
)
def test_a_terminal_outside_its_dates_is_told_so_and_named_at_the_host(
    certificates: Certificates,
    server: LinkContext,
    office: Office,
    now: dt.datetime,
    trouble: str,
    next_step: str,
) -> None:
    office.now = now
    terminal, host = call(certificates.client(), server, office)
    assert_nothing_was_said(terminal, host)
    assert terminal.refused.trouble is CertificateTrouble[trouble]
    assert next_step in terminal.refused.next_step
    assert host.refused.trouble is CertificateTrouble[trouble]
    assert "T0000007" in host.refused.what
    assert office.asked == []


def test_a_certificate_is_good_through_its_last_second(
    certificates: Certificates, server: LinkContext, office: Office
) -> None:
    office.now = dt.datetime(2049, 1, 1, 0, 0, 0, 999_999, tzinfo=dt.UTC)
    terminal, _ = call(certificates.client(), server, office)
    assert terminal.messages == [b"paid"]


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("stranger-terminal", CertificateTrouble.UNTRUSTED),
        pytest.param("odd-host", CertificateTrouble.UNSUITABLE, id="host-as-terminal"),
    ],
)
def test_a_terminal_that_tls_refuses_is_told_why(
    certificates: Certificates, issuer: Issuer, name: str, trouble: CertificateTrouble
) -> None:
    del issuer
    ca = "odd-ca" if name == "odd-host" else "ca"
    host_name = "odd-host" if name == "odd-host" else "host"
    terminal, host = call(
        certificates.client(name=name, ca=ca),
        certificates.server(name=host_name, ca=ca),
    )
    assert_nothing_was_said(terminal, host)
    assert (terminal.refused.owner, terminal.refused.trouble) == (OURS, trouble)
    assert (host.refused.owner, host.refused.trouble) == (THEIRS, trouble)


@pytest.mark.parametrize(
    ("host_name", "ca", "trouble", "at_host"),
    [
        ("stranger-host", "ca", "UNTRUSTED", "UNTRUSTED"),
        ("other-host", "ca", "WRONG_NAME", "NOT_SOUND"),
        ("past-host", "odd-ca", "EXPIRED", "EXPIRED"),
        ("future-host", "odd-ca", "NOT_YET_VALID", "NOT_SOUND"),
        ("odd-terminal", "odd-ca", "UNSUITABLE", "UNSUITABLE"),
    ],
)
def test_a_host_that_the_terminal_refuses_is_told_why(
    certificates: Certificates,
    issuer: Issuer,
    host_name: str,
    ca: str,
    trouble: str,
    at_host: str,
) -> None:
    del issuer
    terminal, host = call(
        certificates.client(ca=ca), certificates.server(name=host_name)
    )
    assert_nothing_was_said(terminal, host)
    assert terminal.refused.owner is THEIRS
    assert terminal.refused.trouble is CertificateTrouble[trouble]
    assert "bank's certificate was refused by this machine" in terminal.refused.what
    assert (host.refused.owner, host.refused.trouble) == (
        OURS,
        CertificateTrouble[at_host],
    )


def test_a_terminal_without_a_certificate_is_told_so(
    certificates: Certificates, server: LinkContext
) -> None:
    bare = LinkContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(certificates.path("ca.pem"))
    terminal, host = call(bare, server)
    assert_nothing_was_said(terminal, host)
    missing = CertificateTrouble.MISSING
    assert (terminal.refused.owner, terminal.refused.trouble) == (OURS, missing)
    assert (host.refused.owner, host.refused.trouble) == (THEIRS, missing)


@pytest.mark.parametrize("older", ["terminal", "host"])
def test_an_older_tls_is_refused_whoever_offers_it(
    certificates: Certificates, server: LinkContext, older: str
) -> None:
    client = certificates.client()
    context = client if older == "terminal" else server
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    terminal, host = call(client, server)
    assert_nothing_was_said(terminal, host)
    assert isinstance(terminal.error, DowngradeRefusedError)
    assert isinstance(host.error, DowngradeRefusedError)
    assert "weaker security protocol" in terminal.error.what


class Garbage(TLSSession):
    """A program that says something else than TLS over a good link."""

    def start(self) -> None:
        self._outgoing.write(b"login: root\r\nPassword: \r\n" * 3)

    def receive_data(self, data: bytes) -> None:
        del data


@pytest.mark.parametrize("speaker", ["terminal", "host"])
def test_what_is_no_tls_at_all_is_told_as_that(
    certificates: Certificates, server: LinkContext, speaker: str
) -> None:
    kinds = (Garbage, TLSSession) if speaker == "terminal" else (TLSSession, Garbage)
    near, far = (
        SecureSession(
            Link(nonce=nonce, line_rate_bps=33_600, now_ms=1_000),
            kind(context, server_name=name),
        )
        for nonce, kind, context, name in (
            (1, kinds[0], certificates.client(), SERVER_NAME),
            (2, kinds[1], server, None),
        )
    )
    terminal, host = converse(near, far)
    assert terminal.messages == host.messages == []
    listener = host if speaker == "terminal" else terminal
    assert type(listener.error) is SecurityError
    assert "is not TLS" in listener.error.what
    assert "no money moved" in str(listener.error)


@pytest.mark.parametrize("said", [b"\x63", b"\x02 and more of a later version"])
def test_a_refusal_of_a_later_version_is_understood_as_far_as_can_be(
    certificates: Certificates, server: LinkContext, said: bytes
) -> None:
    client = TLSSession(certificates.client(), server_name=SERVER_NAME)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    host = server.wrap_bio(up, down, server_side=True)
    client.start()
    up.write(client.data_to_send())
    with pytest.raises(ssl.SSLWantReadError):
        host.do_handshake()
    client.receive_data(down.read())
    up.write(client.data_to_send())
    host.do_handshake()
    host.write(frame_message(said))
    with pytest.raises(CertificateRefusedError) as caught:
        client.receive_data(down.read())
    assert caught.value.owner is OURS
    assert ("revoked" in caught.value.what) == (said[0] == CertificateTrouble.REVOKED)
    assert not client.ready


@pytest.mark.parametrize("resumed", [False, True], ids=["full", "resumed"])
@pytest.mark.parametrize("seed", range(40))
def test_a_handshake_that_was_tampered_with_lets_nobody_in(
    certificates: Certificates, server: LinkContext, resumed: bool, seed: int
) -> None:
    client = certificates.client()
    if resumed:
        call(client, server)
    source = random.Random(seed)
    near = TLSSession(client, server_name=SERVER_NAME)
    far = TLSSession(server, server_name=None)
    near.start()
    tampered = source.randrange(3)
    # A changed length makes the receiver wait for more, which no call does for ever.
    with suppress(SecurityError):
        for flight in range(6):
            sender, receiver = (far, near) if flight % 2 else (near, far)
            data = bytearray(sender.data_to_send())
            if flight == tampered:
                # The first five bytes name an old version that everybody ignores.
                data[source.randrange(5, len(data))] ^= 1 << source.randrange(8)
            receiver.receive_data(bytes(data))
    assert not near.ready
    assert near.next_event() is None
    assert far.next_event() is None


# The same on a call that resumes an earlier session, where TLS looks at nothing again.


@pytest.mark.parametrize("orderly", [True, False], ids=["ended", "cut"])
def test_the_next_call_resumes_and_the_bank_is_asked_all_the_same(
    certificates: Certificates, server: LinkContext, office: Office, orderly: bool
) -> None:
    client = certificates.client()
    first = call(client, server, office, orderly=orderly)
    again = call(client, server, office)
    assert [end.secured.resumed for end in (*first, *again)] == [
        *(False, False),
        *(True, True),
    ]
    assert len(office.asked) == 2
    assert office.asked[0] == office.asked[1]


def test_a_ticket_does_not_outlive_a_revocation(
    certificates: Certificates, server: LinkContext, office: Office
) -> None:
    client = certificates.client()
    call(client, server, office)
    office.trouble = CertificateTrouble.REVOKED
    terminal, host = call(client, server, office)
    assert_nothing_was_said(terminal, host)
    assert terminal.refused.trouble is CertificateTrouble.REVOKED
    assert "T0000007" in host.refused.what
    # And the ticket is gone on both sides: nothing is resumed from a refused session.
    office.trouble = None
    terminal, _ = call(client, server, office)
    assert not terminal.secured.resumed


def test_a_ticket_does_not_outlive_the_terminals_certificate(
    certificates: Certificates, server: LinkContext, office: Office
) -> None:
    client = certificates.client()
    call(client, server, office)
    office.now = dt.datetime(2049, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    terminal, host = call(client, server, office)
    assert_nothing_was_said(terminal, host)
    assert terminal.refused.trouble is CertificateTrouble.EXPIRED


def test_a_ticket_does_not_outlive_the_hosts_certificate(
    certificates: Certificates, server: LinkContext
) -> None:
    client = certificates.client()
    call(client, server)
    client.clock = lambda: dt.datetime(2049, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    terminal, _ = call(client, server)
    assert not terminal.secured.resumed


def test_a_host_that_was_started_again_knows_no_ticket_and_takes_the_call(
    certificates: Certificates, server: LinkContext
) -> None:
    client = certificates.client()
    call(client, server)
    terminal, host = call(client, certificates.server())
    assert not terminal.secured.resumed
    assert host.messages == [b"pay 5 rials"]


def test_the_context_is_kept_until_a_file_of_it_changes(
    certificates: Certificates, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("ca.pem", "t.pem", "t.key")]
    for path, source in zip(paths, MINE, strict=True):
        path.write_bytes(certificates.path(source).read_bytes())
    contexts = ClientContexts(*paths)
    first = contexts.current()
    assert contexts.current() is first
    for path, source in zip(paths[1:], OTHER, strict=True):
        path.write_bytes(certificates.path(source).read_bytes())
    assert contexts.current() is not first


def test_a_stranger_with_the_hosts_name_gets_no_ticket(
    certificates: Certificates, server: LinkContext
) -> None:
    client = client_context(*map(certificates.path, MINE))
    call(client, server)
    stranger = certificates.server(name="stranger-host", ca="ca")
    terminal, _ = call(client, stranger)
    assert terminal.refused.trouble is CertificateTrouble.UNTRUSTED
