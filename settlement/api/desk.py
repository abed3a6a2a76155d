"""What the API does at the bank, without HTTP: one method, one transaction.

The same rules as for files and commands; a request's idempotency key and its answer are
kept in the very transaction that does what the answer tells.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from settlement import request_desk
from settlement.api.access import NOTHING, admit
from settlement.api.problems import Problem, ProblemError
from settlement.api.scopes import Scope
from settlement.decline_report import REASON_BYTES_MAX
from settlement.download import DownloadKind
from settlement.errors import InputError
from settlement.item_fields import ItemFields
from settlement.request_document import request_details, request_document
from settlement.request_files import requests_of
from settlement.service_catalogue import (
    catalogue_of,
    publish_services,
    service_document,
    stored_services,
)
from settlement.store.api_tokens import ApiReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from settlement.money import Currency
    from settlement.payment_requests import RequestState
    from settlement.store.api_tokens import ApiToken
    from settlement.store.books import BankStore, Books

__all__ = ["ApiDesk", "Caller", "Reply", "content_of"]

_CATALOGUE: Final = DownloadKind.CATALOGUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and under which key.

    Attributes:
        token: as it was given, or empty. Never shown.
        key: idempotency key, or empty.
        content: digest of method, path and body, 32 bytes.
    """

    token: str
    key: str = ""
    content: bytes = b""

    def __repr__(self) -> str:
        return "Caller()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered.

    Attributes:
        version: of the catalogue, where one is told; else None.
    """

    status: int
    document: Mapping[str, Any]
    version: int | None = None


class ApiDesk:
    """Serves the API from the bank's books. Threads may share it."""

    def __init__(
        self, store: BankStore, currency: Currency, clock: Callable[[], datetime]
    ) -> None:
        """Work on ``store``, which books in ``currency``."""
        self._store = store
        self._currency = currency
        self._clock = clock

    def see_that_the_bank_is_there(self) -> None:
        """Read something. Raises BankUnavailableError when the bank cannot be read."""
        with self._store.read() as books:
            books.publications.newest(_CATALOGUE)

    def admit(self, token: str, scope: Scope) -> None:
        """See that a token allows something, before anything of it is read.

        Raises:
            ProblemError: it does not.
        """
        with self._store.read() as books:
            admit(books, token, scope)

    def send(self, caller: Caller, given: Mapping[str, Any]) -> Reply:
        """Take payment requests, all of them or none."""

        def take(books: Books, token: ApiToken) -> Reply:
            items = _items(given, "requests")
            with _mistakes_told(Problem.INVALID):
                requests = requests_of(items, self._currency)
            foreign = sorted(
                {one.office for one in requests if not token.may_see(one.office)}
            )
            if foreign:
                names = ", ".join(foreign)
                detail = f"The token is not for the office {names}. {NOTHING}"
                raise ProblemError(Problem.NOT_ALLOWED, detail)
            with _mistakes_told(Problem.CONFLICT):
                taken = request_desk.add_requests(
                    books, requests, f"API {token.name}", self._clock()
                )
            found = books.requests.find([one.number for one in requests])
            shown = [request_document(found[one.number]) for one in requests]
            document = {"added": taken.added, "known": taken.known, "requests": shown}
            return Reply(status=201 if taken.added else 200, document=document)

        return self._write(caller, Scope.REQUESTS_WRITE, take)

    def get(self, caller: Caller, number: str) -> Reply:
        """One request with its steps and payments."""
        with self._store.read() as books:
            token = admit(books, caller.token, Scope.REQUESTS_READ)
            stored = books.requests.get(number)
            if stored is None or not token.may_see(stored.request.office):
                raise _no_request()
            document = request_details(
                stored, books.requests.events(number), books.requests.payments(number)
            )
        return Reply(status=200, document=document)

    def page(
        self,
        caller: Caller,
        *,
        after: int,
        limit: int,
        state: RequestState | None,
        office: str | None,
        since: datetime | None,
    ) -> Reply:
        """Requests by their newest step; see `RequestTables.page`."""
        with self._store.read() as books:
            token = admit(books, caller.token, Scope.REQUESTS_READ)
            if office is not None and not token.may_see(office):
                detail = f"The token is not for that office. {NOTHING}"
                raise ProblemError(Problem.NOT_ALLOWED, detail)
            offices = token.offices if office is None else (office,)
            found = books.requests.page(
                after=after, limit=limit + 1, state=state, offices=offices, since=since
            )
        shown = found[:limit]
        document = {
            "requests": [request_document(one) for one in shown],
            "next_after": shown[-1].changed if len(found) > limit else None,
        }
        return Reply(status=200, document=document)

    def cancel(self, caller: Caller, number: str, given: Mapping[str, Any]) -> Reply:
        """Take a new request back."""

        def take_back(books: Books, token: ApiToken) -> Reply:
            fields = ItemFields(given, self._currency, frozenset({"reason"}))
            reason = fields.text("reason", REASON_BYTES_MAX, needed=True)
            if fields.mistakes:
                errors = [str(one) for one in fields.mistakes]
                raise ProblemError(Problem.INVALID, NOTHING, errors)
            stored = books.requests.get(number)
            if stored is None or not token.may_see(stored.request.office):
                raise _no_request()
            with _mistakes_told(Problem.CONFLICT):
                request_desk.cancel(
                    books, [number], f"API {token.name}", reason, self._clock()
                )
            moved = books.requests.get(number)
            assert moved is not None, "it was there before"
            return Reply(status=200, document=request_document(moved))

        return self._write(caller, Scope.REQUESTS_WRITE, take_back)

    def catalogue(self, caller: Caller) -> Reply:
        """All services that counters are told of."""
        with self._store.read() as books:
            admit(books, caller.token, Scope.CATALOGUE_READ)
            return self._catalogue(books)

    def put_catalogue(
        self, caller: Caller, given: Mapping[str, Any], expected: int | None
    ) -> Reply:
        """Make these the whole catalogue.

        Args:
            caller: who.
            given: the body.
            expected: the version that it is to replace, or None: whichever it is.
        """

        def put(books: Books, token: ApiToken) -> Reply:
            del token  # The catalogue is the same at every office.
            books.publications.hold(_CATALOGUE)
            newest = books.publications.newest(_CATALOGUE)
            if expected is not None and expected != newest:
                detail = f"The catalogue is at version {newest}. {NOTHING}"
                raise ProblemError(Problem.PRECONDITION, detail)
            with _mistakes_told(Problem.INVALID):
                services = catalogue_of(_items(given, "services"), self._currency)
                publish_services(books, services, self._clock())
            return self._catalogue(books)

        return self._write(caller, Scope.CATALOGUE_WRITE, put)

    def _catalogue(self, books: Books) -> Reply:
        version = books.publications.newest(_CATALOGUE)
        services = stored_services(books.publications.entries(_CATALOGUE, version))
        document = {
            "version": version,
            "services": [service_document(one, self._currency) for one in services],
        }
        return Reply(status=200, document=document, version=version)

    def _write(
        self, caller: Caller, scope: Scope, do: Callable[[Books, ApiToken], Reply]
    ) -> Reply:
        """Do something once for each idempotency key; the same again is answered alike.

        A problem ends the transaction, so nothing of it is kept: the client puts it
        right and sends it again with the same key or another one.
        """

        def once(books: Books) -> Reply:
            token = admit(books, caller.token, scope)
            if not caller.key:
                return do(books, token)
            known = books.tokens.reply(token.number, caller.key)
            if known is not None:
                return _again(known, caller)
            reply = do(books, token)
            kept = {"version": reply.version, "document": reply.document}
            books.tokens.keep_reply(
                token.number,
                caller.key,
                ApiReply(
                    content=caller.content,
                    status=reply.status,
                    body=json.dumps(kept, ensure_ascii=False),
                ),
                self._clock(),
            )
            return reply

        return self._store.transact(once)


def content_of(method: str, path: str, body: bytes) -> bytes:
    """Digest of a request, 32 bytes: under one key there is one content."""
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _again(known: ApiReply, caller: Caller) -> Reply:
    if known.content != caller.content:
        detail = f"Take another key for another request. {NOTHING}"
        raise ProblemError(Problem.KEY_REUSED, detail)
    kept = json.loads(known.body)
    return Reply(
        status=known.status, document=kept["document"], version=kept["version"]
    )


def _items(given: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Place and fields of each item of a body; `ProblemError` when it has none."""
    items = given.get(name)
    if given.keys() != {name} or not isinstance(items, list):
        detail = f'The body is an object with a list under "{name}". {NOTHING}'
        raise ProblemError(Problem.INVALID, detail)
    errors = [
        f"{name}[{at}]: is no object"
        for at, item in enumerate(items)
        if not isinstance(item, dict)
    ]
    if errors:
        raise ProblemError(Problem.INVALID, NOTHING, errors)
    return [(f"{name}[{at}]", item) for at, item in enumerate(items)]


@contextmanager
def _mistakes_told(problem: Problem) -> Iterator[None]:
    """Tell a person's mistakes in what was sent as a problem, a line each."""
    try:
        yield
    except InputError as error:
        detail, *errors = str(error).splitlines()
        raise ProblemError(problem, detail, errors) from None


def _no_request() -> ProblemError:
    detail = "There is no request of this number for this token's offices."
    return ProblemError(Problem.NOT_FOUND, detail)
