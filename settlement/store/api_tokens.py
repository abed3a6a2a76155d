"""Who may use the API, in the database, and what was answered under which key.

A token is 256 random bits and known here by its SHA-256 only: there is nothing to guess
from it, so it needs no salt and no slow digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from settlement.store.holds import hold_name
from settlement.store.numbers import next_number
from settlement.store.schema_requests import api_reply, api_token, api_token_revoked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["ApiReply", "ApiToken", "TokenTables", "token_digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token that was given out.

    Attributes:
        number: of the token, from 1.
        name: whose it is.
        offices: those it may see and send requests for; all when there are none.
        scopes: what it may do.
        given_by: who gave it out.
        given_at: when.
        revoked_at: since when it is not accepted any more, or None.
    """

    number: int
    name: str
    offices: tuple[str, ...]
    scopes: tuple[str, ...]
    given_by: str
    given_at: datetime
    revoked_at: datetime | None = None

    def may_see(self, office: str) -> bool:
        """Whether requests of this office are its business."""
        return not self.offices or office in self.offices


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReply:
    """What was answered to a request that had an idempotency key.

    Attributes:
        content: digest of the request, 32 bytes.
        status: of HTTP.
        body: JSON.
    """

    content: bytes
    status: int
    body: str


def token_digest(token: str) -> bytes:
    """What a token is known by, 32 bytes."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


class TokenTables:
    """Tokens and replies within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(
        self,
        *,
        name: str,
        digest: bytes,
        offices: Sequence[str],
        scopes: Sequence[str],
        who: str,
        at: datetime,
    ) -> None:
        """Keep a token that is given out now."""
        self._connection.execute(
            sa.insert(api_token),
            {
                "id": next_number(self._connection, api_token.c.id),
                "name": name,
                "digest": digest,
                "offices": json.dumps(list(offices)),
                "scopes": json.dumps(list(scopes)),
                "who": who,
                "at": at,
            },
        )

    def revoke(self, number: int, who: str, at: datetime) -> None:
        """Have a token accepted no more."""
        self._connection.execute(
            sa.insert(api_token_revoked), {"token_id": number, "who": who, "at": at}
        )

    def tokens(self) -> list[ApiToken]:
        """All tokens, revoked ones too, in the order in which they were given out."""
        return self._select()

    def named(self, name: str) -> ApiToken | None:
        """The token of this name, or None."""
        return next(iter(self._select(api_token.c.name == name)), None)

    def valid(self, digest: bytes) -> ApiToken | None:
        """The token of this digest, unless it was revoked; or None."""
        found = self._select(
            api_token.c.digest == digest, api_token_revoked.c.at.is_(None)
        )
        return next(iter(found), None)

    def reply(self, token: int, key: str) -> ApiReply | None:
        """What was answered to a token's request of this key, or None.

        Nobody else uses the key until the transaction ends.
        """
        hold_name(self._connection, f"API key {token} {key}")
        query = sa.select(api_reply).where(
            api_reply.c.token_id == token, api_reply.c.idempotency_key == key
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return ApiReply(content=row.content, status=row.status, body=row.body)

    def keep_reply(self, token: int, key: str, reply: ApiReply, at: datetime) -> None:
        """Keep what is answered, in the transaction that does what it tells."""
        self._connection.execute(
            sa.insert(api_reply),
            {
                "token_id": token,
                "idempotency_key": key,
                "content": reply.content,
                "status": reply.status,
                "body": reply.body,
                "at": at,
            },
        )

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[ApiToken]:
        query = (
            sa.select(api_token, api_token_revoked.c.at.label("revoked_at"))
            .select_from(api_token.outerjoin(api_token_revoked))
            .where(*conditions)
            .order_by(api_token.c.id)
        )
        return [_token(row) for row in self._connection.execute(query)]


def _token(row: Any) -> ApiToken:
    return ApiToken(
        number=row.id,
        name=row.name,
        offices=tuple(json.loads(row.offices)),
        scopes=tuple(json.loads(row.scopes)),
        given_by=row.who,
        given_at=row.at,
        revoked_at=row.revoked_at,
    )
