"""``raseed-bank statement``: what is printed, where, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    World = Any

STATEMENT = ("statement", "--account", "100200300")


def test_a_statement_is_written_as_pdf_and_csv(branch: World) -> None:
    pdf, csv = branch.folder / "s.pdf", branch.folder / "s.csv"
    issued = branch.bank(
        *("statement", "--account", "100200300", "--json"),
        *("--pdf", str(pdf), "--csv", str(csv)),
    )
    assert issued.exit_code == 0, issued.output
    assert branch.json(issued)["closing_minor"] == 900_000
    assert pdf.read_bytes().startswith(b"%PDF")
    assert "900.000" in csv.read_text("utf-8-sig")
    again = branch.bank("statement", "--number", "1", "--json")
    assert branch.json(again)["digest"] == branch.json(issued)["digest"]


def _issued_statements(world: World) -> int:
    """How many there are, by the number that is not there yet."""
    number = 1
    while world.bank("statement", "--number", str(number)).exit_code == 0:
        number += 1
    return number - 1


@pytest.mark.parametrize("option", ["--pdf", "--csv"])
@pytest.mark.parametrize(
    ("path", "told"),
    [("no/s", "there is no folder"), ("terminal", "it is a folder")],
    ids=["no folder", "a folder"],
)
def test_a_file_that_cannot_be_made_is_refused_before_a_statement_is_issued(
    branch: World, option: str, path: str, told: str
) -> None:
    result = branch.bank(*STATEMENT, option, str(branch.folder / path))
    assert result.exit_code == 1
    assert f"{option} '{branch.folder / path}' cannot be written: {told}" in (
        result.output
    )
    assert "No statement was issued" in result.output
    assert _issued_statements(branch) == 0
    assert not (branch.folder / "no").exists()


def test_a_file_that_fails_after_all_names_the_statement_and_how_to_print_it(
    branch: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(draft: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device", str(draft))

    monkeypatch.setattr(Path, "replace", full)
    file = branch.folder / "s.csv"
    result = branch.bank(*STATEMENT, "--csv", str(file))
    assert result.exit_code == 1
    assert "Statement 1 was issued and is stored" in result.output
    assert "No space left on device" in result.output
    assert f"raseed-bank statement --number 1 --csv {file}\n" in result.output
    assert "draft" not in result.output
    assert not list(branch.folder.glob(".*"))


@pytest.mark.parametrize(
    ("option", "start"),
    [("--pdf", b"%PDF"), ("--csv", "\ufeffstatement,entry".encode())],
    ids=["pdf", "csv"],
)
def test_a_statement_alone_goes_to_standard_output(
    branch: World, option: str, start: bytes
) -> None:
    assert branch.bank(*STATEMENT).exit_code == 0
    file = branch.folder / "s"
    assert branch.bank(*STATEMENT, option, str(file)).exit_code == 0
    piped = branch.bank(*STATEMENT, option, "-")
    assert piped.exit_code == 0
    assert piped.stdout_bytes == file.read_bytes()
    assert piped.stdout_bytes.startswith(start)


@pytest.mark.parametrize(
    "options",
    [("--pdf", "-", "--csv", "-"), ("--json", "--csv", "-")],
    ids=["both", "json"],
)
def test_standard_output_is_for_one_document(
    branch: World, options: tuple[str, ...]
) -> None:
    result = branch.bank(*STATEMENT, *options)
    assert result.exit_code == 2
    assert "standard output" in result.output
    assert _issued_statements(branch) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--office", "MUSCAT"), "MUSCAT"),
        (("--account", "555"), "555"),
        (("--number", "99"), "99"),
        (("--office", "SOHAR", "--from", "2026-03-09", "--to", "2026-03-01"), "period"),
    ],
    ids=["office", "account", "number", "period"],
)
def test_a_statement_that_cannot_be_made_is_told(
    branch: World, options: tuple[str, ...], told: str
) -> None:
    result = branch.bank("statement", *options)
    assert result.exit_code == 1
    assert told in result.output
