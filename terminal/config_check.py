"""A configuration held against this machine: its folder and its certificates.

`terminal.config.load_config` looks at the file alone, so that the counter starts
quickly; this looks at everything that the file names, and tells all problems at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from modem.errors import CertificateFileError
from terminal.config import field_problems, load_config, read_values
from terminal.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from terminal.config import TerminalConfig

__all__ = ["check_everything"]

_FILES: Final = ("ca", "certificate", "key")
_COPY: Final = "Right would be: the file that raseed-bank terminal add wrote."


def check_everything(path: Path) -> TerminalConfig:
    """Check the file ``path`` and what it names; nothing is made or changed.

    Raises:
        ConfigError: with every problem that there is.
    """
    values = read_values(path)
    folder = path.resolve().parent
    problems = (
        *field_problems(values),
        *_state_problems(values, folder),
        *_security_problems(values, folder),
    )
    if problems:
        raise ConfigError(problems)
    return load_config(path)


def _state_problems(values: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    directory = _paths(values, "state", ("directory",), folder).get("directory")
    if directory is None:
        return ()
    place = directory
    while not _is_so(place.exists) and place != place.parent:
        place = place.parent
    named = f"state.directory is '{directory}'"
    if not place.is_dir():
        return (f"{named}, but '{place}' is a file. Right would be: a folder.",)
    if os.access(place, os.W_OK | os.X_OK):
        return ()
    can = "be written in" if place == directory else "be made"
    return (
        f"{named}, which cannot {can} by the user of this program. Right would be: a "
        "folder of that user's.",
    )


def _security_problems(values: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    files = _paths(values, "security", _FILES, folder)
    missing = [
        f"security.{key} is '{path}', which is no file. {_COPY}"
        for key, path in files.items()
        if not _is_so(path.is_file)
    ]
    if missing or len(files) < len(_FILES):
        return tuple(missing)
    # Only this check needs TLS, and nothing else of the modem's parts.
    from modem.tls import client_context  # noqa: PLC0415

    try:
        client_context(files["ca"], files["certificate"], files["key"])
    except CertificateFileError as error:
        key = next(key for key, path in files.items() if str(path) == error.path)
        return (f"security.{key} is '{error.path}': {error.reason}. {_COPY}",)
    return ()


def _paths(
    values: Mapping[str, Any], section: str, keys: tuple[str, ...], folder: Path
) -> dict[str, Path]:
    """The paths that ``section`` names soundly; others have been told already."""
    table = values.get(section)
    if not isinstance(table, dict):
        return {}
    named = ((key, table.get(key)) for key in keys)
    return {key: folder / text for key, text in named if text and isinstance(text, str)}


def _is_so(question: Callable[[], bool]) -> bool:
    """The answer about a path; no when the system does not let us look."""
    with suppress(OSError):
        return question()
    return False
