"""The host's machine by itself: what it asks the bank, and what it refuses alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement import answers, iso8583
from settlement.errors import (
    BankUnavailableError,
    MalformedMessageError,
    MessageAuthenticationError,
)
from settlement.intake import (
    GROUP_MAX,
    IntakeBank,
    IntakeMachine,
    RecordAnswer,
    ResponseCode,
)
from settlement.message_codec import (
    as_repeat,
    batch_totals,
    detail_message,
    header_message,
    logon_message,
    totals_message,
)
from settlement.messages import BatchHeader, TerminalVersions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from settlement.payment import BatchToUpload, PaymentRecord

    MakeBatch = Callable[..., BatchToUpload]

OTHER_KEY = bytes.fromhex("70 71 72 73 74 75 76 77 78 79 7A 7B 7C 7D 7E 7F")


class Terminal:
    """Makes the messages of one batch, in any order wanted."""

    def __init__(self, batch: BatchToUpload, key: bytes, now: datetime) -> None:
        self._batch, self._key, self._now = batch, key, now
        self._header = BatchHeader.of(batch)

    def logon(self, terminal_id: str = "T0000007") -> bytes:
        message = logon_message(terminal_id, 1, TerminalVersions(), self._now)
        return iso8583.encode(message, None)

    def header(self, **changes: str) -> bytes:
        message = header_message(self._header, 2, self._now)
        return self._sealed(message, changes)

    def detail(self, index: int, *, repeat: bool = False, **changes: str) -> bytes:
        record = self._batch.payments[index]
        message = detail_message(self._header, record, self._now)
        return self._sealed(as_repeat(message) if repeat else message, changes)

    def open_record(self) -> bytes:
        message = detail_message(self._header, self._batch.opens[0], self._now)
        return self._sealed(message, {})

    def totals(self) -> bytes:
        totals = batch_totals(self._batch.payments)
        return self._sealed(totals_message(self._header, totals, 3, self._now), {})

    def _sealed(self, message: iso8583.Message, changes: dict[str, str]) -> bytes:
        fields = {**message.fields, **{int(n[1:]): v for n, v in changes.items()}}
        return iso8583.encode(replace(message, fields=fields), self._key)


@pytest.fixture
def terminal(make_batch: MakeBatch, session_key: bytes, now: datetime) -> Terminal:
    return Terminal(make_batch(3, opens=1), session_key, now)


@pytest.fixture
def ask(intake: IntakeMachine, now: datetime) -> Callable[..., list[str]]:
    """Give the machine messages one by one; the response codes it answers."""

    def give(*messages: bytes) -> list[str]:
        responses = [r for m in messages for r in intake.receive(m, now)]
        return [iso8583.decode(response).text(39) for response in responses]

    return give


def spoil(message: bytes) -> bytes:
    return message[:-1] + bytes([message[-1] ^ 1])


def text_of(response: bytes) -> str:
    return answers.parse_text(iso8583.decode(response))


def test_nothing_is_taken_before_a_logon(
    terminal: Terminal, ask: Callable[..., list[str]], ledger: dict[object, object]
) -> None:
    codes = ask(terminal.header(), terminal.detail(0), terminal.totals())
    assert codes == ["12", "12", "12"]
    assert ledger == {}


def test_nothing_is_taken_before_a_batch_is_open(
    terminal: Terminal, ask: Callable[..., list[str]], ledger: dict[object, object]
) -> None:
    codes = ask(terminal.logon(), terminal.detail(0), terminal.totals())
    assert codes == ["00", "80", "80"]
    assert ledger == {}


def test_details_of_another_batch_than_the_open_one_are_refused(
    terminal: Terminal,
    ask: Callable[..., list[str]],
    make_batch: MakeBatch,
    session_key: bytes,
    now: datetime,
) -> None:
    other = Terminal(make_batch(1, number=2), session_key, now)
    codes = ask(terminal.logon(), terminal.header(), other.detail(0), other.totals())
    assert codes == ["00", "00", "80", "80"]


def test_a_header_that_the_bank_refuses_leaves_no_batch_open(
    terminal: Terminal,
    ask: Callable[..., list[str]],
    make_batch: MakeBatch,
    session_key: bytes,
    now: datetime,
) -> None:
    forged = Terminal(make_batch(2), session_key, now)
    codes = ask(
        terminal.logon(), terminal.header(), forged.header(), terminal.detail(0)
    )
    assert codes == ["00", "00", "94", "80"]


def test_an_unknown_terminal_may_not_log_on(
    bank: IntakeBank,
    session_key: bytes,
    make_batch: MakeBatch,
    now: datetime,
) -> None:
    machine = IntakeMachine("T0000099", bank, session_key)
    batch = replace(make_batch(1), terminal_id="T0000099")
    stranger = Terminal(batch, session_key, now)
    (response,) = machine.receive(stranger.logon("T0000099"), now)
    message = iso8583.decode(response)
    assert message.text(39) == "58"
    assert message.mac is None
    assert answers.parse_text(message) == "who is that?"
    (response,) = machine.receive(stranger.header(), now)
    assert iso8583.decode(response).text(39) == "12"


@pytest.mark.parametrize("kind", ["logon", "header", "detail"])
def test_another_terminal_than_the_certificate_names_is_refused(
    terminal: Terminal, intake: IntakeMachine, now: datetime, kind: str
) -> None:
    messages = {
        "logon": terminal.logon("T0000008"),
        "header": terminal.header(f41="T0000008"),
        "detail": terminal.detail(0, f41="T0000008", f37="000800001001"),
    }
    intake.receive(terminal.logon(), now)
    (response,) = intake.receive(messages[kind], now)
    assert iso8583.decode(response).text(39) == "58"
    assert text_of(response) == "the certificate of this call is that of T0000007"


def test_a_message_whose_parts_do_not_agree_is_refused_with_where(
    terminal: Terminal,
    intake: IntakeMachine,
    now: datetime,
    ledger: dict[object, object],
) -> None:
    intake.receive_group([terminal.logon(), terminal.header()], now)
    (response,) = intake.receive(terminal.detail(0, f04="000000000999"), now)
    assert iso8583.decode(response).text(39) == "30"
    assert "field 4" in text_of(response)
    assert ledger == {}


def test_wrong_macs_are_refused_and_soon_end_the_call(
    terminal: Terminal,
    intake: IntakeMachine,
    ask: Callable[..., list[str]],
    now: datetime,
    ledger: dict[object, object],
) -> None:
    assert ask(terminal.logon(), spoil(terminal.header())) == ["00", "63"]
    assert ask(terminal.header(), spoil(terminal.detail(0))) == ["00", "63"]
    with pytest.raises(MessageAuthenticationError):
        intake.receive(spoil(terminal.detail(1)), now)
    assert ledger == {}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00" * 40, id="zeros"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
        pytest.param(b"0200" + bytes(8), id="a type that is no request"),
        pytest.param(b"0330" + bytes(8), id="a response"),
    ],
)
def test_what_cannot_even_be_answered_gives_the_call_up(
    intake: IntakeMachine, now: datetime, data: bytes
) -> None:
    with pytest.raises(MalformedMessageError):
        intake.receive(data, now)


def test_a_group_with_garbage_posts_nothing(
    terminal: Terminal,
    intake: IntakeMachine,
    now: datetime,
    ledger: dict[object, object],
) -> None:
    intake.receive_group([terminal.logon(), terminal.header()], now)
    with pytest.raises(MalformedMessageError):
        intake.receive_group([terminal.detail(0), b"garbage"], now)
    assert ledger == {}


def test_a_repeat_gets_the_very_same_answer_without_the_bank(
    terminal: Terminal,
    intake: IntakeMachine,
    bank: IntakeBank,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intake.receive_group([terminal.logon(), terminal.header()], now)
    first = intake.receive(terminal.detail(0), now)
    monkeypatch.delattr(type(bank), "take_payments")
    assert intake.receive(terminal.detail(0, repeat=True), now) == first
    assert intake.receive(terminal.detail(0), now) == first


def test_what_the_bank_could_not_store_is_put_to_it_again(
    terminal: Terminal,
    intake: IntakeMachine,
    bank: IntakeBank,
    now: datetime,
) -> None:
    intake.receive_group([terminal.logon(), terminal.header()], now)

    def fail(*_: object) -> list[RecordAnswer]:
        raise BankUnavailableError("the disk is full")

    with pytest.MonkeyPatch.context() as broken:
        for name in ("take_payments", "take_open", "reconcile"):
            broken.setattr(bank, name, fail)
        sent = [
            terminal.detail(0),
            terminal.detail(1),
            terminal.open_record(),
            terminal.totals(),
        ]
        responses = intake.receive_group(sent, now)
        codes = [iso8583.decode(response).text(39) for response in responses]
        assert codes == ["91"] * 4
        assert {text_of(response) for response in responses} == {"the disk is full"}
    (response,) = intake.receive(terminal.detail(0, repeat=True), now)
    assert iso8583.decode(response).text(39) == "00"


@pytest.fixture
def groups(
    bank: IntakeBank, monkeypatch: pytest.MonkeyPatch
) -> list[list[PaymentRecord]]:
    """The groups of payments that the bank was asked to post, as they came."""
    seen: list[list[PaymentRecord]] = []
    take = bank.take_payments

    def record(
        header: BatchHeader, payments: Iterable[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        group = list(payments)
        seen.append(group)
        return take(header, group, now)

    monkeypatch.setattr(bank, "take_payments", record)
    return seen


def test_payments_that_arrive_together_are_posted_together_and_answered_in_order(
    terminal: Terminal,
    intake: IntakeMachine,
    now: datetime,
    groups: list[list[PaymentRecord]],
) -> None:
    messages = [
        terminal.logon(),
        terminal.header(),
        terminal.detail(1),
        terminal.detail(0),
        terminal.detail(1, repeat=True),
        terminal.open_record(),
        terminal.detail(2),
        terminal.totals(),
    ]
    responses = [iso8583.decode(r) for r in intake.receive_group(messages, now)]
    asked = [iso8583.decode(message) for message in messages]
    assert [r.text(11) for r in responses] == [m.text(11) for m in asked]
    assert {response.text(39) for response in responses} == {"00"}
    assert [[p.stan for p in group] for group in groups] == [[102, 101], [103]]


def test_no_group_is_larger_than_its_limit(
    intake: IntakeMachine,
    make_batch: MakeBatch,
    session_key: bytes,
    now: datetime,
    groups: list[list[PaymentRecord]],
) -> None:
    batch = make_batch(GROUP_MAX + 1)
    terminal = Terminal(batch, session_key, now)
    details = [terminal.detail(index) for index in range(len(batch.payments))]
    responses = intake.receive_group(
        [terminal.logon(), terminal.header(), *details], now
    )
    assert len(responses) == GROUP_MAX + 3
    assert [len(group) for group in groups] == [GROUP_MAX, 1]


def test_a_terminal_may_log_on_again_in_one_call(
    terminal: Terminal, ask: Callable[..., list[str]]
) -> None:
    codes = ask(
        terminal.logon(),
        terminal.header(),
        terminal.detail(0),
        terminal.logon(),
        terminal.detail(1),
    )
    assert codes == ["00", "00", "00", "00", "00"]


def test_a_mac_under_another_key_is_wrong(
    terminal: Terminal, intake: IntakeMachine, make_batch: MakeBatch, now: datetime
) -> None:
    other = Terminal(make_batch(1), OTHER_KEY, now)
    intake.receive(terminal.logon(), now)
    (response,) = intake.receive(other.header(), now)
    assert iso8583.decode(response).text(39) == "63"


@pytest.mark.parametrize("code", [ResponseCode.TRY_LATER, ResponseCode.FAILURE])
def test_an_answer_that_may_change_is_not_kept_for_repeats(
    terminal: Terminal,
    intake: IntakeMachine,
    bank: IntakeBank,
    ask: Callable[..., list[str]],
    code: ResponseCode,
) -> None:
    ask(terminal.logon(), terminal.header())
    with pytest.MonkeyPatch.context() as failing:
        failing.setattr(bank, "take_payments", lambda *_: [RecordAnswer(code=code)])
        assert ask(terminal.detail(0)) == [code]
    assert ask(terminal.detail(0, repeat=True)) == ["00"]


def test_only_the_latest_answers_are_kept_and_the_bank_repeats_the_others(
    terminal: Terminal,
    ask: Callable[..., list[str]],
    groups: list[list[PaymentRecord]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("settlement.intake.ANSWERS_KEPT_MAX", 2)
    ask(terminal.logon(), terminal.header())
    details = [terminal.detail(index) for index in range(3)]
    assert ask(*details, details[2], details[0]) == ["00"] * 5
    assert [payment.stan for group in groups for payment in group] == [
        101,
        102,
        103,
        101,
    ]
