"""``raseed-bank serve``: answer the terminals' calls until told to stop."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from modem.dial_plan import AnswerPlan
from modem.errors import CertificateFileError, ModemError
from modem.tls import server_context
from settlement.bank import Bank
from settlement.commands.bank_access import (
    bank_option,
    open_bank,
    open_keys,
    passphrase_option,
)
from settlement.commands.bank_log import json_line, text_line
from settlement.commands.environment import environment_of
from settlement.commands.output import ExampleCommand, json_option, output_of
from settlement.errors import HostError
from settlement.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from modem.events import CallEvent
    from settlement.commands.bank_access import OpenBank
    from settlement.commands.environment import Environment
    from settlement.host import HostEvent

__all__ = ["serve"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank serve --bank bank --port /dev/ttyS0
  raseed-bank serve --port /dev/ttyS0 --port /dev/ttyS1 --json >> host.log
""",
)
@bank_option
@click.option(
    "--port",
    "ports",
    multiple=True,
    required=True,
    metavar="TTY",
    help="Serial port of a modem: a path, or rfc2217://HOST:PORT. Repeat it to serve "
    "several at once.",
)
@click.option(
    "--baud",
    type=click.IntRange(min=300),
    default=9600,
    show_default=True,
    help="Speed of the serial ports.",
)
@click.option(
    "--init",
    "init_command",
    default="ATZ",
    show_default=True,
    help="The command that sets a modem up.",
)
@click.option("--once", is_flag=True, help="Stop after the first call.")
@passphrase_option
@json_option
@click.pass_context
def serve(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    bank: Path,
    ports: tuple[str, ...],
    baud: int,
    init_command: str,
    once: bool,
    passphrase_file: str | None,
) -> None:
    """Answer calls, take batches, post every payment.

    Runs until SIGTERM or Ctrl-C; a call under way then ends, and its terminal repeats
    what was not answered. Writes one line for each event (with --json one JSON object
    a line) to standard output.
    """
    try:
        plan = AnswerPlan(init=init_command, baud=baud)
    except ValueError as error:
        raise click.UsageError(f"--init or --baud: {error}.") from None
    environment = environment_of(ctx)
    with _told_as_host(), open_bank(bank) as opened:
        keys = open_keys(opened.directory, passphrase_file)
        host = Host(
            bank=Bank(opened.store, keys),
            tls_context=server_context(
                opened.directory.authority_certificate,
                opened.directory.host_certificate,
                opened.directory.host_key,
            ),
            clock=environment.clock,
            random_bytes=environment.random_bytes,
            on_event=_log(ctx, environment, opened),
            plan=plan,
        )
        with _stopped_by_signals() as stop:
            host.serve(ports, stop, once=once)


def _log(
    ctx: click.Context, environment: Environment, opened: OpenBank
) -> Callable[[str, HostEvent | CallEvent], None]:
    as_json = output_of(ctx).as_json
    currency = opened.directory.currency
    lock = threading.Lock()

    def write(port: str, event: HostEvent | CallEvent) -> None:
        at = environment.clock()
        line = (
            json_line(event, port=port, at=at)
            if as_json
            else text_line(event, port=port, at=at, currency=currency)
        )
        # Lines of two ports must not mix; click flushes each.
        with lock:
            click.echo(line)

    return write


@contextmanager
def _told_as_host() -> Iterator[None]:
    """Tell what ends the host as a host would: the line's own words are a counter's.

    Raises:
        HostError: in place of any `ModemError`.
    """
    try:
        yield
    except ModemError as error:
        next_step = (
            "Restore the bank's directory from its backup."
            if isinstance(error, CertificateFileError)
            else "Check --port and the modem's cable, then start the host again."
        )
        raise HostError(
            f"{error.what} No calls are answered now. All that was answered before is "
            f"booked; terminals keep the rest and send it again. {next_step}"
        ) from None


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, instead of ending the program mid-call."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may take signals; whoever runs us elsewhere keeps them.
        yield stop
        return
    before = {
        number: signal.signal(number, on_signal)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
