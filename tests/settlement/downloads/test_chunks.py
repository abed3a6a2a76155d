"""Chunks of a liar who knows the key: what does not fit to the payload is no answer."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement import iso8583
from settlement.data_objects import DetailTag, encode_objects
from settlement.download import CHUNK_BYTES, DownloadKind, Held, OfferHead
from settlement.download_codec import (
    content_digest,
    make_payload,
    nothing_held,
    offer_head,
)
from settlement.download_events import (
    ChunkReceived,
    DownloadBegun,
    Downloaded,
    ResponseDiscarded,
)
from settlement.download_machine import DownloadPhase, Partial, Stock
from settlement.messages import TerminalVersions
from settlement.terminal_call import Session
from tests.settlement.downloads.conftest import HOTLIST, KEY, NOW, Counter

if TYPE_CHECKING:
    from settlement.download_events import DownloadEvent
    from settlement.download_machine import DownloadMachine
    from tests.settlement.downloads.conftest import PublishingBank

CARDS = {
    bytes.fromhex(f"6400{7919 * place * place % 10**12:012d}"): b""
    for place in range(1, 801)
}
FORM, PAYLOAD = make_payload(HOTLIST, CARDS, {})
HEAD = offer_head(FORM, Held(version=1, digest=content_digest(HOTLIST, CARDS)), PAYLOAD)
LAST = HEAD.chunks
PARTS = [PAYLOAD[at : at + CHUNK_BYTES] for at in range(0, len(PAYLOAD), CHUNK_BYTES)]


class Asked:
    """A machine that has logged on and waits for what the liar says."""

    def __init__(self, bank: PublishingBank, counter: Counter) -> None:
        bank.publish(HOTLIST, CARDS)
        self.counter = counter
        self.machine: DownloadMachine = counter.machine()
        (logon,) = self.machine.messages_to_send(NOW)
        self.machine.receive(bank.intake().receive(logon, NOW)[0], NOW)
        self.questions = self.machine.messages_to_send(NOW)

    def answered(
        self,
        number: int,
        data: bytes,
        *,
        last: int = LAST,
        head: OfferHead | None = None,
        question: int = 0,
        kind: DownloadKind = HOTLIST,
    ) -> list[DownloadEvent]:
        """What the machine makes of this chunk."""
        asked = iso8583.decode(self.questions[question])
        objects = [(DetailTag.DOWNLOAD_CHUNK, data)]
        if head is not None:
            objects.insert(0, (DetailTag.DOWNLOAD_OFFER, head.to_bytes()))
        times = {place: asked.fields[place] for place in (7, 11, 12, 13, 41)}
        fields: dict[int, str | bytes] = {
            **times,
            39: "00",
            48: encode_objects(objects),
            71: f"{number:04d}",
            72: f"{last:04d}",
            91: "5",
            101: kind.file_name,
        }
        answer = iso8583.Message(mti="0310", fields=fields)
        return self.machine.receive(iso8583.encode(answer, KEY), NOW)

    def begun(self) -> Asked:
        """The first chunk has come, and the questions for the next ones are out."""
        events = self.answered(1, PARTS[0], head=HEAD)
        assert [type(event) for event in events] == [DownloadBegun, ChunkReceived]
        self.questions = self.machine.messages_to_send(NOW)
        return self

    def comes_in_the_end(self) -> bool:
        """Whether the true chunks still make the whole content."""
        events: list[DownloadEvent] = []
        for number in range(2, LAST + 1):
            events += self.answered(number, PARTS[number - 1], question=number - 2)
        (done,) = [event for event in events if isinstance(event, Downloaded)]
        return done.entries == CARDS


@pytest.fixture
def asked(bank: PublishingBank, counter: Counter) -> Asked:
    return Asked(bank, counter)


def assert_no_answer(events: list[DownloadEvent], why: str) -> None:
    (event,) = events
    assert isinstance(event, ResponseDiscarded)
    assert why in event.reason


def test_the_payload_has_some_chunks_of_which_the_last_is_short() -> None:
    assert LAST >= 3
    assert 1 < len(PARTS[-1]) < CHUNK_BYTES


@pytest.mark.parametrize("last", [1, LAST - 1, LAST + 1])
def test_a_first_chunk_that_counts_otherwise_than_its_payload_is_no_answer(
    asked: Asked, last: int
) -> None:
    events = asked.answered(1, PARTS[0], last=last, head=HEAD)
    assert_no_answer(events, "not of the payload's length")
    assert asked.machine.phase is DownloadPhase.ASKING
    assert asked.begun().comes_in_the_end()


@pytest.mark.parametrize(("last", "size"), [(2, 10), (2, 900), (LAST + 1, 900)])
def test_a_later_chunk_that_counts_otherwise_than_its_payload_is_no_answer(
    asked: Asked, last: int, size: int
) -> None:
    asked.begun()
    events = asked.answered(2, PARTS[1][:size], last=last)
    assert_no_answer(events, "not of the payload's length")
    assert asked.comes_in_the_end()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_last_chunk_of_another_length_is_no_answer(asked: Asked, change: int) -> None:
    asked.begun()
    data = (PARTS[-1] + b"x")[: len(PARTS[-1]) + change]
    events = asked.answered(LAST, data, question=LAST - 2)
    assert_no_answer(events, "not of the payload's length")
    assert asked.comes_in_the_end()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_payload_of_one_chunk_has_the_length_that_was_offered(
    asked: Asked, change: int
) -> None:
    small = replace(HEAD, payload_bytes=100)
    events = asked.answered(1, PARTS[0][: 100 + change], last=1, head=small)
    assert_no_answer(events, "not of the payload's length")


def test_a_chunk_cut_short_in_the_middle_is_no_answer(asked: Asked) -> None:
    asked.begun()
    assert_no_answer(asked.answered(2, PARTS[1][:-1]), "not a whole chunk")
    assert asked.comes_in_the_end()


def test_an_empty_last_chunk_is_no_answer(asked: Asked) -> None:
    asked.begun()
    events = asked.answered(LAST, b"", question=LAST - 2)
    assert_no_answer(events, "not a whole chunk")


@pytest.mark.parametrize("number", [1, 3, 0])
def test_another_chunk_than_the_one_asked_for_is_no_answer(
    asked: Asked, number: int
) -> None:
    asked.begun()
    events = asked.answered(number, PARTS[1], question=0)
    assert_no_answer(events, "not the chunk asked for")
    assert asked.comes_in_the_end()


def test_a_payload_begins_with_its_first_chunk(asked: Asked) -> None:
    events = asked.answered(2, PARTS[1], head=HEAD)
    assert_no_answer(events, "not the chunk asked for")


def test_a_chunk_of_no_payload_is_no_answer(asked: Asked) -> None:
    assert_no_answer(asked.answered(1, PARTS[0]), "absent")


def test_a_chunk_of_another_file_is_no_answer(asked: Asked) -> None:
    other = DownloadKind.REQUESTS
    events = asked.answered(1, PARTS[0], head=HEAD, kind=other)
    assert_no_answer(events, "another file")


def test_a_list_of_the_banks_version_with_another_digest_is_asked_for(
    counter: Counter,
) -> None:
    strange = {b"\x64" * 8: b""}
    held = Held(version=1, digest=content_digest(HOTLIST, strange))
    versions = TerminalVersions(parameters=0, hotlist=1, catalogue=0, requests=0)
    counter.stocks[HOTLIST] = Stock(kind=HOTLIST, held=held, entries=strange)

    def asks(digest: bytes) -> bool:
        kinds = {kind: nothing_held(kind).digest[:8] for kind in DownloadKind}
        digests = b"".join((kinds | {HOTLIST: digest}).values())
        session = Session(key=KEY, versions=versions, digests=digests)
        return not counter.machine(session).finished

    assert asks(HEAD.target.digest[:8])
    assert not asks(held.digest[:8])


def test_what_was_kept_from_another_beginning_is_not_gone_on_with(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, CARDS)
    old = Held(version=9, digest=bytes(32))
    part = Partial(base=old, head=HEAD, data=PARTS[0])
    counter.stocks[HOTLIST] = replace(counter.stocks[HOTLIST], partial=part)
    counter.call(bank)
    assert bank.questions[0].wanted is None
    assert counter.entries() == CARDS


def test_the_end_of_a_part_that_is_no_whole_chunk_is_fetched_again(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, CARDS)
    base = counter.stocks[HOTLIST].held
    part = Partial(base=base, head=HEAD, data=PARTS[0] + PARTS[1][:7])
    counter.stocks[HOTLIST] = replace(counter.stocks[HOTLIST], partial=part)
    counter.call(bank)
    assert bank.questions[0].chunk == 2
    assert counter.entries() == CARDS


def test_of_a_payload_that_is_all_there_the_last_chunk_is_fetched_again(
    bank: PublishingBank, counter: Counter
) -> None:
    """Also when that one is whole: its answer is what makes the content."""
    kind = DownloadKind.PARAMETERS
    noise = random.Random(3).randbytes(1800)
    contents = [{b"a": noise[:size]} for size in range(1700, 1800)]
    entries = next(
        one for one in contents if len(make_payload(kind, one, {})[1]) == 1800
    )
    form, payload = make_payload(kind, entries, {})
    target = Held(version=1, digest=content_digest(kind, entries))
    bank.publish(kind, entries)
    part = Partial(
        base=nothing_held(kind), head=offer_head(form, target, payload), data=payload
    )
    counter.stocks[kind] = replace(counter.stocks[kind], partial=part)
    machine, intake = counter.machine(), bank.intake()
    (logon,) = machine.messages_to_send(NOW)
    machine.receive(intake.receive(logon, NOW)[0], NOW)
    (question,) = machine.messages_to_send(NOW)
    assert iso8583.decode(question).text(71) == "0002"
    events = machine.receive(intake.receive(question, NOW)[0], NOW)
    (done,) = [event for event in events if isinstance(event, Downloaded)]
    assert done.entries == entries


def test_answers_about_a_payload_that_another_one_has_replaced_are_passed_over_once(
    asked: Asked,
) -> None:
    asked.begun()
    other = replace(HEAD, payload_digest=bytes(8))
    begun, _ = asked.answered(1, PARTS[0], head=other)
    assert isinstance(begun, DownloadBegun)
    assert asked.answered(3, PARTS[2], question=1) == []
    assert_no_answer(asked.answered(3, PARTS[2], question=1), "answers nothing")
