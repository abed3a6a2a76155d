"""What one side says of the other's certificate, in numbers and in words.

The TLS library proves that a certificate is of the right authority and that its owner
holds the key. Whether its owner may come in *today* is asked here, on every call, also
on one that resumes an earlier session: the library looks at nothing again then.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EXPIRY_WARNING",
    "Admit",
    "CertificateOwner",
    "CertificateTrouble",
    "PeerCertificate",
    "date_trouble",
    "read_certificate",
]

EXPIRY_WARNING: Final = timedelta(days=30)
"""So long before a certificate ends, both sides begin to say so after every call."""


@unique
class CertificateOwner(StrEnum):
    """Whose certificate was refused, seen from this machine."""

    OURS = "ours"
    THEIRS = "theirs"


@unique
class CertificateTrouble(IntEnum):
    """Why a certificate is refused.

    The host tells 1 to 6 in its refusal, which is why they have fixed numbers; the
    others come up while TLS itself shakes hands, and travel as its alerts.
    """

    UNKNOWN = 1
    REVOKED = 2
    EXPIRED = 3
    NOT_YET_VALID = 4
    REPLACED = 5
    NOT_CHECKED = 6
    UNTRUSTED = 16
    WRONG_NAME = 17
    MISSING = 18
    UNSUITABLE = 19
    NOT_SOUND = 20

    @property
    def words(self) -> str:
        """The end of a sentence that tells of a refusal."""
        return _WORDS[self]


_WORDS = {
    CertificateTrouble.UNKNOWN: "the bank's books do not have it",
    CertificateTrouble.REVOKED: "the bank has revoked it",
    CertificateTrouble.EXPIRED: "it has expired",
    CertificateTrouble.NOT_YET_VALID: "it is not valid yet, so one clock is wrong",
    CertificateTrouble.REPLACED: "a newer one has taken its place",
    CertificateTrouble.NOT_CHECKED: "the bank could not look it up just now",
    CertificateTrouble.UNTRUSTED: "it is not from the bank's authority",
    CertificateTrouble.WRONG_NAME: "it is for a host with another name",
    CertificateTrouble.MISSING: "none was shown",
    CertificateTrouble.UNSUITABLE: "it is not meant for this use",
    CertificateTrouble.NOT_SOUND: (
        "it is damaged, for another name, or not valid by the other side's clock"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """What counts of a certificate whose owner has proved that it holds the key.

    Attributes:
        name: its common name; a terminal's is its id.
        serial: its number, of at most 20 bytes (RFC 5280, 4.1.2.2).
        not_before: from when it is valid.
        not_after: until when it is valid, that second included.
    """

    name: str
    serial: int
    not_before: datetime
    not_after: datetime


Admit = Callable[[PeerCertificate], CertificateTrouble | None]
"""Says why a terminal's certificate is refused, or None; asked on every call."""


def date_trouble(
    certificate: PeerCertificate, now: datetime
) -> CertificateTrouble | None:
    """What is wrong with the dates of ``certificate`` at ``now``, or None."""
    if now < certificate.not_before:
        return CertificateTrouble.NOT_YET_VALID
    # The last second of it still counts (RFC 5280, section 4.1.2.5).
    if now.replace(microsecond=0) > certificate.not_after:
        return CertificateTrouble.EXPIRED
    return None


def read_certificate(certificate: Mapping[str, Any]) -> PeerCertificate:
    """Take what counts from what `ssl.SSLObject.getpeercert` gives.

    Raises:
        ValueError, KeyError: it is not that, or has no common name.
    """
    return PeerCertificate(
        name=_common_name(certificate),
        serial=int(certificate["serialNumber"], 16),
        not_before=_time(certificate["notBefore"]),
        not_after=_time(certificate["notAfter"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _common_name(certificate: Mapping[str, Any]) -> str:
    for relative_name in certificate["subject"]:
        for kind, value in relative_name:
            if kind == "commonName":
                return str(value)
    raise ValueError("the certificate has no common name")
