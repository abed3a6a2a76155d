"""The installed program on real PC/SC readers: pcscd, pyscard, a card behind vpcd."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from card.pcsc_monitor import CardEvent, CardMonitor, EventKind
from sim.cards.vpcd import VPCDCard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.pcscd import PrivatePCSCD

    World = Any

WAIT_S = 20
PIN = "731946"
PROGRAM = "from settlement.commands.card_desk import main; main()"


@pytest.fixture
def card_seen(branch: World, private_pcscd: PrivatePCSCD) -> Iterator[str]:
    """The branch's blank purse in the first reader; the reader's name."""
    reader = private_pcscd.readers[0]
    events: queue.Queue[CardEvent] = queue.Queue()
    monitor = CardMonitor(events.put)
    monitor.start()

    def wait_for(kind: EventKind) -> None:
        while events.get(timeout=WAIT_S) != CardEvent(reader=reader, kind=kind):
            pass

    slot = VPCDCard(branch.purse.card, private_pcscd.port)
    slot.insert()
    wait_for(EventKind.INSERTED)
    yield reader
    slot.close()
    wait_for(EventKind.REMOVED)
    monitor.stop()


def _desk(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own fixed words
        [sys.executable, "-c", PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
        timeout=60,
    )


@pytest.mark.pcsc
def test_a_card_is_issued_and_loaded_on_a_real_reader(
    branch: World, card_seen: str
) -> None:
    made = _desk(
        *("personalise", "--account", "100200300", "--reader", card_seen),
        "--pin-stdin",
        stdin=f"{PIN}\n",
    )
    assert made.returncode == 0, made.stderr
    loaded = _desk(
        *("load", "12.500", "--reader", "purse", "--pin-stdin", "--json"),
        stdin=f"{PIN}\n",
    )
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["balance_minor"] == 12_500
    empty = _desk("show", "--reader", "00 01")
    assert empty.returncode == 1
    assert "There is no card in" in empty.stderr
    unknown = _desk("show", "--reader", "no such reader")
    assert unknown.returncode == 1
    assert f"Readers connected: {card_seen}" in unknown.stderr
    branch.said += [made.stdout, made.stderr, loaded.stdout, loaded.stderr]
