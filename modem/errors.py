"""Everything that can go wrong with a call, as one tree.

* ModemError
    * PortError                the serial port cannot be opened, or is gone
    * NetworkError             no connection over the network came about
    * ModemSilentError         the modem does not answer commands
    * ModemGarbledError        it answers, but not in words: another speed
    * ModemRefusedError        the modem answers ERROR to its initialisation
    * DialError                the number was dialled in vain
        * NoDialToneError      the telephone line is dead
        * BusyError            the other side is in another call
        * NoAnswerError        nobody picks up
        * NoCarrierError       picked up, but the modems do not agree
        * NumberRefusedError   the modem answers ERROR to the dial command
        * DelayedError         the modem may not dial that number yet
        * BlacklistedError     the modem may not dial that number any more
        * LineInUseError       somebody else is on the telephone line
        * NoModemError         picked up by a person or by a fax machine
    * SecurityError            the two machines did not agree on a secure session
        * CertificateRefusedError   one of them does not trust the other
        * DowngradeRefusedError     one of them knows only an older TLS
        * CertificateFileError      our own certificate files cannot be used
    * CallStoppedError         the caller asked to stop before the call was up
    * CallTimeoutError         nothing came within the time given; the call is still up
    * CallLostError            the call broke off
        * CallClosedError      the other side ended it in order

`str(error)` is for the person at the counter: what happened, what it means for the
money, what to do next. `error.what` is the first part alone, for a log.
"""

from __future__ import annotations

from typing import ClassVar, Final

from modem.certificates import CertificateOwner, CertificateTrouble

__all__ = [
    "BlacklistedError",
    "BusyError",
    "CallClosedError",
    "CallLostError",
    "CallStoppedError",
    "CallTimeoutError",
    "CertificateFileError",
    "CertificateOwner",
    "CertificateRefusedError",
    "CertificateTrouble",
    "DelayedError",
    "DialError",
    "DowngradeRefusedError",
    "LineInUseError",
    "ModemError",
    "ModemGarbledError",
    "ModemRefusedError",
    "ModemSilentError",
    "NetworkError",
    "NoAnswerError",
    "NoCarrierError",
    "NoDialToneError",
    "NoModemError",
    "NumberRefusedError",
    "PortError",
    "SecurityError",
]


class ModemError(Exception):
    """Root of all errors of this package.

    Attributes:
        what: what happened, one sentence.
        consequence: what it means for the money, one sentence.
        next_step: what to do now, one sentence.
    """

    consequence: ClassVar[str] = (
        "Nothing was sent and no money moved; the batch stays here and can be sent "
        "again."
    )
    next_step: str = "Try again in a few minutes."

    def __init__(self, what: str, *, next_step: str | None = None) -> None:
        """Make the full message of ``what``, the consequence and the next step.

        Args:
            what: what happened, one sentence.
            next_step: what to do now where the class's own sentence does not fit.
        """
        if next_step is not None:
            self.next_step = next_step
        super().__init__(f"{what} {self.consequence} {self.next_step}")
        self.what = what


class PortError(ModemError):
    """The serial port cannot be opened, is in use, or went away."""

    next_step = "Check the modem's cable and the port in the configuration."

    def __init__(self, port: str, reason: str) -> None:
        """Name the port as configured, and why it cannot be used, in words."""
        super().__init__(f"The serial port {port} cannot be used: {reason}.")
        self.port = port
        self.reason = reason


class NetworkError(ModemError):
    """The other side cannot be reached over the network, or not be listened for."""

    next_step = "Check the network cable and the address in the configuration."


class ModemSilentError(ModemError):
    """The port works, but no modem answers on it."""

    next_step = "Check that the modem is switched on, then try again."

    def __init__(self) -> None:
        """Say so; there is nothing else to know."""
        super().__init__("The modem does not answer.")


class ModemGarbledError(ModemError):
    """Something answers on the port, but nothing of it can be read."""

    next_step = "Check the speed of the port in the configuration."

    def __init__(self) -> None:
        """Say so; there is nothing else to know."""
        super().__init__("The modem answers, but not in words.")


class ModemRefusedError(ModemError):
    """The modem answers ERROR to a command of its initialisation."""

    next_step = "Check the modem's init string in the configuration."

    def __init__(self, command: str) -> None:
        """Name the command that was refused."""
        super().__init__(f"The modem refuses the command {command}.")
        self.command = command


class DialError(ModemError):
    """A number was dialled and no connection came about.

    Attributes:
        number: the number dialled last, as configured.
    """

    reason: ClassVar[str] = "could not be reached"

    def __init__(self, number: str) -> None:
        """Name the number that was dialled last."""
        super().__init__(f"The bank's number {number} {self.reason}.")
        self.number = number


class NoDialToneError(DialError):
    """The modem hears no dial tone."""

    reason = "cannot be dialled: there is no dial tone on the telephone line"
    next_step = "Check the telephone cable, and that no one else is on the line."


class BusyError(DialError):
    """The number is busy."""

    reason = "is busy"


class NoAnswerError(DialError):
    """It rang, and nobody picked up."""

    reason = "does not answer"


class NoCarrierError(DialError):
    """The call was taken or broken off, but no modem connection came about."""

    reason = "was reached, but no modem connection came about"


class NumberRefusedError(DialError):
    """The modem answers ERROR to the dial command: nothing was dialled."""

    reason = "was not dialled: the modem refuses it"
    next_step = "Check the telephone number in the configuration."


class DelayedError(DialError):
    """The modem keeps to the rules of its country and does not dial so soon again."""

    reason = "was not dialled: the modem does not allow it so soon again"


class BlacklistedError(DialError):
    """The modem keeps to the rules of its country and does not dial it any more."""

    reason = "was not dialled: the modem refuses it after too many attempts"
    next_step = "Switch the modem off and on, and check the telephone number."


class LineInUseError(DialError):
    """Somebody else is on the telephone line."""

    reason = "was not dialled: the telephone line is in use"
    next_step = "Try again when no one else is on the line."


class NoModemError(DialError):
    """A person or a fax machine has picked up."""

    reason = "was answered by a person or a fax machine"
    next_step = "Check the telephone number in the configuration."


class SecurityError(ModemError):
    """The connection is up, but the two machines agreed on no secure session."""

    next_step = "Try again; if it stays so, tell the bank."


_ASK_THE_BANK: Final = "Ask the bank for a new certificate of this terminal."
_TELL_THE_BANK: Final = (
    "Do not go on by other means: tell the bank, which checks the certificates."
)
_CHECK_CLOCK: Final = (
    "Check this machine's date and time; if they are right, tell the bank."
)
_NEXT_STEPS: Final = {
    (CertificateOwner.OURS, CertificateTrouble.EXPIRED): _ASK_THE_BANK,
    (CertificateOwner.OURS, CertificateTrouble.REPLACED): (
        "Use the newest certificate that the bank gave to this terminal."
    ),
    (CertificateOwner.OURS, CertificateTrouble.NOT_YET_VALID): _CHECK_CLOCK,
    (CertificateOwner.OURS, CertificateTrouble.NOT_CHECKED): ModemError.next_step,
    (CertificateOwner.THEIRS, CertificateTrouble.EXPIRED): _CHECK_CLOCK,
    (CertificateOwner.THEIRS, CertificateTrouble.NOT_YET_VALID): _CHECK_CLOCK,
}
"""Where something else helps than to tell the bank."""


class CertificateRefusedError(SecurityError):
    """One side does not trust the other's certificate; no message was exchanged.

    Attributes:
        owner: whose certificate it is, seen from this machine.
        trouble: what is wrong with it.
        reason: the same in words.
    """

    next_step = _TELL_THE_BANK

    def __init__(
        self,
        holder: str,
        owner: CertificateOwner,
        trouble: CertificateTrouble,
        *,
        name: str = "",
    ) -> None:
        """Tell who holds the certificate (``"bank"``) and why it was refused.

        Args:
            holder: ``"bank"`` or ``"terminal"``.
            owner: whose certificate it is, seen from this machine.
            trouble: what is wrong with it.
            name: its common name, where it is proved.
        """
        by = "this machine" if owner is CertificateOwner.THEIRS else "the other side"
        named = f" {name}" if name else ""
        super().__init__(
            f"The {holder}'s certificate{named} was refused by {by}: {trouble.words}; "
            "the call was ended before any message.",
            next_step=_NEXT_STEPS.get((owner, trouble)),
        )
        self.owner = owner
        self.trouble = trouble
        self.reason = trouble.words


class DowngradeRefusedError(SecurityError):
    """One side knows only a TLS older than 1.3; no message was exchanged."""

    next_step = _TELL_THE_BANK

    def __init__(self) -> None:
        """Say so; there is nothing else to know."""
        super().__init__(
            "One of the two machines offers only an older, weaker security protocol, "
            "which is refused; the call was ended before any message."
        )


class CertificateFileError(SecurityError):
    """A certificate or key file is missing, unreadable, or does not fit the others."""

    next_step = "Check the security section of the configuration."

    def __init__(self, path: str, reason: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(f"The file {path} cannot be used: {reason}.")
        self.path = path
        self.reason = reason


class CallStoppedError(ModemError):
    """The caller asked to stop before the call was up."""

    next_step = "Dial again when it suits."

    def __init__(self) -> None:
        """Say so; there is nothing else to know."""
        super().__init__("The call was cancelled.")


class CallTimeoutError(ModemError):
    """No message came within the time given. The call is still up."""

    consequence = (
        "It is not known yet what the bank has taken; the batch stays here, and "
        "nothing counts twice when it is sent again."
    )

    def __init__(self, timeout_ms: int) -> None:
        """Tell how long was waited."""
        super().__init__(f"No answer came within {timeout_ms / 1000:g} seconds.")
        self.timeout_ms = timeout_ms


class CallLostError(ModemError):
    """The call broke off; what was under way may or may not have arrived.

    Attributes:
        reason: how the end was noticed, for a log.
    """

    said: ClassVar[str] = "The call to the other side was lost: {reason}."

    consequence = (
        "It is not known yet what the bank has taken; the batch stays here, and "
        "nothing counts twice when it is sent again."
    )
    next_step = "Dial again."

    def __init__(self, reason: str) -> None:
        """Tell how the end was noticed."""
        super().__init__(self.said.format(reason=reason))
        self.reason = reason


class CallClosedError(CallLostError):
    """The other side ended the call in order; every message it sent was delivered."""

    said = "The call is over: {reason}."

    def __init__(self) -> None:
        """Say so; there is nothing else to know."""
        super().__init__("the other side has ended it")
