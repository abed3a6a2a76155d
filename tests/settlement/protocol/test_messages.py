"""The meaning of fields: requests and answers there and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.records import DebitProof
from settlement import answers, iso8583
from settlement.audit_head import AuditHead
from settlement.data_objects import (
    ANSWER_TEXT_BYTES_MAX,
    CardTag,
    DetailTag,
    encode_details,
    encode_objects,
    fit_text,
    parse_details,
)
from settlement.errors import MalformedMessageError, SettlementError
from settlement.message_codec import (
    as_repeat,
    batch_totals,
    detail_message,
    header_message,
    logon_message,
    request_key,
    response_key,
    response_to,
    totals_message,
)
from settlement.message_parser import parse_request, parse_totals
from settlement.messages import (
    BatchHeader,
    DetailRequest,
    HeaderRequest,
    LogonAnswer,
    LogonRequest,
    ReconcileAnswer,
    ResponseCode,
    TerminalVersions,
    Total,
    TotalsRequest,
)
from settlement.payment import (
    BatchToUpload,
    DebitClosure,
    LineClass,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentLine,
    PaymentRecord,
    VoidClosure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeBatch = Callable[..., BatchToUpload]

KEY = bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")

HEAD = AuditHead(
    journal=bytes.fromhex("00 01 02 03 04 05 06 07"), entries=258, digest=bytes(32)
)

TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "Nd", "P"]), max_size=8)
DETAILS = st.builds(
    PaymentDetails,
    declaration=TEXTS.filter(bool),
    kind=st.sampled_from(PaymentKind),
    lines=st.lists(
        st.builds(
            PaymentLine,
            line_class=st.sampled_from(LineClass),
            amount_minor=st.integers(min_value=1, max_value=0x7FFFFFFF),
        ),
        max_size=32,
    ).map(tuple),
    clerk=TEXTS,
    request_number=TEXTS,
    delivery_order=TEXTS,
    service_code=TEXTS,
)


def header_of(batch: BatchToUpload) -> BatchHeader:
    return BatchHeader(
        terminal_id=batch.terminal_id,
        office=batch.office,
        mid=batch.mid,
        currency=batch.currency,
        close=batch.close,
    )


def over_the_line(message: iso8583.Message) -> iso8583.Message:
    return iso8583.decode(iso8583.encode(message, KEY))


def altered(message: iso8583.Message, **fields: str | bytes | None) -> iso8583.Message:
    """The message with fields changed, or left out, by ``f<number>``."""
    changed = {**message.fields, **{int(n[1:]): v for n, v in fields.items()}}
    kept = {number: value for number, value in changed.items() if value is not None}
    return replace(message, fields=kept)


@given(DETAILS)
def test_details_of_a_payment_come_back_the_same(details: PaymentDetails) -> None:
    data = encode_details(details)
    assert len(data) <= 999
    assert parse_details(data) == details


@given(st.binary(max_size=120))
def test_any_bytes_are_details_or_raise_the_packages_error(data: bytes) -> None:
    try:
        details = parse_details(data)
    except SettlementError:
        return
    assert details.declaration


@given(
    st.dictionaries(
        st.sampled_from([2, 3, 4, 11, 37, 41, 42, 48, 49, 55, 60, 63, 70]),
        st.text("0123456789 AZ", max_size=20) | st.binary(max_size=40),
    ),
    st.sampled_from(["0320", "0321", "0500", "0800", "0810", "0200"]),
)
def test_any_fields_are_a_request_or_raise_the_packages_error(
    fields: dict[int, str | bytes], mti: str
) -> None:
    try:
        parse_request(iso8583.Message(mti=mti, fields=fields))
    except MalformedMessageError:
        return


def test_a_logon_comes_back_the_same(now: datetime) -> None:
    versions = TerminalVersions(parameters=7, hotlist=0xFFFFFFFF)
    message = logon_message("T0000007", 42, versions, now)
    received = iso8583.decode(iso8583.encode(message, None))
    assert parse_request(received) == LogonRequest(versions=versions)
    assert (received.text(7), received.text(12)) == ("1122102000", "142000")


def test_a_batch_header_comes_back_the_same(
    make_batch: MakeBatch, now: datetime
) -> None:
    header = header_of(make_batch(3, opens=1, number=0xFFFFFFFF))
    message = over_the_line(header_message(header, 42, now))
    assert parse_request(message) == HeaderRequest(header=header)


def test_a_header_brings_where_the_audit_log_stands(
    make_batch: MakeBatch, now: datetime
) -> None:
    header = header_of(make_batch(1))
    message = over_the_line(header_message(header, 42, now, HEAD))
    assert message.binary(48) == b"\xd4\x2c" + HEAD.to_bytes()
    assert parse_request(message) == HeaderRequest(header=header, audit_head=HEAD)


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param(b"\xd4\x2b" + HEAD.to_bytes()[1:], id="too short"),
        pytest.param(b"\xd4\x2c" + bytes(44), id="no entries"),
        pytest.param(2 * (b"\xd4\x2c" + HEAD.to_bytes()), id="twice"),
    ],
)
def test_what_is_no_audit_head_makes_a_header_malformed(
    make_batch: MakeBatch, now: datetime, objects: bytes
) -> None:
    message = header_message(header_of(make_batch(1)), 42, now)
    with pytest.raises(MalformedMessageError, match="field 48, tag D4"):
        parse_request(altered(message, f48=objects))


def test_a_header_may_bring_objects_that_are_not_known_yet(
    make_batch: MakeBatch, now: datetime
) -> None:
    header = header_of(make_batch(1))
    message = header_message(header, 42, now)
    later = altered(message, f48=encode_objects([(0xDE, b"\x01")]))
    assert parse_request(later) == HeaderRequest(header=header)


def test_payments_and_open_records_come_back_the_same(
    make_batch: MakeBatch, now: datetime
) -> None:
    batch = make_batch(3, opens=2, number=7)
    header = header_of(batch)
    records: list[PaymentRecord | OpenItem] = [*batch.payments, *batch.opens]
    for record in records:
        message = over_the_line(detail_message(header, record, now))
        assert parse_request(message) == DetailRequest(batch=7, record=record)


def test_a_payment_without_details_goes_up_all_the_same(
    make_batch: MakeBatch, now: datetime
) -> None:
    batch = make_batch(1)
    record = replace(batch.payments[0], details=None)
    message = over_the_line(detail_message(header_of(batch), record, now))
    assert 48 not in message.fields
    assert parse_request(message) == DetailRequest(batch=1, record=record)


def test_totals_by_kind_come_back_the_same(
    make_batch: MakeBatch, now: datetime
) -> None:
    batch = make_batch(5, opens=1)
    lost = replace(batch.payments[0], details=None)
    totals = batch_totals((lost, *batch.payments[1:], *batch.opens))
    assert totals.unknown == Total(count=1, sum_minor=1001)
    assert totals.purchase == Total(count=2, sum_minor=1002 + 1005)
    assert totals.fees == Total(count=1, sum_minor=1003)
    assert totals.deposits == Total(count=1, sum_minor=1004)
    assert totals.opened == Total(count=1, sum_minor=1006)
    message = over_the_line(totals_message(header_of(batch), totals, 9, now))
    assert parse_request(message) == TotalsRequest(batch=1, totals=totals)


def test_the_largest_batch_has_totals_that_fit() -> None:
    most = Total(count=999, sum_minor=999 * 0x7FFFFFFF)
    text = f"{most.count:03d}{most.sum_minor:015d}"
    assert parse_totals(text, 1) == [most]


def test_a_repeat_differs_in_its_type_only(
    make_batch: MakeBatch, now: datetime
) -> None:
    batch = make_batch(1)
    message = detail_message(header_of(batch), batch.payments[0], now)
    repeat = as_repeat(message)
    assert (repeat.mti, repeat.fields) == ("0321", message.fields)
    assert request_key(repeat) == request_key(message)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (2, "6400000000000002"),
        (3, "820000"),
        (4, "000000009999"),
        (11, "000999"),
        (41, "T0000008"),
        (49, "414"),
    ],
)
def test_a_response_that_differs_in_a_matched_field_is_none(
    make_batch: MakeBatch, now: datetime, number: int, value: str
) -> None:
    batch = make_batch(3)
    request = detail_message(header_of(batch), batch.payments[2], now)
    response = response_to(request, "00", now)
    assert response_key(response) == request_key(request)
    assert response_key(altered(response, **{f"f{number}": value})) != request_key(
        request
    )
    assert response_key(altered(response, **{f"f{number}": None})) != request_key(
        request
    )
    assert response_key(replace(response, mti="0510")) != request_key(request)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(2, "6400000000000002", id="another card than the TX"),
        pytest.param(2, None, id="no card"),
        pytest.param(3, "820000", id="another kind than field 48"),
        pytest.param(3, "900000", id="no kind but details"),
        pytest.param(4, "000000001002", id="another amount than the TX"),
        pytest.param(11, "000102", id="another STAN than field 60"),
        pytest.param(11, "000000", id="no STAN"),
        pytest.param(37, "000800001001", id="reference of another terminal"),
        pytest.param(37, "000700002001", id="reference of another batch"),
        pytest.param(37, "000700001000", id="no place in the batch"),
        pytest.param(37, "00070000100A", id="place not a number"),
        pytest.param(41, "T000007 ", id="terminal with a blank"),
        pytest.param(48, b"\xc3\x01\x01", id="no declaration"),
        pytest.param(48, b"\xc0\x01A\xc3\x01\x09", id="unknown kind"),
        pytest.param(48, b"\xc0\x01A\xc0\x01B\xc3\x01\x01", id="two declarations"),
        pytest.param(48, b"\xc0\x02\xff\xfe\xc3\x01\x01", id="not UTF-8"),
        pytest.param(48, b"\xc0\x02A\n\xc3\x01\x01", id="control character"),
        pytest.param(48, b"\xc0\x01A\xc3\x01\x01\xc5\x21" + b"1" * 33, id="long clerk"),
        pytest.param(48, b"\xc0\x01A\xc3\x01\x01\xc4\x01\x01", id="short line"),
        pytest.param(48, b"\xc0\x01A\xc3\x01\x01\xc4\x05\x09AAAA", id="unknown line"),
        pytest.param(48, b"\xc0", id="no BER-TLV"),
        pytest.param(49, "414", id="another currency than the TX"),
        pytest.param(55, b"", id="no card data"),
        pytest.param(55, b"\xc1\x2f" + bytes(47), id="TX of zeros"),
        pytest.param(60, "0000000001", id="no original STAN"),
        pytest.param(60, "0000000000000101", id="no batch"),
        pytest.param(60, "9999999999000101", id="batch of more than 4 bytes"),
    ],
)
def test_a_detail_whose_parts_do_not_agree_is_malformed(
    make_batch: MakeBatch, now: datetime, field: int, value: str | bytes | None
) -> None:
    batch = make_batch(3)
    # The third payment is of fees, so that no processing code is right by chance.
    message = detail_message(header_of(batch), batch.payments[2], now)
    with pytest.raises(MalformedMessageError):
        parse_request(altered(message, **{f"f{field}": value}))


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        pytest.param(CardTag.OUTCOME, b"\x03", id="unknown outcome"),
        pytest.param(CardTag.OUTCOME, b"\x02", id="open without Rc"),
        pytest.param(CardTag.TAC, bytes(7), id="short TAC"),
        pytest.param(CardTag.BALANCE_AFTER, bytes(5), id="long balance"),
        pytest.param(CardTag.KEY_VERSION, b"", id="empty key version"),
    ],
)
def test_card_data_that_do_not_fit_are_malformed(
    make_batch: MakeBatch, now: datetime, tag: CardTag, value: bytes
) -> None:
    batch = make_batch(1)
    message = detail_message(header_of(batch), batch.payments[0], now)
    record = batch.payments[0]
    objects = {
        CardTag.OUTCOME: b"\x01",
        CardTag.TX: record.tx.to_bytes(),
        CardTag.BALANCE_AFTER: bytes(4),
        CardTag.CUMULATIVE_DEBIT: bytes(8),
        CardTag.TAC: record.tac,
        CardTag.KEY_VERSION: b"\x01",
        CardTag.ALGORITHM: b"\x01",
    }
    good = encode_objects(objects.items())
    parse_request(altered(message, f55=good))
    bad = encode_objects({**objects, tag: value}.items())
    with pytest.raises(MalformedMessageError, match="field 55"):
        parse_request(altered(message, f55=bad))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(3, "930000", id="unknown processing code"),
        pytest.param(42, " SOHAR         ", id="office with a leading blank"),
        pytest.param(55, b"\xcb\x08" + bytes(8), id="no CLOSE data"),
        pytest.param(60, "0000000002000000", id="another batch than CLOSE"),
        pytest.param(60, "0000000001000005", id="a STAN where none belongs"),
    ],
)
def test_a_header_whose_parts_do_not_agree_is_malformed(
    make_batch: MakeBatch, now: datetime, field: int, value: str | bytes
) -> None:
    message = header_message(header_of(make_batch(1)), 5, now)
    with pytest.raises(MalformedMessageError):
        parse_request(altered(message, **{f"f{field}": value}))


def test_a_logon_with_a_mac_or_another_management_code_is_malformed(
    now: datetime,
) -> None:
    message = logon_message("T0000007", 1, TerminalVersions(), now)
    with pytest.raises(MalformedMessageError, match="MAC"):
        parse_request(over_the_line(message))
    with pytest.raises(MalformedMessageError, match="field 70"):
        parse_request(altered(message, f70="002"))


def test_unknown_data_objects_are_skipped(make_batch: MakeBatch, now: datetime) -> None:
    batch = make_batch(1)
    record = batch.payments[0]
    message = detail_message(header_of(batch), record, now)
    more = {
        "f48": message.binary(48) + bytes.fromhex("DE 01 00"),
        "f55": message.binary(55) + bytes.fromhex("DF 7F 01 00"),
    }
    request = parse_request(altered(message, **more))
    assert request == DetailRequest(batch=1, record=record)


def test_a_logon_answer_comes_back_the_same(now: datetime) -> None:
    request = logon_message("T0000007", 1, TerminalVersions(), now)
    versions = TerminalVersions(parameters=3, hotlist=4)
    answer = LogonAnswer(code=ResponseCode.ACCEPTED, versions=versions, text="welcome")
    fields = answers.logon_fields(answer, KEY, now)
    response = over_the_line(response_to(request, answer.code, now, fields))
    logon = answers.parse_logon(response)
    assert logon.session_key == KEY
    assert logon.bank_time == datetime(2025, 11, 22, 10, 20, tzinfo=UTC)
    assert logon.versions == versions
    assert answers.parse_text(response) == "welcome"
    assert KEY.hex() not in repr(logon)
    assert str(KEY) not in repr(logon)


def test_a_bank_time_that_is_none_is_malformed(now: datetime) -> None:
    objects = [
        (DetailTag.SESSION_KEY, KEY),
        (DetailTag.BANK_TIME, bytes.fromhex("20251322101500")),
    ]
    message = iso8583.Message(mti="0810", fields={48: encode_objects(objects)})
    with pytest.raises(MalformedMessageError, match="not a time"):
        answers.parse_logon(message)


def test_closures_come_back_the_same(make_batch: MakeBatch, now: datetime) -> None:
    batch = make_batch(0, opens=1)
    item = batch.opens[0]
    tx = item.open_record.tx
    request = detail_message(header_of(batch), item, now)
    proof = DebitProof(
        balance_after_minor=1, cumulative_debit_minor=2, tac=bytes(8), mac2=bytes(8)
    )
    void = VoidClosure(tx=tx, vmac=bytes(8))
    for closure in (None, void, DebitClosure(tx=tx, proof=proof)):
        fields = answers.closure_fields(closure)
        response = over_the_line(response_to(request, "00", now, fields))
        assert answers.parse_closure(response, tx) == closure


def test_a_closure_that_says_both_is_malformed(
    make_batch: MakeBatch, now: datetime
) -> None:
    item = make_batch(0, opens=1).opens[0]
    both = encode_objects([(CardTag.VMAC, bytes(8)), (CardTag.MAC2, bytes(8))])
    message = iso8583.Message(mti="0330", fields={55: both})
    with pytest.raises(MalformedMessageError, match="void and debit"):
        answers.parse_closure(message, item.open_record.tx)


def test_an_accepted_batch_always_has_its_bank_ack_mac(now: datetime) -> None:
    request = iso8583.Message(mti="0500", fields={11: "000001"})
    answer = ReconcileAnswer(code=ResponseCode.ACCEPTED, posted=Total(count=1))
    response = response_to(request, "00", now, answers.reconcile_fields(answer))
    with pytest.raises(MalformedMessageError, match="field 55"):
        answers.parse_reconcile(response)


def test_an_unknown_response_code_counts_as_failure_and_is_shown() -> None:
    message = iso8583.Message(mti="0510", fields={39: "ZZ"})
    assert answers.parse_code(message) is ResponseCode.FAILURE
    assert answers.parse_text(message) == "the bank answered code ZZ"


@given(st.text(max_size=400))
def test_the_banks_words_always_fit_and_can_be_read(text: str) -> None:
    fitted = fit_text(text.encode(errors="replace").decode())
    assert len(fitted) <= ANSWER_TEXT_BYTES_MAX
    assert fitted.decode().isprintable()
