"""The help of `raseed-sim` fits on any terminal, and what is looked for is found."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from sim.__main__ import main
from sim.grouped_help import GroupedCommand

COLUMNS = 80


def help_of(*name: str) -> str:
    result = CliRunner().invoke(main, [*name, "--help"], terminal_width=COLUMNS)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", [(), *((name,) for name in main.commands)])
def test_no_line_of_the_help_is_too_long(name: tuple[str, ...]) -> None:
    assert max(map(len, help_of(*name).splitlines())) <= COLUMNS


def test_the_many_options_of_a_line_stand_in_groups_each_once() -> None:
    told = help_of("line")
    assert re.findall(r"^(\w.*):$", told, re.MULTILINE) == [
        "Modems and their ports",
        "The line",
        "The way back, where it is not the same",
        "Calls",
        "This run",
    ]
    for param in main.commands["line"].params:
        assert len(re.findall(rf"^  {param.opts[0]}\b(?!-)", told, re.MULTILINE)) == 1
    assert told.count("  --help") == 1


def test_the_choices_that_a_name_stands_for_are_told() -> None:
    assert "half-typed" in help_of("line")
    assert "batch close, bank acknowledgement" in " ".join(help_of("faults").split())


@pytest.mark.parametrize("names", [("--near",), ("--near", "--far", "--far")])
def test_an_option_must_be_in_one_group(names: tuple[str, ...]) -> None:
    options: list[click.Parameter] = [
        click.Option([one]) for one in ("--near", "--far")
    ]
    with pytest.raises(ValueError, match="not grouped once"):
        GroupedCommand("line", params=options, groups={"Ports": names})
