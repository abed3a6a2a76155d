"""Help with the options in groups, for a command that has many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["GroupedCommand"]


class GroupedCommand(click.Command):
    """A command whose help tells its options under headings.

    The last heading also takes what every command has, such as ``--help``.
    """

    def __init__(
        self, *args: Any, groups: Mapping[str, Sequence[str]], **rest: Any
    ) -> None:
        """Make the command.

        Args:
            args: of `click.Command`.
            groups: heading to options, each by its first name, such as ``--near``;
                in the order in which both are told.
            rest: of `click.Command`.

        Raises:
            ValueError: an option is in no group, or a group has one that is not there.
        """
        super().__init__(*args, **rest)
        named = [name for names in groups.values() for name in names]
        there = [param.opts[0] for param in self.params]
        if sorted(named) != sorted(there):
            raise ValueError(f"not grouped once: {set(named) ^ set(there)}")
        self._groups = groups

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the groups; see `click.Command.format_options`."""
        rows = {
            param.opts[0]: row
            for param in self.get_params(ctx)
            if (row := param.get_help_record(ctx))
        }
        *_, last = self._groups
        for heading, names in self._groups.items():
            told = [rows.pop(name) for name in names]
            with formatter.section(heading):
                formatter.write_dl(
                    told + (list(rows.values()) if heading == last else [])
                )
