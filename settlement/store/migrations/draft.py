"""Writes the files of a new revision: what the schema has and no revision makes yet.

    python -m settlement.store.migrations.draft NAME "What it is, in a sentence."

New tables, indexes and rules come out complete for both databases, and rules that were
changed are made anew. A table that was changed cannot be drafted: it is named, and its
statements are written by hand (``docs/database.md``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import settlement.store.books  # noqa: F401  every table is in what it imports
from settlement.store.migration import upgrade
from settlement.store.migrations.head import HEAD
from settlement.store.migrations.scripts import VERSIONS, script_of
from settlement.store.postgres_triggers import postgres_triggers
from settlement.store.schema import metadata
from settlement.store.sqlite_audit import SCHEMA_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["draft", "drafted_postgres", "drafted_sqlite"]

_NAMED: Final = re.compile(
    r"CREATE (?:OR REPLACE )?(?:UNIQUE |CONSTRAINT )?"
    r"(?P<kind>TABLE|INDEX|FUNCTION|TRIGGER) (?:\{schema\}\.)?(?P<name>\w+)"
)
_ON: Final = re.compile(r"\bON (\w+)")
_MODULE: Final = '''"""{what}"""

from settlement.store.migrations.scripts import run_script

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    """Make them."""
    run_script("{name}")
'''

Drafted = tuple[list[str], list[str]]
"""Statements, and tables that were changed."""


@click.command(help=__doc__)
@click.argument("name")
@click.argument("what")
def draft(name: str, what: str) -> None:
    """Write the module and its two scripts."""
    revision = f"{int(HEAD) + 1:04}"
    stem = f"{revision}_{name}"
    module = _MODULE.format(what=what, revision=revision, before=HEAD, name=stem)
    (VERSIONS / f"{stem}.py").write_text(module, "utf-8")
    for dialect, drafted in (
        ("sqlite", drafted_sqlite()),
        ("postgresql", drafted_postgres()),
    ):
        statements, changed = drafted
        if statements:
            text = "\n\n".join(statements) + "\n"
            (VERSIONS / f"{stem}.{dialect}.sql").write_text(text, "utf-8")
        click.echo(f"{dialect}: {len(statements)} statements")
        for table in changed:
            click.echo(f"{dialect}: table {table} was changed; write that by hand")
    click.echo(f'Now set HEAD = "{revision}" in {VERSIONS.with_name("head.py")}')


def drafted_sqlite() -> Drafted:
    """What a SQLite file of the newest revision lacks."""
    return _difference(_sqlite(migrated=True), _sqlite(migrated=False), schema="")


def drafted_postgres() -> Drafted:
    """What a PostgreSQL database of the newest revision lacks, by the scripts."""
    made: list[str] = []
    stems = {path.name.split(".")[0] for path in VERSIONS.glob("*.sql")}
    for stem in sorted(stems):
        made += script_of(stem, "postgresql")
    wanted = [*_postgres_tables(), *postgres_triggers()]
    return _difference(made, wanted, schema="{schema}.")


def _sqlite(*, migrated: bool) -> list[str]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        if migrated:
            upgrade(connection, None)
        else:
            metadata.create_all(connection, checkfirst=False)
        found = [str(row[3]) for row in connection.exec_driver_sql(SCHEMA_QUERY)]
    engine.dispose()
    return [text for text in found if "schema_revision" not in text]


def _postgres_tables() -> list[str]:
    texts: list[str] = []
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap

    def take(statement: sa.schema.ExecutableDDLElement, *_: object) -> None:
        texts.append(str(statement.compile(dialect=dialect)))

    metadata.create_all(
        sa.create_mock_engine("postgresql+psycopg://", take), checkfirst=False
    )
    return texts


def _difference(made: Sequence[str], wanted: Sequence[str], *, schema: str) -> Drafted:
    there = _by_name(made)
    statements, changed = [], []
    for key, text in _by_name(wanted).items():
        known = there.get(key)
        if known is not None and _plain(known) == _plain(text):
            continue
        kind, name = key
        if known is None or kind == "OTHER":
            statements.append(text)
        elif kind == "TABLE":
            changed.append(name)
        elif kind == "FUNCTION":
            statements.append(text.replace("CREATE ", "CREATE OR REPLACE ", 1))
        else:
            on = "" if not schema or kind == "INDEX" else f" ON {_table(text)}"
            statements += [f"DROP {kind} {name}{on}", text]
            if schema and kind == "TRIGGER":
                always = f"ALTER TABLE {_table(text)} ENABLE ALWAYS TRIGGER {name}"
                statements.append(always)
    return statements, changed


def _by_name(texts: Iterable[str]) -> Mapping[tuple[str, str], str]:
    """The last text of each; what has no name of its own stands for itself."""
    found = {}
    for text in texts:
        tidy = "\n".join(line.rstrip() for line in text.strip().splitlines())
        named = _NAMED.match(tidy)
        key = (named["kind"], named["name"]) if named else ("OTHER", _plain(tidy))
        found[key] = tidy
    return found


def _table(text: str) -> str:
    found = _ON.search(text)
    assert found is not None, "a trigger is on a table"
    return found[1]


def _plain(text: str) -> str:
    return " ".join(text.replace("OR REPLACE ", "").split())


if __name__ == "__main__":
    draft()
