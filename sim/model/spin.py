"""The door to Spin and the compiler: a case in, pan's report or a story out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sim.model.pan_report import PanReport, PanReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.model.cases import Case

__all__ = ["DEPTH_MAX", "Spin", "SpinError"]

_MODEL: Final = Path(__file__).with_name("payment.pml")
_TRAIL: Final = "payment.pml.trail"
DEPTH_MAX: Final = 100_000
"""Steps of one history; pan says when they are too few, and then is not believed."""
_MEMORY_MAX_MB: Final = 2800
_SECONDS_MAX: Final = 1200
_STORY_MARK: Final = "| "


class SpinError(Exception):
    """Spin, the compiler or pan could not do it; nothing was searched."""


class Spin:
    """Searches cases, each in a folder of its own under ``folder``."""

    def __init__(
        self, folder: Path, *, is_quick: bool = False, depth_max: int = DEPTH_MAX
    ) -> None:
        """Work in ``folder``, which is made when it is not there.

        Args:
            folder: one folder a case; an earlier one of the same case is replaced.
            is_quick: the searches are small, so do not spend time on compiling them.
            depth_max: steps of one history, at most.

        Raises:
            SpinError: spin or gcc is not installed.
        """
        for tool in ("spin", "gcc"):
            if shutil.which(tool) is None:
                raise SpinError(f"{tool} is not installed; `make packages` installs it")
        self._folder = folder.resolve()
        self._is_quick = is_quick
        self._depth_max = depth_max

    def search(self, case: Case) -> PanReport:
        """Search ``case`` through.

        Raises:
            SpinError: it could not be made or run, or pan's report could not be read.
        """
        folder = self._place(case)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._run(folder, "spin", *_defines(case), "-a", str(_MODEL))
        self._run(folder, "gcc", *self._options(case), "-o", "pan", "pan.c")
        said = self._run(folder, "./pan", f"-m{self._depth_max}")
        (folder / "pan.txt").write_text(said, encoding="utf-8")
        try:
            return PanReport.parse(said)
        except PanReportError as error:
            raise SpinError(f"{case.name}: {error}") from error

    def story(self, case: Case) -> list[str]:
        """The history that `search` found, line by line, as the model tells it.

        Raises:
            SpinError: there is none, or it could not be followed.
        """
        folder = self._place(case)
        if not (folder / _TRAIL).exists():
            raise SpinError(f"{case.name}: nothing was found, so there is no story")
        follow = ("-k", _TRAIL, "-t", "-T", *_defines(case), str(_MODEL))
        said = self._run(folder, "spin", *follow)
        return [
            line.strip().removeprefix(_STORY_MARK)
            for line in said.splitlines()
            if line.strip().startswith(_STORY_MARK)
        ]

    def _options(self, case: Case) -> Sequence[str]:
        # Every step touches what all share: partial order reduction gains nothing.
        speed = ["-O0" if self._is_quick or case.is_short else "-O2"]
        # Breadth first finds the shortest story.
        speed += ["-DBFS"] if case.is_short else []
        limit = f"-DMEMLIM={_MEMORY_MAX_MB}"
        return ("-w", *speed, "-DSAFETY", "-DNOREDUCE", limit)

    def _place(self, case: Case) -> Path:
        return self._folder / f"{case.kind.value}-{case.name}"

    def _run(self, folder: Path, *words: str) -> str:
        try:
            ended = subprocess.run(  # noqa: S603  our own fixed words
                words,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SpinError(f"{words[0]} took more than {_SECONDS_MAX} s") from error
        # All three end with 0 also when an assertion was violated.
        if ended.returncode != 0:
            raise SpinError(f"{words[0]}: {(ended.stdout + ended.stderr)[:500]}")
        return ended.stdout


def _defines(case: Case) -> list[str]:
    return [f"-D{name}" for name in case.defines]
