"""The bank's private certificate authority: who may be on the line.

X.509 certificates (RFC 5280) with Ed25519 keys (RFC 8410), small enough for a telephone
line:

* the authority's own two, for one key under two names, that of hosts and that of
  terminals; they sign only end certificates (path length 0);
* the host's, whose DNS name `HOST_DNS_NAME` the terminals check;
* one for each terminal; its common name is the terminal's id.

Two names for two reasons. A terminal trusts only issuers of hosts, and the host only
those of terminals, whatever use a certificate claims. And the TLS library sends along
whatever issuer of its own certificate it can find: here it finds none, which saves
350 bytes each way of a handshake that takes seconds.

The authority's key leaves this module only encrypted under the bank's passphrase. Host
and terminal keys must be readable by a program that starts without anybody there, so
they are plain PEM and the caller gives their files mode 0600.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from settlement.errors import SettlementError
from settlement.pki_files import common_name_in

if TYPE_CHECKING:
    from settlement.pki_files import PublicKey

__all__ = [
    "END_DAYS",
    "HOST_DNS_NAME",
    "Authority",
    "AuthorityKeyError",
    "Identity",
]

HOST_DNS_NAME: Final = "host.bank.raseed"
"""The name every terminal expects of the host, in its certificate and as TLS SNI."""

END_DAYS: Final = 5 * 365
"""How long certificates of hosts and terminals are valid unless told otherwise."""

_HOSTS_NAME: Final = "Raseed hosts"
_TERMINALS_NAME: Final = "Raseed terminals"
_AUTHORITY_DAYS: Final = 20 * 365
_CLOCK_SLACK: Final = dt.timedelta(days=1)
"""A terminal whose clock is some hours slow must not refuse today's certificate."""


class AuthorityKeyError(SettlementError):
    """The authority's key does not open, or does not belong to its certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate and its private key, both PEM, the key not encrypted."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


class Authority:
    """Issues certificates; made once by `create`, opened again by `load`."""

    def __init__(
        self,
        for_hosts: x509.Certificate,
        for_terminals: x509.Certificate,
        key: Ed25519PrivateKey,
    ) -> None:
        """Hold both certificates and the key that belongs to them."""
        self._for_hosts = for_hosts
        self._for_terminals = for_terminals
        self._key = key

    @classmethod
    def create(cls, now: dt.datetime) -> Self:
        """Make a new authority, valid from a day before ``now`` for 20 years."""
        key = Ed25519PrivateKey.generate()
        end = now + dt.timedelta(days=_AUTHORITY_DAYS)
        for_hosts, for_terminals = (
            _builder(name, name, key.public_key(), now, end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(key, None)
            for name in map(_common_name, (_HOSTS_NAME, _TERMINALS_NAME))
        )
        return cls(for_hosts, for_terminals, key)

    @classmethod
    def load(
        cls,
        certificate_pem: bytes,
        terminals_certificate_pem: bytes,
        key_pem: bytes,
        passphrase: bytes,
    ) -> Self:
        """Open an authority that `encrypted_key_pem` has stored.

        Raises:
            AuthorityKeyError: wrong passphrase, damaged file, or a key that is not
                these certificates'. Nothing was issued.
        """
        try:
            for_hosts = x509.load_pem_x509_certificate(certificate_pem)
            for_terminals = x509.load_pem_x509_certificate(terminals_certificate_pem)
            key = serialization.load_pem_private_key(key_pem, password=passphrase)
        except (ValueError, TypeError):
            # The cause may quote what it was given; only the fact is passed on.
            raise AuthorityKeyError(
                "The key of the bank's certificate authority does not open: the "
                "passphrase is wrong or the file is damaged. No certificate was issued."
            ) from None
        if not isinstance(key, Ed25519PrivateKey) or any(
            key.public_key() != certificate.public_key()
            for certificate in (for_hosts, for_terminals)
        ):
            raise AuthorityKeyError(
                "The key of the bank's certificate authority does not belong to its "
                "certificates. No certificate was issued; restore all of them from one "
                "backup."
            )
        return cls(for_hosts, for_terminals, key)

    @property
    def certificate_pem(self) -> bytes:
        """The authority of hosts, for every terminal."""
        return self._for_hosts.public_bytes(serialization.Encoding.PEM)

    @property
    def terminals_certificate_pem(self) -> bytes:
        """The authority of terminals, for the host."""
        return self._for_terminals.public_bytes(serialization.Encoding.PEM)

    def encrypted_key_pem(self, passphrase: bytes) -> bytes:
        """The authority's key, PKCS #8, encrypted under ``passphrase`` (not empty)."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )

    def issue_host(
        self, dns_name: str, now: dt.datetime, days: int = END_DAYS
    ) -> Identity:
        """A server certificate for ``dns_name`` with a new key."""
        key = Ed25519PrivateKey.generate()
        return _identity(key, self._host(dns_name, key.public_key(), now, days))

    def renew_host(self, host_pem: bytes, now: dt.datetime, days: int) -> bytes:
        """A new certificate (PEM) for the name and the key of an earlier one.

        Raises:
            ValueError: ``host_pem`` is no certificate of a host of this bank.
        """
        earlier = x509.load_pem_x509_certificate(host_pem)
        public_key = earlier.public_key()
        if not isinstance(public_key, Ed25519PublicKey):
            raise ValueError("not the key of a host of this bank")
        return self._host(common_name_in(earlier.subject), public_key, now, days)

    def issue_terminal(
        self, terminal_id: str, now: dt.datetime, days: int = END_DAYS
    ) -> Identity:
        """A client certificate, common name ``terminal_id``, with a new key."""
        key = Ed25519PrivateKey.generate()
        return _identity(
            key, self.certify_terminal(terminal_id, key.public_key(), now, days)
        )

    def certify_terminal(
        self, terminal_id: str, public_key: PublicKey, now: dt.datetime, days: int
    ) -> bytes:
        """A client certificate (PEM) for a key that never left the terminal."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._end(terminal_id, self._for_terminals, public_key, now, days)
        return self._sign(builder, usage)

    def _host(
        self, dns_name: str, public_key: PublicKey, now: dt.datetime, days: int
    ) -> bytes:
        names = x509.SubjectAlternativeName([x509.DNSName(dns_name)])
        builder = self._end(dns_name, self._for_hosts, public_key, now, days)
        return self._sign(
            builder.add_extension(names, critical=False),
            ExtendedKeyUsageOID.SERVER_AUTH,
        )

    def _end(
        self,
        name: str,
        issuer: x509.Certificate,
        public_key: PublicKey,
        now: dt.datetime,
        days: int,
    ) -> x509.CertificateBuilder:
        # One that outlived its authority would fail with words about the authority.
        end = min(now + dt.timedelta(days=days), issuer.not_valid_after_utc)
        return _builder(_common_name(name), issuer.subject, public_key, now, end)

    def _sign(
        self, builder: x509.CertificateBuilder, usage: x509.ObjectIdentifier
    ) -> bytes:
        certificate = (
            builder.add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(self._authority_key_identifier(), critical=False)
            .sign(self._key, None)
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.public_key()
        )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _identity(key: Ed25519PrivateKey, certificate_pem: bytes) -> Identity:
    return Identity(
        certificate_pem=certificate_pem,
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
    now: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    # Not every X.509 reader takes fractions of a second.
    start = now.astimezone(dt.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _CLOCK_SLACK)
        .not_valid_after(end.astimezone(dt.UTC).replace(microsecond=0))
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
        )
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
