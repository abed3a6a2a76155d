"""The hosts of a soak: started, killed by plan, started again, and measured."""

from __future__ import annotations

import multiprocessing
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sim.soak.host import serve

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess
    from types import TracebackType

__all__ = ["Hosts", "Usage"]

_SPAWN: Final = multiprocessing.get_context("spawn")
_END_S: Final = 10
_SETTLED_S: Final = 15.0
"""After so long a host has imported, prepared and cached what it ever will."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """What the one host that is never killed held, of memory and of open files.

    Attributes:
        settled_mb: resident, when it had settled; None when it did not live so long.
        last_mb: resident, when it was last looked at.
        files_max: open files, at most.
    """

    settled_mb: float | None = None
    last_mb: float = 0.0
    files_max: int = 0


@dataclass(slots=True)
class Hosts:
    """Some hosts on one database; the first one is never killed.

    Attributes:
        url: of the database.
        folder: for their sockets.
        count: how many.
        kill_s: seconds between two kills, on average; 0 for none.
        seed: of when and whom.
    """

    url: str
    folder: Path
    count: int
    kill_s: float
    seed: int
    kills: int = 0
    usage: Usage = field(default_factory=Usage)
    _processes: list[SpawnProcess] = field(default_factory=list)
    _source: random.Random = field(init=False)
    _next_kill_s: float = 0.0

    def __enter__(self) -> Self:
        self._source = random.Random(self.seed)
        self._next_kill_s = self._pause()
        self._processes = [self._start(at) for at in range(self.count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
            process.kill()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where they answer."""
        return tuple(str(self.folder / f"host-{at}") for at in range(self.count))

    def tick(self, elapsed_s: float) -> None:
        """Do what is due; call it often.

        Args:
            elapsed_s: since the hosts were started.
        """
        for at, process in enumerate(self._processes):
            if not process.is_alive():
                self._processes[at] = self._start(at)
        self._look(elapsed_s)
        if self.kill_s and self.count > 1 and elapsed_s >= self._next_kill_s:
            at = self._source.randrange(1, self.count)
            self._processes[at].kill()
            self._processes[at].join()
            self.kills += 1
            self._next_kill_s = elapsed_s + self._pause()

    def _pause(self) -> float:
        return self._source.expovariate(1 / self.kill_s) if self.kill_s else 0.0

    def _start(self, at: int) -> SpawnProcess:
        address = self.addresses[at]
        # A host that was killed leaves its socket behind.
        Path(address).unlink(missing_ok=True)
        process = _SPAWN.Process(target=serve, args=(self.url, address), daemon=True)
        process.start()
        return process

    def _look(self, elapsed_s: float) -> None:
        place = Path(f"/proc/{self._processes[0].pid}")
        pages = int((place / "statm").read_text().split()[1])
        self.usage.last_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        files = len(list((place / "fd").iterdir()))
        self.usage.files_max = max(self.usage.files_max, files)
        if self.usage.settled_mb is None and elapsed_s >= _SETTLED_S:
            self.usage.settled_mb = self.usage.last_mb
