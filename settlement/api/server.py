"""The HTTP server: uvicorn with bounds.

How much one client can take: a connection is closed after some idle seconds, the
headers of a request have a bound, bodies theirs (`settlement.api.access`), and beyond
so many requests at a time the next ones are answered 503 at once.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

__all__ = ["serve_app"]

CONCURRENT_MAX: Final = 64
HEADER_BYTES_MAX: Final = 16 << 10
IDLE_SECONDS_MAX: Final = 5
STOP_SECONDS_MAX: Final = 20
BACKLOG: Final = 128


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._on_started()


def serve_app(
    app: FastAPI,
    *,
    address: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    on_started: Callable[[int], None],
) -> None:
    """Serve until SIGTERM or SIGINT; requests that were begun are finished.

    Args:
        app: the application.
        address: to listen on.
        port: likewise; 0 takes a free one.
        certificate: for TLS, or None for plain HTTP.
        key: of the certificate.
        on_started: told the port once it listens.

    Raises:
        OSError: it cannot listen there, or the certificate cannot be used.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Bound here, so that what is wrong with the address is told in our words.
    listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    config = uvicorn.Config(
        app,
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONCURRENT_MAX,
        timeout_keep_alive=IDLE_SECONDS_MAX,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )
    with listener:
        config.load()
        bound = int(listener.getsockname()[1])
        _Server(config, lambda: on_started(bound)).run(sockets=[listener])
