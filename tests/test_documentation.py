"""The pages fit together: links lead somewhere, commands and options are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from bench.__main__ import BENCHMARKS
from settlement.commands.bank import bank
from settlement.commands.card_desk import card_desk
from sim.__main__ import main as simulator
from terminal.__main__ import terminal

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS: dict[str, click.Group] = {
    "raseed-bank": bank,
    "raseed-card": card_desk,
    "raseed-terminal": terminal,
    "raseed-sim": simulator,
}
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
CODE = re.compile(r"`([^`]+)`")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments that a page offers, as hosts of Markdown make them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def leaves(group: click.Group, prefix: str = "") -> dict[str, click.Command]:
    """Every command of a program by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        words = f"{prefix}{name}"
        if isinstance(command, click.Group):
            found |= leaves(command, f"{words} ")
        else:
            found[words] = command
    return found


def options(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def arguments(command: click.Command) -> list[str]:
    return [
        parameter.metavar or parameter.name.upper()
        for parameter in command.params
        if isinstance(parameter, click.Argument) and parameter.name
    ]


def section(title: str) -> str:
    text = COMMANDS.read_text(encoding="utf-8")
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"a section {title}"
    return found[1]


def table(title: str) -> dict[str, str]:
    """The second cell of each row of a section's table, by the first."""
    lines = re.findall(r"^\| (.*?) \| (.*) \|$", section(title), re.MULTILINE)
    return {first: second for first, second in lines if first != "---"}


def documented(program: str) -> dict[str, str]:
    """What the page says of each command of a program, by the words that call it."""
    rows: dict[str, str] = {}
    for first, second in table(program).items():
        rows |= dict.fromkeys(CODE.findall(first), second)
    return rows


def of_every_command() -> set[str]:
    return set(OPTION.findall(" ".join(table("For every command"))))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        if fragment:
            assert fragment in anchors(target), link


@pytest.mark.parametrize("page", PAGES[2:], ids=name_of)
def test_every_page_is_found_from_the_readme(page: Path) -> None:
    assert name_of(page) in LINK.findall(README.read_text(encoding="utf-8"))


def test_every_target_of_make_in_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_program_is_in_the_readme_and_is_installed() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    text = README.read_text(encoding="utf-8")
    named = re.findall(r"^\| `(raseed-[a-z]+)` \|", text, re.MULTILINE)
    assert sorted(named) == sorted(scripts) == sorted(PROGRAMS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_benchmark_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"python -m bench (\w+)", page.read_text(encoding="utf-8"))
    assert set(named) <= set(BENCHMARKS)


@pytest.mark.parametrize("program", ["raseed-bank", "raseed-card"])
def test_every_command_is_documented_and_there(program: str) -> None:
    expected = {
        " ".join([words, *arguments(command)])
        for words, command in leaves(PROGRAMS[program]).items()
    }
    assert set(documented(program)) == expected


@pytest.mark.parametrize("program", ["raseed-bank", "raseed-card"])
def test_every_option_is_documented_and_there(program: str) -> None:
    for words, command in leaves(PROGRAMS[program]).items():
        row = documented(program)[" ".join([words, *arguments(command)])]
        own = set(OPTION.findall(row))
        assert own <= options(command), words
        assert options(command) <= own | of_every_command(), words


def test_every_common_option_is_one_of_a_command() -> None:
    there = {
        option
        for program in ("raseed-bank", "raseed-card")
        for command in leaves(PROGRAMS[program]).values()
        for option in options(command)
    }
    assert of_every_command() <= there


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_that_is_shown_can_be_typed(page: Path) -> None:
    # The marks of a block would be taken for those of words in a line.
    text = page.read_text(encoding="utf-8").replace("```", "")
    shown = [*CODE.findall(text), *re.findall(r"^ {4}(raseed-.*)$", text, re.MULTILINE)]
    for line in shown:
        program, *words = line.split()
        if program not in PROGRAMS or not words:
            continue
        known: click.Command = PROGRAMS[program]
        while isinstance(known, click.Group) and words and words[0] in known.commands:
            known = known.commands[words.pop(0)]
        assert not isinstance(known, click.Group), line
        assert set(OPTION.findall(" ".join(words))) <= options(known), line
