"""Cards coming and going, told by a real PC/SC service."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from smartcard import scard

from card import pcsc_monitor
from card.pcsc_monitor import CardEvent, CardMonitor, EventKind
from card.profile import Role
from sim.slots import Slots
from tests.card_slots import WAIT_S, ScriptedCard, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.pcscd import PrivatePCSCD

ADDED, GONE = EventKind.READER_ADDED, EventKind.READER_GONE
INSERTED, REMOVED = EventKind.INSERTED, EventKind.REMOVED
PROMPT_S = 0.5

pytestmark = pytest.mark.pcsc


@pytest.fixture
def slots(private_pcscd: PrivatePCSCD) -> Iterator[Slots]:
    with Slots(private_pcscd) as slots:
        yield slots
        for role in Role:
            slots.remove(role)


def test_what_is_there_already_is_told_first(slots: Slots) -> None:
    slots.insert(Role.CUSTOMS, ScriptedCard())
    purse, customs = (slots.reader(role) for role in Role)
    with Watch() as watch:
        watch.wait_for(customs, INSERTED)
    assert watch.kinds(purse) == [ADDED]
    assert watch.kinds(customs) == [ADDED, INSERTED]


def test_both_readers_tell_their_own_cards(slots: Slots) -> None:
    purse, customs = (slots.reader(role) for role in Role)
    with Watch() as watch:
        slots.insert(Role.PURSE, ScriptedCard())
        watch.wait_for(purse, INSERTED)
        slots.insert(Role.CUSTOMS, ScriptedCard())
        watch.wait_for(customs, INSERTED)
        slots.remove(Role.PURSE)
        watch.wait_for(purse, REMOVED)
    assert watch.kinds(purse) == [ADDED, INSERTED, REMOVED]
    assert watch.kinds(customs) == [ADDED, INSERTED]


def test_a_card_exchanged_while_nobody_looked_is_another_card(slots: Slots) -> None:
    purse = slots.reader(Role.PURSE)
    told: list[EventKind] = []
    busy, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def listen(event: CardEvent) -> None:
        if event.reader != purse:
            return
        told.append(event.kind)
        if told == [ADDED, INSERTED]:
            busy.set()
            assert go_on.wait(WAIT_S)
        if told[2:] == [REMOVED, INSERTED]:
            done.set()

    slots.insert(Role.PURSE, ScriptedCard())
    monitor = CardMonitor(listen)
    monitor.start()
    assert busy.wait(WAIT_S)
    slots.insert(Role.PURSE, ScriptedCard())
    go_on.set()
    assert done.wait(WAIT_S)
    monitor.stop()
    assert told == [ADDED, INSERTED, REMOVED, INSERTED]


@pytest.mark.parametrize("round_", range(5))
def test_stop_is_prompt_and_leaves_no_thread(
    pcsc_readers: tuple[str, str], round_: int
) -> None:
    threads = set(threading.enumerate())
    with Watch() as watch:
        # Stopped right after an event, often before the next wait has begun.
        watch.wait_for(pcsc_readers[round_ % 2], ADDED)
        began = time.monotonic()
        watch.monitor.stop()
        assert time.monotonic() - began < PROMPT_S
        assert set(threading.enumerate()) == threads
        watch.monitor.stop()


@pytest.mark.usefixtures("private_pcscd")
def test_stop_at_once_and_stop_without_start() -> None:
    CardMonitor(lambda _event: None).stop()
    monitor = CardMonitor(lambda _event: None)
    monitor.start()
    began = time.monotonic()
    monitor.stop()
    assert time.monotonic() - began < PROMPT_S


def test_nothing_is_told_after_stop(slots: Slots) -> None:
    with Watch() as watch:
        watch.wait_for(slots.reader(Role.PURSE), ADDED)
    count = len(watch.told)
    slots.insert(Role.PURSE, ScriptedCard())
    assert len(watch.told) == count


class ScriptedService:
    """Stands for the service: answers a list of states, keeps what it was told."""

    def __init__(self, *rounds: tuple[int, int]) -> None:
        self.rounds = list(rounds)
        self.known: list[int] = []
        self.over = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(scard, name)

    def SCardListReaders(  # noqa: N802  pyscard's name
        self, _handle: int, _groups: list[str]
    ) -> tuple[int, list[str]]:
        return scard.SCARD_S_SUCCESS, ["Desk"]

    def SCardGetStatusChange(  # noqa: N802  pyscard's name
        self, _handle: int, _wait_ms: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        self.known.append(states[0][1])
        if not self.rounds:
            self.over.set()
            return scard.SCARD_E_CANCELLED, []
        code, state = self.rounds.pop(0)
        return code, [("Desk", state, []), (states[1][0], 0, [])]


def _tell(monkeypatch: pytest.MonkeyPatch, service: ScriptedService) -> list[EventKind]:
    monkeypatch.setattr(pcsc_monitor, "scard", service)
    with Watch() as watch:
        assert service.over.wait(WAIT_S)
    return watch.kinds("Desk")


@pytest.mark.usefixtures("private_pcscd")
@pytest.mark.parametrize(
    ("state", "told"),
    [
        pytest.param(
            scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_MUTE, [ADDED, INSERTED],
            id="card that does not answer",
        ),
        pytest.param(scard.SCARD_STATE_UNAVAILABLE, [ADDED], id="reader in trouble"),
    ],
)  # fmt: skip
def test_lasting_trouble_is_known_and_does_not_wake_us_again(
    monkeypatch: pytest.MonkeyPatch, state: int, told: list[EventKind]
) -> None:
    news = state | scard.SCARD_STATE_CHANGED | 1 << 16
    service = ScriptedService((scard.SCARD_S_SUCCESS, news))
    assert _tell(monkeypatch, service) == told
    assert service.known[:2] == [scard.SCARD_STATE_UNAWARE, state | 1 << 16]


@pytest.mark.usefixtures("private_pcscd")
def test_a_payment_on_a_card_does_not_wake_us(monkeypatch: pytest.MonkeyPatch) -> None:
    in_use = scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_EXCLUSIVE | 3 << 16
    service = ScriptedService((scard.SCARD_S_SUCCESS, in_use))
    _tell(monkeypatch, service)
    assert service.known[1] == scard.SCARD_STATE_PRESENT | 3 << 16


@pytest.mark.usefixtures("private_pcscd")
def test_the_first_exchange_since_the_service_began_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = scard.SCARD_STATE_PRESENT
    service = ScriptedService(
        (scard.SCARD_S_SUCCESS, present), (scard.SCARD_E_TIMEOUT, present | 2 << 16)
    )
    told = _tell(monkeypatch, service)
    assert told == [ADDED, INSERTED, REMOVED, INSERTED]


RESTART = """
import os, sys
from pathlib import Path
from card.pcsc_monitor import EventKind
from sim.pcscd import PrivatePCSCD
from tests.card_slots import Watch

link = Path(sys.argv[1]) / "run"
daemon = PrivatePCSCD()
with daemon:
    link.symlink_to(Path(daemon.environment["PCSCLITE_CSOCK_NAME"]).parent)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(link / "pcscd.comm")
    watch = Watch()
    watch.monitor.start()
    watch.wait_for(daemon.readers[1], EventKind.READER_ADDED)
watch.wait_for(daemon.readers[1], EventKind.READER_GONE)
with daemon:
    link.unlink()
    link.symlink_to(Path(daemon.environment["PCSCLITE_CSOCK_NAME"]).parent)
    watch.wait_for(daemon.readers[1], EventKind.READER_ADDED)
    watch.monitor.stop()
print(*watch.kinds(daemon.readers[1]), sep=", ")
"""

NO_SERVICE = """
import threading, time
from card.pcsc_monitor import CardMonitor
monitor = CardMonitor(print)
monitor.start()
began = time.monotonic()
monitor.stop()
print(time.monotonic() - began < 0.5, threading.active_count())
"""


def test_readers_go_and_come_back_with_the_service(
    tmp_path: os.PathLike[str], pytestconfig: pytest.Config
) -> None:
    said = _run(RESTART, str(tmp_path), PYTHONPATH=str(pytestconfig.rootpath))
    assert said.strip() == "reader added, reader gone, reader added"


def test_a_service_that_does_not_run_is_waited_for() -> None:
    said = _run(NO_SERVICE, PCSCLITE_CSOCK_NAME="/nowhere/pcscd.comm")
    assert said.split() == ["True", "1"]


def _run(program: str, *arguments: str, **environment: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
