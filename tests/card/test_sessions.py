"""Sessions with a purse and a customs card: simulated ones, and ones that lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card import certificates
from card.apdu import CommandAPDU, ResponseAPDU
from card.application import ApplicationSession, require_ok, verify
from card.customs import CustomsSession
from card.errors import (
    ForeignCardError,
    MalformedResponseError,
    StatusError,
    WrongPINError,
)
from card.pin import pin_block
from card.profile import CardState, Role
from card.purse import PurseSession
from card.records import CHAIN_START, chain_next
from card.sw import SW
from sim.cards.issue import (
    CustomsData,
    blank_purse,
    issue_customs_card,
)
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from card.keys import MasterKeys
    from tests.card.conftest import Bench, Exchange, Loss

DEBIT = 3
PIN = pin_block(b"1234")


@dataclass
class Answers:
    """A card that gives one answer to everything."""

    response: ResponseAPDU

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        assert command.to_bytes()
        return self.response


@dataclass
class Direct:
    """A simulated card, without a reader."""

    card: object

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        return ResponseAPDU.parse(self.card.process(command.to_bytes()))  # type: ignore[attr-defined] # either kind of simulated card


def test_a_purse_tells_its_balance_without_a_pin(bench: Bench) -> None:
    assert bench.purse.balance() == 500_000


def test_the_log_needs_the_pin(bench: Bench) -> None:
    with pytest.raises(StatusError) as caught:
        bench.purse.read_log()
    assert caught.value.sw == SW.PIN_NEEDED


def test_the_log_is_read_to_its_end_newest_first(bench: Bench) -> None:
    bench.pay(100, "A")
    bench.pay(200, "B")
    bench.purse.verify(PIN)
    amounts = [entry.tx.amount_minor for entry in bench.purse.read_log()]
    assert amounts == [200, 100]


def test_an_empty_log_has_no_entries(bench: Bench) -> None:
    bench.purse.verify(PIN)
    assert bench.purse.read_log() == []


@pytest.mark.parametrize("sw", [0x63C2, 0x63C0, 0x6983])
def test_a_wrong_pin_tells_the_tries_left(sw: int) -> None:
    session = PurseSession(Answers(ResponseAPDU(sw=sw)))
    with pytest.raises(WrongPINError) as caught:
        session.verify(PIN)
    assert caught.value.tries_left == (2 if sw == 0x63C2 else 0)
    assert caught.value.sw == sw


def test_a_changed_pin_replaces_the_old_one(bench: Bench) -> None:
    bench.purse.change_pin(PIN, pin_block(b"987654"))
    with pytest.raises(WrongPINError):
        bench.purse.verify(PIN)
    bench.purse.verify(pin_block(b"987654"))


def test_a_payment_can_be_proved_later(bench: Bench) -> None:
    bench.pay()
    [credited] = bench.customs.read_credited()
    proof = bench.purse.prove(credited.tx)
    assert proof.tac == credited.tac


def test_a_payment_that_never_was_has_no_proof(bench: Bench, lose: type[Loss]) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=False))
    [listed] = bench.customs.list_open()
    with pytest.raises(StatusError, match="9406") as caught:
        bench.purse.prove(listed.tx)
    assert caught.value.command == "PROVE OR VOID"


def test_a_customs_card_counts_what_it_credits(bench: Bench, lose: type[Loss]) -> None:
    bench.pay(100, "A")
    bench.pay(200, "B")
    bench.pay(300, "C", loss=lose(DEBIT, carried_out=False))
    status = bench.customs.status()
    assert (status.batch, status.count, status.sum_minor) == (1, 2, 300)
    assert (status.total_minor, status.tsn_next, status.closed_count) == (300, 4, 0)
    assert (status.open_count, status.open_capacity >= 32) == (1, True)
    assert [record.tx.amount_minor for record in bench.customs.list_open()] == [300]


def test_a_batch_is_closed_read_and_collected(
    bench: Bench, masters: MasterKeys
) -> None:
    bench.pay(100, "A")
    bench.pay(200, "B")
    close = bench.customs.close_batch()
    assert bench.customs.close_batch() == close
    assert bench.customs.waiting_batches() == [close]
    mid = bench.customs.status().mid
    kb = masters.batch_key(mid)
    assert certificates.verify_close_mac(kb, mid=mid, close=close)
    chain = CHAIN_START
    for credited in bench.customs.read_credited():
        assert credited.batch == close.batch
        chain = chain_next(
            chain,
            credited.tx,
            credited.balance_after_minor,
            credited.cumulative_debit_minor,
            credited.tac,
        )
    assert chain == close.chain
    mac = certificates.bank_ack_mac(kb, mid=mid, close=close)
    assert bench.customs.bank_ack(close.batch, mac) == 0
    assert bench.customs.waiting_batches() == []
    assert bench.customs.read_credited() == []


def test_a_bank_ack_with_a_wrong_mac_leaves_the_value(bench: Bench) -> None:
    bench.pay(100)
    close = bench.customs.close_batch()
    with pytest.raises(StatusError) as caught:
        bench.customs.bank_ack(close.batch, bytes(16))
    assert caught.value.sw == SW.MAC_WRONG
    assert bench.customs.status().total_minor == 100


def test_many_credited_records_are_all_read(bench: Bench) -> None:
    for index in range(260):
        bench.pay(1, f"INV-{index}")
    assert len(bench.customs.read_credited()) == 260


def test_a_customs_card_with_a_code_pays_after_activation() -> None:
    card = issue_customs_card(Memory(), CustomsData(activation_code="246810"))
    session = CustomsSession(Direct(card))
    assert session.select().tries_left == 3
    with pytest.raises(WrongPINError):
        session.verify(pin_block(b"111111"))
    session.verify(pin_block(b"246810"))
    assert session.select().tries_left == 3


def test_a_blank_card_is_seen_as_blank() -> None:
    session = PurseSession(Direct(blank_purse(Memory(), bytes(range(8)))))
    info = session.select()
    assert (info.state, info.card_id) == (CardState.INITIALISED, bytes(range(8)))
    with pytest.raises(StatusError) as caught:
        session.balance()
    assert caught.value.sw == SW.CONDITIONS_NOT_SATISFIED


def test_swapped_cards_are_foreign_to_each_others_session(bench: Bench) -> None:
    swapped = PurseSession(bench.channel(Role.CUSTOMS))
    with pytest.raises(ForeignCardError, match="no purse application"):
        swapped.select()


def test_a_card_that_answers_with_the_other_application_is_foreign(
    transcript: list[Exchange],
) -> None:
    session = PurseSession(Answers(transcript[1].response))
    with pytest.raises(ForeignCardError, match="customs"):
        session.select()


@pytest.mark.parametrize("sw", [0x6A82, 0x6A81, 0x6A86, 0x6D00, 0x6E00])
def test_a_card_without_our_application_is_foreign(sw: int) -> None:
    with pytest.raises(ForeignCardError):
        PurseSession(Answers(ResponseAPDU(sw=sw))).select()


def test_a_card_that_selects_with_anything_else_has_a_status_error() -> None:
    with pytest.raises(StatusError, match="SELECT answered 6F00"):
        PurseSession(Answers(ResponseAPDU(sw=0x6F00))).select()


SESSIONS: list[type[ApplicationSession]] = [PurseSession, CustomsSession]


@pytest.mark.parametrize("session", SESSIONS)
def test_an_answer_that_is_too_short_is_malformed(
    session: type[ApplicationSession],
) -> None:
    short = session(Answers(ResponseAPDU(data=b"\x01", sw=SW.OK)))
    with pytest.raises(MalformedResponseError):
        short.select()
    with pytest.raises(MalformedResponseError):
        short.get_challenge()


def test_every_number_of_an_answer_is_read_with_its_length() -> None:
    long = Answers(ResponseAPDU(data=bytes(9), sw=SW.OK))
    with pytest.raises(MalformedResponseError):
        PurseSession(long).balance()
    with pytest.raises(MalformedResponseError):
        CustomsSession(long).bank_ack(1, bytes(16))


@pytest.mark.parametrize("sw", sorted(frozenset(SW) - {SW.OK}), ids=lambda sw: sw.name)
def test_every_other_status_word_is_an_error_that_names_it(sw: SW) -> None:
    command = verify(Role.PURSE, PIN)
    with pytest.raises(StatusError, match=f"VERIFY answered {sw:04X}") as caught:
        require_ok(command, ResponseAPDU(sw=sw))
    assert caught.value.sw == sw


def test_a_card_that_never_ends_a_list_is_read_to_the_bound(
    transcript: list[Exchange],
) -> None:
    listed = Answers(transcript[11].response)
    assert len(CustomsSession(listed).list_open()) == 255
    closed = Answers(transcript[15].response)
    assert len(CustomsSession(closed).waiting_batches()) == 8
