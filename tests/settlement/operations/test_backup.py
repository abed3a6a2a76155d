"""A backup is the bank of one moment, whole or not at all, and becomes a bank again."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from modem.tls import server_context
from settlement.bank import Bank
from settlement.bank_config import BankDirectory
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import payee_account
from settlement.operations.backup import write_backup
from settlement.payment import PaymentKind
from settlement.store.books import BankStore
from tests.branch import PASSPHRASE, World, at_work
from tests.settlement.conftest import (
    ACCOUNT,
    FUNDS,
    MID,
    OFFICE,
    OMR,
    TERMINAL,
    Desk,
    PaperClock,
    PaperCustomsCard,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

FEES = payee_account(PaymentKind.FEES, OFFICE, OMR)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A bank's directory as raseed-bank init makes it."""
    world = World(tmp_path)
    with at_work(world):
        assert world.bank("init", str(world.bank_folder), "--test-keys").exit_code == 0
        yield world


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """The same bank, with an account, a terminal, and paper cards."""
    keys = MasterKeyStore(TEST_MASTERS)
    clock = PaperClock()
    path = BankDirectory.open(world.bank_folder).database
    with BankStore.open(path) as store:
        issuing = Issuing(store, keys, clock)
        issuing.open_account(
            number=ACCOUNT, holder="Al Bahr", currency=OMR, deposit_minor=FUNDS
        )
        issuing.register_customs_card(
            mid=MID, terminal_id=TERMINAL, office=OFFICE, currency=OMR, kv=1
        )
        yield Desk(
            place=path,
            store=store,
            keys=keys,
            clock=clock,
            issuing=issuing,
            bank=Bank(store, keys),
            customs=PaperCustomsCard(keys=keys),
        )


def restore(world: World, archive: Path, folder: Path, *more: str) -> Result:
    return world.bank("restore", str(archive), "--bank", str(folder), *more)


def rewritten(
    archive: Path, target: Path, change: Callable[[str, bytes], bytes | None]
) -> Path:
    """A backup in which every file went through ``change``; None leaves it out."""
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            content = change(member.name, file.read())
            if content is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return target


def test_a_backup_under_running_posts_is_one_moment_and_comes_back(
    world: World, desk: Desk, tmp_path: Path
) -> None:
    purse = desk.loaded_purse(500_000)
    balances: dict[int, int] = {}
    stop, begun = threading.Event(), threading.Event()

    def post() -> None:
        payments = 0
        while not stop.is_set():
            for _ in range(2):
                desk.customs.pay(purse, 100 + payments)
                payments += 1
            # What the office has, by the number of payments in the books; both change
            # in one step, which is what a copy has to keep.
            balances[payments] = desk.balance(FEES) + sum(
                one.tx.amount_minor for one in desk.customs.records
            )
            desk.send()
            if payments >= 4:
                begun.set()

    archive = tmp_path / "bank.tar"
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(post)
        assert begun.wait(60)
        before = len(balances)
        write_backup(
            BankDirectory.open(world.bank_folder), desk.store, archive, now=world.now
        )
        stop.set()
        posting.result(60)
    assert before >= 2
    restored = restore(world, archive, tmp_path / "restored", "--json")
    assert restored.exit_code == 0, restored.output
    told = world.json(restored)
    payments = told["rows"]["payment"]
    assert told["ok"]
    assert told["tacs_verified"] == payments
    assert payments in balances
    path = tmp_path / "restored" / "bank.sqlite"
    with BankStore.open(path) as store, store.read() as books:
        assert books.ledger.balance_minor(FEES) == balances[payments]
    checked = world.bank("check", "--bank", str(tmp_path / "restored"))
    assert checked.exit_code == 0, checked.output


def test_a_backup_holds_no_key_in_the_clear(
    world: World, desk: Desk, tmp_path: Path
) -> None:
    archive = tmp_path / "bank.tar"
    assert world.bank("backup", str(archive)).exit_code == 0
    content = archive.read_bytes()
    directory = BankDirectory.open(world.bank_folder)
    host_key = directory.host_key.read_bytes().splitlines()[1]
    masters = desk.keys.purchase_master(1)
    for secret in (host_key, masters, masters.hex().encode(), PASSPHRASE.encode()):
        assert secret not in content
    assert oct(archive.stat().st_mode)[-3:] == "600"
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names[0] == "manifest.json"
    assert "host.key" not in names


def test_the_host_gets_a_new_key_that_the_authority_vouches_for(
    world: World, tmp_path: Path
) -> None:
    archive, folder = tmp_path / "bank.tar", tmp_path / "restored"
    world.bank("backup", str(archive))
    assert restore(world, archive, folder).exit_code == 0
    old, new = BankDirectory.open(world.bank_folder), BankDirectory.open(folder)
    assert new.host_key.read_bytes() != old.host_key.read_bytes()
    assert oct(new.host_key.stat().st_mode)[-3:] == "600"
    context = server_context(
        new.terminals_authority_certificate, new.host_certificate, new.host_key
    )
    assert context.valid_until > world.now
    shown = world.json(world.bank("host", "show", "--bank", str(folder), "--json"))
    assert shown["name"] == old.settings.server_name


def test_files_of_issued_cards_come_back(world: World, tmp_path: Path) -> None:
    for name in ("pending/0a1b", "issued/77ff"):
        path = world.bank_folder / "cards" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    archive, folder = tmp_path / "bank.tar", tmp_path / "restored"
    world.bank("backup", str(archive))
    assert restore(world, archive, folder).exit_code == 0
    for name in ("pending/0a1b", "issued/77ff"):
        assert (folder / "cards" / name).read_text() == f"{name}\n"


def test_nothing_is_ever_written_over(world: World, tmp_path: Path) -> None:
    archive = tmp_path / "bank.tar"
    archive.write_text("mine")
    result = world.bank("backup", str(archive))
    assert result.exit_code == 1
    assert "never written over" in result.output
    assert archive.read_text() == "mine"
    archive.unlink()
    world.bank("backup", str(archive))
    before = (world.bank_folder / "keys.json").read_bytes()
    result = restore(world, archive, world.bank_folder)
    assert result.exit_code == 1
    assert "never written over" in result.output
    assert (world.bank_folder / "keys.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []


def flip(name: str) -> Callable[[str, bytes], bytes]:
    def change(member: str, content: bytes) -> bytes:
        return content[:-1] + bytes([content[-1] ^ 1]) if member == name else content

    return change


def drop(name: str) -> Callable[[str, bytes], bytes | None]:
    return lambda member, content: None if member == name else content


def manifest(**changes: Any) -> Callable[[str, bytes], bytes]:
    def change(member: str, content: bytes) -> bytes:
        if member != "manifest.json":
            return content
        return json.dumps(json.loads(content) | changes).encode()

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (flip("bank.sqlite"), "'bank.sqlite' in the backup is damaged"),
        (flip("ca.key"), "'ca.key' in the backup is damaged"),
        (drop("keys.json"), "is not whole: keys.json missing"),
        (drop("manifest.json"), "does not begin with a manifest"),
        (manifest(schema_version=9999), "is of format 9999"),
        (manifest(format=2), "manifest cannot be read: format"),
        (manifest(rows={}), "not those that its manifest tells of"),
        (manifest(files={}), "which no backup does"),
    ],
    ids=[
        *("books damaged", "key damaged", "file missing", "manifest missing"),
        *("other schema", "other format", "other books", "unknown files"),
    ],
)
def test_a_backup_that_is_not_sound_makes_no_bank(
    world: World,
    tmp_path: Path,
    change: Callable[[str, bytes], bytes | None],
    told: str,
) -> None:
    archive, folder = tmp_path / "bank.tar", tmp_path / "restored"
    world.bank("backup", str(archive))
    result = restore(world, rewritten(archive, tmp_path / "bad.tar", change), folder)
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert told in said
    assert "Nothing was restored and no money moved" in said
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "cards/issued/../../evil"])
def test_a_file_outside_of_the_bank_is_never_written(
    world: World, tmp_path: Path, name: str
) -> None:
    archive = tmp_path / "bank.tar"
    world.bank("backup", str(archive))
    bad = tmp_path / "bad.tar"
    facts = {"size": 0, "sha256": "0" * 64}

    def add(member: str, content: bytes) -> bytes:
        if member != "manifest.json":
            return content
        document = json.loads(content)
        document["files"][name] = facts
        return json.dumps(document).encode()

    rewritten(archive, bad, add)
    with tarfile.open(bad, "a") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    result = restore(world, bad, tmp_path / "restored")
    assert result.exit_code == 1
    assert "which no backup does" in " ".join(result.output.split())


def test_what_is_no_archive_is_told_so(world: World, tmp_path: Path) -> None:
    file = tmp_path / "bank.tar"
    file.write_bytes(b"no archive at all" * 100)
    result = restore(world, file, tmp_path / "restored")
    assert result.exit_code == 1
    assert "is no backup, or is damaged" in result.output


def test_a_wrong_passphrase_restores_nothing(world: World, tmp_path: Path) -> None:
    archive, folder = tmp_path / "bank.tar", tmp_path / "restored"
    world.bank("backup", str(archive))
    result = world.bank(
        *("restore", str(archive), "--bank", str(folder)),
        env={"RASEED_PASSPHRASE": "wrong"},
    )
    assert result.exit_code == 1
    assert "passphrase" in result.output
    assert not folder.exists()


def test_books_that_were_off_come_back_as_they_were_and_say_so(
    world: World, desk: Desk, tmp_path: Path
) -> None:
    desk.loaded_purse(5_000)
    desk.tamper("UPDATE entry SET memo = 'other', amount_minor = 4999 WHERE id = 2")
    archive, folder = tmp_path / "bank.tar", tmp_path / "restored"
    world.bank("backup", str(archive))
    result = restore(world, archive, folder)
    assert result.exit_code == 1
    assert "SOMETHING IS OFF" in result.output
    assert folder.is_dir()
