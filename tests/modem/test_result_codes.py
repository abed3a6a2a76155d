from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.result_codes import (
    ModemReport,
    ReportName,
    ResultCode,
    parse_report,
    parse_result,
)


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
        pytest.param("84", ResultCode.CONNECT, 33600, id="33600-numeric"),
        pytest.param(
            "CONNECT 57600/V34 33600/V42b", ResultCode.CONNECT, 33600, id="two-rates"
        ),
        pytest.param("DELAYED", ResultCode.DELAYED, None, id="delayed"),
        pytest.param("24", ResultCode.DELAYED, None, id="delayed-numeric"),
        pytest.param("BLACKLISTED", ResultCode.BLACKLISTED, None, id="blacklisted"),
        pytest.param("32", ResultCode.BLACKLISTED, None, id="blacklisted-numeric"),
        pytest.param("BLACKLIST FULL", ResultCode.BLACKLIST_FULL, None, id="full"),
        pytest.param("LINE IN USE", ResultCode.LINE_IN_USE, None, id="line-in-use"),
        pytest.param("LINE-IN-USE", ResultCode.LINE_IN_USE, None, id="with-marks"),
        pytest.param(
            "NO PROMPTTONE", ResultCode.NO_PROMPTTONE, None, id="no-prompttone"
        ),
        pytest.param("FAX", ResultCode.FAX, None, id="fax"),
        pytest.param("DATA", ResultCode.DATA, None, id="data"),
        pytest.param("VOICE", ResultCode.VOICE, None, id="voice"),
        pytest.param("RINGING", ResultCode.RINGING, None, id="ringing"),
        pytest.param("+CRING: REL ASYNC", ResultCode.RING, None, id="ring-of-gsm"),
        pytest.param("+CME ERROR: 30", ResultCode.CME_ERROR, None, id="cme"),
        pytest.param("+CMS ERROR: 500", ResultCode.CMS_ERROR, None, id="cms"),
    ],
)
def test_result_line_is_read(line: str, code: ResultCode, rate_bps: int | None) -> None:
    result = parse_result(line)
    assert result is not None
    assert (result.code, result.rate_bps) == (code, rate_bps)


@pytest.mark.parametrize(
    "line", ["", "ATZ", "CONNECTED?", "OKAY", "Welcome", "99", "ATDT5551234", "12a"]
)
def test_other_lines_are_no_results(line: str) -> None:
    assert parse_result(line) is None


@pytest.mark.parametrize("code", list(ResultCode), ids=lambda code: code.name)
def test_both_forms_of_every_code_are_read_back(code: ResultCode) -> None:
    verbose = f"{code.verbose}: 1" if code.verbose.startswith("+") else code.verbose
    numeric = [] if code.numeric is None else [str(code.numeric)]
    for text in (verbose, *numeric):
        result = parse_result(text)
        assert result is not None
        assert result.code is code


@pytest.mark.parametrize(
    ("line", "name", "text", "rate_bps"),
    [
        pytest.param("CARRIER 33600", "CARRIER", "33600", 33600, id="carrier"),
        pytest.param("79", "CARRIER", "33600", 33600, id="carrier-numeric"),
        pytest.param("PROTOCOL: LAPM", "PROTOCOL", "LAPM", None, id="protocol"),
        pytest.param("77", "PROTOCOL", "LAPM", None, id="protocol-numeric"),
        pytest.param(
            "COMPRESSION: V.42bis", "COMPRESSION", "V.42BIS", None, id="compression"
        ),
        pytest.param("66", "COMPRESSION", "CLASS 5", None, id="compression-numeric"),
        pytest.param("+MCR: V34", "+MCR", "V34", None, id="modulation"),
        pytest.param("+MRR: 28800,33600", "+MRR", "28800,33600", 28800, id="rates"),
        pytest.param("+ER: LAPM", "+ER", "LAPM", None, id="error-control"),
        pytest.param("+DR: NONE", "+DR", "NONE", None, id="data-compression"),
        pytest.param("+ILRR: 115200", "+ILRR", "115200", None, id="port-rate"),
        pytest.param("DATE = 0304", "DATE", "0304", None, id="date-of-call"),
        pytest.param("TIME = 1730", "TIME", "1730", None, id="time-of-call"),
        pytest.param("NMBR = 5551234", "NMBR", "5551234", None, id="number"),
        pytest.param("NAME=SOHAR PORT", "NAME", "SOHAR PORT", None, id="name"),
        pytest.param('+CLIP: "5551",129', "+CLIP", '"5551",129', None, id="clip"),
    ],
)
def test_report_is_read_by_its_name(
    line: str, name: str, text: str, rate_bps: int | None
) -> None:
    assert parse_report(line) == ModemReport(
        name=ReportName(name), text=text, rate_bps=rate_bps
    )
    assert parse_result(line) is None


@pytest.mark.parametrize("line", ["", "OK", "0", "DATA", "TIMEOUT", "CARRIER", "+ER:"])
def test_other_lines_are_no_reports(line: str) -> None:
    assert parse_report(line) is None


@given(st.text())
def test_any_text_is_a_report_or_nothing(text: str) -> None:
    report = parse_report(text)
    assert report is None or report.text


@given(st.text())
def test_any_text_is_a_result_or_nothing(text: str) -> None:
    result = parse_result(text)
    assert result is None or result.code in frozenset(ResultCode)
