"""A host under the soak: the bank, its intake machines and its poster, over sockets.

It does what `settlement.host` does for each call, over a socket of its own in place of
line and TLS. Whoever calls says first which terminal it is, as a certificate would.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Listener
from typing import TYPE_CHECKING, Final

from settlement.bank import Bank
from settlement.intake import GROUP_MAX, IntakeMachine
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.poster import Poster, PostingFailed
from settlement.store.books import BankStore
from sim.nation.country import NOW

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from settlement.poster import PosterEvent

__all__ = ["serve"]

_CALLS_WAITING: Final = 64
_GROUPS_MAX: Final = 2
"""So that one of several calls at once is only received, and posted later."""
_ROUND_S: Final = 0.5
_KEY_BYTES: Final = 16


def serve(url: str, address: str) -> None:
    """Serve calls at a socket until killed or ended by SIGTERM."""
    with (
        BankStore.open(url) as store,
        Listener(address, "AF_UNIX", backlog=_CALLS_WAITING) as door,
    ):
        bank = Bank(store, MasterKeyStore(TEST_MASTERS), groups_max=_GROUPS_MAX)
        poster = Poster(bank.desk, clock=lambda: NOW, tell=_tell)
        over = threading.Event()
        threading.Thread(target=poster.run, args=(over, _ROUND_S), daemon=True).start()
        while True:
            call = door.accept()
            threading.Thread(target=_answer, args=(bank, call), daemon=True).start()


def _answer(bank: Bank, call: Connection) -> None:
    """One call, until its terminal is through or gone."""
    with call, suppress(EOFError, ConnectionError):
        machine = IntakeMachine(call.recv(), bank, os.urandom(_KEY_BYTES))
        while True:
            arrived = call.recv()
            assert len(arrived) <= GROUP_MAX, "no terminal sends so many at once"
            call.send(list(machine.receive_group(arrived, NOW)))


def _tell(event: PosterEvent) -> None:
    # What waits for another host's locks is tried again; the verdict counts the rest.
    if isinstance(event, PostingFailed) and "cannot be used now" not in event.reason:
        print(f"a host: {event.reason}", flush=True)  # noqa: T201  the soak's own log
