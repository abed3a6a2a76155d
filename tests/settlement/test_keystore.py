"""The master keys: derived from, never shown, and safe in their file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.keys import MasterKeys
from card.profile import KeyUse
from settlement.errors import KeyStoreError
from settlement.keystore import (
    TEST_MASTERS,
    FileKeyStore,
    IssuerMasters,
    MasterKeyStore,
)

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = b"open sesame"
CHEAP = 1 << 10
CID = bytes.fromhex("64 00 00 00 00 00 00 01")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    FileKeyStore.create(path, PASSPHRASE, TEST_MASTERS, scrypt_cost=CHEAP)
    return path


@pytest.mark.parametrize(
    ("use", "card_id", "key"),
    [
        (KeyUse.PURCHASE, CID.hex(), "F02CB94E715B63CEF14BD2F79E0493A9"),
        (KeyUse.LOAD, CID.hex(), "8E3A5B97D82167DDC16A49F827B886C0"),
        (
            KeyUse.TRANSACTION_CERTIFICATE,
            CID.hex(),
            "B527614C513491D8F430AD63F50D9C88",
        ),
        (KeyUse.MAINTENANCE, CID.hex(), "CFA646E2CB28C8F977A4880E100A60F3"),
        (KeyUse.BATCH, "4355530000000007", "6054CF68C4C3B0141C6E833A4B95DD6F"),
    ],
    ids=["KP", "KL", "KT", "KM", "KB"],
)
def test_the_test_masters_give_the_keys_of_the_worked_vector(
    use: KeyUse, card_id: str, key: str
) -> None:
    store = MasterKeyStore(TEST_MASTERS)
    assert store.card_key(use, 1, bytes.fromhex(card_id)) == bytes.fromhex(key)


@given(
    st.sampled_from([use for use in KeyUse if use is not KeyUse.TRANSPORT]),
    st.lists(st.binary(min_size=8, max_size=8), max_size=5),
    st.binary(min_size=16, max_size=16),
)
def test_the_keys_of_many_cards_are_those_of_each(
    use: KeyUse, cids: list[bytes], master: bytes
) -> None:
    masters = MasterKeys(
        kv=7,
        purchase=master,
        load=master,
        transaction_certificate=master,
        maintenance=master,
        batch=master,
    )
    store = MasterKeyStore(IssuerMasters(versions=(masters,), transport=bytes(16)))
    expected = [store.card_key(use, 7, cid) for cid in cids]
    assert store.card_keys(use, 7, cids) == expected


def test_keys_of_many_cards_of_an_unknown_version_are_an_error() -> None:
    with pytest.raises(KeyStoreError, match="key version 9"):
        MasterKeyStore(TEST_MASTERS).card_keys(KeyUse.LOAD, 9, [CID])


def test_a_customs_card_is_given_the_purchase_master_itself() -> None:
    assert MasterKeyStore(TEST_MASTERS).purchase_master(1) == bytes(range(16))


def test_transport_keys_differ_by_chip() -> None:
    store = MasterKeyStore(TEST_MASTERS)
    assert store.transport_key(bytes(8)) != store.transport_key(CID)


def test_an_unknown_key_version_is_an_error() -> None:
    with pytest.raises(KeyStoreError, match="key version 9"):
        MasterKeyStore(TEST_MASTERS).card_key(KeyUse.LOAD, 9, CID)


def test_what_was_stored_is_opened_again(key_file: Path) -> None:
    store = FileKeyStore.open(key_file, PASSPHRASE)
    same = MasterKeyStore(TEST_MASTERS)
    assert store.key_versions == (1,)
    assert store.purchase_master(1) == same.purchase_master(1)
    assert store.transport_key(CID) == same.transport_key(CID)


def test_the_file_is_for_its_owner_only(key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_store_is_never_overwritten(key_file: Path) -> None:
    before = key_file.read_bytes()
    with pytest.raises(KeyStoreError, match="exists"):
        FileKeyStore.create(key_file, b"x", TEST_MASTERS, scrypt_cost=CHEAP)
    assert key_file.read_bytes() == before


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match="empty"):
        FileKeyStore.create(tmp_path / "keys.json", b"", TEST_MASTERS)


def test_a_wrong_passphrase_opens_nothing(key_file: Path) -> None:
    with pytest.raises(KeyStoreError, match="passphrase"):
        FileKeyStore.open(key_file, b"open barley")


@pytest.mark.parametrize("name", ["nonce", "sealed", "salt", "n"])
def test_a_changed_file_opens_nothing(key_file: Path, name: str) -> None:
    document = json.loads(key_file.read_text())
    where = document if name in document else document["kdf"]
    if name == "n":
        where[name] *= 2
    else:
        first = int(where[name][:2], 16) ^ 1
        where[name] = f"{first:02x}{where[name][2:]}"
    key_file.write_text(json.dumps(document))
    with pytest.raises(KeyStoreError):
        FileKeyStore.open(key_file, PASSPHRASE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b'{"format": 2, "cipher": "", "kdf": {}, "nonce": "", "sealed": ""}',
        b'{"format": 1, "cipher": "", "kdf": {"name": "scrypt", "n": 4294967296,'
        b' "r": 8, "p": 1, "salt": ""}, "nonce": "000000000000000000000000",'
        b' "sealed": ""}',
        bytes(1 << 21),
    ],
    ids=["empty", "list", "text", "binary", "format", "huge cost", "huge file"],
)
def test_what_is_no_key_store_is_a_plain_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(KeyStoreError):
        FileKeyStore.open(path, PASSPHRASE)


def test_a_missing_store_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match="cannot read"):
        FileKeyStore.open(tmp_path / "none.json", PASSPHRASE)


def test_neither_file_nor_repr_shows_a_key(key_file: Path) -> None:
    store = FileKeyStore.open(key_file, PASSPHRASE)
    shown = repr(store) + repr(TEST_MASTERS) + key_file.read_text()
    for masters in TEST_MASTERS.versions:
        for use in (KeyUse.PURCHASE, KeyUse.LOAD, KeyUse.BATCH, KeyUse.MAINTENANCE):
            assert masters.of(use).hex() not in shown
    assert TEST_MASTERS.transport.hex() not in shown


def test_new_masters_are_random_and_of_the_version_asked_for() -> None:
    one, other = IssuerMasters.random(7), IssuerMasters.random(7)
    assert one.versions[0].kv == 7
    assert one.versions[0].purchase != other.versions[0].purchase
    assert IssuerMasters.random(7, bytes(16)).transport == bytes(16)
