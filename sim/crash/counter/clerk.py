"""The clerk of a story: does its steps, believes what the program says, and judges it.

A payment that was told as paid is never taken again, one that was told as not paid is;
and when the program says nothing about a payment after a restart, the clerk takes it
for one that was never begun. So whatever the program hides, or tells wrongly, ends in a
payment that is debited twice or not at all, and is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from card.profile import Role
from sim.crash.counter.errors import KilledError, ViolationError
from sim.crash.counter.program import MortalProgram
from sim.crash.counter.stories import EndOfDay, Pay, Reinsert, Restart
from terminal.day import DayVerdict
from terminal.orders import RecoveryVerdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sim.crash.children import ForkServer
    from sim.crash.counter.stories import Step, Story
    from sim.crash.counter.world import CounterWorld
    from sim.crash.points import KillPoint

__all__ = ["Clerk"]

_ATTEMPTS_MAX: Final = 6
"""How often a step is tried again after the program gave an answer that is no end."""
_PIN: Final = "1234"


class Clerk:
    """One clerk with one story.

    Attributes:
        program: what the clerk works with.
    """

    def __init__(
        self,
        server: ForkServer,
        world: CounterWorld,
        kills: tuple[KillPoint, ...],
        *,
        folder: Path,
    ) -> None:
        """Sit down before the program; see `MortalProgram`."""
        self._world = world
        self._kills = kills
        self._known: dict[str, str] = {}
        self.program: Final = MortalProgram(server, world, kills, folder=folder)

    def play(self, story: Story) -> None:
        """Do every step, whatever happens to the program."""
        for step in story.steps:
            self._do(step)
        self.program.stop()

    def _do(self, step: Step) -> None:
        match step:
            case Pay():
                self._until_done(lambda attempt: self._pay(step, attempt))
            case EndOfDay():
                self._world.is_line_dead = step.is_line_dead
                self._until_done(lambda _: self._close(step))
                self._world.is_line_dead = False
            case Reinsert(role=role):
                self._until_done(lambda _: self._reinsert(role))
            case Restart():
                self.program.stop()

    def _until_done(self, action: Callable[[int], bool]) -> None:
        """Try a step until it says that it is done; a killed program is restarted."""
        for attempt in range(_ATTEMPTS_MAX + len(self._kills)):
            try:
                self._hear_news(self.program.switch_on())
                if action(attempt):
                    return
            except KilledError:
                self.program.bury()
        raise ViolationError("the step never ends")

    def _pay(self, step: Pay, attempt: int) -> bool:
        name = step.declaration
        if self._known.get(name) == "paid":
            return True
        self._put_in(Role.CUSTOMS, 0)
        self._put_in(Role.PURSE, step.purse)
        if self._known.get(name) == "unknown":
            self._reinsert(Role.PURSE)
        if self._known.get(name) in {"paid", "unknown"}:
            return self._known[name] == "paid"
        if attempt == 0:
            self._world.arm_tear(step.tear)
        answer = self.program.talk(
            {
                "do": "pay",
                "declaration": name,
                "amount": step.amount,
                "pin": step.first_pin if attempt == 0 else _PIN,
            }
        )
        self._hear_result(name, answer)
        self._put_in(Role.CUSTOMS, 0)
        self._put_in(Role.PURSE, step.purse)
        return self._known.get(name) == "paid"

    def _hear_result(self, name: str, answer: dict[str, Any]) -> None:
        told = answer["told"]
        self.program.told.append(f"{name[-1]} {told}")
        debited = self._world.truth.debited(name)
        right = {"paid": 1, "refused": 0, "problem": 0}
        if debited > 1 or right.get(told, debited) != debited:
            # Also refused for an earlier payment: its end was to be told first.
            reason = f" ({answer['reason']})" if "reason" in answer else ""
            raise ViolationError(
                f"{name} was told as {told}{reason}, debited {debited} times"
            )
        if told != "problem":
            self._known[name] = "not-paid" if told == "refused" else told

    def _hear_news(self, news: list[dict[str, Any]]) -> None:
        for one in news:
            name, verdict = one["declaration"], one["verdict"]
            self.program.told.append(f"{name[-1:]} {verdict} after all")
            debited = self._world.truth.debited(name)
            right = {RecoveryVerdict.PAID: 1, RecoveryVerdict.NOT_PAID: 0}
            if not name:
                raise ViolationError("the journal did not know an open record")
            if debited > 1 or right.get(verdict, debited) != debited:
                raise ViolationError(
                    f"{name} was told as {verdict}, debited {debited} times"
                )
            ends = {RecoveryVerdict.PAID: "paid", RecoveryVerdict.NOT_PAID: "not-paid"}
            self._known[name] = ends.get(verdict, "unknown")

    def _reinsert(self, role: Role) -> bool:
        card = self._world.card_in(role)
        assert card is not None, "the clerk puts cards back"
        self._world.remove(role)
        try:
            self.program.talk({"do": "removed", "role": role})
        finally:
            # A card lies in its reader again, also when the program died meanwhile.
            self._world.insert(role, card)
        self._hear_news(self.program.talk({"do": "inserted", "role": role}))
        return True

    def _put_in(self, role: Role, number: int) -> None:
        """See to it that a card lies in its reader, and tell the program."""
        world = self._world
        wanted = world.customs if role is Role.CUSTOMS else world.purses[number]
        if world.card_in(role) is wanted:
            return
        if world.card_in(role) is not None:
            world.remove(role)
            self.program.talk({"do": "removed", "role": role})
        world.insert(role, wanted)
        self._hear_news(self.program.talk({"do": "inserted", "role": role}))

    def _close(self, step: EndOfDay) -> bool:
        self._put_in(Role.CUSTOMS, 0)
        result = self.program.talk({"do": "close"})
        verdict = DayVerdict(result["verdict"])
        self.program.told.append(verdict.value)
        match verdict:
            case DayVerdict.REFUSED:
                raise ViolationError("the bank refused a batch")
            case DayVerdict.PENDING:
                return step.is_line_dead
            case DayVerdict.COLLECTED | DayVerdict.NOTHING_TO_SEND:
                if result["waiting"] or result["suspended"]:
                    raise ViolationError(f"told as {verdict}, but a batch waits")
                if self._world.truth.held_minor:
                    raise ViolationError(f"told as {verdict}, but value is held")
        return True
