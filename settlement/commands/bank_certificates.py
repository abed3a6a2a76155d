"""``raseed-bank terminal renew``, ``revoke``, ``show``: a terminal's certificates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from modem.certificates import CertificateTrouble
from settlement.admission import certificate_trouble
from settlement.bank_config import create_directory, write_file
from settlement.commands.bank_access import (
    bank_option,
    open_authority,
    open_bank,
    passphrase_option,
    unlocked,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.commands.reason import reason_option
from settlement.commands.terminal_kit import refuse_inside
from settlement.errors import IssuingError
from settlement.pki import END_DAYS
from settlement.pki_files import RequestError, read_facts, read_request
from settlement.store.certificates import IssuedFor

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from settlement.commands.bank_access import OpenBank
    from settlement.pki import Authority
    from settlement.pki_files import PublicKey
    from settlement.store.certificates import CertificateRow

__all__ = [
    "certificate_document",
    "certificate_state",
    "days_option",
    "renew",
    "revoke",
    "show",
]

F = TypeVar("F", bound="Callable[..., Any]")

_GOOD: Final = frozenset({"in use", "not used yet"})
"""States of certificates that the host lets in."""


def days_option(command: F) -> F:
    """Add ``--days``, which arrives as ``days``."""
    return click.option(
        "--days",
        type=click.IntRange(1, 20 * 365),
        default=END_DAYS,
        show_default=True,
        help="How long the certificate is valid, at most as long as the authority.",
    )(command)


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank terminal renew T0000007 --output renewed-7
  raseed-bank terminal renew T0000007 --csr T0000007.csr --output renewed-7
""",
)
@click.argument("terminal_id", metavar="ID")
@bank_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="New folder for terminal.pem and, without --csr, terminal.key.",
)
@click.option(
    "--csr",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A certificate request (PKCS #10, PEM) that the terminal's machine made: its "
    "new private key then never leaves that machine.",
)
@days_option
@passphrase_option
@json_option
@click.pass_context
def renew(  # noqa: PLR0913 - one argument for each option, as click hands them over
    ctx: click.Context,
    *,
    terminal_id: str,
    bank: Path,
    output: Path,
    csr: Path | None,
    days: int,
    passphrase_file: str | None,
) -> None:
    """Give the terminal ID its next certificate, beside the one it has.

    Copy what is in the new folder over the files of the same names in the terminal's
    folder, between two calls. The old certificate stays good until the host has seen
    the new one in use; from then on it is refused.
    """
    environment = environment_of(ctx)
    with open_bank(bank) as opened:
        refuse_inside(opened.directory, output)
        _refuse_shut_out(opened, terminal_id)
        public_key = None if csr is None else _requested_key(csr, terminal_id)
        now = environment.clock()
        with (
            create_directory(output, what="a renewed certificate") as folder,
            unlocked(opened.directory, passphrase_file) as (_keys, passphrase),
        ):
            authority = open_authority(opened.directory, passphrase)
            pem = _issue(authority, folder, terminal_id, public_key, now, days)
            # Before the folder gets its name: a certificate that the books do not have
            # would be turned away.
            with opened.store.write() as books:
                why = IssuedFor.RENEWAL if csr is None else IssuedFor.REQUEST
                books.certificates.add(read_facts(pem), why, environment.user(), now)
        with opened.store.read() as books:
            held = books.certificates.of_terminal(terminal_id)
    facts = [
        ("Terminal", terminal_id),
        ("Certificate", f"number {held[-1].number}, {_until(held[-1])}"),
        ("Folder", f"{output}, to be carried to the counter"),
        (
            "Next",
            "copy its files over those in the terminal's folder, then let the terminal "
            "call; the old certificate is good until then",
        ),
    ]
    document = certificate_document(held[-1], held, now) | {
        "terminal": terminal_id,
        "directory": str(output),
    }
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


@click.command(
    cls=ExampleCommand,
    epilog="""
Example:
  raseed-bank terminal revoke T0000007 --reason "stolen from the Sohar office"
""",
)
@click.argument("terminal_id", metavar="ID")
@bank_option
@reason_option
@click.option(
    "--number",
    type=click.IntRange(min=1),
    help="Only this one of its certificates, as terminal show numbers them; else all.",
)
@json_option
@click.pass_context
def revoke(
    ctx: click.Context, *, terminal_id: str, bank: Path, reason: str, number: int | None
) -> None:
    """Shut the terminal ID out, from its next call on and for ever.

    What it has sent stays posted; what it has not sent yet stays on its customs card
    and comes in when the terminal is admitted anew (terminal add --again).
    """
    environment = environment_of(ctx)
    now = environment.clock()
    with open_bank(bank) as opened, opened.store.write() as books:
        books.holds.terminals([terminal_id])
        held = books.certificates.of_terminal(terminal_id)
        revoked = _to_revoke(terminal_id, held, number)
        for row in revoked:
            books.certificates.revoke(row, reason, environment.user(), now)
        held = books.certificates.of_terminal(terminal_id)
    good = [row.number for row in held if _state(row, held, now) in _GOOD]
    numbers = ", ".join(str(row.number) for row in revoked)
    facts = [
        ("Terminal", terminal_id),
        ("Revoked", f"certificate {numbers}: {reason}"),
        *_what_follows(terminal_id, good),
    ]
    document = {
        "terminal": terminal_id,
        "revoked": [row.number for row in revoked],
        "reason": reason,
        "still_good": good,
        "shut_out": not good,
    }
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


@click.command(
    cls=ExampleCommand,
    epilog="""
Example:
  raseed-bank terminal show T0000007
""",
)
@click.argument("terminal_id", metavar="ID")
@bank_option
@json_option
@click.pass_context
def show(ctx: click.Context, *, terminal_id: str, bank: Path) -> None:
    """Show every certificate of the terminal ID: dates, use, and who did what."""
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.read() as books:
        held = books.certificates.of_terminal(terminal_id)
    if not held:
        raise _unknown(terminal_id)
    document = {
        "terminal": terminal_id,
        "certificates": [certificate_document(row, held, now) for row in held],
    }
    output_of(ctx).show(
        document,
        lambda console: console.print(
            table(
                ["No.", "Issued", "For", "By", "First used", "State"],
                [
                    (
                        str(row.number),
                        f"{row.issued_at:%Y-%m-%d}",
                        row.issued_for,
                        row.issued_by,
                        "" if row.seen_at is None else f"{row.seen_at:%Y-%m-%d}",
                        certificate_state(row, held, now),
                    )
                    for row in held
                ],
            )
        ),
    )


def certificate_document(
    row: CertificateRow, held: Sequence[CertificateRow], now: dt.datetime
) -> dict[str, Any]:
    """One of the certificates ``held`` by a terminal, for ``--json``."""
    return {
        "number": row.number,
        "serial": f"{row.serial:040X}",
        "state": _state(row, held, now),
        "not_before": _stamp(row.not_before),
        "not_after": _stamp(row.not_after),
        "issued_for": row.issued_for,
        "issued_by": row.issued_by,
        "issued_at": _stamp(row.issued_at),
        "first_used_at": None if row.seen_at is None else _stamp(row.seen_at),
        "revoked_at": None if row.revoked_at is None else _stamp(row.revoked_at),
        "revoked_for": row.revoked_for,
        "revoked_by": row.revoked_by,
    }


def certificate_state(
    row: CertificateRow, held: Sequence[CertificateRow], now: dt.datetime
) -> str:
    """The same in a few words."""
    state = _state(row, held, now)
    if row.revoked_at is not None:
        return (
            f"revoked on {row.revoked_at:%Y-%m-%d} by {row.revoked_by}: "
            f"{row.revoked_for}"
        )
    return f"{state}, {_until(row)}"


def _what_follows(terminal_id: str, good: Sequence[int]) -> list[tuple[str, str]]:
    """What a revocation means, and what to do next, by the certificates still good."""
    if good:
        numbers = " and ".join(map(str, good))
        return [
            ("From now on", f"it calls with certificate {numbers} only"),
            ("Money", "none moved; the terminal goes on paying and sending"),
            (
                "Next",
                "nothing, if it has that one; else raseed-bank terminal renew "
                f"{terminal_id} --output DIR, and carry DIR to it",
            ),
            (
                "To shut it out",
                f"raseed-bank terminal revoke {terminal_id} --reason WORDS",
            ),
        ]
    return [
        ("From now on", "refused at every call, before any message"),
        ("Money", "none moved; what it has not sent is on its customs card"),
        (
            "Next",
            "have its customs card taken out and kept; raseed-bank status shows the "
            "batches that are under way",
        ),
        (
            "To admit it anew",
            f"raseed-bank terminal add {terminal_id} --again --office OFFICE --mid HEX "
            "--number PHONE --output DIR, and carry DIR to its new machine",
        ),
        ("Then", "put in the customs card and close the day: what is on it comes in"),
    ]


def _state(
    row: CertificateRow, held: Sequence[CertificateRow], now: dt.datetime
) -> str:
    trouble = certificate_trouble(held, row.serial)
    if trouble is CertificateTrouble.REVOKED:
        return "revoked"
    if now > row.not_after:
        return "expired"
    if trouble is CertificateTrouble.REPLACED:
        return "replaced"
    return "not used yet" if row.seen_at is None else "in use"


def _until(row: CertificateRow) -> str:
    return f"until {row.not_after:%Y-%m-%d}"


def _stamp(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _unknown(terminal_id: str) -> IssuingError:
    return IssuingError(
        f"the bank has no terminal {terminal_id}. Nothing was changed; raseed-bank "
        "terminal list shows those that it has"
    )


def _to_revoke(
    terminal_id: str, held: Sequence[CertificateRow], number: int | None
) -> list[CertificateRow]:
    """Those that a person means who names a terminal, and perhaps a certificate.

    Raises:
        IssuingError: there is none, or none that is not revoked already.
    """
    if not held:
        raise _unknown(terminal_id)
    meant = [row for row in held if number in {None, row.number}]
    named = "certificate" if number is None else f"certificate {number}"
    shown = f"Nothing was changed; raseed-bank terminal show {terminal_id} shows"
    if not meant:
        raise IssuingError(
            f"terminal {terminal_id} never had a {named}. {shown} those that it has"
        )
    good = [row for row in meant if row.revoked_at is None]
    if not good:
        raise IssuingError(
            f"terminal {terminal_id} has no {named} that is not revoked already. "
            f"{shown} when and why"
        )
    return good


def _refuse_shut_out(opened: OpenBank, terminal_id: str) -> None:
    with opened.store.read() as books:
        held = books.certificates.of_terminal(terminal_id)
    if not held:
        raise _unknown(terminal_id)
    if all(row.revoked_at is not None for row in held):
        raise IssuingError(
            f"terminal {terminal_id} was shut out ({held[-1].revoked_for}). No "
            "certificate was issued; raseed-bank terminal add --again admits it anew"
        )


def _requested_key(csr: Path, terminal_id: str) -> PublicKey:
    try:
        request = read_request(csr.read_bytes())
    except (RequestError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise IssuingError(
            f"{csr} cannot be used: {reason}. No certificate was issued"
        ) from None
    if request.name != terminal_id:
        raise IssuingError(
            f"{csr} asks for the name '{request.name}', not {terminal_id}. No "
            "certificate was issued; make the request with /CN=" + terminal_id
        )
    return request.public_key


def _issue(
    authority: Authority,
    folder: Path,
    terminal_id: str,
    public_key: PublicKey | None,
    now: dt.datetime,
    days: int,
) -> bytes:
    """Write the certificate, with a new key where none was brought; its PEM."""
    if public_key is None:
        identity = authority.issue_terminal(terminal_id, now, days)
        write_file(folder / "terminal.key", identity.key_pem, private=True)
        pem = identity.certificate_pem
    else:
        pem = authority.certify_terminal(terminal_id, public_key, now, days)
    write_file(folder / "terminal.pem", pem, private=False)
    return pem
