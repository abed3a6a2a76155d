"""What trying the modem tells people; see `terminal.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.errors import (
    ModemGarbledError,
    ModemRefusedError,
    ModemSilentError,
    NetworkError,
    NoDialToneError,
    NoModemError,
    NumberRefusedError,
    PortError,
)
from terminal.catalogue import tr
from terminal.errors import Advice
from terminal.wording_day import line_failure

if TYPE_CHECKING:
    from modem.errors import ModemError

__all__ = [
    "direct_line_tried",
    "host_reached",
    "modem_set_up",
    "modem_trial_failed",
    "modem_tried",
]


def modem_tried(number: str, rate_bps: int) -> str:
    """The modem was tried, and a connection came about."""
    return tr(
        "The modem works: {number} was reached at {rate} bit/s, and the call ended "
        "again. Nothing was sent and no money moved. The end of day can be run.",
        number=number,
        rate=rate_bps,
    )


def direct_line_tried() -> str:
    """The port of a line without a modem was opened, which is all that can be tried."""
    return tr(
        "The port works; the line has no modem that could be tried. Nothing was sent "
        "and no money moved. The end of day can be run."
    )


def host_reached(host: str) -> str:
    """The bank's host was reached over a network, and let go again."""
    return tr(
        "The network works: {host} was reached. Nothing was sent and no money moved. "
        "The end of day can be run.",
        host=host,
    )


def modem_set_up() -> str:
    """The modem was set up, and nothing was dialled."""
    return tr(
        "The modem works: it took all its settings. Nothing was dialled or sent and no "
        "money moved. To try the telephone line too, leave out --no-dial."
    )


def modem_trial_failed(error: ModemError) -> Advice:
    """The modem was tried in vain."""
    return Advice(
        happened=line_failure(error),
        money=tr("Nothing was sent and no money moved."),
        next_step=_trial_next_step(error),
    )


def _trial_next_step(error: ModemError) -> str:
    match error:
        case NoDialToneError():
            return tr(
                "Check the telephone cable; if a telephone hears a tone there, set "
                "modem.wait_for_dial_tone to false."
            )
        case NumberRefusedError() | NoModemError():
            return tr("Check modem.numbers and modem.prefix, then try again.")
        case ModemRefusedError():
            return tr("Check modem.profile and modem.init, then try again.")
        case ModemGarbledError():
            return tr("Check modem.baud, then try again.")
        case ModemSilentError() | PortError() | NetworkError():
            if isinstance(error, NetworkError):
                step = tr("Check the network cable and modem.port, then try again.")
            else:
                step = tr("Check the modem, its cable and modem.port, then try again.")
            return step
        case _:
            return tr("Try again in a few minutes.")
