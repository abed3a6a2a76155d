"""The states in which a program may find a modem that others have used before it."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from sim.modems.modem import ModemState

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

    For the states within a call it is connected with the first free modem of the other
    side, whose computer knows nothing of it either.
    """
    modem.from_terminal(_TYPED.get(state, b""), now_ms)
    if state in _IN_A_CALL:
        exchange.put_through(modem, now_ms).to_terminal()
    if state is Found.ESCAPED:
        modem.state = ModemState.ESCAPED
    modem.to_terminal()
