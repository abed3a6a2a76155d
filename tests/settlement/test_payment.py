"""Payments, their details and the forms of declaration numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.errors import DeclarationError, DeclarationProblem
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    DeclarationFormat,
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    approval_code,
)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        pytest.param("IMP-2025/0001", "IMP-2025/0001", id="as it is"),
        pytest.param("  IMP-2025/0001 ", "IMP-2025/0001", id="blanks around"),
        pytest.param("imp-2025/0001", "IMP-2025/0001", id="lower case"),
        pytest.param("A123", "A123", id="shortest"),
        pytest.param("9" * 24, "9" * 24, id="longest"),
        pytest.param("\u0661\u0662\u0663\u0664", "1234", id="Arabic-Indic digits"),
    ],
)
def test_a_declaration_number_is_taken_in_its_one_form(typed: str, number: str) -> None:
    assert DeclarationFormat().check(typed) == number


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        pytest.param("", DeclarationProblem.EMPTY, id="nothing"),
        pytest.param("   ", DeclarationProblem.EMPTY, id="blanks"),
        pytest.param("A12", DeclarationProblem.TOO_SHORT, id="three characters"),
        pytest.param("9" * 25, DeclarationProblem.TOO_LONG, id="25 characters"),
        pytest.param("9" * 100, DeclarationProblem.TOO_LONG, id="more than a field"),
        pytest.param("IMP 2025", DeclarationProblem.WRONG_CHARACTER, id="blank inside"),
        pytest.param("IMP_2025", DeclarationProblem.WRONG_CHARACTER, id="underscore"),
        pytest.param("-2025", DeclarationProblem.WRONG_FORM, id="starts with a dash"),
    ],
)
def test_what_is_no_declaration_number_is_refused_with_its_reason(
    typed: str, problem: DeclarationProblem
) -> None:
    with pytest.raises(DeclarationError) as refused:
        DeclarationFormat().check(typed)
    assert refused.value.problem is problem


def test_an_office_may_have_its_own_form() -> None:
    form = DeclarationFormat(pattern=r"[a-z]{2}\.[0-9]{4}")
    assert form.check("ab.1234") == "ab.1234"
    with pytest.raises(DeclarationError, match="this office's form"):
        form.check("AB1234")
    with pytest.raises(DeclarationError, match="this office's form"):
        DeclarationFormat(pattern=".*").check("A\u200b123")


@given(st.text())
def test_any_text_is_a_declaration_number_or_refused(text: str) -> None:
    try:
        number = DeclarationFormat().check(text)
    except DeclarationError:
        return
    assert number.isascii()
    assert 4 <= len(number) <= 24


def test_every_kind_has_its_own_processing_code() -> None:
    codes = {kind.processing_code for kind in PaymentKind}
    assert len(codes) == len(PaymentKind)


def test_lines_add_up() -> None:
    details = PaymentDetails(
        declaration="IMP-1",
        kind=PaymentKind.FEES,
        lines=(
            PaymentLine(line_class=LineClass.CUSTOMS_DUTY, amount_minor=700),
            PaymentLine(line_class=LineClass.FINES, amount_minor=35),
        ),
    )
    assert details.lines_minor == 735


def test_details_that_no_message_could_carry_cannot_be_built() -> None:
    kind = PaymentKind.FEES
    line = PaymentLine(line_class=LineClass.FINES, amount_minor=1)
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="", kind=kind)
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="9" * (DECLARATION_BYTES_MAX + 1), kind=kind)
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="A123", kind=kind, clerk="x" * 33)
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="A123\n", kind=kind)
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="A123", kind=kind, clerk="\u200f")
    with pytest.raises(AssertionError):
        PaymentDetails(declaration="A123", kind=kind, lines=(line,) * (LINES_MAX + 1))
    with pytest.raises(AssertionError):
        PaymentLine(line_class=LineClass.FINES, amount_minor=0)


def test_an_approval_code_has_six_characters() -> None:
    assert approval_code(bytes.fromhex("00 01 02 03 04 05 06 07")) == "000102"
