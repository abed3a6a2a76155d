"""What the TLS library says went wrong, as this package's errors.

Its words come in three kinds: our own check of the other side's certificate (OpenSSL's
X509_V_ERR numbers), the alert by which the other side tells of its check (RFC 8446,
section 6.2), and everything that is no certificate's fault.
"""

from __future__ import annotations

import ssl
from typing import Final

from modem.errors import (
    CertificateOwner,
    CertificateRefusedError,
    CertificateTrouble,
    DowngradeRefusedError,
    SecurityError,
)

__all__ = ["tls_trouble"]

_TROUBLES: Final = {
    9: CertificateTrouble.NOT_YET_VALID,
    10: CertificateTrouble.EXPIRED,
    26: CertificateTrouble.UNSUITABLE,
    62: CertificateTrouble.WRONG_NAME,
    **dict.fromkeys((2, 18, 19, 20, 21), CertificateTrouble.UNTRUSTED),
}
"""OpenSSL's x509_vfy.h: not yet valid, expired, purpose, host name; no known issuer."""
_ALERTS: Final = {
    "ALERT_CERTIFICATE_EXPIRED": CertificateTrouble.EXPIRED,
    "ALERT_CERTIFICATE_REVOKED": CertificateTrouble.REVOKED,
    "ALERT_CERTIFICATE_REQUIRED": CertificateTrouble.MISSING,
    "ALERT_UNSUPPORTED_CERTIFICATE": CertificateTrouble.UNSUITABLE,
    "ALERT_UNKNOWN_CA": CertificateTrouble.UNTRUSTED,
    # Also for a wrong host name and for one that is not valid yet.
    "ALERT_BAD_CERTIFICATE": CertificateTrouble.NOT_SOUND,
    "ALERT_CERTIFICATE_UNKNOWN": CertificateTrouble.NOT_SOUND,
    "ALERT_ACCESS_DENIED": CertificateTrouble.UNKNOWN,
}
_OLDER_TLS: Final = ("UNSUPPORTED_PROTOCOL", "ALERT_PROTOCOL_VERSION")
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "BAD_RECORD_TYPE")


def tls_trouble(error: ssl.SSLError, *, is_server: bool) -> SecurityError:
    """The error of this package that tells of ``error``."""
    other, own = ("terminal", "bank") if is_server else ("bank", "terminal")
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        trouble = _TROUBLES.get(error.verify_code, CertificateTrouble.NOT_SOUND)
        return CertificateRefusedError(other, CertificateOwner.THEIRS, trouble)
    if "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reason:
        missing = CertificateTrouble.MISSING
        return CertificateRefusedError(other, CertificateOwner.THEIRS, missing)
    for alert, trouble in _ALERTS.items():
        if alert in reason:
            return CertificateRefusedError(own, CertificateOwner.OURS, trouble)
    if any(name in reason for name in _OLDER_TLS):
        return DowngradeRefusedError()
    words = reason.replace("_", " ").lower() or "unknown reason"
    if any(name in reason for name in _NO_TLS):
        return SecurityError(f"What the other side sends is not TLS ({words}).")
    return SecurityError(f"The secure session broke down: {words}.")
