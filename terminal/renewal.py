"""This terminal's next certificate, for a key that never leaves this machine.

`make_request` makes the next key beside the present one (``terminal.key.next``) and
asks for a certificate of it. `install` puts key and certificate in the place of the
present ones: first the key, then the certificate, each in one step. Whatever cuts it
short, installing the same certificate again goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.x509.oid import NameOID

from settlement.bank_config import replace_file, sync_folder, write_file
from settlement.pki_files import read_facts
from terminal.errors import RenewalError
from terminal.wording_security import RenewalProblem, renewal_problem

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from terminal.config import TerminalConfig

__all__ = ["install", "make_request"]


def make_request(config: TerminalConfig) -> bytes:
    """A request (PKCS #10, PEM) for the next key, which is made if it is not there.

    Raises:
        RenewalError: the next key is there and cannot be used. Nothing was changed.
        OSError: the key cannot be written.
    """
    path = _next_key(config)
    if not path.exists():
        write_file(path, _pem_of(Ed25519PrivateKey.generate()), private=True)
        sync_folder(path.parent)
    key = _read_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise RenewalError(renewal_problem(RenewalProblem.NEXT_KEY, str(path)))
    name = x509.NameAttribute(NameOID.COMMON_NAME, config.terminal.id)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([name]))
    return request.sign(key, None).public_bytes(serialization.Encoding.PEM)


def install(config: TerminalConfig, source: Path, now: datetime) -> datetime:
    """Put the certificate in ``source`` and its key in place; the end of its validity.

    Raises:
        RenewalError: it is not for this terminal, this bank, this time or a key that
            is here. Nothing was changed.
        OSError: a file cannot be read or written.
    """
    pem = source.read_bytes()
    problem = _problem(config, pem, now)
    if problem is not None:
        raise RenewalError(renewal_problem(problem, str(source)))
    next_key = _next_key(config)
    if _fits(next_key, pem):
        next_key.rename(config.key)
        sync_folder(config.key.parent)
    replace_file(config.certificate, pem)
    return read_facts(pem).not_after


def _problem(
    config: TerminalConfig, pem: bytes, now: datetime
) -> RenewalProblem | None:
    """What speaks against installing a certificate, or None."""
    try:
        facts = read_facts(pem)
    except ValueError:
        return RenewalProblem.NO_CERTIFICATE
    if facts.name != config.terminal.id:
        return RenewalProblem.OTHER_TERMINAL
    if not facts.not_before <= now <= facts.not_after:
        return RenewalProblem.DATES
    if not _is_of_this_bank(config.ca, pem):
        return RenewalProblem.OTHER_BANK
    if not _fits(_next_key(config), pem) and not _fits(config.key, pem):
        return RenewalProblem.OTHER_KEY
    return None


def _is_of_this_bank(ca: Path, pem: bytes) -> bool:
    """Whether the authority that we trust for hosts signed it: it has one key."""
    authority = x509.load_pem_x509_certificate(ca.read_bytes()).public_key()
    certificate = x509.load_pem_x509_certificate(pem)
    if not isinstance(authority, Ed25519PublicKey):
        return False
    try:
        authority.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature:
        return False
    return True


def _fits(path: Path, pem: bytes) -> bool:
    """Whether the key in ``path`` is there, and is the certificate's."""
    key = _read_key(path) if path.exists() else None
    certificate = x509.load_pem_x509_certificate(pem)
    return key is not None and key.public_key() == certificate.public_key()


def _next_key(config: TerminalConfig) -> Path:
    return config.key.with_name(f"{config.key.name}.next")


def _read_key(path: Path) -> PrivateKeyTypes | None:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        return None


def _pem_of(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
