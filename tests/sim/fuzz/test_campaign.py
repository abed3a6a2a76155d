"""The campaign of damaged bytes: it finds what it is for, and can be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from sim.fuzz import campaign
from sim.fuzz.campaign import Chunk, chunks_of, feed
from sim.fuzz.corpus import documented
from sim.fuzz.targets import TARGETS, Target

if TYPE_CHECKING:
    import random

_DIALLING = ("SETTING_UP", "DIALLING", "ABORTING", "PAUSE")
_ANSWERING = ("SETTING_UP", "WAITING", "CHECKING", "ANSWERING")
CORPUS = (b"\x01\x02\x03\x04sound string",)


@dataclass
class Gullible:
    """Fails at a byte that the corpus does not have."""

    states = ()

    def feed(self, data: bytes) -> None:
        if b"\x80" in data:
            raise IndexError("a mistake of ours")


@dataclass
class Hoarder:
    """Keeps what it is fed."""

    states = ("hoarding",)
    kept: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        self.kept.append(bytes(1000) + data)


def put_in(monkeypatch: pytest.MonkeyPatch, reader: type[Gullible | Hoarder]) -> Chunk:
    def begin(_draw: random.Random) -> Gullible | Hoarder:
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


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("link", {"OPENING", "OPEN", "DRAINING", "DISCONNECTING"}),
        (
            "dialer",
            {
                *(f"Dialer {one}" for one in _DIALLING),
                *(f"Answerer {one}" for one in _ANSWERING),
            },
        ),
    ],
)
def test_every_state_of_a_machine_is_fed(name: str, states: set[str]) -> None:
    result = feed(Chunk(target=name, seed="1", count=3_000, watched=False))
    assert result.states.keys() == states
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
