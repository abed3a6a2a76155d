"""``raseed-bank officer``: who may work on incidents, propose and approve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import (
    bank_option,
    open_bank,
    passphrase_option,
    unlocked,
)
from settlement.commands.officer_access import (
    acting_officer,
    officers_of,
    reason_option,
)
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.commands.secret_input import read_password, wipe
from settlement.errors import OfficerError
from settlement.officers import FAILURES_MAX, TwoOfficers
from settlement.store.officers import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from settlement.commands.bank_access import OpenBank
    from settlement.store.officers import OfficerRow

__all__ = ["officer"]

_NOTHING = "Nothing was changed and no money moved."


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
The first two security officers of a bank, then everybody else by these two:
  raseed-bank officer add salim --role security --full-name "Salim Al Harthy"
  raseed-bank officer add maryam --role security --full-name "Maryam Al Balushi"
  raseed-bank officer add huda --role operations --by salim --and maryam \\
      --reason "joined in March"
  raseed-bank officer passwd huda
""",
)
def officer() -> None:
    """Bank officers: what each may do, and the passwords that prove who acts.

    Roles: operations works on incidents and proposes; supervisor does so too and
    approves what another has proposed; security manages officers, always two of them
    together. Only the first two security officers are made with the passphrase of the
    bank's keys instead.
    """


def _two_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--and", "second", metavar="NAME", help="The other security officer."
    )(command)
    return click.option(
        "--by", "first", metavar="NAME", help="One security officer who decides this."
    )(command)


def _new_password_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--new-password-file",
        metavar="FILE",
        help="File whose first line is the new password; else a hidden prompt.",
    )(command)


@officer.command()
@click.argument("name")
@bank_option
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--full-name", default="", help="The person's name.")
@_two_options
@click.option("--reason", default="", metavar="TEXT", help="Why, in words; it is kept.")
@_new_password_option
@passphrase_option
@json_option
@click.pass_context
def add(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    name: str,
    bank: Path,
    role: str,
    full_name: str,
    first: str | None,
    second: str | None,
    reason: str,
    new_password_file: str | None,
    passphrase_file: str | None,
) -> None:
    """Add the officer NAME, who signs on with it and a password."""
    with open_bank(bank) as opened:
        officers = officers_of(ctx, opened)
        if officers.takes_two():
            by = _two(ctx, opened, first, second, reason)
        else:
            with unlocked(opened.directory, passphrase_file):
                by = None
            if role != Role.SECURITY:
                raise OfficerError(
                    f"A bank begins with two security officers. {_NOTHING} Add them "
                    "first: raseed-bank officer add NAME --role security"
                )
        new = read_password(name, new_password_file, new=True)
        try:
            row = officers.add(name, full_name, Role(role), bytes(new), by)
        finally:
            wipe(new)
    _show(ctx, row, "added")


@officer.command("list")
@bank_option
@json_option
@click.pass_context
def list_officers(ctx: click.Context, *, bank: Path) -> None:
    """List all officers, also those who are disabled."""
    with open_bank(bank) as opened:
        rows = officers_of(ctx, opened).officers()
    document = {"officers": [_document(row) for row in rows]}
    lines = [
        (row.name, row.full_name, row.role, f"{row.since:%Y-%m-%d}", _state(row))
        for row in rows
    ]
    headings = ["Name", "Person", "Role", "Since", "State"]
    output_of(ctx).show(document, lambda console: console.print(table(headings, lines)))


@officer.command()
@click.argument("name")
@bank_option
@_two_options
@reason_option
@json_option
@click.pass_context
def disable(
    ctx: click.Context,
    *,
    name: str,
    bank: Path,
    first: str | None,
    second: str | None,
    reason: str,
) -> None:
    """Accept nothing from the officer NAME any more, for good.

    What NAME has done stays. A person who comes back gets another name.
    """
    with open_bank(bank) as opened:
        by = _two(ctx, opened, first, second, reason)
        row = officers_of(ctx, opened).disable(name, by)
    _show(ctx, row, "disabled, for good")


@officer.command()
@click.argument("name")
@bank_option
@click.option(
    "--password-file",
    metavar="FILE",
    help="File whose first line is the present password; else a hidden prompt.",
)
@_new_password_option
@_two_options
@click.option("--reason", default="", metavar="TEXT", help="Why, in words; it is kept.")
@json_option
@click.pass_context
def passwd(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    name: str,
    bank: Path,
    password_file: str | None,
    new_password_file: str | None,
    first: str | None,
    second: str | None,
    reason: str,
) -> None:
    """Change the password of the officer NAME.

    NAME gives the present one. Who has forgotten it or is locked out gets a new one
    from two security officers, named with --by and --and.
    """
    with open_bank(bank) as opened:
        officers = officers_of(ctx, opened)
        if first or second:
            by = _two(ctx, opened, first, second, reason)
            new = read_password(name, new_password_file, new=True)
            try:
                officers.reset_password(name, bytes(new), by)
            finally:
                wipe(new)
        else:
            old = read_password(name, password_file)
            new = read_password(name, new_password_file, new=True)
            try:
                officers.change_password(name, bytes(old), bytes(new))
            finally:
                wipe(old)
                wipe(new)
        row = next(one for one in officers.officers() if one.name == name)
    _show(ctx, row, "has a new password")


def _two(
    ctx: click.Context,
    opened: OpenBank,
    first: str | None,
    second: str | None,
    reason: str,
) -> TwoOfficers:
    """Both security officers, each with the right password."""
    if not first or not second:
        raise OfficerError(
            "Officers are managed by two security officers together: name them with "
            f"--by and --and. {_NOTHING}"
        )
    return TwoOfficers(
        first=acting_officer(ctx, opened, first, None),
        second=acting_officer(ctx, opened, second, None),
        reason=reason,
    )


def _state(row: OfficerRow) -> str:
    if row.disabled_at is not None:
        return f"disabled {row.disabled_at:%Y-%m-%d}"
    return "locked out" if row.failures >= FAILURES_MAX else "active"


def _document(row: OfficerRow) -> dict[str, Any]:
    disabled = row.disabled_at
    return {
        "name": row.name,
        "full_name": row.full_name,
        "role": row.role.value,
        "since": f"{row.since:%Y-%m-%dT%H:%M:%SZ}",
        "disabled_at": None if disabled is None else f"{disabled:%Y-%m-%dT%H:%M:%SZ}",
        "locked_out": row.failures >= FAILURES_MAX,
    }


def _show(ctx: click.Context, row: OfficerRow, done: str) -> None:
    facts = [("Officer", f"{row.name}, {row.full_name} ({row.role})"), ("Now", done)]
    output_of(ctx).show(
        {"name": row.name, "role": row.role.value, "done": done},
        lambda console: console.print(facts_table(facts)),
    )
