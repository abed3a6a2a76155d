"""``raseed-terminal modem check``: does the modem work, and does the line carry?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modem.errors import ModemError
from modem.events import Connected, DialFailed, Dialling, ModemReported, ModemSpoke
from terminal.commands.shared import config_option, json_option, say, say_json
from terminal.config import load_config
from terminal.wording_day import dial_failed, line_rate
from terminal.wording_line import (
    direct_line_tried,
    host_reached,
    modem_set_up,
    modem_trial_failed,
    modem_tried,
)

if TYPE_CHECKING:
    from pathlib import Path

    from modem.events import CallEvent

__all__ = ["modem"]


@click.group()
def modem() -> None:
    """Try what an end of day needs before there is one."""


@modem.command()
@config_option
@click.option("--no-dial", is_flag=True, help="End after the modem's set-up.")
@json_option
def check(config_path: Path, *, no_dial: bool, as_json: bool) -> None:
    """Set the modem up, dial the bank, hang up again; say what the modem said.

    Every line between computer and modem is shown, the computer's behind > and the
    modem's behind <. The call ends as soon as the modems are connected: the bank's
    host sees a call without a word, nothing is sent, and no money moves. On a line
    without modem (profile direct) only the port is opened, and over a network
    (tls://host:port) only the connection is made.

    Not beside a running end of day, which holds the port.
    """
    config = load_config(config_path)
    # The modem's parts load pyserial and ssl, which the other commands do without.
    from modem import call, network_call  # noqa: PLC0415

    port, plan = config.modem.port, config.dial_plan
    trial = _Trial(quiet=as_json)
    error: ModemError | None = None
    try:
        if config.modem.is_network:
            network_call.try_out(port, plan, trial.note)
        else:
            call.try_out(port, plan, trial.note, dials=not no_dial)
    except ModemError as caught:
        error = caught
    if config.modem.is_network and error is None:
        words = host_reached(port)
    else:
        words = trial.words(error, is_modem=plan.profile.is_modem, dialled=not no_dial)
    if as_json:
        say_json(trial.as_json(error, words))
    else:
        click.echo(words)
    if error is not None:
        raise SystemExit(1)


class _Trial:
    """What happens while a modem is tried."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._number = ""
        self._connected: Connected | None = None
        self._said: list[dict[str, str]] = []
        self._reports: list[dict[str, str]] = []
        self._attempts: list[dict[str, str]] = []

    def note(self, event: CallEvent) -> None:
        """Keep an event, and show it as it comes."""
        match event:
            case ModemSpoke(text=text, by_modem=by_modem):
                who = "modem" if by_modem else "computer"
                self._said.append({"by": who, "text": text})
                self._say(f"{'<' if by_modem else '>'} {text}")
            case ModemReported(name=name, text=text):
                self._reports.append({"name": name.value, "text": text})
            case Dialling(number=number):
                self._number = number
            case DialFailed(number=number, code=code):
                self._attempts.append({"number": number, "result": code.verbose})
                self._say(dial_failed(number, code))
            case Connected(rate_bps=rate_bps):
                self._connected = event
                self._say(line_rate(rate_bps))
            case _:
                pass

    def words(self, error: ModemError | None, *, is_modem: bool, dialled: bool) -> str:
        """How it ended, for a person."""
        if error is not None:
            return str(modem_trial_failed(error))
        if not is_modem:
            return direct_line_tried()
        if not dialled or self._connected is None:
            return modem_set_up()
        return modem_tried(self._number, self._connected.rate_bps)

    def as_json(self, error: ModemError | None, words: str) -> dict[str, Any]:
        """All of it, for a machine."""
        connected = self._connected
        return {
            "works": error is None,
            "error": None if error is None else type(error).__name__,
            "message": words,
            "number": self._number or None,
            "rate_bps": None if connected is None else connected.rate_bps,
            "connect": None if connected is None else connected.detail,
            "attempts": self._attempts,
            "reports": self._reports,
            "said": self._said,
        }

    def _say(self, line: str) -> None:
        if not self._quiet:
            say(line)
