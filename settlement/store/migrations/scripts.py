"""The statements of a revision, written for each database in a file beside it.

``NAME.sqlite.sql`` and ``NAME.postgresql.sql`` hold statements with an empty line
between two; a database without a file has nothing to do. Lines that begin with ``--``
are comments. In PostgreSQL's, ``{schema}`` stands for the bank's schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

__all__ = ["VERSIONS", "run_script", "script_of", "state_rule"]

VERSIONS: Final = Path(__file__).with_name("versions")


def script_of(name: str, dialect: str) -> Sequence[str]:
    """The statements of a revision for one database, in their order."""
    path = VERSIONS / f"{name}.{dialect}.sql"
    if not path.is_file():
        return ()
    lines = path.read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def run_script(name: str) -> None:
    """Run the statements of a revision in the transaction of its migration."""
    connection = op.get_bind()
    schema = "main"
    if connection.dialect.name != "sqlite":
        found = connection.exec_driver_sql("SELECT quote_ident(current_schema())")
        schema = str(found.scalar_one())
    for statement in script_of(name, connection.dialect.name):
        _run(connection, statement.replace("{schema}", schema))


def state_rule(table: str, name: str, condition: str) -> None:
    """Have SQLite keep a table to a further condition, which its rows meet already.

    SQLite has no statement for it. Its manual (lang_altertable.html, section 7) gives
    this way for what does not change a stored byte: the table's text is written anew.

    Raises:
        ValueError: there is a row that does not meet it.
    """
    connection = op.get_bind()
    found = _run(connection, f"SELECT 1 FROM {table} WHERE NOT ({condition}) LIMIT 1")  # noqa: S608  our own names
    if found.first() is not None:
        message = f"table {table} has a row that does not keep to {name}"
        raise ValueError(message)
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    text = str(connection.exec_driver_sql(query, (table,)).scalar_one()).rstrip()
    assert text.endswith(")"), "the end of a table's columns and rules"
    text = f"{text[:-1].rstrip()}, \n\tCONSTRAINT {name} CHECK ({condition})\n)"
    version = int(connection.exec_driver_sql("PRAGMA schema_version").scalar_one())
    _run(connection, "PRAGMA writable_schema = ON")
    update = "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"
    connection.exec_driver_sql(update, (text, table))
    _run(connection, f"PRAGMA schema_version = {version + 1}")
    _run(connection, "PRAGMA writable_schema = OFF")


def _run(connection: sa.Connection, statement: str) -> sa.CursorResult[object]:
    # Without parameters, so that a percent sign is no placeholder.
    return connection.exec_driver_sql(
        statement, execution_options={"no_parameters": True}
    )
