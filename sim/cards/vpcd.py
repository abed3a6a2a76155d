"""A simulated card behind vpcd, so that pcscd and every PC/SC program see it.

vpcd is the reader driver of the vsmartcard project. It listens on one TCP port for
each slot; a card that connects is inserted, one that closes is removed. Each message
is two bytes of length, big-endian, and that many bytes: one byte is a control (power
off, power on, reset, send the ATR), more are an APDU; only the ATR and APDUs are
answered.

Theory of operation: `insert` starts a thread that connects (again and again until
something listens), serves, and connects again when the other side went away; `remove`
wakes it through a socket pair and waits for its end. A command under way is finished
and answered first. pcscd looks every 400 ms: who removes one card and inserts another
waits, on the PC/SC side, until the removal has been seen.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import selectors
import socket
import threading
from enum import Enum, IntEnum, unique
from typing import TYPE_CHECKING, Final, Self

from sim.cards.errors import CardTakenError
from sim.cards.t0 import Card, T0Card

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["CardProtocol", "VPCDCard"]

_HISTORICAL: Final = b"RASEED"
_RETRY_S: Final = 0.1
_CONNECT_TIMEOUT_S: Final = 1.0
_LENGTH_BYTES: Final = 2


@unique
class CardProtocol(Enum):
    """The transmission protocol that a card's ATR offers."""

    T0 = "T0"
    T1 = "T1"

    @property
    def atr(self) -> bytes:
        """The answer to reset (ISO/IEC 7816-3, clause 8.2).

        >>> CardProtocol.T0.atr.hex(), CardProtocol.T1.atr.hex()
        ('3b06524153454544', '3b860152415345454483')
        """
        count = len(_HISTORICAL)
        if self is CardProtocol.T0:
            return bytes((0x3B, count)) + _HISTORICAL
        # TD1 names T=1, and every ATR that names more than T=0 ends in TCK.
        checked = bytes((0x80 | count, 0x01)) + _HISTORICAL
        return b"\x3b" + checked + bytes((functools.reduce(operator.xor, checked),))


@unique
class _Control(IntEnum):
    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    ATR = 4


_RESETTING: Final = frozenset(
    bytes((control,))
    for control in (_Control.POWER_OFF, _Control.POWER_ON, _Control.RESET)
)
"""Controls that reset the card. One that is none of vpcd's changes nothing."""


class _Gone(Exception):  # noqa: N818  control flow inside this file
    """The other side closed, or the card is to be removed."""


class VPCDCard:
    """One slot: which card is in it, if any, and the thread that serves it."""

    def __init__(
        self,
        card: Card,
        port: int,
        *,
        host: str = "127.0.0.1",
        protocol: CardProtocol | str = CardProtocol.T1,
    ) -> None:
        """Prepare ``card`` for the slot at ``port``; nothing is inserted yet."""
        self._card = card
        self._address: Final = (host, port)
        self._protocol: Final = CardProtocol(protocol)
        self._serving: _Serving | None = None

    def __enter__(self) -> Self:
        self.insert()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def inserted(self) -> bool:
        """Whether the card is in the slot, or waits for pcscd to open it."""
        return self._serving is not None and self._serving.is_alive

    def insert(self, card: Card | None = None) -> None:
        """Put the card in, or ``card`` instead of it; in already, nothing happens."""
        if self.inserted:
            return
        self.remove()
        self._card = card or self._card
        spoken = T0Card(self._card) if self._protocol is CardProtocol.T0 else self._card
        self._serving = _Serving(spoken, self._address, self._protocol.atr)

    def wait_connected(self, timeout_s: int) -> bool:
        """Wait until the slot has taken the card; False when it did not in time."""
        return self._serving is not None and self._serving.connected.wait(timeout_s)

    def remove(self) -> None:
        """Take the card out; returns when it is out. It may be out already."""
        if self._serving is not None:
            self._serving.stop()
            self._serving = None

    def close(self) -> None:
        """Take the card out for good."""
        self.remove()


class _Serving:
    """One insertion: a thread from `insert` to `remove`."""

    def __init__(self, card: Card, address: tuple[str, int], atr: bytes) -> None:
        self._card: Final = card
        self._address: Final = address
        self._atr: Final = atr
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._stopping: Final = threading.Event()
        self.connected: Final = threading.Event()
        self._thread: Final = threading.Thread(
            target=self._run, name=f"card at {address[1]}", daemon=True
        )
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\x00")
        self._thread.join()
        self._wake_sender.close()
        self._wake_receiver.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with socket.create_connection(
                    self._address, _CONNECT_TIMEOUT_S
                ) as link:
                    self._serve(link)
            except CardTakenError:
                return
            except (OSError, _Gone):
                # pcscd may start after the card, and may be started again.
                self._stopping.wait(_RETRY_S)
            finally:
                self.connected.clear()

    def _serve(self, link: socket.socket) -> None:
        link.setblocking(True)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._card.reset()
        self.connected.set()
        with selectors.DefaultSelector() as selector:
            selector.register(link, selectors.EVENT_READ)
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            while True:
                head = self._receive(link, selector, _LENGTH_BYTES)
                body = self._receive(link, selector, int.from_bytes(head, "big"))
                answer = self._answer(body)
                if answer is not None:
                    link.sendall(len(answer).to_bytes(_LENGTH_BYTES, "big") + answer)

    def _answer(self, message: bytes) -> bytes | None:
        if len(message) > 1:
            return self._card.process(message)
        if message == bytes((_Control.ATR,)):
            return self._atr
        if message in _RESETTING:
            self._card.reset()
        return None

    def _receive(
        self, link: socket.socket, selector: selectors.BaseSelector, count: int
    ) -> bytes:
        received = b""
        while len(received) < count:
            # vpcd sends length and body apart. Without a quick ACK its second packet
            # waits 40 ms for ours; the kernel clears the option as it likes.
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            ready = {key.fileobj for key, _events in selector.select()}
            if self._wake_receiver in ready:
                raise _Gone
            part = link.recv(count - len(received))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not part:
                raise _Gone
            received += part
        return received
