"""What a command gets from the machine it runs on: the time and the card readers.

Commands take these from here and never by themselves, so that a test runs a whole desk
with cards inside its own process and a clock that stands where the test put it. The
entry points make `real_environment`.
"""

from __future__ import annotations

import datetime as dt
import os
import pwd
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from settlement.keystore import SCRYPT_COST_DEFAULT
from settlement.officers import MEMORY_KIB_DEFAULT
from settlement.statements import BANK_ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import click

    from card.channel import Channel

__all__ = ["Environment", "OpenCard", "environment_of", "real_environment", "today"]


def _login_name() -> str:
    """The user by whom this program runs; a number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class OpenCard(Protocol):
    """A card that this program alone holds."""

    @property
    def channel(self) -> Channel:
        """The way to the card."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The outside world of a command.

    Attributes:
        clock: the time, with its zone.
        readers: names of the readers connected now.
        find_reader: the exact name meant by a name, a part of it, or a role.
        open_card: connects to the card in a reader, given its exact name.
        random_bytes: so many bytes that nobody can foresee.
        scrypt_cost: what a guess of the passphrase of new keys costs.
        argon2_kib: memory that a guess of an officer's password costs.
        user: who runs the command, for what is kept about it.
    """

    clock: Callable[[], dt.datetime]
    readers: Callable[[], Sequence[str]]
    find_reader: Callable[[str], str]
    open_card: Callable[[str], AbstractContextManager[OpenCard]]
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    scrypt_cost: int = SCRYPT_COST_DEFAULT
    argon2_kib: int = MEMORY_KIB_DEFAULT
    user: Callable[[], str] = _login_name


def today(environment: Environment) -> dt.date:
    """The date at the bank now."""
    return environment.clock().astimezone(BANK_ZONE).date()


def environment_of(ctx: click.Context) -> Environment:
    """The environment this run was started with."""
    environment = ctx.find_object(Environment)
    assert environment is not None
    return environment


def real_environment() -> Environment:
    """The machine's clock and PC/SC; pyscard is only loaded when a reader is used."""

    def readers() -> Sequence[str]:
        from card import pcsc  # noqa: PLC0415 - the bank's host has no pyscard

        return pcsc.readers()

    def find_reader(wanted: str) -> str:
        from card import pcsc  # noqa: PLC0415 - as above

        return pcsc.find_reader(wanted)

    def open_card(reader: str) -> AbstractContextManager[OpenCard]:
        from card import pcsc  # noqa: PLC0415 - as above

        return pcsc.open_card(reader)

    return Environment(
        clock=lambda: dt.datetime.now(dt.UTC),  # noqa: TID251 - the real clock enters here
        readers=readers,
        find_reader=find_reader,
        open_card=open_card,
    )
