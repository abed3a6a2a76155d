"""``raseed-bank serve``: answer the terminals' calls until told to stop."""

from __future__ import annotations

import resource
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from modem.dial_plan import AnswerPlan
from modem.errors import CertificateFileError, ModemError
from modem.profiles import PROFILES
from modem.tls import server_context
from settlement.admission import Admission
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
    import datetime as dt
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from modem.events import CallEvent
    from modem.tls_context import LinkContext
    from settlement.bank_config import BankSettings
    from settlement.commands.bank_access import OpenBank
    from settlement.commands.environment import Environment
    from settlement.host import HostEvent

__all__ = ["serve"]

_DESCRIPTORS_PER_PORT: Final = 8
"""pyserial opens a port and two pipes; the books, a connection while they are asked."""
_DESCRIPTORS_BESIDES: Final = 256


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
    "--profile",
    type=click.Choice([*PROFILES]),
    help="Kind of the modems; direct is a line without any. [default: modem_profile "
    "in bank.toml]",
)
@click.option(
    "--baud",
    type=click.IntRange(min=300, max=921_600),
    help="Speed of the serial ports. [default: modem_baud in bank.toml]",
)
@click.option(
    "--init",
    "init_command",
    help="The command that sets a modem up. [default: modem_init in bank.toml]",
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
    profile: str | None,
    baud: int | None,
    init_command: str | None,
    once: bool,
    passphrase_file: str | None,
) -> None:
    """Answer calls, take batches, post every payment.

    Runs until SIGTERM or Ctrl-C; a call under way then ends, and its terminal repeats
    what was not answered. A port that fails is tried again, after longer and longer
    rests, while the others go on; only when none works at the start does it end.
    Writes one line for each event (with --json one JSON object a line) to standard
    output.
    """
    if init_command is not None:
        _check_init(init_command)
    _allow_descriptors(len(ports))
    environment = environment_of(ctx)
    with _told_as_host(), open_bank(bank) as opened:
        keys = open_keys(opened.directory, passphrase_file)
        host = Host(
            bank=Bank(opened.store, keys),
            admission=Admission(opened.store, environment.clock),
            tls_context=_tls_context(opened, environment.clock),
            clock=environment.clock,
            random_bytes=environment.random_bytes,
            on_event=_log(ctx, environment, opened),
            plan=_plan(opened.directory.settings, profile, baud, init_command),
        )
        with _stopped_by_signals() as stop:
            host.serve(ports, stop, once=once)


def _check_init(init_command: str) -> None:
    try:
        AnswerPlan(init=init_command)
    except ValueError as error:
        raise click.UsageError(f"--init: {error}.") from None


def _plan(
    settings: BankSettings,
    profile: str | None,
    baud: int | None,
    init_command: str | None,
) -> AnswerPlan:
    """What the command line says, and bank.toml where it says nothing."""
    return AnswerPlan(
        profile=PROFILES[profile or settings.modem_profile],
        init=init_command or settings.modem_init,
        baud=baud or settings.modem_baud,
        connect_timeout_ms=1000 * settings.modem_connect_seconds,
    )


def _allow_descriptors(ports: int) -> None:
    """Ask the system for as many open files as the ports need, as far as it allows.

    Many systems give a program 1024, which two hundred ports would use up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ports * _DESCRIPTORS_PER_PORT + _DESCRIPTORS_BESIDES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tls_context(opened: OpenBank, clock: Callable[[], dt.datetime]) -> LinkContext:
    """The host's side of TLS.

    Raises:
        CertificateFileError: a file cannot be used.
        HostError: the host's own certificate has expired.
    """
    directory = opened.directory
    context = server_context(
        directory.terminals_authority_certificate,
        directory.host_certificate,
        directory.host_key,
        clock=clock,
    )
    if clock() > context.valid_until:
        raise HostError(
            f"The host's certificate ended on {context.valid_until:%Y-%m-%d}; every "
            "terminal would refuse it. No calls are answered; terminals keep what they "
            "have and send it later. Check the clock, or run raseed-bank host renew."
        )
    return context


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
