from __future__ import annotations

import pytest

import modem.errors
from modem.errors import (
    BlacklistedError,
    BusyError,
    CallClosedError,
    CallLostError,
    CallStoppedError,
    CallTimeoutError,
    CertificateFileError,
    CertificateOwner,
    CertificateRefusedError,
    CertificateTrouble,
    DelayedError,
    DialError,
    DowngradeRefusedError,
    LineInUseError,
    ModemError,
    ModemGarbledError,
    ModemRefusedError,
    ModemSilentError,
    NetworkError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NoModemError,
    NumberRefusedError,
    PortError,
    SecurityError,
)

ERRORS = [
    ModemGarbledError(),
    NoModemError("5551234"),
    LineInUseError("5551234"),
    DelayedError("5551234"),
    BlacklistedError("5551234"),
    BusyError("5551234"),
    CallClosedError(),
    CallLostError("NO CARRIER"),
    CallStoppedError(),
    CallTimeoutError(30_000),
    CertificateFileError("ca.pem", "it is empty"),
    *(
        CertificateRefusedError("terminal", owner, trouble, name="T0000007")
        for owner in CertificateOwner
        for trouble in CertificateTrouble
    ),
    DialError("5551234"),
    DowngradeRefusedError(),
    ModemError("Something happened."),
    ModemRefusedError("ATZ"),
    ModemSilentError(),
    NetworkError("The bank's host cannot be reached."),
    NoAnswerError("5551234"),
    NoCarrierError("5551234"),
    NoDialToneError("5551234"),
    NumberRefusedError("5551234"),
    PortError("/dev/ttyS0", "no such file"),
    SecurityError("It broke down."),
]


def test_every_class_is_listed() -> None:
    names = {name for name in modem.errors.__all__ if name.endswith("Error")}
    assert {type(error).__name__ for error in ERRORS} == names


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_says_what_happened_what_it_means_and_what_to_do(
    error: ModemError,
) -> None:
    text = str(error)
    assert text == f"{error.what} {error.consequence} {error.next_step}"
    assert error.what.endswith(".")
    assert error.next_step.endswith(".")
    assert "no money moved" in text or "not known yet" in text
    assert "batch stays" in text


@pytest.mark.parametrize(
    "error",
    [CallLostError("x"), CallClosedError(), CallTimeoutError(1)],
    ids=lambda error: type(error).__name__,
)
def test_nothing_is_claimed_about_messages_under_way(error: ModemError) -> None:
    assert "no money moved" not in str(error)
    assert "nothing counts twice" in str(error)
