"""``raseed-bank migrate``: bring the books to what this version works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from settlement.bank_config import BankDirectory
from settlement.commands.bank_access import bank_option, place_of
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.store.books import BUSY_TIMEOUT_MS_DEFAULT
from settlement.store.migration import migrate as migrate_books
from settlement.store.place import driver_for

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.store.migration import Migration

__all__ = ["migrate"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank migrate --bank bank --plan
  raseed-bank migrate --bank bank --json
""",
)
@bank_option
@click.option("--plan", is_flag=True, help="Only say what there is to do.")
@json_option
@click.pass_context
def migrate(ctx: click.Context, *, bank: Path, plan: bool) -> None:
    """Bring the books to the tables that this version works with.

    It is needed once after a newer version was installed, when a command says so. Stop
    the hosts and back the books up first: this command backs nothing up. It does all of
    it in one transaction or nothing, changes no row of the books, and moves no money.
    Run again, or by two at once, it finds nothing more to do.
    """
    directory = BankDirectory.open(bank)
    driver = driver_for(place_of(directory), BUSY_TIMEOUT_MS_DEFAULT)
    done = migrate_books(driver, only_plan=plan)
    document = {
        "database": done.place,
        "before": done.before,
        "after": done.before if plan else done.after,
        "newest": done.after,
        "steps": [
            {"revision": step.revision, "what": step.what} for step in done.steps
        ],
        "done": not plan,
    }
    facts = _facts(done, plan=plan)
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def _facts(done: Migration, *, plan: bool) -> list[tuple[str, str]]:
    facts = [("Books", done.place), ("Revision", done.before)]
    if not done.steps:
        return [*facts, ("To do", "nothing, they are up to date")]
    facts += [(f"Step {step.revision}", step.what) for step in done.steps]
    if plan:
        return [
            *facts,
            ("Done", "nothing yet; back the books up, then leave out --plan"),
        ]
    return [*facts, ("Done", f"all of it; the books are of revision {done.after}")]
