"""Where a statement goes on paper: files of PDF and CSV, or standard output.

Issuing gives a statement its number for ever, so what can be seen beforehand to fail is
refused before it is issued; and what fails afterwards is told with that number, under
which the same statement can be printed again.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from settlement.errors import InputError, SettlementError, StatementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.statement import Statement

__all__ = ["StatementFiles"]

_STDOUT: Final = Path("-")


class StatementFileError(SettlementError):
    """A statement is issued, and what was to be printed of it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFiles:
    """What is to be written of one statement.

    Attributes:
        pdf: file for the PDF, ``-`` for standard output, or None.
        csv: likewise for CSV.
    """

    pdf: Path | None
    csv: Path | None

    @property
    def to_stdout(self) -> int:
        """How many of them go to standard output."""
        return (self.pdf, self.csv).count(_STDOUT)

    def require_writable(self) -> None:
        """Refuse what cannot be written, before a statement is issued for it.

        Raises:
            InputError: a folder is missing, is not ours to write to, or a folder is
                named where a file is to be.
        """
        for option, path in (("--pdf", self.pdf), ("--csv", self.csv)):
            if path is None or path == _STDOUT:
                continue
            if problem := _problem(path):
                raise InputError(
                    f"{option} '{path}' cannot be written: {problem}. No statement was "
                    "issued and no money moved. Name another file, or make its folder."
                )

    def write(self, made: Statement) -> dict[str, str]:
        """Write the statement, each file whole or not at all.

        Returns:
            The files written, by kind.

        Raises:
            StatementFileError: one cannot be written; the statement stays issued.
        """
        written = {}
        if self.pdf is not None:
            _write(made, "pdf", self.pdf, _draw_pdf)
            written["pdf"] = str(self.pdf)
        if self.csv is not None:
            _write(made, "csv", self.csv, _draw_csv)
            written["csv"] = str(self.csv)
        return written


def _problem(path: Path) -> str | None:
    folder = path.parent
    if not folder.exists():
        return f"there is no folder '{folder}'"
    if not folder.is_dir():
        return f"'{folder}' is no folder"
    if path.is_dir():
        return "it is a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write to the folder '{folder}'"
    return None


def _draw_pdf(made: Statement) -> bytes:
    # Drawing loads a font engine: half a second that nobody else should pay.
    from settlement.statement_pdf import statement_pdf  # noqa: PLC0415 - see above

    return statement_pdf(made)


def _draw_csv(made: Statement) -> bytes:
    from settlement.statement_csv import statement_csv  # noqa: PLC0415 - as its sister

    return statement_csv(made)


def _write(
    made: Statement, kind: str, path: Path, draw: Callable[[Statement], bytes]
) -> None:
    try:
        content = draw(made)
        if path == _STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            _replace(path, content)
    except (OSError, StatementError) as error:
        why = str(error) if isinstance(error, StatementError) else error.strerror
        where = "Standard output" if path == _STDOUT else f"'{path}'"
        raise StatementFileError(
            f"Statement {made.number} was issued and is stored, but the {kind.upper()} "
            f"was not written. {where}: {why or 'it cannot be written'}. No money "
            "moved. When that is put right, print the same statement again: "
            f"raseed-bank statement --number {made.number} --{kind} "
            f"{shlex.quote(str(path))}"
        ) from None


def _replace(path: Path, content: bytes) -> None:
    """Write a whole file or none; a reader never sees half a statement."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
