"""What the commands of ``raseed-terminal`` have in common: options, errors, output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from terminal.errors import TerminalError

__all__ = ["PlainErrors", "config_option", "json_option", "say", "say_json"]

_AS_JSON: Final = f"{__name__}.as_json"


class PlainErrors(click.Group):
    """Shows an error of ours as its own words, without a trace."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except TerminalError as error:
            if not ctx.meta.get(_AS_JSON):
                raise click.ClickException(str(error)) from None
            kind = type(error).__name__.removesuffix("Error")
            say_json({"error": {"kind": kind, "message": str(error)}})
            ctx.exit(1)


def _note_json(ctx: click.Context, _: click.Parameter, as_json: bool) -> bool:
    ctx.meta[_AS_JSON] = as_json
    return as_json


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    envvar="RASEED_TERMINAL_CONFIG",
    help="This terminal's TOML file (or RASEED_TERMINAL_CONFIG).",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_note_json, help="For machines."
)


def say(line: str) -> None:
    """Tell how it goes: on standard error, so that results stay apart."""
    click.echo(line, err=True)


def say_json(document: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False))
