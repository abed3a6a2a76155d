"""What the API answers when it does not do what was asked: problem details, RFC 9457.

Every answer that is no success is one JSON object of the type
``application/problem+json``: type, title, status, detail, and where there are single
mistakes, ``errors`` with one text each. Nothing of the program itself gets out: what
was not foreseen is a 500 without a word about it, and goes to the log.
"""

from __future__ import annotations

import json
import logging
from enum import Enum, unique
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from settlement.errors import BankUnavailableError, SettlementError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["PROBLEM_TYPE", "Problem", "ProblemError", "add_handlers"]

PROBLEM_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = 5

_log = logging.getLogger("raseed.api")


@unique
class Problem(Enum):
    """What can be wrong: the end of the type's URN, status and title."""

    BAD_REQUEST = ("bad-request", 400, "The request cannot be read")
    NO_TOKEN = ("no-token", 401, "A valid token is needed")
    NOT_ALLOWED = ("not-allowed", 403, "The token does not allow this")
    NOT_FOUND = ("not-found", 404, "There is no such thing")
    WRONG_METHOD = ("wrong-method", 405, "This cannot be done here")
    TOO_SLOW = ("too-slow", 408, "The body did not come in time")
    CONFLICT = ("conflict", 409, "It stands otherwise at the bank")
    PRECONDITION = ("precondition", 412, "It has changed meanwhile")
    TOO_LARGE = ("too-large", 413, "The body is too large")
    NOT_JSON = ("not-json", 415, "The body must be application/json")
    INVALID = ("invalid", 422, "There are mistakes")
    KEY_REUSED = ("key-reused", 422, "The idempotency key was used for another request")
    INTERNAL = ("internal", 500, "The bank could not do this")
    TRY_LATER = ("try-later", 503, "The bank cannot store anything just now")

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self.value[1]


_BY_STATUS: Final = {404: Problem.NOT_FOUND, 405: Problem.WRONG_METHOD}


class ProblemError(Exception):
    """Ends a request; nothing was changed.

    Attributes:
        problem: which one.
        detail: what happened, in plain words.
        errors: single mistakes, when there are any.
    """

    def __init__(
        self, problem: Problem, detail: str, errors: Sequence[str] = ()
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.errors = tuple(errors)


def problem_response(
    problem: Problem, detail: str, errors: Sequence[str] = ()
) -> Response:
    """The answer that tells of a problem."""
    urn, status, title = problem.value
    body: dict[str, Any] = {
        "type": f"urn:raseed:problem:{urn}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    headers = {}
    if problem is Problem.NO_TOKEN:
        headers["WWW-Authenticate"] = "Bearer"
    if problem is Problem.TRY_LATER:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    return Response(
        json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        status_code=status,
        media_type=PROBLEM_TYPE,
        headers=headers,
    )


def add_handlers(app: FastAPI) -> None:
    """Have every failure of ``app`` answered by a problem."""

    @app.exception_handler(ProblemError)
    async def on_problem(_: Request, error: ProblemError) -> Response:
        return problem_response(error.problem, error.detail, error.errors)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        problem = _BY_STATUS.get(error.status_code, Problem.BAD_REQUEST)
        return problem_response(problem, "Nothing was changed.")

    @app.exception_handler(RequestValidationError)
    async def on_query(_: Request, error: RequestValidationError) -> Response:
        # Its own words show what was sent, at any length.
        errors = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
        return problem_response(Problem.INVALID, "Nothing was changed.", errors)

    @app.exception_handler(BankUnavailableError)
    async def on_unavailable(_: Request, error: BankUnavailableError) -> Response:
        _log.warning("try later: %s", error)
        return problem_response(
            Problem.TRY_LATER, "Nothing was changed; send the same again."
        )

    @app.exception_handler(SettlementError)
    async def on_foreseen(_: Request, error: SettlementError) -> Response:
        _log.error("%s: %s", type(error).__name__, error)
        return problem_response(Problem.INTERNAL, "Nothing was changed.")

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> Response:
        _log.error("a bug: %s", type(error).__name__)
        return problem_response(
            Problem.INTERNAL,
            "It is not known whether anything was changed: ask for it, or send the "
            "same again with the same idempotency key.",
        )
