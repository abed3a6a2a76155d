"""Where runs are played: a fork server, a bank to begin with, a folder in memory."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from settlement.store.books import BankStore
from sim.crash.children import ForkServer
from sim.crash.counter.run import play
from sim.crash.counter.stories import STORIES
from sim.crash.kill_points import compiled
from sim.owned_folder import OwnedFolder, remove_abandoned
from sim.world.bank import found_bank
from sim.world.clock import START
from sim.world.world import CUSTOMS, PURSES

if TYPE_CHECKING:
    from sim.crash.counter.run import Played
    from sim.crash.points import KillPoint

__all__ = ["COUNTER", "Stage", "quick_folder"]

COUNTER: Final = "sim.crash.counter.child:main"
"""The program that is killed; tests put others in its place."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  only to put a fresh folder of ours in
_PREFIX: Final = "raseed-crash-counter-"
_BOOKS: Final = "bank.sqlite"


def quick_folder() -> OwnedFolder:
    """A new folder, in memory where that can be: thousands of syncs go there.

    Folders of campaigns that were killed themselves are removed first.
    """
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    remove_abandoned(_PREFIX, where)
    return OwnedFolder(_PREFIX, where)


class Stage:
    """Plays runs one after the other, each with new cards, journal and bank."""

    def __init__(self, program: str = COUNTER) -> None:
        """Warm up.

        Args:
            program: ``module:function`` that runs as the counter.

        Raises:
            ShimError: the shim cannot be compiled.
        """
        with ExitStack() as stack:
            server = ForkServer(program, preload=compiled())
            self._server = stack.enter_context(server)
            owned = quick_folder()
            stack.callback(owned.remove)
            self._folder = owned.path
            new_bank = self._folder / "new"
            found_bank(new_bank, purses=PURSES, customs=CUSTOMS, now=START)
            self._new_books = new_bank / _BOOKS
            self._books = Path(shutil.copy(self._new_books, self._folder / _BOOKS))
            self._store = stack.enter_context(BankStore.open(self._books))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, story: str, kills: tuple[KillPoint, ...]) -> Played:
        """Play the story of that name, killed at ``kills``."""
        folder = self._folder / "run"
        (folder / "counter").mkdir(parents=True)
        # A closed store opens its file anew at the next use. So one store serves all
        # runs, and what SQLAlchemy has compiled is not compiled for each of them.
        self._store.close()
        shutil.copy(self._new_books, self._books)
        try:
            return play(
                self._server,
                STORIES[story],
                kills,
                folder=folder,
                store=self._store,
            )
        finally:
            shutil.rmtree(folder)
