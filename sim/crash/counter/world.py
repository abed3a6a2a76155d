"""What survives the counter's program: the cards, the bank, and the line between.

`CounterWorld.talk` gives the program a task and serves whatever it asks until it
reports. Every command and every step of a call is counted, and at the chosen one the
program is killed: before card or bank got it, or after they have carried it out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from card.profile import Role
from settlement.intake import IntakeMachine
from sim.cards.issue import issue_customs_card, issue_purse
from sim.crash.counter.child import REPORT, TASK
from sim.crash.counter.errors import KilledError, ProgramFailedError
from sim.crash.counter.truth import Truth
from sim.crash.counter.wire import NO, ROLES, SILENT, YES
from sim.crash.errors import LineEndedError
from sim.crash.fork_server import FAILED
from sim.crash.frames import Frame
from sim.crash.kill_points import Moment
from sim.crash.points import PointKind
from sim.world.bank import TERMINAL_ID
from sim.world.world import CUSTOMS, PURSES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.bank import Bank
    from sim.cards.customs import SimulatedCustomsCard
    from sim.cards.purse import SimulatedPurse
    from sim.crash.children import Child
    from sim.crash.counter.stories import Tear
    from sim.crash.points import KillPoint

__all__ = ["CounterWorld"]

_SESSION_KEY: Final = bytes(range(0x60, 0x70))
_SESSION_BYTES: Final = 4


@dataclass(slots=True)
class _Slot:
    """One reader.

    Attributes:
        session: of the card's last power-up; commands of older ones do not reach it.
    """

    card: SimulatedPurse | SimulatedCustomsCard | None
    session: int = 0
    is_on: bool = False


class CounterWorld:
    """See the module.

    Attributes:
        truth: what the cards have really done.
        counts: how many points of each kind were passed since the last kill.
        passed: what each point was, in words; for the stories' first run.
        is_line_dead: no call comes about.
    """

    def __init__(self, bank: Bank, clock: Callable[[], datetime]) -> None:
        """New cards, the first purse and the customs card in their readers."""
        self.purses: Final = [issue_purse(None, data) for data in PURSES]
        self.customs: Final = issue_customs_card(None, CUSTOMS)
        self.truth: Final = Truth(self.purses, self.customs)
        self.counts = {PointKind.APDU: 0, PointKind.LINK: 0}
        self.passed: dict[PointKind, list[str]] = {
            PointKind.APDU: [],
            PointKind.LINK: [],
        }
        self.is_line_dead = False
        self._bank = bank
        self._clock = clock
        self._slots = {
            Role.PURSE: _Slot(self.purses[0]),
            Role.CUSTOMS: _Slot(self.customs),
        }
        self._kill: KillPoint | None = None
        self._tear: Tear | None = None
        self._intake: IntakeMachine | None = None
        self._answers: deque[bytes] = deque()
        self._sessions = 0

    def arm(self, kill: KillPoint | None) -> None:
        """Count points from now on, and kill at ``kill``."""
        self._kill = kill
        self.counts = dict.fromkeys(self.counts, 0)

    def arm_tear(self, tear: Tear | None) -> None:
        """Tear a card out at the next command that ``tear`` speaks of."""
        self._tear = tear

    def insert(self, role: Role, card: SimulatedPurse | SimulatedCustomsCard) -> None:
        """Put a card into its reader."""
        self._slots[role].card = card

    def remove(self, role: Role) -> None:
        """Take a card out; it loses its power."""
        self._power_off(self._slots[role])
        self._slots[role].card = None

    def card_in(self, role: Role) -> SimulatedPurse | SimulatedCustomsCard | None:
        """What lies in a reader."""
        return self._slots[role].card

    def power_off(self) -> None:
        """The program has ended: cards lose their power, the call is lost."""
        for slot in self._slots.values():
            self._power_off(slot)
        self._hang_up()

    def talk(self, child: Child, task: dict[str, Any]) -> Any:
        """Give the program a task and serve it until it reports.

        Raises:
            KilledError: it was killed on the way.
            ProgramFailedError: it raised.
        """
        try:
            child.line.send(Frame.of(TASK, task))
            while True:
                frame = child.line.receive()
                if frame.kind == REPORT:
                    return frame.document()
                if frame.kind == FAILED:
                    raise ProgramFailedError(frame.body.decode())
                child.line.send(self._answer(child, frame))
        except LineEndedError:
            raise KilledError from None

    def _answer(self, child: Child, frame: Frame) -> Frame:
        match frame.kind:
            case "on":
                return self._on(self._slots[ROLES[frame.body[0]]])
            case "off":
                return self._off(frame.body)
            case "apdu":
                return self._apdu(child, frame.body)
            case _:
                return self._link(child, frame)

    # Cards.

    def _on(self, slot: _Slot) -> Frame:
        if slot.card is None:
            return Frame(NO)
        self._power_off(slot)
        self._sessions += 1
        slot.session, slot.is_on = self._sessions, True
        return Frame(YES, self._sessions.to_bytes(_SESSION_BYTES, "big"))

    def _off(self, body: bytes) -> Frame:
        for slot in self._slots.values():
            if slot.session == int.from_bytes(body, "big"):
                self._power_off(slot)
        return Frame(YES)

    def _apdu(self, child: Child, body: bytes) -> Frame:
        session = int.from_bytes(body[:_SESSION_BYTES], "big")
        command = body[_SESSION_BYTES:]
        role = next((r for r in ROLES if self._slots[r].session == session), None)
        if role is None or not self._slots[role].is_on:
            return Frame(NO)
        slot = self._slots[role]
        assert slot.card is not None, "a card that has power is there"
        name = f"{command[1]:02X} to the {role} card"
        return self._at_point(
            child, PointKind.APDU, name, lambda: self._carry_out(role, command)
        )

    def _carry_out(self, role: Role, command: bytes) -> Frame:
        slot = self._slots[role]
        assert slot.card is not None, "a card that has power is there"
        tear = self._tear
        if tear is not None and (tear.role, tear.ins) == (role, command[1]):
            self._tear = None
            if tear.arrives:
                self._process(slot.card, command)
            self.remove(role)
            return Frame(NO)
        return Frame(YES, self._process(slot.card, command))

    def _process(
        self, card: SimulatedPurse | SimulatedCustomsCard, command: bytes
    ) -> bytes:
        answer = card.process(command)
        self.truth.look()
        return answer

    @staticmethod
    def _power_off(slot: _Slot) -> None:
        if slot.card is not None:
            slot.card.reset()
        slot.is_on = False

    # The line.

    def _link(self, child: Child, frame: Frame) -> Frame:
        actions: dict[str, Callable[[], Frame]] = {
            "dial": self._dial,
            "send": lambda: self._send(frame.body),
            "receive": self._receive,
            "hang-up": self._hang_up,
        }
        name = frame.kind
        if name == "send":
            name = f"send {frame.body[:4].decode('ascii')}"
        return self._at_point(child, PointKind.LINK, name, actions[frame.kind])

    def _dial(self) -> Frame:
        if self.is_line_dead:
            return Frame(NO)
        self._intake = IntakeMachine(TERMINAL_ID, self._bank, _SESSION_KEY)
        return Frame(YES)

    def _send(self, message: bytes) -> Frame:
        if self._intake is None:
            return Frame(NO)
        self._answers.extend(self._intake.receive(message, self._clock()))
        return Frame(YES)

    def _receive(self) -> Frame:
        if self._answers:
            return Frame(YES, self._answers.popleft())
        return Frame(NO if self._intake is None else SILENT)

    def _hang_up(self) -> Frame:
        self._intake = None
        self._answers.clear()
        return Frame(YES)

    # Points.

    def _at_point(
        self, child: Child, kind: PointKind, name: str, action: Callable[[], Frame]
    ) -> Frame:
        self.counts[kind] += 1
        self.passed[kind].append(name)
        kill = self._kill
        strikes = (
            kill is not None and kill.kind is kind and kill.at == self.counts[kind]
        )
        if not strikes:
            return action()
        assert kill is not None, "it strikes"
        if kill.moment is not Moment.BEFORE:
            action()
        child.kill()
        raise KilledError
