"""The rules of `settlement.store.triggers`, put into PostgreSQL's words.

Each rule is written once, in SQLite's words and in one form (`rule_of` reads it)::

    CREATE TRIGGER name BEFORE INSERT ON table [WHEN condition]
    BEGIN
      SELECT RAISE(ABORT, 'what is wrong')
      WHERE violated;
      ...
    END

Here it becomes a function in PL/pgSQL and a trigger. A rule that does not look at its
own table is asked once for all rows of a statement, after they are there; that is what
makes posting in bulk fast. One that does look at its own table is asked for each row
before it is there, as SQLite does, and under a lock, so that two transactions cannot
each miss the other's row.

Whoever writes by hand meets the same rules: the triggers are ENABLE ALWAYS, so they
hold in a session that plays the replica too; their functions look only into the bank's
schema, so that a temporary table of the same name proves nothing; and UPDATE, DELETE
and TRUNCATE are refused, also when they find no row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from settlement.store.triggers import APPEND_ONLY_TABLES, RULES

__all__ = ["Rule", "postgres_triggers", "rule_of"]

_TRIGGER: Final = re.compile(
    r"\s*CREATE TRIGGER (?P<name>\w+) BEFORE INSERT ON (?P<table>\w+)"
    r"(?:\s+WHEN (?P<when>.*?))?\s+BEGIN\s(?P<body>.*)END\s*",
    re.DOTALL,
)
_RAISE: Final = re.compile(
    r"\s*SELECT RAISE\(ABORT,\s*'(?P<message>(?:[^']|'')*)'\)"
    r"(?:\s+WHERE (?P<violated>.*))?",
    re.DOTALL,
)
_HEX: Final = re.compile(r"\bhex\(([\w.]+)\)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about rows that are inserted.

    Attributes:
        name: of the trigger and its function.
        table: of the rows.
        when: condition on NEW under which it is asked, or None for always.
        checks: what is wrong, in words, and the condition on NEW that shows it.
    """

    name: str
    table: str
    when: str | None
    checks: tuple[tuple[str, str], ...]

    @property
    def looks_at_own_table(self) -> bool:
        """Whether the answer depends on which rows of its table are there already."""
        own = re.compile(rf"\b(?:FROM|JOIN)\s+{self.table}\b")
        texts = [self.when or "", *(violated for _, violated in self.checks)]
        return any(own.search(text) for text in texts)


def rule_of(text: str) -> Rule:
    """Read a rule in SQLite's words.

    Raises:
        ValueError: it does not have the one form that is read here.
    """
    trigger = _TRIGGER.fullmatch(text)
    if trigger is None:
        message = f"not the form of a rule: {text}"
        raise ValueError(message)
    checks = []
    for part in trigger["body"].split(";"):
        if not part.strip():
            continue
        check = _RAISE.fullmatch(part.rstrip())
        if check is None:
            message = f"not the form of a check: {part}"
            raise ValueError(message)
        checks.append((check["message"], check["violated"] or "TRUE"))
    return Rule(
        name=trigger["name"],
        table=trigger["table"],
        when=trigger["when"],
        checks=tuple(checks),
    )


def postgres_triggers() -> tuple[str, ...]:
    """All statements that make the rules; ``{schema}`` stands for the bank's schema."""
    statements = [_APPEND_ONLY]
    for table in APPEND_ONLY_TABLES:
        statements += _append_only(table)
    for rule in (rule_of(text) for text in RULES):
        make = _for_each_row if rule.looks_at_own_table else _for_the_statement
        statements += make(rule)
    statements += [*_LEG_SEALED, *_LEG_LATE]
    return tuple(statements)


# A plan that was made while a table was empty would be kept when it has a hundred
# million rows, so the functions are bound to look up by index.
_FUNCTION: Final = """
CREATE FUNCTION {schema}.%(name)s() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
%(body)s
  RETURN %(answer)s;
END $$"""

_APPEND_ONLY: Final = """
CREATE FUNCTION {schema}.append_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: correct it with a further row', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$"""


def _append_only(table: str) -> tuple[str, ...]:
    name = f"{table}_append_only"
    return (
        f"""
CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.append_only()""",
        _always(table, name),
    )


def _always(table: str, name: str) -> str:
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def _for_the_statement(rule: Rule) -> tuple[str, ...]:
    """Asked once, after all rows of the statement are there."""
    checks = []
    for message, violated in rule.checks:
        wrong = _and(rule.when, violated).replace("NEW.", "added.")
        checks.append(_if(f"EXISTS (SELECT 1 FROM added WHERE {wrong})", message))  # noqa: S608  our own names
    body = "\n".join(checks)
    return (
        _FUNCTION % {"name": rule.name, "body": _words(body), "answer": "NULL"},
        f"""
CREATE TRIGGER {rule.name} AFTER INSERT ON {rule.table}
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.{rule.name}()""",
        _always(rule.table, rule.name),
    )


def _for_each_row(rule: Rule) -> tuple[str, ...]:
    """Asked before a row is there, by one transaction at a time.

    A condition on the row alone goes to the trigger itself, so that the rows that it
    does not concern wait for nobody.
    """
    lock = f"  PERFORM pg_advisory_xact_lock(hashtext('{rule.table}'), 1);"
    when, inner = rule.when, None
    if when is not None and "SELECT" in when:
        when, inner = None, when
    only = "" if when is None else f" WHEN ({_words(when)})"
    checks = [_if(_and(inner, violated), text) for text, violated in rule.checks]
    body = "\n".join([lock, *checks])
    return (
        _FUNCTION % {"name": rule.name, "body": _words(body), "answer": "NEW"},
        f"""
CREATE TRIGGER {rule.name} BEFORE INSERT ON {rule.table}
FOR EACH ROW{only} EXECUTE FUNCTION {{schema}}.{rule.name}()""",
        _always(rule.table, rule.name),
    )


def _and(when: str | None, violated: str) -> str:
    return violated if when is None else f"({when}) AND ({violated})"


def _if(condition: str, message: str) -> str:
    return f"""  IF {condition} THEN
    RAISE EXCEPTION '{message.replace("%", "%%")}'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;"""


def _words(text: str) -> str:
    return _HEX.sub(r"upper(encode(\1, 'hex'))", text)


_LEG_SEALED: Final = (
    _FUNCTION
    % {
        "name": "leg_sealed",
        "body": _if(
            "EXISTS (SELECT 1 FROM added JOIN entry ON entry.id = added.entry_id)",
            "the entry is complete: no leg can be added",
        ),
        "answer": "NULL",
    },
    """
CREATE TRIGGER leg_sealed AFTER INSERT ON leg REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.leg_sealed()""",
    _always("leg", "leg_sealed"),
)

# `leg_sealed` cannot see an entry that another transaction has not committed yet. Who
# slips a leg under it meets this at his own commit, when the entry is there to be seen
# or the foreign key stops him. The legs of an entry are numbered from 1 without a gap
# (`entry_numbered`), so such a leg has a number above 2: the two others are taken.
_LEG_LATE: Final = (
    _FUNCTION
    % {
        "name": "leg_late",
        "body": _if(
            """EXISTS (
    SELECT 1 FROM entry WHERE entry.id = NEW.entry_id AND (
      entry.amount_minor <> (SELECT SUM(debit_minor) FROM leg
                             WHERE leg.entry_id = NEW.entry_id)
      OR entry.amount_minor <> (SELECT SUM(credit_minor) FROM leg
                                WHERE leg.entry_id = NEW.entry_id)))""",
            "the entry is complete: no leg can be added",
        ),
        "answer": "NULL",
    },
    """
CREATE CONSTRAINT TRIGGER leg_late AFTER INSERT ON leg
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.number > 2)
EXECUTE FUNCTION {schema}.leg_late()""",
    _always("leg", "leg_late"),
    _FUNCTION
    % {
        "name": "entry_numbered",
        "body": _if(
            """EXISTS (
    SELECT 1 FROM added WHERE (SELECT COUNT(*) <> MAX(number) OR MIN(number) < 1
                               FROM leg WHERE leg.entry_id = added.id))""",
            "the legs of an entry are numbered from 1",
        ),
        "answer": "NULL",
    },
    """
CREATE TRIGGER entry_numbered AFTER INSERT ON entry REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_numbered()""",
    _always("entry", "entry_numbered"),
)
