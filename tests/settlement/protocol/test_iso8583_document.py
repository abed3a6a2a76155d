"""What docs/iso8583.md says is what the code does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.records import TransactionRecord, payment_digest
from settlement import iso8583
from settlement.audit_head import AUDIT_HEAD_BYTES
from settlement.bit_columns import CHOICES_MAX
from settlement.data_objects import ANSWER_TEXT_BYTES_MAX, CardTag, DetailTag
from settlement.detail_groups import GROUP_PAYMENTS_MAX, group_message, payments_of
from settlement.intake import WRONG_MACS_MAX, ResponseCode
from settlement.iso8583_spec import FIELDS, MESSAGE_BYTES_MAX, FieldFormat
from settlement.message_codec import (
    batch_totals,
    detail_message,
    header_message,
    logon_message,
    response_to,
    totals_message,
)
from settlement.message_parser import parse_request
from settlement.messages import (
    BatchHeader,
    DetailRequest,
    GroupRequest,
    HeldRecord,
    RecordAnswer,
    TerminalVersions,
)
from settlement.outcomes import (
    HELD_DIGEST_BYTES,
    held_fields,
    outcome_fields,
    parse_outcomes,
)
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    TEXT_BYTES_MAX,
    BatchToUpload,
    LineClass,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    PaymentRecord,
)
from settlement.terminal_call import REPEATS_MAX
from settlement.upload import WINDOW_DEFAULT
from settlement.word_columns import DIGITS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[3] / "docs" / "iso8583.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
KEY = bytes.fromhex("606162636465666768696A6B6C6D6E6F")
TAKEN = RecordAnswer(code=ResponseCode.ACCEPTED)

TX = TransactionRecord.parse(
    bytes.fromhex(
        "01 06 6400000000000001 00000001 4355530000000007 00000001 000004D2 0512"
        "20251122101500 436F2E589042E71C"
    )
)
PAYMENT = PaymentRecord(
    stan=1,
    sequence=1,
    details=PaymentDetails(
        declaration="INV-2025-000001",
        kind=PaymentKind.FEES,
        lines=(
            PaymentLine(line_class=LineClass.CUSTOMS_DUTY, amount_minor=1000),
            PaymentLine(line_class=LineClass.STORAGE_FEES, amount_minor=234),
        ),
        clerk="1",
    ),
    tx=TX,
    kv=1,
    alg=1,
    balance_after_minor=0x00079C4E,
    cumulative_debit_minor=1234,
    tac=bytes.fromhex("33920C5D66DC3A53"),
)


SECOND = PaymentRecord(
    stan=2,
    sequence=2,
    details=PaymentDetails(
        declaration="INV-2025-000417",
        kind=PaymentKind.FEES,
        clerk="1",
        service_code="C101",
    ),
    tx=TransactionRecord.parse(
        bytes.fromhex(
            "01 06 6400000000000A02 0000000C 4355530000000007 00000002 00001388 0512"
            "20251122101635"
        )
        + payment_digest("INV-2025-000417")
    ),
    kv=1,
    alg=1,
    balance_after_minor=45_000,
    cumulative_debit_minor=105_000,
    tac=bytes.fromhex("555C4CA7DFD4A901"),
)
MUSCAT = timezone(timedelta(hours=4))
SENT_AT = datetime(2025, 11, 22, 20, 30, tzinfo=MUSCAT)
ANSWERED_AT = datetime(2025, 11, 22, 16, 30, 2, tzinfo=UTC)


def examples() -> list[bytes]:
    """The bytes of the hex blocks, comments left out."""
    blocks = re.findall(r"```hex\n(.*?)```", TEXT, re.DOTALL)
    return [
        bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
        for block in blocks
    ]


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"a section {title}"
    return found[1]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of a section's table by their first cell."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells[2:]}


@pytest.fixture
def header(make_batch: Callable[..., BatchToUpload]) -> BatchHeader:
    close = make_batch(1).close
    return BatchHeader(
        terminal_id="T0000007", office="SOHAR", mid=TX.mid, currency=512, close=close
    )


def test_the_worked_request_is_what_the_terminal_sends(header: BatchHeader) -> None:
    sent = iso8583.encode(detail_message(header, PAYMENT, SENT_AT), KEY)
    assert sent.hex(" ") == examples()[0].hex(" ")


def test_the_worked_request_is_read_as_the_payment() -> None:
    data = examples()[0]
    message = iso8583.decode(data)
    assert iso8583.is_authentic(data, message, KEY)
    assert parse_request(message) == DetailRequest(batch=1, record=PAYMENT)


def test_the_worked_response_is_what_the_host_answers() -> None:
    request, response, *_ = examples()
    message = response_to(iso8583.decode(request), "00", ANSWERED_AT)
    assert iso8583.encode(message, KEY).hex(" ") == response.hex(" ")


def test_the_worked_group_is_what_the_terminal_sends(header: BatchHeader) -> None:
    message = group_message(header, (PAYMENT, SECOND), 3, SENT_AT)
    assert iso8583.encode(message, KEY).hex(" ") == examples()[2].hex(" ")


def test_the_worked_group_is_read_as_its_payments(header: BatchHeader) -> None:
    data = examples()[2]
    message = iso8583.decode(data)
    assert iso8583.is_authentic(data, message, KEY)
    request = parse_request(message)
    assert isinstance(request, GroupRequest)
    assert payments_of(request, header) == (PAYMENT, SECOND)


def test_the_worked_bits_are_those_of_the_group() -> None:
    found = re.search(r"```bits\n(.*?)```", TEXT, re.DOTALL)
    assert found
    lines = [line.split("#")[0].replace(" ", "") for line in found[1].splitlines()]
    columns = iso8583.decode(examples()[2]).binary(61)
    assert "".join(lines) == "".join(f"{byte:08b}" for byte in columns)


def test_the_worked_answer_to_the_group_is_what_the_host_answers() -> None:
    _, _, request, response = examples()
    text = "the purse's certificate (TAC) is wrong; not paid"
    suspended = RecordAnswer(code=ResponseCode.SUSPENDED, text=text)
    fields = outcome_fields({2: suspended})
    message = response_to(iso8583.decode(request), "00", ANSWERED_AT, fields)
    assert iso8583.encode(message, KEY).hex(" ") == response.hex(" ")
    assert parse_outcomes(iso8583.decode(response)) == {2: suspended}


def test_the_worked_digest_is_that_of_both_payments() -> None:
    objects = [HeldRecord(record=p, answer=TAKEN) for p in (PAYMENT, SECOND)]
    ((_, data),) = held_fields(objects)
    assert isinstance(data, bytes)
    places, digest = data[:3].hex(" ").upper(), data[5:].hex().upper()
    assert f"`{places}`, `D7 10 {digest}`" in " ".join(TEXT.split())


def test_the_lengths_of_the_examples_are_those_written() -> None:
    assert [len(example) for example in examples()] == [272, 141, 217, 139]
    assert "`0320`, 272 bytes" in TEXT
    assert "later, 141 bytes" in TEXT
    assert "`0320`, 217 bytes" in TEXT
    assert "second one, 139 bytes" in TEXT


def test_every_field_is_documented_with_its_format() -> None:
    letters = {
        FieldFormat.N: "n",
        FieldFormat.AN: "an",
        FieldFormat.ANS: "ans",
        FieldFormat.B: "b",
    }
    documented = {int(number): row[0] for number, row in rows(section("Bytes")).items()}
    expected = {
        number: f"{letters[spec.format]} {spec.length}"
        if not spec.length_digits
        else f"{letters[spec.format]} ..{spec.length}, "
        f"length in {spec.length_digits} digits"
        for number, spec in FIELDS.items()
    }
    assert documented == expected


def test_every_processing_code_is_documented() -> None:
    described = rows(section("Bytes"))["3"][1]
    for kind in PaymentKind:
        assert f"`{kind.processing_code}` {kind.value}" in described


def test_every_data_object_is_documented() -> None:
    assert list(rows(section("Field 48"))) == [f"{int(tag):02X}" for tag in DetailTag]
    assert list(rows(section("Field 55"))) == [f"{int(tag):02X}" for tag in CardTag]


def test_every_response_code_is_documented() -> None:
    assert list(rows(section("Response codes"))) == [str(code) for code in ResponseCode]


def test_every_line_class_is_documented_with_its_code() -> None:
    text = " ".join(section("Field 48").split())
    for code, line_class in enumerate(LineClass, start=1):
        assert f"{code:02d} {line_class.value}" in text


def test_every_limit_is_documented() -> None:
    text = " ".join(TEXT.split())
    assert f"up to a window ({WINDOW_DEFAULT} messages unless configured)" in text
    assert f"a group of up to {GROUP_PAYMENTS_MAX}" in text
    assert f"up to {DIGITS_MAX} digits at its end" in text
    assert f"A choice has 2 to {CHOICES_MAX} numbers" in text
    assert f"repeats a message at most {REPEATS_MAX} times" in text
    assert f"The longest message has {MESSAGE_BYTES_MAX} bytes" in text
    assert WRONG_MACS_MAX == 3
    assert "The third wrong MAC in a call ends the call" in text
    field_48 = rows(section("Field 48"))
    assert field_48["C0"][0] == f"1 to {DECLARATION_BYTES_MAX}"
    assert field_48["C1"][0] == f"up to {TEXT_BYTES_MAX}"
    assert field_48["C4"][0] == f"5, up to {LINES_MAX} times"
    assert field_48["CF"][0] == f"up to {ANSWER_TEXT_BYTES_MAX}"
    assert field_48["D4"][0] == str(AUDIT_HEAD_BYTES)
    assert field_48["D5"][1].endswith(f"text up to {ANSWER_TEXT_BYTES_MAX}")
    assert field_48["D7"][0] == str(HELD_DIGEST_BYTES)


def test_each_message_has_the_fields_that_are_documented(
    header: BatchHeader, make_batch: Callable[..., BatchToUpload], now: datetime
) -> None:
    batch = make_batch(0, opens=1)
    payment = detail_message(header, PAYMENT, now)
    group = group_message(header, (PAYMENT, SECOND), 1, now)
    messages = {
        "0500 header": header_message(header, 1, now),
        "0320 group": group,
        "0330 group": response_to(group, "00", now),
        "0320 payment": payment,
        "0320 open record": detail_message(header, batch.opens[0], now),
        "0330": response_to(payment, "00", now),
        "0500 totals": totals_message(header, batch_totals([PAYMENT]), 1, now),
        "0510": response_to(header_message(header, 1, now), "00", now),
    }
    table = rows(section("Which message has which fields"))
    for name, message in messages.items():
        documented = {int(number) for number in table[name][0].split(";")[0].split()}
        optional = {48} if "open" in name else set()
        assert set(message.fields) | {64} | optional == documented, name
    logon = logon_message("T0000007", 1, TerminalVersions(), now)
    documented = {int(n) for n in table["0800"][0].split(",")[0].split()}
    assert set(logon.fields) == documented
    documented = {int(n) for n in table["0810"][0].split(";")[0].split()}
    assert set(response_to(logon, "00", now).fields) | {48, 128} == documented
