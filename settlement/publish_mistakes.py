"""The mistakes of a file that was to be published: all of them, told at once.

Who mends a file of a thousand lines wants to be told of every line in one go. A file
is read to its end whatever is found, and refused then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.errors import FileMistake, FileMistakesError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NOTHING", "Mistakes", "read_text"]

NOTHING: Final = "Nothing was published."
_MISTAKES_MAX: Final = 200
"""What is told of one file; the rest is counted."""
_BOM: Final = b"\xef\xbb\xbf"
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


class Mistakes:
    """What was found wrong in one file so far."""

    def __init__(self, file: Path) -> None:
        """Nothing yet."""
        self._file = file
        self._found: list[FileMistake] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, where: str, what: str) -> None:
        """Note one.

        Args:
            where: ``Line 3``, or the name of a key; empty for the file as a whole.
            what: what is wrong and what would be right, without a full stop.
        """
        self._count += 1
        if self._count <= _MISTAKES_MAX:
            self._found.append(FileMistake(where=where, what=what))

    def refuse_if_any(self) -> None:
        """End here when there is something wrong.

        Raises:
            FileMistakesError: with all of it.
        """
        if not self._count:
            return
        raise FileMistakesError(
            str(self._file),
            self._found,
            left_out=self._count - len(self._found),
            ending=NOTHING,
        )


def read_text(path: Path, mistakes: Mistakes, bytes_max: int) -> str:
    """The text of a file in UTF-8, without the mark that spreadsheets put first.

    Args:
        path: of the file.
        mistakes: told of each line that is no text.
        bytes_max: of the file.

    Raises:
        FileMistakesError: it is no text.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        mistakes.add("", f"it has more than {bytes_max} bytes, which is the most")
    elif data.startswith(_WIDE_BOMS):
        mistakes.add("", "it is not a text in UTF-8 but in UTF-16; save it as UTF-8")
    else:
        _check_lines(data, mistakes)
    mistakes.refuse_if_any()
    return data.removeprefix(_BOM).decode()


def _check_lines(data: bytes, mistakes: Mistakes) -> None:
    for number, line in enumerate(data.split(b"\n"), 1):
        if b"\0" in line:
            mistakes.add(f"Line {number}", "a NUL byte, which no text has")
        try:
            line.decode()
        except UnicodeDecodeError as error:
            octet = line[error.start]
            mistakes.add(
                f"Line {number}",
                f"not a text in UTF-8: the byte {octet:02X} at place {error.start + 1}",
            )
