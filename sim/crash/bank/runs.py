"""One run: its tasks are carried out, and after every call the bank is looked at."""

from __future__ import annotations

import hashlib
import random
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from settlement.audit_head import AuditHead
from settlement.upload import Collected, RecordRefused, Refused
from sim.crash.bank.calls import Ended, Script
from sim.crash.bank.changes import change, expected_refusal, refusable
from sim.crash.bank.host import Dies
from sim.crash.bank.lines import Dialling, Line
from sim.crash.bank.plans import Cargo, Leg
from sim.crash.bank.promises import Promises
from sim.crash.bank.stored import read_bank
from sim.crash.bank.verdict import (
    book_problems,
    card_problems,
    group_problems,
    look_problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.payment import PaymentRecord
    from settlement.upload import UploadEvent
    from sim.crash.bank.calls import Call
    from sim.crash.bank.changes import Incident
    from sim.crash.bank.counters import Delivery
    from sim.crash.bank.host import KillPoint
    from sim.crash.bank.lines import CallEnd
    from sim.crash.bank.plans import Plan, Task
    from sim.crash.bank.stored import Stored
    from sim.crash.bank.world import World

__all__ = ["Death", "Outcome", "run_plan"]

_KEY_BYTES: Final = 16
_LINE_NAMES: Final = ("first", "second")
_AUDIT_ENTRIES: Final = 40
_IN_ORDER: Final = 0
_KILLED: Final = -signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A host that was killed.

    Attributes:
        kill: the point at which.
        write: the call and the file, for a write; else None.
    """

    kill: KillPoint
    write: str | None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of one run.

    Attributes:
        plan: what was to happen.
        story: what happened, a line each, without a key or a card number.
        deaths: the hosts that were killed, in this order.
        violations: what must not be, in words.
        calls: how many were made.
        payments: how many were in the batches.
        refused: changed batches that the bank refused.
        settled: open records whose outcome the bank found by itself.
    """

    plan: Plan
    story: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    calls: int = 0
    payments: int = 0
    refused: int = 0
    settled: int = 0


def run_plan(world: World, plan: Plan) -> Outcome:
    """Carry out one run on a bank of its own; it ends at the first violation."""
    return _Run(world, plan).run()


class _Run:
    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._counter = world.counters[plan.subject.counter]
        self._deliveries = world.deliveries(plan.subject)
        self._rng = random.Random(f"{world.seed}/{plan.number}/keys")
        self._bank = world.fresh_bank("bank")
        self._promises = Promises()
        self._collected: dict[int, Collected] = {}
        self._incidents: set[Incident] = set()
        self._events: list[UploadEvent] = []
        self._outcome = Outcome(plan=plan)
        self._stored = world.untouched

    def run(self) -> Outcome:
        outcome = self._outcome
        numbers = " and ".join(str(d.batch.close.batch) for d in self._deliveries)
        outcome.payments = sum(len(d.batch.payments) for d in self._deliveries)
        self._tell(
            f"run {self._plan.number} of seed {self._world.seed}, {self._plan.kind}: "
            f"batch {numbers} of {self._counter.terminal_id}"
        )
        for task in self._plan.tasks:
            self._carry_out(task)
            if outcome.violations:
                return outcome
        outcome.settled = self._stored.settled
        self._must_not(book_problems(self._stored, self._deliveries, self._incidents))
        customs = self._counter.customs_card()
        self._must_not(
            card_problems(customs, self._collected, self._events, self._deliveries)
        )
        return outcome

    def _carry_out(self, task: Task) -> None:
        cargo = task.cargo
        if cargo.is_changed:
            cargo = refusable(cargo, self._deliveries[0].batch, self._stored)
        self._tell(f"the terminal sends {cargo}")
        dialling = self._dialling(cargo)
        lines = [
            Line(name, legs, dialling)
            for name, legs in zip(_LINE_NAMES, task.lines, strict=False)
        ]
        self._serve(lines, cargo, task.head_start)
        done = any(line.through for line in lines) or not self._cargo(cargo)
        if done or not task.finishes or self._outcome.violations:
            return
        last = Leg(script=Script(window=self._plan.subject.window))
        line = Line("last", [last], dialling)
        self._serve([line], cargo)
        if not line.through:
            self._must_not(["the batches do not go up, though nothing stops them"])

    def _dialling(self, cargo: Cargo) -> Dialling:
        def note(
            delivery: Delivery, data: bytes, payments: Sequence[PaymentRecord]
        ) -> None:
            if not cargo.is_changed:
                self._must_not(self._promises.note(delivery, data, payments))

        return Dialling(
            world=self._world,
            bank=self._bank,
            terminal_id=self._counter.terminal_id,
            session_key=lambda: self._rng.randbytes(_KEY_BYTES),
            on_answer=note,
        )

    def _cargo(self, cargo: Cargo) -> list[Delivery]:
        """What is to be sent; what was collected goes up again only when asked."""
        head = self._audit_head()
        deliveries = [
            replace(one, batch=replace(one.batch, audit_head=head))
            for one in self._deliveries
        ]
        if cargo.is_changed:
            first = deliveries[0]
            return [replace(first, batch=change(cargo, first.batch))]
        return [
            delivery
            for delivery in deliveries
            if cargo is Cargo.AGAIN or delivery.batch.close.batch not in self._collected
        ]

    def _audit_head(self) -> AuditHead:
        """Where the terminal's log stands: it grows from call to call.

        Not in a race: of two calls at once the bank would hear in either order.
        """
        race = self._plan.kind.is_race
        entries = _AUDIT_ENTRIES + (0 if race else self._outcome.calls)
        link = hashlib.sha256(entries.to_bytes(4)).digest()
        return AuditHead(journal=self._counter.mid, entries=entries, digest=link)

    def _serve(self, lines: list[Line], cargo: Cargo, head_start: int = 0) -> None:
        """Let the lines take turns until none has anything to do."""
        turn = 0
        try:
            while going := [
                line
                for line in (lines if turn >= head_start else lines[:1])
                if self._goes_on(line, cargo)
            ]:
                turn += 1
                self._take_turn(going, lines, cargo)
        finally:
            for line in lines:
                line.drop()

    def _take_turn(self, going: list[Line], lines: list[Line], cargo: Cargo) -> None:
        """All say something before any hears an answer: so hosts work at once."""
        for line in going:
            line.say()
        for line in going:
            ended = line.hear()
            if ended is not None:
                raced = len(lines) > 1
                alone = not any(other.is_busy for other in lines)
                self._take(line, ended, cargo, alone=alone, raced=raced)

    def _goes_on(self, line: Line, cargo: Cargo) -> bool:
        """Whether a line has a call, or can begin one."""
        if self._outcome.violations:
            return False
        if line.is_busy:
            return True
        deliveries = self._cargo(cargo)
        if line.is_over or not deliveries:
            return False
        self._outcome.calls += 1
        self._tell(line.dial(deliveries, self._outcome.calls))
        return True

    def _take(
        self, line: Line, ended: CallEnd, cargo: Cargo, *, alone: bool, raced: bool
    ) -> None:
        """What a call has brought, and what its host has left behind."""
        call = ended.call
        if raced:
            self._tell(f"what was said on the {line.name} line:")
        self._outcome.story += call.story
        self._must_not(call.problems)
        self._bury(ended)
        line.through = call.ended is Ended.DONE
        if cargo.is_changed:
            self._judge_refusal(call, cargo, line)
        else:
            self._collected |= call.collected()
            self._events += [event for _, event in call.events]
            refused = [e for _, e in call.events if isinstance(e, Refused)]
            self._must_not(f"the bank refuses: {e.code} {e.text}" for e in refused)
        if not alone:
            return
        before, self._stored = self._stored, self._read()
        self._must_not(look_problems(self._stored, self._promises, self._deliveries))
        if not raced and not cargo.is_changed:
            self._must_not(group_problems(before, self._stored, call))

    def _judge_refusal(self, call: Call, cargo: Cargo, line: Line) -> None:
        """A changed batch is refused as a whole, or its altered payment is."""
        batch = self._deliveries[0].batch
        code, incident = expected_refusal(cargo, batch)
        refusal = RecordRefused if cargo is Cargo.ALTERED else Refused
        codes = [e.code for _, e in call.events if isinstance(e, refusal)]
        if cargo is Cargo.ALTERED:
            # What was suspended is told each time; the altered payment is the first.
            codes = codes[:1]
        if line.through and codes != [code]:
            self._must_not([f"{cargo} is answered {codes}, not {code}"])
        if line.through:
            self._incidents.add(incident)
            self._outcome.refused += 1

    def _bury(self, ended: CallEnd) -> None:
        kill = ended.leg.kill
        if ended.code == _IN_ORDER:
            return
        if ended.code != _KILLED or kill is None:
            self._must_not([f"the host ended with {ended.code}"])
            return
        write = str(ended.writes[-1]) if kill.dies is Dies.WRITE else None
        self._outcome.deaths.append(Death(kill=kill, write=write))
        self._tell(f"  killed {kill}" + (f": {write}" if write else ""))

    def _read(self) -> Stored:
        return read_bank(self._bank, self._world.folder / "looked-at")

    def _must_not(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self._outcome.violations.append(problem)
            self._tell(f"VIOLATION: {problem}")

    def _tell(self, words: str) -> None:
        self._outcome.story.append(words)
