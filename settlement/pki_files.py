"""Certificates and requests as files: what they say, and what nothing is issued for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import NameOID

from settlement.errors import SettlementError

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "CertificateFacts",
    "CertificateRequest",
    "PublicKey",
    "RequestError",
    "common_name_in",
    "read_facts",
    "read_request",
]


class RequestError(SettlementError):
    """A certificate request (CSR) that nothing can be issued for."""


PublicKey: TypeAlias = Ed25519PublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a certificate says.

    Attributes:
        name: its common name.
        serial: its number, up to 20 bytes, random.
        not_before: the first moment of its validity.
        not_after: the last one.
    """

    name: str
    serial: int
    not_before: dt.datetime
    not_after: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A public key that its owner wants certified, and has signed for.

    Attributes:
        name: the common name that it asks for.
        public_key: Ed25519, or NIST P-256.
    """

    name: str
    public_key: PublicKey


def read_facts(certificate_pem: bytes) -> CertificateFacts:
    """Read one of this authority's certificates.

    Raises:
        ValueError: it is no certificate.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return CertificateFacts(
        name=common_name_in(certificate.subject),
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def read_request(request_pem: bytes) -> CertificateRequest:
    """Read a PKCS #10 request; only its name and its key count, not what else it asks.

    Raises:
        RequestError: it is none, its signature is wrong, or its key is of another kind.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        signed = request.is_signature_valid
        public_key = request.public_key()
        name = common_name_in(request.subject)
    except (ValueError, UnsupportedAlgorithm):
        raise RequestError("it is no certificate request in PEM form") from None
    if not signed:
        raise RequestError("its signature is wrong, so it was damaged on the way")
    sound = isinstance(public_key, Ed25519PublicKey) or (
        isinstance(public_key, ec.EllipticCurvePublicKey)
        and isinstance(public_key.curve, ec.SECP256R1)
    )
    if not sound:
        raise RequestError("its key is neither Ed25519 nor P-256")
    assert isinstance(public_key, Ed25519PublicKey | ec.EllipticCurvePublicKey)
    return CertificateRequest(name=name, public_key=public_key)


def common_name_in(subject: x509.Name) -> str:
    """The one common name in ``subject``.

    Raises:
        ValueError: there is none, or more than one.
    """
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise ValueError("not exactly one common name")
    return str(names[0].value)
