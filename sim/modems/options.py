"""The options of `raseed-sim line`: what they mean, and those of the line itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

from sim.failures import told
from sim.modems.exchange import ExchangeSettings, TelephoneExchange
from sim.modems.line import LineSettings
from sim.modems.noise import Bursts
from sim.modems.script import Attempt, ScriptError, read_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["SECONDS", "LineOptions", "line_options", "read_calls", "read_script_file"]

_SECONDS_MAX: Final = 1_000_000
_TCP_PORT_MAX: Final = 65_535


class NumberRange(click.FloatRange):
    """A number in a range; what is no number, ``nan``, is in none."""

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """See `click.ParamType.convert`."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


SECONDS: Final = NumberRange(0, _SECONDS_MAX)
"""A time within a call."""


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
    # Nan is not below anything, and so not in range either.
    if not every_s <= _SECONDS_MAX:
        raise click.BadParameter(f"{text!r}: at most {_SECONDS_MAX:,} seconds")
    if not length_ms <= _SECONDS_MAX * 1000:
        raise click.BadParameter(f"{text!r}: at most {_SECONDS_MAX * 1000:,} ms")
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
        raise click.BadParameter(str(error).replace("line ", "call ", 1)) from None


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

    def paths(self, folder: Path) -> tuple[list[Path | None], list[Path | None]]:
        """Where the calling and the answering side's ports are put; None: on TCP.

        Args:
            folder: for those that no option names.

        Raises:
            click.UsageError: two ports would be in one place, or have none.
        """
        sides = [
            self._side(self.near_path, folder / "near", self.callers),
            self._side(self.far_path, folder / "far", self.ports),
        ]
        _check_apart([path for side in sides for path in side if path is not None])
        self._check_tcp_ports(sum(side.count(None) for side in sides))
        return sides[0], sides[1]

    def _side(self, path: Path | None, default: Path, count: int) -> list[Path | None]:
        if path is None and self.tcp_port is not None:
            return [None] * count
        first = path or default
        if not first.name or first.name == "..":
            raise click.UsageError(f"'{first}' has no name that a port could have.")
        more = (first.with_name(f"{first.name}-{n}") for n in range(2, count + 1))
        return [first, *more]

    def _check_tcp_ports(self, count: int) -> None:
        if self.tcp_port is None:
            return
        if not count:
            raise click.UsageError(
                "--rfc2217 serves no port: both --near and --far name a PTY. Leave out "
                "one of them, or --rfc2217."
            )
        last = self.tcp_port + count - 1
        if self.tcp_port and last > _TCP_PORT_MAX:
            raise click.UsageError(
                f"--rfc2217 {self.tcp_port} leaves too few numbers: {count} ports need "
                f"{self.tcp_port} to {last}, and the last there is is "
                f"{_TCP_PORT_MAX}. Begin at {_TCP_PORT_MAX - count + 1} or lower."
            )

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


def _check_apart(paths: list[Path]) -> None:
    """Refuse two ports in one place: the second would take the first one's away."""
    places: dict[Path, Path] = {}
    for path in paths:
        # Links of the folder are followed, the last one is what is to be replaced.
        other = places.setdefault(path.parent.resolve() / path.name, path)
        if other is not path:
            named = f"'{path}'" if other == path else f"'{other}' and '{path}'"
            raise click.UsageError(
                f"Two ports would be in one place ({named}). Give --near and --far, "
                "and what -2 and more make of them, names of their own."
            )


_BURSTS: Final = "SECONDS:MS:SHARE"
_RATE: Final = click.IntRange(300, 1_000_000)
_DELAY: Final = click.IntRange(0, 10_000)
_ERRORS: Final = NumberRange(0, 0.1)


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
        metavar="RATE",
        type=_RATE,
        help="Bits a second on the line; a byte takes ten.",
    ),
    click.option(
        "--delay-ms",
        "--delay",
        default=100,
        show_default=True,
        metavar="MS",
        type=_DELAY,
        help="Milliseconds from one end to the other.",
    ),
    click.option(
        "--bit-error-rate",
        "--ber",
        default=0.0,
        show_default=True,
        metavar="SHARE",
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
        metavar="RATE",
        type=_RATE,
        help="Bits a second from the answering side to the caller, if not as --rate.",
    ),
    click.option(
        "--back-delay-ms",
        metavar="MS",
        type=_DELAY,
        help="Likewise, if not as --delay-ms.",
    ),
    click.option(
        "--back-bit-error-rate",
        metavar="SHARE",
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
