"""The door to the readers, on a real PC/SC service with simulated cards."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from smartcard import scard

from card import pcsc
from card.apdu import LE_ANY, CommandAPDU
from card.application import select
from card.customs import CustomsSession
from card.errors import (
    CardRemovedError,
    ForeignCardError,
    MalformedResponseError,
    NoCardError,
    OutcomeUnknownError,
    ReaderError,
    WrongPINError,
)
from card.pcsc_monitor import EventKind
from card.pin import pin_block
from card.profile import INS, Role
from card.purse import PurseSession, get_balance
from card.sw import SW
from sim.cards.issue import default_customs_card, default_purse
from sim.cards.vpcd import VPCDCard
from sim.slots import Slots
from tests.card_slots import Contacts, ScriptedCard, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.pcscd import PrivatePCSCD

BALANCE = CommandAPDU(cla=0x80, ins=INS.GET_BALANCE, p2=2, le=LE_ANY)
NAMES = "Raseed 00 00; Raseed 00 01"


class World:
    """Both slots, with contacts that stay in them."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.contacts = {role: Contacts() for role in Role}
        self.readers = {role: slots.reader(role) for role in Role}
        for role in Role:
            slots.insert(role, self.contacts[role])

    def open(self, role: Role = Role.PURSE) -> pcsc.PCSCCard:
        return pcsc.open_card(self.readers[role])

    def put(self, purse: object, customs: object) -> None:
        for role, card in zip(Role, (purse, customs), strict=True):
            contacts = self.contacts[role]
            contacts.card = card  # type: ignore[assignment]  # any card-like object
            contacts.asked.clear()
            contacts.taken_at, contacts.carries_out = None, False

    def put_back(self) -> None:
        """Take out the purse, which was pulled, and put it in again."""
        self.contacts[Role.PURSE].taken_at = None
        self.slots.insert(Role.PURSE, self.contacts[Role.PURSE])


pytestmark = pytest.mark.pcsc


@pytest.fixture(scope="module")
def both_slots(private_pcscd: PrivatePCSCD) -> Iterator[World]:
    with Slots(private_pcscd) as slots:
        yield World(slots)
        for role in Role:
            slots.remove(role)


@pytest.fixture
def world(both_slots: World) -> World:
    both_slots.put(default_purse(), default_customs_card())
    return both_slots


def test_readers_are_listed_by_name(world: World) -> None:
    assert pcsc.readers() == list(world.readers.values())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param("Raseed 00 00", "Raseed 00 00", id="whole name"),
        pytest.param("00 01", "Raseed 00 01", id="part"),
        pytest.param("purse", "Raseed 00 00", id="purse"),
        pytest.param("customs", "Raseed 00 01", id="customs"),
    ],
)
def test_a_reader_is_found_by(world: World, wanted: str, found: str) -> None:
    assert world.readers[Role.PURSE] == "Raseed 00 00"
    assert pcsc.find_reader(wanted) == found


def test_a_role_means_the_card_and_not_the_place(world: World) -> None:
    world.put(default_customs_card(), default_purse())
    assert pcsc.find_reader("purse") == world.readers[Role.CUSTOMS]
    assert pcsc.find_reader("customs") == world.readers[Role.PURSE]


def test_two_cards_of_one_role_are_not_chosen_between(world: World) -> None:
    world.put(default_purse(), default_purse())
    with pytest.raises(ReaderError, match="Several readers hold a purse") as raised:
        pcsc.find_reader("purse")
    assert NAMES in str(raised.value)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param("Raseed", "Several readers fit 'Raseed'", id="ambiguous"),
        pytest.param("no such", "No reader fits 'no such'", id="unknown"),
        pytest.param("PURSE", "No reader fits 'PURSE'", id="role in capitals"),
    ],
)
def test_a_name_that_fits_no_single_reader_lists_them(
    world: World, wanted: str, words: str
) -> None:
    with pytest.raises(ReaderError, match=words) as raised:
        pcsc.find_reader(wanted)
    assert f"Readers connected: {NAMES}." in str(raised.value)
    assert world.contacts[Role.PURSE].asked == []


def test_a_role_that_no_card_plays_lists_the_readers(world: World) -> None:
    world.put(ScriptedCard(), ScriptedCard())
    with pytest.raises(ReaderError, match="No reader holds a customs card") as raised:
        pcsc.find_reader("customs")
    assert NAMES in str(raised.value)


def test_a_role_is_still_found_beside_a_busy_reader(world: World) -> None:
    with world.open(Role.PURSE):
        assert pcsc.find_reader("customs") == world.readers[Role.CUSTOMS]
        with pytest.raises(ReaderError, match="close the program that uses"):
            pcsc.find_reader("purse")


def test_a_reader_that_is_not_there_cannot_be_opened() -> None:
    with pytest.raises(ReaderError, match="Cannot use 'Nobody 00 00'"):
        pcsc.open_card("Nobody 00 00")


def test_a_card_answers_through_its_reader(world: World) -> None:
    with world.open() as purse, world.open(Role.CUSTOMS) as customs:
        assert PurseSession(purse.channel).select().card_number_masked
        assert PurseSession(purse.channel).balance() == 500_000
        CustomsSession(customs.channel).select()
        assert CustomsSession(customs.channel).status().total_minor == 0


def test_a_card_in_use_is_not_shared(world: World) -> None:
    with world.open(), pytest.raises(ReaderError, match="Another program uses"):
        world.open()
    with world.open() as card:
        assert card.channel.transmit(select(Role.PURSE)).ok


def test_a_card_in_use_is_not_shared_with_another_process(world: World) -> None:
    program = (
        "from card import pcsc\n"
        "from card.errors import ReaderError\n"
        "try:\n    pcsc.open_card('Raseed 00 00')\n"
        "except ReaderError as error:\n    print(error)\n"
    )
    with world.open() as card:
        assert "Another program uses 'Raseed 00 00'" in _run(program)
        assert card.channel.transmit(select(Role.PURSE)).ok


def test_a_closed_card_keeps_no_session_for_the_next_program(world: World) -> None:
    with world.open() as card:
        PurseSession(card.channel).select()
        assert card.channel.transmit(BALANCE).ok
    with world.open() as card:
        sw = card.channel.transmit(BALANCE).sw
    assert sw == SW.CONDITIONS_NOT_SATISFIED


def test_a_closed_card_is_sent_nothing(world: World) -> None:
    card = world.open()
    card.close()
    card.close()
    with pytest.raises(NoCardError, match="nothing was sent"):
        card.channel.transmit(BALANCE)
    assert world.contacts[Role.PURSE].asked == []


@pytest.mark.parametrize("word", ["6A 82", "6D 00", "6E 00"])
def test_a_card_of_someone_else_is_foreign(world: World, word: str) -> None:
    world.put(ScriptedCard({INS.SELECT: word}), default_customs_card())
    with world.open() as card, pytest.raises(ForeignCardError):
        PurseSession(card.channel).select()


def test_the_other_card_of_ours_is_foreign_too(world: World) -> None:
    with world.open(Role.CUSTOMS) as card, pytest.raises(ForeignCardError):
        PurseSession(card.channel).select()


def test_no_message_shows_pin_or_card_number(world: World) -> None:
    with world.open() as card:
        purse = PurseSession(card.channel)
        info = purse.select()
        with pytest.raises(WrongPINError) as raised:
            purse.verify(pin_block(b"731946"))
        shown = f"{card!r} {info!r} {raised.value} {raised.value!r}"
    assert "731946" not in shown
    assert "6400000000000001" not in shown.replace(" ", "")


@pytest.mark.parametrize("carried_out", [False, True], ids=["not done", "done"])
def test_a_card_pulled_in_mid_command_leaves_an_unknown_outcome(
    world: World, carried_out: bool
) -> None:
    contacts = world.contacts[Role.PURSE]
    with world.open() as card:
        PurseSession(card.channel).select()
        contacts.taken_at, contacts.carries_out = INS.VERIFY, carried_out
        with pytest.raises(CardRemovedError, match="not known yet") as raised:
            PurseSession(card.channel).verify(pin_block(b"731946"))
        assert isinstance(raised.value, OutcomeUnknownError)
        assert "731946" not in f"{raised.value!r}"
        world.put_back()
        contacts.asked.clear()
        for command in (select(Role.PURSE), BALANCE):
            with pytest.raises(NoCardError, match="nothing was sent"):
                card.channel.transmit(command)
        assert contacts.asked == []
    with world.open() as card:
        assert PurseSession(card.channel).select().tries_left == 3 - carried_out


def test_a_card_exchanged_between_two_commands_gets_none_of_the_rest(
    world: World,
) -> None:
    contacts = world.contacts[Role.PURSE]
    with world.open() as card:
        PurseSession(card.channel).select()
        world.put_back()
        contacts.asked.clear()
        with pytest.raises(OutcomeUnknownError):
            card.channel.transmit(BALANCE)
        with pytest.raises(NoCardError, match="has ended"):
            card.channel.transmit(BALANCE)
        assert contacts.asked == []


def test_an_answer_without_a_status_word_ends_the_connection(world: World) -> None:
    world.put(ScriptedCard({INS.GET_BALANCE: "90"}), default_customs_card())
    with world.open() as card:
        with pytest.raises(OutcomeUnknownError):
            card.channel.transmit(BALANCE)
        with pytest.raises(NoCardError):
            card.channel.transmit(BALANCE)


def test_an_answer_longer_than_any_is_malformed(world: World) -> None:
    answer = "AA" * 300 + "90 00"
    world.put(ScriptedCard({INS.GET_BALANCE: answer}), default_customs_card())
    with world.open() as card, pytest.raises(MalformedResponseError):
        card.channel.transmit(BALANCE)


def test_an_empty_reader_says_so(world: World) -> None:
    world.slots.remove(Role.CUSTOMS)
    with pytest.raises(NoCardError, match="There is no card in 'Raseed 00 01'"):
        world.open(Role.CUSTOMS)
    with pytest.raises(ReaderError, match="No reader holds a customs card"):
        pcsc.find_reader("customs")
    world.slots.insert(Role.CUSTOMS, world.contacts[Role.CUSTOMS])


def test_a_t0_card_is_read_as_any_other(
    world: World, private_pcscd: PrivatePCSCD
) -> None:
    contacts = world.contacts[Role.PURSE]
    reader = world.readers[Role.PURSE]
    world.slots.remove(Role.PURSE)
    recorder = _Recorder(contacts)
    with Watch() as watch:
        with VPCDCard(recorder, private_pcscd.port, protocol="T0"):
            watch.wait_for(reader, EventKind.INSERTED)
            with world.open() as card:
                purse = PurseSession(card.channel)
                assert purse.select().tries_left == 3
                assert purse.balance() == 500_000
        watch.wait_for(reader, EventKind.REMOVED)
    world.slots.insert(Role.PURSE, contacts)
    whole = select(Role.PURSE).to_bytes()
    assert recorder.asked[0] == whole[:-1], "T=0 has no room for Le behind data"
    # The simulated card answers GET BALANCE 6Cxx, then the four bytes it told.
    assert get_balance().ins in {apdu[1] for apdu in recorder.asked}


class _Recorder:
    """Keeps the commands that reach the card in ``contacts``, byte for byte."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts
        self.asked: list[bytes] = []

    def reset(self) -> None:
        self._contacts.reset()

    def process(self, apdu: bytes, /) -> bytes:
        self.asked.append(apdu)
        return self._contacts.process(apdu)


def test_a_service_that_does_not_run_is_named() -> None:
    program = (
        "from card import pcsc\n"
        "from card.errors import ReaderError\n"
        "for ask in (pcsc.readers, lambda: pcsc.find_reader('purse'),\n"
        "            lambda: pcsc.open_card('Raseed 00 00')):\n"
        "    try:\n        ask()\n"
        "    except ReaderError as error:\n        print(error)\n"
    )
    said = _run(program, PCSCLITE_CSOCK_NAME="/nowhere/pcscd.comm").splitlines()
    words = "The card reader service (pcscd) does not run; no card was touched. "
    assert [line.startswith(words) for line in said] == [True, True, True]


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (scard.SCARD_E_NO_SMARTCARD, NoCardError, "Insert the card"),
        (scard.SCARD_W_REMOVED_CARD, NoCardError, "Insert the card"),
        (scard.SCARD_W_UNRESPONSIVE_CARD, NoCardError, "does not answer"),
        (scard.SCARD_W_UNPOWERED_CARD, NoCardError, "does not answer"),
        (scard.SCARD_E_NO_SERVICE, ReaderError, "does not run"),
        (scard.SCARD_E_SERVICE_STOPPED, ReaderError, "does not run"),
        (scard.SCARD_W_SECURITY_VIOLATION, ReaderError, "not allowed"),
        (scard.SCARD_E_SHARING_VIOLATION, ReaderError, "Another program"),
        (scard.SCARD_E_UNKNOWN_READER, ReaderError, "Unknown reader"),
    ],
)
def test_every_code_before_sending_says_what_to_do(
    code: int, kind: type[Exception], words: str
) -> None:
    error = pcsc.reader_error(code, "Desk 00 00")
    assert type(error) is kind
    assert words in str(error)
    assert "'Desk 00 00'" in str(error) or "pcscd" in str(error)


def _run(program: str, **environment: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout
