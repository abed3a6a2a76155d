"""What `docs/terminal.md` says is what there is."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from terminal.__main__ import terminal
from terminal.app import LOOK_SECONDS
from terminal.config import TerminalConfig
from terminal.customs_desk import BATCH_PLACES_MAX
from terminal.disk import FREE_BYTES_MIN
from terminal.download_shelf import CLOCK_LIMIT_DEFAULT
from terminal.entries import BatchState, PaymentState
from terminal.journal_check import WHOLE_ENTRIES_MAX

PAGE = (Path(__file__).parents[2] / "docs" / "terminal.md").read_text()


def keys() -> list[str]:
    found = []
    for section, field in TerminalConfig.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found += [f"{section}.{key}" for key in model.model_fields]
    return found


@pytest.mark.parametrize("key", keys())
def test_every_key_is_documented_with_its_default(key: str) -> None:
    (line,) = [row for row in PAGE.splitlines() if row.startswith(f"| `{key}`")]
    section, name = key.split(".")
    model = TerminalConfig.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    field = model.model_fields[name]
    if not field.is_required():
        written = field.default
        # TOML writes its truth values small.
        assert (str(written).lower() if written is True else str(written)) in line


@pytest.mark.parametrize("state", [*PaymentState, *BatchState])
def test_every_state_is_documented(state: PaymentState | BatchState) -> None:
    assert f"`{state.value}`" in PAGE


def commands(group: click.Group, before: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        words = f"{before}{name}"
        if isinstance(command, click.Group):
            found += commands(command, f"{words} ")
        else:
            found.append(words)
    return found


@pytest.mark.parametrize("name", commands(terminal))
def test_every_command_is_documented(name: str) -> None:
    assert f"| `{name}`" in PAGE


def test_the_limit_of_the_disk_is_documented() -> None:
    assert f"less than {FREE_BYTES_MIN // 1024**2} MiB are free" in PAGE
    assert f"looks every {LOOK_SECONDS:.0f} seconds" in PAGE


def test_how_long_a_log_is_read_whole_is_documented() -> None:
    assert f"more than {WHOLE_ENTRIES_MAX} entries" in PAGE


def test_the_size_of_a_batch_is_documented() -> None:
    assert f"at {BATCH_PLACES_MAX} payments" in PAGE


def test_how_far_the_clocks_may_differ_is_documented() -> None:
    text = " ".join(PAGE.split())
    seconds = CLOCK_LIMIT_DEFAULT.total_seconds()
    assert f"({seconds:.0f} seconds unless the bank says otherwise)" in text
