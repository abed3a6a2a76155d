"""The memory of a card: atomic, durable, checked, and only one program's at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.cards.errors import (
    MemoryDamagedError,
    MemoryFailureError,
    MemoryInUseError,
)
from sim.cards.issue import default_customs_card, default_purse
from sim.cards.memory import FileMemory, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sim.cards.memory import Value

SELECT = bytes.fromhex("00 A4 04 00 08 F0 52 41 53 45 45 44 01")
VERIFY = bytes.fromhex("00 20 00 80 08 24 12 34 FF FF FF FF FF")
WRONG_PIN = bytes.fromhex("00 20 00 80 08 24 99 99 FF FF FF FF FF")
GET_BALANCE = bytes.fromhex("80 5C 00 02")


def test_a_commit_changes_adds_and_forgets_together() -> None:
    memory = Memory()
    assert memory.is_blank
    memory.commit({"a": 1, "b": b"\x01\x02"})
    memory.commit({"a": 2, "b": None, "c": b""})
    assert memory.integer("a") == 2
    assert "b" not in memory
    assert memory.octets("c") == b""
    assert memory.keys_from("") == ["a", "c"]


def test_a_file_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "purse.card"
    with FileMemory(path) as memory:
        assert memory.is_blank
        memory.commit({"a": 1, "b": b"\xff\x00"})
        memory.commit({"a": None, "c": 2**63})
    with FileMemory(path) as memory:
        assert memory.keys_from("") == ["b", "c"]
        assert memory.octets("b") == b"\xff\x00"
        assert memory.integer("c") == 2**63


def test_a_card_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    with FileMemory(path) as memory:
        purse = default_purse(memory)
        purse.process(SELECT)
        assert purse.process(WRONG_PIN) == b"\x63\xc2"
    with FileMemory(path) as memory:
        purse = default_purse(memory)
        purse.process(SELECT)
        assert purse.process(WRONG_PIN) == b"\x63\xc1"
        assert purse.process(GET_BALANCE) == bytes.fromhex("00 07 A1 20  90 00")


def test_only_the_owner_may_read_a_card_file(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    with FileMemory(path) as memory:
        memory.commit({"a": 1})
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: b"something else\n",
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b"500000", b"900000"),
        lambda raw: raw + b" ",
        lambda raw: b"\xff" + raw,
    ],
    ids=["empty", "foreign", "cut off", "changed", "longer", "first byte"],
)
def test_a_damaged_file_is_named_and_left_as_it_is(
    tmp_path: Path, damage: type[bytes]
) -> None:
    path = tmp_path / "purse.card"
    with FileMemory(path) as memory:
        default_purse(memory)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(MemoryDamagedError, match=r"purse\.card is damaged"):
        FileMemory(path)
    assert path.read_bytes() == damaged


def test_a_file_serves_one_program_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    with FileMemory(path), pytest.raises(MemoryInUseError, match="already in use"):
        FileMemory(path)
    FileMemory(path).close()


def test_a_failed_write_leaves_old_values_in_file_and_card(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    with FileMemory(path) as memory:
        memory.commit({"a": 1})
        before = path.read_bytes()
        (tmp_path / "purse.card.new").mkdir()
        with pytest.raises(MemoryFailureError):
            memory.commit({"a": 2})
        assert memory.integer("a") == 1
        assert path.read_bytes() == before


def test_a_closed_memory_takes_no_more_writes(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path / "purse.card")
    memory.close()
    memory.close()
    with pytest.raises(MemoryFailureError):
        memory.commit({"a": 1})


class FailingMemory(Memory):
    """Refuses every write once it is worn out."""

    worn_out = False

    def commit(self, changes: Mapping[str, Value | None]) -> None:
        if self.worn_out:
            raise MemoryFailureError
        super().commit(changes)


def test_a_card_whose_memory_fails_answers_6581_and_gives_nothing_away() -> None:
    memory = FailingMemory()
    purse = default_purse(memory)
    purse.process(SELECT)
    memory.worn_out = True
    assert purse.process(VERIFY) == b"\x65\x81"
    memory.worn_out = False
    init = bytes.fromhex("80 50 01 02 17 01 00 00 00 01 05 12") + bytes(16)
    assert purse.process(init) == b"\x69\x82", "the PIN was not compared"


def test_nothing_secret_shows_in_a_repr() -> None:
    purse, customs = default_purse(), default_customs_card()
    shown = repr((purse, customs, purse.memory, customs.memory))
    for secret in ("1234", "640000", "4355", "0001", "000102"):
        assert secret not in shown.lower()
