"""PUT DATA: a blank card becomes a purse or a customs card, or stays blank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.cards.issue import blank_customs_card, blank_purse
from sim.cards.memory import Memory

if TYPE_CHECKING:
    from tests.conformance.drivers import CustomsDriver, Driver, PurseDriver
    from tests.conformance.formulas import Bank, Purchase

SERIAL = bytes.fromhex("52 53 00 00 00 00 00 99")
PUBLIC, KEYS, PIN, ACTIVATE = 1, 2, 3, 4
COMMON = (
    "C2 02 05 12  C3 04 20 25 01 01  C4 04 20 30 12 31"
    "CA 0A 54 45 53 54 20 50 55 52 53 45  CB 02 65 6E"
)
PURSE_PUBLIC = bytes.fromhex(
    "C1 08 64 00 00 00 00 00 00 01  C6 04 00 1E 84 80  C7 04 00 1E 84 80" + COMMON
)
CUSTOMS_PUBLIC = bytes.fromhex("C1 08 43 55 53 00 00 00 00 07" + COMMON)
PIN_CLEAR = bytes.fromhex("24 12 34 FF FF FF FF FF  80 00 00 00 00 00 00 00")


@pytest.fixture
def blank(purse: PurseDriver) -> PurseDriver:
    memory = Memory()
    purse.put(blank_purse(memory, SERIAL))
    purse.memory = memory
    purse.select()
    return purse


@pytest.fixture
def blank_customs(customs: CustomsDriver) -> CustomsDriver:
    memory = Memory()
    customs.put(blank_customs_card(memory, SERIAL))
    customs.memory = memory
    customs.select()
    return customs


@pytest.fixture
def put(bank: Bank) -> Putter:
    return Putter(bank)


class Putter:
    """PUT DATA as the bank composes it."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._key = bank.transport_key(SERIAL)

    def __call__(self, card: Driver, group: int, data: bytes = b"") -> str:
        return self.under(card, card.challenge(), group, data)

    def under(self, card: Driver, challenge: bytes, group: int, data: bytes) -> str:
        header = bytes((0x84, 0xDA, group, 0x00))
        mac = self._bank.protect(self._key, SERIAL, challenge, header + data)
        return card.command(header.hex(), data + mac).sw

    def secret(self, card: Driver, group: int, head: bytes, *clear: bytes) -> str:
        """``clear`` are encrypted parts; every second one, if any, goes in clear."""
        challenge = card.challenge()
        data = head
        for index, part in enumerate(clear):
            data += part if index % 2 else self._encrypt(challenge, part)
        return self.under(card, challenge, group, data)

    def _encrypt(self, challenge: bytes, clear: bytes) -> bytes:
        return self._bank.encrypt(self._key, SERIAL, challenge, clear)

    def purse_keys(self, card: Driver) -> str:
        cid = PURSE_PUBLIC[2:10]
        labels = (b"PUR", b"LOD", b"TAC", b"MNT")
        keys = b"".join(self._bank.card_key(label, cid) for label in labels)
        return self.secret(card, KEYS, b"\x01", keys)

    def customs_keys(self, card: Driver) -> str:
        batch = self._bank.card_key(b"BAT", CUSTOMS_PUBLIC[2:10])
        master = bytes(range(16))
        return self.secret(card, KEYS, b"\x01", batch, b"\x01\x01", master)


def test_a_personalised_purse_is_the_worked_vectors(
    blank: PurseDriver, put: Putter
) -> None:
    assert put(blank, PUBLIC, PURSE_PUBLIC) == "9000"
    assert put.purse_keys(blank) == "9000"
    assert put.secret(blank, PIN, b"", PIN_CLEAR) == "9000"
    assert put(blank, ACTIVATE) == "9000"
    personalised = blank.select().data
    assert blank.balance() == 0
    load = blank.load(amount=500_000)
    assert load.ltc == 1
    paid = blank.pay(balance_after=498_766, cumulative=1234)
    assert blank.ack(paid) == "9000"
    blank.issue()
    assert blank.select() == personalised


def test_a_personalised_customs_card_takes_payments(
    blank_customs: CustomsDriver, put: Putter, purchase: type[Purchase], bank: Bank
) -> None:
    card = blank_customs
    assert put(card, PUBLIC, CUSTOMS_PUBLIC) == "9000"
    assert put.customs_keys(card) == "9000"
    assert put(card, ACTIVATE) == "9000"
    assert b"\xc8" not in card.select().data
    card.take(purchase())
    close = card.close().data
    assert close[44:] == bank.close_mac(close)
    assert card.bank_ack(close) == bytes(8)


def test_a_customs_card_with_an_activation_code(
    blank_customs: CustomsDriver, put: Putter, purchase: type[Purchase]
) -> None:
    card = blank_customs
    put(card, PUBLIC, CUSTOMS_PUBLIC)
    put.secret(card, PIN, b"", PIN_CLEAR)
    put.customs_keys(card)
    assert put(card, ACTIVATE) == "9000"
    assert bytes.fromhex("C8 01 03") in card.select().data
    assert card.init(purchase()) == "6982"
    assert card.command("00 20 00 81", PIN_CLEAR[:8]) == "9000"
    assert card.init(purchase()).sw == "9000"


def test_until_activation_the_card_is_as_blank_as_before(
    blank: PurseDriver, put: Putter
) -> None:
    before = blank.select().data
    put(blank, PUBLIC, PURSE_PUBLIC)
    put.purse_keys(blank)
    blank.restart()
    assert blank.select() == before
    assert put(blank, ACTIVATE) == "6985", "no PIN yet"
    assert put.secret(blank, PIN, b"", PIN_CLEAR) == "9000"
    assert put.purse_keys(blank) == "9000", "a group may come again"
    assert put(blank, ACTIVATE) == "9000"
    assert blank.verify() == "9000"


def test_the_public_group_begins_again_without_what_was_staged(
    blank: PurseDriver, put: Putter
) -> None:
    put(blank, PUBLIC, PURSE_PUBLIC)
    put.purse_keys(blank)
    put.secret(blank, PIN, b"", PIN_CLEAR)
    assert put(blank, PUBLIC, b"") == "6A80", "which takes nothing away"
    assert put(blank, PUBLIC, PURSE_PUBLIC) == "9000"
    put.purse_keys(blank)
    assert put(blank, ACTIVATE) == "6985", "no PIN any more"


def test_an_abandoned_activation_code_does_not_survive_a_new_start(
    blank_customs: CustomsDriver, put: Putter, purchase: type[Purchase]
) -> None:
    card = blank_customs
    put(card, PUBLIC, CUSTOMS_PUBLIC)
    put.secret(card, PIN, b"", PIN_CLEAR)
    card.restart()
    put(card, PUBLIC, CUSTOMS_PUBLIC)
    put.customs_keys(card)
    assert put(card, ACTIVATE) == "9000"
    assert b"\xc8" not in card.select().data
    assert card.init(purchase()).sw == "9000"


@pytest.mark.parametrize("missing", [PUBLIC, KEYS, PIN])
def test_activation_wants_every_group(
    blank: PurseDriver, put: Putter, missing: int
) -> None:
    if missing != PUBLIC:
        put(blank, PUBLIC, PURSE_PUBLIC)
    if missing != KEYS:
        put.purse_keys(blank)
    if missing != PIN:
        put.secret(blank, PIN, b"", PIN_CLEAR)
    assert put(blank, ACTIVATE) == "6985"


def test_an_active_card_answers_6985_and_forgets_the_transport_key(
    blank: PurseDriver, put: Putter
) -> None:
    put(blank, PUBLIC, PURSE_PUBLIC)
    put.purse_keys(blank)
    put.secret(blank, PIN, b"", PIN_CLEAR)
    put(blank, ACTIVATE)
    for group in (PUBLIC, KEYS, PIN, ACTIVATE):
        assert put(blank, group, PURSE_PUBLIC) == "6985"
    assert "transport_key" not in blank.memory
    assert blank.memory.keys_from("new.") == []


@pytest.mark.parametrize(
    ("header", "count", "sw"),
    [
        ("84 DA 05 00", 8, "6A86"),
        ("84 DA 01 01", 8, "6A86"),
        ("84 DA 01 00", 7, "6700"),
    ],
    ids=["P1", "P2", "Lc"],
)
def test_put_data_that_is_refused_for_its_form_spends_the_challenge(
    blank: PurseDriver,
    blank_customs: CustomsDriver,
    put: Putter,
    header: str,
    count: int,
    sw: str,
) -> None:
    for card, public in ((blank, PURSE_PUBLIC), (blank_customs, CUSTOMS_PUBLIC)):
        challenge = card.challenge()
        assert card.command(header, bytes(count)) == sw
        assert put.under(card, challenge, PUBLIC, public) == "6985"
        assert put(card, PUBLIC, public) == "9000"


def test_put_data_checks_in_order(blank: PurseDriver, put: Putter) -> None:
    assert blank.command("84 DA 05 00", bytes(8)) == "6A86"
    assert blank.command("84 DA 01 01", bytes(8)) == "6A86"
    assert blank.command("84 DA 01 00", bytes(7)) == "6700"
    assert blank.command("84 DA 01 00", bytes(8)) == "6985", "no challenge"
    challenge = blank.challenge()
    assert blank.command("84 DA 01 00", bytes(8)) == "9302"
    assert put.under(blank, challenge, PUBLIC, PURSE_PUBLIC) == "6985", "spent"
    assert put(blank, PUBLIC, b"") == "6A80"


@pytest.mark.parametrize(
    "data",
    {
        "one missing": PURSE_PUBLIC[10:],
        "unknown tag": PURSE_PUBLIC + bytes.fromhex("CC 01 00"),
        "twice": PURSE_PUBLIC + bytes.fromhex("CB 02 65 6E"),
        "try counter": PURSE_PUBLIC + bytes.fromhex("C8 01 03"),
        "cut off": PURSE_PUBLIC[:-1],
        "no length": PURSE_PUBLIC[:-3],
        "date not BCD": PURSE_PUBLIC.replace(b"\x20\x25", b"\x2a\x25"),
        "currency not BCD": PURSE_PUBLIC.replace(b"\x05\x12", b"\x05\x1c"),
        "language": PURSE_PUBLIC.replace(b"en", b"E1"),
        "name not UTF-8": PURSE_PUBLIC.replace(b"TEST", b"TES\xff"),
        "empty": b"",
    }.items(),
    ids=lambda item: item[0],
)
def test_public_data_that_is_not_whole_and_right_is_6A80(  # noqa: N802  SW
    blank: PurseDriver, put: Putter, data: tuple[str, bytes]
) -> None:
    assert put(blank, PUBLIC, data[1]) == "6A80"
    assert not blank.memory.keys_from("new.")


def test_a_name_may_have_24_bytes_and_no_more(blank: PurseDriver, put: Putter) -> None:
    name = bytes.fromhex("CA 0A") + b"TEST PURSE"
    for count, sw in ((24, "9000"), (25, "6A80"), (0, "9000")):
        data = PURSE_PUBLIC.replace(name, bytes((0xCA, count)) + b"N" * count)
        assert put(blank, PUBLIC, data) == sw


def test_keys_and_pin_of_a_wrong_shape_are_6A80(  # noqa: N802  a status word
    blank: PurseDriver, put: Putter
) -> None:
    assert put.secret(blank, KEYS, b"\x01", bytes(48)) == "6A80"
    assert put.secret(blank, KEYS, b"\x00", bytes(64)) == "6A80"
    assert put.secret(blank, PIN, b"", bytes(16)) == "6A80"
    assert put.secret(blank, PIN, b"", PIN_CLEAR + bytes(16)) == "6A80"
    assert put(blank, ACTIVATE, b"\x00") == "6A80"


@pytest.mark.parametrize(
    ("head", "parts"),
    [
        (b"\x00", (bytes(16), b"\x01\x01", bytes(16))),
        (b"\x01", (bytes(16), b"\x00")),
        (b"\x01", (bytes(16), b"\x01\x00", bytes(16))),
        (b"\x01", (bytes(16), b"\x02\x01", bytes(16))),
        (b"\x01", (bytes(16), b"\x02\x01", bytes(16), b"\x01", bytes(16))),
        (b"\x01", (bytes(16),)),
    ],
    ids=["kv 0 of KB", "no master", "kv 0", "one short", "kv twice", "no count"],
)
def test_customs_keys_of_a_wrong_shape_are_6A80(  # noqa: N802  a status word
    blank_customs: CustomsDriver, put: Putter, head: bytes, parts: tuple[bytes, ...]
) -> None:
    assert put.secret(blank_customs, KEYS, head, *parts) == "6A80"


def test_masters_of_an_abandoned_attempt_do_not_come_along(
    blank_customs: CustomsDriver, put: Putter, purchase: type[Purchase]
) -> None:
    card = blank_customs
    put.secret(card, KEYS, b"\x01", bytes(16), b"\x01\x07", bytes(range(16)))
    put(card, PUBLIC, CUSTOMS_PUBLIC)
    put.customs_keys(card)
    put(card, ACTIVATE)
    assert card.init(purchase(kv=7)) == "6A88"
    assert card.init(purchase()).sw == "9000"


def test_customs_public_data_has_no_limits(
    blank_customs: CustomsDriver, put: Putter
) -> None:
    assert put(blank_customs, PUBLIC, PURSE_PUBLIC) == "6A80"
