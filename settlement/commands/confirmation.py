"""``--yes``: what cannot simply be taken back is asked about first.

People are asked at the terminal; whoever runs a command from a script says ``--yes``.
Nothing is held open while somebody thinks: ask before the books are locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from settlement.commands.output import output_of
from settlement.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["confirm", "yes_option"]

F = TypeVar("F", bound="Callable[..., Any]")


def yes_option(command: F) -> F:
    """Add ``--yes``, which arrives as ``yes``."""
    return click.option(
        "--yes", is_flag=True, help="Do not ask; for scripts, and needed with --json."
    )(command)


def confirm(ctx: click.Context, question: str, *, yes: bool) -> None:
    """Go on if a person says so, or has said so with ``--yes``.

    Args:
        ctx: of the command.
        question: what would happen, and whether to do it.
        yes: whether ``--yes`` was given.

    Raises:
        InputError: nobody agreed; nothing was changed.
    """
    if yes:
        return
    if output_of(ctx).as_json:
        raise InputError(f"{question} Nothing was changed; say so with --yes.")
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        raise InputError(
            "Nobody answered. Nothing was changed; a script says --yes."
        ) from None
    if not agreed:
        raise InputError("Nothing was changed.")
