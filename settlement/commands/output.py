"""What a command says: tables for people, one JSON document for machines.

A command builds one *document*, a mapping of plain values, and says how a person reads
it. With ``--json`` the document alone goes to standard output, the same keys every
time; without, the reading goes there. Notes on the way (what is being done, what to do
with a card) are for people and go to standard error, so that a pipe never sees them.

Exit codes of both programs: 0 done, 1 something is off (the message says what), 2 the
command line is wrong.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from card.errors import CardError
from settlement.errors import (
    BankUnavailableError,
    FileMistakesError,
    SettlementError,
    StatementError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = [
    "EXIT_OFF",
    "ExampleCommand",
    "Output",
    "PlainErrorsGroup",
    "facts_table",
    "json_option",
    "output_of",
    "table",
]

EXIT_OFF: Final = 1
"""Exit code of every failure that is not a wrong command line."""

_NEGATIVE: Final = re.compile(r"-[.,]?\d")

_PIPE_COLUMNS: Final = 200
"""Width of tables that no terminal shows: wide enough that nothing is cut."""


@dataclass(slots=True)
class Output:
    """Where a command's words go; one for each run of a program."""

    as_json: bool = False

    def show(
        self,
        document: Mapping[str, Any] | Sequence[Any],
        read: Callable[[Console], None],
    ) -> None:
        """Write the result: ``document`` for machines, else what ``read`` prints."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            read(_console())

    def note(self, text: str) -> None:
        """Tell a person what goes on; machines do not hear it."""
        if not self.as_json:
            click.echo(text, err=True)

    def fail(self, error: Exception) -> None:
        """Write why nothing more happens; in JSON ``{"error": {kind, message}}``."""
        if self.as_json:
            kind = type(error).__name__.removesuffix("Error")
            told: dict[str, Any] = {"kind": kind, "message": _sentence(error)}
            if isinstance(error, FileMistakesError):
                told["mistakes"] = [
                    {"where": one.where, "what": one.what} for one in error.mistakes
                ]
            document = {"error": told}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            click.echo(f"Error: {_sentence(error)}", err=True)


class ExampleCommand(click.Command):
    """A command whose epilog is its examples, shown as they are written.

    A number below zero is told as such, where click would look for an option.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command line apart.

        Raises:
            click.UsageError: it is wrong.
        """
        given = list(args)  # click eats the list
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            for word in given:
                if _NEGATIVE.match(word) and word.startswith(error.option_name):
                    raise click.UsageError(
                        f"'{word}' is less than zero, and an amount is always more. "
                        "No money moved.",
                        ctx,
                    ) from None
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on the lines it has in the source."""
        _write_examples(self.epilog, formatter)


class PlainErrorsGroup(click.Group):
    """A group of commands that turns every foreseen error into a plain message.

    A bug is not caught: it ends the program with a traceback, which shows source lines
    and no values. The epilog is examples, as in `ExampleCommand`.
    """

    command_class: type[click.Command] | None = ExampleCommand

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on the lines it has in the source."""
        _write_examples(self.epilog, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; a foreseen error is told and exits with 1."""
        try:
            return super().invoke(ctx)
        except (CardError, SettlementError) as error:
            output_of(ctx).fail(error)
            ctx.exit(EXIT_OFF)
        except OSError as error:
            output_of(ctx).fail(_file_error(error))
            ctx.exit(EXIT_OFF)
        except KeyboardInterrupt:
            output_of(ctx).fail(
                SettlementError(
                    "Interrupted. If a card or a booking was under way, run the same "
                    "command again: it settles what is open and goes on."
                )
            )
            ctx.exit(EXIT_OFF)


def output_of(ctx: click.Context) -> Output:
    """The one output of this run, made when first asked for."""
    output = ctx.find_root().meta.setdefault(__name__, Output())
    assert isinstance(output, Output)
    return output


def json_option(command: F) -> F:
    """Add ``--json`` to a command."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        output_of(ctx).as_json |= value

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=remember,
        help="Write one JSON document instead of tables.",
    )(command)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of plain text; a heading that starts with ``>`` is set right."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        justify = "right" if heading.startswith(">") else "left"
        result.add_column(heading.removeprefix(">"), justify=justify)  # type: ignore[arg-type] # a literal either way
    for row in rows:
        # Text, not str: a holder's name in square brackets is a name, not markup.
        result.add_row(*(Text(cell) for cell in row))
    return result


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """Two columns without headings: what, and its value."""
    result = Table(box=None, pad_edge=False, show_header=False)
    result.add_column(style="bold")
    result.add_column()
    for name, value in facts:
        result.add_row(Text(name), Text(value))
    return result


def _write_examples(epilog: str | None, formatter: click.HelpFormatter) -> None:
    if not epilog:
        return
    formatter.write_paragraph()
    for line in epilog.strip("\n").splitlines():
        formatter.write(f"{line}\n" if line else "\n")


def _console() -> Console:
    if sys.stdout.isatty():
        return Console()
    return Console(width=_PIPE_COLUMNS, soft_wrap=True)


def _sentence(error: Exception) -> str:
    """The error's words as whole sentences, with what to do where they do not say."""
    told = str(error)
    told = told[:1].upper() + told[1:]
    # A command to type next stands at the end, and is copied without a full stop.
    if not told.endswith(".") and "raseed-" not in told.rsplit(". ", 1)[-1]:
        told += "."
    if isinstance(error, BankUnavailableError):
        return f"{told} No money moved by this step; try again in a moment."
    if isinstance(error, StatementError):
        return f"{told} No statement was issued; raseed-bank status shows the books."
    return told


def _file_error(error: OSError) -> SettlementError:
    where = f" '{error.filename}'" if error.filename else ""
    return SettlementError(
        f"Cannot use{where or ' a file'}: {error.strerror or error}. No money moved by "
        "this step; put it right and run the command again."
    )
