"""The states in which a program may find a modem that others have used before it."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from sim.modems.modem import ModemState
from sim.modems.profile import Register

if TYPE_CHECKING:
    from sim.modems.exchange import TelephoneExchange
    from sim.modems.modem import SimulatedModem

__all__ = ["Found", "leave"]


@unique
class Found(StrEnum):
    """What was done to a modem before."""

    FRESH = "fresh"
    NO_ECHO = "no-echo"
    NUMERIC = "numeric"
    QUIET = "quiet"
    HALF_TYPED = "half-typed"
    OFF_HOOK = "off-hook"
    NO_ESCAPE = "no-escape"
    ONLINE = "online"
    ESCAPED = "escaped"


_TYPED: Final = {
    Found.NO_ECHO: b"ATE0\r",
    Found.NUMERIC: b"ATV0\r",
    Found.QUIET: b"ATQ1\r",
    Found.HALF_TYPED: b"ATDT555",
    Found.OFF_HOOK: b"ATH1\r",
    Found.NO_ESCAPE: b"ATS2=255\r",
}
_IN_A_CALL: Final = frozenset({Found.ONLINE, Found.ESCAPED, Found.NO_ESCAPE})


def leave(
    exchange: TelephoneExchange, modem: SimulatedModem, state: Found, now_ms: int
) -> None:
    """Leave ``modem`` in ``state``, with nothing to read from it.

    For the states within a call it has dialled the first free modem of the other side,
    which has answered, and whose computer knows nothing of it either: after that the
    time must not be before what `TelephoneExchange.deadline_ms` last said.
    """
    modem.from_terminal(_TYPED.get(state, b""), now_ms)
    if state in _IN_A_CALL:
        others = exchange.answerers if modem in exchange.callers else exchange.callers
        other = next(one for one in others if one.free)
        automatic = other.profile.registers[Register.AUTOMATIC_ANSWER]
        other.profile.registers[Register.AUTOMATIC_ANSWER] = 1
        modem.from_terminal(b"ATDT1\r", now_ms)
        while not (modem.carrier and other.carrier):
            due_ms = exchange.deadline_ms()
            assert due_ms is not None, "the script lets this call come to nothing"
            exchange.on_timer(due_ms)
        other.profile.registers[Register.AUTOMATIC_ANSWER] = automatic
        other.to_terminal()
    if state is Found.ESCAPED:
        modem.state = ModemState.ESCAPED
    modem.to_terminal()
