"""Calls over a network, for a counter or a bank that has one: TLS 1.3 over TCP.

The same call as over a telephone line to whoever uses it (`modem.call.Call`): whole
messages both ways, certificates of both sides, the host's ready mark. There is no
modem, no dialling and no link layer. docs/network-line.md says what is on the wire.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Final

from modem.call import bring_up
from modem.call_machine import CallMachine
from modem.direct import DirectLine
from modem.driver import Driver
from modem.errors import CallStoppedError, NetworkError
from modem.events import DialFailed, Dialling
from modem.network import NetworkAddress, SocketPort, connect_to
from modem.result_codes import ResultCode
from modem.stream_session import StreamSession
from modem.tls import TLSSession

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from modem.call import Call
    from modem.certificates import Admit
    from modem.dial_plan import DialPlan
    from modem.events import CallEvent
    from modem.line_loop import LineLoop

__all__ = ["IncomingCall", "connect", "try_out"]

CLIENT_HANDSHAKE_MS: Final = 30_000
HOST_HANDSHAKE_MS: Final = 10_000
"""Six round trips of half a second, and seconds to spare: who needs longer is no
counter, and a slot is held meanwhile."""
CALL_MS_MAX: Final = 30 * 60_000
"""A full batch takes seconds; a call that trickles on for so long holds a slot that
others need. The counter calls again and goes on where it was."""
RECEIVED_BYTES_MAX: Final = 1024 * 1024
"""Unfetched messages of one call; what a counter sends ahead is far less."""
_JITTER_SHARE: Final = 4


def connect(
    port: str,
    plan: DialPlan,
    tls_context: ssl.SSLContext,
    server_name: str,
    on_event: Callable[[CallEvent], None],
    stop: threading.Event | None = None,
) -> Call:
    """Connect to the bank's host and return the secured call.

    Args:
        port: ``tls://host:port``.
        plan: only its rounds and pauses count.
        tls_context: of `modem.tls.client_context`.
        server_name: DNS name that the host's certificate must carry.
        on_event: as for `modem.call.dial`.
        stop: set by another thread to give up.

    Raises:
        ModemError: no call; the connection is closed again.
    """
    connection = _reach(port, plan, on_event, stop or threading.Event())

    def make_session(_rate_bps: int, now_ms: int) -> StreamSession:
        tls = TLSSession(tls_context, server_name=server_name)
        return StreamSession(tls, now_ms=now_ms, handshake_ms=CLIENT_HANDSHAKE_MS)

    machine = CallMachine(_connected(), make_session, has_dtr=False)
    return bring_up(Driver(connection, machine, stop=stop), on_event, None)


def try_out(port: str, plan: DialPlan, on_event: Callable[[CallEvent], None]) -> None:
    """Connect to the bank's host and let go again; nothing is sent.

    Raises:
        NetworkError: the host cannot be reached.
    """
    _reach(port, plan, on_event, threading.Event()).close()


class IncomingCall:
    """A connection that a host has taken, and that is not secured yet."""

    def __init__(
        self,
        connection: SocketPort,
        tls_context: ssl.SSLContext,
        stop: threading.Event,
    ) -> None:
        """Prepare the host's side.

        Args:
            connection: of `modem.network.Listener.accept`.
            tls_context: of `modem.tls.server_context`.
            stop: set by another thread to secure no more calls.
        """
        self.name: Final = connection.name

        def make_session(_rate_bps: int, now_ms: int) -> StreamSession:
            return StreamSession(
                TLSSession(tls_context, server_name=None, asks_admission=True),
                now_ms=now_ms,
                handshake_ms=HOST_HANDSHAKE_MS,
                call_ms=CALL_MS_MAX,
            )

        self._driver = Driver(
            connection,
            CallMachine(_connected(), make_session, has_dtr=False),
            stop=stop,
            received_bytes_max=RECEIVED_BYTES_MAX,
        )

    def secure(
        self, on_event: Callable[[CallEvent], None], loop: LineLoop, admit: Admit
    ) -> Call:
        """Wait until both certificates are accepted.

        Args:
            on_event: as for `modem.call.answer`.
            loop: runs it.
            admit: as for `modem.call.answer`.

        Raises:
            ModemError: they were not, in time; the connection is closed.
        """
        return bring_up(self._driver, on_event, loop, admit)

    def drop(self) -> None:
        """Have `secure` give up; from any thread, waits for nothing."""
        self._driver.drop()


def _reach(
    port: str,
    plan: DialPlan,
    on_event: Callable[[CallEvent], None],
    stop: threading.Event,
) -> SocketPort:
    """A connection, tried in as many rounds as the plan has."""
    address = NetworkAddress.parse(port)
    pause_ms = plan.pause_ms
    for attempt in range(1, plan.rounds + 1):
        on_event(Dialling(number=str(address), attempt=attempt))
        try:
            return connect_to(address, port)
        except NetworkError:
            if attempt == plan.rounds:
                raise
        wait_ms = pause_ms + secrets.randbelow(pause_ms // _JITTER_SHARE + 1)
        on_event(
            DialFailed(
                number=str(address), code=ResultCode.NO_ANSWER, retry_in_ms=wait_ms
            )
        )
        if stop.wait(wait_ms / 1000):
            raise CallStoppedError
        pause_ms = min(2 * pause_ms, plan.pause_ms_max)
    raise AssertionError("a plan has a round")


def _connected() -> DirectLine:
    """Nothing precedes the conversation; a network has no rate of its own."""
    return DirectLine(baud=0, calls=True)
