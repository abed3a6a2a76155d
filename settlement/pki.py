"""The bank's private certificate authority: who may be on the line.

Three kinds of X.509 certificates (RFC 5280) with Ed25519 keys (RFC 8410), small enough
for a telephone line:

* the authority itself, which signs only end certificates (path length 0);
* the host, whose DNS name `HOST_DNS_NAME` the terminals check;
* one for each terminal; its common name is the terminal's id.

The authority's key leaves this module only encrypted under the bank's passphrase. Host
and terminal keys must be readable by a program that starts without anybody there, so
they are plain PEM and the caller gives their files mode 0600.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from settlement.errors import SettlementError

__all__ = ["HOST_DNS_NAME", "Authority", "AuthorityKeyError", "Identity"]

HOST_DNS_NAME: Final = "host.bank.raseed"
"""The name every terminal expects of the host, in its certificate and as TLS SNI."""

_AUTHORITY_NAME: Final = "Raseed private authority"
_AUTHORITY_DAYS: Final = 20 * 365
_END_DAYS: Final = 5 * 365
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

    def __init__(self, certificate: x509.Certificate, key: Ed25519PrivateKey) -> None:
        """Hold a certificate and the key that belongs to it."""
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, now: dt.datetime) -> Authority:
        """Make a new authority, valid from a day before ``now`` for 20 years."""
        key = Ed25519PrivateKey.generate()
        name = _common_name(_AUTHORITY_NAME)
        builder = _builder(name, name, key.public_key(), now, _AUTHORITY_DAYS)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).add_extension(_key_usage(authority=True), critical=True)
        return cls(builder.sign(key, None), key)

    @classmethod
    def load(
        cls, certificate_pem: bytes, key_pem: bytes, passphrase: bytes
    ) -> Authority:
        """Open an authority that `encrypted_key_pem` has stored.

        Raises:
            AuthorityKeyError: wrong passphrase, damaged file, or a key that is not
                this certificate's. Nothing was issued.
        """
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            key = serialization.load_pem_private_key(key_pem, password=passphrase)
        except (ValueError, TypeError):
            # The cause may quote what it was given; only the fact is passed on.
            raise AuthorityKeyError(
                "The key of the bank's certificate authority does not open: the "
                "passphrase is wrong or the file is damaged. No certificate was issued."
            ) from None
        if (
            not isinstance(key, Ed25519PrivateKey)
            or key.public_key() != certificate.public_key()
        ):
            raise AuthorityKeyError(
                "The key of the bank's certificate authority does not belong to its "
                "certificate. No certificate was issued; restore both from one backup."
            )
        return cls(certificate, key)

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate, for every machine of the bank."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def encrypted_key_pem(self, passphrase: bytes) -> bytes:
        """The authority's key, PKCS #8, encrypted under ``passphrase`` (not empty)."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )

    def issue_host(self, dns_name: str, now: dt.datetime) -> Identity:
        """A server certificate for ``dns_name`` with a new key, valid 5 years."""
        return self._issue(
            dns_name,
            now,
            ExtendedKeyUsageOID.SERVER_AUTH,
            x509.SubjectAlternativeName([x509.DNSName(dns_name)]),
        )

    def issue_terminal(self, terminal_id: str, now: dt.datetime) -> Identity:
        """A client certificate, common name ``terminal_id``, new key, 5 years."""
        return self._issue(terminal_id, now, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self,
        common_name: str,
        now: dt.datetime,
        usage: x509.ObjectIdentifier,
        *extensions: x509.ExtensionType,
    ) -> Identity:
        key = Ed25519PrivateKey.generate()
        builder = _builder(
            _common_name(common_name),
            self._certificate.subject,
            key.public_key(),
            now,
            _END_DAYS,
        )
        builder = (
            builder.add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(self._authority_key_identifier(), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return Identity(
            certificate_pem=builder.sign(self._key, None).public_bytes(
                serialization.Encoding.PEM
            ),
            key_pem=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.public_key()
        )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: Ed25519PublicKey,
    now: dt.datetime,
    days: int,
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
        .not_valid_after(start + dt.timedelta(days=days))
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
