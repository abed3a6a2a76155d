"""What a modem's computer can set: flags, levels, S registers, and how results look.

After ITU-T V.250 and the manuals of common data modems: ``&F`` brings the values
below back, ``&W`` stores the present ones, ``Z`` brings the stored ones back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from modem.result_codes import CONNECT_RATES, ResultCode

__all__ = ["ModemProfile", "Register"]

_UNIT_S12_MS: Final = 20
_ESCAPE_MAX: Final = 127
"""An escape character above this means that there is no escape sequence."""
_KNOWS_DIALTONE: Final = frozenset({2, 4})
_KNOWS_BUSY: Final = frozenset({3, 4})
_NUMBERS: Final = {rate: number for number, rate in CONNECT_RATES.items()}


@unique
class Register(IntEnum):
    """The S registers that mean something here; others keep what is written."""

    AUTOMATIC_ANSWER = 0
    RINGS = 1
    ESCAPE_CHARACTER = 2
    LINE_END = 3
    LINE_FEED = 4
    BACKSPACE = 5
    CARRIER_WAIT = 7
    COMMA_PAUSE = 8
    GUARD = 12


_REGISTERS: Final = {
    0: 0, 1: 0, 2: 43, 3: 13, 4: 10, 5: 8, 6: 2, 7: 50, 8: 2, 10: 14, 12: 50, 25: 5,
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class ModemProfile:
    """One set of settings.

    Attributes:
        echo: ``E``: commands are repeated to the computer.
        verbose: ``V``: results are words, not digits.
        quiet: ``Q``: no results at all.
        result_level: ``X``, 0 to 4: which results there are, see `result`.
        carrier_level: ``&C``: 0 DCD is always on, 1 it follows the carrier.
        dtr_level: ``&D``: what DTR off does. 0 nothing, 1 back to command state,
            2 hang up, 3 hang up and reset.
        registers: the S registers, each 0 to 255.
    """

    echo: bool = True
    verbose: bool = True
    quiet: bool = False
    result_level: int = 4
    carrier_level: int = 1
    dtr_level: int = 2
    registers: dict[int, int] = field(default_factory=lambda: dict(_REGISTERS))

    def copy(self) -> ModemProfile:
        """The same settings again, to be changed by themselves."""
        return ModemProfile(
            echo=self.echo,
            verbose=self.verbose,
            quiet=self.quiet,
            result_level=self.result_level,
            carrier_level=self.carrier_level,
            dtr_level=self.dtr_level,
            registers=dict(self.registers),
        )

    @property
    def guard_ms(self) -> int:
        """Silence around the escape sequence."""
        return self.registers[Register.GUARD] * _UNIT_S12_MS

    @property
    def escape(self) -> bytes | None:
        """The character of the escape sequence; None when there is none."""
        character = self.registers[Register.ESCAPE_CHARACTER]
        return bytes((character,)) if character <= _ESCAPE_MAX else None

    @property
    def line_end(self) -> bytes:
        """What ends a command line, and results."""
        return bytes((self.registers[Register.LINE_END],))

    @property
    def waits_for_dialtone(self) -> bool:
        """``X2`` and ``X4``: no tone, no dialling. The others dial blindly."""
        return self.result_level in _KNOWS_DIALTONE

    def set(self, name: str, level: int) -> bool:
        """Change the setting of command ``name``; False when there is no such level."""
        most = {"E": 1, "V": 1, "Q": 1, "X": 4, "&C": 1, "&D": 3}[name]
        if level > most:
            return False
        match name:
            case "E":
                self.echo = bool(level)
            case "V":
                self.verbose = bool(level)
            case "Q":
                self.quiet = bool(level)
            case "X":
                self.result_level = level
            case "&C":
                self.carrier_level = level
            case _:
                self.dtr_level = level
        return True

    def result(self, code: ResultCode, rate_bps: int | None = None) -> bytes:
        """A result as the computer gets it; nothing when it wants none.

        ``X0`` tells no rate. ``X0``, ``X1`` and ``X3`` have no NO DIALTONE, ``X0`` to
        ``X2`` no BUSY: both are then NO CARRIER.
        """
        if self.quiet:
            return b""
        if code is ResultCode.NO_DIALTONE and not self.waits_for_dialtone:
            code = ResultCode.NO_CARRIER
        if code is ResultCode.BUSY and self.result_level not in _KNOWS_BUSY:
            code = ResultCode.NO_CARRIER
        told_bps = rate_bps if self.result_level else None
        if self.verbose:
            return self.information(f"{code.verbose} {told_bps or ''}".strip())
        number = _NUMBERS.get(told_bps or 0, code.value)
        return f"{number}".encode("ascii") + self.line_end

    def information(self, text: str) -> bytes:
        """A line of text between line ends."""
        end = self.line_end + bytes((self.registers[Register.LINE_FEED],))
        return end + text.encode("ascii") + end
