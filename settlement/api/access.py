"""Who asks, what they may do, and how much of a body is read.

A body is bounded before it is read, and read within a time: whoever sends slowly or
without end is answered, and holds up nobody else.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from settlement.api.problems import Problem, ProblemError
from settlement.store.api_tokens import token_digest

if TYPE_CHECKING:
    from starlette.requests import Request

    from settlement.api.scopes import Scope
    from settlement.store.api_tokens import ApiToken
    from settlement.store.books import Books

__all__ = ["BODY_BYTES_MAX", "admit", "bearer_of", "read_body", "read_object"]

BODY_BYTES_MAX: Final = 1 << 20
BODY_SECONDS_MAX: Final = 15
_TOKEN_CHARACTERS_MAX: Final = 200
NOTHING: Final = "Nothing was changed."


def bearer_of(request: Request) -> str:
    """The token in the header ``Authorization``, or an empty text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > _TOKEN_CHARACTERS_MAX:
        return ""
    return token


def admit(books: Books, token: str, scope: Scope) -> ApiToken:
    """Whose token it is.

    Raises:
        ProblemError: there is none, it is not valid, or it does not allow this.
    """
    found = books.tokens.valid(token_digest(token)) if token else None
    if found is None:
        detail = f"Give a token: Authorization: Bearer ... {NOTHING}"
        raise ProblemError(Problem.NO_TOKEN, detail)
    if scope.value not in found.scopes:
        detail = f"The token '{found.name}' has no scope {scope}. {NOTHING}"
        raise ProblemError(Problem.NOT_ALLOWED, detail)
    return found


async def read_body(request: Request) -> bytes:
    """The whole body, bounded in size and time.

    Raises:
        ProblemError: it is too large, not JSON by its type, or does not come.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        detail = f"Send Content-Type: application/json. {NOTHING}"
        raise ProblemError(Problem.NOT_JSON, detail)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    detail = f"The most is {BODY_BYTES_MAX} bytes. {NOTHING}"
                    raise ProblemError(Problem.TOO_LARGE, detail)
    except TimeoutError:
        raise ProblemError(Problem.TOO_SLOW, NOTHING) from None
    return bytes(body)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        ProblemError: it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        detail = f"The body is not JSON in UTF-8. {NOTHING}"
        raise ProblemError(Problem.BAD_REQUEST, detail) from None
    if not isinstance(found, dict):
        detail = f"The body is not a JSON object. {NOTHING}"
        raise ProblemError(Problem.BAD_REQUEST, detail)
    return found
