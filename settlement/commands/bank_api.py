"""``raseed-bank api``: serve the HTTP API, and say who may use it."""

from __future__ import annotations

import base64
import ipaddress
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from settlement.api.scopes import Scope
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.errors import HostError, InputError
from settlement.item_fields import ItemFields
from settlement.money import CURRENCIES
from settlement.request_document import moment
from settlement.store.api_tokens import token_digest

if TYPE_CHECKING:
    from settlement.store.api_tokens import ApiToken
    from settlement.store.books import Books

__all__ = ["api"]

_TOKEN_BYTES: Final = 32
_NAME_BYTES_MAX: Final = 64
_PORT_MAX: Final = 65_535


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank api token add customs --office SOHAR --scope requests:write
  raseed-bank api serve --listen 127.0.0.1:8443
  raseed-bank api serve --listen 0.0.0.0:8443 --certificate a.pem --key a.key
""",
)
def api() -> None:
    """Serve payment requests and the catalogue over HTTP; docs/requests-api.md."""


@api.command()
@click.option(
    "--listen",
    default="127.0.0.1:8443",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    help="TLS certificate (PEM), with those that it hangs from.",
)
@click.option("--key", type=click.Path(path_type=Path), help="Its key (PEM).")
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="Speak plain HTTP beyond this machine too: a proxy before it speaks TLS.",
)
@bank_option
@json_option
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    listen: str,
    certificate: Path | None,
    key: Path | None,
    behind_proxy: bool,
    bank: Path,
) -> None:
    """Answer HTTP requests until it is told to stop.

    Without a certificate it listens on this machine only, unless a proxy is said to
    speak TLS before it. Stop it with Ctrl-C or SIGTERM: what was begun is finished.
    """
    from settlement.api.app import make_app  # noqa: PLC0415 - counters have no FastAPI
    from settlement.api.desk import ApiDesk  # noqa: PLC0415 - as above
    from settlement.api.server import serve_app  # noqa: PLC0415 - as above

    address, port = _address(listen)
    if (certificate is None) != (key is None):
        raise InputError("Give --certificate and --key together. Nothing was served.")
    if certificate is None and not behind_proxy and not _is_local(address):
        raise InputError(
            f"{address} can be reached from elsewhere, and tokens would travel in the "
            "clear: give --certificate and --key, or --behind-proxy when a proxy "
            "speaks TLS. Nothing was served."
        )
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise InputError(f"There is no file '{path}'. Nothing was served.")
    # The server raises the signal that stopped it once more when all is finished; one
    # that was told to stop has not failed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        desk = ApiDesk(opened.store, currency, environment_of(ctx).clock)
        scheme = "http" if certificate is None else "https"

        def on_started(bound: int) -> None:
            host = f"[{address}]" if ":" in address else address
            document = {"listening": f"{scheme}://{host}:{bound}"}
            output_of(ctx).show(
                document,
                lambda console: console.print(
                    f"Listening on {document['listening']} (Ctrl-C stops)"
                ),
            )

        try:
            serve_app(
                make_app(desk),
                address=address,
                port=port,
                certificate=certificate,
                key=key,
                on_started=on_started,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"Cannot listen on {listen}: {reason}. Nothing was served."
            raise HostError(message) from None


@api.command()
@json_option
@click.pass_context
def openapi(ctx: click.Context) -> None:
    """Print the OpenAPI document that the API serves at /openapi.json.

    It is JSON with and without --json.
    """
    from settlement.api.app import make_app  # noqa: PLC0415 - counters have no FastAPI

    del ctx
    document = make_app(None).openapi()  # type: ignore[arg-type]  # nothing is asked
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@api.group(cls=PlainErrorsGroup)
def token() -> None:
    """Give out tokens, list them, and take them back."""


@token.command()
@click.argument("name")
@click.option(
    "--office",
    multiple=True,
    help="An office that it is for; may be repeated. Without: all of them.",
)
@click.option(
    "--scope",
    multiple=True,
    required=True,
    type=click.Choice([one.value for one in Scope]),
    help="What it allows; may be repeated.",
)
@bank_option
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    *,
    name: str,
    office: tuple[str, ...],
    scope: tuple[str, ...],
    bank: Path,
) -> None:
    """Give out a token under NAME. It is shown now and never again."""
    # The bank's currency plays no part in a name or an office.
    fields = ItemFields({"name": name}, CURRENCIES["OMR"], frozenset({"name"}))
    kept = fields.text("name", _NAME_BYTES_MAX, needed=True)
    offices = []
    for one in office:
        given = ItemFields({"office": one}, CURRENCIES["OMR"], frozenset({"office"}))
        offices.append(given.office())
        fields.mistakes += given.mistakes
    if fields.mistakes:
        mistakes = "; ".join(str(mistake) for mistake in fields.mistakes)
        raise InputError(f"{mistakes}. No token was made.")
    environment = environment_of(ctx)
    random = environment.random_bytes(_TOKEN_BYTES)
    made = "rsd_" + base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    with open_bank(bank) as opened, opened.store.write() as books:
        if books.tokens.named(kept) is not None:
            raise InputError(
                f"The name '{kept}' is taken, perhaps by a token that was revoked. "
                "No token was made."
            )
        books.tokens.add(
            name=kept,
            digest=token_digest(made),
            offices=sorted(set(offices)),
            scopes=sorted(set(scope)),
            who=environment.user(),
            at=environment.clock(),
        )
        found = _named(books, kept)
    document = {**_document(found), "token": made}
    facts = [
        ("Token", made),
        ("Name", found.name),
        ("Offices", ", ".join(found.offices) or "all"),
        ("Allows", ", ".join(found.scopes)),
        ("Next", "keep it safe: it is shown only now"),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


@token.command("list")
@bank_option
@json_option
@click.pass_context
def list_(ctx: click.Context, *, bank: Path) -> None:
    """List every token that was given out, without the token itself."""
    with open_bank(bank) as opened, opened.store.read() as books:
        found = books.tokens.tokens()
    rows = [
        (
            one.name,
            ", ".join(one.offices) or "all",
            ", ".join(one.scopes),
            f"{one.given_at:%Y-%m-%d %H:%M} by {one.given_by}",
            "" if one.revoked_at is None else f"{one.revoked_at:%Y-%m-%d %H:%M}",
        )
        for one in found
    ]
    headings = ["Name", "Offices", "Allows", "Given (UTC)", "Revoked (UTC)"]
    output_of(ctx).show(
        {"tokens": [_document(one) for one in found]},
        lambda console: console.print(table(headings, rows)),
    )


@token.command()
@click.argument("name")
@bank_option
@json_option
@click.pass_context
def revoke(ctx: click.Context, *, name: str, bank: Path) -> None:
    """Accept the token NAME no more, from the next request on."""
    environment = environment_of(ctx)
    with open_bank(bank) as opened, opened.store.write() as books:
        found = books.tokens.named(name)
        if found is None:
            raise InputError(f"There is no token '{name}'. Nothing was changed.")
        if found.revoked_at is None:
            books.tokens.revoke(found.number, environment.user(), environment.clock())
        document = _document(_named(books, name))
    output_of(ctx).show(
        document,
        lambda console: console.print(
            facts_table([("Revoked", name), ("Since", document["revoked_at"])])
        ),
    )


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not (port.isascii() and port.isdigit()):
        raise InputError(
            f"'{listen}' is no address and port, such as 127.0.0.1:8443 or [::1]:8443. "
            "Nothing was served."
        )
    if int(port) > _PORT_MAX:
        raise InputError(f"A port is at most {_PORT_MAX}. Nothing was served.")
    return str(address), int(port)


def _is_local(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _named(books: Books, name: str) -> ApiToken:
    found = books.tokens.named(name)
    assert found is not None, "it is there in this transaction"
    return found


def _document(found: ApiToken) -> dict[str, Any]:
    revoked_at = found.revoked_at
    return {
        "name": found.name,
        "offices": list(found.offices),
        "scopes": list(found.scopes),
        "given_by": found.given_by,
        "given_at": moment(found.given_at),
        "revoked_at": None if revoked_at is None else moment(revoked_at),
    }
