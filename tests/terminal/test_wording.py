"""Whatever happens is told in three sentences: what, whether money moved, what next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modem.errors import (
    BusyError,
    CallLostError,
    CallStoppedError,
    CertificateFileError,
    CertificateOwner,
    CertificateRefusedError,
    CertificateTrouble,
    DowngradeRefusedError,
    ModemRefusedError,
    ModemSilentError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NumberRefusedError,
    PortError,
)
from modem.result_codes import ResultCode
from settlement.errors import (
    AmountError,
    AmountProblem,
    DeclarationError,
    DeclarationProblem,
)
from settlement.errors import NoAnswerError as BankSilentError
from settlement.money import CURRENCIES, Money
from terminal import wording, wording_day, wording_interrupted
from terminal.day import Share
from terminal.errors import CardProblemCode
from terminal.orders import InterruptedState, RecoveryVerdict, RefusalReason
from terminal.wording_downloads import refused_by_bank

if TYPE_CHECKING:
    from modem.errors import ModemError
    from terminal.errors import Advice

AMOUNT = Money(amount_minor=1_234, currency=CURRENCIES["OMR"])
NOTHING = Money(amount_minor=0, currency=CURRENCIES["OMR"])


def assert_whole(advice: Advice) -> None:
    for sentence in (advice.happened, advice.money, advice.next_step):
        assert sentence.endswith("."), sentence
        assert sentence[0].isupper() or sentence[0].isdigit(), sentence
        assert "{" not in sentence, sentence


@pytest.mark.parametrize("code", list(CardProblemCode))
def test_every_card_problem_has_its_words(code: CardProblemCode) -> None:
    error = wording.card_problem(code)
    assert_whole(error.advice)
    assert error.code is code
    assert error.advice.money == "No money moved."


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_has_its_words(reason: RefusalReason) -> None:
    advice = wording.refusal_advice(reason, 1)
    assert_whole(advice)
    assert advice.money == "Nothing was taken from the card."


@pytest.mark.parametrize(
    "advice",
    [
        wording.paid_advice(AMOUNT, credited=True),
        wording.paid_advice(AMOUNT, credited=False),
        wording.unknown_advice(),
        wording.unknown_advice(journal_failed=True),
        wording_day.day_nothing(),
        wording_day.day_asked(1, 0),
        wording_day.day_asked(3, 0),
        wording_day.day_asked(3, 2),
        wording_day.day_collected(1, AMOUNT),
        wording_day.day_collected(2, AMOUNT),
        wording_day.day_collected(3, AMOUNT, Share(count=1, total=AMOUNT)),
        wording_day.day_collected(2, NOTHING, Share(count=2, total=AMOUNT)),
        wording_day.day_without_journal(),
        wording_day.day_refused("the sums differ"),
        *(
            wording_day.day_not_closed(wording.card_problem(code))
            for code in CardProblemCode
        ),
        wording_day.settlement_failed(BankSilentError("the bank is silent")),
        *(
            wording_interrupted.interrupted_advice(
                state, known=known, elsewhere=elsewhere
            )
            for state in InterruptedState
            for known in (True, False)
            for elsewhere in (True, False)
        ),
        *(
            wording_interrupted.warning_advice(
                state, "640000******0001", elsewhere=elsewhere
            )
            for state in InterruptedState
            for elsewhere in (True, False)
        ),
        wording_interrupted.recovered_as_paid(AMOUNT, 5, credited=True),
        wording_interrupted.recovered_as_paid(AMOUNT, 5, credited=False),
        wording_interrupted.recovered_as_paid(
            AMOUNT, 5, credited=False, elsewhere=True
        ),
        *(
            wording_interrupted.recovery_advice(verdict, elsewhere=elsewhere)
            for verdict in RecoveryVerdict
            for elsewhere in (True, False)
            if verdict is not RecoveryVerdict.PAID
        ),
    ],
    ids=lambda advice: advice.happened,
)
def test_every_outcome_has_its_words(advice: Advice) -> None:
    assert_whole(advice)


@pytest.mark.parametrize(
    "advice",
    [
        wording.unknown_advice(),
        wording.unknown_advice(journal_failed=True),
        wording_interrupted.interrupted_advice(InterruptedState.UNKNOWN),
        wording_interrupted.interrupted_advice(InterruptedState.LEFT_TO_BANK),
        wording_interrupted.recovery_advice(RecoveryVerdict.STILL_UNKNOWN),
        wording_interrupted.recovery_advice(RecoveryVerdict.LEFT_TO_BANK),
        wording_interrupted.interrupted_advice(
            InterruptedState.UNKNOWN, elsewhere=True
        ),
        wording_interrupted.recovery_advice(
            RecoveryVerdict.STILL_UNKNOWN, elsewhere=True
        ),
    ],
)
def test_what_is_unknown_is_never_called_failed(advice: Advice) -> None:
    assert "not known yet" in advice.money
    for word in ("fail", "refus", "declin", "cancel", "not made"):
        assert word not in str(advice).lower()


@pytest.mark.parametrize(
    "error",
    [
        NoDialToneError("5551234"),
        BusyError("5551234"),
        NoAnswerError("5551234"),
        NoCarrierError("5551234"),
        *(
            CertificateRefusedError("terminal", owner, trouble)
            for owner in CertificateOwner
            for trouble in CertificateTrouble
        ),
        DowngradeRefusedError(),
        NumberRefusedError("5551234"),
        ModemRefusedError("ATZ"),
        CertificateFileError("ca.pem", "it is empty"),
        ModemSilentError(),
        PortError("/dev/ttyS0", "no such file"),
        CallLostError("no carrier"),
        CallStoppedError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_failure_of_the_line_says_that_the_batch_stays(
    error: ModemError,
) -> None:
    advice = wording_day.line_failed(error)
    assert_whole(advice)
    assert "the batch stays here" in advice.money


@pytest.mark.parametrize(
    ("owner", "trouble", "happened", "next_step"),
    [
        ("OURS", "EXPIRED", "terminal: its certificate has expired", "Ask the bank"),
        ("OURS", "REVOKED", "it has revoked the terminal's", "tell the bank"),
        ("OURS", "UNKNOWN", "not in the bank's books", "tell the bank"),
        ("OURS", "NOT_YET_VALID", "one of the two clocks", "date and time"),
        ("OURS", "REPLACED", "a newer certificate", "Install the newest"),
        ("OURS", "NOT_CHECKED", "could not look up", "in a few minutes"),
        ("THEIRS", "UNTRUSTED", "could not prove to be the bank", "telephone number"),
        ("THEIRS", "EXPIRED", "bank's certificate has expired", "date and time"),
        ("THEIRS", "WRONG_NAME", "Another machine of the bank", "tell the bank"),
    ],
)
def test_a_refused_certificate_says_whose_it_is_and_what_to_do(
    owner: str, trouble: str, happened: str, next_step: str
) -> None:
    error = CertificateRefusedError(
        "terminal", CertificateOwner[owner], CertificateTrouble[trouble]
    )
    advice = wording_day.line_failed(error)
    assert happened in advice.happened
    assert next_step in advice.next_step


@pytest.mark.parametrize("problem", list(AmountProblem))
def test_every_wrong_amount_has_its_words(problem: AmountProblem) -> None:
    message = wording.amount_message(AmountError(problem, "x"), AMOUNT)
    assert message.endswith(".")
    assert message != "x"


@pytest.mark.parametrize("problem", list(DeclarationProblem))
def test_every_wrong_declaration_has_its_words(problem: DeclarationProblem) -> None:
    message = wording.declaration_message(DeclarationError(problem, "x"))
    assert message.endswith(".")
    assert message != "x"


@pytest.mark.parametrize("code", list(ResultCode))
def test_a_number_dialled_in_vain_is_told_in_words(code: ResultCode) -> None:
    told = wording_day.dial_failed("5551234", code)
    assert told.startswith("5551234: ")
    assert told.endswith("; trying again")
    assert str(code.value) not in told.removeprefix("5551234: ")


def test_what_the_bank_holds_is_never_called_done() -> None:
    held = Share(count=1, total=AMOUNT)
    for posted in (NOTHING, AMOUNT):
        advice = wording_day.day_collected(2, posted, held)
        assert "the bank holds 1.234 OMR until it is cleared" in advice.money
        assert advice.next_step == "Call the bank about the 1 payment that it holds."
    assert "Nothing goes" in wording_day.day_collected(1, NOTHING, held).money


def test_a_full_disk_is_named_and_no_card_is_blamed() -> None:
    for advice in (
        wording.unknown_advice(journal_failed=True),
        wording.refusal_advice(RefusalReason.JOURNAL_FAILED),
        wording_day.day_without_journal(),
    ):
        assert "disk is full or damaged" in advice.happened
        assert "free space" in advice.next_step


def test_a_bank_that_gives_nothing_is_to_be_called() -> None:
    assert refused_by_bank("terminal T0000007 is unknown.") == (
        "The bank gave nothing: terminal T0000007 is unknown. No money moved. Call the "
        "bank and name this terminal."
    )
