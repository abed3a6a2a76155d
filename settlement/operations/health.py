"""A small HTTP listener for whoever watches the host: is it alive, ready, and well.

=============  ===========================================================  ==========
path           says                                                         else
=============  ===========================================================  ==========
``/healthz``   200: the program's main loop goes round                      503
``/readyz``    200: books writable, keys open, a line up, not stopping      503
``/metrics``   200: what `settlement.operations.metrics` counts, for        --
               Prometheus
=============  ===========================================================  ==========

Of more than eight questions at once the ninth is hung up on. There is no
authentication: bind it to this machine, or to a network of the bank's own.
Nothing can be changed through it, and it names no card and no customer.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.exposition import choose_encoder

from modem.network import NetworkAddress
from settlement.errors import HostError, SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

__all__ = ["Health", "HealthServer", "Heart"]

_ALIVE_S: Final = 30
"""The main loop goes round twice a second; a group on a slow disk does not hold it."""
_REQUESTS_MAX: Final = 8
_PATIENCE_S: Final = 5
_OK: Final = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the host can do its work; asked from any thread.

    Attributes:
        registry: the metrics.
        check_books: raises `SettlementError` when the books cannot be written.
        check_keys: raises `SettlementError` when the masters are not open.
        lines: every line, and whether calls can come in on it.
        stopping: set when the host takes no more calls.
        heart: what the main loop beats.
    """

    registry: CollectorRegistry
    check_books: Callable[[], None]
    check_keys: Callable[[], None]
    lines: Callable[[], dict[str, bool]]
    stopping: threading.Event
    heart: Heart

    def alive(self) -> tuple[bool, dict[str, Any]]:
        """Whether the main loop goes round, or is stopping as it was told to."""
        seconds = self.heart.silent_s()
        alive = self.stopping.is_set() or seconds < _ALIVE_S
        return alive, {"alive": alive, "seconds_since_last_round": seconds}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether a terminal that calls now is served, and what stands against it."""
        lines = self.lines()
        up = sum(lines.values())
        checks = {
            "books": _checked(self.check_books),
            "keys": _checked(self.check_keys),
            "lines": _OK if up else "no line is up",
            "stopping": "no more calls are taken" if self.stopping.is_set() else _OK,
        }
        ready = all(told == _OK for told in checks.values())
        down = sorted(line for line, is_up in lines.items() if not is_up)
        return ready, {
            "ready": ready,
            "checks": checks,
            "lines_up": up,
            "lines_down": down,
        }


class Heart:
    """When the main loop last went round."""

    def __init__(self) -> None:
        """It has just begun."""
        self._beat_ns = time.monotonic_ns()

    def beat(self) -> None:
        """It goes round."""
        self._beat_ns = time.monotonic_ns()

    def silent_s(self) -> int:
        """Whole seconds since it last did."""
        return (time.monotonic_ns() - self._beat_ns) // 1_000_000_000


class HealthServer:
    """The listener; use it in a ``with``. It answers from threads of its own."""

    def __init__(self, address: NetworkAddress, health: Health) -> None:
        """Begin to listen.

        Raises:
            HostError: the address is not this machine's, or in use.
        """
        try:
            self._server = _Server((address.host, address.port), health)
        except OSError as error:
            raise HostError(
                f"Health and metrics cannot be told at {address}: "
                f"{error.strerror or error}. No calls are answered now; nothing was "
                "changed. Choose another address with --metrics, or end the program "
                "that uses it."
            ) from None
        port = int(self._server.server_address[1])
        self.address: Final = NetworkAddress(host=address.host, port=port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _REQUESTS_MAX

    def __init__(self, address: tuple[str, int], health: Health) -> None:
        self.health = health
        self.room = threading.BoundedSemaphore(_REQUESTS_MAX)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, when there are not too many."""
        if not self.room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S  # type: ignore[mutable-override]  # as the library documents
    server_version = "raseed-bank"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one question."""
        server = self.server
        assert isinstance(server, _Server)
        health = server.health
        match self.path.partition("?")[0]:
            case "/healthz":
                self._say_json(*health.alive())
            case "/readyz":
                self._say_json(*health.ready())
            case "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._say(HTTPStatus.OK, kind, encode(health.registry))
            case _:
                self._say(
                    HTTPStatus.NOT_FOUND, "text/plain", b"/healthz /readyz /metrics\n"
                )

    def _say_json(self, good: bool, document: dict[str, Any]) -> None:
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        body = json.dumps(document, ensure_ascii=False).encode() + b"\n"
        self._say(status, "application/json", body)

    def _say(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nobody needs a line for each scrape."""


def _checked(check: Callable[[], None]) -> str:
    try:
        check()
    except SettlementError as error:
        return str(error)
    return _OK
