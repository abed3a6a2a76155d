"""How a command learns which bank officer is acting: a name and a password.

A password is asked for without echo, or read from a file (``--password-file``, or one
named after the officer in the folder RASEED_OFFICER_PASSWORDS), and never an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from settlement.commands.environment import environment_of
from settlement.commands.secret_input import read_password, wipe
from settlement.dual_control import DecidedBy
from settlement.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.commands.bank_access import OpenBank
    from settlement.store.officers import OfficerRow

__all__ = [
    "acting_officer",
    "decided_by",
    "officer_options",
    "officers_of",
    "reason_option",
]

F = TypeVar("F", bound="Callable[..., Any]")


def officer_options(command: F) -> F:
    """Add ``--officer`` and ``--password-file``; they arrive under these names."""
    command = click.option(
        "--password-file",
        metavar="FILE",
        help="File whose first line is that officer's password; else a file named "
        "after the officer in the folder RASEED_OFFICER_PASSWORDS, else a hidden "
        "prompt.",
    )(command)
    return click.option(
        "--officer",
        required=True,
        envvar="RASEED_OFFICER",
        show_envvar=True,
        metavar="NAME",
        help="The bank officer who does this.",
    )(command)


def reason_option(command: F) -> F:
    """Add ``--reason``, which arrives as ``reason``."""
    return click.option(
        "--reason", required=True, metavar="TEXT", help="Why, in words; it is kept."
    )(command)


def officers_of(ctx: click.Context, opened: OpenBank) -> Officers:
    """The officers of an open bank."""
    environment = environment_of(ctx)
    return Officers(
        opened.store,
        environment.clock,
        environment.random_bytes,
        memory_kib=environment.argon2_kib,
    )


def acting_officer(
    ctx: click.Context, opened: OpenBank, name: str, password_file: str | None
) -> OfficerRow:
    """The officer who acts, after the password was found right.

    Raises:
        OfficerError: unknown, wrong password, disabled or locked out.
        SecretInputError: no password came in.
    """
    password = read_password(name, password_file)
    try:
        return officers_of(ctx, opened).authenticate(name, bytes(password))
    finally:
        wipe(password)


def decided_by(
    ctx: click.Context,
    opened: OpenBank,
    name: str,
    password_file: str | None,
    reason: str,
) -> DecidedBy:
    """Who proposes or decides, why and when; raises as `acting_officer`."""
    officer = acting_officer(ctx, opened, name, password_file)
    return DecidedBy(officer=officer, reason=reason, at=environment_of(ctx).clock())
