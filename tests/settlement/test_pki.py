"""Certificates: TLS accepts the right ones, and only those."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from settlement.pki import HOST_DNS_NAME, Authority, AuthorityKeyError

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.pki import Identity

# TLS checks certificates against the machine's clock, so they are made far around it:
# valid 20 years from here for the authority, 5 for the others.
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PASSPHRASE = b"correct horse"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


def _context(
    folder: Path, side: int, authority: Authority, identity: Identity
) -> ssl.SSLContext:
    certificate, key = folder / f"{side}.pem", folder / f"{side}.key"
    certificate.write_bytes(identity.certificate_pem)
    key.write_bytes(identity.key_pem)
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    trusted = (
        authority.certificate_pem
        if side == ssl.PROTOCOL_TLS_CLIENT
        else authority.terminals_certificate_pem
    )
    context.load_verify_locations(cadata=trusted.decode())
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    # The strictest reading of RFC 5280 that OpenSSL has; newer Pythons default to it.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _shake_hands(near: ssl.SSLContext, far: ssl.SSLContext, name: str) -> str:
    """Both sides of a handshake over memory; the common name the far side saw."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = near.wrap_bio(down, up, server_hostname=name)
    server = far.wrap_bio(up, down, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(6):
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
    assert done == {client, server}
    certificate = server.getpeercert(binary_form=True)
    assert certificate is not None
    subject = x509.load_der_x509_certificate(certificate).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_terminal_and_host_authenticate_each_other(
    authority: Authority, tmp_path: Path
) -> None:
    near = _context(
        tmp_path,
        ssl.PROTOCOL_TLS_CLIENT,
        authority,
        authority.issue_terminal("T0000007", NOW),
    )
    far = _context(
        tmp_path,
        ssl.PROTOCOL_TLS_SERVER,
        authority,
        authority.issue_host(HOST_DNS_NAME, NOW),
    )
    assert _shake_hands(near, far, HOST_DNS_NAME) == "T0000007"


def test_a_terminal_cannot_play_the_host(authority: Authority, tmp_path: Path) -> None:
    terminal = authority.issue_terminal("T0000007", NOW)
    near = _context(tmp_path, ssl.PROTOCOL_TLS_CLIENT, authority, terminal)
    far = _context(tmp_path, ssl.PROTOCOL_TLS_SERVER, authority, terminal)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(near, far, HOST_DNS_NAME)


def test_a_terminal_of_another_authority_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority.create(NOW).issue_terminal("T0000007", NOW)
    near = _context(tmp_path, ssl.PROTOCOL_TLS_CLIENT, authority, stranger)
    host = authority.issue_host(HOST_DNS_NAME, NOW)
    far = _context(tmp_path, ssl.PROTOCOL_TLS_SERVER, authority, host)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(near, far, HOST_DNS_NAME)


def test_the_authority_opens_again_under_its_passphrase(authority: Authority) -> None:
    again = Authority.load(
        authority.certificate_pem,
        authority.terminals_certificate_pem,
        authority.encrypted_key_pem(PASSPHRASE),
        PASSPHRASE,
    )
    assert again.certificate_pem == authority.certificate_pem


@pytest.mark.parametrize("passphrase", [b"wrong", b""], ids=["wrong", "empty"])
def test_a_wrong_passphrase_opens_nothing_and_is_not_repeated(
    authority: Authority, passphrase: bytes
) -> None:
    with pytest.raises(AuthorityKeyError) as caught:
        Authority.load(
            authority.certificate_pem,
            authority.terminals_certificate_pem,
            authority.encrypted_key_pem(PASSPHRASE),
            passphrase,
        )
    assert "No certificate was issued" in str(caught.value)
    assert "wrong or the file is damaged" in str(caught.value)


def test_a_key_of_another_authority_is_refused(authority: Authority) -> None:
    other = Authority.create(NOW).encrypted_key_pem(PASSPHRASE)
    with pytest.raises(AuthorityKeyError, match="does not belong"):
        Authority.load(
            authority.certificate_pem,
            authority.terminals_certificate_pem,
            other,
            PASSPHRASE,
        )


def test_an_authority_of_terminals_from_another_bank_is_refused(
    authority: Authority,
) -> None:
    with pytest.raises(AuthorityKeyError, match="does not belong"):
        Authority.load(
            authority.certificate_pem,
            Authority.create(NOW).terminals_certificate_pem,
            authority.encrypted_key_pem(PASSPHRASE),
            PASSPHRASE,
        )


def test_no_private_key_shows_in_a_repr(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority.issue_terminal("T0000007", NOW))
