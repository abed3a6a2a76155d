"""Terminal and host together: what differs comes down, whole or as a difference."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement import iso8583
from settlement.download import (
    CHUNK_BYTES,
    DownloadForm,
    DownloadKind,
    Held,
)
from settlement.download_codec import content_digest
from settlement.download_events import (
    ChunkReceived,
    DownloadBegun,
    Downloaded,
    DownloadFailed,
    LoggedOn,
    Refused,
    ResponseDiscarded,
)
from settlement.download_machine import ROUNDS_MAX, Stock
from settlement.download_offers import DELTA_VERSIONS_MAX, OfferMaker
from settlement.errors import MalformedMessageError, NoAnswerError
from settlement.store.publications import PublicationTables
from settlement.terminal_call import REPEATS_MAX
from tests.settlement.downloads.conftest import HOTLIST, KEY, NOW, Counter, make_bank

if TYPE_CHECKING:
    from settlement.download import Entries
    from settlement.download_events import DownloadEvent
    from tests.settlement.downloads.conftest import PublishingBank

PARAMETERS = DownloadKind.PARAMETERS
REQUESTS = DownloadKind.REQUESTS


def cards(count: int, seed: int = 1) -> dict[bytes, bytes]:
    """Cards of one issuer; of the same seed, the first are always the same."""
    chance = random.Random(seed)
    return {
        bytes.fromhex(f"640000{chance.randrange(10**10):010d}"): b""
        for _ in range(count)
    }


def forms(counter: Counter) -> list[DownloadForm]:
    return [event.form for event in counter.events if isinstance(event, Downloaded)]


def test_a_first_call_brings_every_kind(bank: PublishingBank, counter: Counter) -> None:
    published: dict[DownloadKind, Entries] = {
        PARAMETERS: {b"payment-limit-minor": b"500000"},
        HOTLIST: cards(100),
        DownloadKind.CATALOGUE: {b"CERT1": b"{}"},
        REQUESTS: {b"R-%d" % number: b"{}" * number for number in range(300)},
    }
    for kind, entries in published.items():
        bank.publish(kind, entries)
    counter.call(bank)
    assert {kind: counter.entries(kind) for kind in DownloadKind} == published
    assert [stock.held.version for stock in counter.stocks.values()] == [1, 1, 1, 1]


def test_what_is_unchanged_is_not_asked_for(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(10_000))
    counter.call(bank)
    counter.call(bank)
    assert counter.messages == 1
    assert [type(event) for event in counter.events] == [LoggedOn]


def test_ten_thousand_cards_come_in_under_sixty_thousand_bytes_and_then_some_hundred(
    bank: PublishingBank, counter: Counter
) -> None:
    before, after = cards(10_000), cards(10_010)
    bank.publish(HOTLIST, before)
    counter.call(bank)
    assert counter.entries() == before
    assert counter.bytes_down < 60_000
    bank.publish(HOTLIST, after)
    counter.call(bank)
    assert counter.entries() == after
    assert forms(counter) == [DownloadForm.DELTA]
    assert counter.bytes_down < 500


def test_a_card_that_went_and_came_back_costs_no_payload(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    counter.call(bank)
    bank.publish(HOTLIST, cards(2))
    bank.publish(HOTLIST, cards(3))
    counter.call(bank)
    assert forms(counter) == [DownloadForm.UNCHANGED]
    assert counter.stocks[HOTLIST].held.version == 3


def test_a_content_that_the_bank_does_not_know_is_replaced(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    strange = cards(3, seed=2)
    held = Held(version=1, digest=content_digest(HOTLIST, strange))
    counter.stocks[HOTLIST] = Stock(kind=HOTLIST, held=held, entries=strange)
    counter.call(bank)
    assert counter.entries() == cards(3)
    assert forms(counter) == [DownloadForm.FULL]


def test_a_bank_that_was_set_back_is_believed(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    newer = cards(5)
    held = Held(version=7, digest=content_digest(HOTLIST, newer))
    counter.stocks[HOTLIST] = Stock(kind=HOTLIST, held=held, entries=newer)
    counter.call(bank)
    assert counter.stocks[HOTLIST].held.version == 1
    assert counter.entries() == cards(3)


@pytest.mark.parametrize(
    ("behind", "form"),
    [
        (DELTA_VERSIONS_MAX, DownloadForm.DELTA),
        (DELTA_VERSIONS_MAX + 1, DownloadForm.FULL),
    ],
)
def test_a_terminal_far_behind_is_sent_all(
    bank: PublishingBank, counter: Counter, behind: int, form: DownloadForm
) -> None:
    many = {b"%03d" % number: b"%d" % (number * 7919) for number in range(200)}
    bank.publish(PARAMETERS, many)
    counter.call(bank)
    for turn in range(behind):
        bank.publish(PARAMETERS, {**many, b"turn": b"%d" % turn})
    counter.call(bank)
    assert forms(counter) == [form]


def test_a_call_that_is_cut_at_any_answer_goes_on_there(bank: PublishingBank) -> None:
    wanted = cards(2000)
    bank.publish(HOTLIST, wanted)
    whole = Counter()
    whole.call(bank)
    for cut_after in range(whole.messages):
        counter = Counter()
        counter.call(bank, cut_after=cut_after)
        kept = len(counter.told(ChunkReceived))
        assert counter.entries() == {}
        bank.questions.clear()
        counter.call(bank)
        assert counter.entries() == wanted
        asked_again = whole.messages - 1 - kept
        assert len(counter.told(ChunkReceived)) == asked_again
        if kept:
            assert counter.told(DownloadBegun) == []


def test_what_was_begun_is_finished_though_newer_is_there_and_then_the_rest_follows(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(2000))
    counter.call(bank, cut_after=4)
    bank.publish(HOTLIST, cards(2001))
    counter.call(bank)
    assert forms(counter) == [DownloadForm.FULL, DownloadForm.DELTA]
    assert counter.entries() == cards(2001)
    assert len(counter.told(DownloadBegun)) == 1


def test_a_payload_that_was_spoiled_while_it_was_kept_is_fetched_anew(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(2000))
    counter.call(bank, cut_after=4)
    partial = counter.stocks[HOTLIST].partial
    assert partial is not None
    spoiled = DownloadBegun(kind=HOTLIST, base=partial.base, head=partial.head)
    counter.take(spoiled)
    data = bytes(len(partial.data))
    counter.take(ChunkReceived(kind=HOTLIST, data=data, done=0, total=0))
    counter.call(bank)
    assert counter.entries() == cards(2000)
    assert len(counter.told(DownloadBegun)) == 1


def test_a_wrong_delta_is_replaced_by_all_of_it(
    bank: PublishingBank, counter: Counter
) -> None:
    many = cards(50)
    bank.publish(HOTLIST, many)
    counter.call(bank)
    stock = counter.stocks[HOTLIST]
    # It holds other entries than it says: the delta leads elsewhere.
    counter.stocks[HOTLIST] = Stock(
        kind=HOTLIST, held=stock.held, entries=cards(50, seed=9)
    )
    bank.publish(HOTLIST, cards(51))
    counter.call(bank)
    assert forms(counter) == [DownloadForm.FULL]
    assert counter.entries() == cards(51)


def test_an_unknown_terminal_is_refused_before_anything_comes_down(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    bank.known = False
    counter.call(bank)
    assert [type(event) for event in counter.events] == [Refused]
    assert counter.entries() == {}
    assert [one.text for one in bank.refused] == ["who is that?"]


def test_a_download_before_the_logon_is_refused(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    machine = counter.machine()
    (logon,) = machine.messages_to_send(NOW)
    machine.receive(bank.intake().receive(logon, NOW)[0], NOW)
    (question,) = machine.messages_to_send(NOW)
    (answer,) = bank.intake().receive(question, NOW)
    assert iso8583.decode(answer).text(39) == "12"
    assert bank.questions == []


def test_unanswered_questions_are_repeated_and_then_given_up(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    machine = counter.machine()
    (logon,) = machine.messages_to_send(NOW)
    intake = bank.intake()
    machine.receive(intake.receive(logon, NOW)[0], NOW)
    (question,) = machine.messages_to_send(NOW)
    for _ in range(REPEATS_MAX):
        (repeat,) = machine.repeat_unanswered()
        assert repeat[:4] == b"0301"
    with pytest.raises(NoAnswerError, match="stays in use"):
        machine.repeat_unanswered()
    for event in machine.receive(intake.receive(question, NOW)[0], NOW):
        counter.take(event)
    assert counter.entries() == cards(3)


def test_an_answer_with_a_wrong_mac_is_not_used(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(3))
    machine, intake = counter.machine(), bank.intake()
    (logon,) = machine.messages_to_send(NOW)
    machine.receive(intake.receive(logon, NOW)[0], NOW)
    (question,) = machine.messages_to_send(NOW)
    (answer,) = intake.receive(question, NOW)
    spoiled = answer[:-1] + bytes([answer[-1] ^ 1])
    (event,) = machine.receive(spoiled, NOW)
    assert isinstance(event, ResponseDiscarded)
    assert any(isinstance(e, Downloaded) for e in machine.receive(answer, NOW))


def test_a_host_that_goes_on_beginning_anew_is_given_up(
    bank: PublishingBank, counter: Counter
) -> None:
    bank.publish(HOTLIST, cards(2000))
    # A host that has lost its past: it knows of the newest version only.
    bank.tables = Forgetful(bank.tables._connection)
    machine = counter.machine()
    (logon,) = machine.messages_to_send(NOW)
    machine.receive(bank.intake().receive(logon, NOW)[0], NOW)
    seed = 1
    while not machine.finished:
        for question in machine.messages_to_send(NOW):
            seed += 1
            bank.publish(HOTLIST, cards(2000, seed))
            bank.maker = OfferMaker()
            intake = bank.intake()
            intake.receive(logon, NOW)
            for event in machine.receive(intake.receive(question, NOW)[0], NOW):
                counter.take(event)
    (failed,) = counter.told(DownloadFailed)
    assert isinstance(failed, DownloadFailed)
    assert "beginning anew" in failed.reason
    assert len(counter.told(DownloadBegun)) == ROUNDS_MAX
    assert counter.entries() == {}


class Forgetful(PublicationTables):
    """The newest entries, whichever version is asked for."""

    def entries(self, kind: DownloadKind, version: int) -> dict[bytes, bytes]:
        del version
        return super().entries(kind, self.newest(kind))


@given(data=st.binary(max_size=300), bit=st.integers(0, 7), place=st.integers(0, 2000))
@settings(max_examples=60)
def test_no_bytes_from_the_line_make_the_machine_fail(
    data: bytes, bit: int, place: int
) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        bank = make_bank(connection)
        bank.publish(HOTLIST, cards(3))
        machine, intake = Counter().machine(), bank.intake()
        (logon,) = machine.messages_to_send(NOW)
        machine.receive(intake.receive(logon, NOW)[0], NOW)
        (question,) = machine.messages_to_send(NOW)
        (answer,) = intake.receive(question, NOW)
        mutated = bytearray(answer)
        mutated[place % len(mutated)] ^= 1 << bit
        # A liar who knows the key: what is authentic may still make no sense.
        try:
            fields = iso8583.decode(answer).fields
            lie = iso8583.Message(mti="0310", fields={**fields, 48: data})
            machine.receive(iso8583.encode(lie, KEY), NOW)
        except MalformedMessageError:
            pass
        events: list[DownloadEvent] = machine.receive(bytes(mutated), NOW)
        events += machine.receive(data, NOW)
        done = [e for e in events if isinstance(e, Downloaded)]
        assert all(event.entries == cards(3) for event in done)
    engine.dispose()


numbers = st.sets(st.integers(0, 400), max_size=300)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([HOTLIST, PARAMETERS]), numbers),
        st.tuples(st.just("call"), st.integers(0, 6)),
    ),
    max_size=8,
)


def content(kind: DownloadKind, chosen: set[int]) -> dict[bytes, bytes]:
    chance = random.Random(5)
    cids = [bytes.fromhex(f"640000{chance.randrange(10**10):010d}") for _ in range(401)]
    if kind is HOTLIST:
        return {cids[number]: b"" for number in chosen}
    return {b"%d" % number: cids[number].hex().encode() for number in chosen}


@given(steps=steps)
@settings(max_examples=60, deadline=None)
def test_after_any_publishing_and_any_cut_calls_a_whole_call_makes_both_sides_equal(
    steps: list[tuple[DownloadKind | str, set[int] | int]],
) -> None:
    engine = sa.create_engine("sqlite://")
    counter = Counter()
    with closing(engine.connect()) as connection:
        bank = make_bank(connection)
        published: dict[DownloadKind, list[Entries]] = {
            HOTLIST: [{}],
            PARAMETERS: [{}],
        }
        for what, how in steps:
            if isinstance(what, DownloadKind):
                assert isinstance(how, set)
                entries = content(what, how)
                bank.publish(what, entries)
                published[what].append(entries)
            else:
                assert isinstance(how, int)
                counter.call(bank, cut_after=how)
            held = counter.entries(PARAMETERS)
            assert held in published[PARAMETERS], "never a mixture"
        counter.call(bank)
        counter.call(bank)
        for kind in (HOTLIST, PARAMETERS):
            assert counter.entries(kind) == published[kind][-1]
            assert counter.stocks[kind].held.version == bank.tables.newest(kind)
    engine.dispose()


def test_a_chunk_is_what_field_48_has_room_for() -> None:
    assert CHUNK_BYTES + 4 + 51 <= 999
