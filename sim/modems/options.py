"""The options of `raseed-sim line`: what they mean, and those of the line itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import click

from sim.failures import told
from sim.modems.exchange import ExchangeSettings, TelephoneExchange
from sim.modems.line import LineSettings
from sim.modems.noise import Bursts
from sim.modems.script import Attempt, ScriptError, read_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LineOptions", "line_options", "read_calls", "read_script_file"]


def read_bursts(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> Bursts | None:
    """Bursts as ``10:50:0.2``: seconds, milliseconds, share."""
    if text is None:
        return None
    try:
        every_s, length_ms, share = (float(word) for word in text.split(":"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not three numbers: 10:50:0.2") from None
    try:
        return Bursts(every_s=every_s, length_ms=round(length_ms), bit_error_rate=share)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from None


def read_calls(
    _context: click.Context, _parameter: click.Parameter, text: str
) -> tuple[Attempt, ...]:
    """A script on one line, commas between its lines."""
    try:
        return read_script(text.replace(",", "\n"))
    except ScriptError as error:
        raise click.BadParameter(str(error).replace("line ", "call ")) from None


def read_script_file(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> tuple[Attempt, ...]:
    """A script in a file."""
    if path is None:
        return ()
    try:
        return read_script(path.read_text("utf-8"))
    except OSError as error:
        raise click.BadParameter(told(error)) from None
    except (UnicodeDecodeError, ScriptError) as error:
        reason = error if isinstance(error, ScriptError) else "it is no text"
        raise click.BadParameter(f"{path}: {reason}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOptions:
    """What the command line says; the command's help explains each."""

    near_path: Path | None
    far_path: Path | None
    ports: int
    callers: int
    tcp_port: int | None
    rate_bps: int
    delay_ms: int
    bit_error_rate: float
    burst: Bursts | None
    back_rate_bps: int | None
    back_delay_ms: int | None
    back_bit_error_rate: float | None
    back_burst: Bursts | None
    cut_after_bytes: int | None
    cut_at_s: float | None
    calls: tuple[Attempt, ...]
    script: tuple[Attempt, ...]
    found: str
    seed: int

    @property
    def settings(self) -> ExchangeSettings:
        """Both directions of the line."""
        line = LineSettings(
            rate_bps=self.rate_bps,
            delay_ms=self.delay_ms,
            bit_error_rate=self.bit_error_rate,
            bursts=self.burst,
        )
        other = Attempt(
            rate_bps=self.back_rate_bps,
            delay_ms=self.back_delay_ms,
            bit_error_rate=self.back_bit_error_rate,
        ).on(line)
        back = replace(other, bursts=self.back_burst or self.burst)
        return ExchangeSettings(line=line, line_back=back)

    def exchange(self) -> TelephoneExchange:
        """Modems and network as asked for."""
        cut_at_ms = None if self.cut_at_s is None else round(self.cut_at_s * 1000)
        return TelephoneExchange(
            self.settings,
            script=self.calls + self.script,
            later=Attempt(cut_after_bytes=self.cut_after_bytes, cut_after_ms=cut_at_ms),
            seed=self.seed,
            callers=self.callers,
            answerers=self.ports,
        )


_BURSTS: Final = "SECONDS:MS:SHARE"
_RATE: Final = click.IntRange(300, 1_000_000)
_DELAY: Final = click.IntRange(0, 10_000)
_ERRORS: Final = click.FloatRange(0, 0.1)


def line_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what the line is like, each way and back."""
    for option in reversed(_LINE_OPTIONS):
        command = option(command)
    return command


_LINE_OPTIONS: Final = (
    click.option(
        "--rate",
        "rate_bps",
        default=9600,
        show_default=True,
        type=_RATE,
        help="Bits a second on the line; a byte takes ten.",
    ),
    click.option(
        "--delay-ms",
        "--delay",
        default=100,
        show_default=True,
        type=_DELAY,
        help="Milliseconds from one end to the other.",
    ),
    click.option(
        "--bit-error-rate",
        "--ber",
        default=0.0,
        show_default=True,
        type=_ERRORS,
        help="Share of bits that arrive turned over, one here, one there.",
    ),
    click.option(
        "--burst",
        metavar=_BURSTS,
        callback=read_bursts,
        help="Bursts of errors: seconds from one to the next on average, milliseconds "
        "that each lasts, share of its bits turned over; such as 10:50:0.2.",
    ),
    click.option(
        "--back-rate",
        "back_rate_bps",
        type=_RATE,
        help="Bits a second from the answering side to the caller, if not as --rate.",
    ),
    click.option(
        "--back-delay-ms", type=_DELAY, help="Likewise, if not as --delay-ms."
    ),
    click.option(
        "--back-bit-error-rate",
        type=_ERRORS,
        help="Likewise, if not as --bit-error-rate.",
    ),
    click.option(
        "--back-burst",
        metavar=_BURSTS,
        callback=read_bursts,
        help="Likewise, if not as --burst.",
    ),
)
