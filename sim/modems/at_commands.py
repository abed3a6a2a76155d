"""Reading a command line as a modem does (ITU-T V.250, clause 5).

Written from the recommendation and from modem manuals, not from `modem/`: a line is
what stands after ``AT``, a row of commands with numbers; ``D`` takes the rest, and a
command that begins with ``+`` ends at a semicolon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["ATCommand", "CommandLineError", "read_command_line"]

_COMMAND: Final = re.compile(
    r"(?P<dial>D(?P<number>.*))"
    r"|S(?P<register>\d{1,3})(?:=(?P<value>\d{1,3})|(?P<query>\?))"
    r"|(?P<extended>\+[A-Z]{2,8})(?P<parameter>=\?|\?|=[^;]*|);?"
    r"|(?P<name>[&%\\][A-Z]|[A-RT-Z])(?P<argument>\d{0,3})"
)


class CommandLineError(Exception):
    """The line is no command line of this modem: it answers ERROR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ATCommand:
    """One command of a line.

    Attributes:
        name: ``"D"``, ``"S"``, ``"H"``, ``"&F"``, ``"+FCLASS"``, ...
        argument: its number; for S the register.
        text: for D what to dial; for S the new value, or ``"?"``; for commands with
            ``+`` what follows the name, with its mark.
    """

    name: str
    argument: int = 0
    text: str = ""


def read_command_line(body: str) -> list[ATCommand]:
    """Commands of the line whose part after ``AT`` is ``body``.

    >>> [c.name for c in read_command_line("E0 V1 &C1 S0=2 +CMEE=1;DT555")]
    ['E', 'V', '&C', 'S', '+CMEE', 'D']

    Raises:
        CommandLineError: a part of it is no command.
    """
    commands: list[ATCommand] = []
    # Spaces may stand anywhere in a command line and mean nothing.
    rest = body.upper().replace(" ", "")
    while rest:
        match = _COMMAND.match(rest)
        if match is None:
            raise CommandLineError(body)
        commands.append(_command(match))
        rest = rest[match.end() :]
    return commands


def _command(match: re.Match[str]) -> ATCommand:
    if match["dial"] is not None:
        return ATCommand(name="D", text=match["number"])
    if match["register"] is not None:
        text = match["value"] if match["query"] is None else "?"
        return ATCommand(name="S", argument=int(match["register"]), text=text)
    if match["extended"] is not None:
        return ATCommand(name=match["extended"], text=match["parameter"])
    return ATCommand(name=match["name"], argument=int(match["argument"] or 0))
