"""The bank's door to a network: takes connections, secures them, lets terminals upload.

Whoever can reach the port can open connections, so all that nobody has vouched for yet
is bounded. A connection has ten seconds to show its certificate. At most
`HANDSHAKES_MAX` do so at once, at most `HANDSHAKES_OF_ONE_MAX` from one address; one
more pushes out the oldest, from its own address where that has too many. So who opens
connections and says nothing holds up nobody but itself.

Those that have shown a certificate count separately (`NetworkLimits.calls_max`), one
for each terminal.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modem.errors import CallStoppedError, ModemError, NetworkError
from modem.network_call import IncomingCall
from settlement.host_events import Listening, ModemTrouble

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from concurrent.futures import Future

    from modem.events import CallEvent
    from modem.line_loop import LineLoop
    from modem.network import Listener
    from settlement.host_calls import Calls
    from settlement.host_events import HostEvent

__all__ = ["NetworkDoor", "NetworkLimits", "Waiting"]

HANDSHAKES_MAX: Final = 64
HANDSHAKES_OF_ONE_MAX: Final = 16
"""Several counters may come from one address, behind one router."""
CALLS_MAX_DEFAULT: Final = 200
_STOP_CHECK_S: Final = 0.5
_PAUSE_S: Final = 1
"""Rest after the system had no connection to give, such as for lack of descriptors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLimits:
    """How much one network door takes at once.

    Attributes:
        calls_max: secured calls.
        handshakes_max: connections that are not secured yet.
        handshakes_of_one_max: those of them from one address.
    """

    calls_max: int = CALLS_MAX_DEFAULT
    handshakes_max: int = HANDSHAKES_MAX
    handshakes_of_one_max: int = HANDSHAKES_OF_ONE_MAX


class Waiting:
    """Connections that are not secured yet, the oldest first. Threads share it."""

    def __init__(self, limits: NetworkLimits) -> None:
        """Begin with none."""
        self._limits = limits
        self._lock = threading.Lock()
        self._calls: dict[IncomingCall, str] = {}

    def add(self, call: IncomingCall, address: str) -> IncomingCall | None:
        """Let one more wait; the one that has to go for it, or None."""
        with self._lock:
            self._calls[call] = address
            of_one = Counter(self._calls.values())[address]
            if of_one > self._limits.handshakes_of_one_max:
                victim = next(one for one, at in self._calls.items() if at == address)
            elif len(self._calls) > self._limits.handshakes_max:
                victim = next(iter(self._calls))
            else:
                return None
            del self._calls[victim]
            return victim

    def remove(self, call: IncomingCall) -> None:
        """It is secured, or over."""
        with self._lock:
            self._calls.pop(call, None)


class NetworkDoor:
    """One listener of a host."""

    def __init__(
        self,
        listener: Listener,
        calls: Calls,
        *,
        tls_context: ssl.SSLContext,
        limits: NetworkLimits,
        on_event: Callable[[str, HostEvent | CallEvent], None],
    ) -> None:
        """Prepare.

        Args:
            listener: open; closed by `serve`.
            calls: holds the conversations.
            tls_context: of `modem.tls.server_context`.
            limits: how much at once.
            on_event: told the line and what happens there.
        """
        self._listener = listener
        self._calls = calls
        self._tls_context = tls_context
        self._limits = limits
        self._on_event = on_event
        self._waiting = Waiting(limits)

    def serve(self, loop: LineLoop, stop: threading.Event, *, once: bool) -> None:
        """Take connections until ``stop``; returns when all their calls are over.

        Args:
            loop: runs the connections.
            stop: set to take no more; those under way end by `Calls.end_all`.
            once: stop after the first call that got as far as messages.
        """
        self._on_event(self._listener.name, Listening())
        most = self._limits.calls_max + self._limits.handshakes_max + 1
        bugs: list[Future[None]] = []

        def over(work: Future[None]) -> None:
            # A bug ends the host: half a host that looks alive would hide it.
            if once or work.exception() is not None:
                bugs.append(work)
                stop.set()

        with ThreadPoolExecutor(most, thread_name_prefix="network") as pool:
            while not stop.is_set():
                incoming = self._accept(stop)
                if incoming is not None:
                    work = pool.submit(self._take, incoming, loop)
                    work.add_done_callback(over)
            self._listener.close()
        for work in bugs:
            work.result()

    def _accept(self, stop: threading.Event) -> IncomingCall | None:
        try:
            accepted = self._listener.accept(_STOP_CHECK_S)
        except NetworkError as error:
            trouble = ModemTrouble(reason=error.what, retry_in_s=_PAUSE_S)
            self._on_event(self._listener.name, trouble)
            stop.wait(_PAUSE_S)
            return None
        if accepted is None:
            return None
        connection, address = accepted
        incoming = IncomingCall(connection, self._tls_context, stop)
        victim = self._waiting.add(incoming, address)
        if victim is not None:
            victim.drop()
        return incoming

    def _take(self, incoming: IncomingCall, loop: LineLoop) -> None:
        line = incoming.name

        def on_call_event(event: CallEvent) -> None:
            self._on_event(line, event)

        try:
            call = incoming.secure(on_call_event, loop, self._calls.admit)
        except CallStoppedError:
            reason = "The connection was given up before it was secured."
            self._on_event(line, ModemTrouble(reason=reason))
            return
        except ModemError as error:
            self._on_event(line, ModemTrouble(reason=error.what))
            return
        finally:
            self._waiting.remove(incoming)
        self._calls.converse(line, call, network_calls_max=self._limits.calls_max)
