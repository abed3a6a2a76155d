"""Bad batches, through the host's own machine with real messages.

Each has the documented response code, an incident with the bytes that came, and moves
no money that it should not: every account of the bank is compared before and after.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from settlement import iso8583
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.detail_groups import group_message
from settlement.errors import MalformedMessageError
from settlement.evidence import decoded
from settlement.intake import IntakeMachine, ResponseCode
from settlement.message_codec import (
    batch_totals,
    detail_message,
    header_message,
    logon_message,
    totals_message,
)
from settlement.messages import TerminalVersions
from settlement.outcomes import parse_outcomes
from settlement.upload import Collected, RecordRefused, Refused, UploadMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from settlement.payment import BatchToUpload, PaymentRecord

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")
KEY = bytes(range(0x60, 0x70))
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")
STRANGER = bytes.fromhex("64 00 00 00 00 00 00 09")
AMOUNTS = (100, 250, 375)
PAID = {"purse float": -sum(AMOUNTS), "customs revenue": sum(AMOUNTS)}
NOTHING: dict[str, int] = {}


def call(desk: Desk, batch: BatchToUpload) -> list[str]:
    """Send a batch as a terminal does; the codes that it is told, the last one last."""
    upload = UploadMachine(batch, stan_start=900)
    intake = IntakeMachine(batch.terminal_id, desk.bank, KEY)
    codes: list[str] = []
    while not upload.finished:
        sent = upload.messages_to_send(desk.clock()) or upload.repeat_unanswered()
        for response in intake.receive_group(sent, desk.clock()):
            for event in upload.receive(response, desk.clock()):
                if isinstance(event, RecordRefused | Refused):
                    codes.append(event.code.value)
                if isinstance(event, Collected):
                    codes.append("00")
    return codes


def ask(
    desk: Desk, *messages: iso8583.Message | bytes, terminal_id: str = "T0000007"
) -> list[str]:
    """Log on and send these, as no terminal of ours would; the code of each answer."""
    intake = IntakeMachine(terminal_id, desk.bank, KEY)
    logon = logon_message(terminal_id, 899, TerminalVersions(), desk.clock())
    codes = []
    for message in (iso8583.encode(logon, None), *messages):
        data = message if isinstance(message, bytes) else iso8583.encode(message, KEY)
        (response,) = intake.receive(data, desk.clock())
        answer = iso8583.decode(response)
        outcomes = parse_outcomes(answer) if answer.mti == "0330" else {}
        codes += [one.code.value for one in outcomes.values()] or [answer.text(39)]
    return codes[1:]


def batch_of(desk: Desk, *records: PaymentRecord) -> BatchToUpload:
    """The batch that the customs card closes over these records."""
    desk.customs.records = list(records)
    made: BatchToUpload = desk.closed()
    return made


def paid(desk: Desk, purse: Purse) -> list[PaymentRecord]:
    return [desk.customs.pay(purse, amount) for amount in AMOUNTS]


def header(desk: Desk) -> iso8583.Message:
    return header_message(desk.customs.close(), 900, desk.clock())


def forged_tac(desk: Desk, purse: Purse) -> list[str]:
    first, *rest = paid(desk, purse)
    return call(desk, batch_of(desk, replace(first, tac=bytes(8)), *rest))


def raised_amount(desk: Desk, purse: Purse) -> list[str]:
    first, *rest = paid(desk, purse)
    tx = replace(first.tx, amount_minor=100_000)
    return call(desk, batch_of(desk, replace(first, tx=tx), *rest))


def replayed(desk: Desk, purse: Purse) -> list[str]:
    """The same payments once more in the next batch; and the first batch again."""
    first = batch_of(desk, *paid(desk, purse))
    codes = call(desk, first)
    desk.customs.batch += 1
    return codes + call(desk, batch_of(desk, *first.payments)) + call(desk, first)


def truncated_message(desk: Desk, purse: Purse) -> list[str]:
    """The bytes end in the middle: the call is given up."""
    record = paid(desk, purse)[0]
    message = detail_message(desk.customs.close(), record, desk.clock())
    with suppress(MalformedMessageError):
        ask(desk, header(desk), iso8583.encode(message, KEY)[:-40])
        raise AssertionError("a message that is none is not answered")
    return []


def truncated_field(desk: Desk, purse: Purse) -> list[str]:
    """The bytes are a message; what the cards said ends in the middle."""
    record = paid(desk, purse)[0]
    message = detail_message(desk.customs.close(), record, desk.clock())
    fields = dict(message.fields)
    signed = fields[55]
    assert isinstance(signed, bytes)
    fields[55] = signed[:-20]
    return ask(desk, header(desk), iso8583.Message(mti="0320", fields=fields))


def truncated_batch(desk: Desk, purse: Purse) -> list[str]:
    """One payment is missing, and the terminal says that was all."""
    batch = batch_of(desk, *paid(desk, purse))
    return call(desk, replace(batch, payments=batch.payments[:2]))


def not_its_customs_card(desk: Desk, purse: Purse) -> list[str]:
    desk.customs.mid = OTHER_MID
    return call(desk, batch_of(desk, *paid(desk, purse)))


def anothers_payment(desk: Desk, purse: Purse) -> list[str]:
    """One payment was credited to another customs card than the batch is of."""
    mine = desk.customs.pay(purse, AMOUNTS[0])
    opened = header(desk)
    desk.customs.mid = OTHER_MID
    theirs = desk.customs.pay(purse, AMOUNTS[1])
    closed = replace(desk.customs.close(), mid=mine.tx.mid)
    detail = detail_message(closed, theirs, desk.clock())
    return ask(desk, opened, detail)


def batch_in_dirhams(desk: Desk, purse: Purse) -> list[str]:
    records = [desk.customs.pay(purse, amount, currency=784) for amount in AMOUNTS]
    closed = replace(desk.customs.close(), currency=784)
    desk.customs.records = records
    return ask(desk, header_message(closed, 900, desk.clock()))


def payment_in_dirhams(desk: Desk, purse: Purse) -> list[str]:
    record = desk.customs.pay(purse, 100, currency=784)
    closed = replace(desk.customs.close(), currency=784)
    return ask(desk, header(desk), detail_message(closed, record, desk.clock()))


def from_the_future(desk: Desk, purse: Purse) -> list[str]:
    """Really debited, and a clock is wrong: paid, once."""
    tomorrow = desk.clock() + timedelta(days=2)
    records = [desk.customs.pay(purse, amount, at=tomorrow) for amount in AMOUNTS]
    return call(desk, batch_of(desk, *records))


def sum_off(desk: Desk, purse: Purse) -> list[str]:
    """Signed by a customs card that cannot count."""
    batch = batch_of(desk, *paid(desk, purse))
    close = replace(batch.close, sum_minor=batch.close.sum_minor + 1)
    return call(desk, replace(batch, close=desk.customs.header(close).close))


def close_not_signed(desk: Desk, purse: Purse) -> list[str]:
    batch = batch_of(desk, *paid(desk, purse))
    return call(desk, replace(batch, close=replace(batch.close, sum_minor=1)))


def totals_off(desk: Desk, purse: Purse) -> list[str]:
    """The terminal's own totals are not what it has sent."""
    records = paid(desk, purse)
    closed = desk.customs.close()
    details = [detail_message(closed, one, desk.clock()) for one in records]
    totals = totals_message(closed, batch_totals(records[:2]), 901, desk.clock())
    return ask(desk, header(desk), *details, totals)


def unknown_card(desk: Desk, purse: Purse) -> list[str]:
    purse.cid = STRANGER
    return call(desk, batch_of(desk, *paid(desk, purse)))


def unknown_terminal(desk: Desk, purse: Purse) -> list[str]:
    batch = batch_of(desk, *paid(desk, purse))
    return call(desk, replace(batch, terminal_id="T0000099"))


def anothers_name(desk: Desk, purse: Purse) -> list[str]:
    """A message names another terminal than the certificate of the call."""
    paid(desk, purse)
    closed = replace(desk.customs.close(), terminal_id="T0000099")
    return ask(desk, header_message(closed, 900, desk.clock()))


def wrong_mac(desk: Desk, purse: Purse) -> list[str]:
    record = paid(desk, purse)[0]
    message = detail_message(desk.customs.close(), record, desk.clock())
    return ask(desk, header(desk), iso8583.encode(message, KEY[::-1]))


def no_amount(desk: Desk, purse: Purse) -> list[str]:
    """An amount of nothing: no card signs it."""
    record = paid(desk, purse)[0]
    message = detail_message(desk.customs.close(), record, desk.clock())
    fields = dict(message.fields)
    signed = fields[55]
    assert isinstance(signed, bytes)
    amount = record.tx.amount_minor.to_bytes(4, "big")
    assert signed.count(amount) == 2, "in TX and, of the first payment, in C3"
    fields |= {4: "0" * 12, 55: signed.replace(amount, bytes(4), 1)}
    return ask(desk, header(desk), iso8583.Message(mti="0320", fields=fields))


def ten_thousand_closed(desk: Desk, purse: Purse) -> list[str]:
    paid(desk, purse)
    close = replace(desk.customs.close().close, count=10_000)
    opened = desk.customs.header(close)
    return ask(desk, header_message(opened, 900, desk.clock()))


def ten_thousand_sent(desk: Desk, purse: Purse) -> list[str]:
    """One payment under ten thousand numbers, in full batches of groups."""
    record = desk.customs.pay(purse, AMOUNTS[0])
    closed = desk.customs.close()
    groups = [
        group_message(
            closed,
            tuple(
                replace(record, stan=stan, sequence=(stan - 1) % 999 + 1)
                for stan in range(first, first + 27)
            ),
            899_000 + first,
            desk.clock(),
        )
        for first in range(1, 10_000, 27)
    ]
    codes = ask(desk, header(desk), *groups)
    assert codes.count("12") == len(groups) - 999 // 27
    assert set(codes[:38]) == {"00"}, "the same payment again is the same answer"
    return codes[-1:]


def other_declaration(desk: Desk, purse: Purse) -> list[str]:
    first, *rest = paid(desk, purse)
    assert first.details is not None
    details = replace(first.details, declaration="DEC-OTHER")
    return call(desk, batch_of(desk, replace(first, details=details), *rest))


def counters_off(desk: Desk, purse: Purse) -> list[str]:
    """The purse certifies more debits than there were."""
    first, *rest = paid(desk, purse)
    odd = replace(first, cumulative_debit_minor=first.cumulative_debit_minor + 1)
    return call(desk, batch_of(desk, purse.sign(odd), *rest))


def hotlisted(desk: Desk, purse: Purse) -> list[str]:
    with desk.store.write() as books:
        why = {purse.cid: "stolen"}
        books.publications.list_cards(why, listed=True, since=desk.clock())
    return call(desk, batch_of(desk, *paid(desk, purse)))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A bad batch: what is sent, what is answered, noted and moved."""

    send: Callable[[Desk, Purse], list[str]]
    codes: list[str]
    incidents: list[IncidentCode]
    moved: dict[str, int]
    odd_purse: bool = False


CASES = [
    Case(
        send=forged_tac,
        codes=["05", "00"],
        incidents=[IncidentCode.TAC_WRONG],
        moved={"purse float": -625, "customs revenue": 625},
    ),
    Case(
        send=raised_amount,
        codes=["05", "00"],
        incidents=[IncidentCode.TAC_WRONG],
        moved={"purse float": -625, "customs revenue": 625},
    ),
    Case(
        send=replayed,
        codes=["00", "94", "94", "94", "95", "00"],
        incidents=[*[IncidentCode.REPLAYED] * 3, IncidentCode.BATCH_DIFFERS],
        moved=PAID,
    ),
    Case(
        send=truncated_message,
        codes=[],
        incidents=[IncidentCode.MESSAGE_MALFORMED],
        moved=NOTHING,
    ),
    Case(
        send=truncated_field,
        codes=["00", "30"],
        incidents=[IncidentCode.MESSAGE_MALFORMED],
        moved=NOTHING,
    ),
    Case(
        send=truncated_batch,
        codes=["77"],
        incidents=[IncidentCode.BATCH_INCOMPLETE],
        moved={"purse float": -350, "customs revenue": 350},
    ),
    Case(
        send=not_its_customs_card,
        codes=["03"],
        incidents=[IncidentCode.WRONG_MERCHANT],
        moved=NOTHING,
    ),
    Case(
        send=anothers_payment,
        codes=["00", "03"],
        incidents=[IncidentCode.WRONG_MERCHANT],
        moved=NOTHING,
    ),
    Case(
        send=batch_in_dirhams,
        codes=["12"],
        incidents=[IncidentCode.WRONG_CURRENCY],
        moved=NOTHING,
    ),
    Case(
        send=payment_in_dirhams,
        codes=["00", "05"],
        incidents=[IncidentCode.WRONG_CURRENCY],
        moved=NOTHING,
    ),
    Case(
        send=from_the_future,
        codes=["00"],
        incidents=[IncidentCode.CLOCK] * 3,
        moved=PAID,
    ),
    Case(
        send=sum_off,
        codes=["95"],
        incidents=[IncidentCode.BATCH_DIFFERS],
        moved=PAID,
    ),
    Case(
        send=close_not_signed,
        codes=["95"],
        incidents=[IncidentCode.BATCH_DIFFERS],
        moved=NOTHING,
    ),
    Case(
        send=totals_off,
        codes=["00", "00", "00", "00", "95"],
        incidents=[IncidentCode.BATCH_DIFFERS],
        moved=PAID,
    ),
    Case(
        send=unknown_card,
        codes=["05", "05", "05", "00"],
        incidents=[IncidentCode.UNKNOWN_CARD] * 3,
        moved=NOTHING,
    ),
    Case(
        send=unknown_terminal,
        codes=["58"],
        incidents=[IncidentCode.TERMINAL_REFUSED],
        moved=NOTHING,
    ),
    Case(
        send=anothers_name,
        codes=["58"],
        incidents=[IncidentCode.TERMINAL_REFUSED],
        moved=NOTHING,
    ),
    Case(
        send=wrong_mac,
        codes=["00", "63"],
        incidents=[IncidentCode.MESSAGE_MAC],
        moved=NOTHING,
    ),
    Case(
        send=no_amount,
        codes=["00", "30"],
        incidents=[IncidentCode.MESSAGE_MALFORMED],
        moved=NOTHING,
    ),
    Case(
        send=ten_thousand_closed,
        codes=["12"],
        incidents=[IncidentCode.BATCH_TOO_LONG],
        moved=NOTHING,
    ),
    Case(
        send=ten_thousand_sent,
        codes=["12"],
        incidents=[IncidentCode.BATCH_TOO_LONG],
        moved={"purse float": -100, "customs revenue": 100},
    ),
    Case(
        send=other_declaration,
        codes=["00"],
        incidents=[IncidentCode.DECLARATION_UNPROVED],
        moved=PAID,
    ),
    Case(
        send=counters_off,
        codes=["00"],
        incidents=[IncidentCode.COUNTERS] * 3,
        moved=PAID,
        odd_purse=True,
    ),
    Case(
        send=hotlisted,
        codes=["00"],
        incidents=[IncidentCode.HOTLISTED] * 3,
        moved=PAID,
    ),
]


def balances(desk: Desk) -> dict[Any, int]:
    with desk.store.read() as books:
        return {row.account: row.balance_minor for row in books.ledger.accounts()}


def moved(before: dict[Any, int], after: dict[Any, int]) -> dict[str, int]:
    """By how much each kind of account has changed; every account is looked at."""
    changed = {
        account: after.get(account, 0) - before.get(account, 0)
        for account in before.keys() | after.keys()
    }
    kinds = [account.kind.value for account, minor in changed.items() if minor]
    assert len(kinds) == len(set(kinds)), "one account of a kind at most"
    return {account.kind.value: minor for account, minor in changed.items() if minor}


def evidence_of(desk: Desk) -> Iterable[tuple[str, list[bytes]]]:
    with desk.store.read() as books:
        for noted in books.batches.noted_incidents():
            pieces = books.incidents.evidence(noted.number)
            yield noted.incident.code, [piece.data for piece in pieces]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.send.__name__)
def test_a_bad_batch_is_answered_noted_and_moves_no_money_that_it_should_not(
    desk: Desk, case: Case
) -> None:
    purse = desk.loaded_purse()
    desk.loaded_purse(1_000, cid=bytes.fromhex("64 00 00 00 00 00 00 02"))
    before = balances(desk)
    assert case.send(desk, purse) == case.codes
    assert moved(before, balances(desk)) == case.moved
    assert desk.incidents() == case.incidents
    assert desk.open_incidents() == case.incidents
    for code, pieces in evidence_of(desk):
        assert pieces, f"{code} keeps the bytes that came"
        assert all(decoded(piece) for piece in pieces)
    report = check_bank(desk.store, desk.keys)
    odd = [one for one in report.findings if "card 640000******0001" not in one.text]
    assert (odd if case.odd_purse else list(report.findings)) == []


def test_every_response_code_of_a_bad_batch_is_documented(
    documented_codes: set[str],
) -> None:
    used = {code for case in CASES for code in case.codes}
    assert used <= documented_codes == {code.value for code in ResponseCode}


def test_a_truncated_message_is_kept_as_it_came(desk: Desk) -> None:
    truncated_message(desk, desk.loaded_purse())
    ((_, pieces),) = evidence_of(desk)
    assert [decoded(piece)[0][0] for piece in pieces] == ["not readable"]


def test_a_flood_of_nonsense_in_one_call_fills_no_disk(desk: Desk) -> None:
    record = paid(desk, desk.loaded_purse())[0]
    closed = desk.customs.close()
    messages = []
    for number in range(1, 101):
        message = detail_message(closed, record, desk.clock())
        odd = (
            {37: f"0007{number:05d}001"},
            {4: f"{number + 500:012d}"},
            {2: f"{number:016d}"},
            {49: f"{number + 600:03d}"},
            {60: f"{1:010d}{number + 1:06d}"},
        )[number % 5]
        fields = {**message.fields, **odd}
        messages.append(iso8583.Message(mti="0320", fields=fields))
    codes = ask(desk, header(desk), *messages)
    assert codes[1:].count("30") >= 98, "each is answered"
    assert sum(len(pieces) for _, pieces in evidence_of(desk)) == 16
    assert len(set(incident_texts(desk))) == 5


def incident_texts(desk: Desk) -> list[str]:
    with desk.store.read() as books:
        return [row.text for row in books.batches.incidents()]
