"""`raseed-sim line`: simulated modems on a telephone line, until interrupted."""

from __future__ import annotations

import dataclasses
import itertools
import json
import signal
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sim.failures import told
from sim.grouped_help import GroupedCommand
from sim.modems.found import Found, leave
from sim.modems.options import (
    SECONDS,
    LineOptions,
    line_options,
    read_calls,
    read_script_file,
)
from sim.modems.rfc2217_port import Rfc2217Port
from sim.modems.served_port import PtyPort
from sim.modems.server import ModemServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from sim.modems.exchange import TelephoneExchange
    from sim.modems.modem import SimulatedModem
    from sim.modems.served_port import ServedPort

__all__ = ["line"]

_MODEMS_MAX: Final = 256
_GROUPS: Final = {
    "Modems and their ports": ("--near", "--far", "--ports", "--callers", "--rfc2217"),
    "The line": ("--rate", "--delay-ms", "--bit-error-rate", "--burst"),
    "The way back, where it is not the same": (
        "--back-rate",
        "--back-delay-ms",
        "--back-bit-error-rate",
        "--back-burst",
    ),
    "Calls": ("--calls", "--script", "--cut-after", "--cut-at", "--found"),
    "This run": ("--seed", "--json"),
}


@click.command(cls=GroupedCommand, groups=_GROUPS)
@click.option(
    "--near",
    "near_path",
    type=click.Path(path_type=Path),
    help="Where to put the calling side's port, a symbolic link to a PTY.",
)
@click.option(
    "--far",
    "far_path",
    type=click.Path(path_type=Path),
    help="Where to put the answering side's port, likewise.",
)
@click.option(
    "--ports",
    metavar="N",
    default=1,
    show_default=True,
    type=click.IntRange(1, _MODEMS_MAX),
    help="Modems on the answering side, all on one number: the first free one rings.",
)
@click.option(
    "--callers",
    metavar="N",
    default=1,
    show_default=True,
    type=click.IntRange(1, _MODEMS_MAX),
    help="Modems on the calling side.",
)
@click.option(
    "--rfc2217",
    "tcp_port",
    metavar="PORT",
    type=click.IntRange(0, 65_535),
    help="Serve the ports as rfc2217:// on this TCP port of this machine and the next "
    "ones, with DTR and DCD; 0 takes free ones. A side with a path stays a PTY.",
)
@line_options
@click.option(
    "--cut-after",
    "cut_after_bytes",
    metavar="BYTES",
    type=click.IntRange(min=0),
    help="Cut every call that no script speaks of once so many bytes have arrived, "
    "both directions together.",
)
@click.option(
    "--cut-at",
    "cut_at_s",
    metavar="SECONDS",
    type=SECONDS,
    help="Cut it so many seconds after CONNECT.",
)
@click.option(
    "--calls",
    metavar="LIST",
    default="",
    callback=read_calls,
    help="What the first calls come to, such as busy,no-answer; later ones connect.",
)
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    callback=read_script_file,
    help="A file of that, a line for each call, after those of --calls.",
)
@click.option(
    "--found",
    metavar="STATE",
    type=click.Choice([state.value for state in Found]),
    default=Found.FRESH.value,
    show_default=True,
    help="How programs find the calling side's modems: "
    f"{', '.join(state.value for state in Found)}.",
)
@click.option(
    "--seed",
    metavar="N",
    default=0,
    show_default=True,
    help="Chooses what noise turns over.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def line(as_json: bool, **values: Any) -> None:
    """Serve Hayes modems joined by a telephone line, until interrupted.

    Prints where the ports are, then serves until SIGINT or SIGTERM, then prints what
    has gone over the line. Without --near, --far and --rfc2217 the ports are PTYs in a
    folder of their own.

    Any number reaches the other side. A call comes to what --calls and --script say. An
    entry with a number waits for a call to it. Nothing here touches a real line.

    \b
    A script:
      no-answer
      5554321: busy
      connect cut-after=2500 garbage=40
      connect near-dead-after=600 rate=2400 bit-error-rate=1e-4

    \b
    Examples:
      raseed-sim line --near /tmp/modem --far /tmp/host --ber 1e-5
      raseed-sim line --rfc2217 2217 --ports 4 --burst 10:50:0.2
      raseed-sim line --calls busy,no-answer --script calls.txt --json
    """  # noqa: D301 - click looks for the character itself
    options = LineOptions(**values)
    with _interruption() as interrupted, _opened(options) as server:
        server.change(partial(_leave_all, state=Found(options.found)))
        document = {
            "event": "ports",
            "near": server.caller_ports,
            "far": server.answerer_ports,
        }
        click.echo(json.dumps(document) if as_json else _where(server, options))
        interrupted.wait()
    counts = dataclasses.asdict(server.statistics)
    document = {"event": "stopped"} | counts
    click.echo(json.dumps(document) if as_json else _table(counts))


@contextmanager
def _opened(options: LineOptions) -> Iterator[ModemServer]:
    """The line, with its ports there.

    Raises:
        click.ClickException: they cannot be made; nothing is left of them.
    """
    with ExitStack() as stack:
        try:
            folder = tempfile.TemporaryDirectory(prefix="raseed-line-")
            makers = _makers(options, Path(stack.enter_context(folder)))
            server = stack.enter_context(ModemServer(options.exchange(), makers))
        except OSError as error:
            message = f"The ports cannot be made ({told(error)}). No line is there."
            raise click.ClickException(message) from None
        yield server


def _leave_all(exchange: TelephoneExchange, now_ms: int, state: Found) -> None:
    for modem in exchange.callers:
        leave(exchange, modem, state, now_ms)


def _makers(
    options: LineOptions, folder: Path
) -> list[Callable[[SimulatedModem], ServedPort]]:
    """How the port of each modem is opened, those of the calling side first."""
    tcp_ports = itertools.count(options.tcp_port) if options.tcp_port else repeat(0)
    near, far = options.paths(folder)
    return [
        partial(Rfc2217Port, tcp_port=next(tcp_ports))
        if path is None
        else partial(PtyPort, link=path)
        for path in near + far
    ]


def _where(server: ModemServer, options: LineOptions) -> str:
    near, far = ", ".join(server.caller_ports), ", ".join(server.answerer_ports)
    line = options.settings.line
    return f"modems on {near} and {far}, {line.rate_bps} bit/s, {line.delay_ms} ms"


def _table(counts: dict[str, int]) -> str:
    rows = (
        f"{name.replace('_', ' '):15} {count:>9,}" for name, count in counts.items()
    )
    return "\n".join(["stopped", *rows])


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
