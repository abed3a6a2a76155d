"""``raseed-sim cards``: a test purse and a test customs card in virtual readers.

The cards live in two files of the state folder and are served to the vpcd driver of a
running pcscd until the command is interrupted. Lines on standard input take cards out
and put them back.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from card.profile import CardState, Role
from sim.cards.errors import SimulatedCardError
from sim.cards.issue import (
    blank_customs_card,
    blank_purse,
    default_customs_card,
    default_purse,
)
from sim.cards.memory import FileMemory
from sim.cards.vpcd import CardProtocol, VPCDCard
from sim.failures import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.cards.application import Application
    from sim.cards.memory import Memory

__all__ = ["cards"]

_PORT: Final = 35963
"""Where vpcd listens unless it is told otherwise."""
_PORT_MAX: Final = 65534
_SERIALS: Final = {
    Role.PURSE: bytes.fromhex("52 53 50 55 00 00 00 01"),
    Role.CUSTOMS: bytes.fromhex("52 53 43 55 00 00 00 01"),
}
_LINE_BYTES_MAX: Final = 4096
_HELP_LINE: Final = (
    "Type 'remove purse', 'insert purse', 'remove customs', 'insert customs' or 'quit'."
)


@click.command()
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder that holds the two cards; made when it is not there.",
)
@click.option(
    "--port",
    type=click.IntRange(1, _PORT_MAX),
    default=_PORT,
    show_default=True,
    help="vpcd's port for the purse; the customs card is at the next one.",
)
@click.option(
    "--protocol",
    type=click.Choice([protocol.value for protocol in CardProtocol]),
    default=CardProtocol.T1.value,
    show_default=True,
    help="Transmission protocol that the cards speak.",
)
@click.option(
    "--blank", is_flag=True, help="Make new cards blank, to be personalised first."
)
def cards(*, state: Path, port: int, protocol: str, blank: bool) -> None:
    """Serve a simulated purse and customs card until interrupted."""
    # Before the first card is served, so that a signal always finds us ready for it.
    with _signals() as interrupted, contextlib.ExitStack() as stack:
        try:
            slots = {
                role: stack.enter_context(
                    VPCDCard(
                        _open(role, state, stack, blank=blank),
                        port + offset,
                        protocol=protocol,
                    )
                )
                for offset, role in enumerate(Role)
            }
        except SimulatedCardError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(
                f"The cards cannot be kept there ({told(error)}). No card was served. "
                "Name another folder with --state."
            ) from None
        for offset, role in enumerate(Role):
            click.echo(f"{role.value} card ({protocol}) on port {port + offset}")
        click.echo(_HELP_LINE)
        _serve(slots, interrupted)
    click.echo("Cards removed; their state is kept.")


def _open(
    role: Role, state: Path, stack: contextlib.ExitStack, *, blank: bool
) -> Application:
    memory = stack.enter_context(FileMemory(state / f"{role.value}.card"))
    known = "new" if memory.is_blank else "known"
    card = _make(role, memory, blank=blank)
    initialised = memory.integer("state") == CardState.INITIALISED
    condition = "blank" if initialised else "personalised"
    click.echo(f"{role.value} card: {known}, {condition}, kept in {state}")
    return card


def _make(role: Role, memory: Memory, *, blank: bool) -> Application:
    issue: dict[Role, Callable[[Memory], Application]] = {
        Role.PURSE: default_purse,
        Role.CUSTOMS: default_customs_card,
    }
    deliver: dict[Role, Callable[[Memory, bytes], Application]] = {
        Role.PURSE: blank_purse,
        Role.CUSTOMS: blank_customs_card,
    }
    return deliver[role](memory, _SERIALS[role]) if blank else issue[role](memory)


def _serve(slots: dict[Role, VPCDCard], interrupted: socket.socket) -> None:
    """Obey lines of standard input until a signal or ``quit``."""
    with selectors.SelectSelector() as selector:
        selector.register(interrupted, selectors.EVENT_READ)
        with contextlib.suppress(OSError):
            os.fstat(0)  # A service may start us without any standard input.
            selector.register(0, selectors.EVENT_READ)
        pending = b""
        while True:
            ready = [key.fileobj for key, _events in selector.select()]
            if interrupted in ready:
                return
            part = _read_some()
            if not part:
                # The end of the input only means that no more lines will come.
                selector.unregister(0)
                continue
            *lines, pending = (pending + part).split(b"\n")
            pending = pending[-_LINE_BYTES_MAX:]
            if not all(_obey(line.decode(errors="replace"), slots) for line in lines):
                return


def _read_some() -> bytes:
    try:
        return os.read(0, _LINE_BYTES_MAX)
    except OSError:
        return b""  # The terminal is gone, which is an end of input too.


def _obey(line: str, slots: dict[Role, VPCDCard]) -> bool:
    """Carry out one line; False when it asks to stop."""
    match line.split():
        case []:
            return True
        case ["quit"]:
            return False
        case ["remove" | "insert" as verb, ("purse" | "customs") as name]:
            slot = slots[Role(name)]
            (slot.insert if verb == "insert" else slot.remove)()
            click.echo(f"{name} card {'inserted' if slot.inserted else 'removed'}")
        case _:
            click.echo(f"Not understood. {_HELP_LINE}")
    return True


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that becomes readable when SIGINT or SIGTERM comes."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(sender.fileno())
    try:
        yield receiver
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        receiver.close()
        sender.close()
