"""No PIN, passphrase, key or whole card number is ever said or left behind.

Every output of every test of this folder is searched when the test ends (see
`World.assert_nothing_secret_was_said`); here is what that does not reach.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore

if TYPE_CHECKING:
    World = Any

PIN = "731946"
CID = "6400000000000001"


def test_the_search_finds_what_it_searches(world: World) -> None:
    world.said.append(f"your PIN is {PIN}")
    with pytest.raises(AssertionError):
        world.assert_nothing_secret_was_said()
    world.said.clear()


def test_a_whole_session_says_nothing_secret(branch: World) -> None:
    customs = ("personalise", "--kind", "customs", "--terminal", "T0000007")
    session: list[tuple[tuple[str, ...], str | None]] = [
        (("personalise", "--account", "100200300"), PIN),
        (customs, None),
        (("load", "500"), PIN),
        (("load", "9999"), PIN),
        (("load", "5"), "111111"),
        (("recover",), None),
        (("show", "--reader", "A"), None),
        (("show", "--reader", "B"), None),
        (("log", "--reader", "A"), PIN),
        (("log", "--reader", "B"), None),
        (("block",), None),
        (("unblock",), None),
        (("reset-pin",), PIN),
        (("change-pin",), f"{PIN} {PIN}"),
    ]
    for arguments, pins in session:
        branch.desk(*arguments, pins=pins)
        branch.desk(*arguments, "--json", pins=pins)
    for arguments in (
        ("check",),
        ("status",),
        ("incidents", "--all"),
        ("audit", "T0000007"),
        ("purse", CID),
        ("purse", "640000******0001"),
        ("batches",),
        ("terminals",),
        ("alarms",),
        ("account", "list"),
        ("terminal", "list"),
        ("statement", "--account", "100200300"),
        ("statement", "--office", "SOHAR"),
    ):
        branch.bank(*arguments)
        branch.bank(*arguments, "--json")
    assert len(branch.said) == 2 * (len(session) + 13)
    branch.assert_nothing_secret_was_said()


def test_the_whole_number_is_shown_to_who_asks_for_it(issued: World) -> None:
    assert CID in issued.desk("show", "--reader", "A", "--full-number").output


def test_a_traceback_shows_no_secret(
    issued: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(Issuing, "authorise_load", bug)
    with pytest.raises(RuntimeError) as caught:
        issued.desk("load", "5", pins=PIN)
    issued.said.append("".join(traceback.format_exception(caught.value)))
    issued.assert_nothing_secret_was_said()


def test_no_file_of_the_bank_holds_a_pin_or_a_master_in_the_clear(
    issued: World,
) -> None:
    issued.desk("load", "5", pins=PIN)
    keys = MasterKeyStore(TEST_MASTERS)
    master = keys.purchase_master(1)
    secrets = [PIN.encode(), b"correct horse", master, master.hex().encode()]
    files = [path for path in issued.folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret in content], path.name
