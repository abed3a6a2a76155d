"""What both card applications share: reading a command, the order of checks, SELECT.

Theory of operation: a `Row` describes one command of the profile. `process` finds the
row and checks in the profile's order: CLA 6E00, INS 6D00, P1 P2 6A86, Lc 6700, not
selected 6985, state 01 6985. What follows is the command's own and stands in its
handler, which returns the response data or raises `Refused`. A command that fails the
common checks was none, and changes nothing, except that a command of class 84 with an
instruction of the card spends the challenge whatever refuses it. Le is never looked at:
it is optional, and under T=1 the answer always comes whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.profile import INS, PROFILE_VERSION, CardState, Tag
from card.sw import SW
from sim.cards.errors import MemoryFailureError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from sim.cards.memory import Memory

__all__ = [
    "NO_DATA",
    "PROTECTED",
    "Application",
    "Command",
    "Refused",
    "Row",
    "Runtime",
    "exactly",
    "tlv",
]

STATE: Final = "state"
CHALLENGE_BYTES: Final = 8
PROTECTED: Final = 0x84
"""Class of the commands that need a challenge and carry a MAC."""
NO_DATA: Final = frozenset({0})
_AID_BYTES: Final = range(1, 17)
_CLASSES: Final = frozenset({0x00, 0x80})
"""Classes of the profile that hold for every card; 84 goes with its own commands."""


class Refused(Exception):  # noqa: N818  an answer of the card, not an error
    """The command ends with a status word other than 9000."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command that has passed the common checks.

    Attributes:
        header: CLA INS P1 P2.
        challenge: the Rc that a command of class 84 spends; None when there was none.
    """

    header: bytes
    data: bytes = field(repr=False)
    challenge: bytes | None = field(default=None, repr=False)

    @property
    def p1(self) -> int:
        """Parameter 1."""
        return self.header[2]

    @property
    def p2(self) -> int:
        """Parameter 2."""
        return self.header[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One command of the profile's tables.

    Attributes:
        p1: the one value allowed, or None where P1 is an index.
        p2: likewise.
        lc: the numbers of data bytes that are allowed.
        before_personalisation: whether state 01 carries it out.
    """

    cla: int
    ins: INS
    p1: int | None = 0
    p2: int | None = 0
    lc: Container[int] = NO_DATA
    handler: Callable[[Command], bytes]
    before_personalisation: bool = False

    def takes(self, p1: int, p2: int) -> bool:
        """Whether P1 P2 are this row's."""
        return self.p1 in {None, p1} and self.p2 in {None, p2}


def exactly(count: int) -> frozenset[int]:
    """Lc of a command whose data has one length."""
    return frozenset({count})


class Runtime:
    """What an application holds while it has power, beside its memory."""

    def __init__(self, memory: Memory, random_bytes: Callable[[int], bytes]) -> None:
        self.memory: Final = memory
        self.random_bytes: Final = random_bytes
        self.selected = False
        self._challenge: bytes | None = None

    @property
    def life_cycle(self) -> CardState:
        """Data object C5."""
        return CardState(self.memory.integer(STATE))

    def forget(self) -> None:
        """Drop what a SELECT drops."""
        self._challenge = None

    def power_up(self) -> None:
        """Drop what a reset drops."""
        self.forget()
        self.selected = False

    def new_challenge(self) -> bytes:
        """A fresh Rc for GET CHALLENGE, kept for one protected command."""
        self._challenge = self.random_bytes(CHALLENGE_BYTES)
        return self._challenge

    def spend_challenge(self) -> bytes | None:
        """The Rc of GET CHALLENGE, which is used up by asking for it."""
        challenge, self._challenge = self._challenge, None
        return challenge


class Application:
    """One card application behind `process`; subclasses bring rows and objects."""

    def __init__(self, aid: bytes, runtime: Runtime, rows: Iterable[Row]) -> None:
        self._aid: Final = aid
        self._runtime: Final = runtime
        select = Row(
            cla=0x00, ins=INS.SELECT, p1=0x04, lc=_AID_BYTES,
            handler=self._select, before_personalisation=True,
        )  # fmt: skip
        challenge = Row(
            cla=0x00, ins=INS.GET_CHALLENGE,
            handler=self._get_challenge, before_personalisation=True,
        )  # fmt: skip
        self._rows: Final = (select, challenge, *rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._runtime.life_cycle.name.lower()})"

    @property
    def memory(self) -> Memory:
        """The card's memory, which outlives every reset."""
        return self._runtime.memory

    def reset(self) -> None:
        """Power-up or reset: whatever is not in the memory is gone."""
        self._runtime.power_up()

    def process(self, apdu: bytes) -> bytes:
        """Carry out one command APDU (4 bytes and more); data and SW1 SW2 come back."""
        try:
            return self._run(bytes(apdu)) + _word(SW.OK)
        except Refused as refusal:
            return _word(refusal.sw)
        except MemoryFailureError:
            return _word(SW.MEMORY_FAILURE)

    def data_objects(self) -> list[tuple[Tag, bytes]]:
        """The data objects of the FCI beside C0, C1 to CB, ascending."""
        raise NotImplementedError

    def _run(self, apdu: bytes) -> bytes:
        if len(apdu) < 4:
            raise Refused(SW.WRONG_LENGTH)
        cla, ins, p1, p2 = apdu[:4]
        rows = self._rows_for(cla, ins)
        # Before anything can refuse it, so that no Rc serves a second attempt.
        challenge = self._runtime.spend_challenge() if cla == PROTECTED else None
        row = next((row for row in rows if row.takes(p1, p2)), None)
        if row is None:
            raise Refused(SW.WRONG_P1_P2)
        data = _command_data(apdu[4:])
        if data is None or len(data) not in row.lc:
            raise Refused(SW.WRONG_LENGTH)
        if not self._runtime.selected and row.ins is not INS.SELECT:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        personalised = self._runtime.life_cycle is not CardState.INITIALISED
        if not (personalised or row.before_personalisation):
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        return row.handler(Command(header=apdu[:4], data=data, challenge=challenge))

    def _rows_for(self, cla: int, ins: int) -> list[Row]:
        """The rows of one command; the class is looked at before the instruction."""
        rows = [row for row in self._rows if (row.cla, row.ins) == (cla, ins)]
        if not rows:
            known = cla in self._classes()
            raise Refused(SW.WRONG_INS if known else SW.WRONG_CLA)
        return rows

    def _classes(self) -> frozenset[int]:
        """Classes whose unknown instructions are 6D00."""
        return _CLASSES

    def _get_challenge(self, _command: Command) -> bytes:
        return self._runtime.new_challenge()

    def _select(self, command: Command) -> bytes:
        if command.data != self._aid:
            raise Refused(SW.NO_APPLICATION)
        self._runtime.forget()
        self._runtime.selected = True
        objects = [(Tag.PROFILE_VERSION, bytes((PROFILE_VERSION,)))]
        objects += self.data_objects()
        proprietary = b"".join(tlv(tag, value) for tag, value in objects)
        inner = tlv(Tag.AID, self._aid) + tlv(Tag.PROPRIETARY, proprietary)
        return tlv(Tag.FCI, inner)


def tlv(tag: int, value: bytes) -> bytes:
    """One data object with a one-byte tag and a one-byte length (0 to 127)."""
    assert len(value) <= 0x7F
    return bytes((tag, len(value))) + value


def _command_data(body: bytes) -> bytes | None:
    """The data of what follows the header: [Lc data] [Le]; None when malformed."""
    if len(body) <= 1:
        return b""
    lc, rest = body[0], body[1:]
    if lc == 0 or len(rest) not in {lc, lc + 1}:
        return None
    return rest[:lc]


def _word(sw: int) -> bytes:
    return sw.to_bytes(2, "big")
