from __future__ import annotations

import datetime as dt
import random
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modem.errors import CertificateFileError, SecurityError
from modem.events import Secured
from modem.tls import (
    MessageReceived,
    TLSSession,
    client_context,
    frame_message,
)

if TYPE_CHECKING:
    from tests.modem.conftest import Certificates

SERVER_NAME = "host.bank.raseed"


def pump(client: TLSSession, server: TLSSession, source: random.Random) -> int:
    """Carry bytes in random slices until both are quiet; how many that were."""
    carried = 0
    while True:
        up, down = client.data_to_send(), server.data_to_send()
        if not up and not down:
            return carried
        carried += len(up) + len(down)
        for data, session in ((up, server), (down, client)):
            rest = data
            while rest:
                size = source.randint(1, 100)
                session.receive_data(rest[:size])
                rest = rest[size:]


def pair(certificates: Certificates) -> tuple[TLSSession, TLSSession]:
    client = TLSSession(certificates.client(), server_name=SERVER_NAME)
    server = TLSSession(certificates.server(), server_name=None)
    client.start()
    server.start()
    return client, server


def ready_of(session: TLSSession) -> Secured:
    event = session.next_event()
    assert isinstance(event, Secured)
    return event


def test_both_ends_learn_the_other_ones_name(certificates: Certificates) -> None:
    client, server = pair(certificates)
    pump(client, server, random.Random(1))
    near, far = ready_of(client), ready_of(server)
    assert (near.peer_name, far.peer_name) == (SERVER_NAME, "T0000007")
    assert near.peer_until == far.peer_until == dt.datetime(2049, 1, 1, tzinfo=dt.UTC)
    assert near.own_until == far.own_until == near.peer_until
    assert not near.resumed


@pytest.mark.parametrize("seed", range(5))
def test_slices_make_no_difference_to_messages(
    certificates: Certificates, seed: int
) -> None:
    source = random.Random(seed)
    client, server = pair(certificates)
    pump(client, server, source)
    client.next_event()
    server.next_event()
    messages = [source.randbytes(source.randint(1, 40_000)) for _ in range(4)]
    client.send(b"".join(map(frame_message, messages)))
    pump(client, server, source)
    for message in messages:
        assert server.next_event() == MessageReceived(message=message)
    assert server.next_event() is None


def test_farewell_is_noticed(certificates: Certificates) -> None:
    client, server = pair(certificates)
    pump(client, server, random.Random(1))
    client.close()
    pump(client, server, random.Random(1))
    assert server.closed_by_peer
    assert not client.closed_by_peer


def test_tampered_bytes_are_an_error(certificates: Certificates) -> None:
    client, server = pair(certificates)
    pump(client, server, random.Random(1))
    client.send(frame_message(b"pay 1"))
    data = bytearray(client.data_to_send())
    data[-1] ^= 1
    with pytest.raises(SecurityError, match="broke down"):
        server.receive_data(bytes(data))


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01\x00\x05hello"]
)
def test_other_protocols_are_an_error(
    certificates: Certificates, garbage: bytes
) -> None:
    _, server = pair(certificates)
    with pytest.raises(SecurityError):
        server.receive_data(garbage)


def test_empty_message_after_the_ready_mark_is_against_the_order(
    certificates: Certificates,
) -> None:
    client, server = pair(certificates)
    pump(client, server, random.Random(1))
    client.send(bytes(2))
    with pytest.raises(SecurityError, match="order"):
        server.receive_data(client.data_to_send())


def test_a_context_that_lets_anyone_in_is_refused() -> None:
    with pytest.raises(TypeError, match="server_context"):
        TLSSession(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), server_name=None)


def test_contents_stay_out_of_representations() -> None:
    assert "secret" not in repr(MessageReceived(message=b"secret"))


@pytest.mark.parametrize(
    ("ca", "certificate", "key", "named"),
    [
        pytest.param("none.pem", "host.pem", "host.key", "none.pem", id="no-ca"),
        pytest.param("ca.pem", "none.pem", "host.key", "none.pem", id="no-certificate"),
        pytest.param("ca.pem", "host.pem", "none.key", "none.key", id="no-key"),
        pytest.param("empty.pem", "host.pem", "host.key", "empty.pem", id="empty-ca"),
        pytest.param("ca.pem", "host.pem", "ca.key", "host.pem", id="another-key"),
        pytest.param("ca.pem", "empty.pem", "host.key", "empty.pem", id="empty-file"),
    ],
)
def test_unusable_file_is_named(
    certificates: Certificates, ca: str, certificate: str, key: str, named: str
) -> None:
    certificates.path("empty.pem").write_bytes(b"")
    with pytest.raises(CertificateFileError, match=named) as caught:
        client_context(*map(certificates.path, (ca, certificate, key)))
    assert Path(caught.value.path).name == named


@pytest.mark.parametrize("size", [0, 65_536])
def test_framing_has_limits(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        frame_message(bytes(size))
