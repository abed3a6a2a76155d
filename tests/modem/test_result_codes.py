from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.result_codes import ModemResult, ResultCode, parse_result


@pytest.mark.parametrize(
    ("line", "code", "rate_bps"),
    [
        pytest.param("OK", ResultCode.OK, None, id="ok"),
        pytest.param("0", ResultCode.OK, None, id="ok-numeric"),
        pytest.param("CONNECT", ResultCode.CONNECT, None, id="connect-bare"),
        pytest.param("CONNECT 9600", ResultCode.CONNECT, 9600, id="connect-rate"),
        pytest.param(
            "CONNECT 33600/ARQ/V34/LAPM", ResultCode.CONNECT, 33600, id="connect-long"
        ),
        pytest.param(
            "CONNECT V42BIS 2400", ResultCode.CONNECT, 2400, id="protocol-first"
        ),
        pytest.param("CONNECT/V42BIS", ResultCode.CONNECT, None, id="protocol-only"),
        pytest.param("CONNECT 000", ResultCode.CONNECT, None, id="rate-zero"),
        pytest.param("12", ResultCode.CONNECT, 9600, id="connect-rate-numeric"),
        pytest.param("RING", ResultCode.RING, None, id="ring"),
        pytest.param("NO CARRIER", ResultCode.NO_CARRIER, None, id="no-carrier"),
        pytest.param("3", ResultCode.NO_CARRIER, None, id="no-carrier-numeric"),
        pytest.param("ERROR", ResultCode.ERROR, None, id="error"),
        pytest.param("NO DIALTONE", ResultCode.NO_DIALTONE, None, id="no-dialtone"),
        pytest.param("NO DIAL TONE", ResultCode.NO_DIALTONE, None, id="two-words"),
        pytest.param("BUSY", ResultCode.BUSY, None, id="busy"),
        pytest.param("busy ", ResultCode.BUSY, None, id="lower-case"),
        pytest.param("NO ANSWER", ResultCode.NO_ANSWER, None, id="no-answer"),
    ],
)
def test_result_line_is_read(line: str, code: ResultCode, rate_bps: int | None) -> None:
    assert parse_result(line) == ModemResult(code=code, rate_bps=rate_bps)


@pytest.mark.parametrize(
    "line", ["", "ATZ", "CONNECTED?", "OKAY", "Welcome", "99", "ATDT5551234", "12a"]
)
def test_other_lines_are_no_results(line: str) -> None:
    assert parse_result(line) is None


@pytest.mark.parametrize("code", list(ResultCode), ids=lambda code: code.name)
def test_both_forms_of_every_code_are_read_back(code: ResultCode) -> None:
    for text in (code.verbose, str(code.value)):
        result = parse_result(text)
        assert result is not None
        assert result.code is code


@given(st.text())
def test_any_text_is_a_result_or_nothing(text: str) -> None:
    result = parse_result(text)
    assert result is None or result.code in frozenset(ResultCode)
