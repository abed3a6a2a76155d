"""A PostgreSQL database as it is: see `settlement.store.audit`.

What is there is compared with what the program makes: it makes it once more, in a
schema of its own, in a transaction that is undone.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import exc

from settlement.errors import StoreError
from settlement.store.audit import differing
from settlement.store.migration import stamp
from settlement.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.store.audit import NumberedRow

__all__ = ["PostgresTables"]

_SCHEMA: Final = (
    """
SELECT 'table', c.relname, c.relpersistence::text
FROM pg_class c WHERE c.relnamespace = {here} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
""",
    """
SELECT 'column', c.relname || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
       || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = {here} AND c.relkind IN ('r', 'p')
  AND a.attnum > 0 AND NOT a.attisdropped
""",
    """
SELECT 'index', c.relname, pg_get_indexdef(c.oid) || ' ' || i.indisvalid
FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relnamespace = {here}
""",
    """
SELECT 'constraint', t.relname || '.' || c.conname,
       pg_get_constraintdef(c.oid) || ' ' || c.convalidated
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
WHERE c.connamespace = {here} AND c.contype IN ('c', 'f', 'p', 'u', 'x')
""",
    """
SELECT 'trigger', t.relname || '.' || g.tgname,
       pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text::text
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relnamespace = {here} AND NOT g.tgisinternal
""",
    """
SELECT 'foreign key', t.relname || '.' || g.tgname, 'not enforced'
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relnamespace = {here} AND g.tgisinternal AND g.tgenabled = 'D'
""",
    """
SELECT 'function', p.proname, p.prosrc || coalesce(p.proconfig::text, '')
FROM pg_proc p WHERE p.pronamespace = {here}
""",
    """
SELECT 'rule', c.relname || '.' || r.rulename, pg_get_ruledef(r.oid)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = {here}
""",
)
"""Everything in a schema, by kind and name, in words that can be compared."""

_Found = dict[tuple[object, object], object]


class PostgresTables:
    """See `settlement.store.audit.StoredTables`."""

    leaves_gaps = True

    def __init__(self, connection: sa.Connection) -> None:
        """Read in the transaction of ``connection``, which belongs to the caller."""
        self._connection = connection

    def integrity_problems(self) -> list[str]:
        """See `StoredTables`: rows that refer to nothing."""
        problems = []
        for table in metadata.tables.values():
            for key in table.foreign_key_constraints:
                try:
                    found = self._query(_orphans(table, key))
                except StoreError as error:
                    problems.append(f"table {table.name} cannot be verified: {error}")
                    continue
                if found:
                    other = key.referred_table.name
                    text = f"{found[0][0]} rows refer to no {other}"
                    problems += [f"{table.name}: {text}"] if found[0][0] else []
        return problems

    def schema_problems(self) -> list[str]:
        """See `StoredTables`."""
        try:
            schema = str(self._query("SELECT current_schema()")[0][0])
            there = _described(self._connection, schema)
            made, restored = self._expected()
            for name, text in restored.items():
                if there.get(name) == text:
                    there[name] = made[name]
            return differing(made, there)
        except (StoreError, exc.DBAPIError) as error:
            words = str(getattr(error, "orig", error)).splitlines()[0]
            return [
                "what the program creates could not be compared, which takes the right "
                f"to make a schema in this database: {words}"
            ]

    def rows(
        self, table: str, columns: Sequence[str]
    ) -> tuple[list[NumberedRow], list[str]]:
        """See `StoredTables`."""
        known = metadata.tables[table]
        names = ", ".join(_stored_form(known.columns[name]) for name in columns)
        key = ", ".join(f'"{column.name}"' for column in known.primary_key)
        number = f"row_number() OVER (ORDER BY {key})"
        try:
            found = self._query(f'SELECT {number}, {names} FROM "{table}" ORDER BY 1')  # noqa: S608  our own names
        except StoreError as error:
            return [], [f"table {table} cannot be read: {error}"]
        return [(int(str(row[0])), row[1:]) for row in found], []

    def _query(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement; one that fails leaves the transaction usable."""
        try:
            with self._connection.begin_nested():
                found = self._connection.exec_driver_sql(
                    statement, execution_options={"no_parameters": True}
                )
                return [tuple(row) for row in found]
        except exc.DBAPIError as error:
            raise StoreError(str(error.orig).splitlines()[0]) from None

    def _expected(self) -> tuple[_Found, _Found]:
        """What the program makes, and how that reads once it was dumped and restored.

        Both are made again and undone.
        """
        name = f"raseed_expected_{secrets.token_hex(6)}"
        with self._connection.engine.connect() as other, other.begin() as transaction:
            other.exec_driver_sql(f"CREATE SCHEMA {name}")
            other.exec_driver_sql(f"SET LOCAL search_path = {name}")
            metadata.create_all(other, checkfirst=False)
            stamp(other)
            made = _described(other, name)
            _restate(other, name)
            restored = _described(other, name)
            transaction.rollback()
        return made, restored


_CHECKS: Final = """
SELECT t.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
WHERE c.connamespace = {here} AND c.contype = 'c'
"""
_CONDITIONED: Final = """
SELECT t.relname, g.tgname, pg_get_triggerdef(g.oid) FROM pg_trigger g
JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relnamespace = {here} AND NOT g.tgisinternal AND g.tgqual IS NOT NULL
"""


def _restate(connection: sa.Connection, schema: str) -> None:
    """Make all that has a condition anew as PostgreSQL writes it.

    From its own words it makes a condition that it writes otherwise.
    """
    here = f"'{schema}'::regnamespace"
    plain = {"no_parameters": True}
    for table, name, text in connection.exec_driver_sql(
        _CHECKS.replace("{here}", here), execution_options=plain
    ).fetchall():
        connection.exec_driver_sql(
            f'ALTER TABLE {schema}."{table}" DROP CONSTRAINT "{name}", '
            f'ADD CONSTRAINT "{name}" {text}',
            execution_options=plain,
        )
    for table, name, text in connection.exec_driver_sql(
        _CONDITIONED.replace("{here}", here), execution_options=plain
    ).fetchall():
        for statement in (
            f'DROP TRIGGER "{name}" ON {schema}."{table}"',
            text,
            f'ALTER TABLE {schema}."{table}" ENABLE ALWAYS TRIGGER "{name}"',
        ):
            connection.exec_driver_sql(statement, execution_options=plain)


def _described(connection: sa.Connection, schema: str) -> _Found:
    here = f"'{schema}'::regnamespace"
    found: _Found = {}
    for query in _SCHEMA:
        for kind, name, text in connection.exec_driver_sql(
            query.replace("{here}", here),
            execution_options={"no_parameters": True},
        ):
            found[kind, name] = (
                str(text)
                .replace(f"{schema}.", "")
                .replace(f"search_path={schema}", "search_path=")
            )
    return found


def _stored_form(column: sa.Column[object]) -> str:
    if isinstance(column.type, sa.Boolean):
        return f'"{column.name}"::integer'
    return f'"{column.name}"'


def _orphans(table: sa.Table, key: sa.ForeignKeyConstraint) -> str:
    """Counts the rows whose reference is complete and leads nowhere."""
    pairs = [(element.parent.name, element.column.name) for element in key.elements]
    there = " AND ".join(f'o."{theirs}" = r."{ours}"' for ours, theirs in pairs)
    complete = " AND ".join(f'r."{ours}" IS NOT NULL' for ours, _ in pairs)
    other = key.referred_table.name
    return (
        f'SELECT count(*) FROM "{table.name}" r WHERE {complete}'  # noqa: S608  our own names
        f' AND NOT EXISTS (SELECT 1 FROM "{other}" o WHERE {there})'
    )
