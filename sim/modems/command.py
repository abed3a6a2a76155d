"""`raseed-sim line`: two simulated modems on a telephone line, until interrupted."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.failures import told
from sim.modems.exchange import ExchangeSettings, Outcome
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["line"]


def _read_script(
    _context: click.Context, _parameter: click.Parameter, text: str
) -> tuple[Outcome, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {str(outcome) for outcome in Outcome}
    for name in names:
        if name not in known:
            choices = ", ".join(sorted(known))
            raise click.BadParameter(f"{name!r} is none of {choices}")
    return tuple(Outcome(name) for name in names)


@click.command()
@click.option(
    "--near",
    "near_path",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to put the calling side's port (a symbolic link to a PTY).",
)
@click.option(
    "--far",
    "far_path",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to put the answering side's port.",
)
@click.option(
    "--rate",
    "rate_bps",
    default=9600,
    show_default=True,
    type=click.IntRange(300, 1_000_000),
    help="Bits a second on the line; a byte takes ten.",
)
@click.option(
    "--delay-ms",
    default=100,
    show_default=True,
    type=click.IntRange(0, 10_000),
    help="Milliseconds from one end to the other.",
)
@click.option(
    "--bit-error-rate",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 0.1),
    help="Share of bits that arrive turned over.",
)
@click.option(
    "--script",
    default="",
    callback=_read_script,
    help="What the first calls come to, such as busy,no-answer; later ones connect.",
)
def line(
    near_path: Path,
    far_path: Path,
    rate_bps: int,
    delay_ms: int,
    bit_error_rate: float,
    script: tuple[Outcome, ...],
) -> None:
    """Serve two Hayes modems joined by a telephone line, until interrupted."""
    settings = LineSettings(
        rate_bps=rate_bps, delay_ms=delay_ms, bit_error_rate=bit_error_rate
    )
    pair = ModemPair(
        ExchangeSettings(line=settings),
        near_path=near_path,
        far_path=far_path,
        script=script,
    )
    try:
        with _interruption() as interrupted, pair:
            click.echo(
                f"modems on {near_path} and {far_path}, {rate_bps} bit/s, {delay_ms} ms"
            )
            interrupted.wait()
    except OSError as error:
        message = f"The ports cannot be made ({told(error)}). No line is there."
        raise click.ClickException(message) from None
    click.echo("stopped")


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """Set by SIGINT or SIGTERM, both of which are the orderly way to stop."""
    interrupted = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
