"""Calls on a real serial port: dial or answer, then messages both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Callable
    from types import TracebackType

    from modem.dial_plan import AnswerPlan, DialPlan
    from modem.events import CallEvent

__all__ = ["Call", "answer", "dial"]


class Call:
    """A secured call: whole messages, in order, each delivered once.

    `send` and `receive` may be used from two threads. Always `close` it (or use it
    in a ``with``): that is what hangs the modem up.
    """

    @property
    def peer_name(self) -> str:
        """Common name of the other side's certificate."""
        raise NotImplementedError

    def send(self, message: bytes) -> None:
        """Queue one message of 1 to 65535 bytes; waits while much is unsent.

        Raises:
            CallLostError: the call is over; earlier messages may not have arrived.
            ValueError: the message is empty or too long.
        """
        raise NotImplementedError

    def receive(self, timeout_ms: int) -> bytes:
        """Wait up to ``timeout_ms`` for the next message.

        Raises:
            CallTimeoutError: none came in time; the call is still up.
            CallClosedError: the other side ended the call in order.
            CallLostError: the call broke off.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Send what is queued, end the call in order, hang up, free the port."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def dial(
    port: str,
    plan: DialPlan,
    tls_context: ssl.SSLContext,
    server_name: str,
    on_event: Callable[[CallEvent], None],
    stop: threading.Event | None = None,
) -> Call:
    """Dial the bank and return the secured call.

    Args:
        port: path or URL of the serial port; opened here, closed by `Call.close`.
        plan: numbers and modem settings.
        tls_context: of `modem.tls.client_context`.
        server_name: DNS name that the host's certificate must carry.
        on_event: told what happens, from this thread and, once the call is up, from
            the call's own thread; it must return soon.
        stop: set by another thread to give up dialling.

    Raises:
        ModemError: no call; the port is closed again and the modem has hung up.
    """
    raise NotImplementedError


def answer(
    port: str,
    tls_context: ssl.SSLContext,
    *,
    stop: threading.Event,
    on_event: Callable[[CallEvent], None],
    plan: AnswerPlan | None = None,
) -> Call | None:
    """Wait for one call, take it and return it secured; None once ``stop`` is set.

    Raises:
        ModemError: the modem fails, or a call came that could not be secured; call
            `answer` again for the next one.
    """
    raise NotImplementedError
