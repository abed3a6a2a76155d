"""What is told when two machines do not trust each other; see `terminal.wording`."""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final

from modem.certificates import CertificateOwner, CertificateTrouble
from terminal.catalogue import msgid, tr

if TYPE_CHECKING:
    from datetime import datetime

    from modem.errors import CertificateRefusedError

__all__ = [
    "RenewalProblem",
    "certificate_ends",
    "certificate_installed",
    "certificate_next_step",
    "certificate_refused",
    "downgrade_refused",
    "file_unusable",
    "renewal_problem",
    "request_written",
    "tell_the_bank",
]

_OURS: Final = {
    CertificateTrouble.UNKNOWN: msgid(
        "The bank refused this terminal: its certificate is not in the bank's books."
    ),
    CertificateTrouble.REVOKED: msgid(
        "The bank refused this terminal: it has revoked the terminal's certificate."
    ),
    CertificateTrouble.EXPIRED: msgid(
        "The bank refused this terminal: its certificate has expired."
    ),
    CertificateTrouble.NOT_YET_VALID: msgid(
        "The bank refused this terminal: its certificate is not valid yet, so one of "
        "the two clocks is wrong."
    ),
    CertificateTrouble.REPLACED: msgid(
        "The bank refused this terminal: a newer certificate has taken the place of "
        "the one that it showed."
    ),
    CertificateTrouble.NOT_CHECKED: msgid(
        "The bank could not look up this terminal's certificate just now."
    ),
}
_OURS_OTHERWISE: Final = msgid("The bank refused this terminal's certificate.")
_THEIRS: Final = {
    CertificateTrouble.UNTRUSTED: msgid(
        "Whoever answered the call could not prove to be the bank: its certificate is "
        "from somebody else."
    ),
    CertificateTrouble.WRONG_NAME: msgid(
        "Another machine of the bank answered than the one this terminal calls."
    ),
    CertificateTrouble.EXPIRED: msgid(
        "By this machine's clock, the bank's certificate has expired."
    ),
    CertificateTrouble.NOT_YET_VALID: msgid(
        "By this machine's clock, the bank's certificate is not valid yet."
    ),
}
_THEIRS_OTHERWISE: Final = msgid("The bank's certificate was refused.")

_CHECK_CLOCK: Final = msgid(
    "Check this machine's date and time; if they are right, tell the bank."
)
_NEXT_STEPS: Final = {
    (CertificateOwner.OURS, CertificateTrouble.EXPIRED): msgid(
        "Ask the bank for a new certificate, then run the end of day again."
    ),
    (CertificateOwner.OURS, CertificateTrouble.REPLACED): msgid(
        "Install the newest certificate from the bank, then run the end of day again."
    ),
    (CertificateOwner.OURS, CertificateTrouble.NOT_CHECKED): msgid(
        "Run the end of day again in a few minutes."
    ),
    (CertificateOwner.OURS, CertificateTrouble.NOT_YET_VALID): _CHECK_CLOCK,
    (CertificateOwner.THEIRS, CertificateTrouble.EXPIRED): _CHECK_CLOCK,
    (CertificateOwner.THEIRS, CertificateTrouble.NOT_YET_VALID): _CHECK_CLOCK,
    (CertificateOwner.THEIRS, CertificateTrouble.UNTRUSTED): msgid(
        "Check the bank's telephone number. Do not go on by other means: tell the bank."
    ),
}
"""What to do where to tell the bank is not the first thing."""


@unique
class RenewalProblem(Enum):
    """Why a certificate is not installed, or none can be asked for."""

    NO_CERTIFICATE = auto()
    OTHER_TERMINAL = auto()
    OTHER_BANK = auto()
    OTHER_KEY = auto()
    DATES = auto()
    NEXT_KEY = auto()


_RENEWAL: Final = {
    RenewalProblem.NO_CERTIFICATE: msgid(
        "{path} holds no certificate. Nothing was changed. Ask the bank for the file "
        "again."
    ),
    RenewalProblem.OTHER_TERMINAL: msgid(
        "{path} is for another terminal. Nothing was changed. Ask the bank for this "
        "terminal's own."
    ),
    RenewalProblem.OTHER_BANK: msgid(
        "{path} is not from this terminal's bank, or is damaged. Nothing was changed. "
        "Tell the bank."
    ),
    RenewalProblem.OTHER_KEY: msgid(
        "{path} is for a key that is not on this machine. Nothing was changed. Make a "
        "new request and send that to the bank."
    ),
    RenewalProblem.DATES: msgid(
        "{path} is not valid today. Nothing was changed. Check this machine's date and "
        "time; if they are right, tell the bank."
    ),
    RenewalProblem.NEXT_KEY: msgid(
        "{path} is no private key. Nothing was changed. Move it away and make the "
        "request again."
    ),
}


def renewal_problem(problem: RenewalProblem, path: str) -> str:
    """What is wrong with the file ``path``, and what to do."""
    return tr(_RENEWAL[problem], path=path)


def file_unusable(path: str, reason: str) -> str:
    """The system does not let us read or write a file."""
    return tr(
        "{path} cannot be used: {reason}. The terminal's present certificate is still "
        "in place. Put that right, then do the same again.",
        path=path,
        reason=reason,
    )


def request_written(path: str, terminal_id: str) -> str:
    """A request is ready for the bank."""
    return tr(
        "{path} is ready for the bank: raseed-bank terminal renew {terminal} --csr. "
        "The present certificate stays in use.",
        path=path,
        terminal=terminal_id,
    )


def certificate_installed(until: datetime) -> str:
    """The new certificate is in place."""
    return tr(
        "The new certificate is in place, until {day}. The next call uses it.",
        day=f"{until:%Y-%m-%d}",
    )


def certificate_refused(error: CertificateRefusedError) -> str:
    """Who refused whose certificate, and why."""
    if error.owner is CertificateOwner.OURS:
        return tr(_OURS.get(error.trouble, _OURS_OTHERWISE))
    return tr(_THEIRS.get(error.trouble, _THEIRS_OTHERWISE))


def certificate_next_step(error: CertificateRefusedError) -> str:
    """What to do about it."""
    step = _NEXT_STEPS.get((error.owner, error.trouble))
    return tell_the_bank() if step is None else tr(step)


def downgrade_refused() -> str:
    """One machine knows only an older protocol."""
    return tr(
        "One of the two machines offers only an older, weaker security protocol, "
        "which is refused."
    )


def tell_the_bank() -> str:
    """Nothing at the counter helps."""
    return tr("Do not go on by other means: tell the bank.")


def certificate_ends(until: datetime) -> tuple[str, str]:
    """The name and the text of a fact: this terminal's certificate ends soon."""
    return (
        tr("▲ Certificate"),
        tr("ends on {day} · ask the bank for a new one", day=f"{until:%Y-%m-%d}"),
    )
