"""``--reason``: why a person did something, kept in the books for an auditor.

A reason is shown on lists beside other facts years later, so it is words and nothing
else: no control characters, no direction marks, not empty, not a letter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from settlement.shown_text import REASON_MAX, reason_fault

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reason_option"]

F = TypeVar("F", bound="Callable[..., Any]")


def reason_option(command: F) -> F:
    """Add ``--reason``, which arrives as ``reason``: blanks around it are gone."""

    def checked(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
        fault = reason_fault(value)
        if fault is not None:
            raise click.UsageError(f"--reason {fault}. Nothing was changed.")
        return value.strip()

    return click.option(
        "--reason",
        required=True,
        callback=checked,
        metavar="WORDS",
        help=f"Why, in up to {REASON_MAX} characters; kept in the books for people at "
        "the bank.",
    )(command)
