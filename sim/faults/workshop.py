"""Where worlds are built, one after the other, thousands of them.

A story's beginning happens once; each of its scenarios then begins from a copy of what
the beginning left on disks and chips. Everything lies in memory, so that a scenario
costs milliseconds.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sim.faults.scenario import Outcome, Scenario, happen
from sim.world.bank import WorldBank, found_bank, open_books
from sim.world.clock import START
from sim.world.people import People
from sim.world.world import CUSTOMS, PURSES, World

if TYPE_CHECKING:
    from types import TracebackType

    from sim.faults.stories import Story
    from sim.world.clerk import Clerk
    from sim.world.world import WorldImage

__all__ = ["Workshop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A world after the beginning of a story, to begin from again and again.

    Attributes:
        folder: a copy of all that the counter and the bank keep.
        image: what its chips hold.
        clerk: who knows what happened.
    """

    folder: Path
    image: WorldImage
    clerk: Clerk


class Workshop:
    """A folder in memory with one world in it at a time."""

    def __init__(self) -> None:
        """Make the folder; `close` removes it."""
        memory = Path("/dev/shm")  # noqa: S108  a fresh folder of our own in it
        place = memory if memory.is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="raseed-faults-", dir=place))
        self._template = self._folder / "template"
        self._world_folder = self._folder / "world"
        for folder in (self._template, self._world_folder):
            found_bank(folder, purses=PURSES, customs=CUSTOMS, now=START)
        self._store = open_books(self._world_folder)
        self._begun: dict[str, _Begun] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; may be called again."""
        self._store.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def people(self, story: Story) -> People:
        """A world after the beginning of ``story``, switched off, with its people.

        It stands until the next one is asked for; switch it off before.
        """
        begun = self._begun.get(story.name)
        if begun is None:
            begun = self._begun[story.name] = self._begin(story)
        world = self._world(begun.folder, story, begun.image)
        return People.of(world, begun.clerk)

    def run(self, scenario: Scenario) -> Outcome:
        """Build the world of a scenario, let it happen, and judge it."""
        people = self.people(scenario.story)
        try:
            return happen(scenario, people)
        finally:
            people.world.switch_off()

    def _begin(self, story: Story) -> _Begun:
        world = self._world(self._template, story, None)
        people = People.of(world)
        people.clerk.switch_on()
        story.begin(people)
        people.check()
        assert not people.chronicle.violations, "nothing can fail in a beginning"
        world.switch_off()
        self._store.close()
        folder = self._folder / story.name
        shutil.copytree(self._world_folder, folder)
        return _Begun(folder=folder, image=world.image(), clerk=people.clerk)

    def _world(self, template: Path, story: Story, image: WorldImage | None) -> World:
        folder = self._world_folder
        shutil.rmtree(folder / "state", ignore_errors=True)
        if image is not None:
            shutil.copytree(template / "state", folder / "state")
        world = World(folder, image)
        if story.has_bank:
            self._store.refill(template, folder, world.fate)
            world.bank = WorldBank(self._store, folder, world.clock)
        return world
