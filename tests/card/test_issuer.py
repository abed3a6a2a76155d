"""What the issuer does to cards: maintenance and personalisation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.apdu import CommandAPDU, ResponseAPDU
from card.customs import CustomsSession
from card.errors import StatusError, WrongPINError
from card.exchange import Finished
from card.keys import derive_card_key
from card.load import Authorise, LoadDone, LoadExchange, LoadTerms
from card.maintenance import MaintenanceKey, MaintenanceSession
from card.personalisation import (
    CustomsCardData,
    DataGroup,
    PurseData,
    personalise,
    put_data,
)
from card.pin import pin_block
from card.profile import INS, CardState, KeyUse, Role
from card.purchase import Approved
from card.purse import PurseSession
from card.records import LoadRecord
from card.sw import SW
from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from card.keys import MasterKeys
    from tests.card.conftest import Bench

CID = bytes.fromhex("64 00 00 00 00 00 00 02")
MID = bytes.fromhex("43 55 53 00 00 00 00 08")
SERIAL = bytes.fromhex("04 A1 B2 C3 D4 E5 F6 07")
TMK = bytes(range(0x50, 0x60))
PIN = pin_block(b"1234")


class Direct:
    """A channel to a simulated card; it can stop answering after some commands."""

    def __init__(self, card: Any, commands_max: int = 1_000) -> None:
        self.card = card
        self.left = commands_max

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        if self.left == 0:
            raise InterruptedError
        self.left -= 1
        return ResponseAPDU.parse(self.card.process(command.to_bytes()))


@pytest.fixture
def desk(bench: Bench, masters: MasterKeys) -> MaintenanceSession:
    km = masters.card_key(KeyUse.MAINTENANCE, bench.purse.select().card_id)
    key = MaintenanceKey(key=km, card_id=bench.purse.select().card_id)
    return MaintenanceSession(bench.channel(Role.PURSE), key)


def test_a_blocked_purse_pays_only_after_unblock(
    bench: Bench, desk: MaintenanceSession
) -> None:
    desk.block()
    assert desk.select().state is CardState.BLOCKED
    assert bench.debited_minor == 0
    with pytest.raises(StatusError) as caught:
        desk.verify(PIN)
    assert caught.value.sw == SW.APPLICATION_BLOCKED
    desk.unblock()
    assert desk.select().state is CardState.ACTIVE
    desk.verify(PIN)


def test_a_reset_pin_replaces_a_blocked_one(desk: MaintenanceSession) -> None:
    for _ in range(3):
        with pytest.raises(WrongPINError):
            desk.verify(pin_block(b"9999"))
    assert desk.select().tries_left == 0
    desk.reset_pin(pin_block(b"4321"))
    assert desk.select().tries_left == 3
    desk.verify(pin_block(b"4321"))


def test_the_key_of_another_card_maintains_nothing(
    bench: Bench, masters: MasterKeys
) -> None:
    km = masters.card_key(KeyUse.MAINTENANCE, CID)
    key = MaintenanceKey(key=km, card_id=CID)
    stranger = MaintenanceSession(bench.channel(Role.PURSE), key)
    for maintain in (
        stranger.block,
        stranger.unblock,
        lambda: stranger.reset_pin(pin_block(b"4321")),
    ):
        with pytest.raises(StatusError) as caught:
            maintain()
        assert caught.value.sw == SW.MAC_WRONG
    assert stranger.select().state is CardState.ACTIVE


def test_a_maintenance_command_serves_one_challenge(
    bench: Bench, desk: MaintenanceSession, masters: MasterKeys
) -> None:
    cid = bench.purse.select().card_id
    km = masters.card_key(KeyUse.MAINTENANCE, cid)
    command = MaintenanceKey(key=km, card_id=cid).block(rc=desk.get_challenge())
    desk.run(command)
    desk.unblock()
    with pytest.raises(StatusError) as caught:
        desk.run(command)
    assert caught.value.sw == SW.CONDITIONS_NOT_SATISFIED


@pytest.fixture
def transport() -> MaintenanceKey:
    key = derive_card_key(TMK, KeyUse.TRANSPORT, 0, SERIAL)
    return MaintenanceKey(key=key, card_id=SERIAL)


@pytest.fixture
def purse_data(masters: MasterKeys) -> PurseData:
    return PurseData(
        card_id=CID,
        currency=512,
        valid_from=date(2026, 1, 1),
        expiry=date(2030, 12, 31),
        holder_name="شركة المخلص",
        language="ar",
        balance_limit_minor=1_000_000,
        payment_limit_minor=400_000,
        keys=masters.purse_keys(CID),
        pin_block=pin_block(b"8642"),
    )


@pytest.fixture
def customs_data(masters: MasterKeys) -> CustomsCardData:
    return CustomsCardData(
        card_id=MID,
        currency=512,
        valid_from=date(2026, 1, 1),
        expiry=date(2030, 12, 31),
        holder_name="SOHAR",
        language="en",
        kv=1,
        batch_key=masters.batch_key(MID),
        purchase_masters={1: masters.purchase, 2: bytes(16)},
    )


def test_a_blank_card_becomes_a_purse(
    transport: MaintenanceKey, purse_data: PurseData
) -> None:
    session = PurseSession(Direct(blank_purse(Memory(), SERIAL)))
    assert session.select().card_id == SERIAL
    personalise(session, transport, purse_data)
    info = session.select()
    assert (info.state, info.card_id) == (CardState.ACTIVE, CID)
    assert (info.currency, info.language, info.key_version) == (512, "ar", 1)
    assert info.holder_name == "شركة المخلص"
    assert (info.valid_from, info.expiry) == (date(2026, 1, 1), date(2030, 12, 31))
    assert info.balance_limit_minor == 1_000_000
    assert info.payment_limit_minor == 400_000
    assert (info.tries_left, session.balance()) == (3, 0)
    session.verify(pin_block(b"8642"))


def test_a_blank_card_becomes_a_customs_card(
    transport: MaintenanceKey, customs_data: CustomsCardData
) -> None:
    session = CustomsSession(Direct(blank_customs_card(Memory(), SERIAL)))
    session.select()
    personalise(session, transport, customs_data)
    info = session.select()
    assert (info.state, info.card_id, info.tries_left) == (CardState.ACTIVE, MID, None)
    assert session.status().mid == MID


def test_a_customs_card_can_have_an_activation_code(
    transport: MaintenanceKey, customs_data: CustomsCardData
) -> None:
    session = CustomsSession(Direct(blank_customs_card(Memory(), SERIAL)))
    session.select()
    code = pin_block(b"246810")
    personalise(session, transport, replace(customs_data, activation_block=code))
    assert session.select().tries_left == 3
    session.verify(code)


def test_personalised_cards_load_and_pay_with_the_issuers_keys(
    bench: Bench,
    transport: MaintenanceKey,
    purse_data: PurseData,
    customs_data: CustomsCardData,
    masters: MasterKeys,
) -> None:
    cid, mid = bench.purse.select().card_id, bench.customs.select().card_id
    bench.cards = {
        Role.PURSE: blank_purse(Memory(), SERIAL),
        Role.CUSTOMS: blank_customs_card(Memory(), SERIAL),
    }
    bench.purse.select()
    keys = masters.purse_keys(cid)
    personalise(bench.purse, transport, replace(purse_data, card_id=cid, keys=keys))
    bench.customs.select()
    kb = masters.batch_key(mid)
    customs = replace(customs_data, card_id=mid, batch_key=kb)
    personalise(bench.customs, transport, customs)
    bench.purse.select()
    bench.customs.select()
    terms = LoadTerms(kv=1, amount_minor=5000, currency=512, lid=bytes(8), cid=cid)
    load = LoadExchange(terms, purse_data.pin_block)
    while not isinstance(action := load.next_action(), Finished):
        if isinstance(action, Authorise):
            request = action.request
            assert certificates.verify_load_m1(keys.load, request)
            lx = LoadRecord(
                cid=cid,
                ltc=request.ltc,
                lid=request.lid,
                lsn=1,
                amount_minor=5000,
                currency=512,
                at=datetime(2026, 1, 1, tzinfo=UTC),
            )
            m2 = certificates.load_m2(keys.load, lx=lx, rc=request.rc)
            load.authorised(lsn=1, at=lx.at, m2=m2)
        else:
            load.receive(bench.transmit(action.role, action.command))
    assert isinstance(action.result, LoadDone)
    assert isinstance(bench.pay(1234, pin=b"8642"), Approved)
    assert bench.purse.balance() == 5000 - 1234
    assert bench.credited_minor == 1234


@pytest.mark.parametrize("commands", range(9))
def test_an_interrupted_personalisation_starts_again(
    transport: MaintenanceKey, purse_data: PurseData, commands: int
) -> None:
    card = blank_purse(Memory(), SERIAL)
    torn = PurseSession(Direct(card, commands_max=commands))
    with suppress(InterruptedError):
        torn.select()
        personalise(torn, transport, purse_data)
        raise AssertionError("it was not interrupted")
    card.reset()
    session = PurseSession(Direct(card))
    assert session.select().card_id == SERIAL
    personalise(session, transport, purse_data)
    assert session.select().card_id == CID


def test_a_card_is_personalised_once(
    transport: MaintenanceKey, purse_data: PurseData
) -> None:
    session = PurseSession(Direct(blank_purse(Memory(), SERIAL)))
    session.select()
    personalise(session, transport, purse_data)
    with pytest.raises(StatusError) as caught:
        personalise(session, transport, purse_data)
    assert caught.value.sw == SW.CONDITIONS_NOT_SATISFIED


def test_the_transport_key_of_another_chip_personalises_nothing(
    purse_data: PurseData,
) -> None:
    session = PurseSession(Direct(blank_purse(Memory(), SERIAL)))
    session.select()
    wrong = MaintenanceKey(key=bytes(16), card_id=SERIAL)
    with pytest.raises(StatusError) as caught:
        personalise(session, wrong, purse_data)
    assert caught.value.sw == SW.MAC_WRONG


def test_activation_needs_every_group(transport: MaintenanceKey) -> None:
    session = PurseSession(Direct(blank_purse(Memory(), SERIAL)))
    session.select()
    rc = session.get_challenge()
    command = put_data(DataGroup.ACTIVATE, b"", transport, rc=rc)
    with pytest.raises(StatusError) as caught:
        session.run(command)
    assert caught.value.sw == SW.CONDITIONS_NOT_SATISFIED


def test_keys_and_pins_travel_encrypted(
    transport: MaintenanceKey, purse_data: PurseData, customs_data: CustomsCardData
) -> None:
    rc = bytes(8)
    keys = purse_data.keys
    purse_keys = purse_data.group(DataGroup.KEYS, transport, rc)
    pin = purse_data.group(DataGroup.PIN, transport, rc)
    customs_keys = customs_data.group(DataGroup.KEYS, transport, rc) or b""
    assert len(purse_keys) == 1 + 4 * 16
    assert len(customs_keys) == 1 + 16 + 1 + 2 * (1 + 16)
    assert keys.purchase not in purse_keys
    assert purse_data.pin_block not in pin
    assert customs_data.batch_key not in customs_keys
    assert customs_data.purchase_masters[1] not in customs_keys


def test_thirteen_purchase_masters_fit_one_command(
    transport: MaintenanceKey, customs_data: CustomsCardData
) -> None:
    masters = {kv: bytes(16) for kv in range(1, 14)}
    data = replace(customs_data, purchase_masters=masters)
    content = data.group(DataGroup.KEYS, transport, bytes(8)) or b""
    command = put_data(DataGroup.KEYS, content, transport, rc=bytes(8))
    assert command.ins == INS.PUT_DATA
    assert len(command.data) <= 255
    with pytest.raises(ValueError, match="13"):
        replace(data, purchase_masters=masters | {14: bytes(16)})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"card_id": bytes(7)}, "8 bytes", id="CID"),
        pytest.param({"holder_name": "x" * 25}, "24 bytes", id="name"),
        pytest.param({"holder_name": "ش" * 13}, "24 bytes", id="Arabic name"),
        pytest.param({"language": "eng"}, "two small letters", id="language"),
        pytest.param({"language": "EN"}, "two small letters", id="capitals"),
        pytest.param({"expiry": date(2025, 1, 1)}, "expires before", id="dates"),
        pytest.param({"balance_limit_minor": 0}, "limit", id="limit"),
        pytest.param({"payment_limit_minor": 2**31}, "limit", id="large limit"),
    ],
)
def test_data_that_no_card_would_take_cannot_be_built(
    purse_data: PurseData, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(purse_data, **change)


def test_a_key_of_the_wrong_size_cannot_be_built(
    customs_data: CustomsCardData,
) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        replace(customs_data, batch_key=bytes(15))


def test_no_secret_of_the_issuer_shows_in_a_repr(
    transport: MaintenanceKey, purse_data: PurseData, customs_data: CustomsCardData
) -> None:
    shown = repr(transport) + repr(purse_data) + repr(customs_data)
    secrets = (
        transport.key,
        purse_data.pin_block,
        purse_data.card_id,
        purse_data.keys.load,
        customs_data.batch_key,
        customs_data.purchase_masters[1],
    )
    for secret in secrets:
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown.lower()
