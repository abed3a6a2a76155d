"""The campaign of damaged bytes: it finds what it is for, and can be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from modem.call_machine import CallPhase
from modem.link_state import LinkState
from modem.set_up import SetUpState
from sim.fuzz import campaign
from sim.fuzz.campaign import Chunk, chunks_of, feed
from sim.fuzz.corpus import documented
from sim.fuzz.reader import Reader
from sim.fuzz.targets import TARGETS, Target

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_SETTING_UP = [
    f"SETTING_UP {state.name}"
    for state in SetUpState
    if state not in {SetUpState.READY, SetUpState.FAILED}
]
_MODEMS = {
    "Dialer": [*_SETTING_UP, "DIALLING", "ABORTING", "PAUSE"],
    "Answerer": [*_SETTING_UP, "WAITING", "CHECKING", "ANSWERING"],
    "HangUp": ["LINGER", "DTR_LOW", "GUARD", "ATH"],
}
STATES = {
    "link": {state.name for state in LinkState},
    "dialer": {f"{side} {one}" for side, names in _MODEMS.items() for one in names},
    "call": {phase.name for phase in CallPhase},
    "network": {"SECURING", "GREETED", "ASKED", "TALKING", "LEAVING"},
}
CORPUS = (b"\x01\x02\x03\x04sound string",)


@dataclass
class Gullible(Reader):
    """Fails at a byte that the corpus does not have."""

    def feed(self, data: bytes) -> None:
        if b"\x80" in data:
            raise IndexError("a mistake of ours")


@dataclass
class Hoarder(Reader):
    """Keeps what it is fed."""

    kept: list[bytes] = field(default_factory=list)

    @property
    def states(self) -> tuple[str]:
        return ("hoarding",)

    def feed(self, data: bytes) -> None:
        self.kept.append(bytes(1000) + data)


def put_in(monkeypatch: pytest.MonkeyPatch, reader: Callable[[], Reader]) -> Chunk:
    def begin(_draw: random.Random) -> Reader:
        return reader()

    target = Target(name="broken", corpus=lambda: CORPUS, begin=begin)
    monkeypatch.setattr(campaign, "TARGETS", (target,))
    return Chunk(target="broken", seed="7", count=2_000, watched=True)


def test_an_error_that_must_not_be_is_told_with_its_string(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = feed(put_in(monkeypatch, Gullible))
    assert "IndexError: a mistake of ours" in result.failure
    string = bytes.fromhex(result.failure.rpartition("fed: ")[2])
    with pytest.raises(IndexError):
        Gullible().feed(string)


def test_a_machine_that_keeps_what_it_is_fed_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = feed(put_in(monkeypatch, Hoarder))
    assert "it keeps" in result.failure
    assert result.states == {"hoarding": 2_000}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_of_ours_fails_or_grows(target: Target) -> None:
    result = feed(Chunk(target=target.name, seed="1", count=1_000, watched=True))
    assert result.failure == ""
    assert result.fed == 1_000


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_a_machine_is_fed(name: str) -> None:
    result = feed(Chunk(target=name, seed="1", count=3_000, watched=False))
    assert result.failure == ""
    assert result.states.keys() == STATES[name]
    # Each often enough to mean something: several in a thousand.
    assert min(result.states.values()) >= 12


def test_the_same_seed_makes_the_same_strings() -> None:
    chunk = Chunk(target="framing", seed="3", count=500, watched=False)
    assert feed(chunk) == feed(chunk)


def test_every_string_asked_for_is_made() -> None:
    chunks = chunks_of(TARGETS, 100_001, seed=1)
    assert sum(chunk.count for chunk in chunks) == 100_001
    assert {chunk.target for chunk in chunks} == {target.name for target in TARGETS}
    assert len({chunk.seed for chunk in chunks}) == len(chunks)


def test_the_examples_of_the_pages_are_found() -> None:
    messages = documented("iso8583.md", by_line=False)
    assert any(message.startswith(b"0320") for message in messages)
    frames = documented("modem-link.md", by_line=True)
    assert all(frame[:1] == frame[-1:] == b"\x7e" for frame in frames)
