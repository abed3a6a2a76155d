"""A simulated Hayes modem: the serial port on one side, the exchange on the other.

A machine without I/O, like those it is there to test. It knows the commands that
dialling programs use, the escape sequence with its guard time, numeric and verbose
results, S registers, DTR and the carrier; it does not compress or correct errors.
"""

from __future__ import annotations

import re
from enum import Enum, auto, unique
from typing import Final, Protocol

from modem.result_codes import CONNECT_RATES, ResultCode
from sim.modems.at_commands import ATCommand, CommandLineError, read_command_line

__all__ = ["Exchange", "ModemState", "SimulatedModem"]

_REGISTERS: Final = {0: 0, 2: 43, 3: 13, 4: 10, 6: 2, 7: 50, 8: 2, 10: 14, 12: 50}
_S_AUTO_ANSWER: Final = 0
_S_ESCAPE_CHARACTER: Final = 2
_S_CARRIER_WAIT: Final = 7
_S_GUARD: Final = 12
_GUARD_UNIT_MS: Final = 20
_LINE_BYTES_MAX: Final = 128
_IDENTITY: Final = "RASEED SIMULATED MODEM"
_ACCEPTED: Final = frozenset("BEFILMNPQTVWXYZ") | {
    f"{mark}{letter}" for mark in "&%\\" for letter in "ABCDEFGIJKLMNPQRSTUVWXYZ"
}
"""Settings that are taken; those without a meaning here change nothing."""
_PREFIX: Final = re.compile(r"AT", re.IGNORECASE)


class Exchange(Protocol):
    """The telephone network as a modem sees it."""

    def dial(self, caller: SimulatedModem, number: str, now_ms: int) -> None:
        """Go off hook and dial; the outcome comes as a call of the modem."""

    def pick_up(self, callee: SimulatedModem, now_ms: int) -> None:
        """Go off hook while it rings."""

    def hang_up(self, modem: SimulatedModem, now_ms: int) -> None:
        """Go on hook, whatever is under way."""

    def send(self, modem: SimulatedModem, data: bytes, now_ms: int) -> None:
        """Carry ``data`` to the other modem."""


@unique
class ModemState(Enum):
    """What the modem is doing."""

    COMMAND = auto()
    CONNECTING = auto()
    DATA = auto()
    ESCAPED = auto()


class SimulatedModem:
    """One modem."""

    def __init__(self, exchange: Exchange) -> None:
        """Plug into ``exchange``, switched on and on hook."""
        self._exchange = exchange
        self._to_terminal = bytearray()
        self._line = bytearray()
        self._last_data_ms = -1_000_000
        self._escape_count = 0
        self._escape_guarded = False
        self._rings = 0
        self.state = ModemState.COMMAND
        self.silent = False
        self._reset()

    def _reset(self) -> None:
        self._echo = True
        self._verbose = True
        self._quiet = False
        self._dtr_hangs_up = True
        self._registers = dict(_REGISTERS)

    # The serial port.

    def from_terminal(self, data: bytes, now_ms: int) -> None:
        """Take bytes that the computer sent."""
        if self.silent:
            return
        while data:
            if self.state is ModemState.DATA:
                self._take_data(data, now_ms)
                return
            # A command may end in data state: the rest is then for the line.
            byte, data = data[:1], data[1:]
            self._take_command_byte(byte, now_ms)

    def to_terminal(self) -> bytes:
        """Bytes for the computer since the last call."""
        data = bytes(self._to_terminal)
        self._to_terminal.clear()
        return data

    @property
    def has_output(self) -> bool:
        """Whether `to_terminal` would give something."""
        return bool(self._to_terminal)

    def set_dtr(self, high: bool, now_ms: int) -> None:
        """The computer's DTR line; low hangs up after ``&D2``."""
        if not high and self._dtr_hangs_up and self.state is not ModemState.COMMAND:
            self._on_hook(now_ms)
            self._result(ResultCode.NO_CARRIER)

    @property
    def carrier(self) -> bool:
        """The DCD line."""
        return self.state in (ModemState.DATA, ModemState.ESCAPED)

    @property
    def carrier_wait_ms(self) -> int:
        """Register S7: patience of a caller, in ms."""
        return self._registers[_S_CARRIER_WAIT] * 1000

    def on_timer(self, now_ms: int) -> None:
        """Notice the silence after the escape sequence."""
        due_ms = self.deadline_ms()
        if due_ms is not None and now_ms >= due_ms:
            self._escape_count = 0
            self.state = ModemState.ESCAPED
            self._line.clear()
            self._result(ResultCode.OK)

    def deadline_ms(self) -> int | None:
        """When `on_timer` is due."""
        if self.state is not ModemState.DATA or self._escape_count != 3:
            return None
        return self._last_data_ms + self._guard_ms

    # The telephone network.

    def ring(self, now_ms: int) -> None:
        """The bell rings once."""
        if self.silent:
            return
        self._rings += 1
        self._result(ResultCode.RING)
        automatic = self._registers[_S_AUTO_ANSWER]
        if 0 < automatic <= self._rings:
            self._answer(now_ms)

    def stop_ringing(self) -> None:
        """The caller has given up, or was answered."""
        self._rings = 0

    def connected(self, rate_bps: int) -> None:
        """The modems have agreed on a rate."""
        self.state = ModemState.DATA
        self._escape_count = 0
        self._result(ResultCode.CONNECT, rate_bps)

    def failed(self, code: ResultCode) -> None:
        """The call that was under way came to nothing."""
        self.state = ModemState.COMMAND
        self._result(code)

    def carrier_lost(self, now_ms: int) -> None:
        """The other modem is gone."""
        if self.carrier:
            self._on_hook(now_ms)
            self._result(ResultCode.NO_CARRIER)

    def from_line(self, data: bytes) -> None:
        """Take bytes from the other modem; lost while in command state."""
        if self.state is ModemState.DATA and not self.silent:
            self._to_terminal += data

    # Data state.

    @property
    def _guard_ms(self) -> int:
        return self._registers[_S_GUARD] * _GUARD_UNIT_MS

    def _take_data(self, data: bytes, now_ms: int) -> None:
        quiet = now_ms - self._last_data_ms >= self._guard_ms
        escape = bytes((self._registers[_S_ESCAPE_CHARACTER],))
        begins = quiet or self._escape_count > 0
        if begins and data == escape * len(data):
            self._escape_count += len(data)
        else:
            self._escape_count = 0
        self._last_data_ms = now_ms
        self._exchange.send(self, data, now_ms)

    # Command state.

    def _take_command_byte(self, byte: bytes, now_ms: int) -> None:
        if self.state is ModemState.CONNECTING:
            if byte != b"\n":
                self._on_hook(now_ms)
                self._result(ResultCode.NO_CARRIER)
            return
        if self._echo:
            self._to_terminal += byte
        if byte == b"\r":
            line = self._line.decode("ascii", errors="replace")
            self._line.clear()
            self._run_line(line, now_ms)
        elif len(self._line) < _LINE_BYTES_MAX:
            self._line += byte

    def _run_line(self, line: str, now_ms: int) -> None:
        prefix = _PREFIX.search(line)
        if prefix is None:
            return
        try:
            commands = read_command_line(line[prefix.end() :])
        except CommandLineError:
            self._result(ResultCode.ERROR)
            return
        for command in commands:
            if command.name in {"D", "A", "O"}:
                self._go_online(command, now_ms)
                return
            if not self._run(command, now_ms):
                self._result(ResultCode.ERROR)
                return
        self._result(ResultCode.OK)

    def _run(self, command: ATCommand, now_ms: int) -> bool:
        match command.name:
            case "H":
                self._on_hook(now_ms)
            case "Z" | "&F":
                self._on_hook(now_ms)
                self._reset()
            case "E":
                self._echo = command.argument == 1
            case "V":
                self._verbose = command.argument == 1
            case "Q":
                self._quiet = command.argument == 1
            case "&D":
                self._dtr_hangs_up = command.argument == 2
            case "S":
                return self._run_register(command)
            case "I":
                self._information(_IDENTITY)
            case name:
                return name in _ACCEPTED
        return True

    def _run_register(self, command: ATCommand) -> bool:
        if command.text == "?":
            self._information(f"{self._registers.get(command.argument, 0):03d}")
            return True
        if not 0 <= int(command.text) <= 255:
            return False
        self._registers[command.argument] = int(command.text)
        return True

    def _go_online(self, command: ATCommand, now_ms: int) -> None:
        """Commands that answer with something other than OK, later."""
        if command.name == "O":
            if self.state is ModemState.ESCAPED:
                self.state = ModemState.DATA
                self._result(ResultCode.CONNECT)
            else:
                self._result(ResultCode.NO_CARRIER)
        elif self.state is ModemState.ESCAPED:
            self._result(ResultCode.ERROR)
        elif command.name == "A":
            self._answer(now_ms)
        else:
            self.state = ModemState.CONNECTING
            self._exchange.dial(self, command.text.lstrip("TP"), now_ms)

    def _answer(self, now_ms: int) -> None:
        self.state = ModemState.CONNECTING
        self._exchange.pick_up(self, now_ms)

    def _on_hook(self, now_ms: int) -> None:
        was_off_hook = self.state is not ModemState.COMMAND
        self.state = ModemState.COMMAND
        self._line.clear()
        self._escape_count = 0
        if was_off_hook:
            self._exchange.hang_up(self, now_ms)

    # Results.

    def _information(self, text: str) -> None:
        self._to_terminal += f"\r\n{text}\r\n".encode("ascii")

    def _result(self, code: ResultCode, rate_bps: int | None = None) -> None:
        if self._quiet or self.silent:
            return
        if self._verbose:
            rate = f" {rate_bps}" if rate_bps else ""
            self._information(code.verbose + rate)
            return
        numbers = {rate: number for number, rate in CONNECT_RATES.items()}
        number = numbers.get(rate_bps or 0, code.value)
        self._to_terminal += f"{number}\r".encode("ascii")
