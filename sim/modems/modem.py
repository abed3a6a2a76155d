"""A simulated Hayes modem: the serial port on one side, the exchange on the other.

A machine without I/O, like those it is there to test. It knows the commands that
dialling programs use, the escape sequence with its guard time, numeric and verbose
results, S registers, DTR and the carrier; it does not compress or correct errors.
"""

from __future__ import annotations

import re
from enum import Enum, auto, unique
from typing import Final, Protocol

from modem.result_codes import ResultCode
from sim.modems.at_commands import ATCommand, CommandLineError, read_command_line
from sim.modems.profile import ModemProfile, Register

__all__ = ["Exchange", "ModemState", "SimulatedModem"]

_LINE_BYTES_MAX: Final = 128
_ESCAPES: Final = 3
_IDENTITY: Final = "RASEED SIMULATED MODEM"
_SETTINGS: Final = frozenset({"E", "V", "Q", "X", "&C", "&D"})
_ACCEPTED: Final = frozenset("BFLMNPTWY") | {
    f"{mark}{letter}" for mark in "&%\\" for letter in "ABCDEFGIJKLMNPQRSTUVWXYZ"
}
"""Settings that are taken and change nothing here."""
_ANSWERS: Final = {
    "+FCLASS?": "0",
    "+FCLASS=?": "0",
    "+GMI": _IDENTITY,
    "+GMM": _IDENTITY,
    "+CGMI": _IDENTITY,
    "+CPIN?": "+CPIN: READY",
    "+CREG?": "+CREG: 0,1",
    "+CSQ": "+CSQ: 20,0",
}
"""What is asked of fax modems and of mobile ones, and the answers."""
_ACCEPTED_EXTENDED: Final = frozenset(
    {"+CBST", "+CMEE", "+COPS", "+CRC", "+DR", "+DS", "+ER", "+ES", "+FCLASS=0"}
    | {"+ICF", "+IFC", "+ILRR", "+IPR", "+MS"}
)
_PREFIX: Final = re.compile(r"AT", re.IGNORECASE)
_AGAIN: Final = b"A/"


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
        """Plug into ``exchange``, switched on and on hook, DTR on."""
        self._exchange = exchange
        self._to_terminal = bytearray()
        self._line = bytearray()
        self._last_line = ""
        self._last_data_ms = -1_000_000
        self._escape_count = 0
        self._rings = 0
        self._handset_lifted = False
        self._stored = ModemProfile()
        self._dtr = True
        self.profile = ModemProfile()
        self.state = ModemState.COMMAND
        self.silent = False

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
        """The computer's DTR line; what going low does is set by ``&D``."""
        dropped = self._dtr and not high
        self._dtr = high
        if not dropped or self.silent or self.profile.dtr_level == 0:
            return
        if self.profile.dtr_level == 1:
            if self.state is ModemState.DATA:
                self._escaped()
            return
        if self.state is not ModemState.COMMAND:
            self._on_hook(now_ms)
            self._result(ResultCode.NO_CARRIER)
        if self.profile.dtr_level == 3:
            self.profile = self._stored.copy()

    @property
    def carrier(self) -> bool:
        """Whether there is a connection."""
        return self.state in (ModemState.DATA, ModemState.ESCAPED)

    @property
    def dcd(self) -> bool:
        """The DCD line: the carrier, or after ``&C0`` always on."""
        return self.carrier or self.profile.carrier_level == 0

    @property
    def ringing(self) -> bool:
        """The RI line, which stays on from the first ring to the last."""
        return self._rings > 0

    @property
    def free(self) -> bool:
        """Whether a call can reach it: on hook, powered or not."""
        return self.state is ModemState.COMMAND and not (
            self._handset_lifted or self._rings
        )

    @property
    def carrier_wait_ms(self) -> int:
        """Register S7: patience of a caller, in ms."""
        return self.profile.registers[Register.CARRIER_WAIT] * 1000

    def dial_pause_ms(self, number: str) -> int:
        """How long the commas of ``number`` take (register S8 each)."""
        return number.count(",") * self.profile.registers[Register.COMMA_PAUSE] * 1000

    def on_timer(self, now_ms: int) -> None:
        """Notice the silence after the escape sequence."""
        due_ms = self.deadline_ms()
        if due_ms is not None and now_ms >= due_ms:
            self._escaped()

    def deadline_ms(self) -> int | None:
        """When `on_timer` is due."""
        if self.state is not ModemState.DATA or self._escape_count != _ESCAPES:
            return None
        return self._last_data_ms + self.profile.guard_ms

    # The telephone network.

    def ring(self, now_ms: int) -> None:
        """The bell rings once."""
        self._rings += 1
        if self.silent:
            return
        self._result(ResultCode.RING)
        self.profile.registers[Register.RINGS] = min(self._rings, 255)
        automatic = self.profile.registers[Register.AUTOMATIC_ANSWER]
        # Without DTR there is no computer that would take the call.
        if self._dtr and 0 < automatic <= self._rings:
            self._answer(now_ms)

    def stop_ringing(self) -> None:
        """The caller has given up, or was answered."""
        self._rings = 0
        self.profile.registers[Register.RINGS] = 0

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

    def chatter(self, data: bytes) -> None:
        """Give the computer what no command and no other modem has asked for."""
        if not self.silent:
            self._to_terminal += data

    # Data state.

    def _take_data(self, data: bytes, now_ms: int) -> None:
        quiet = now_ms - self._last_data_ms >= self.profile.guard_ms
        escape = self.profile.escape
        begins = quiet or self._escape_count > 0
        if begins and escape is not None and data == escape * len(data):
            self._escape_count += len(data)
        else:
            self._escape_count = 0
        self._last_data_ms = now_ms
        self._exchange.send(self, data, now_ms)

    def _escaped(self) -> None:
        self._escape_count = 0
        self.state = ModemState.ESCAPED
        self._line.clear()
        self._result(ResultCode.OK)

    # Command state.

    def _take_command_byte(self, byte: bytes, now_ms: int) -> None:
        if self.state is ModemState.CONNECTING:
            if byte != b"\n":
                self._on_hook(now_ms)
                self._result(ResultCode.NO_CARRIER)
            return
        if self.profile.echo:
            self._to_terminal += byte
        if byte == self.profile.line_end:
            line = self._line.decode("ascii", errors="replace")
            self._line.clear()
            self._run_line(line, now_ms)
        elif byte[0] == self.profile.registers[Register.BACKSPACE]:
            del self._line[-1:]
        elif len(self._line) < _LINE_BYTES_MAX:
            self._line += byte
            if self._line.upper() == _AGAIN:
                self._line.clear()
                self._run_line(self._last_line, now_ms)

    def _run_line(self, line: str, now_ms: int) -> None:
        prefix = _PREFIX.search(line)
        if prefix is None:
            return
        self._last_line = line
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
        """Carry one command out; False when it is none of this modem's."""
        if command.name in _SETTINGS:
            return self.profile.set(command.name, command.argument)
        if command.name.startswith("+"):
            return self._run_extended(command)
        match command.name:
            case "H" if command.argument <= 1:
                self._on_hook(now_ms)
                self._handset_lifted = command.argument == 1
            case "Z":
                self._on_hook(now_ms)
                self.profile = self._stored.copy()
            case "&F":
                self._on_hook(now_ms)
                self.profile = ModemProfile()
            case "&W":
                self._stored = self.profile.copy()
            case "S":
                return self._run_register(command)
            case "I":
                self._information(_IDENTITY)
            case name:
                return name in _ACCEPTED
        return True

    def _run_extended(self, command: ATCommand) -> bool:
        asked = command.name + command.text
        if asked in _ANSWERS:
            self._information(_ANSWERS[asked])
            return True
        return asked in _ACCEPTED_EXTENDED or command.name in _ACCEPTED_EXTENDED

    def _run_register(self, command: ATCommand) -> bool:
        registers = self.profile.registers
        if command.text == "?":
            self._information(f"{registers.get(command.argument, 0):03d}")
            return True
        if not (0 <= int(command.text) <= 255 and command.argument <= 255):
            return False
        registers[command.argument] = int(command.text)
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
        self._handset_lifted = False
        self._line.clear()
        self._escape_count = 0
        if was_off_hook:
            self._exchange.hang_up(self, now_ms)

    # Results.

    def _information(self, text: str) -> None:
        self._to_terminal += self.profile.information(text)

    def _result(self, code: ResultCode, rate_bps: int | None = None) -> None:
        if not self.silent:
            self._to_terminal += self.profile.result(code, rate_bps)
