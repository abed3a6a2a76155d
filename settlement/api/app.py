"""The API over HTTP: paths, headers and bodies, and nothing that decides.

``docs/requests-api.md`` is its manual and ``docs/requests-openapi.json`` its contract;
a test keeps the latter equal to what this program serves at ``/openapi.json``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from settlement.api import models
from settlement.api.access import bearer_of, read_body, read_object
from settlement.api.desk import Caller, content_of
from settlement.api.problems import Problem, ProblemError, add_handlers
from settlement.api.scopes import Scope
from settlement.payment_requests import (
    RequestState,  # noqa: TC001  FastAPI reads annotations at run time
)

if TYPE_CHECKING:
    from settlement.api.desk import ApiDesk, Reply

__all__ = ["PAGE_MAX", "make_app"]

PAGE_MAX: Final = 500
_AFTER_MAX: Final = (1 << 63) - 1
_KEY: Final = re.compile(r"[!-~]{1,64}")
_ETAG: Final = re.compile(r'"([0-9]{1,10})"')
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "model": models.ProblemOut,
        "description": "A problem; nothing was changed unless it says so.",
    }
}
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 64 visible ASCII characters. The same request again with the "
    "same key is answered as the first time and does nothing.",
    "schema": {"type": "string", "maxLength": 64},
}
_MATCH_HEADER: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "ETag of the catalogue that is to be replaced.",
    "schema": {"type": "string"},
}
_SECURED: Final[dict[str, Any]] = {"security": [{"token": []}]}


def make_app(desk: ApiDesk) -> FastAPI:
    """The application.

    Args:
        desk: does what is asked.
    """
    app = FastAPI(
        title="Raseed payment requests",
        version="1",
        description="Send payment requests to the bank, see what became of them, and "
        "keep the catalogue of services. Manual: docs/requests-api.md.",
        docs_url=None,
        redoc_url=None,
        # A path with a slash at its end is another one; nobody is sent elsewhere.
        redirect_slashes=False,
        responses=_PROBLEMS,
    )
    app.openapi_tags = [{"name": "requests"}, {"name": "catalogue"}]
    add_handlers(app)
    _add_requests(app, desk)
    _add_catalogue(app, desk)
    _add_health(app, desk)
    _describe_security(app)
    return app


def _add_requests(app: FastAPI, desk: ApiDesk) -> None:
    @app.post(
        "/v1/requests",
        status_code=201,
        response_model=models.Created,
        responses={200: {"model": models.Created, "description": "All were known."}},
        tags=["requests"],
        summary="Send payment requests, all or none",
        openapi_extra=models.REQUESTS_BODY | {"parameters": [_KEY_HEADER]} | _SECURED,
    )
    async def send(request: Request) -> Response:
        caller, given = await _taken(desk, request, Scope.REQUESTS_WRITE)
        return await _answer(partial(desk.send, caller, given))

    @app.get(
        "/v1/requests",
        response_model=models.PaymentRequestPage,
        tags=["requests"],
        summary="List requests by state, office and time of their newest step",
        openapi_extra=_SECURED,
    )
    async def page(
        request: Request,
        state: Annotated[RequestState | None, Query()] = None,
        office: Annotated[str | None, Query(max_length=64)] = None,
        changed_since: Annotated[datetime | None, Query()] = None,
        after: Annotated[int, Query(ge=0, le=_AFTER_MAX)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    ) -> Response:
        since = changed_since
        if since is not None:
            # A time without a zone is UTC, as all times here are.
            since = since if since.tzinfo else since.replace(tzinfo=UTC)
        return await _answer(
            partial(
                desk.page,
                _caller(request),
                after=after,
                limit=limit,
                state=state,
                office=office,
                since=since,
            )
        )

    @app.post(
        "/v1/requests/{number:path}/cancel",
        response_model=models.PaymentRequestOut,
        tags=["requests"],
        summary="Cancel a request that is new",
        openapi_extra=models.CANCEL_BODY | {"parameters": [_KEY_HEADER]} | _SECURED,
    )
    async def cancel(request: Request, number: str) -> Response:
        caller, given = await _taken(desk, request, Scope.REQUESTS_WRITE)
        return await _answer(partial(desk.cancel, caller, number, given))

    @app.get(
        "/v1/requests/{number:path}",
        response_model=models.PaymentRequestOut,
        tags=["requests"],
        summary="One request with every step and payment",
        openapi_extra=_SECURED,
    )
    async def get(request: Request, number: str) -> Response:
        return await _answer(partial(desk.get, _caller(request), number))


def _add_catalogue(app: FastAPI, desk: ApiDesk) -> None:
    @app.get(
        "/v1/catalogue",
        response_model=models.Catalogue,
        tags=["catalogue"],
        summary="All services; the ETag is the version",
        openapi_extra=_SECURED,
    )
    async def catalogue(request: Request) -> Response:
        return await _answer(partial(desk.catalogue, _caller(request)))

    @app.put(
        "/v1/catalogue",
        response_model=models.Catalogue,
        tags=["catalogue"],
        summary="Replace all services",
        openapi_extra=models.CATALOGUE_BODY
        | {"parameters": [_KEY_HEADER, _MATCH_HEADER]}
        | _SECURED,
    )
    async def put(request: Request) -> Response:
        caller, given = await _taken(desk, request, Scope.CATALOGUE_WRITE)
        expected = _expected(request)
        return await _answer(partial(desk.put_catalogue, caller, given, expected))


def _add_health(app: FastAPI, desk: ApiDesk) -> None:
    @app.get(
        "/health",
        response_model=models.Health,
        summary="Whether the bank can be read; needs no token",
    )
    async def health() -> Response:
        await run_in_threadpool(desk.see_that_the_bank_is_there)
        return JSONResponse({"status": "ok"})


async def _taken(
    desk: ApiDesk, request: Request, scope: Scope
) -> tuple[Caller, dict[str, Any]]:
    """Who asks, and the object in the body, which nobody without a token gets read."""
    await run_in_threadpool(desk.admit, bearer_of(request), scope)
    body = await read_body(request)
    return _caller(request, body), read_object(body)


async def _answer(do: partial[Reply]) -> Response:
    reply = await run_in_threadpool(do)
    headers = {"Cache-Control": "no-store"}
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    return JSONResponse(reply.document, status_code=reply.status, headers=headers)


def _caller(request: Request, body: bytes = b"") -> Caller:
    key = request.headers.get("idempotency-key", "")
    if key and not _KEY.fullmatch(key):
        detail = "Idempotency-Key has 1 to 64 visible ASCII characters."
        raise ProblemError(Problem.BAD_REQUEST, f"{detail} Nothing was changed.")
    content = content_of(request.method, request.url.path, body)
    return Caller(token=bearer_of(request), key=key, content=content)


def _expected(request: Request) -> int | None:
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        detail = "If-Match is an ETag of the catalogue. Nothing was changed."
        raise ProblemError(Problem.BAD_REQUEST, detail)
    return int(found[1])


def _describe_security(app: FastAPI) -> None:
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
