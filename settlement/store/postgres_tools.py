"""PostgreSQL's own tools: a server's books in one file, and again out of it.

``pg_dump`` and ``pg_restore`` of Debian's package ``postgresql-client`` are run as
programs. The password goes to them by the environment, never on the command line, where
every user of the machine could read it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from psycopg.conninfo import make_conninfo

from settlement.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

__all__ = ["dump_books", "load_books"]

_WORDS_MAX: Final = 300
"""Of what a tool says; the first line names the cause."""


def dump_books(url: sa.URL, path: Path, snapshot: str) -> None:
    """Write a database to a new file, in pg_dump's custom format.

    Args:
        url: of the database.
        path: of the file.
        snapshot: that a transaction has exported: what is written is what that sees.

    Raises:
        StoreError: the tool is missing or has failed.
    """
    _run(
        "pg_dump",
        url,
        *("--format=custom", "--no-owner", "--no-privileges", "--no-password"),
        *(f"--snapshot={snapshot}", f"--file={path}"),
    )


def load_books(url: sa.URL, path: Path) -> None:
    """Make what such a file holds in an empty database: all of it or nothing.

    Raises:
        StoreError: the tool is missing or has failed.
    """
    _run(
        "pg_restore",
        url,
        *("--exit-on-error", "--single-transaction", "--no-owner"),
        *("--no-privileges", "--no-password", str(path)),
    )


def _run(program: str, url: sa.URL, *words: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise StoreError(
            f"the program {program} is not on this machine. Nothing was changed. "
            "Install the package postgresql-client, of the server's version or newer"
        )
    dialect: Any = url.get_dialect()()
    _, connects = dialect.create_connect_args(url)
    told: dict[str, Any] = dict(connects)
    password = told.pop("password", None)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    done = subprocess.run(  # noqa: S603  our own words, and the bank's own database
        [found, f"--dbname={make_conninfo('', **told)}", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[:_WORDS_MAX]
        raise StoreError(f"the program {program} has failed: {said or done.returncode}")
