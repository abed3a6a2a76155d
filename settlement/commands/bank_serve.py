"""``raseed-bank serve``: answer the terminals' calls until told to stop."""

from __future__ import annotations

import resource
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from modem.dial_plan import AnswerPlan
from modem.errors import CertificateFileError, ModemError, PortError
from modem.network import Listener, NetworkAddress
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
from settlement.commands.bank_log import HostLog, LogFile
from settlement.commands.bank_post import posting_meanwhile
from settlement.commands.environment import environment_of
from settlement.commands.host_signals import stopped_by_signals
from settlement.commands.host_watch import HostWatch, told_by_http
from settlement.commands.output import ExampleCommand, json_option, output_of
from settlement.errors import HostError
from settlement.host import Host
from settlement.host_network import HANDSHAKES_MAX, NetworkLimits

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from modem.tls_context import LinkContext
    from settlement.bank_config import BankSettings
    from settlement.commands.bank_access import OpenBank
    from settlement.commands.environment import Environment

__all__ = ["serve"]

_DESCRIPTORS_PER_PORT: Final = 8
"""pyserial opens a port and two pipes; the books, a connection while they are asked."""
_DESCRIPTORS_BESIDES: Final = 256


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank serve --bank bank --port /dev/ttyS0
  raseed-bank serve --port /dev/ttyS0 --port rfc2217://modems:2217 \\
      --listen 0.0.0.0:7890 --metrics 127.0.0.1:9187 \\
      --log /var/log/raseed/host.log --log-format json
""",
)
@bank_option
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="TTY",
    help="Serial port of a modem: a path, or rfc2217://HOST:PORT. Repeat it to serve "
    "several at once.",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="ADDRESS:PORT",
    help="Take calls over a network too, by TLS on TCP. Repeat it for several. "
    "[default: listen in bank.toml]",
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
@click.option(
    "--metrics",
    metavar="ADDRESS:PORT",
    help="Tell health and Prometheus metrics there, by HTTP. [default: metrics in "
    "bank.toml, else nowhere]",
)
@click.option(
    "--log",
    "log_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Add the log to FILE, which may be moved away at any time. [default: "
    "standard error]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="A line for people, or one JSON object a line. [default: text; json with "
    "--json]",
)
@click.option("--once", is_flag=True, help="Stop after the first call.")
@passphrase_option
@json_option
@click.pass_context
def serve(ctx: click.Context, /, *, bank: Path, once: bool, **given: Any) -> None:
    """Answer calls, take batches, post every payment.

    Runs until SIGTERM or Ctrl-C. Then no more calls are taken, what was begun is
    answered, and calls end in order (exit code 0); those that have not ended after
    stop_seconds of bank.toml are cut (exit code 1). A second signal stops at once. In
    every case what was answered is booked, and terminals send the rest again.

    A port that fails is tried again, after longer and longer rests, while the others go
    on; only when no line works at the start does it end.
    """
    options = _Options(**given)
    environment = environment_of(ctx)
    with _told_as_host(), open_bank(bank) as opened, ExitStack() as open_things:
        settings = opened.directory.settings
        addresses = _addresses(options, settings)
        plan = _plan(settings, options.profile, options.baud, options.init_command)
        _allow_descriptors(len(options.ports), _connections(addresses, settings))
        keys = open_keys(opened.directory, options.passphrase_file)
        context = _tls_context(opened, environment.clock)
        log = open_things.enter_context(_open_log(ctx, options, environment, opened))
        listeners = [Listener(address) for address in addresses]
        for listener in listeners:
            open_things.callback(listener.close)
        stop = open_things.enter_context(stopped_by_signals())
        watch = HostWatch(
            opened,
            log,
            clock=environment.clock,
            host_until=context.valid_until,
            stop=stop,
        )
        open_things.callback(watch.over)
        open_things.enter_context(
            told_by_http(
                settings.metrics if options.metrics is None else options.metrics,
                watch,
                opened,
                keys,
                lines=[*options.ports, *(one.name for one in listeners)],
                log=log,
            )
        )
        clearing = Bank(opened.store, keys, groups_max=settings.posting_groups or None)
        host = Host(
            bank=clearing,
            admission=Admission(opened.store, environment.clock),
            tls_context=context,
            clock=environment.clock,
            random_bytes=environment.random_bytes,
            on_event=watch.on_event,
            plan=plan,
            note_call=watch.note_call,
            on_tick=watch.on_tick,
            limits=NetworkLimits(calls_max=settings.network_calls),
            stop_seconds=settings.stop_seconds,
        )
        with posting_meanwhile(clearing.desk, log, environment.clock):
            cut = host.serve(options.ports, stop, once=once, listeners=listeners)
        _tell_end(log, cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the command line says besides the bank; None is what bank.toml says."""

    ports: tuple[str, ...]
    listen: tuple[str, ...]
    profile: str | None
    baud: int | None
    init_command: str | None
    metrics: str | None
    log_path: Path | None
    log_format: str | None
    passphrase_file: str | None

    def __post_init__(self) -> None:
        if self.init_command is not None:
            _check_init(self.init_command)
        for name, addresses in (("listen", self.listen), ("metrics", (self.metrics,))):
            for address in addresses:
                if address:
                    _address(f"--{name}", address)


def _address(option: str, text: str) -> NetworkAddress:
    try:
        return NetworkAddress.parse(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}.") from None


def _addresses(options: _Options, settings: BankSettings) -> list[NetworkAddress]:
    """Where connections over a network are taken."""
    wanted = options.listen or settings.listen
    if not wanted and not options.ports:
        raise click.UsageError(
            "Name a line: --port for a modem, --listen for a network (or listen in "
            "bank.toml)."
        )
    return [NetworkAddress.parse(text) for text in wanted]


def _connections(addresses: Sequence[NetworkAddress], settings: BankSettings) -> int:
    """How many connections over a network there can be at once."""
    return len(addresses) * (settings.network_calls + HANDSHAKES_MAX)


@contextmanager
def _open_log(
    ctx: click.Context, options: _Options, environment: Environment, opened: OpenBank
) -> Iterator[HostLog]:
    as_json = output_of(ctx).as_json
    if options.log_format is not None:
        as_json = options.log_format == "json"
    # Not sys.stderr as it is when the module is loaded: a test puts its own there.
    file = sys.stderr if options.log_path is None else LogFile(options.log_path)
    try:
        yield HostLog(
            file,
            as_json=as_json,
            clock=environment.clock,
            currency=opened.directory.currency,
        )
    finally:
        if isinstance(file, LogFile):
            file.close()


def _tell_end(log: HostLog, cut: int) -> None:
    """Tell how the host ended.

    Raises:
        HostError: calls had to be cut.
    """
    if cut == 0:
        log.tell("Stopped", "stopped in order; all that was answered is booked")
        return
    calls = "1 call was" if cut == 1 else f"{cut} calls were"
    log.tell("Stopped", f"stopped; {calls} cut", level="warning", cut=cut)
    raise HostError(
        f"The host has stopped, but {calls} cut: not ended in time. All "
        "that was answered is booked; their terminals call again and go on. Start the "
        "host again when it suits; stop_seconds in bank.toml gives calls more time."
    )


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


def _allow_descriptors(ports: int, connections: int = 0) -> None:
    """Ask the system for as many open files as the lines need, as far as it allows.

    Many systems give a program 1024, which two hundred ports would use up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ports * _DESCRIPTORS_PER_PORT + connections + _DESCRIPTORS_BESIDES
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
            if isinstance(error, PortError)
            else "Check --listen and listen in bank.toml, then start the host again."
        )
        raise HostError(
            f"{error.what} No calls are answered now. All that was answered before is "
            f"booked; terminals keep the rest and send it again. {next_step}"
        ) from None
